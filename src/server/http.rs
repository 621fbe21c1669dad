//! HTTP manners: what is believed of a request, what every response carries.

/// What `admin_listen` serves.
pub mod admin;
/// Static files.
pub mod assets;
/// Cookies, by their raw header.
pub mod cookies;
/// Only our own pages may change something.
pub mod guard;
/// What every response carries.
pub mod headers;
/// The pages: a request in, a step of the flow, a page or a redirect out.
pub mod pages;
