//! HTTP manners: what is believed of a request, what every response carries.

/// Static files.
pub mod assets;
