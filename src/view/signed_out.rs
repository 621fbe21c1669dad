//! The page after sign-out.

use leptos::prelude::*;

use super::{
    display::{naming, own_path},
    shell::{Refresh, Script, Shell},
    texts,
};

/// What the page after sign-out shows.
#[derive(Clone, Debug)]
pub struct SignedOut {
    /// The provider's name for people, where it is known who it was.
    pub provider: Option<String>,
    /// Path that signs in again.
    pub again: String,
    /// Path that signs in as someone else (a start with `prompt=login`).
    pub other_account: Option<String>,
}

/// The page after sign-out.
#[must_use]
pub fn signed_out(shell: &Shell<'_>, page: &SignedOut) -> String {
    let texts = texts::pages(shell.lang);
    shell.document(texts.signed_out, &Refresh::Never, &Script::None, || {
        let may_know = match &page.provider {
            Some(provider) => naming(texts.may_know, provider).into_any(),
            None => texts.may_know_someone.into_any(),
        };
        let other = page.other_account.as_deref().map(|start| {
            view! { <a class="button plain" href=own_path(start).to_owned()>{texts.other_account}</a> }
        });
        view! {
            <h1>{texts.signed_out}</h1>
            <p>{texts.signed_out_here}</p>
            <p>{may_know}</p>
            <div class="actions">
                <a class="button" href=own_path(&page.again).to_owned()>{texts.sign_in_again}</a>
                {other}
            </div>
        }
    })
}
