//! One readable table of routes, and the layers around them in order.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::HeaderMap,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use tokio::time::Instant;
use tower::util::MapRequest;
use tower_http::{catch_panic::CatchPanicLayer, timeout::RequestBodyTimeoutLayer};

use super::{
    http::{
        guard, headers,
        pages::{self, Arrived, Visit},
    },
    problem::Problem,
    state::App,
};
use crate::paths;

/// The largest body that any of our routes reads: a form post of the callback, or the panel's question.
const LARGEST_BODY: usize = 16 * 1024;
/// A peer that pauses this long within a body is not going to finish it.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The most header bytes a request may bring. Browsers hold far less for one site unless something went wrong there.
const LARGEST_HEADERS: usize = 32 * 1024;

/// Everything under the public URL.
pub fn public(app: &Arc<App>) -> Router {
    // Around the routes, since what a path means has to be settled before one is chosen.
    let routes = routes(app);
    Router::new().fallback_service(MapRequest::new(routes, single_slashes))
}

/// Proxies that join two paths double their slashes. Here, and not by a redirect, which such a proxy would double anew.
fn single_slashes(mut request: Request) -> Request {
    let path = request.uri().path();
    if !path.contains("//") {
        return request;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let slash = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = format!("/{}{slash}{query}", parts.join("/")).parse() {
        *request.uri_mut() = uri;
    }
    request
}

fn routes(app: &Arc<App>) -> Router {
    Router::new()
        // Pages
        .route(paths::LOGIN, get(pages::login))
        .route(paths::ACCOUNT, get(pages::account))
        .route(paths::LOGOUT, post(pages::logout))
        .route(paths::SIGNED_OUT, get(pages::signed_out))
        .route(paths::OIDC_LOGIN, get(pages::start))
        .route(paths::OIDC_CALLBACK, get(pages::callback).post(pages::callback_form))
        // The server function
        .route(&format!("{}/{{*function}}", paths::API), post(server_function))
        // Static files
        .route(&format!("{}/{{*path}}", paths::ASSETS), get(pages::asset))
        // Where Vestibule owns the host
        .route("/", get(pages::home))
        .route("/login", get(pages::login_alias))
        .route("/favicon.ico", get(pages::asset))
        .route("/robots.txt", get(pages::asset))
        // Machines
        .route(paths::HEALTHZ, get(pages::healthz))
        .route(paths::READYZ, get(pages::readyz))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::method_not_allowed)
        // Layers, inside out
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(middleware::from_fn_with_state(app.clone(), admit))
        .layer(CatchPanicLayer::custom({
            let app = app.clone();
            move |_| broken(&app)
        }))
        .layer(middleware::from_fn_with_state(headers::Secure(app.public_url.is_secure()), headers::layer))
        .layer(middleware::from_fn(arrive))
        .with_state(app.clone())
}

async fn arrive(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Arrived(Instant::now()));
    next.run(request).await
}

/// Refuses what no page of ours sends.
async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let refused = |error| Visit::of(app.clone(), &parts).problem(error);
    if header_bytes(&parts.headers) > LARGEST_HEADERS {
        return refused(Problem::HeadersTooLarge);
    }
    // A provider's form post comes from another site; it is judged by its state.
    let is_answer = parts.uri.path() == paths::OIDC_CALLBACK;
    if !is_answer && !guard::is_same_origin(&parts.method, &parts.headers, &app.public_url) {
        return refused(Problem::CrossSite);
    }
    next.run(Request::from_parts(parts, body)).await
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

async fn server_function(State(app): State<Arc<App>>, request: Request) -> Response {
    let provide = move || leptos::prelude::provide_context(app.clone());
    let response = leptos_axum::handle_server_fns_with_context(provide, request).await;
    axum::response::IntoResponse::into_response(response)
}

/// A panic: the page says so, the log has it, the process lives.
fn broken(app: &Arc<App>) -> Response {
    let (parts, ()) = Request::new(()).into_parts();
    Visit::of(app.clone(), &parts).problem(Problem::Internal)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn doubled_slashes_are_one() {
        for (asked, meant) in [
            ("//auth//login", "/auth/login"),
            ("/auth/oidc///callback?state=a//b&code=c", "/auth/oidc/callback?state=a//b&code=c"),
            ("//", "/"),
            ("/auth//", "/auth/"),
            ("/auth/login?return_to=//x", "/auth/login?return_to=//x"),
        ] {
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = asked.parse().unwrap();
            assert_eq!(single_slashes(request).uri(), meant, "{asked}");
        }
    }
}
