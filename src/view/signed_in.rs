//! The page for one who begins a sign-in and is signed in already, where a redirect would be one too many.

use leptos::prelude::*;

use super::{
    Shell,
    display::own_path,
    shell::{Refresh, Script},
    texts,
};

/// The page that goes on to the path `to`.
#[must_use]
pub fn signed_in(shell: &Shell<'_>, to: &str) -> String {
    let texts = texts::pages(shell.lang);
    shell.document(texts.signed_in, &Refresh::AtOnce(to), &Script::None, || {
        view! {
            <h1>{texts.signed_in}</h1>
            <p>{texts.go_on_why}</p>
            <div class="actions">
                <a class="button" href=own_path(to).to_owned()>{texts.go_on}</a>
            </div>
        }
    })
}
