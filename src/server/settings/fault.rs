//! What is wrong with the settings, in words for an operator.

use std::fmt;

use super::text::is_unseen;

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key, as `provider[0].issuer`, or the file or variable.
    pub key: String,
    /// What is wrong with it. Never a secret's value.
    pub what: String,
    /// How to fix it.
    pub fix: String,
    /// Where the value was found or looked for, unless `key` says it.
    place: Option<String>,
}

impl Fault {
    pub(crate) fn new(key: impl fmt::Display, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { key: key.to_string(), what: what.into(), fix: fix.into(), place: None }
    }

    /// Says where the value was found or looked for, if that is not known yet.
    pub(super) fn at(mut self, place: impl Into<String>) -> Self {
        self.place.get_or_insert_with(|| place.into());
        self
    }
}

/// One line, whatever the texts hold, and nothing in it that cannot be seen.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        let line = format!("{}: {}; {}{place}", self.key, self.what, self.fix);
        line.chars().try_for_each(|c| if is_unseen(c) { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}
