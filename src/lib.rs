//! Vestibule: the room between an OpenID Provider and your application.
//!
//! `docs/architecture.md` has an overview of the modules.

/// What server and browser send to each other.
pub mod outcome;
/// Every path the program serves; nobody else formats a URL.
pub mod paths;
/// What a problem and its page have in common: who can fix it, and how to continue.
#[cfg(feature = "ssr")]
pub mod remedy;
/// The pages and the one panel that comes alive in the browser.
pub mod view;
/// What is seen of a foreign text, and what is not.
pub mod visible;

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
