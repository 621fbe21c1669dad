//! The flow, a file per step. It uses neither axum nor Leptos: it takes a query, a browser and the time, and returns a
//! `Completion`.
//!
//! ```text
//! authorize ──> (provider) ──> callback ──> exchange ──> session
//!     │                           │  └──> status: here, or in the store
//!   state                    other_browser
//! ```

/// The authorization response, read strictly.
pub mod authorization_response;
/// The start: the redirect to the provider.
pub mod authorize;
/// The browser key and the flow cookie.
pub mod browser_cookie;
/// The callback: the order of its checks.
pub mod callback;
/// The callback's own address.
pub mod callback_query;
/// The input and the result of a step.
mod completion;
/// What is needed to create the session, sealed.
mod delivery;
/// The exchange: a task of its own, not the request's.
mod exchange;
/// Which exchanges run here, and how far they are.
mod exchanges;
/// The flow with everything it needs.
mod flow;
/// What processes of another release write and read.
#[cfg(test)]
mod formats;
/// A callback in a browser that it does not belong to.
mod other_browser;
/// How many values a parameter has.
mod parameter;
/// The permits that are needed before a code is sent.
mod permits;
/// Secrets that are derived: PKCE, nonce, session id.
pub mod pkce;
/// How many refused codes a client may cause.
mod rate_limit;
/// Whoever is signed in goes through the provider once more.
mod recheck;
/// Applications that send people to sign in again and again.
pub mod redirect_loop;
/// Where a person lands after signing in.
pub mod return_to;
/// From a verified person to a session.
mod session;
/// Sign-out, here and at the provider.
mod sign_out;
/// The parameters of a start.
pub mod start;
/// The sealed `state`.
pub mod state;
/// The status of an attempt, and the response to it.
mod status;
mod token_bucket;

pub use self::{
    completion::{Completion, Failure, RequestContext},
    flow::{Parts, SignIn},
    sign_out::SignedOut,
};
