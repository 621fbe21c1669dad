//! What `admin_listen` serves, for the operator's network only: metrics, readiness in detail, and the steps of one
//! sign-in. None of it contains a secret or a client address.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::timeout;

use crate::{
    paths,
    server::{
        attempt::AttemptState, ids::Reference, limits, problem::Problem, provider::Availability, state::App,
        store::Attempt, telemetry::Metrics,
    },
};

/// Everything under `admin_listen`.
pub(crate) fn router(app: Arc<App>, metrics: Metrics) -> Router {
    Router::new()
        .route(paths::METRICS, get(move |app| async move { rendered(app, &metrics).await }))
        .route(paths::READYZ, get(readiness))
        .route(&format!("{}/{{reference}}", paths::ATTEMPTS), get(attempt))
        .with_state(app)
}

/// `GET /metrics`, with what can be used at this moment: the same as `/readyz` says.
async fn rendered(State(app): State<Arc<App>>, metrics: &Metrics) -> String {
    let available = |yes: bool| if yes { 1.0 } else { 0.0 };
    for provider in app.providers.iter() {
        let works = provider.availability() == Availability::Available;
        metrics::gauge!("vestibule_provider_available", "provider" => provider.id().as_str().to_owned())
            .set(available(works));
    }
    let ready = timeout(app.sign_in.patience(), app.store.ready()).await;
    metrics::gauge!("vestibule_store_available").set(available(matches!(ready, Ok(Ok(_)))));
    metrics.render()
}

/// `GET /readyz`: what works and what does not, and since when.
async fn readiness(State(app): State<Arc<App>>) -> Json<Value> {
    let store = match app.store.ready().await {
        Ok(notices) => json!({ "ready": true, "notices": notices }),
        Err(error) => {
            json!({ "ready": false, "error": error.to_string(), "to_do": error.mend() })
        }
    };
    let providers: Vec<_> = app
        .providers
        .iter()
        .map(|provider| {
            let availability = match provider.availability() {
                Availability::Available => json!({ "available": true }),
                Availability::Unavailable { since, code, detail } => {
                    let to_do = Problem::from_code(code).map(Problem::operator);
                    json!({
                        "available": false, "since": moment(since), "code": code, "detail": detail, "to_do": to_do,
                    })
                }
            };
            json!({ "id": provider.id(), "issuer": provider.issuer(), "availability": availability })
        })
        .collect();
    Json(json!({ "store": store, "providers": providers, "notices": app.notices() }))
}

/// `GET /attempts/{reference}`: the steps of the sign-in whose reference a person has read out.
async fn attempt(State(app): State<Arc<App>>, Path(reference): Path<String>) -> Response {
    let Some(reference) = Reference::parse(&reference) else {
        let error = "a reference looks like 7K3M-Q2ZD";
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    };
    match app.store.attempt_by_reference(&reference).await {
        Ok(Some(attempt)) => Json(trace(&attempt)).into_response(),
        Ok(None) => {
            let days = limits::ATTEMPT_KEPT.as_secs() / (24 * 60 * 60);
            let error = format!(
                "no sign-in with this reference was recorded in the last {days} days; one that fails before it is \
                 recorded is only in the log, under the same reference"
            );
            (StatusCode::NOT_FOUND, Json(json!({ "error": error, "reference": reference }))).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": error.to_string() }))).into_response(),
    }
}

fn trace(attempt: &Attempt) -> Value {
    let (state, code, retry_at) = match &attempt.state {
        AttemptState::Running { stale: false } => ("running", None, None),
        AttemptState::Running { stale: true } => ("owner dead", Some(Problem::Interrupted.code()), None),
        AttemptState::Verified { .. } => ("verified", None, None),
        AttemptState::Failed { code, retry_at } => ("failed", Some(&**code), *retry_at),
        AttemptState::Interrupted => ("interrupted", Some(Problem::Interrupted.code()), None),
    };
    let explained = code.and_then(Problem::from_code);
    json!({
        "reference": attempt.id.reference(),
        "provider": attempt.provider,
        "started": moment(attempt.started),
        "claimed": moment(attempt.claimed),
        "state": state,
        "code": code,
        "when": explained.map(Problem::when),
        "to_do": explained.map(Problem::operator),
        "retry_at": retry_at.map(moment),
        "steps": attempt.steps,
    })
}

fn moment(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).unwrap_or_default()
}
