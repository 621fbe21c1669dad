//! What the server function returns; server and browser share it.

use serde::{Deserialize, Serialize};

/// The status of a sign-in, as the browser polls it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Signed in: go there (a path on our own origin). The session cookie came with the response.
    Done {
        /// Path and query to go to.
        location: String,
    },
    /// Not complete yet: poll again.
    Pending {
        /// Milliseconds to wait before the next poll.
        ask_again_in: u32,
    },
    /// It failed: go there (the callback's own page, which explains).
    Failed {
        /// Path and query of the page that explains the failure.
        location: String,
    },
}
