//! Static files, and paths that do not exist.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
    routing::get,
};

use crate::{
    paths,
    server::{http::render::Renderer, problem::Problem, state::App},
};

/// The files that pages link.
pub(super) fn assets_router() -> Router<Arc<App>> {
    Router::new().route(&format!("{}/{{*path}}", paths::ASSETS), get(asset))
}

pub(crate) fn router() -> Router<Arc<App>> {
    assets_router()
        // Where Vestibule owns the host.
        .route("/favicon.ico", get(asset))
        .route("/robots.txt", get(asset))
}

async fn asset(State(app): State<Arc<App>>, renderer: Renderer, uri: Uri, headers: HeaderMap) -> Response {
    app.assets.serve(&uri, &headers).unwrap_or_else(|| renderer.problem(Problem::NotFound))
}

/// A path that does not exist.
pub(crate) async fn not_found(renderer: Renderer) -> Response {
    renderer.problem(Problem::NotFound)
}

/// A path that exists, but not for this method.
pub(crate) async fn method_not_allowed(renderer: Renderer) -> Response {
    renderer.problem(Problem::MethodNotAllowed)
}
