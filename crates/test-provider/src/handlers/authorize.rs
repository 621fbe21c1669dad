//! The authorization endpoint (Core 3.1.2) and the login form behind it.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{
    authorization_request::{AuthorizationRequest, Refusal},
    authorization_response, page, pushed,
};
use crate::{
    clients::Client,
    form::Form,
    lock::lock,
    profile::Profile,
    provider::Provider,
    rules::CallbackEdit,
    vault::{Grant, Session},
};

const COOKIE: &str = "demo_op_session";

pub(crate) async fn authorize(
    State(provider): State<Arc<Provider>>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let raw =
        if method == Method::POST { String::from_utf8_lossy(&body).into_owned() } else { query.unwrap_or_default() };
    let raw = match pushed::resolve(&provider, raw) {
        Ok(raw) => raw,
        Err(reason) => return page::refusal(StatusCode::BAD_REQUEST, reason),
    };
    let form = Form::parse(raw.as_bytes());
    let request = match AuthorizationRequest::read(&provider, &form) {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal),
    };
    let now = provider.now();
    if let Some(username) = lock(&provider.everybody_is).clone() {
        return grant(&provider, &request, &Session { username, signed_in_at: now });
    }
    let session = session_id(&headers).and_then(|id| lock(&provider.vault).session(id, now).cloned());
    let good_enough = session.filter(|session| {
        request.prompt != "login"
            && request.max_age.is_none_or(|max| max > 0 && (now - session.signed_in_at).whole_seconds() <= max)
    });
    match good_enough {
        Some(session) => grant(&provider, &request, &session),
        None if request.prompt == "none" => {
            authorization_response::error(&provider, request.target, "login_required", "The person is not signed in.")
        }
        None => show_form(&provider, &raw, request.client, StatusCode::OK, None),
    }
}

pub(crate) async fn login(State(provider): State<Arc<Provider>>, body: Bytes) -> Response {
    let posted = Form::parse(&body);
    let field = |name| posted.one(name).ok().flatten().unwrap_or_default();
    let raw = field("request");
    let form = Form::parse(raw.as_bytes());
    let request = match AuthorizationRequest::read(&provider, &form) {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal),
    };
    let known = provider
        .config
        .people
        .iter()
        .find(|person| person.username == field("username") && person.password == field("password"));
    let Some(person) = known else {
        let problem = "User name or password is wrong.";
        return show_form(&provider, raw, request.client, StatusCode::UNAUTHORIZED, Some(problem));
    };
    if provider.config.profile == Profile::Authelia && request.max_age == Some(0) {
        // As observed at Authelia: `max_age=0` is never satisfied, so the form is shown again each time.
        let problem = "Failed to confirm your identity.";
        return show_form(&provider, raw, request.client, StatusCode::UNAUTHORIZED, Some(problem));
    }
    let session = Session { username: person.username.clone(), signed_in_at: provider.now() };
    let id = provider.random_text();
    let mut response = grant(&provider, &request, &session);
    lock(&provider.vault).begin_session(id.clone(), session);
    let secure = if provider.issuer.url.starts_with("https:") { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={id}; Path={}/; HttpOnly; SameSite=Lax{secure}", provider.issuer.path);
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Page(reason) => page::refusal(StatusCode::BAD_REQUEST, reason),
        Refusal::Client(response) => *response,
    }
}

fn show_form(provider: &Provider, raw: &str, client: &Client, status: StatusCode, problem: Option<&str>) -> Response {
    let shown = if provider.config.show_demo_people { provider.config.people.as_slice() } else { &[] };
    page::login(status, &provider.issuer.paths.login, raw, &client.id, problem, shown)
}

/// Issues a code and sends it back.
fn grant(provider: &Provider, request: &AuthorizationRequest<'_>, session: &Session) -> Response {
    let edits = provider.rules.callback();
    let mut code = provider.opaque("authelia_ac_");
    for edit in &edits {
        if let CallbackEdit::LongCode(bytes) = edit {
            code.push_str(&"c".repeat(bytes.saturating_sub(code.len())));
        }
    }
    let grant = Grant {
        client_id: request.client.id.clone(),
        redirect_uri: request.target.redirect_uri.to_owned(),
        username: session.username.clone(),
        scope: request.scope.to_owned(),
        nonce: request.nonce.map(str::to_owned),
        challenge: request.challenge.map(str::to_owned),
        signed_in_at: session.signed_in_at,
    };
    lock(&provider.vault).issue_code(code.clone(), grant, provider.now());
    authorization_response::success(provider, request.target, request.scope, &code, &edits)
}

/// The browser's session, by its cookie.
pub(super) fn session_id(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split("; ")).find_map(|cookie| cookie.strip_prefix(COOKIE)?.strip_prefix('='))
}
