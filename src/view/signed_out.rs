//! The page after sign-out.

use leptos::prelude::*;

use super::{
    display::{naming, own_path},
    shell::{Refresh, Script, Shell},
    texts::{self, Pages},
};

/// What the page after sign-out shows.
#[derive(Clone, Debug)]
pub struct SignedOut {
    /// What is known of the provider.
    pub there: AtProvider,
    /// The provider's name for people, where it is known who it is.
    pub provider: Option<String>,
    /// The next sign-in in this browser asks who it is.
    pub asks: bool,
    /// Path that signs in again.
    pub again: String,
    /// Path that signs in as someone else (a start with `prompt=login`).
    pub other_account: Option<String>,
}

/// What is known of the person's session at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtProvider {
    /// Nothing: nobody has signed out here, as far as this browser can tell.
    Unknown,
    /// It was not ended, or nobody has come back from there.
    Remains,
    /// The provider was asked to end it, and has sent the person back.
    Asked,
}

impl AtProvider {
    /// With a name, and without one.
    const fn texts(self, texts: &'static Pages) -> (&'static str, &'static str) {
        match self {
            Self::Unknown => (texts.may_know, texts.may_know_someone),
            Self::Remains => (texts.still_there, texts.still_somewhere),
            Self::Asked => (texts.sent_back, texts.still_somewhere),
        }
    }
}

/// The page after sign-out.
#[must_use]
pub fn signed_out(shell: &Shell<'_>, page: &SignedOut) -> String {
    let texts = texts::pages(shell.lang);
    shell.document(texts.signed_out, &Refresh::Never, &Script::None, || {
        let (with_name, without) = page.there.texts(texts);
        let there = match &page.provider {
            Some(provider) => naming(with_name, provider).into_any(),
            None => without.into_any(),
        };
        let other = page.other_account.as_deref().map(|start| {
            view! { <a class="button plain" href=own_path(start).to_owned()>{texts.other_account}</a> }
        });
        view! {
            <h1>{texts.signed_out}</h1>
            <p>{texts.signed_out_here}</p>
            <p>{there}</p>
            {page.asks.then(|| view! { <p>{texts.asks_next}</p> })}
            <div class="actions">
                <a class="button" href=own_path(&page.again).to_owned()>{texts.sign_in_again}</a>
                {other}
            </div>
        }
    })
}
