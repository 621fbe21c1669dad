//! The page that asks whether to sign out: applications can only link to sign-out, and a link alone must end nothing.

use leptos::prelude::*;

use super::{
    display::{naming, own_path},
    shell::{Refresh, Script, Shell},
    texts::{self, Pages},
};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct SignOut {
    /// Who is signed in, where that is known.
    pub name: Option<String>,
    /// Path that signs out, by POST.
    pub logout: String,
}

/// The page with the one button.
#[must_use]
pub fn sign_out(shell: &Shell<'_>, page: &SignOut) -> String {
    let texts = texts::pages(shell.lang);
    shell.document(texts.sign_out, &Refresh::Never, &Script::None, || {
        view! {
            <h1>{texts.sign_out}</h1>
            {page.name.as_deref().map(|name| view! { <p>{naming(texts.signed_in_as, name)}</p> })}
            <p>{texts.sign_out_ends}</p>
            {sign_out_form(texts, &page.logout)}
        }
    })
}

/// The button. Its answer is a redirect on our own host, which `form-action` allows.
pub(super) fn sign_out_form(texts: &'static Pages, logout: &str) -> impl IntoView + use<> {
    view! {
        <form class="actions" method="post" action=own_path(logout).to_owned()>
            <button class="button">{texts.sign_out}</button>
        </form>
    }
}
