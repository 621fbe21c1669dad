//! What the server function answers, spoken by both sides.

use serde::{Deserialize, Serialize};

/// The answer to "is my sign-in complete?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Signed in: go there (a path on our own origin). The session cookie came with the answer.
    Done {
        /// Path and query to go to.
        location: String,
    },
    /// Not yet: ask again.
    Pending {
        /// Milliseconds to wait before the next question.
        ask_again_in: u32,
    },
    /// It will not succeed: go there (the callback's own page, which explains).
    Failed {
        /// Path and query of the page that explains and offers the way on.
        location: String,
    },
}
