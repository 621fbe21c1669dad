//! An outage of a provider, for the log: that it begins and that it is over is said once each, whatever is asked of the
//! provider meanwhile, and by whom (docs/decisions/log.md). It is of no single sign-in, so its lines have no reference.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::fault::ProviderFault;
use crate::server::{ids::ProviderId, problem::Problem};

/// What fails where several token requests in a row do; else it is a document, by its [`NAME`](super::source::Source::NAME).
pub(super) const TOKEN: &str = "token";

/// Whether one provider works, as the log knows it.
pub(super) struct OutageLog {
    provider: ProviderId,
    outage: Mutex<Option<Outage>>,
}

struct Outage {
    since: Instant,
    failures: u32,
    /// What fails.
    parts: Vec<&'static str>,
    /// What was said already: another fault is another line.
    codes: Vec<&'static str>,
}

impl OutageLog {
    pub(super) fn new(provider: ProviderId) -> Arc<Self> {
        Arc::new(Self { provider, outage: Mutex::default() })
    }

    /// That part fails; it is asked again after `pause`.
    pub(super) fn failed(&self, part: &'static str, fault: &ProviderFault, pause: Duration) {
        let (failures, known) = self.note(part, fault.code());
        let (provider, code) = (&self.provider, fault.code());
        let again_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        if known {
            tracing::debug!(parent: None, %provider, part, code, detail = %fault, failures, again_in_ms, "the provider still fails");
        } else {
            let to_do = Problem::from_code(code).map(Problem::operator);
            tracing::warn!(parent: None, %provider, part, code, detail = %fault, to_do, "the provider fails, and is asked until it works");
        }
    }

    /// How many failures that makes, and whether the log has the code.
    fn note(&self, part: &'static str, code: &'static str) -> (u32, bool) {
        let mut outage = self.lock();
        let outage = outage.get_or_insert_with(|| Outage {
            since: Instant::now(),
            failures: 0,
            parts: Vec::new(),
            codes: Vec::new(),
        });
        outage.failures = outage.failures.saturating_add(1);
        if !outage.parts.contains(&part) {
            outage.parts.push(part);
        }
        let known = outage.codes.contains(&code);
        if !known {
            outage.codes.push(code);
        }
        (outage.failures, known)
    }

    /// That part works; the provider does once nothing of it fails any more.
    pub(super) fn works(&self, part: &'static str) {
        let ended = self.lock().take_if(|outage| {
            outage.parts.retain(|failing| *failing != part);
            outage.parts.is_empty()
        });
        if let Some(Outage { since, failures, .. }) = ended {
            tracing::warn!(
                parent: None, provider = %self.provider, code = "provider_recovered", after_s = since.elapsed().as_secs(), failures,
                "the provider works again"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Outage>> {
        // Nothing panics while it holds the lock, so even a poisoned one holds a consistent state.
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{
        provider::{discovery::Discovery, jwks::Jwks, source::Source},
        telemetry::captured::Log,
    };

    const PARTS: [&str; 3] = [Discovery::NAME, Jwks::NAME, TOKEN];
    const PAUSE: Duration = Duration::from_secs(1);

    /// What is logged of `outage`: the code of each line.
    fn logged(outage: impl FnOnce(&OutageLog)) -> Vec<String> {
        let (log, guard) = Log::json();
        outage(&OutageLog::new(ProviderId::new("p")));
        drop(guard);
        let lines = log.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| line["code"].as_str().unwrap().to_owned()).collect()
    }

    fn away() -> ProviderFault {
        ProviderFault::Unreachable("refused".into())
    }

    #[test]
    fn an_outage_is_two_lines_however_long_it_is_and_whatever_is_asked() {
        let codes = logged(|log| {
            for _ in 0..100 {
                PARTS.iter().for_each(|part| log.failed(part, &away(), PAUSE));
            }
            log.works(Jwks::NAME);
            log.works(Discovery::NAME);
            // Nothing to say of what is no news.
            PARTS.iter().for_each(|part| log.works(part));
        });
        assert_eq!(codes, ["provider_unreachable", "provider_recovered"]);
    }

    #[test]
    fn another_fault_is_another_line_and_another_outage_begins_anew() {
        let codes = logged(|log| {
            for _ in 0..3 {
                log.failed(Discovery::NAME, &away(), PAUSE);
                log.failed(Discovery::NAME, &ProviderFault::Metadata("another issuer".into()), PAUSE);
            }
            log.works(Discovery::NAME);
            log.failed(TOKEN, &away(), PAUSE);
            log.works(TOKEN);
        });
        let first = ["provider_unreachable", "provider_metadata", "provider_recovered"];
        assert_eq!(codes, [&first[..], &["provider_unreachable", "provider_recovered"]].concat());
    }

    #[test]
    fn a_provider_whose_token_requests_fail_does_not_work_because_its_metadata_come() {
        let codes = logged(|log| {
            log.failed(TOKEN, &away(), PAUSE);
            log.works(Discovery::NAME);
            log.works(Jwks::NAME);
        });
        assert_eq!(codes, ["provider_unreachable"]);
    }

    #[test]
    fn what_still_fails_is_not_called_over() {
        let codes = logged(|log| {
            log.failed(Jwks::NAME, &away(), PAUSE);
            log.failed(TOKEN, &away(), PAUSE);
            log.works(Discovery::NAME);
            log.works(TOKEN);
        });
        assert_eq!(codes, ["provider_unreachable"]);
    }
}
