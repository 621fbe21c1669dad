//! The pages and what machines ask for: a file each, with a `router()` of its own. `server::router` puts them together.

/// The signed-in person's page.
pub(crate) mod account;
/// What `admin_listen` serves.
pub(crate) mod admin;
/// Static files, and what is no path of ours.
pub(crate) mod files;
/// The login page.
pub(crate) mod login;
/// Whether the process lives and can work.
pub(crate) mod machines;
/// The start, the callback, and the panel's question.
pub(crate) mod sign_in;
/// Sign-out, and where it lands.
pub(crate) mod sign_out;
