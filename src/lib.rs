//! Vestibule: the room between an OpenID Provider and your application.
//!
//! The folders tell the story in the order in which a request lives it; `docs/architecture.md` draws the map.

/// What both sides, server and browser, say to each other.
pub mod outcome;
/// Every path the program serves; nobody else formats a URL.
pub mod paths;
/// What a problem and its page both speak of: who can fix it, and the way on.
#[cfg(feature = "ssr")]
pub mod remedy;
/// The pages and the one panel that comes alive in the browser.
pub mod view;

/// The server function: extract, one step of the flow, respond. The only file that sees both sides.
#[cfg(feature = "ssr")]
pub mod api;
/// Everything that runs on the server.
#[cfg(feature = "ssr")]
pub mod server;

/// Runs when the browser has loaded the program.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn hydrate() {
    view::panel::browser::start();
}
