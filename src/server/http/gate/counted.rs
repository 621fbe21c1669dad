//! How many checks ended how, for `/metrics`.

use metrics::Counter;

use crate::server::gate::check::Verdict;

/// A counter for each end. Kept, since to look one up costs more than all else that a check does.
pub(super) struct Counted {
    passed: Counter,
    nobody: Counter,
    not_admitted: Counter,
    forged: Counter,
    unknown: Counter,
    misasked: Counter,
}

impl Counted {
    pub(super) fn new() -> Self {
        let of = |verdict: &'static str| metrics::counter!("vestibule_gate_checks_total", "verdict" => verdict);
        Self {
            passed: of("passed"),
            nobody: of("nobody"),
            not_admitted: of("not_admitted"),
            forged: of("forged"),
            unknown: of("unknown"),
            misasked: of("misasked"),
        }
    }

    /// A request that was asked about.
    pub(super) fn verdict(&self, verdict: &Verdict<'_>) {
        let counter = match verdict {
            Verdict::Anyone(_) | Verdict::Person(_) => &self.passed,
            Verdict::Nobody => &self.nobody,
            Verdict::NotAdmitted { .. } => &self.not_admitted,
            Verdict::Forged(_) => &self.forged,
            Verdict::Unknown(_) => &self.unknown,
        };
        counter.increment(1);
    }

    /// A question that was none.
    pub(super) fn misasked(&self) {
        self.misasked.increment(1);
    }
}
