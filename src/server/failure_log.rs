//! What the log says of the failures that people are shown: one line for each reference, however often its page is
//! requested again (docs/decisions/log.md). The log is the process's, and so is the memory of what it says.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU32, Ordering},
};

use moka::{policy::EvictionPolicy, sync::Cache};
use tracing::Level;

use super::{
    client_address::ClientAddress,
    ids::{ProviderId, Reference},
    limits,
    problem::Problem,
};

/// How often each was shown.
static SHOWN: LazyLock<Cache<(Reference, Problem), Arc<AtomicU32>>> = LazyLock::new(remembered);
/// Under which reference each client was shown a problem that is met again and again, and of what it is: which provider, which
/// fault of a proxy.
static WAITING: LazyLock<Cache<Waiting, Reference>> = LazyLock::new(remembered);
/// The same for what every request behind the gate meets. Not longer than a while after the first, since such requests never
/// end, and what has changed since is to be seen.
static MET: LazyLock<Cache<Waiting, Reference>> = LazyLock::new(|| {
    Cache::builder().max_capacity(limits::FAILURES_REMEMBERED).time_to_live(limits::GATE_FAILURE_REMEMBERED).build()
});

/// Whose logout tokens have their line. Anybody can send one, as often as they like.
static LOGOUTS: LazyLock<Cache<Logout, ()>> = LazyLock::new(|| {
    Cache::builder().max_capacity(limits::FAILURES_REMEMBERED).time_to_live(limits::LOGOUT_REFUSAL_REMEMBERED).build()
});

type Logout = (ClientAddress, Option<ProviderId>, LogoutFailure);
type Waiting = (ClientAddress, Problem, Option<Box<str>>);

/// Why a provider's logout was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LogoutFailure {
    /// The logout token is not accepted.
    Refused,
    /// The store, or the provider's keys; the provider may try again.
    Failed,
}

/// A provider's logout that was not carried out: one line a minute for each client and provider; the rest is DEBUG. Nobody is
/// shown it, so it is no [`Problem`].
pub(super) fn logout(
    failure: LogoutFailure,
    client: ClientAddress,
    provider: Option<&ProviderId>,
    reference: &Reference,
    detail: &str,
) {
    let (code, to_do) = match failure {
        LogoutFailure::Refused => (
            "logout_token_refused",
            "If it comes from the provider (without `provider`: perhaps not), compare issuer, client_id and the clocks with it.",
        ),
        LogoutFailure::Failed => (
            "logout_failed",
            "See the line that says what fails. Then sign the person out at the provider once more, unless it has tried again.",
        ),
    };
    let named = provider.map(tracing::field::display);
    if LOGOUTS.entry((client, provider.cloned(), failure)).or_insert(()).is_fresh() {
        tracing::warn!(code, provider = named, %client, %reference, detail, to_do, "a provider's logout was not carried out");
    } else {
        tracing::debug!(code, provider = named, %reference, detail, "a provider's logout was not carried out, as logged before");
    }
}

/// What the log says of a failure beside its code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// What the provider or the store said, or what was found.
    pub(super) detail: Option<String>,
    /// What mends exactly this, where that is known; else it is what the operator reads about the code.
    pub(super) mend: Option<&'static str>,
}

impl Said {
    pub(super) const fn by(detail: Option<String>) -> Self {
        Self { detail, mend: None }
    }
}

fn remembered<K: std::hash::Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>() -> Cache<K, V> {
    let size = Cache::builder().eviction_policy(EvictionPolicy::lru()).max_capacity(limits::FAILURES_REMEMBERED);
    size.time_to_idle(limits::FAILURE_REMEMBERED).build()
}

impl Problem {
    /// The one line of this failure, at the level of its row, with what the provider or the store said, and from WARN on
    /// with what the operator does about it. The next time it is a repetition.
    pub(super) fn log(self, reference: &Reference, said: &Said) {
        let (code, detail) = (self.code(), said.detail.as_deref());
        let to_do = said.mend.unwrap_or_else(|| self.operator());
        if self.level() == Level::DEBUG {
            tracing::debug!(code, %reference, detail, "failed");
            return;
        }
        let times = SHOWN.get_with((reference.clone(), self), Arc::default).fetch_add(1, Ordering::Relaxed) + 1;
        match self.level() {
            _ if times > 1 => tracing::debug!(code, %reference, detail, times, "failed, as logged before"),
            Level::ERROR => tracing::error!(code, %reference, detail, to_do, "failed"),
            Level::WARN => tracing::warn!(code, %reference, detail, to_do, "failed"),
            _ => tracing::info!(code, %reference, detail, "failed"),
        }
    }

    /// The same, where the code says everything.
    pub(super) fn log_with(self, reference: &Reference) {
        self.log(reference, &Said::default());
    }

    /// The same, with what was found.
    pub(super) fn log_because(self, reference: &Reference, detail: &str) {
        self.log(reference, &Said::by(Some(detail.to_owned())));
    }

    /// The reference of a failure without an attempt: a new one, unless it is met again and again, by a page that
    /// reloads by itself, by everyone until the operator has mended it, or by all requests behind the gate, and its client was shown one a moment ago. That is one fault.
    pub(super) fn reference(
        self,
        client: ClientAddress,
        of: Option<&str>,
        new: impl FnOnce() -> Reference,
    ) -> Reference {
        let key = || (client, self, of.map(Into::into));
        match self {
            _ if self.passes() || self.is_for_the_operator_alone() => WAITING.get_with(key(), new),
            _ if self.is_met_by_every_request() => MET.get_with(key(), new),
            _ => new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::server::telemetry::captured::Log;

    #[test]
    fn a_reference_is_one_line_for_each_of_its_problems() {
        let (log, _guard) = Log::json();
        let reference = Reference::of(b"a test's");
        for _ in 0..5 {
            Problem::ProviderDown.log(&reference, &Said::by(Some("refused".into())));
            Problem::AlreadyUsed.log_with(&reference);
        }
        let text = log.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("refused") && lines[0].contains("WARN"), "{text}");
        assert!(lines.iter().all(|line| line.contains(&reference.to_string())), "{text}");
    }

    #[test]
    fn who_waits_keeps_the_reference_and_nobody_else_does() {
        let number = AtomicU32::new(0);
        let new = || Reference::of(&number.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let client = |last| ClientAddress::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        let (a, b) = ("a", "b");
        let first = Problem::SignInUnavailable.reference(client(1), Some(a), new);
        assert_eq!(Problem::SignInUnavailable.reference(client(1), Some(a), new), first);
        assert_ne!(Problem::SignInUnavailable.reference(client(1), Some(b), new), first, "another provider");
        assert_ne!(Problem::SignInUnavailable.reference(client(2), Some(a), new), first);
        assert_ne!(Problem::StoreUnavailable.reference(client(1), Some(a), new), first);
        let once = Problem::StateInvalid.reference(client(1), None, new);
        assert_ne!(Problem::StateInvalid.reference(client(1), None, new), once);
    }

    /// WB-18.
    #[test]
    fn bad_logout_tokens_are_one_line_for_each_client_provider_and_failure() {
        let (log, _guard) = Log::json();
        let client = |last| ClientAddress::of(IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)));
        let (reference, provider) = (Reference::of(b"a logout's"), ProviderId::new("op"));
        for _ in 0..1_000 {
            logout(LogoutFailure::Refused, client(1), None, &reference, "no token");
            logout(LogoutFailure::Refused, client(1), Some(&provider), &reference, "expired");
            logout(LogoutFailure::Failed, client(1), Some(&provider), &reference, "the disk is full");
            logout(LogoutFailure::Refused, client(2), None, &reference, "no token");
        }
        let text = log.text();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.lines().all(|line| line.contains("WARN") && line.contains("to_do")), "{text}");
    }

    /// What the operator can look into says what to do about it: the store's own mend where that is known.
    #[test]
    fn every_warning_says_what_to_do() {
        for problem in Problem::ALL.iter().filter(|problem| problem.level() <= Level::WARN) {
            let (log, _guard) = Log::json();
            let full = Said { detail: None, mend: Some("free some space") };
            problem.log_with(&Reference::of(format!("a {problem:?}").as_bytes()));
            problem.log(&Reference::of(format!("another {problem:?}").as_bytes()), &full);
            let lines: Vec<serde_json::Value> =
                log.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(lines[0]["to_do"], problem.operator());
            assert_eq!(lines[1]["to_do"], "free some space");
        }
    }
}
