//! The login page: one button per provider.

use leptos::prelude::*;

use super::{
    display::{naming, own_path},
    shell::{Refresh, Script, Shell},
    texts::{self, Pages},
};
use crate::paths;

/// What the login page shows.
#[derive(Clone, Debug)]
pub struct Login {
    /// The providers, in the operator's order.
    pub choices: Vec<Choice>,
    /// Who is signed in already.
    pub account: Option<String>,
    /// The host of the application that the person goes on to.
    pub onward: Option<String>,
}

/// A provider to choose.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Its name for people.
    pub name: String,
    /// Path that starts the sign-in.
    pub start: String,
    /// Whether it is believed to work.
    pub works: Works,
}

/// Whether a sign-in is believed to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Works {
    /// No failure is known.
    Yes,
    /// Not at the moment: the page looks after it by itself.
    NotNow,
    /// Not before the operator has corrected something.
    Misconfigured,
}

/// Seconds until a login page with an unavailable provider refreshes itself.
const REFRESH_AFTER: u32 = 10;

/// Names that say how people sign in, not where.
const GENERIC: &[&str] = &["", "sso", "oidc", "openid", "openid connect", "single sign-on"];

/// The login page.
#[must_use]
pub fn login(shell: &Shell<'_>, page: &Login) -> String {
    let texts = texts::pages(shell.lang);
    let lead = match page.choices.len() {
        0 => texts.login_none,
        1 => texts.login_one,
        _ => texts.login_many,
    };
    let looks_after = page.choices.iter().any(|choice| choice.works == Works::NotNow);
    let refresh = if looks_after { Refresh::After(REFRESH_AFTER, None) } else { Refresh::Never };
    let only = page.choices.len() == 1;
    shell.document(texts.login, &refresh, &Script::None, || {
        let account = page.account.as_deref().map(|name| {
            view! {
                <p class="note">
                    {naming(texts.signed_in_as, name)} " " <a href=paths::ACCOUNT>{texts.to_account}</a>
                </p>
            }
        });
        let choices = page.choices.iter().enumerate().map(|(at, it)| choice(texts, it, at, only)).collect::<Vec<_>>();
        view! {
            <h1>{texts.login}</h1>
            {account}
            <p>{lead}</p>
            {page.onward.as_deref().map(|host| view! { <p>{naming(texts.login_onward, host)}</p> })}
            <ul class="choices">{choices}</ul>
            {looks_after.then(|| view! { <p class="quiet">{texts.refreshes}</p> })}
        }
    })
}

fn choice(texts: &'static Pages, choice: &Choice, at: usize, only: bool) -> impl IntoView {
    let generic = only && GENERIC.iter().any(|name| choice.name.trim().eq_ignore_ascii_case(name));
    let name = if generic { texts.provider } else { &choice.name };
    let said = match choice.works {
        Works::Yes => None,
        Works::NotNow => Some(texts.unavailable),
        Works::Misconfigured => Some(texts.misconfigured),
    };
    let note = said.map(|said| {
        let id = format!("unavailable-{at}");
        (id.clone(), view! { <p class="note" id=id>{naming(said, name)}</p> })
    });
    let (described, note) = note.unzip();
    let label = if generic { texts.sso.into_any() } else { naming(texts.continue_with, name).into_any() };
    view! {
        <li>
            {note}
            <a class="button" href=own_path(&choice.start).to_owned() aria-describedby=described>{label}</a>
        </li>
    }
}
