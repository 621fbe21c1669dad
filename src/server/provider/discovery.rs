//! The discovery document and its checks (OpenID Connect Discovery 3 and 4.3, RFC 9207 3).
//!
//! Only the members used here are read; the others, and optional ones of the wrong type, are ignored (DI-17), where
//! `openidconnect::ProviderMetadata` would refuse the document or, for RFC 9207, drop the member.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use openidconnect::{
    EndpointNotSet, EndpointSet, JsonWebKeySet, TokenUrl,
    core::{CoreClient, CoreJwsSigningAlgorithm},
    url::Url,
};
use serde_json::{Map, Value};

use super::{
    authorization_request::RESERVED,
    client_registration::ClientRegistration,
    end_session::EndSession,
    endpoint_url::endpoint,
    fault::ProviderFault,
    http::{Endpoint, Http, ProviderResponse},
    source::{Schedule, Source},
    strict_json::Object,
};
use crate::server::{
    clock::System,
    ids::ProviderId,
    limits,
    log_text::{clip, clip_to},
};

/// Signature algorithms of ID tokens that we accept, where the provider lists them (docs/decisions/id-token.md).
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The members that are read here. One that is damaged is never taken for one that is not there.
const READ: [&str; 8] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    ALGORITHMS_LISTED,
    USERINFO_ALGORITHMS_LISTED,
    ISS_PROMISED,
];
const ALGORITHMS_LISTED: &str = "id_token_signing_alg_values_supported";
const USERINFO_ALGORITHMS_LISTED: &str = "userinfo_signing_alg_values_supported";
const ISS_PROMISED: &str = "authorization_response_iss_parameter_supported";

/// Where the document comes from.
pub(super) struct Discovery {
    pub(super) http: Arc<Http>,
    pub(super) url: Url,
    pub(super) registration: Arc<ClientRegistration>,
    pub(super) provider: ProviderId,
    pub(super) system: System,
    /// The log has it that sign-out there is not used: the metadata are read again and again.
    pub(super) warned: AtomicBool,
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
        Ok(metadata)
    }
}

impl Discovery {
    fn warn_of(&self, end_session: &EndSession) {
        if let EndSession::Unusable(why) = end_session
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                code = "end_session_not_used", provider = %self.provider, detail = clip(why),
                "sign-out at the provider is not used, so signing out ends the session here alone"
            );
        }
    }
}

/// Makes token requests.
pub(super) type Client = CoreClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// A discovery document that passed every check.
pub(super) struct Metadata {
    pub(super) client: Client,
    pub(super) authorization_endpoint: Url,
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
        let end_session = EndSession::read(document, registration.plain_http);
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
        let token = endpoint("token_endpoint")?;
        let jwks_uri = endpoint("jwks_uri")?;
        let userinfo_endpoint = match document.get("userinfo_endpoint") {
            None | Some(Value::Null) => None,
            Some(_) => Some(endpoint("userinfo_endpoint")?),
        };

        let client =
            CoreClient::new(registration.client_id.clone(), registration.issuer.clone(), JsonWebKeySet::default())
                .set_token_uri(TokenUrl::from_url(token))
                .set_redirect_uri(registration.redirect_uri.clone())
                .set_auth_type(registration.authentication.auth_type.clone());
        let client = match &registration.authentication.secret {
            Some(secret) => client.set_client_secret(secret.clone()),
            None => client,
        };
        Ok(Self {
            client,
            authorization_endpoint: authorization,
            jwks_uri,
            userinfo_endpoint,
            end_session,
            algorithms: algorithms(document)?,
            userinfo_algorithms: userinfo_algorithms(document),
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

/// The listed signature algorithms that we accept; RS256 if none is listed (Core 3.1.3.7, 7).
fn algorithms(document: &Map<String, Value>) -> Result<Vec<CoreJwsSigningAlgorithm>, String> {
    let Some(listed) = document.get(ALGORITHMS_LISTED).and_then(Value::as_array) else {
        return Ok(vec![CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256]);
    };
    let accepted = accepted(listed);
    if accepted.is_empty() {
        let listed: Vec<_> = listed.iter().filter_map(Value::as_str).collect();
        let listed = clip_to(&listed.join(" "), 80);
        return Err(format!("{ALGORITHMS_LISTED} has no algorithm that we accept (RS256 is the usual one): {listed}"));
    }
    Ok(accepted)
}

fn userinfo_algorithms(document: &Map<String, Value>) -> Vec<CoreJwsSigningAlgorithm> {
    document
        .get(USERINFO_ALGORITHMS_LISTED)
        .and_then(Value::as_array)
        .map(|listed| accepted(listed))
        .unwrap_or_default()
}

fn accepted(listed: &[Value]) -> Vec<CoreJwsSigningAlgorithm> {
    listed
        .iter()
        .filter_map(|name| serde_json::from_value(name.clone()).ok())
        .filter(|algorithm| ALGORITHMS.contains(algorithm))
        .collect()
}
