//! The end session endpoint (RP-Initiated Logout 1.0 2 to 4), where it is offered.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, Method, StatusCode, header};

use super::{authorize::session_id, page};
use crate::{
    clients::Client,
    form::{self, Form, Repeated},
    lock::lock,
    provider::Provider,
    rules::EndSessionFault,
    vault::IssuedIdToken,
};

/// What a request asks for.
struct Request<'f> {
    /// Whose ID token came with it, letter by letter one that was issued here.
    hint: Option<IssuedIdToken>,
    /// Where to go afterwards: registered by the client, with the state.
    back: Option<(&'f str, Option<&'f str>)>,
}

pub(crate) async fn end_session(
    State(provider): State<Arc<Provider>>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let raw = if method == Method::POST { body.to_vec() } else { query.unwrap_or_default().into_bytes() };
    let form = Form::parse(&raw);
    let request = match Request::read(&provider, &form) {
        Ok(request) => request,
        Err(reason) => return page::refusal(StatusCode::BAD_REQUEST, reason),
    };
    let fault = provider.rules.end_session();
    match fault {
        // A person who does not want to; some providers send them back all the same.
        Some(EndSessionFault::Decline) => {
            return page::message("You are still signed in", "You chose to stay signed in here.");
        }
        Some(EndSessionFault::DeclineAndReturn) => {}
        Some(EndSessionFault::OtherState | EndSessionFault::NoState) | None => {
            if let Some(id) = session_id(&headers) {
                lock(&provider.vault).sessions.remove(id);
            }
            let mut everybody_is = lock(&provider.everybody_is);
            let is_theirs = |name: &String| request.hint.as_ref().is_none_or(|hint| hint.username == *name);
            if everybody_is.as_ref().is_some_and(is_theirs) {
                *everybody_is = None;
            }
        }
    }
    let Some((uri, state)) = request.back else {
        return page::message("You are signed out", "You are signed out here.");
    };
    let state = match fault {
        Some(EndSessionFault::OtherState) => Some(format!("{}_INVALID", state.unwrap_or_default())),
        Some(EndSessionFault::NoState) => None,
        Some(EndSessionFault::Decline | EndSessionFault::DeclineAndReturn) | None => state.map(str::to_owned),
    };
    let mark = if uri.contains('?') { '&' } else { '?' };
    let query =
        state.map(|state| format!("{mark}{}", form::encode(&[("state".to_owned(), state)]))).unwrap_or_default();
    (StatusCode::SEE_OTHER, [(header::LOCATION, format!("{uri}{query}"))]).into_response()
}

impl<'f> Request<'f> {
    fn read(provider: &Provider, form: &'f Form) -> Result<Self, &'static str> {
        let one = |name| form.one(name).map_err(|Repeated| "A parameter came twice.");
        let hint = match one("id_token_hint")? {
            None => None,
            Some(token) => {
                let issued = lock(&provider.vault).id_token(token).cloned();
                Some(issued.ok_or("The id_token_hint is no ID token that was issued here.")?)
            }
        };
        let named = one("client_id")?;
        if let (Some(named), Some(hint)) = (named, &hint)
            && named != hint.client_id
        {
            return Err("The client_id is not the audience of the id_token_hint.");
        }
        let id = named.or_else(|| hint.as_ref().map(|hint| hint.client_id.as_str()));
        let client = id.map(|id| provider.client(id).ok_or("The client is not known.")).transpose()?;
        let back = match one("post_logout_redirect_uri")? {
            None => None,
            Some(uri) if client.is_some_and(|client| is_registered(client, uri)) => Some((uri, one("state")?)),
            Some(_) => return Err("The post_logout_redirect_uri is not registered."),
        };
        Ok(Self { hint, back })
    }
}

fn is_registered(client: &Client, uri: &str) -> bool {
    client.post_logout_redirect_uris.iter().any(|registered| registered == uri)
}
