//! The discovery document and its checks (OpenID Connect Discovery 3 and 4.3, RFC 9207 3).
//!
//! Only the members used here are read; the others, and optional ones of the wrong type, are ignored (DI-17), where
//! `openidconnect::ProviderMetadata` would refuse the document or, for RFC 9207, drop the member.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use openidconnect::{core::CoreJwsSigningAlgorithm, url::Url};
use serde_json::{Map, Value};

use super::{
    algorithms::{ALGORITHMS, named},
    authorization_request::RESERVED,
    client_registration::ClientRegistration,
    end_session::EndSession,
    endpoint_url::endpoint,
    fault::ProviderFault,
    http::{Endpoint, Http, ProviderResponse},
    listed::unlisted,
    source::{Schedule, Source},
    strict_json::Object,
};
use crate::server::{
    clock::System,
    ids::ProviderId,
    limits,
    log_text::{clip, clip_to},
    settings::ResponseMode,
};

/// The members that are read here. One that is damaged is never taken for one that is not there.
const READ: [&str; 10] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    ALGORITHMS_LISTED,
    USERINFO_ALGORITHMS_LISTED,
    ISS_PROMISED,
    PUSHED_ENDPOINT,
    PUSHED_REQUIRED,
];
const ALGORITHMS_LISTED: &str = "id_token_signing_alg_values_supported";
const USERINFO_ALGORITHMS_LISTED: &str = "userinfo_signing_alg_values_supported";
const ISS_PROMISED: &str = "authorization_response_iss_parameter_supported";
const PUSHED_ENDPOINT: &str = "pushed_authorization_request_endpoint";
const PUSHED_REQUIRED: &str = "require_pushed_authorization_requests";

/// Where the document comes from.
pub(super) struct Discovery {
    pub(super) http: Arc<Http>,
    pub(super) url: Url,
    pub(super) registration: Arc<ClientRegistration>,
    pub(super) provider: ProviderId,
    pub(super) system: System,
    pub(super) warned: Warned,
}

/// What the log has already: the metadata are read again and again.
#[derive(Default)]
pub(super) struct Warned {
    end_session: AtomicBool,
    response_mode: AtomicBool,
    acr_values: AtomicBool,
}

impl Source for Discovery {
    type Document = Metadata;
    const NAME: &'static str = "discovery";
    const SCHEDULE: Schedule = Schedule {
        refresh: limits::DISCOVERY_REFRESH,
        max_age: limits::DISCOVERY_MAX_AGE,
        stale: limits::DISCOVERY_STALE,
    };

    async fn fetch(&self) -> Result<Metadata, ProviderFault> {
        let response = self.http.document(Endpoint::Discovery, &self.url, self.system.now()).await;
        // JSON that is no such document is the provider's own; a page may be of something in front of it, and pass.
        let is_json = response.as_ref().is_ok_and(ProviderResponse::is_json);
        let document = response.and_then(|response| response.object()).map_err(|fault| match fault {
            // The operator may have named another page than they think.
            ProviderFault::BadAnswer { endpoint, detail } => {
                let detail = clip(&format!("{detail}, at {}", self.url));
                if is_json { ProviderFault::Metadata(detail) } else { ProviderFault::BadAnswer { endpoint, detail } }
            }
            other => other,
        })?;
        let metadata = Metadata::check(&document, &self.registration)?;
        self.registration.authentication.warn_if_not_listed(&document.members, &self.provider);
        self.warn_of(&metadata.end_session);
        self.warn_of_request(&document.members);
        Ok(metadata)
    }
}

impl Discovery {
    fn warn_of(&self, end_session: &EndSession) {
        if let EndSession::Unusable(why) = end_session
            && !self.warned.end_session.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                code = "end_session_not_used", provider = %self.provider, detail = clip(why),
                "sign-out at the provider is not used, so signing out ends the session here alone"
            );
        }
    }

    /// What is set to be asked of each request, and not listed.
    fn warn_of_request(&self, metadata: &Map<String, Value>) {
        let (asked, warned) = (&self.registration.request, &self.warned);
        let form_post: &[&str] = if asked.response_mode == ResponseMode::FormPost { &["form_post"] } else { &[] };
        for (setting, listed, warned) in [
            ("response_mode", unlisted(metadata, "response_modes_supported", form_post), &warned.response_mode),
            ("acr_values", unlisted(metadata, "acr_values_supported", &asked.acr_values), &warned.acr_values),
        ] {
            if let Some(listed) = listed
                && !warned.swap(true, Ordering::Relaxed)
            {
                tracing::warn!(
                    code = "request_not_listed", provider = %self.provider, setting, listed,
                    "the provider does not list what it is asked for; set what it knows, if sign-ins fail"
                );
            }
        }
    }
}

/// A discovery document that passed every check.
pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    /// Where authorization requests are pushed, if they have to be.
    pub(super) pushed_endpoint: Option<Url>,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) end_session: EndSession,
    /// Of ID tokens; never empty.
    pub(super) algorithms: Vec<CoreJwsSigningAlgorithm>,
    /// Of signed userinfo; empty where the provider says nothing of it.
    pub(super) userinfo_algorithms: Vec<CoreJwsSigningAlgorithm>,
    /// Every authorization response carries `iss` (RFC 9207).
    pub(super) promises_iss: bool,
}

impl Metadata {
    /// Checks `document`.
    pub(super) fn check(document: &Object, registration: &ClientRegistration) -> Result<Self, ProviderFault> {
        Self::read(document, registration).map_err(|what| ProviderFault::Metadata(clip(&what)))
    }

    fn read(document: &Object, registration: &ClientRegistration) -> Result<Self, String> {
        if let Some(name) = document.damaged.iter().find(|name| READ.contains(&name.as_str())) {
            return Err(format!("`{name}` cannot be read"));
        }
        let end_session = match registration.end_session {
            true => EndSession::read(document, registration.plain_http),
            false => EndSession::NotOffered,
        };
        let document = &document.members;
        let issuer = text(document, "issuer")?;
        if issuer != registration.issuer.as_str() {
            return Err(format!(
                "it is of issuer `{issuer}`, settings say `{}`; they must be equal to the last character",
                registration.issuer.as_str()
            ));
        }
        let endpoint = |member| endpoint(member, text(document, member)?, registration.plain_http);
        let authorization = endpoint("authorization_endpoint")?;
        if let Some((name, _)) = authorization.query_pairs().find(|(name, _)| RESERVED.contains(&name.as_ref())) {
            return Err(format!("authorization_endpoint has a parameter `{name}` of its own"));
        }
        let pushed = registration.pushed_requests || document.get(PUSHED_REQUIRED) == Some(&Value::Bool(true));
        let jwks_uri = endpoint("jwks_uri")?;
        let userinfo_endpoint = match document.get("userinfo_endpoint") {
            None | Some(Value::Null) => None,
            Some(_) => Some(endpoint("userinfo_endpoint")?),
        };

        Ok(Self {
            authorization_endpoint: authorization,
            pushed_endpoint: pushed.then(|| endpoint(PUSHED_ENDPOINT)).transpose()?,
            token_endpoint: endpoint("token_endpoint")?,
            jwks_uri,
            userinfo_endpoint,
            end_session,
            algorithms: algorithms(document, &registration.id_token_algorithms)?,
            userinfo_algorithms: userinfo_algorithms(document, &registration.userinfo_algorithms),
            promises_iss: document.get(ISS_PROMISED) == Some(&Value::Bool(true)),
        })
    }
}

fn text<'d>(document: &'d Map<String, Value>, member: &str) -> Result<&'d str, String> {
    match document.get(member) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("{member} is not a string")),
        None => Err(format!("{member} is missing")),
    }
}

/// The listed signature algorithms that we accept, and of those the registered ones; if none is listed, the registered
/// ones, which are RS256 unless the operator says otherwise (Core 3.1.3.7, 7).
fn algorithms(
    document: &Map<String, Value>,
    registered: &[CoreJwsSigningAlgorithm],
) -> Result<Vec<CoreJwsSigningAlgorithm>, String> {
    let Some(listed) = document.get(ALGORITHMS_LISTED).and_then(Value::as_array) else {
        let usual = [CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256];
        return Ok(if registered.is_empty() { usual.into() } else { registered.into() });
    };
    let mut accepted = accepted(listed);
    if accepted.is_empty() {
        let listed: Vec<_> = listed.iter().filter_map(Value::as_str).collect();
        let listed = clip_to(&listed.join(" "), 80);
        return Err(format!("{ALGORITHMS_LISTED} has no algorithm that we accept (RS256 is the usual one): {listed}"));
    }
    accepted.retain(|algorithm| registered.is_empty() || registered.contains(algorithm));
    if accepted.is_empty() {
        return Err(format!("{ALGORITHMS_LISTED} has none of id_token_signed_response_alg"));
    }
    Ok(accepted)
}

fn userinfo_algorithms(
    document: &Map<String, Value>,
    registered: &[CoreJwsSigningAlgorithm],
) -> Vec<CoreJwsSigningAlgorithm> {
    if !registered.is_empty() {
        return registered.into();
    }
    document
        .get(USERINFO_ALGORITHMS_LISTED)
        .and_then(Value::as_array)
        .map(|listed| accepted(listed))
        .unwrap_or_default()
}

fn accepted(listed: &[Value]) -> Vec<CoreJwsSigningAlgorithm> {
    let named = listed.iter().filter_map(|name| named(name.as_str()?));
    named.filter(|algorithm| ALGORITHMS.contains(algorithm)).collect()
}
