//! The provider side: discovery and keys, the HTTP client, the code for tokens, the tokens for a verified person.
//! `openidconnect` stays in here; nothing here knows users, sessions or the store.
//!
//! A sign-in reads: `Provider::authorization_url`, then `Provider::check_response_issuer`, then `Provider::redeem`,
//! which is token request -> ID token -> userinfo. A logout reads `Providers::check_logout_token`. The checks that the crate does not make are in the files below.

/// Signature algorithms.
mod algorithms;
/// The authentication request.
mod authorization_request;
/// Whether a provider can be used.
mod availability;
/// Its documents in memory.
mod cache;
/// How many exchanges run at the same time.
mod capacity;
/// No token requests to a provider that does not respond to them.
pub mod circuit_breaker;
/// The claims that we read.
mod claims;
/// The assertion that proves who we are.
mod client_assertion;
/// How we authenticate at the token endpoint.
mod client_auth;
/// What the operator registered.
mod client_registration;
/// Compressed answers.
mod content_coding;
/// The discovery document and its checks.
mod discovery;
/// Sign-out at the provider.
mod end_session;
/// What an endpoint has to be.
mod endpoint_url;
/// What can go wrong, with code and description.
mod fault;
/// When a document is fetched, and when it is too old.
mod freshness;
/// What `make fuzz` tries of it.
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
/// The HTTP client, with limits on time and size.
mod http;
/// The checks of an ID token.
mod id_token;
/// The signing keys.
mod jwks;
/// The checks of any signed token.
mod jwt;
/// What the metadata list.
mod listed;
/// The checks of a logout token.
mod logout_token;
/// One configured provider.
mod openid_provider;
/// An outage, for the log.
mod outage;
/// Parameters of requests.
mod parameter;
/// Authorization requests that the provider gets from us.
mod pushed_request;
/// From the code to a verified person.
mod redeem;
/// What a provider says where it refuses.
mod refusal_words;
/// The input from the flow.
mod requests;
/// `Retry-After`.
mod retry_after;
/// All configured providers.
mod set;
/// Where a document comes from.
mod source;
/// JSON without duplicate members.
mod strict_json;
/// The root certificates that are trusted.
mod tls;
/// The token request.
mod token_request;
/// Userinfo.
mod userinfo;

pub use self::{
    authorization_request::{AuthorizationRequest, Prompt},
    availability::Availability,
    capacity::{ExchangePermit, QueueTicket},
    claims::{Authentication, Claims, VerifiedClaims},
    end_session::{EndSessionRequest, RawIdToken},
    fault::ProviderFault,
    logout_token::{Because, LogoutToken, Refused},
    openid_provider::Provider,
    requests::Redemption,
    set::Providers,
};
