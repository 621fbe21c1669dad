//! The parameters of a start, and the path that carries them.

use std::fmt;

use url::Url;

use super::{browser_cookie::Browser, return_to::ReturnTo, state::State};
use crate::{
    paths,
    server::{ids::ProviderId, limits},
    visible::is_hidden,
};

pub use crate::server::provider::Prompt;

/// The parameters of a start.
#[derive(Clone, Debug)]
pub struct Start {
    /// The provider chosen.
    pub provider: ProviderId,
    /// The page to return to.
    pub return_to: ReturnTo,
    /// What is wanted of the provider's own pages.
    pub prompt: Prompt,
    /// Who is expected to sign in.
    pub login_hint: Option<LoginHint>,
    /// One of our own buttons was clicked.
    pub clicked: bool,
}

/// Who is expected to sign in, for the provider's login page alone: short, and nothing but what is seen.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginHint(String);

impl LoginHint {
    /// `None` if `text` is no hint that we pass on.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let hint = Self(text.to_owned());
        let fits = !text.is_empty() && hint.encoded().len() <= limits::LOGIN_HINT && !text.chars().any(is_hidden);
        fits.then_some(hint)
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the value of a parameter.
    fn encoded(&self) -> String {
        url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect()
    }
}

/// It names a person.
impl fmt::Debug for LoginHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginHint(…)")
    }
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
    /// A start that nobody has clicked, with nothing said about whom it is for.
    #[must_use]
    pub const fn new(provider: ProviderId, return_to: ReturnTo) -> Self {
        Self { provider, return_to, prompt: Prompt::Usual, login_hint: None, clicked: false }
    }

    /// The same, by a click.
    #[must_use]
    pub fn clicked(self) -> Self {
        Self { clicked: true, ..self }
    }

    /// The start of `state` again, by a click.
    #[must_use]
    pub fn again(state: &State) -> Self {
        Self::new(state.provider.clone(), state.return_to.clone()).clicked()
    }

    /// The path that starts this sign-in.
    #[must_use]
    pub fn path(&self) -> String {
        // A silent start is made of a page of ours, never by a link.
        let other_account = if self.prompt == Prompt::AnotherAccount { "&prompt=login" } else { "" };
        let hint = self.login_hint.as_ref().map(|hint| format!("&login_hint={}", hint.encoded())).unwrap_or_default();
        let clicked = if self.clicked { "&again=1" } else { "" };
        format!(
            "{}?provider={}&return_to={}{other_account}{hint}{clicked}",
            paths::OIDC_LOGIN,
            self.provider,
            self.return_to.encoded()
        )
    }
}
