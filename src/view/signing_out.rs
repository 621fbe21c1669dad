//! The page on the way to sign-out at the provider. It stays as long as the provider does not answer, so it says what has
//! happened and what has not. It is a page, and no redirect, since browsers check the redirects of a form's submission
//! against `form-action`.

use leptos::prelude::*;

use super::{
    display::{landing, naming},
    shell::{Refresh, Script, Shell},
    texts,
};

/// What the page shows. It holds an ID token, so it cannot be printed.
pub struct SigningOut {
    /// The provider's name for people.
    pub provider: String,
    /// Whether it is believed to work: the page goes on by itself only then.
    pub available: bool,
    /// How the browser gets there.
    pub there: There,
}

/// How the browser gets to the provider. The server has judged the URL.
pub enum There {
    /// By this URL.
    Link(String),
    /// By a form.
    Form {
        /// Where it goes.
        action: String,
        /// What it holds.
        fields: Vec<(&'static str, String)>,
    },
}

/// The page that continues to the provider.
#[must_use]
pub fn signing_out(shell: &Shell<'_>, page: &SigningOut) -> String {
    let texts = texts::pages(shell.lang);
    let (refresh, script) = match &page.there {
        There::Link(url) if page.available => (Refresh::AtOnce(url), Script::None),
        There::Form { .. } if page.available => (Refresh::Never, Script::Submit),
        There::Link(_) | There::Form { .. } => (Refresh::Never, Script::None),
    };
    let said = if page.available { texts.signing_out_there } else { texts.signing_out_away };
    let go = naming(texts.sign_out_there, &page.provider);
    shell.document(texts.signing_out, &refresh, &script, || {
        let way = match &page.there {
            There::Link(url) => {
                view! { <div class="actions"><a class="button" href=landing(url).to_owned()>{go}</a></div> }.into_any()
            }
            There::Form { action, fields } => {
                let field = |(name, value): &(&'static str, String)| {
                    view! { <input r#type="hidden" name=*name value=value.clone() /> }
                };
                view! {
                    <form class="actions" method="post" action=landing(action).to_owned()>
                        {fields.iter().map(field).collect::<Vec<_>>()}
                        <button class="button">{go}</button>
                    </form>
                }
                .into_any()
            }
        };
        view! {
            <h1>{texts.signing_out}</h1>
            <p>{texts.signed_out_here}</p>
            <p>{naming(said, &page.provider)}</p>
            {way}
            <p class="quiet">{texts.asks_next}</p>
        }
    })
}
