//! The problem page: what happened, what to do, and the button that continues.

use leptos::prelude::*;

use super::{
    display::{display_name, naming, own_path},
    lang::Lang,
    panel::ProblemPanel,
    shell::{Refresh, Script, Shell},
    texts,
};
use crate::remedy::{Kind, WayOn, Who};

/// Seconds after which a problem page tries again, where nobody says how long it has to wait.
const TRY_AGAIN: u32 = 3;

/// What a problem page shows.
#[derive(Clone, Debug)]
pub struct ProblemPage {
    /// The stable code: decides the words.
    pub code: &'static str,
    /// Finds the failure in the log and in the store.
    pub reference: String,
    /// What kind of problem it is: decides the line above the title ("Authentication Failed").
    pub kind: Kind,
    /// Who can fix it.
    pub who: Who,
    /// The button.
    pub action: Action,
    /// Another button.
    pub second: Option<Action>,
    /// The name of the person who is signed in, where the problem is who that is.
    pub person: Option<String>,
    /// Seconds until a new try makes sense.
    pub retry_in: Option<u32>,
    /// The path that the page goes to automatically, after `retry_in` if it is given, else a few seconds.
    pub refresh: Option<String>,
    /// Whether the panel is hydrated: the reference can be copied by a button, and the time to wait counts down.
    pub script: bool,
}

/// A button that continues.
#[derive(Clone, Debug)]
pub struct Action {
    /// What it does: decides what it says.
    pub way_on: WayOn,
    /// Where it leads, on our own origin.
    pub href: String,
}

/// The problem page.
#[must_use]
pub fn problem(shell: &Shell<'_>, page: &ProblemPage) -> String {
    let lang = shell.lang;
    let words = texts::explanation(lang, page.code);
    let wait = page.retry_in.unwrap_or(TRY_AGAIN);
    let refresh = page.refresh.as_deref().map_or(Refresh::Never, |path| Refresh::After(wait, Some(path)));
    // The time counts down in the panel only where the person has to act; a page that continues automatically says it once.
    let retry_in = page.retry_in.filter(|_| page.refresh.is_none());
    let script = if page.script { Script::Panel { otherwise: None } } else { Script::None };
    shell.document(words.title, &refresh, &script, || {
        let reference = display_name(&page.reference);
        let data_reference = reference.clone();
        let kicker = texts::kicker(lang, page.kind).map(|kicker| view! { <p class="kicker">{kicker}</p> });
        view! {
            {kicker}
            <h1>{words.title}</h1>
            <p>{words.happened}</p>
            {page.person.as_deref().map(|name| view! { <p>{naming(texts::pages(lang).signed_in_as, name)}</p> })}
            <p>{texts::fill(words.to_do, &texts::time(lang, wait))}</p>
            <div class="actions">
                {action(lang, &page.action, "button")}
                {page.second.as_ref().map(|second| action(lang, second, "button plain"))}
            </div>
            <div
                id="panel"
                data-kind="problem"
                data-lang=lang.tag()
                data-code=page.code
                data-reference=data_reference
                data-retry=retry_in.map(|seconds| seconds.to_string())
            >
                <ProblemPanel
                    lang
                    code=page.code.to_owned()
                    reference
                    retry_in=ArcRwSignal::new(retry_in)
                    copy=ArcRwSignal::new(None)
                />
            </div>
            <p class="quiet">{texts::who(lang, page.who)}</p>
        }
    })
}

fn action(lang: Lang, action: &Action, class: &'static str) -> impl IntoView + use<> {
    let target = (action.way_on == WayOn::SignInBeside).then_some("_blank");
    let href = own_path(&action.href).to_owned();
    view! { <a class=class href=href target=target>{texts::way_on(lang, action.way_on)}</a> }
}
