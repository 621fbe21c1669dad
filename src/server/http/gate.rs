//! What `gate_listen` serves: proxies ask here, before they pass a request on to an application. No browser reaches it, and
//! nothing stands around it that a check would have to pay for.

/// The answer to a request that may not pass.
mod denial;
/// What kind of request it is.
mod visitor;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{COOKIE, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse as _, Response},
    routing::any,
};

use self::denial::Denial;
use super::{headers, request};
use crate::{
    paths,
    server::{
        client_address::ClientAddress,
        gate::{
            asked::{self, Asked, Denied},
            check::Verdict,
        },
        ids::Reference,
        problem::Problem,
        sign_in::Failure,
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
            return no(StatusCode::from_u16(denied.problem().status()).unwrap_or(StatusCode::FORBIDDEN));
        }
    };
    match app.gate.check(&asked, &parts.headers).await {
        Verdict::Anyone(identity) => pass(identity.clone()),
        Verdict::Person(person) => pass(person.headers.clone()),
        Verdict::Nobody => ([(WWW_AUTHENTICATE, "Cookie")], no(StatusCode::UNAUTHORIZED)).into_response(),
        Verdict::NotAdmitted { .. } => no(StatusCode::FORBIDDEN),
        Verdict::Forged(_) => no(StatusCode::BAD_REQUEST),
        Verdict::Unknown(_) => no(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// A no to a proxy that looks at the status alone.
fn no(status: StatusCode) -> Response {
    let mut response = status.into_response();
    headers::depend_on_cookie(response.headers_mut());
    response
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
    let peer = request::peer_of(&parts);
    match asked::itself(peer, &parts, paths::EXT_AUTHZ, trusted_proxies, &gate.applications) {
        Ok(asked) => decide(&app, &parts, &asked).await,
        Err(denied) => misasked(&app, &parts, &denied),
    }
}

/// A body that comes with the question is not waited for.
fn head(request: Request) -> Parts {
    request.into_parts().0
}

fn forwarded<'a>(app: &App, parts: &'a Parts) -> Result<Asked<'a>, Denied> {
    asked::forwarded(request::peer_of(parts), &parts.headers, &app.trusted_proxies, &app.gate.applications)
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

fn pass(identity: HeaderMap) -> Response {
    let mut response = Response::default();
    *response.headers_mut() = identity;
    response
}

/// A question that is none. What a client can cause is told to the client; what the operator has to mend also stands in the
/// log.
fn misasked(app: &Arc<App>, parts: &Parts, denied: &Denied) -> Response {
    let failure = Failure::new(denied.problem(), note(app, parts, denied));
    denial::explain(app, parts, &failure)
}

/// One fault of a proxy's is one line, whoever its visitors are, and whatever hosts they name.
fn note(app: &App, parts: &Parts, denied: &Denied) -> Reference {
    let (problem, detail) = (denied.problem(), denied.to_string());
    let proxy = ClientAddress::of(request::peer_of(parts));
    let fault = (problem == Problem::ProxyMisconfigured).then_some(&*detail);
    let reference = problem.reference(proxy, fault, || app.new_reference());
    problem.log_because(&reference, &detail);
    reference
}
