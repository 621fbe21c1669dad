//! The parameters of a start, and the path that carries them.

use url::Url;

use super::{browser_cookie::Browser, return_to::ReturnTo, state::State};
use crate::{paths, server::ids::ProviderId};

/// The parameters of a start.
#[derive(Clone, Debug)]
pub struct Start {
    /// The provider chosen.
    pub provider: ProviderId,
    /// The page to return to.
    pub return_to: ReturnTo,
    /// `prompt=login`: another account is wanted.
    pub other_account: bool,
    /// One of our own buttons was clicked.
    pub clicked: bool,
}

/// A redirect to the provider.
#[derive(Debug)]
pub struct Started {
    /// The authorization request.
    pub location: Url,
    /// For the flow cookie, where it has to be set.
    pub browser: Option<Browser>,
}

/// The login page, for `return_to`.
#[must_use]
pub fn login_page(return_to: &ReturnTo) -> String {
    format!("{}?return_to={}", paths::LOGIN, return_to.encoded())
}

/// The same for who wants to use another account: each of its buttons asks for one.
#[must_use]
pub fn login_page_for_another_account(return_to: &ReturnTo) -> String {
    format!("{}&prompt=login", login_page(return_to))
}

impl Start {
    /// The start of `state` again, by a click.
    #[must_use]
    pub fn again(state: &State) -> Self {
        let (provider, return_to) = (state.provider.clone(), state.return_to.clone());
        Self { provider, return_to, other_account: false, clicked: true }
    }

    /// The path that starts this sign-in.
    #[must_use]
    pub fn path(&self) -> String {
        let other_account = if self.other_account { "&prompt=login" } else { "" };
        let clicked = if self.clicked { "&again=1" } else { "" };
        format!(
            "{}?provider={}&return_to={}{other_account}{clicked}",
            paths::OIDC_LOGIN,
            self.provider,
            self.return_to.encoded()
        )
    }
}
