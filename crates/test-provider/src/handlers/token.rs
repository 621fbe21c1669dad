//! The token endpoint (RFC 6749 4.1.3, Core 3.1.3).

use std::{net::SocketAddr, sync::Arc};

use axum::{Extension, body::Bytes, extract::State, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    assertion,
    clients::{Client, Presented},
    endpoint::{Document, Endpoint},
    form::{Form, Repeated},
    jwt,
    keys::{KeyName, encode},
    lock::lock,
    people::DemoPerson,
    profile::{AUTHELIA_ENTROPY, Profile},
    provider::Provider,
    reply::json_text,
    rules::{Edit, Members, render},
    vault::{AccessToken, CODE_LIFE, Code, Grant, IssuedIdToken, TOKEN_LIFE},
};

/// Bytes of the incident's access token.
const HEAVY: usize = 64 * 1024;

/// An error of RFC 6749 5.2, or one of Authelia's own.
pub(super) struct Refused {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl Refused {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description: description.into() }
    }

    fn client(description: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, ..Self::new("invalid_client", description) }
    }

    fn grant(description: &str) -> Self {
        Self::new("invalid_grant", description)
    }

    pub(super) fn response(&self, edits: &[Edit]) -> Response {
        let members = Members::from_iter([
            ("error".to_owned(), json!(self.error)),
            ("error_description".to_owned(), json!(self.description)),
        ]);
        json_text(self.status, render(members, edits))
    }
}

pub(crate) async fn token(
    State(provider): State<Arc<Provider>>,
    Extension(peer): Extension<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = provider.refuse_by_rate(peer.ip()) {
        return refusal;
    }
    tokio::time::sleep(provider.config.token_delay).await;
    let edits = provider.rules.edits(Document::Token);
    match redeem(&provider, &headers, &Form::parse(&body)) {
        Ok(members) => json_text(StatusCode::OK, render(members, &edits)),
        Err(refused) => {
            provider.failed(peer.ip());
            let mut response = refused.response(&edits);
            let basic = headers.contains_key(header::AUTHORIZATION);
            if refused.status == StatusCode::UNAUTHORIZED && basic && provider.config.profile == Profile::Standard {
                let challenge = HeaderValue::from_static("Basic realm=\"demo\", charset=\"UTF-8\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

fn redeem(provider: &Provider, headers: &HeaderMap, form: &Form) -> Result<Members, Refused> {
    let malformed = |_| Refused::new("invalid_request", "A parameter came twice, or two ways to authenticate at once.");
    if form.has_repetition() {
        return Err(Refused::new("invalid_request", "A parameter came twice."));
    }
    let client = authenticate(provider, headers, form, Endpoint::Token)?;
    match form.one("grant_type").map_err(malformed)? {
        Some("authorization_code") => {}
        Some(_) => return Err(Refused::new("unsupported_grant_type", "Only authorization_code is offered.")),
        None => return Err(Refused::new("invalid_request", "The grant_type is missing.")),
    }
    let missing = || Refused::new("invalid_request", "The code is missing.");
    let code = form.one("code").map_err(malformed)?.ok_or_else(missing)?;
    let redirect_uri = form.one("redirect_uri").map_err(malformed)?;
    let verifier = form.one("code_verifier").map_err(malformed)?;
    let grant = spend(provider, client, code, redirect_uri, verifier)?;
    if provider.config.profile == Profile::Authelia
        && grant.nonce.as_ref().is_some_and(|nonce| nonce.len() < AUTHELIA_ENTROPY)
    {
        return Err(Refused::new("insufficient_entropy", "The nonce has less than 8 characters."));
    }
    let gone = || Refused::grant("The person is not known any more.");
    let person = provider.person(&grant.username).ok_or_else(gone)?;
    Ok(issue(provider, client, person, &grant, code))
}

pub(super) fn authenticate<'p>(
    provider: &'p Provider,
    headers: &HeaderMap,
    form: &Form,
    endpoint: Endpoint,
) -> Result<&'p Client, Refused> {
    let malformed = |_| Refused::new("invalid_request", "There are two ways to authenticate in one request.");
    let unknown = || Refused::client("The client is not known.");
    if let Some(given) = form.one("client_assertion").map_err(malformed)? {
        if form.one("client_assertion_type").map_err(malformed)? != Some(assertion::TYPE) {
            return Err(Refused::new("invalid_request", "The client_assertion_type is not known."));
        }
        if headers.contains_key(header::AUTHORIZATION) || form.one("client_secret").map_err(malformed)?.is_some() {
            return Err(malformed(Repeated));
        }
        let id = assertion::subject(given).ok_or_else(unknown)?;
        if form.one("client_id").map_err(malformed)?.is_some_and(|named| named != id) {
            return Err(Refused::client("The client_id is not that of the assertion."));
        }
        let client = provider.client(&id).ok_or_else(unknown)?;
        // A careless provider repeats it.
        let refused = |why| Refused::client(format!("The assertion {given} is refused. {why}"));
        assertion::verify(provider, client, given, endpoint).map_err(refused)?;
        return Ok(client);
    }
    let presented = Presented::read(headers, form)
        .map_err(malformed)?
        .ok_or_else(|| Refused::client("Client authentication is missing or unreadable."))?;
    let client = provider.client(&presented.id).ok_or_else(unknown)?;
    presented.proves(client).map_err(Refused::client)?;
    Ok(client)
}

/// Uses up the code if all is right or the verifier is wrong; anything else leaves it valid.
fn spend(
    provider: &Provider,
    client: &Client,
    code: &str,
    redirect_uri: Option<&str>,
    verifier: Option<&str>,
) -> Result<Grant, Refused> {
    let mut vault = lock(&provider.vault);
    let (grant, issued_at) = match vault.codes.get(code) {
        None => return Err(Refused::grant("The code is not known.")),
        Some(Code::Redeemed { access_token, .. }) => {
            // RFC 6749 4.1.2: the tokens issued for it may have been stolen.
            if let Some(token) = access_token.clone() {
                vault.revoke(&token);
            }
            return Err(Refused::grant("The code was used before."));
        }
        Some(Code::Fresh { grant, issued_at }) => (grant.clone(), *issued_at),
    };
    if grant.client_id != client.id {
        return Err(Refused::grant("The code was issued to another client."));
    }
    if provider.now() - issued_at >= CODE_LIFE {
        return Err(Refused::grant("The code is older than 60 seconds."));
    }
    if redirect_uri != Some(&grant.redirect_uri) {
        return Err(Refused::grant("The redirect_uri is not that of the authorization request."));
    }
    let verified = match (&grant.challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            (43..=128).contains(&verifier.len()) && *challenge == encode(&Sha256::digest(verifier))
        }
        // A verifier without a challenge: an attacker removed the challenge (RFC 9700 4.8.2).
        (Some(_), None) | (None, Some(_)) => false,
    };
    vault.codes.insert(code.to_owned(), Code::Redeemed { access_token: None, issued_at });
    if verified { Ok(grant) } else { Err(Refused::grant("The code_verifier does not fit the code_challenge.")) }
}

fn issue(provider: &Provider, client: &Client, person: &DemoPerson, grant: &Grant, code: &str) -> Members {
    let heavy = provider.rules.heavy_tokens() || person.is_incident();
    let now = provider.now();
    let access_token = access_token(provider, client, person, grant, heavy);
    {
        let mut vault = lock(&provider.vault);
        vault.issue_token(
            access_token.clone(),
            AccessToken {
                client_id: client.id.clone(),
                username: person.username.clone(),
                scope: grant.scope.clone(),
                issued_at: now,
                heavy,
            },
        );
        if let Some(Code::Redeemed { access_token: given, .. }) = vault.codes.get_mut(code) {
            *given = Some(access_token.clone());
        }
    }
    let edits = provider.rules.id_token();
    let key = if heavy { KeyName::Rsa4096 } else { client.id_token_alg.key() };
    let claims = id_token_claims(provider, client, person, grant, &access_token, heavy);
    let payload = render(claims, edits.iter().map(|edit| &edit.claims));
    let id_token = jwt::edited(&provider.keys, key, client.secret(), &payload, &edits);
    let issued = IssuedIdToken { client_id: client.id.clone(), username: person.username.clone(), issued_at: now };
    lock(&provider.vault).issue_id_token(id_token.clone(), issued);
    let authelia = provider.config.profile == Profile::Authelia;
    let mut members: Vec<(&str, Value)> = vec![
        ("access_token", json!(access_token)),
        ("token_type", json!(if authelia { "bearer" } else { "Bearer" })),
        // Authelia has lost a second by then.
        ("expires_in", json!(TOKEN_LIFE.whole_seconds() - i64::from(authelia))),
        ("scope", json!(grant.scope)),
        ("id_token", json!(id_token)),
    ];
    if heavy {
        // Given for its weight; it cannot be redeemed here.
        members.push(("refresh_token", json!(provider.opaque("authelia_rt_"))));
    }
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn access_token(provider: &Provider, client: &Client, person: &DemoPerson, grant: &Grant, heavy: bool) -> String {
    if !heavy {
        return provider.opaque("authelia_at_");
    }
    let now = provider.now().unix_timestamp();
    let claims = json!({
        "iss": provider.issuer.url, "sub": person.sub, "aud": [], "client_id": client.id, "scope": grant.scope,
        "iat": now, "nbf": now, "exp": now + TOKEN_LIFE.whole_seconds(), "jti": provider.random_text(),
        "groups": person.groups,
    });
    let claims = claims.as_object().cloned().unwrap_or_default();
    jwt::access_token(&provider.keys, KeyName::Rsa4096, claims, &provider.rules.edits(Document::AccessToken), HEAVY)
}

fn id_token_claims(
    provider: &Provider,
    client: &Client,
    person: &DemoPerson,
    grant: &Grant,
    access_token: &str,
    heavy: bool,
) -> Members {
    let authelia = provider.config.profile == Profile::Authelia;
    let now = provider.now().unix_timestamp();
    // The left half of the hash (Core 3.1.3.6).
    let at_hash: Vec<u8> = Sha256::digest(access_token).into_iter().take(16).collect();
    let mut claims: Vec<(&str, Value)> = vec![
        ("iss", json!(provider.issuer.url)),
        ("sub", json!(person.sub)),
        ("aud", if authelia { json!([client.id]) } else { json!(client.id) }),
        ("at_hash", json!(encode(&at_hash))),
        ("auth_time", json!(grant.signed_in_at.unix_timestamp())),
        ("iat", json!(now)),
        ("exp", json!(now + TOKEN_LIFE.whole_seconds())),
    ];
    claims.extend(grant.nonce.as_ref().map(|nonce| ("nonce", json!(nonce))));
    if authelia {
        claims.extend([
            ("azp", json!(client.id)),
            ("amr", json!(["pwd", "kba"])),
            ("jti", json!(provider.random_text())),
        ]);
    }
    let own = claims.into_iter().map(|(name, value)| (name.to_owned(), value));
    let of_person = if heavy {
        person.claims(|_| true)
    } else if authelia {
        Members::new()
    } else {
        person.claims(|scope| grant.scope.split(' ').any(|granted| granted == scope))
    };
    own.chain(of_person).collect()
}
