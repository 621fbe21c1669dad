//! The browser's half of the panel.
//!
//! It calls the server function by a `fetch` of its own: the generated client would weigh more than all the rest.

use js_sys::{Array, Date, Function, JSON, Math, Promise, Reflect};
use leptos::{mount::hydrate_from, prelude::*};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlElement, RequestInit, Response};

use super::{Copy, Phase, ProblemPanel, ProblemPanelProps, WaitingPanel, WaitingPanelProps};
use crate::{paths, view::lang::Lang};

/// The longest pause between two questions, in milliseconds.
const RISES_TO: u32 = 3_000;
/// How long an answer may take, in milliseconds. The server answers within two seconds; what takes longer is lost.
const ANSWER_WITHIN: u32 = 10_000;
/// How often an offline browser looks whether it still is, in milliseconds.
const OFFLINE_LOOK: u32 = 1_000;

/// Takes the page's panel over, if the page has one.
pub fn start() {
    if let Some(panel) = document().get_element_by_id("panel") {
        take_over(panel.unchecked_into());
    }
}

/// Takes over what the server has rendered into `panel`.
pub fn take_over(panel: HtmlElement) {
    let data = panel.dataset();
    let lang = data.get("lang").and_then(|tag| Lang::from_tag(&tag)).unwrap_or_default();
    match data.get("kind").as_deref() {
        Some("waiting") => {
            let phase = ArcRwSignal::new(Phase::default());
            let shown = phase.clone();
            hydrate_from(panel, move || WaitingPanel(WaitingPanelProps { lang, phase: shown })).forget();
            spawn_local(complete_sign_in(data.get("query").unwrap_or_default(), phase));
        }
        Some("problem") => {
            let code = data.get("code").unwrap_or_default();
            let reference = data.get("reference").unwrap_or_default();
            let retry_in = ArcRwSignal::new(data.get("retry").and_then(|seconds| seconds.parse().ok()));
            let copy = ArcRwSignal::new(None);
            let props = ProblemPanelProps {
                lang,
                code,
                reference: reference.clone(),
                retry_in: retry_in.clone(),
                copy: copy.clone(),
            };
            hydrate_from(panel.clone(), move || ProblemPanel(props)).forget();
            offer_copy(&panel, reference, copy);
            spawn_local(count_down(retry_in));
        }
        _ => {}
    }
}

/// Asks until the sign-in is over, then goes where the answer says.
async fn complete_sign_in(query: String, phase: ArcRwSignal<Phase>) {
    let began = Date::now();
    let body = ["query=", &String::from(js_sys::encode_uri_component(&query))].concat();
    let mut pause = 1_000;
    loop {
        if !window().navigator().on_line() {
            show(&phase, Phase::Offline);
            sleep(OFFLINE_LOOK).await;
            continue;
        }
        match ask(&body).await {
            Some(Answer::Over(location)) => {
                // A failure to go there leaves the page as it is, with its link.
                let _ = window().location().replace(&location);
                return;
            }
            Some(Answer::Pending(ask_again_in)) => {
                pause = ask_again_in.min(RISES_TO);
                let waited = Date::now() - began;
                show(
                    &phase,
                    match waited {
                        _ if waited < 10_000.0 => Phase::Working,
                        _ if waited < 30_000.0 => Phase::Long,
                        _ => Phase::VeryLong,
                    },
                );
            }
            None => {
                pause = (pause + pause / 2).min(RISES_TO);
                show(&phase, Phase::Lost);
            }
        }
        // Twenty tabs must not ask in step.
        sleep((f64::from(pause) * (0.8 + 0.4 * Math::random())) as u32).await;
    }
}

/// What the server says (see [`Outcome`](crate::outcome::Outcome)).
enum Answer {
    /// It is over, well or not: go there.
    Over(String),
    /// Ask again after so many milliseconds.
    Pending(u32),
}

/// Asks once. `None` for everything that is not an answer of our server function: no network, a proxy's 502, HTML.
async fn ask(body: &str) -> Option<Answer> {
    let headers = js_sys::Object::new();
    set(&headers, "accept", "application/json")?;
    set(&headers, "content-type", "application/x-www-form-urlencoded")?;
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_headers(&headers);
    request.set_body(&JsValue::from_str(body));
    let response = within(window().fetch_with_str_and_init(paths::COMPLETE_SIGN_IN, &request)).await?;
    let response: Response = response.dyn_into().ok()?;
    let text = within(response.text().ok()?).await?.as_string()?;
    read(&JSON::parse(&text).ok()?)
}

/// Reads an outcome.
fn read(outcome: &JsValue) -> Option<Answer> {
    match get(outcome, "outcome")?.as_string()?.as_str() {
        "done" | "failed" => {
            let location = get(outcome, "location")?.as_string()?;
            // Only ever to our own origin, whoever answered.
            let own = location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\");
            own.then_some(Answer::Over(location))
        }
        "pending" => get(outcome, "ask_again_in")?.as_f64().map(|pause| Answer::Pending(pause as u32)),
        _ => None,
    }
}

/// Counts `retry_in` down to now.
async fn count_down(retry_in: ArcRwSignal<Option<u32>>) {
    let Some(seconds) = retry_in.get_untracked() else { return };
    let due = Date::now() + f64::from(seconds) * 1_000.0;
    loop {
        sleep(1_000).await;
        // By the clock: timers stand still in tabs that nobody sees.
        let left = ((due - Date::now()) / 1_000.0).ceil().max(0.0) as u32;
        retry_in.set(Some(left));
        if left == 0 {
            return;
        }
    }
}

/// Shows the copy button where the browser can copy (only in a secure context), and lets it copy `reference`.
fn offer_copy(panel: &HtmlElement, reference: String, copy: ArcRwSignal<Option<Copy>>) {
    let navigator = window().navigator();
    if get(&navigator, "clipboard").is_none_or(|clipboard| clipboard.is_undefined()) {
        return;
    }
    let Ok(Some(button)) = panel.query_selector("button") else { return };
    copy.set(Some(Copy::Offered));
    // One listener by hand: Leptos's event delegation would weigh four kilobytes.
    let on_click = Closure::<dyn FnMut()>::new(move || {
        let copied = navigator.clipboard().write_text(&reference);
        let copy = copy.clone();
        spawn_local(async move {
            if JsFuture::from(copied).await.is_ok() {
                copy.set(Some(Copy::Done));
            }
        });
    });
    if let Ok(button) = button.dyn_into::<HtmlElement>() {
        button.set_onclick(Some(on_click.into_js_value().unchecked_ref()));
    }
}

fn show(phase: &ArcRwSignal<Phase>, now: Phase) {
    // Said once: a status that is set again would be read out again.
    if phase.get_untracked() != now {
        phase.set(now);
    }
}

/// What `promise` brings, unless it fails or takes too long.
async fn within(promise: Promise) -> Option<JsValue> {
    let race = Promise::race(&Array::of2(&promise, &timeout(ANSWER_WITHIN)));
    JsFuture::from(race).await.ok().filter(|value| !value.is_undefined())
}

async fn sleep(milliseconds: u32) {
    let _ = JsFuture::from(timeout(milliseconds)).await;
}

/// Brings nothing, after so many milliseconds.
fn timeout(milliseconds: u32) -> Promise {
    Promise::new(&mut |resolve: Function, _| {
        let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds);
    })
}

fn get(object: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(object, &JsValue::from_str(key)).ok()
}

fn set(object: &JsValue, key: &str, value: &str) -> Option<bool> {
    Reflect::set(object, &JsValue::from_str(key), &JsValue::from_str(value)).ok()
}
