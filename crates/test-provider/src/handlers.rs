//! What the provider says at each of its endpoints.

mod authorization_request;
mod authorization_response;
pub(crate) mod authorize;
pub(crate) mod discovery;
pub(crate) mod end_session;
mod page;
pub(crate) mod pushed;
pub(crate) mod token;
pub(crate) mod userinfo;
