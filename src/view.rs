//! The pages, and the one panel that changes in the browser.
//!
//! Pages are rendered by the server, at once and whole: each is complete without script. Only the waiting and the
//! problem page have a panel that the browser hydrates. Nothing in here knows the server's modules: a page gets
//! what it shows as plain data, and treats every name in it as hostile.

/// The languages of the pages.
pub mod lang;
/// The part of a page that is hydrated in the browser.
pub mod panel;
/// All words of the pages, in every language.
pub mod texts;

#[cfg(feature = "ssr")]
mod account;
#[cfg(feature = "ssr")]
mod display;
#[cfg(feature = "ssr")]
mod login;
#[cfg(feature = "ssr")]
mod problem;
#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
mod sign_out;
#[cfg(feature = "ssr")]
mod signed_in;
#[cfg(feature = "ssr")]
mod signed_out;
#[cfg(feature = "ssr")]
mod signing_out;
#[cfg(all(test, feature = "ssr"))]
mod tests;
#[cfg(feature = "ssr")]
mod waiting;

pub use lang::Lang;

#[cfg(feature = "ssr")]
pub use self::{
    account::{Account, Application, Moment, account},
    display::display_name,
    login::{Choice, Login, Works, login},
    problem::{Action, ProblemPage, problem},
    shell::{AssetUrls, Shell},
    sign_out::{SignOut, sign_out},
    signed_in::signed_in,
    signed_out::{AtProvider, SignedOut, signed_out},
    signing_out::{SigningOut, There, signing_out},
    waiting::{Waiting, waiting},
};
