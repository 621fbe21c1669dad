//! The browser's half of the panel.
//!
//! It calls the server function with a `fetch` of its own: the generated client would be larger than all the rest.

use js_sys::{Array, Date, Function, JSON, Math, Promise, Reflect};
use leptos::{mount::hydrate_from, prelude::*};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlElement, RequestInit, Response};

use super::{Copy, Phase, ProblemPanel, ProblemPanelProps, WaitingPanel, WaitingPanelProps};
use crate::{paths, view::lang::Lang};

/// The longest pause between two requests, in milliseconds.
const LONGEST_PAUSE: u32 = 3_000;
/// How long a response may take, in milliseconds. The server responds within two seconds; what takes longer is lost.
const RESPONSE_TIMEOUT: u32 = 10_000;
/// How often an offline browser checks whether it still is, in milliseconds.
const OFFLINE_CHECK: u32 = 1_000;

/// Hydrates the page's panel, if the page has one.
pub fn start() {
    if let Some(panel) = document().get_element_by_id("panel") {
        hydrate_panel(panel.unchecked_into());
    }
}

/// Hydrates what the server has rendered into `panel`.
pub fn hydrate_panel(panel: HtmlElement) {
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

/// Polls until the sign-in is over, then goes where the server says.
async fn complete_sign_in(query: String, phase: ArcRwSignal<Phase>) {
    let began = Date::now();
    let body = ["query=", &String::from(js_sys::encode_uri_component(&query))].concat();
    let mut pause = 1_000;
    loop {
        if !window().navigator().on_line() {
            show(&phase, Phase::Offline);
            sleep(OFFLINE_CHECK).await;
            continue;
        }
        match poll(&body).await {
            Some(Poll::Over(location)) => {
                // A failure to go there leaves the page as it is, with its link.
                let _ = window().location().replace(&location);
                return;
            }
            Some(Poll::Pending(ask_again_in)) => {
                pause = ask_again_in.min(LONGEST_PAUSE);
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
                pause = (pause + pause / 2).min(LONGEST_PAUSE);
                show(&phase, Phase::Lost);
            }
        }
        // Many tabs must not poll in step.
        sleep((f64::from(pause) * (0.8 + 0.4 * Math::random())) as u32).await;
    }
}

/// What the server says (see [`Outcome`](crate::outcome::Outcome)).
enum Poll {
    /// The sign-in has succeeded or failed: go there.
    Over(String),
    /// Poll again after so many milliseconds.
    Pending(u32),
}

/// Polls once. `None` for everything that is no response of our server function: no network, a proxy's 502, HTML.
async fn poll(body: &str) -> Option<Poll> {
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
    parse(&JSON::parse(&text).ok()?)
}

/// Parses an outcome.
fn parse(outcome: &JsValue) -> Option<Poll> {
    match get(outcome, "outcome")?.as_string()?.as_str() {
        "done" | "failed" => {
            let location = get(outcome, "location")?.as_string()?;
            // Only to our own origin, whatever sent the response.
            let own = location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\");
            own.then_some(Poll::Over(location))
        }
        "pending" => get(outcome, "ask_again_in")?.as_f64().map(|pause| Poll::Pending(pause as u32)),
        _ => None,
    }
}

/// Counts `retry_in` down to now.
async fn count_down(retry_in: ArcRwSignal<Option<u32>>) {
    let Some(seconds) = retry_in.get_untracked() else { return };
    let due = Date::now() + f64::from(seconds) * 1_000.0;
    loop {
        sleep(1_000).await;
        // By the clock: timers pause in background tabs.
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
    // One listener by hand: Leptos's event delegation would add four kilobytes.
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
    // Only a change: a screen reader would read the same status aloud again.
    if phase.get_untracked() != now {
        phase.set(now);
    }
}

/// What `promise` resolves to, unless it fails or takes too long.
async fn within(promise: Promise) -> Option<JsValue> {
    let race = Promise::race(&Array::of2(&promise, &timeout(RESPONSE_TIMEOUT)));
    JsFuture::from(race).await.ok().filter(|value| !value.is_undefined())
}

async fn sleep(milliseconds: u32) {
    let _ = JsFuture::from(timeout(milliseconds)).await;
}

/// Resolves to nothing after so many milliseconds.
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
