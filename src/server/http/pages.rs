//! The pages and the endpoints for machines: a file each, with a `router()` of its own. `server::router` puts them
//! together.

/// The signed-in person's page.
pub(crate) mod account;
/// What `admin_listen` serves.
pub(crate) mod admin;
/// What a provider says when it has ended a session.
pub(crate) mod backchannel_logout;
/// Static files, and paths that do not exist.
pub(crate) mod files;
/// The login host's part of the handover.
pub(crate) mod handover;
/// What the hosts of applications have of ours.
pub(crate) mod hosted;
/// The login page.
pub(crate) mod login;
/// Whether the process lives and can work.
pub(crate) mod machines;
/// The start, the callback, and the panel's poll.
pub(crate) mod sign_in;
/// Sign-out, and the page after it.
pub(crate) mod sign_out;
