//! The userinfo endpoint (Core 5.3).

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;

use crate::{
    clients::Client,
    endpoint::Document,
    form::Form,
    jwt,
    keys::KeyName,
    lock::lock,
    profile::Profile,
    provider::Provider,
    reply::json_text,
    rules::{JwtEdit, render},
};

pub(crate) async fn userinfo(
    State(provider): State<Arc<Provider>>,
    Extension(peer): Extension<SocketAddr>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = provider.refuse_by_rate(peer.ip()) {
        return refusal;
    }
    let now = provider.now();
    let form = if method == Method::POST { Form::parse(&body) } else { Form::default() };
    let presented = bearer(&headers).or_else(|| form.one("access_token").ok().flatten());
    let token = presented.and_then(|text| lock(&provider.vault).token(text, now).cloned());
    let Some((token, person)) = token.and_then(|token| provider.person(&token.username).map(|person| (token, person)))
    else {
        provider.failed(peer.ip());
        return refuse(provider.config.profile, presented.is_some());
    };
    let mut claims = person.claims(|scope| token.heavy || token.scope.split(' ').any(|granted| granted == scope));
    claims.insert("sub".to_owned(), json!(person.sub));
    if provider.config.profile == Profile::Authelia {
        claims.insert("rat".to_owned(), json!(token.issued_at.unix_timestamp()));
    }
    let client = provider.client(&token.client_id);
    let registered = client.is_some_and(|client| client.userinfo_signed);
    let signed = provider.rules.signed_userinfo().or_else(|| registered.then(JwtEdit::default));
    let mut edits = provider.rules.edits(Document::Userinfo);
    let Some(edit) = signed else { return json_text(StatusCode::OK, render(claims, &edits)) };
    edits.push(edit.claims.clone());
    let secret = client.and_then(Client::secret);
    let jwt = jwt::edited(&provider.keys, KeyName::Rsa2048, secret, &render(claims, &edits), &[edit]);
    ([(header::CONTENT_TYPE, "application/jwt"), (header::CACHE_CONTROL, "no-store")], jwt).into_response()
}

/// RFC 6750 3.1, or what Authelia was seen to say.
fn refuse(profile: Profile, presented: bool) -> Response {
    let challenge = match (profile, presented) {
        (Profile::Authelia, _) => "Bearer error=\"request_unauthorized\"",
        (Profile::Standard, true) => "Bearer error=\"invalid_token\"",
        (Profile::Standard, false) => "Bearer",
    };
    let mut response = json_text(StatusCode::UNAUTHORIZED, "{}".to_owned());
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
