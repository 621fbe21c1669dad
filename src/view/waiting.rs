//! The waiting page: the provider has not responded yet.

use leptos::prelude::*;

use super::{
    display::{display_name, naming, own_path},
    panel::{Phase, WaitingPanel},
    shell::{Refresh, Script, Shell},
    texts,
};

/// What the waiting page shows.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The provider's name for people.
    pub provider: String,
    /// Path to request again without JavaScript; the server sets the pace.
    pub again: String,
    /// What the panel posts as `query` to the server function.
    pub query: String,
    /// The attempt's reference.
    pub reference: String,
}

/// The waiting page.
#[must_use]
pub fn waiting(shell: &Shell<'_>, page: &Waiting) -> String {
    let texts = texts::pages(shell.lang);
    let lang = shell.lang;
    let script = Script::Panel { otherwise: Some(&page.again) };
    shell.document(texts.waiting, &Refresh::WithoutScript(&page.again), &script, || {
        view! {
            <h1>{texts.waiting}</h1>
            <div class="glow" aria-hidden="true"></div>
            <div id="panel" data-kind="waiting" data-lang=lang.tag() data-query=page.query.clone()>
                <WaitingPanel lang phase=ArcRwSignal::new(Phase::default()) />
            </div>
            <p>{naming(texts.waiting_for, &page.provider)}</p>
            <p class="quiet">
                {texts.continue_why} " " <a href=own_path(&page.again).to_owned()>{texts.continue_link}</a>
            </p>
            <p class="quiet">
                {texts::panel(lang).reference} " " <code>{display_name(&page.reference)}</code>
            </p>
        }
    })
}
