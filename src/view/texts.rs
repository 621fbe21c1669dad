//! The words of the pages, made from `locales/` when the program is built (`build/words.rs`). A page calls them `texts`:
//! the build looks for `texts.KEY` to find a key that is missing, and one that nothing uses.

/// What the pages say; only the server knows it.
#[cfg(feature = "ssr")]
mod pages;
/// What the panel says; it travels to the browser.
mod panel;
/// Texts with a `{}`.
mod template;

#[cfg(feature = "ssr")]
pub use self::pages::{CODES, Explanation, Pages, explanation, kicker, pages, way_on, who};
pub use self::{
    panel::{Panel, panel, time},
    template::{around, fill},
};
