//! The server function: extract, one step of the flow, respond.
#![expect(missing_docs, reason = "of the struct that `#[server]` makes of the argument")]

use axum::http::{header::SET_COOKIE, request::Parts};
use leptos::{
    prelude::*,
    server_fn::{
        codec::{JsonEncoding, PostUrl},
        error::{FromServerFnError, ServerFnErrorErr},
    },
};
use leptos_axum::ResponseOptions;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::{
    outcome::Outcome,
    server::{
        http::{pages::sign_in, request},
        state::App,
    },
};

/// The request could not be understood or served; the panel polls again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum QuestionError {
    /// Any error.
    Unanswered,
}

impl FromServerFnError for QuestionError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(_: ServerFnErrorErr) -> Self {
        Self::Unanswered
    }
}

/// The status of the sign-in that the callback's `query` belongs to. Idempotent: any number of calls from the browser
/// that started it lead to one exchange and one result; the call that finds it complete sets the session cookie.
#[server(prefix = "/auth/api", endpoint = "complete-sign-in", input = PostUrl)]
pub async fn complete_sign_in(query: String) -> Result<Outcome, QuestionError> {
    let (Some(app), Some(parts), Some(options)) =
        (use_context::<Arc<App>>(), use_context::<Parts>(), use_context::<ResponseOptions>())
    else {
        return Err(QuestionError::Unanswered);
    };
    let context = request::context(&app, &parts);
    let (outcome, cookies) = sign_in::poll(&app, context, &query).await;
    for cookie in cookies {
        options.append_header(SET_COOKIE, cookie);
    }
    Ok(outcome)
}
