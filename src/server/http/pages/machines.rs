//! Health checks for balancers and orchestrators.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse as _, Response},
    routing::get,
};
use tokio::time::timeout;

use crate::{paths, server::state::App};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route(paths::HEALTHZ, get(healthz)).route(paths::READYZ, get(readyz))
}

/// `GET /healthz`: the process lives.
async fn healthz() -> &'static str {
    "ok\n"
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
