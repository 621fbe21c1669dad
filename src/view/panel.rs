//! The part of a page that is hydrated in the browser.
//!
//! The server renders it into `<div id="panel">`, and the browser takes over the same nodes. Hydration does not report
//! a difference between the two, so both start from the same state: the element's `data-*` attributes.

use leptos::prelude::*;

use super::{lang::Lang, texts};

/// The browser's half: reads the state, polls the server, counts down.
#[cfg(feature = "hydrate")]
pub mod browser;

/// How the sign-in that is waited for is going, as far as the browser can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Going on.
    #[default]
    Working,
    /// Going on for more than ten seconds.
    Long,
    /// Going on for more than thirty seconds.
    VeryLong,
    /// Our server did not respond, or a proxy responded instead.
    Lost,
    /// The browser has no network.
    Offline,
}

impl Phase {
    /// What the panel says in `lang`.
    #[must_use]
    pub fn text(self, lang: Lang) -> &'static str {
        let texts = texts::panel(lang);
        match self {
            Self::Working => texts.working,
            Self::Long => texts.long,
            Self::VeryLong => texts.very_long,
            Self::Lost => texts.lost,
            Self::Offline => texts.offline,
        }
    }
}

/// The panel of the waiting page.
#[component]
pub fn WaitingPanel(
    /// The language to speak.
    lang: Lang,
    /// How the sign-in is going.
    phase: ArcRwSignal<Phase>,
) -> impl IntoView {
    view! { <p class="status" role="status">{move || phase.get().text(lang)}</p> }
}

/// Whether the reference is in the clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// Not yet.
    Offered,
    /// It is.
    Done,
}

/// The panel of the problem page.
#[component]
pub fn ProblemPanel(
    /// The language to speak.
    lang: Lang,
    /// The stable code.
    code: String,
    /// The reference.
    reference: String,
    /// Seconds until a new try makes sense.
    retry_in: ArcRwSignal<Option<u32>>,
    /// The copy button, where the browser can copy; without script it is hidden.
    copy: ArcRwSignal<Option<Copy>>,
) -> impl IntoView {
    let texts = texts::panel(lang);
    let waits = retry_in.clone();
    let can_copy = copy.clone();
    view! {
        <p class="retry" hidden=move || waits.get().is_none()>
            {move || match retry_in.get().unwrap_or(0) {
                0 => texts.retry_now.to_owned(),
                seconds => texts::fill(texts.retry_in, &texts::time(lang, seconds)),
            }}
        </p>
        <dl class="facts">
            <div><dt>{texts.code}</dt><dd><code>{code}</code></dd></div>
            <div>
                <dt>{texts.reference}</dt>
                <dd>
                    <code>{reference}</code>
                    <button type="button" class="copy" hidden=move || can_copy.get().is_none()>
                        {move || if copy.get() == Some(Copy::Done) { texts.copied } else { texts.copy }}
                    </button>
                </dd>
            </div>
        </dl>
    }
}
