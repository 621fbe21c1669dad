//! The sign-in, as the browser sees it: the start, the callback, and the poll of a waiting page.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{
        RawQuery, Request, State,
        rejection::{BytesRejection, FailedToBufferBody},
    },
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CONTENT_LENGTH, SET_COOKIE},
    },
    middleware,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};

use crate::{
    outcome::Outcome,
    paths,
    server::{
        http::{
            cookies::{set_flow_cookie, set_session_cookie},
            current_session,
            fetch_metadata::navigations_only,
            redirect::see_other,
            render::Renderer,
            request::{Parameters, is_form},
        },
        ids::{ProviderId, Reference},
        limits,
        problem::Problem,
        provider::Provider,
        session::{Found, SignedIn},
        settings::ResponseMode,
        sign_in::{
            Completion, RequestContext,
            authorize::StartOutcome,
            callback::Caller,
            callback_query::CallbackQuery,
            redirect_loop::Onward,
            return_to::ReturnTo,
            start::{LoginHint, Start, Started, login_page, login_page_for_another_account},
        },
        state::App,
    },
    view,
};

/// Reached from the provider's site or a link, so any site may lead here: a start and a callback need a navigation, and
/// the provider's form post is accepted by its `state` alone.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let guard = middleware::from_fn_with_state(app.clone(), navigations_only);
    Router::new()
        .route(paths::OIDC_LOGIN, get(start).route_layer(guard.clone()).post(initiated))
        .route(paths::OIDC_CALLBACK, get(callback).route_layer(guard).post(form_post))
}

/// The server function, which the panel of our own waiting page polls.
pub(crate) fn poll_router() -> Router<Arc<App>> {
    Router::new().route(&format!("{}/{{*function}}", paths::API), post(server_function))
}

/// `GET /auth/oidc/login`: 303 to the provider, or to the requested page if the person is signed in.
async fn start(
    State(app): State<Arc<App>>,
    renderer: Renderer,
    context: RequestContext,
    parameters: Parameters,
) -> Response {
    match asked(&app, &parameters) {
        Ok(Some(start)) => go(&app, &renderer, context, start).await,
        Ok(None) => {
            let return_to = app.sign_in.return_to(parameters.destination());
            if parameters.wants_another_account() {
                return see_other(&login_page_for_another_account(&return_to));
            }
            match current_session::find(&app, &context).await {
                // There is nothing to choose: it is the provider they have come through.
                Ok(Found::SignedIn(person)) if person.is_recheck_due(app.system.now()) => {
                    recheck(&app, &renderer, context, &person, return_to).await
                }
                _ => see_other(&login_page(&return_to)),
            }
        }
        Err(problem) => renderer.problem(problem),
    }
}

/// The start that a query asks for; `None`: the person chooses the provider.
///
/// Core 4: `iss` chooses it, byte for byte, and is one of ours and there once. No other parameter of the query reaches the
/// provider than `login_hint`.
fn asked(app: &App, parameters: &Parameters) -> Result<Option<Start>, Problem> {
    let named = parameters.provider.clone().map(ProviderId::new);
    let provider = match parameters.iss.as_slice() {
        [] => named.or_else(|| only_provider(app)),
        [iss] => {
            let is_meant = |provider: &&Arc<Provider>| {
                provider.issuer().as_str() == iss && named.as_ref().is_none_or(|named| named == provider.id())
            };
            let provider = app.providers.iter().find(is_meant).ok_or(Problem::UnknownProvider)?;
            Some(provider.id().clone())
        }
        _ => return Err(Problem::BadRequest),
    };
    Ok(provider.map(|provider| Start {
        prompt: parameters.prompt(),
        login_hint: parameters.login_hint.as_deref().and_then(LoginHint::read),
        clicked: parameters.again.is_some(),
        ..Start::new(provider, app.sign_in.return_to(parameters.destination()))
    }))
}

/// `POST /auth/oidc/login`: a login that a third party initiates (Core 4) may come by a form, too. A cross-site post
/// carries none of our cookies, so it goes on by a redirect, which does.
async fn initiated(
    State(app): State<Arc<App>>,
    renderer: Renderer,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let form = match posted(&headers, body) {
        Ok(form) => form,
        Err((problem, detail)) => return renderer.problem_with_detail(problem, &detail),
    };
    let parameters = Parameters::parse(&form);
    match asked(&app, &parameters) {
        Ok(Some(start)) if !parameters.iss.is_empty() => see_other(&Start { clicked: false, ..start }.path()),
        Ok(_) => renderer.problem_with_detail(Problem::BadRequest, "a form was posted to the start without `iss`"),
        Err(problem) => renderer.problem(problem),
    }
}

/// A start for a page whose application's host has sent the browser here: nobody has clicked anything.
pub(super) async fn begin(
    app: &Arc<App>,
    renderer: &Renderer,
    context: RequestContext,
    return_to: ReturnTo,
) -> Response {
    match only_provider(app) {
        Some(provider) => go(app, renderer, context, Start::new(provider, return_to)).await,
        None => see_other(&login_page(&return_to)),
    }
}

/// Somebody who is signed in is confirmed by their provider first. Where that is none of ours any more, nobody can: they sign
/// in again.
pub(super) async fn recheck(
    app: &Arc<App>,
    renderer: &Renderer,
    context: RequestContext,
    person: &SignedIn,
    return_to: ReturnTo,
) -> Response {
    if app.providers.get(&person.provider).is_some() {
        return go(app, renderer, context, Start::new(person.provider.clone(), return_to)).await;
    }
    if let Some(session) = context.session
        && let Err(error) = app.sessions.end(session).await
    {
        return renderer.store_unavailable(&error, paths::ACCOUNT);
    }
    begin(app, renderer, context, return_to).await
}

fn only_provider(app: &App) -> Option<ProviderId> {
    let mut providers = app.providers.iter();
    providers.next().filter(|_| providers.next().is_none()).map(|only| only.id().clone())
}

async fn go(app: &Arc<App>, renderer: &Renderer, context: RequestContext, start: Start) -> Response {
    let same = Start { clicked: false, ..start.clone() }.path();
    match app.sign_in.start(start, context).await {
        StartOutcome::Started(started) => to_the_provider(app, &started),
        StartOutcome::SignedIn { return_to, browser, onward } => {
            let to = return_to.as_str();
            let mut response = match onward {
                Onward::Redirect => see_other(to),
                Onward::Page => renderer.page(StatusCode::OK, |shell| view::signed_in(shell, to)),
            };
            set_flow_cookie(&mut response, app, &browser);
            response
        }
        StartOutcome::Failed(failure) => renderer.failure(&failure, Some(same)),
    }
}

/// `GET /auth/oidc/callback`
async fn callback(
    State(app): State<Arc<App>>,
    renderer: Renderer,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Response {
    let raw = query.as_deref().unwrap_or_default();
    let query = match CallbackQuery::parse(raw) {
        Ok(query) => query,
        Err(problem) if CallbackQuery::brings_an_answer(raw) => return to_what_explains(problem),
        Err(problem) => return renderer.problem(problem),
    };
    // The code is removed from the URL first, whatever page follows.
    let is_plain = query.is_plain();
    match app.sign_in.callback(query, Caller::Page, context).await {
        Completion::Done { return_to, session, browser } => {
            let mut response = see_other(return_to.as_str());
            set_session_cookie(&mut response, &app, session, &browser);
            response
        }
        Completion::GoOn(return_to) => see_other(return_to.as_str()),
        Completion::Restart(started) => to_the_provider(&app, &started),
        Completion::Look { query, browser } => {
            let mut response = see_other(&callback_path(&query));
            if let Some(browser) = browser {
                set_flow_cookie(&mut response, &app, &browser);
            }
            response
        }
        Completion::Pending { query, .. } if is_plain && query.fits_a_redirect() => see_other(&callback_path(&query)),
        Completion::Pending { query, reference, provider, .. } => waiting(&renderer, query, &reference, provider),
        Completion::Failed(failure) => match &failure.query {
            Some(explained) if is_plain && explained.fits_a_redirect() => see_other(&callback_path(explained)),
            Some(query) => renderer.failure(&failure, Some(callback_path(query))),
            None => renderer.failure(&failure, None),
        },
    }
}

/// `POST /auth/oidc/callback` (`response_mode=form_post`): a cross-site post carries none of our cookies, so the
/// response is sealed into a redirect, which does. Where the query has the response, nothing in the body counts.
async fn form_post(
    State(app): State<Arc<App>>,
    renderer: Renderer,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if let Some(query) = query.filter(|query| CallbackQuery::brings_an_answer(query)) {
        return go_on_as_get(&app, &renderer, &query, ResponseMode::Query);
    }
    match posted(&headers, body) {
        Ok(form) => go_on_as_get(&app, &renderer, &form, ResponseMode::FormPost),
        Err((problem, detail)) => renderer.problem_with_detail(problem, &detail),
    }
}

/// A form that was posted, or what is wrong with it.
fn posted(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<String, (Problem, String)> {
    let body = match body {
        Ok(body) => body,
        Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_))) => {
            return Err((Problem::TooLarge, length(headers)));
        }
        Err(_) => return Err((Problem::BadRequest, "the body did not come in full".to_owned())),
    };
    if !is_form(headers) {
        return Err((Problem::BadRequest, "the body is not a form".to_owned()));
    }
    String::from_utf8(body.into()).map_err(|_| (Problem::BadRequest, "the form is not UTF-8".to_owned()))
}

/// What a POST has brought, query or form, goes on as a GET.
fn go_on_as_get(app: &App, renderer: &Renderer, answer: &str, mode: ResponseMode) -> Response {
    if let Some((query, reference, provider)) = app.sign_in.seal_posted(answer, mode) {
        let fits = query.fits_a_redirect();
        return if fits { see_other(&callback_path(&query)) } else { waiting(renderer, query, &reference, provider) };
    }
    to_what_explains(CallbackQuery::parse(answer).err().unwrap_or(Problem::StateInvalid))
}

/// The declared length of a refused body.
fn length(headers: &HeaderMap) -> String {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    format!("the body's length is {length}, at most {} bytes are read", limits::REQUEST_BODY)
}

async fn server_function(State(app): State<Arc<App>>, mut request: Request) -> Response {
    // Without a script to read it, Leptos redirects to the `Referer`: nobody asks so.
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let provide = move || leptos::prelude::provide_context(app.clone());
    let mut response = leptos_axum::handle_server_fns_with_context(provide, request).await.into_response();
    // Our function always has a result, so what Leptos calls a server error is a request that cannot be read.
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}

/// The panel's poll: the status of the sign-in, and the cookies to set with the response.
pub(crate) async fn poll(app: &Arc<App>, context: RequestContext, raw: &str) -> (Outcome, Vec<HeaderValue>) {
    // The callback page explains, restarts or redirects: the browser loads it itself.
    let failed = |location| (Outcome::Failed { location }, Vec::new());
    let done = |to: &ReturnTo| Outcome::Done { location: to.own_path().into_owned() };
    let Ok(query) = CallbackQuery::parse(raw) else { return failed(paths::OIDC_CALLBACK.to_owned()) };
    let same = callback_path(&query);
    match app.sign_in.callback(query, Caller::Poll, context).await {
        Completion::Done { return_to, session, browser } => {
            let mut response = Response::default();
            set_session_cookie(&mut response, app, session, &browser);
            let cookies = response.headers().get_all(SET_COOKIE).iter().cloned().collect();
            (done(&return_to), cookies)
        }
        Completion::GoOn(return_to) => (done(&return_to), Vec::new()),
        Completion::Pending { ask_again_in, .. } => (Outcome::Pending { ask_again_in }, Vec::new()),
        Completion::Restart(_) | Completion::Look { .. } => failed(same),
        Completion::Failed(failure) => failed(failure.query.as_ref().map_or(same, callback_path)),
    }
}

fn to_the_provider(app: &App, started: &Started) -> Response {
    let mut response = see_other(started.location.as_str());
    if let Some(browser) = &started.browser {
        set_flow_cookie(&mut response, app, browser);
    }
    response
}

fn waiting(renderer: &Renderer, query: CallbackQuery, reference: &Reference, provider: String) -> Response {
    let (asks, again) = (query.to_string(), callback_path(&query.waiting()));
    let page = view::Waiting { provider, again, query: asks, reference: reference.to_string() };
    renderer.page(StatusCode::OK, |shell| view::waiting(shell, &page))
}

fn callback_path(query: &CallbackQuery) -> String {
    format!("{}?{query}", paths::OIDC_CALLBACK)
}

/// To the page that explains a query without a state of ours.
fn to_what_explains(problem: Problem) -> Response {
    see_other(&format!("{}?{}", paths::OIDC_CALLBACK, CallbackQuery::that_explains(problem)))
}
