//! The signed-in person's page.

use leptos::prelude::*;

use super::{
    display::{display_name, landing},
    shell::{Refresh, Script, Shell},
    sign_out::sign_out_form,
    texts::{self, Pages},
};

/// What the account page shows.
#[derive(Clone, Debug)]
pub struct Account {
    /// The person's name.
    pub name: String,
    /// The user name.
    pub username: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The provider's name for people.
    pub provider: String,
    /// When the person signed in.
    pub signed_in_at: Moment,
    /// The applications that the person may open.
    pub applications: Vec<Application>,
    /// Path that signs out, by POST.
    pub logout: String,
}

/// An application that the person may open.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its host, by which people know it.
    pub host: String,
    /// Its first page.
    pub url: String,
}

/// A point in time, formatted.
#[derive(Clone, Debug)]
pub struct Moment {
    /// For machines: RFC 3339.
    pub rfc3339: String,
    /// For people, without words of any language.
    pub human: String,
}

/// The account page.
#[must_use]
pub fn account(shell: &Shell<'_>, page: &Account) -> String {
    let texts = texts::pages(shell.lang);
    shell.document(texts.account, &Refresh::Never, &Script::None, || {
        let fact = |label: &'static str, value: &str| {
            view! { <div><dt>{label}</dt><dd><bdi>{display_name(value)}</bdi></dd></div> }
        };
        view! {
            <p class="kicker">{texts.account}</p>
            <h1><bdi>{display_name(&page.name)}</bdi></h1>
            <dl class="facts">
                {fact(texts.username, &page.username)}
                {page.email.as_deref().map(|email| fact(texts.email, email))}
                {fact(texts.signed_in_with, &page.provider)}
                <div>
                    <dt>{texts.signed_in_at}</dt>
                    <dd><time datetime=page.signed_in_at.rfc3339.clone()>{page.signed_in_at.human.clone()}</time></dd>
                </div>
            </dl>
            {applications(texts, &page.applications)}
            {sign_out_form(texts, &page.logout)}
        }
    })
}

/// Nothing where there is none.
fn applications(texts: &'static Pages, applications: &[Application]) -> Option<impl IntoView + use<>> {
    let link = |one: &Application| {
        view! { <li><a href=landing(&one.url).to_owned()><bdi>{display_name(&one.host)}</bdi></a></li> }
    };
    let links = applications.iter().map(link).collect::<Vec<_>>();
    (!links.is_empty()).then(|| view! { <h2>{texts.applications}</h2> <ul class="places">{links}</ul> })
}
