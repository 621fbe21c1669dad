//! Orders to a running provider over HTTP, for tests in other languages. Served by the program `test-provider` alone, on
//! a listener of its own, never by the demo.

use std::sync::Arc;

use axum::{Json, Router, extract::State, response::IntoResponse as _, response::Response, routing::post};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{endpoint::Endpoint, rules::Rule, running::RunningProvider};

/// The one path.
pub const CONTROL_PATH: &str = "/__control";

/// One order. As JSON: `"clear"`, or `{"behave": {"times": 1, "behaviour": {"delay": {"at": "token", "ms": 3000}}}}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Adds a rule.
    Behave(Box<Rule>),
    /// Drops all rules and ends all holds.
    BehaveWell,
    /// As after the start.
    Clear,
    /// Requests to the endpoint wait.
    Hold(Endpoint),
    /// The waiting requests continue.
    Release(Endpoint),
    /// Everyone is signed in as this person.
    LogInAs(String),
    /// The form is shown again.
    LogInByForm,
    /// Signs every browser out.
    ForgetSessions,
    /// A new signing key.
    RotateKeys,
    /// Returns the log.
    Requests,
    /// Clears the log.
    ForgetRequests,
    /// Returns the number of presentations of each code.
    Redemptions,
    /// Returns the number of requests to the endpoint.
    Count(Endpoint),
    /// Returns once so many requests have reached the endpoint.
    WaitFor {
        /// Where.
        endpoint: Endpoint,
        /// How many.
        n: usize,
    },
    /// Closes the listener.
    Down,
    /// Opens it again.
    Up,
}

/// The router of orders: `POST /__control`, JSON both ways, `null` where there is nothing to say.
pub fn control_router(provider: Arc<RunningProvider>) -> Router {
    Router::new().route(CONTROL_PATH, post(obey)).with_state(provider)
}

async fn obey(State(provider): State<Arc<RunningProvider>>, Json(order): Json<Order>) -> Response {
    match order {
        Order::Behave(rule) => provider.behave(*rule),
        Order::BehaveWell => provider.behave_well(),
        Order::Clear => provider.clear(),
        Order::Hold(endpoint) => provider.hold(endpoint),
        Order::Release(endpoint) => provider.release(endpoint),
        Order::LogInAs(username) => provider.log_in_as(&username),
        Order::LogInByForm => provider.log_in_by_form(),
        Order::ForgetSessions => provider.forget_sessions(),
        Order::RotateKeys => provider.rotate_keys(),
        Order::Requests => return Json(provider.requests()).into_response(),
        Order::ForgetRequests => provider.forget_requests(),
        Order::Redemptions => return Json(provider.redemptions()).into_response(),
        Order::Count(endpoint) => return Json(provider.count(endpoint)).into_response(),
        Order::WaitFor { endpoint, n } => provider.wait_for(endpoint, n).await,
        Order::Down => provider.down().await,
        Order::Up => {
            if let Err(error) = provider.up().await {
                return (StatusCode::CONFLICT, error.to_string()).into_response();
            }
        }
    }
    Json(()).into_response()
}
