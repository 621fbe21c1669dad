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
        gate::{asked::Asked, check::Verdict, handover::HostSession, pass::Pass},
        http::{
            cookies::set_host_session_cookie,
            csrf,
            fetch_metadata::navigations_only,
            headers,
            redirect::see_other,
            render::Renderer,
            request::{self, Parameters},
        },
        limits,
        problem::Problem,
        sign_in::{Failure, RequestContext, return_to::ReturnTo},
        state::App,
    },
};

/// On every host of an application. (Where that is the login host, its pages come in addition.)
pub(crate) fn machines(app: &Arc<App>) -> Router<Arc<App>> {
    let token = post(token).route_layer(from_fn_with_state(app.clone(), csrf::same_origin_only));
    Router::new().route(paths::USERINFO, get(userinfo)).route(paths::TOKEN, token).route(paths::JWKS, get(jwks))
}

/// On the hosts of applications, but for the login host.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .merge(machines(app))
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
            let failure =
                renderer.without_attempt(Problem::CookiesBlocked, &crate::server::failure_log::Said::default());
            let login = format!("{}?return_to={}", site.own(paths::LOGIN), ticket.page.path_at(&site.origin));
            renderer.failure(&Failure { begin_again: Some(login), ..failure }, None)
        }
        _ => see_other(ticket.page.as_str()),
    }
}

/// `GET userinfo`: who is signed in on this host, for the application's scripts.
async fn userinfo(State(app): State<Arc<App>>, site: Option<Extension<Site>>, parts: Parts) -> Response {
    let Some(Extension(site)) = site else { return no_application() };
    match app.gate.pass(&site, &parts.headers).await {
        Ok(Some(pass)) => Json(app.gate.userinfo(&site, &pass)).into_response(),
        Ok(None) => login_required(&site),
        Err(_) => error(StatusCode::SERVICE_UNAVAILABLE, Problem::StoreUnavailable.code()),
    }
}

/// `POST token`: for the scripts of an application that has `token = true`. Its rules decide as they do about a path.
async fn token(State(app): State<Arc<App>>, site: Option<Extension<Site>>, parts: Parts) -> Response {
    let Some(Extension(site)) = site.filter(|site| site.application.token) else { return no_application() };
    let path = site.own(paths::TOKEN);
    let client = request::named_client(&app, &parts);
    let Ok(asked) = Asked::about(site.clone(), "POST", &path, client) else { return no_application() };
    let pass = match app.gate.check(&asked, &parts.headers).await {
        Verdict::Person(pass) => Ok(Some(pass)),
        Verdict::Anyone(_) => app.gate.pass(&site, &parts.headers).await,
        Verdict::Nobody => Ok(None),
        Verdict::NotAdmitted { .. } => return error(StatusCode::FORBIDDEN, Problem::NotAdmitted.code()),
        Verdict::Forged(_) => return error(StatusCode::BAD_REQUEST, Problem::IdentityForged.code()),
        Verdict::Unknown(error) => Err(error),
    };
    match pass {
        Ok(Some(pass)) => token_of(&app, &site, &pass),
        Ok(None) => login_required(&site),
        Err(_) => error(StatusCode::SERVICE_UNAVAILABLE, Problem::StoreUnavailable.code()),
    }
}

fn token_of(app: &App, site: &Site, pass: &Arc<Pass>) -> Response {
    match app.gate.token(site, pass) {
        Some(token) => Json(token).into_response(),
        // ClaudeLens knows people by their usernames, and this one is not the person's alone.
        None => error(StatusCode::FORBIDDEN, Problem::NotAdmitted.code()),
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
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Cookie"), (headers::LOGIN, &*login)], body).into_response()
}

fn no_application() -> Response {
    error(StatusCode::NOT_FOUND, Problem::NotFound.code())
}

fn error(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "error": code }))).into_response()
}
