//! The page for a person who starts a sign-in while signed in, shown instead of one redirect too many.

use leptos::prelude::*;

use super::{
    display::landing,
    shell::{Refresh, Script, Shell},
    texts,
};

/// The page that continues to `to`.
#[must_use]
pub fn signed_in(shell: &Shell<'_>, to: &str) -> String {
    let texts = texts::pages(shell.lang);
    shell.document(texts.signed_in, &Refresh::AtOnce(to), &Script::None, || {
        view! {
            <h1>{texts.signed_in}</h1>
            <p>{texts.continue_why}</p>
            <div class="actions">
                <a class="button" href=landing(to).to_owned()>{texts.continue_link}</a>
            </div>
        }
    })
}
