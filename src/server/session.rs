//! Who is signed in with which browser.

/// The id in the session cookie.
mod id;
/// Sessions: found, begun and ended.
mod sessions;
/// Our sessions as a `tower-sessions` store.
mod tower;

pub use self::{
    id::SessionId,
    sessions::{Delivery, Found, NewSession, Sessions, SignedIn},
    tower::TowerSessionStore,
};
