//! The problem page: what happened, what to do, and the one click that goes on.

use leptos::prelude::*;

use super::{
    Shell,
    display::{display_name, own_path},
    panel::ProblemPanel,
    shell::{Refresh, Script},
};

/// What a problem page shows.
#[derive(Clone, Debug)]
pub struct ProblemPage {
    /// The stable code.
    pub code: String,
    /// Finds the case in log and store.
    pub reference: String,
    /// Of which kind the problem is, above the title ("Authentication Failed").
    pub kicker: Option<String>,
    /// The problem in a few words.
    pub title: String,
    /// What happened.
    pub happened: String,
    /// What the person can do now.
    pub to_do: String,
    /// Who can mend it.
    pub who: String,
    /// The one click that goes on.
    pub action: Option<Action>,
    /// Another way on.
    pub second: Option<Action>,
    /// Seconds until a new try makes sense.
    pub retry_in: Option<u32>,
    /// Seconds until the page goes by itself to this path.
    pub refresh: Option<(u32, String)>,
    /// Whether the panel comes alive: the reference can be copied by a button, and the time to wait counts down.
    pub script: bool,
}

/// A click that goes on.
#[derive(Clone, Debug)]
pub struct Action {
    /// What the button says.
    pub label: String,
    /// Where it leads, on our own origin.
    pub href: String,
    /// Whether it changes something: a form that posts, else a link.
    pub post: bool,
}

/// The problem page.
#[must_use]
pub fn problem(shell: &Shell<'_>, page: &ProblemPage) -> String {
    let lang = shell.lang;
    let refresh = page.refresh.as_ref().map_or(Refresh::Never, |(seconds, path)| Refresh::After(*seconds, Some(path)));
    let script = if page.script { Script::Panel { otherwise: None } } else { Script::None };
    shell.document(&page.title, &refresh, &script, || {
        let code = display_name(&page.code);
        let reference = display_name(&page.reference);
        let data = (code.clone(), reference.clone());
        let actions = (page.action.is_some() || page.second.is_some()).then(|| {
            view! {
                <div class="actions">
                    {page.action.as_ref().map(|it| action(it, "button"))}
                    {page.second.as_ref().map(|it| action(it, "button plain"))}
                </div>
            }
        });
        view! {
            {page.kicker.clone().map(|kicker| view! { <p class="kicker">{kicker}</p> })}
            <h1>{page.title.clone()}</h1>
            <p>{page.happened.clone()}</p>
            <p>{page.to_do.clone()}</p>
            {actions}
            <div
                id="panel"
                data-kind="problem"
                data-lang=lang.tag()
                data-code=data.0
                data-reference=data.1
                data-retry=page.retry_in.map(|seconds| seconds.to_string())
            >
                <ProblemPanel
                    lang
                    code
                    reference
                    retry_in=ArcRwSignal::new(page.retry_in)
                    copy=ArcRwSignal::new(None)
                />
            </div>
            <p class="quiet">{page.who.clone()}</p>
        }
    })
}

fn action(action: &Action, class: &'static str) -> AnyView {
    let href = own_path(&action.href).to_owned();
    let label = action.label.clone();
    if action.post {
        view! { <form method="post" action=href><button class=class>{label}</button></form> }.into_any()
    } else {
        view! { <a class=class href=href>{label}</a> }.into_any()
    }
}
