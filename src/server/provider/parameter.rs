//! Parameters of requests to a provider.

/// A parameter: its name and its value.
pub(super) type Parameter = (&'static str, String);
