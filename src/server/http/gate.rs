//! What `gate_listen` serves: proxies ask here, before they pass a request on to an application. No browser reaches it, and
//! nothing stands around it that a check would have to pay for.

/// How many checks ended how.
mod counted;
/// The answer to a request that may not pass.
mod denial;
/// What kind of request it is.
mod visitor;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::ConnectInfo,
    http::{
        HeaderMap, StatusCode,
        header::{COOKIE, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse as _, Response},
};

use self::{counted::Counted, denial::Denial, visitor::Visitor};
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

/// Everything under `gate_listen`. No router chooses among so few paths: it would cost as much as the check.
#[derive(Clone)]
pub struct Checks(Arc<Inner>);

struct Inner {
    app: Arc<App>,
    counted: Counted,
}

impl Checks {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self(Arc::new(Inner { app, counted: Counted::new() }))
    }

    /// The answer to a question of `peer`. A body that comes with it is not waited for.
    pub async fn answer(self, peer: SocketAddr, mut parts: Parts) -> Response {
        let Inner { app, counted } = &*self.0;
        if parts.uri.path() == paths::VERIFY {
            return verify(app, counted, peer.ip(), &parts).await;
        }
        parts.extensions.insert(ConnectInfo(peer));
        match parts.uri.path() {
            paths::DENIED => denied(app, &parts).await,
            paths::FORWARD => forward(app, counted, &parts).await,
            _ => ext_authz(app, counted, &parts).await,
        }
    }
}

/// `/auth/verify`, for proxies that take only yes or no, by the status.
async fn verify(app: &App, counted: &Counted, peer: IpAddr, parts: &Parts) -> Response {
    let asked = match forwarded(app, peer, parts) {
        Ok(asked) => asked,
        Err(denied) => {
            counted.misasked();
            note(app, peer, &denied);
            return no(StatusCode::from_u16(denied.problem().status()).unwrap_or(StatusCode::FORBIDDEN));
        }
    };
    let verdict = verdict(app, parts, &asked).await;
    counted.verdict(&verdict);
    match verdict {
        Verdict::Anyone(identity) => pass(identity.clone()),
        Verdict::Person(person) => pass(app.gate.headers(&asked.site, &person)),
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

/// `/auth/denied`: where such a proxy sends the browser afterwards. Never a yes: what may pass was refused by the proxy. It is
/// the same request once more, which is counted already.
async fn denied(app: &Arc<App>, parts: &Parts) -> Response {
    let asked = match forwarded(app, request::peer_of(parts), parts) {
        Ok(asked) => asked,
        Err(denied) => return misasked(app, parts, &denied),
    };
    let verdict = verdict(app, parts, &asked).await;
    Denial::new(app, parts, &asked).or_proxy_refused(verdict)
}

/// `/auth/forward`, for proxies that hand our answer to the browser unless it is a yes.
async fn forward(app: &Arc<App>, counted: &Counted, parts: &Parts) -> Response {
    let asked = forwarded(app, request::peer_of(parts), parts);
    answer(app, counted, parts, asked).await
}

/// `/auth/ext-authz/…`, as Envoy asks: what is asked about is the request itself, behind that prefix. A path of any form may
/// follow, so no route names it.
async fn ext_authz(app: &Arc<App>, counted: &Counted, parts: &Parts) -> Response {
    let is_asked = parts.uri.path().strip_prefix(paths::EXT_AUTHZ).is_some_and(|rest| rest.starts_with('/'));
    if !is_asked {
        return StatusCode::NOT_FOUND.into_response();
    }
    let App { trusted_proxies, gate, .. } = &**app;
    let peer = request::peer_of(parts);
    let asked = asked::itself(peer, parts, paths::EXT_AUTHZ, trusted_proxies, &gate.applications);
    answer(app, counted, parts, asked).await
}

/// The gate's verdict. A page is shown to nobody whom the provider is to confirm first (`session.recheck`); what is no
/// navigation passes meanwhile, so that nobody loses a form or the work in an open page.
async fn verdict<'a>(app: &'a App, parts: &Parts, asked: &Asked<'_>) -> Verdict<'a> {
    match app.gate.check(asked, &parts.headers).await {
        Verdict::Person(pass)
            if app.gate.rechecks()
                && Visitor::of(asked.method, &parts.headers) == Visitor::Navigation
                && app.gate.is_recheck_due(&pass).await =>
        {
            Verdict::Nobody
        }
        verdict => verdict,
    }
}

fn forwarded<'a>(app: &'a App, peer: IpAddr, parts: &'a Parts) -> Result<Asked<'a>, Denied> {
    asked::forwarded(peer, &parts.headers, &app.trusted_proxies, &app.gate.applications)
}

/// A yes with the client's cookies but ours, or the denial.
async fn answer(app: &Arc<App>, counted: &Counted, parts: &Parts, asked: Result<Asked<'_>, Denied>) -> Response {
    let asked = match asked {
        Ok(asked) => asked,
        Err(denied) => {
            counted.misasked();
            return misasked(app, parts, &denied);
        }
    };
    let verdict = verdict(app, parts, &asked).await;
    counted.verdict(&verdict);
    let mut identity = match verdict {
        Verdict::Anyone(identity) => identity.clone(),
        Verdict::Person(person) => app.gate.headers(&asked.site, &person),
        no => return Denial::new(app, parts, &asked).of(no),
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
    let failure = Failure::new(denied.problem(), note(app, request::peer_of(parts), denied));
    denial::explain(app, parts, &failure)
}

/// One fault of a proxy's is one line, whoever its visitors are, and whatever hosts they name.
fn note(app: &App, peer: IpAddr, denied: &Denied) -> Reference {
    let (problem, detail) = (denied.problem(), denied.to_string());
    let proxy = ClientAddress::of(peer);
    let fault = (problem == Problem::ProxyMisconfigured).then_some(&*detail);
    let reference = problem.reference(proxy, fault, || app.new_reference());
    problem.log_because(&reference, &detail);
    reference
}
