//! The steps of one attempt and how long each took: at once progress and the trace an administrator reads. The log has
//! them at DEBUG, since a sign-in that failed is one line there.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// One step of an attempt: a line of its trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `claim`, `discovery`, `token`, `keys`, `id_token`, `userinfo`, `user`, …
    pub name: String,
    /// When it began, in milliseconds after the callback arrived.
    pub after_ms: u32,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// `ok`, or the stable code of what went wrong.
    pub result: String,
    /// What else is known about it: the endpoint, the status, what the provider said. One short line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Collects the steps of one attempt.
#[derive(Debug)]
pub struct Trace {
    began: Instant,
    steps: Vec<Step>,
}

impl Trace {
    /// Begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self { began: Instant::now(), steps: Vec::new() }
    }

    /// When the trace began; deadlines are counted from here.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Records a step that began at `since` and ends now. `detail` must be safe to log.
    pub fn record(&mut self, name: &str, since: Instant, result: &str, detail: Option<String>) {
        let step = Step {
            name: name.to_owned(),
            after_ms: millis(since.saturating_duration_since(self.began)),
            took_ms: millis(since.elapsed()),
            result: result.to_owned(),
            detail,
        };
        tracing::debug!(
            step = step.name,
            after_ms = step.after_ms,
            took_ms = step.took_ms,
            result = step.result,
            detail = step.detail,
            "step"
        );
        metrics::histogram!("vestibule_sign_in_step_seconds", "step" => step.name.clone(), "result" => step.result.clone())
            .record(since.elapsed());
        self.steps.push(step);
    }

    /// What was recorded so far, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

fn millis(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::telemetry::Metrics;

    #[test]
    fn steps_of_older_and_newer_programs_can_be_read() {
        let old = r#"{"name":"token","after_ms":1,"took_ms":2,"result":"ok"}"#;
        let step: Step = serde_json::from_str(old).unwrap();
        assert_eq!(step.detail, None);
        assert_eq!(serde_json::to_string(&step).unwrap(), old, "an older program reads what it wrote");
        let newer = r#"{"name":"token","after_ms":1,"took_ms":2,"result":"ok","detail":"a line","more":[1]}"#;
        let step: Step = serde_json::from_str(newer).unwrap();
        assert_eq!(step.detail.as_deref(), Some("a line"));
    }

    #[tokio::test]
    async fn a_step_is_measured() {
        let metrics = Metrics::install();
        let mut trace = Trace::begin();
        trace.record("a test's step", Instant::now(), "provider_slow", None);
        let text = metrics.render();
        let count = "vestibule_sign_in_step_seconds_count{step=\"a test's step\",result=\"provider_slow\"} 1";
        assert!(text.contains(count), "{text}");
    }
}
