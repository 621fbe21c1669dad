//! What `gate_listen` serves: proxies ask here, before they pass a request on to an application. No browser reaches it, and
//! nothing stands around it that a check would have to pay for.

/// The answer to a request that may not pass.
mod denial;
/// What kind of request it is.
mod visitor;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, COOKIE, VARY, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse as _, Response},
    routing::any,
};

use self::denial::Denial;
use super::{render::Renderer, request};
use crate::{
    paths,
    server::{
        gate::{
            asked::{self, Asked, Denied},
            check::Verdict,
        },
        state::App,
    },
};

/// Everything under `gate_listen`.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(paths::VERIFY, any(verify))
        .route(paths::DENIED, any(denied))
        .route(paths::FORWARD, any(forward))
        .fallback(ext_authz)
        .with_state(app)
}

/// `/auth/verify`, for proxies that take only yes or no, by the status.
async fn verify(State(app): State<Arc<App>>, request: Request) -> Response {
    let parts = head(request);
    let asked = match forwarded(&app, &parts) {
        Ok(asked) => asked,
        Err(denied) => {
            note(&app, &parts, &denied);
            return StatusCode::from_u16(denied.problem().status()).unwrap_or(StatusCode::FORBIDDEN).into_response();
        }
    };
    match app.gate.check(&asked, &parts.headers).await {
        Verdict::Anyone(identity) => pass(identity.clone()),
        Verdict::Person(person) => pass(person.headers.clone()),
        Verdict::Nobody => (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Cookie")]).into_response(),
        Verdict::NotAdmitted(_) => StatusCode::FORBIDDEN.into_response(),
        Verdict::Forged(_) => StatusCode::BAD_REQUEST.into_response(),
        Verdict::Unknown(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// `/auth/denied`: where such a proxy sends the browser afterwards. Never a yes: what may pass was refused by the proxy.
async fn denied(State(app): State<Arc<App>>, request: Request) -> Response {
    let parts = head(request);
    let asked = match forwarded(&app, &parts) {
        Ok(asked) => asked,
        Err(denied) => return misasked(&app, &parts, &denied),
    };
    let verdict = app.gate.check(&asked, &parts.headers).await;
    Denial::new(&app, &parts, &asked).or_proxy_refused(verdict)
}

/// `/auth/forward`, for proxies that hand our answer to the browser unless it is a yes.
async fn forward(State(app): State<Arc<App>>, request: Request) -> Response {
    let parts = head(request);
    match forwarded(&app, &parts) {
        Ok(asked) => decide(&app, &parts, &asked).await,
        Err(denied) => misasked(&app, &parts, &denied),
    }
}

/// `/auth/ext-authz/…`, as Envoy asks: what is asked about is the request itself, behind that prefix. A path of any form may
/// follow, so no route names it.
async fn ext_authz(State(app): State<Arc<App>>, request: Request) -> Response {
    let parts = head(request);
    let is_asked = parts.uri.path().strip_prefix(paths::EXT_AUTHZ).is_some_and(|rest| rest.starts_with('/'));
    if !is_asked {
        return StatusCode::NOT_FOUND.into_response();
    }
    let App { trusted_proxies, gate, .. } = &*app;
    let asked = match peer(&parts) {
        Some(peer) => asked::itself(peer, &parts, paths::EXT_AUTHZ, trusted_proxies, &gate.applications),
        None => return StatusCode::FORBIDDEN.into_response(),
    };
    match asked {
        Ok(asked) => decide(&app, &parts, &asked).await,
        Err(denied) => misasked(&app, &parts, &denied),
    }
}

/// A body that comes with the question is not waited for.
fn head(request: Request) -> Parts {
    request.into_parts().0
}

fn peer(parts: &Parts) -> Option<std::net::IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

fn forwarded<'a>(app: &App, parts: &'a Parts) -> Result<Asked<'a>, Denied> {
    let peer = peer(parts).unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    asked::forwarded(peer, &parts.headers, &app.trusted_proxies, &app.gate.applications)
}

/// A yes with the client's cookies but ours, or the denial.
async fn decide(app: &Arc<App>, parts: &Parts, asked: &Asked<'_>) -> Response {
    let mut identity = match app.gate.check(asked, &parts.headers).await {
        Verdict::Anyone(identity) => identity.clone(),
        Verdict::Person(person) => person.headers.clone(),
        no => return Denial::new(app, parts, asked).of(no),
    };
    // Also where there are none: what an answer lacks, Envoy takes from the client, and that would be our cookies.
    identity.insert(COOKIE, app.cookies.others(&parts.headers));
    pass(identity)
}

fn pass(mut identity: HeaderMap) -> Response {
    identity.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    identity.insert(VARY, HeaderValue::from_static("Cookie"));
    let mut response = Response::default();
    *response.headers_mut() = identity;
    response
}

/// A question that is none. What a client can cause is told to the client; what the operator has to mend also stands in the
/// log.
fn misasked(app: &Arc<App>, parts: &Parts, denied: &Denied) -> Response {
    let renderer = Renderer::new(Arc::clone(app), parts);
    denial::explain(app, parts, &renderer, denied.problem(), &denied.to_string())
}

fn note(app: &App, parts: &Parts, denied: &Denied) {
    let problem = denied.problem();
    let reference = problem.reference(request::client(app, parts), None, || app.new_reference());
    problem.log_because(&reference, &denied.to_string());
}
