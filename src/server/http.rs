//! Everything about HTTP: reading requests, guards, headers and cookies, pages.

/// Which host a request is for.
pub(crate) mod by_host;
/// The protocol spoken on a connection, and how long a peer may take.
pub(crate) mod connections;
/// The cookies of a response: set and removed.
mod cookies;
/// Only our own pages may change something.
pub(crate) mod csrf;
/// The session that a request's cookie names.
mod current_session;
/// Only a person's navigation begins a sign-in.
pub(crate) mod fetch_metadata;
/// What proxies ask, and the answers.
pub mod gate;
/// What every response carries.
pub mod headers;
/// What a machine is told instead of a page.
mod machine;
/// A file a page, each with its `router()`.
pub(crate) mod pages;
/// A panic becomes a page.
pub(crate) mod panic;
/// Doubled slashes in a path are one, and one at its end is none.
pub(crate) mod plain_path;
/// The problem page.
mod problem_page;
/// Redirects.
mod redirect;
/// Pages in the language of the request.
pub(crate) mod render;
/// What a handler reads from a request.
pub(crate) mod request;
/// Limits on the size of a request.
pub(crate) mod request_limits;
/// `return_to` as it stands in a query.
mod return_to_parameter;
