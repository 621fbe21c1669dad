//! Where authorization requests are pushed (RFC 9126).

use std::sync::Arc;

use axum::{body::Bytes, extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{
    authorization_request::{AuthorizationRequest, Refusal},
    token::{Refused, authenticate},
};
use crate::{
    endpoint::{Document, Endpoint},
    form::{self, Form},
    lock::lock,
    provider::Provider,
    reply::json_text,
    rules::{Members, render},
};

const URN: &str = "urn:ietf:params:oauth:request_uri:";

pub(crate) async fn push(State(provider): State<Arc<Provider>>, headers: HeaderMap, body: Bytes) -> Response {
    let edits = provider.rules.edits(Document::Pushed);
    match keep(&provider, &headers, &Form::parse(&body)) {
        Ok(members) => json_text(StatusCode::CREATED, render(members, &edits)),
        Err(refused) => refused.response(&edits),
    }
}

fn keep(provider: &Provider, headers: &HeaderMap, form: &Form) -> Result<Members, Refused> {
    let client = authenticate(provider, headers, form, Endpoint::Pushed)?;
    if form.one("client_id").ok().flatten() != Some(&client.id) || form.one("request_uri").ok().flatten().is_some() {
        return Err(Refused::new("invalid_request", "The client_id is another, or there is a request_uri."));
    }
    let proof = ["client_secret", "client_assertion", "client_assertion_type"];
    let pairs: Vec<_> = form.clone().into_pairs().into_iter().filter(|(name, _)| !proof.contains(&&**name)).collect();
    let raw = form::encode(&pairs);
    match AuthorizationRequest::read(provider, &Form::parse(raw.as_bytes())) {
        Ok(_) => {}
        Err(Refusal::Page(reason)) => return Err(Refused::new("invalid_request", reason)),
        Err(Refusal::Client(_)) => return Err(Refused::new("invalid_request", "The request cannot be granted.")),
    }
    let reference = format!("{URN}{}", provider.random_text());
    lock(&provider.vault).pushed.insert(reference.clone(), raw);
    Ok(Members::from_iter([("request_uri".to_owned(), json!(reference)), ("expires_in".to_owned(), json!(60))]))
}

/// What was pushed, in place of the reference to it, which counts once. A request that is none of both is refused.
pub(super) fn resolve(provider: &Provider, raw: String) -> Result<String, &'static str> {
    let form = Form::parse(raw.as_bytes());
    let client = form.one("client_id").ok().flatten().and_then(|id| provider.client(id));
    let Some(reference) = form.one("request_uri").ok().flatten() else {
        return match client {
            Some(client) if client.require_pushed => Err("This client has to push its requests."),
            _ => Ok(raw),
        };
    };
    let Some(pushed) = lock(&provider.vault).pushed.remove(reference) else {
        return Err("The request is not known.");
    };
    let its = Form::parse(pushed.as_bytes());
    if its.one("client_id").ok().flatten() != client.map(|client| client.id.as_str()) {
        return Err("The request is another client's.");
    }
    Ok(pushed)
}
