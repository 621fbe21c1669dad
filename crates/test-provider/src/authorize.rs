//! The authorization endpoint (Core 3.1.2) and the login form behind it.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::{
    behaviour::CallbackEdit,
    clients::Client,
    form::{self, Form, Repeated},
    lock::lock,
    page,
    profile::{AUTHELIA_ENTROPY, Profile},
    provider::Provider,
    vault::{Grant, Session},
};

const COOKIE: &str = "demo_op_session";

/// A request that can be answered at the client.
struct AuthorizationRequest<'r> {
    client: &'r Client,
    redirect_uri: &'r str,
    form_post: bool,
    state: Option<&'r str>,
    scope: &'r str,
    nonce: Option<&'r str>,
    challenge: Option<&'r str>,
    prompt: &'r str,
    max_age: Option<i64>,
}

/// A request that cannot be granted.
enum Refusal {
    /// Said to the person: nobody trustworthy to send it to.
    Page(&'static str),
    /// Said to the client.
    Client(Box<Response>),
}

impl From<Repeated> for Refusal {
    fn from(_: Repeated) -> Self {
        Self::Page("A parameter of the request came twice.")
    }
}

/// What the client is told (RFC 6749 4.1.2.1).
struct Refused {
    error: &'static str,
    description: String,
}

impl From<Repeated> for Refused {
    fn from(_: Repeated) -> Self {
        Self { error: "invalid_request", description: "A parameter came twice.".to_owned() }
    }
}

pub(crate) async fn authorize(
    State(provider): State<Arc<Provider>>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let raw =
        if method == Method::POST { String::from_utf8_lossy(&body).into_owned() } else { query.unwrap_or_default() };
    let form = Form::parse(raw.as_bytes());
    let request = match read(&provider, &form) {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal),
    };
    let now = provider.now();
    if let Some(username) = lock(&provider.everybody_is).clone() {
        return answer(&provider, &request, &Session { username, signed_in_at: now });
    }
    let session = cookie(&headers).and_then(|id| lock(&provider.vault).session(id, now).cloned());
    let good_enough = session.filter(|session| {
        request.prompt != "login"
            && request.max_age.is_none_or(|max| max > 0 && (now - session.signed_in_at).whole_seconds() <= max)
    });
    match good_enough {
        Some(session) => answer(&provider, &request, &session),
        None if request.prompt == "none" => {
            send_error(&provider, &request, "login_required", "The person is not signed in.")
        }
        None => show_form(&provider, &raw, request.client, StatusCode::OK, None),
    }
}

pub(crate) async fn login(State(provider): State<Arc<Provider>>, body: Bytes) -> Response {
    let posted = Form::parse(&body);
    let field = |name| posted.one(name).ok().flatten().unwrap_or_default();
    let raw = field("request");
    let form = Form::parse(raw.as_bytes());
    let request = match read(&provider, &form) {
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
        // Seen: an age of nothing is never young enough, so this asks for ever.
        let problem = "Failed to confirm your identity.";
        return show_form(&provider, raw, request.client, StatusCode::UNAUTHORIZED, Some(problem));
    }
    let session = Session { username: person.username.clone(), signed_in_at: provider.now() };
    let id = provider.random_text();
    let mut response = answer(&provider, &request, &session);
    lock(&provider.vault).begin_session(id.clone(), session);
    let secure = if provider.issuer.url.starts_with("https:") { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={id}; Path={}/; HttpOnly; SameSite=Lax{secure}", provider.issuer.path);
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn read<'r>(provider: &'r Provider, form: &'r Form) -> Result<AuthorizationRequest<'r>, Refusal> {
    let client = form
        .one("client_id")?
        .and_then(|id| provider.client(id))
        .ok_or(Refusal::Page("This application is not registered here."))?;
    let redirect_uri = form
        .one("redirect_uri")?
        .filter(|uri| client.may_return_to(uri, provider.config.profile))
        .ok_or(Refusal::Page("This application is not registered with the address it wants to return to."))?;
    let mut request = AuthorizationRequest {
        client,
        redirect_uri,
        form_post: form.one("response_mode")? == Some("form_post"),
        state: form.one("state")?,
        scope: "",
        nonce: None,
        challenge: None,
        prompt: "",
        max_age: None,
    };
    match check(provider.config.profile, &mut request, form) {
        Ok(()) => Ok(request),
        Err(Refused { error, description }) => {
            Err(Refusal::Client(Box::new(send_error(provider, &request, error, &description))))
        }
    }
}

/// Reads what the client can be told about, in the order of checks of the profile.
fn check<'r>(profile: Profile, request: &mut AuthorizationRequest<'r>, form: &'r Form) -> Result<(), Refused> {
    let refused = |error, description: &str| Err(Refused { error, description: description.to_owned() });
    if form.has_repetition() {
        return Err(Repeated.into());
    }
    if profile == Profile::Authelia && request.state.is_none_or(|state| state.len() < AUTHELIA_ENTROPY) {
        return refused("invalid_state", "The state is missing or has less than 8 characters.");
    }
    if form.one("response_type")? != Some("code") {
        return refused("unsupported_response_type", "Only the code flow is offered.");
    }
    if let Some(unknown) = form.one("response_mode")?.filter(|mode| !["query", "form_post"].contains(mode)) {
        return refused("invalid_request", &format!("The response_mode {unknown} is not offered."));
    }
    request.scope = form.one("scope")?.unwrap_or_default();
    let allowed = &request.client.scopes;
    if let Some(unknown) = request.scope.split(' ').find(|asked| !allowed.iter().any(|scope| scope == asked)) {
        return refused("invalid_scope", &format!("The client is not allowed to request scope '{unknown}'."));
    }
    if !request.scope.split(' ').any(|asked| asked == "openid") {
        return refused("invalid_scope", "The scope openid is missing.");
    }
    request.challenge = form.one("code_challenge")?;
    if request.challenge.is_some() && form.one("code_challenge_method")? != Some("S256") {
        return refused("invalid_request", "The code_challenge_method must be S256.");
    }
    if request.challenge.is_none() && request.client.require_pkce {
        return refused("invalid_request", "This client must use a code_challenge.");
    }
    request.max_age = match form.one("max_age")?.map(str::parse) {
        Some(Err(_)) => return refused("invalid_request", "The max_age is not a number."),
        Some(Ok(seconds)) => Some(seconds),
        None => None,
    };
    request.nonce = form.one("nonce")?;
    request.prompt = form.one("prompt")?.unwrap_or_default();
    Ok(())
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

/// Grants the request, in the order of parameters seen at Authelia.
fn answer(provider: &Provider, request: &AuthorizationRequest<'_>, session: &Session) -> Response {
    let edits = provider.rules.callback();
    let mut code = provider.opaque("authelia_ac_");
    for edit in &edits {
        if let CallbackEdit::LongCode(bytes) = edit {
            code.push_str(&"c".repeat(bytes.saturating_sub(code.len())));
        }
    }
    let grant = Grant {
        client_id: request.client.id.clone(),
        redirect_uri: request.redirect_uri.to_owned(),
        username: session.username.clone(),
        scope: request.scope.to_owned(),
        nonce: request.nonce.map(str::to_owned),
        challenge: request.challenge.map(str::to_owned),
        signed_in_at: session.signed_in_at,
    };
    lock(&provider.vault).issue_code(code.clone(), grant, provider.now());
    let mut answer = vec![pair("code", &code), pair("iss", &provider.issuer.url)];
    if provider.config.profile == Profile::Authelia {
        answer.push(pair("scope", request.scope));
    }
    answer.extend(request.state.map(|state| pair("state", state)));
    send(request, answer, &edits)
}

fn send_error(provider: &Provider, request: &AuthorizationRequest<'_>, code: &str, description: &str) -> Response {
    let mut answer =
        vec![pair("error", code), pair("error_description", description), pair("iss", &provider.issuer.url)];
    answer.extend(request.state.map(|state| pair("state", state)));
    send(request, answer, &provider.rules.callback())
}

fn send(request: &AuthorizationRequest<'_>, mut answer: Vec<(String, String)>, edits: &[CallbackEdit]) -> Response {
    let mut form_post = request.form_post;
    let mut raw = None;
    for edit in edits {
        match edit {
            CallbackEdit::Error { code, description } => {
                answer.retain(|(name, _)| !["code", "scope"].contains(&name.as_str()));
                answer.push(pair("error", code));
                answer.extend(description.as_ref().map(|text| pair("error_description", text)));
            }
            CallbackEdit::Set(name, value) => match answer.iter_mut().find(|(given, _)| given == name) {
                Some((_, old)) => old.clone_from(value),
                None => answer.push(pair(name, value)),
            },
            CallbackEdit::Add(name, value) => answer.push(pair(name, value)),
            CallbackEdit::Repeat(name) => {
                let again: Vec<_> = answer.iter().filter(|(given, _)| given == name).cloned().collect();
                answer.extend(again);
            }
            CallbackEdit::Remove(name) => answer.retain(|(given, _)| given != name),
            CallbackEdit::Raw(query) => raw = Some(query.clone()),
            CallbackEdit::LongCode(_) => {}
            CallbackEdit::FormPost => form_post = true,
        }
    }
    if form_post {
        return page::form_post(request.redirect_uri, &answer);
    }
    let query = raw.unwrap_or_else(|| form::encode(&answer));
    let join = if request.redirect_uri.contains('?') { '&' } else { '?' };
    let location = HeaderValue::try_from(format!("{}{join}{query}", request.redirect_uri));
    match location {
        Ok(location) => (
            StatusCode::SEE_OTHER,
            [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        )
            .into_response(),
        Err(_) => page::refusal(StatusCode::BAD_REQUEST, "The address to return to cannot be written in a header."),
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split("; ")).find_map(|cookie| cookie.strip_prefix(COOKIE)?.strip_prefix('='))
}
