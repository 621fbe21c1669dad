//! What other machines ask: health checks for balancers and orchestrators, keys for providers.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
    routing::get,
};
use tokio::time::timeout;

use crate::{paths, server::state::App};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route(paths::HEALTHZ, get(healthz))
        .route(paths::READYZ, get(readyz))
        .route(paths::CLIENT_JWKS, get(client_jwks))
}

/// `GET /healthz`: the process lives.
async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /auth/oidc/jwks.json`: the keys by which providers verify who we are.
async fn client_jwks(State(app): State<Arc<App>>) -> Response {
    let headers = [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, app.providers.client_jwks().to_owned()).into_response()
}

/// `GET /readyz`: the store responds (without valid keys the program would not have started). A provider that is down
/// is a detail, on `admin_listen`.
async fn readyz(State(app): State<Arc<App>>) -> Response {
    match timeout(app.sign_in.patience(), app.store.ready()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ready\n").into_response(),
        Ok(Err(_)) | Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], "store unavailable\n").into_response()
        }
    }
}
