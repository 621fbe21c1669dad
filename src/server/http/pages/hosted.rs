//! What the public address serves on the hosts of applications, below their prefix: what concerns that host alone. The pages
//! live on the login host, since an application's scripts have the same origin as these paths.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{RawQuery, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
        request::Parts,
    },
    middleware::from_fn_with_state,
    response::{IntoResponse as _, Response},
    routing::{any, get, post},
};
use serde_json::json;

use super::{files, handover::value};
use crate::{
    paths,
    server::{
        application::Site,
        failure_log::Said,
        gate::{asked::Asked, check::Verdict, handover::HostSession, pass::Pass},
        http::{
            cookies::set_host_session_cookie,
            csrf,
            fetch_metadata::navigations_only,
            headers, machine,
            redirect::see_other,
            render::Renderer,
            request::{self, Parameters},
        },
        limits,
        problem::Problem,
        sign_in::{Failure, RequestContext, return_to::ReturnTo},
        state::App,
        store::StoreError,
    },
};

/// On every host of an application. (Where that is the login host, its pages come in addition.)
pub(crate) fn machines() -> Router<Arc<App>> {
    let refused = async |renderer: Renderer| explain(&renderer, Problem::MethodNotAllowed, None);
    let (userinfo, token) = (get(userinfo).fallback(refused), post(token).fallback(refused));
    Router::new().route(paths::USERINFO, userinfo).route(paths::TOKEN, token).route(paths::JWKS, get(jwks))
}

/// On the hosts of applications, but for the login host.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .merge(machines())
        .merge(files::assets_router())
        .route(paths::LOGIN, get(login))
        .route(paths::ENTER, get(enter).route_layer(from_fn_with_state(app.clone(), navigations_only)))
        .route(paths::ACCOUNT, any(|State(app): State<Arc<App>>| elsewhere(app, paths::ACCOUNT)))
        .route(paths::LOGOUT, any(|State(app): State<Arc<App>>| elsewhere(app, paths::LOGOUT)))
        .route(paths::SIGNED_OUT, any(|State(app): State<Arc<App>>| elsewhere(app, paths::SIGNED_OUT)))
        .fallback(files::not_found)
        .method_not_allowed_fallback(files::method_not_allowed)
}

/// A page of the login host.
async fn elsewhere(app: Arc<App>, path: &'static str) -> Response {
    see_other(&app.public_url.join(path))
}

/// `GET login?return_to=` of an application's host: into sign-in at the login host, and back to a page of this host.
async fn login(State(app): State<Arc<App>>, Extension(site): Extension<Site>, parameters: Parameters) -> Response {
    let page = match parameters.return_to.as_deref() {
        Some(path) if path.starts_with('/') => app.sign_in.return_to(Some(&site.join(path))),
        other => app.sign_in.return_to(other),
    };
    let is_here = page.site(&app.gate.applications).as_ref() == Some(&site);
    let page = if is_here { page } else { ReturnTo::home_of(&site) };
    let other_account = if parameters.wants_another_account() { "&prompt=login" } else { "" };
    // Of our own pages there: the one that says who may not open something.
    let clicked = if parameters.again.is_some() { "&again=1" } else { "" };
    let page = page.encoded();
    see_other(&app.public_url.join(&format!("{}?return_to={page}{other_account}{clicked}", paths::OIDC_LOGIN)))
}

/// `GET enter?ticket=`: the ticket becomes the session cookie of this host, in the browser that asked for it and within
/// seconds. Anything else goes to the page, which begins anew.
async fn enter(
    State(app): State<Arc<App>>,
    Extension(site): Extension<Site>,
    renderer: Renderer,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Response {
    let ticket =
        query.and_then(|query| value(&query, "ticket")).and_then(|ticket| app.gate.open_ticket(&site, &ticket));
    let Some(ticket) = ticket else { return renderer.problem(Problem::HandoverInvalid) };
    let is_fresh = ticket.is_fresh(app.system.now());
    let is_for = context.browser.as_ref().map(|browser| browser.key.hash() == ticket.browser);
    match is_for {
        Some(true) if is_fresh => {
            let mut response = see_other(ticket.page.as_str());
            let cookie = app.gate.seal_host_session(&site, HostSession(ticket.session));
            set_host_session_cookie(&mut response, &app, &cookie);
            response
        }
        None if is_fresh && ticket.turns >= limits::HANDOVERS_WITHOUT_COOKIE => {
            let failure = renderer.without_attempt(Problem::CookiesBlocked, &Said::default());
            let login = format!("{}?return_to={}", site.own(paths::LOGIN), ticket.page.path_at(&site.origin));
            renderer.failure(&Failure { begin_again: Some(login), ..failure }, None)
        }
        _ => see_other(ticket.page.as_str()),
    }
}

/// `GET userinfo`: who is signed in on this host, for the application's scripts.
async fn userinfo(
    State(app): State<Arc<App>>,
    site: Option<Extension<Site>>,
    renderer: Renderer,
    parts: Parts,
) -> Response {
    let Some(Extension(site)) = site else { return no_application(&renderer) };
    match app.gate.pass(&site, &parts.headers).await {
        Ok(Some(pass)) => for_this_request(Json(app.gate.userinfo(&site, &pass)).into_response()),
        Ok(None) => login_required(&site),
        Err(error) => unknown(&renderer, &error),
    }
}

/// `POST token`: for the scripts of an application that has `token = true`. Its rules decide as they do about a path.
async fn token(
    State(app): State<Arc<App>>,
    site: Option<Extension<Site>>,
    renderer: Renderer,
    parts: Parts,
) -> Response {
    let Some(Extension(site)) = site else { return no_application(&renderer) };
    if !site.application.token {
        let detail = format!("app[{}].token is not set", site.index);
        return explain(&renderer, Problem::NotFound, Some(detail));
    }
    if !csrf::is_same_origin(&parts.method, &parts.headers, &site.origin) {
        return explain(&renderer, Problem::CrossSite, None);
    }
    let path = site.own(paths::TOKEN);
    let client = request::named_client(&app, &parts);
    let Ok(asked) = Asked::about(site.clone(), "POST", &path, client) else { return no_application(&renderer) };
    let pass = match app.gate.check(&asked, &parts.headers).await {
        Verdict::Person(pass) => Ok(Some(pass)),
        Verdict::Anyone(_) => app.gate.pass(&site, &parts.headers).await,
        Verdict::Nobody => Ok(None),
        Verdict::NotAdmitted { by, .. } => {
            let detail = format!("{}: {by}", site.origin);
            return explain(&renderer, Problem::NotAdmitted, Some(detail));
        }
        Verdict::Forged(name) => {
            return explain(&renderer, Problem::IdentityForged, Some(format!("the client sent {name}")));
        }
        Verdict::Unknown(error) => Err(error),
    };
    match pass {
        Ok(Some(pass)) => token_of(&app, &site, &renderer, &pass),
        Ok(None) => login_required(&site),
        Err(error) => unknown(&renderer, &error),
    }
}

fn token_of(app: &App, site: &Site, renderer: &Renderer, pass: &Arc<Pass>) -> Response {
    match app.gate.token(site, pass) {
        Some(token) => for_this_request(Json(token).into_response()),
        // ClaudeLens knows people by their usernames.
        None => {
            let detail = format!("{}: the person's username is not theirs alone", site.origin);
            explain(renderer, Problem::NotAdmitted, Some(detail))
        }
    }
}

/// `GET jwks.json`: the keys by which applications verify assertions.
async fn jwks(State(app): State<Arc<App>>) -> Response {
    let headers = [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, app.gate.jwks().to_owned()).into_response()
}

fn login_required(site: &Site) -> Response {
    let login = site.join(&site.own(paths::LOGIN));
    let body = Json(json!({ "error": "login_required", "login_url": login }));
    let headers = [(WWW_AUTHENTICATE, "Cookie"), (headers::LOGIN, &*login)];
    for_this_request((StatusCode::UNAUTHORIZED, headers, body).into_response())
}

fn no_application(renderer: &Renderer) -> Response {
    explain(renderer, Problem::NotFound, None)
}

fn unknown(renderer: &Renderer, error: &StoreError) -> Response {
    let failure = renderer.without_attempt(Problem::StoreUnavailable, &Said::from(error));
    for_this_request(machine::explain(&failure))
}

fn explain(renderer: &Renderer, problem: Problem, detail: Option<String>) -> Response {
    for_this_request(machine::explain(&renderer.without_attempt(problem, &Said::by(detail))))
}

fn for_this_request(mut response: Response) -> Response {
    headers::depend_on_cookie(response.headers_mut());
    response
}
