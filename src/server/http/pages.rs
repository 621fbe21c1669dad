//! The pages: a request in, a step of the flow, a page or a redirect out.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, RawQuery, State, rejection::BytesRejection},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Uri,
        header::{ACCEPT_LANGUAGE, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, VARY, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{Html, IntoResponse as _, Response},
};
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, timeout_at};

use super::{
    cookies::{Cookie, Cookies},
    guard::{self, Fetch},
};
use crate::{
    outcome::Outcome,
    paths,
    server::{
        client_address::ClientAddress,
        ids::{ProviderId, Reference},
        problem::{Problem, WayOn},
        provider::Availability,
        session::{Found, SessionId, SignedIn},
        sign_in::{
            Completion, Failure, RequestContext,
            authorize::{Start, StartOutcome, Started},
            browser_cookie::{Browser, COOKIE_LIFE, Onward},
            callback::{Caller, held},
            return_to::ReturnTo,
        },
        state::App,
        store::StoreError,
    },
    view::{self, Lang, Shell},
};

/// When a request arrived; the patience counts from here.
#[derive(Clone, Copy, Debug)]
pub struct Arrived(pub Instant);

/// What every handler wants to know of a request.
pub struct Visit {
    app: Arc<App>,
    lang: Lang,
    headers: HeaderMap,
    asking: RequestContext,
}

impl axum::extract::FromRequestParts<Arc<App>> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, std::convert::Infallible> {
        Ok(Self::of(app.clone(), parts))
    }
}

impl Visit {
    /// Reads a request's head.
    #[must_use]
    pub fn of(app: Arc<App>, parts: &Parts) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        if let Some(peer) = peer {
            app.notice_proxy(peer, &parts.headers);
        }
        let peer = peer.unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let arrived = parts.extensions.get::<Arrived>().map_or_else(Instant::now, |arrived| arrived.0);
        let cookies = app.cookies;
        let headers = parts.headers.clone();
        let asking = RequestContext {
            browser: cookies.get(&headers, Cookie::Flow).and_then(|value| app.sign_in.browser(value)),
            session: cookies.get(&headers, Cookie::Session).and_then(SessionId::parse),
            visitor: ClientAddress::behind(peer, &headers, &app.trusted_proxies),
            arrived,
        };
        let lang = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self { app, lang: lang.map(Lang::from_accept_language).unwrap_or_default(), headers, asking }
    }

    fn shell(&self) -> Shell<'_> {
        Shell { lang: self.lang, assets: self.app.assets.urls() }
    }

    fn page(&self, status: StatusCode, html: String) -> Response {
        (status, [(VARY, "Accept-Language, Cookie")], Html(html)).into_response()
    }

    /// Who is signed in, within the patience.
    async fn who(&self) -> Result<Found, StoreError> {
        let Some(session) = self.asking.session else { return Ok(Found::Nobody) };
        let until = self.asking.arrived + self.app.sign_in.patience();
        match timeout_at(until, self.app.sessions.find(session)).await {
            Ok(found) => found,
            Err(_) => Err(StoreError::Unavailable("no answer in time".into())),
        }
    }

    fn provider_name(&self, id: &ProviderId) -> Option<String> {
        self.app.providers.get(id).map(|provider| provider.name().to_owned())
    }

    fn set_flow(&self, response: &mut Response, browser: &Browser) {
        let value = self.app.sign_in.seal_browser(browser);
        add_cookie(response, self.app.cookies.set(Cookie::Flow, &value, COOKIE_LIFE));
    }

    /// The page for a problem that has no attempt: its reference is in the log alone.
    #[must_use]
    pub fn problem(&self, error: Problem) -> Response {
        let reference = Reference::of(&self.app.system.bytes::<16>());
        error.log_with(&reference);
        self.failure(&Failure { error, reference, query: None, begin_again: None, retry_in: None }, None)
    }

    /// The account was switched off since the person signed in. The way on asks the provider who one is.
    fn disabled(&self) -> Response {
        let reference = Reference::of(&self.app.system.bytes::<16>());
        Problem::UserDisabled.log_with(&reference);
        let only = self.app.providers.iter().next().filter(|_| self.app.providers.iter().count() == 1);
        let begin_again = only.map(|provider| {
            let provider = provider.id().clone();
            Start { provider, return_to: ReturnTo::default(), other_account: true, clicked: true }.path()
        });
        let error = Problem::UserDisabled;
        self.failure(&Failure { error, reference, query: None, begin_again, retry_in: None }, None)
    }

    /// The explained page. `same` is the path that asks the same again, where asking again may help.
    fn failure(&self, failure: &Failure, same: Option<String>) -> Response {
        let error = failure.error;
        let login = || paths::LOGIN.to_owned();
        let again = failure.begin_again.clone();
        let way_on = error.way_on();
        let href = match way_on {
            WayOn::TryAgain => same.clone().or(again).unwrap_or_else(login),
            WayOn::StartAgain | WayOn::UseAnotherAccount => again.unwrap_or_else(login),
            WayOn::Login => login(),
            WayOn::Home => "/".to_owned(),
        };
        let another = failure.begin_again.as_ref().filter(|_| error == Problem::AccessDenied);
        let second = another
            .map(|again| view::Action { way_on: WayOn::UseAnotherAccount, href: format!("{again}&prompt=login") });
        let script = matches!(way_on, WayOn::StartAgain | WayOn::UseAnotherAccount) && failure.query.is_some();
        let html = view::problem(
            &self.shell(),
            &view::ProblemPage {
                code: error.code(),
                reference: failure.reference.to_string(),
                kind: error.kind(),
                who: error.who(),
                action: view::Action { way_on, href },
                second,
                retry_in: failure.retry_in,
                // It passes without help: the page tries again until it has.
                refresh: same.filter(|_| error.passes()),
                script,
            },
        );
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self.page(status, html);
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            let seconds = failure.retry_in.unwrap_or(5);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// The store cannot tell who is signed in: never "nobody".
    fn store_unavailable(&self, error: &StoreError, same: &str) -> Response {
        tracing::error!(code = "store_unavailable", detail = %error, "the session could not be read");
        let reference = Reference::of(&self.app.system.bytes::<16>());
        Problem::StoreUnavailable.log_with(&reference);
        let failure =
            Failure { error: Problem::StoreUnavailable, reference, query: None, begin_again: None, retry_in: Some(3) };
        self.failure(&failure, Some(same.to_owned()))
    }

    fn waiting(&self, query: String, reference: &Reference, provider: String) -> Response {
        let again = callback_path(&held(&query));
        let reference = reference.to_string();
        let html = view::waiting(&self.shell(), &view::Waiting { provider, again, query, reference });
        self.page(StatusCode::OK, html)
    }

    fn off_to_the_provider(&self, started: &Started) -> Response {
        let mut response = see_other(started.location.as_str());
        if let Some(browser) = &started.browser {
            self.set_flow(&mut response, browser);
        }
        response
    }

    /// What a completion means for cookies: the same for the page and for the server function.
    fn sign_in_cookies(&self, response: &mut Response, session: SessionId, browser: &Browser) {
        let cookies: Cookies = self.app.cookies;
        add_cookie(response, cookies.set(Cookie::Session, &session.expose(), self.app.sessions.longest()));
        self.set_flow(response, browser);
    }
}

fn add_cookie(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// 303 to `location`: a path of ours or the provider's authorization endpoint.
fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Our own query parameters, decoded once; of duplicates the first counts.
#[derive(Default)]
struct Asked {
    provider: Option<String>,
    return_to: Option<String>,
    prompt: Option<String>,
    again: Option<String>,
}

impl Asked {
    fn parse(query: Option<&str>) -> Self {
        let mut asked = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let place = match &*name {
                "provider" => &mut asked.provider,
                "return_to" => &mut asked.return_to,
                "prompt" => &mut asked.prompt,
                "again" => &mut asked.again,
                _ => continue,
            };
            place.get_or_insert_with(|| value.into_owned());
        }
        asked
    }
}

/// `GET /auth/login`
pub async fn login(visit: Visit, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref());
    let return_to = visit.app.sign_in.return_to(asked.return_to.as_deref());
    // A store that cannot tell is no reason to hide the login page.
    let account = match visit.who().await {
        Ok(Found::SignedIn(person)) => Some(shown_name(&person)),
        Ok(Found::Nobody | Found::Disabled) | Err(_) => None,
    };
    let choices: Vec<_> = visit
        .app
        .providers
        .iter()
        .map(|provider| view::Choice {
            name: provider.name().to_owned(),
            start: Start {
                provider: provider.id().clone(),
                return_to: return_to.clone(),
                other_account: false,
                clicked: true,
            }
            .path(),
            available: provider.availability() == Availability::Available,
        })
        .collect();
    let refresh = choices.iter().any(|choice| !choice.available);
    let html = view::login(&visit.shell(), &view::Login { choices, refresh, account });
    visit.page(StatusCode::OK, html)
}

/// `GET /auth/oidc/login`: 303 to the provider, or straight on where somebody is signed in. Never on a prefetch, a
/// sub-resource or a script's request.
pub async fn start(visit: Visit, method: Method, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref());
    let return_to = visit.app.sign_in.return_to(asked.return_to.as_deref());
    match guard::fetch(&method, &visit.headers) {
        Fetch::Navigation => {}
        Fetch::Script => return for_script(&visit, &return_to),
        Fetch::Ahead => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Fetch::Other => return StatusCode::NO_CONTENT.into_response(),
    }
    let provider = match (asked.provider.as_deref(), visit.app.providers.iter().collect::<Vec<_>>().as_slice()) {
        (Some(id), _) => ProviderId::new(id),
        (None, [only]) => only.id().clone(),
        (None, _) => return see_other(&format!("{}?return_to={}", paths::LOGIN, return_to.encoded())),
    };
    let start = Start {
        provider,
        return_to,
        other_account: asked.prompt.as_deref() == Some("login"),
        clicked: asked.again.is_some(),
    };
    let same = Start { clicked: false, ..start.clone() }.path();
    match visit.app.sign_in.start(start, visit.asking.clone()).await {
        StartOutcome::Started(started) => visit.off_to_the_provider(&started),
        StartOutcome::SignedIn { return_to, browser, onward } => {
            let to = return_to.as_str();
            let mut response = match onward {
                Onward::Redirect => see_other(to),
                Onward::Page => visit.page(StatusCode::OK, view::signed_in(&visit.shell(), to)),
            };
            visit.set_flow(&mut response, &browser);
            response
        }
        StartOutcome::Failed(failure) => {
            failure.error.log_with(&failure.reference);
            visit.failure(&failure, Some(same))
        }
    }
}

/// A script is told where to send the person (401, RFC 9110 15.5.2).
fn for_script(visit: &Visit, return_to: &ReturnTo) -> Response {
    let login = visit.app.public_url.join(&format!("{}?return_to={}", paths::LOGIN, return_to.encoded()));
    let body = Json(serde_json::json!({ "error": "login_required", "login_url": login }));
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Cookie")], body).into_response()
}

/// `GET /auth/oidc/callback`
pub async fn callback(visit: Visit, method: Method, RawQuery(query): RawQuery) -> Response {
    // Looking ahead consumes nothing: a link scanner or a prefetch must not spend a person's code.
    match guard::fetch(&method, &visit.headers) {
        Fetch::Navigation => {}
        Fetch::Script => return for_script(&visit, &ReturnTo::default()),
        Fetch::Ahead => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Fetch::Other => return StatusCode::NO_CONTENT.into_response(),
    }
    let query = query.unwrap_or_default();
    let brings_answer = has_answer(&query);
    match visit.app.sign_in.complete(&query, Caller::Page, visit.asking.clone()).await {
        Completion::Done { return_to, session, browser } => {
            let mut response = see_other(return_to.as_str());
            visit.sign_in_cookies(&mut response, session, &browser);
            response
        }
        Completion::GoOn(return_to) => see_other(return_to.as_str()),
        Completion::Restart(started) => visit.off_to_the_provider(&started),
        // The code leaves the address before any page is shown.
        Completion::Pending { query, .. } if brings_answer && fits_a_redirect(&query) => {
            see_other(&callback_path(&query))
        }
        Completion::Pending { query, reference, provider, .. } => visit.waiting(query, &reference, provider),
        Completion::Failed(failure) => match &failure.query {
            Some(explained) if brings_answer && fits_a_redirect(explained) => see_other(&callback_path(explained)),
            Some(query) => visit.failure(&failure, Some(callback_path(query))),
            None => visit.failure(&failure, None),
        },
    }
}

/// The budget of 1,536 bytes less what other headers take. What is longer (a long code that could not be claimed yet)
/// goes into the page instead.
const fn fits_a_redirect(query: &str) -> bool {
    query.len() <= 1_150
}

fn callback_path(query: &str) -> String {
    format!("{}?{query}", paths::OIDC_CALLBACK)
}

/// Whether a provider's answer stands in the address.
fn has_answer(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| matches!(&*name, "code" | "error" | "iss"))
}

/// `POST /auth/oidc/callback` (`response_mode=form_post`): a cross-site post carries no cookie of ours, so the answer
/// is asked for again by a redirect, which does.
pub async fn callback_form(visit: Visit, body: Result<Bytes, BytesRejection>) -> Response {
    let Ok(body) = body else { return visit.problem(Problem::TooLarge) };
    let form = visit.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = form.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return visit.problem(Problem::BadRequest);
    }
    let Ok(form) = std::str::from_utf8(&body) else { return visit.problem(Problem::BadRequest) };
    match visit.app.sign_in.requery(form) {
        Some((query, ..)) if fits_a_redirect(&query) => see_other(&callback_path(&query)),
        Some((query, reference, provider)) => visit.waiting(query, &reference, provider),
        None => visit.problem(Problem::StateInvalid),
    }
}

/// `GET /auth/account`
pub async fn account(visit: Visit) -> Response {
    match visit.who().await {
        Ok(Found::SignedIn(person)) => {
            let since = person.since.format(&Rfc3339).unwrap_or_default();
            let html = view::account(
                &visit.shell(),
                &view::Account {
                    name: shown_name(&person),
                    username: person.user.username.clone(),
                    email: person.user.email.clone(),
                    provider: visit
                        .provider_name(&person.provider)
                        .unwrap_or_else(|| person.provider.as_str().to_owned()),
                    signed_in_at: view::Moment { human: human_time(&person), rfc3339: since },
                    logout: paths::LOGOUT.to_owned(),
                },
            );
            visit.page(StatusCode::OK, html)
        }
        Ok(Found::Disabled) => visit.disabled(),
        Ok(Found::Nobody) => see_other(&format!("{}?return_to={}", paths::LOGIN, paths::ACCOUNT)),
        Err(error) => visit.store_unavailable(&error, paths::ACCOUNT),
    }
}

fn shown_name(person: &SignedIn) -> String {
    person.user.full_name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| person.user.username.clone())
}

fn human_time(person: &SignedIn) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day], [hour]:[minute] UTC");
    person.since.format(format).unwrap_or_default()
}

/// `POST /auth/logout`: the session is dead before anything else; the browser key changes, so that nothing it had
/// begun can be finished by whoever uses the browser next.
pub async fn logout(visit: Visit) -> Response {
    let browser = visit.asking.browser.as_ref().map(|browser| browser.key.hash());
    let until = visit.asking.arrived + visit.app.sign_in.patience();
    let provider = match timeout_at(until, visit.app.sessions.sign_out(visit.asking.session, browser)).await {
        Ok(Ok(provider)) => provider,
        Ok(Err(error)) => return visit.store_unavailable(&error, paths::ACCOUNT),
        Err(_) => {
            return visit.store_unavailable(&StoreError::Unavailable("no answer in time".into()), paths::ACCOUNT);
        }
    };
    tracing::info!(code = "signed_out", "signed out");
    let query = provider.map(|id| format!("?provider={id}")).unwrap_or_default();
    let mut response = see_other(&format!("{}{query}", paths::SIGNED_OUT));
    add_cookie(&mut response, visit.app.cookies.remove(Cookie::Session));
    visit.set_flow(&mut response, &visit.app.sign_in.signed_out_browser());
    response
}

/// `GET /auth/signed-out`: neutral, whoever opens it.
pub async fn signed_out(visit: Visit, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref());
    let named = asked.provider.map(ProviderId::new).and_then(|id| visit.app.providers.get(&id));
    let provider = named.or_else(|| visit.app.providers.iter().next());
    let start = |other_account| {
        let provider = provider?;
        Some(
            Start { provider: provider.id().clone(), return_to: ReturnTo::default(), other_account, clicked: true }
                .path(),
        )
    };
    let page = view::SignedOut {
        provider: named.map(|provider| provider.name().to_owned()),
        again: paths::LOGIN.to_owned(),
        other_account: start(true),
    };
    let html = view::signed_out(&visit.shell(), &page);
    visit.page(StatusCode::OK, html)
}

/// The panel's question, for the server function: how it stands, and the response's cookies.
pub async fn question(visit: &Visit, query: &str) -> (Outcome, Vec<HeaderValue>) {
    let completion = visit.app.sign_in.complete(query, Caller::Poll, visit.asking.clone()).await;
    match completion {
        Completion::Done { return_to, session, browser } => {
            let mut response = Response::default();
            visit.sign_in_cookies(&mut response, session, &browser);
            let cookies = response.headers().get_all(SET_COOKIE).iter().cloned().collect();
            (Outcome::Done { location: return_to.as_str().to_owned() }, cookies)
        }
        Completion::GoOn(return_to) => (Outcome::Done { location: return_to.as_str().to_owned() }, Vec::new()),
        Completion::Pending { ask_again_in, .. } => (Outcome::Pending { ask_again_in }, Vec::new()),
        // The page explains, restarts or sends on: it is asked for by the browser itself.
        Completion::Restart(_) => (Outcome::Failed { location: callback_path(query) }, Vec::new()),
        Completion::Failed(failure) => {
            let location = failure.query.as_deref().map_or_else(|| callback_path(query), callback_path);
            (Outcome::Failed { location }, Vec::new())
        }
    }
}

/// Static files.
pub async fn asset(visit: Visit, uri: Uri) -> Response {
    match visit.app.assets.serve(&uri, &visit.headers) {
        Some(response) => response,
        None => visit.problem(Problem::NotFound),
    }
}

/// Anything that is no path of ours.
pub async fn not_found(visit: Visit) -> Response {
    visit.problem(Problem::NotFound)
}

/// A path of ours by a method it does not have.
pub async fn method_not_allowed(visit: Visit) -> Response {
    visit.problem(Problem::MethodNotAllowed)
}

/// `GET /`, where Vestibule owns the host.
pub async fn home() -> Response {
    see_other(paths::ACCOUNT)
}

/// `GET /login`, where Vestibule owns the host.
pub async fn login_alias(visit: Visit, RawQuery(query): RawQuery) -> Response {
    let return_to = visit.app.sign_in.return_to(Asked::parse(query.as_deref()).return_to.as_deref());
    see_other(&format!("{}?return_to={}", paths::LOGIN, return_to.encoded()))
}

/// `GET /healthz`: the process lives.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the store answers (keys were in order, or the program would not run). A provider that is down is a detail, on `admin_listen`.
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    match timeout_at(Instant::now() + app.sign_in.patience(), app.store.ready()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ready\n").into_response(),
        Ok(Err(_)) | Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], "store unavailable\n").into_response()
        }
    }
}
