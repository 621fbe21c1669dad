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
    ids::Reference,
    limits,
    problem::{Problem, Who},
};

/// How often each was shown.
static SHOWN: LazyLock<Cache<(Reference, Problem), Arc<AtomicU32>>> = LazyLock::new(remembered);
/// Under which reference each client was shown a problem that passes by itself.
static WAITING: LazyLock<Cache<(ClientAddress, Problem), Reference>> = LazyLock::new(remembered);

fn remembered<K: std::hash::Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>() -> Cache<K, V> {
    let size = Cache::builder().eviction_policy(EvictionPolicy::lru()).max_capacity(limits::FAILURES_REMEMBERED);
    size.time_to_idle(limits::FAILURE_REMEMBERED).build()
}

impl Problem {
    /// The one line of this failure, at the level of its row, with what the provider or the store said. The next time it
    /// is a repetition.
    pub(super) fn log(self, reference: &Reference, detail: Option<&str>) {
        let code = self.code();
        if self.level() == Level::DEBUG {
            tracing::debug!(code, %reference, detail, "failed");
            return;
        }
        let times = SHOWN.get_with((reference.clone(), self), Arc::default).fetch_add(1, Ordering::Relaxed) + 1;
        match self.level() {
            _ if times > 1 => tracing::debug!(code, %reference, detail, times, "failed, as logged before"),
            Level::ERROR => tracing::error!(code, %reference, detail, to_do = self.to_do(), "failed"),
            Level::WARN => tracing::warn!(code, %reference, detail, "failed"),
            _ => tracing::info!(code, %reference, detail, "failed"),
        }
    }

    /// The same, where the code says everything.
    pub(super) fn log_with(self, reference: &Reference) {
        self.log(reference, None);
    }

    /// What the operator does about it, if it is for the operator to do something.
    pub(super) fn to_do(self) -> Option<&'static str> {
        (self.who() == Who::Operator).then(|| self.operator())
    }

    /// The reference of a failure without an attempt: a new one, unless it is a page that reloads by itself and its client
    /// was shown one a moment ago. That is one fault, however long they wait.
    pub(super) fn reference(self, client: ClientAddress, new: impl FnOnce() -> Reference) -> Reference {
        if self.passes() { WAITING.get_with((client, self), new) } else { new() }
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
            Problem::ProviderDown.log(&reference, Some("refused"));
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
        let first = Problem::SignInUnavailable.reference(client(1), new);
        assert_eq!(Problem::SignInUnavailable.reference(client(1), new), first);
        assert_ne!(Problem::SignInUnavailable.reference(client(2), new), first);
        assert_ne!(Problem::StoreUnavailable.reference(client(1), new), first);
        let once = Problem::StateInvalid.reference(client(1), new);
        assert_ne!(Problem::StateInvalid.reference(client(1), new), once);
    }
}
