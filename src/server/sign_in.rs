//! The flow, a file per step. It knows no axum and no Leptos: a query, a browser and a moment go in, a
//! [`Completion`] comes out.
//!
//! ```text
//! authorize ──> (provider) ──> callback ──> exchange ──> session
//!     │                           │  └──> status: here, or in the store
//!   state                    other_browser
//! ```

/// The authorization response, read strictly.
pub mod authorization_response;
/// The start: off to the provider.
pub mod authorize;
/// The browser key and the flow cookie.
pub mod browser_cookie;
/// The callback: the order of its checks.
pub mod callback;
/// The callback's own address.
pub mod callback_query;
/// What goes into a step, and what comes out.
mod completion;
/// What delivery needs, sealed.
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
/// How often a parameter is there.
mod parameter;
/// What is needed before a code is sent.
mod permits;
/// Secrets that are derived: PKCE, nonce, session id.
pub mod pkce;
/// How many refused codes a client may cause.
mod rate_limit;
/// Applications that send people to sign in again and again.
pub mod redirect_loop;
/// Where a person lands after signing in.
pub mod return_to;
/// Verified to signed in: the session, and the page to go to.
mod session;
/// What a person asks for.
pub mod start;
/// The sealed `state`.
pub mod state;
/// How an attempt stands, and what that means for who asks.
mod status;

pub use self::{
    completion::{Completion, Failure, RequestContext},
    flow::{Parts, SignIn},
};
