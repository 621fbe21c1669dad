//! Back-channel logout: a provider posts a logout token when it has ended a session (OpenID Connect Back-Channel Logout 1.0,
//! 2.5 to 2.8; docs/decisions/sign-out.md). No browser has a part in it, so no cookie is read or set, and the token is
//! what says who asks.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        State,
        rejection::{BytesRejection, FailedToBufferBody},
    },
    http::{StatusCode, request::Parts},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};
use url::form_urlencoded;

use crate::{
    paths,
    server::{
        failure_log::{self, LogoutFailure},
        http::request::{self, is_form},
        ids::{LogoutHash, ProviderId},
        limits,
        provider::{Because, LogoutToken, Refused},
        state::App,
        store::{LoggedOut, Logout, StoreError},
    },
};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route(paths::BACKCHANNEL_LOGOUT, post(log_out))
}

/// Why nobody was logged out, or perhaps not everybody.
struct NotDone {
    /// 501 where the fault is ours and will pass, so that the provider may send the same token again; else 4xx.
    status: StatusCode,
    provider: Option<ProviderId>,
    detail: String,
}

impl NotDone {
    fn refused(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, provider: None, detail: detail.into() }
    }

    fn failed(provider: ProviderId, detail: String) -> Self {
        Self { status: StatusCode::NOT_IMPLEMENTED, provider: Some(provider), detail }
    }

    fn is_ours(&self) -> bool {
        self.status.is_server_error()
    }
}

impl From<Refused> for NotDone {
    fn from(Refused { provider, because }: Refused) -> Self {
        let (status, detail) = match because {
            Because::Token(detail) => (StatusCode::BAD_REQUEST, detail),
            Because::Keys(fault) => (StatusCode::NOT_IMPLEMENTED, fault.detail()),
        };
        Self { status, provider, detail }
    }
}

/// `POST /auth/oidc/backchannel-logout`
async fn log_out(State(app): State<Arc<App>>, parts: Parts, body: Result<Bytes, BytesRejection>) -> Response {
    let reference = app.new_reference();
    let done = match read(&parts, body) {
        Ok(token) => carry_out(&app, &token).await,
        Err(not_done) => Err(not_done),
    };
    match done {
        Ok((provider, sessions)) => {
            tracing::info!(code = "logged_out_by_provider", %provider, sessions, %reference, "the provider has ended a session");
            StatusCode::OK.into_response()
        }
        Err(not_done) => {
            let (failure, error) = match not_done.is_ours() {
                true => (LogoutFailure::Failed, "temporarily_unavailable"),
                false => (LogoutFailure::Refused, "invalid_request"),
            };
            let NotDone { status, provider, detail } = not_done;
            failure_log::logout(failure, request::client(&app, &parts), provider.as_ref(), &reference, &detail);
            (status, Json(json!({ "error": error }))).into_response()
        }
    }
}

/// The one logout token of a form; other parameters are none of our business (2.5).
fn read(parts: &Parts, body: Result<Bytes, BytesRejection>) -> Result<String, NotDone> {
    if !is_form(&parts.headers) {
        return Err(NotDone::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is no form"));
    }
    let body = body.map_err(|error| match error {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            NotDone::refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
        }
        _ => NotDone::refused(StatusCode::BAD_REQUEST, "the body did not come in full"),
    })?;
    let mut tokens = form_urlencoded::parse(&body).filter(|(name, _)| name == "logout_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => Ok(token.into_owned()),
        (None, _) => Err(NotDone::refused(StatusCode::BAD_REQUEST, "there is no logout_token")),
        (Some(_), Some(_)) => Err(NotDone::refused(StatusCode::BAD_REQUEST, "there are several logout_token")),
    }
}

/// Whose token it was, and how many sessions have ended.
async fn carry_out(app: &Arc<App>, token: &str) -> Result<(ProviderId, u64), NotDone> {
    let until = Instant::now() + limits::LOGOUT_TRIED_FOR;
    let LogoutToken { provider, issuer, sid, subject, issued, id } = app.providers.check_logout_token(token).await?;
    // Neither has a line break. Two clients of one issuer may be told of one event by the same `jti`.
    let id = LogoutHash::of(format!("{issuer}\n{provider}\n{id}").as_bytes());
    let logout = Logout { id, issuer, sid, subject, issued, received: app.system.now() };
    // It goes on where the provider hangs up: many wait for two seconds and never ask again.
    let sessions = Arc::clone(&app.sessions);
    let carried_out = app.sign_in.to_the_end(async move { until_told(until, || sessions.log_out(&logout)).await });
    let failed = |detail: String| Err(NotDone::failed(provider.clone(), detail));
    match carried_out.await {
        Ok(Ok(LoggedOut::Ended(sessions))) => Ok((provider, sessions)),
        Ok(Ok(LoggedOut::Replayed)) => {
            let detail = "jti was received before".to_owned();
            Err(NotDone { status: StatusCode::BAD_REQUEST, provider: Some(provider), detail })
        }
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed("the logout was cut off".to_owned()),
    }
}

/// Tells the store again and again while it is away. A try that is under way at the end is given up like those before it: the
/// provider learns that it failed, and the same token may come again.
async fn until_told<F>(until: Instant, tell: impl Fn() -> F) -> Result<LoggedOut, StoreError>
where
    F: Future<Output = Result<LoggedOut, StoreError>>,
{
    let mut why = StoreError::late();
    let tried = async {
        loop {
            match tell().await {
                Err(error @ StoreError::Unavailable(_)) => why = error,
                told => return told,
            }
            sleep(limits::LOGOUT_AGAIN_AFTER).await;
        }
    };
    let told = timeout_at(until, tried).await;
    told.unwrap_or(Err(why))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::ready};

    use super::*;

    fn away() -> Result<LoggedOut, StoreError> {
        Err(StoreError::Unavailable("it is away".to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_logout_is_tried_for_as_long_as_a_stop_waits_however_long_a_try_takes() {
        let began = Instant::now();
        let tell = || async {
            sleep(limits::STORE_TIMEOUT).await;
            away()
        };
        let told = until_told(began + limits::LOGOUT_TRIED_FOR, tell).await;
        assert_eq!(began.elapsed().as_secs(), limits::SHUTDOWN_GRACE.as_secs());
        assert!(matches!(told, Err(StoreError::Unavailable(why)) if why == "it is away"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_comes_back_is_told() {
        let tries = Cell::new(0);
        let tell = || {
            tries.set(tries.get() + 1);
            ready(if tries.get() < 3 { away() } else { Ok(LoggedOut::Ended(1)) })
        };
        let told = until_told(Instant::now() + limits::LOGOUT_TRIED_FOR, tell).await;
        assert!(matches!(told, Ok(LoggedOut::Ended(1))) && tries.get() == 3);
    }
}
