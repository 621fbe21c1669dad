//! The flow, a file per step. It knows no axum and no Leptos: a query, a browser and a moment go in, a
//! `Completion` comes out.

/// The authorization response, parsed strictly.
pub mod authorization_response;
/// The start: off to the provider.
pub mod authorize;
/// The browser key and the flow cookie.
pub mod browser_cookie;
/// The callback: from the provider's answer to a completion.
pub mod callback;
/// The exchange: a task of its own, not the request's.
mod exchange;
/// The flow with everything it needs.
mod flow;
/// Where a person lands after signing in.
pub mod return_to;
/// Verified to signed in: the session, and the page to go to.
mod session;
/// The sealed `state`.
pub mod state;
/// How much failure one visitor may cause.
pub mod visitor;

pub use self::flow::{Completion, Failure, Parts, RequestContext, SignIn};
