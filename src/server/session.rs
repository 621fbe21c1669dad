//! Who is signed in with which browser.

/// How far what is known follows the store.
mod followed;
/// Following what changes in the store.
mod following;
/// What sessions stand for.
mod found;
/// The id in the session cookie.
mod id;
/// Who is signed in, at the cost of a look into memory.
mod known;
/// What the store has confirmed lately.
mod lately;
/// One of these sessions.
mod live;
/// Asking the provider again.
mod recheck;
/// Sessions: found and begun.
mod sessions;
/// Sessions are ended.
mod sign_out;
/// Our sessions as a `tower-sessions` store.
mod tower;
/// A store that cannot note a recheck.
mod unnoted;
/// Visits are noted.
mod visits;

pub use self::{
    found::{EndedSession, Found, SignedIn},
    id::SessionId,
    known::{Known, KnownSessions},
    live::LiveSession,
    sessions::{Delivery, NewSession, Sessions},
    tower::TowerSessionStore,
};
