//! The authorization request, read as strictly as the profile does (Core 3.1.2.1, RFC 7636 4.3).

use axum::response::Response;

use super::authorization_response::{self, Target};
use crate::{
    clients::Client,
    form::{Form, Repeated},
    profile::{AUTHELIA_ENTROPY, Profile},
    provider::Provider,
};

/// A request of a known client.
pub(super) struct AuthorizationRequest<'r> {
    pub(super) client: &'r Client,
    pub(super) target: Target<'r>,
    pub(super) scope: &'r str,
    pub(super) nonce: Option<&'r str>,
    pub(super) challenge: Option<&'r str>,
    pub(super) prompt: &'r str,
    pub(super) max_age: Option<i64>,
}

/// A request that cannot be granted.
pub(super) enum Refusal {
    /// Shown to the person, since there is no trustworthy redirect URI.
    Page(&'static str),
    /// Sent to the client.
    Client(Box<Response>),
}

impl From<Repeated> for Refusal {
    fn from(_: Repeated) -> Self {
        Self::Page("A parameter of the request came twice.")
    }
}

/// What the client is told (RFC 6749 4.1.2.1).
struct Refused {
    error: &'static str,
    description: String,
}

impl From<Repeated> for Refused {
    fn from(_: Repeated) -> Self {
        Self { error: "invalid_request", description: "A parameter came twice.".to_owned() }
    }
}

impl<'r> AuthorizationRequest<'r> {
    pub(super) fn read(provider: &'r Provider, form: &'r Form) -> Result<Self, Refusal> {
        let client = form
            .one("client_id")?
            .and_then(|id| provider.client(id))
            .ok_or(Refusal::Page("This application is not registered here."))?;
        let redirect_uri =
            form.one("redirect_uri")?
                .filter(|uri| client.may_return_to(uri, provider.config.profile))
                .ok_or(Refusal::Page("This application is not registered with the address it wants to return to."))?;
        let form_post = form.one("response_mode")? == Some("form_post");
        let target = Target { redirect_uri, form_post, state: form.one("state")? };
        Self::check(provider.config.profile, client, target, form).map_err(|Refused { error, description }| {
            Refusal::Client(Box::new(authorization_response::error(provider, target, error, &description)))
        })
    }

    /// Reads what the client can be told about, in the order of the profile's checks.
    fn check(profile: Profile, client: &'r Client, target: Target<'r>, form: &'r Form) -> Result<Self, Refused> {
        let refused = |error, description: &str| Err(Refused { error, description: description.to_owned() });
        if form.has_repetition() {
            return Err(Repeated.into());
        }
        if profile == Profile::Authelia && target.state.is_none_or(|state| state.len() < AUTHELIA_ENTROPY) {
            return refused("invalid_state", "The state is missing or has less than 8 characters.");
        }
        if form.one("response_type")? != Some("code") {
            return refused("unsupported_response_type", "Only the code flow is offered.");
        }
        if let Some(unknown) = form.one("response_mode")?.filter(|mode| !["query", "form_post"].contains(mode)) {
            return refused("invalid_request", &format!("The response_mode {unknown} is not offered."));
        }
        let scope = form.one("scope")?.unwrap_or_default();
        if let Some(unknown) = scope.split(' ').find(|asked| !client.scopes.iter().any(|scope| scope == asked)) {
            return refused("invalid_scope", &format!("The client is not allowed to request scope '{unknown}'."));
        }
        if !scope.split(' ').any(|asked| asked == "openid") {
            return refused("invalid_scope", "The scope openid is missing.");
        }
        let challenge = form.one("code_challenge")?;
        if challenge.is_some() && form.one("code_challenge_method")? != Some("S256") {
            return refused("invalid_request", "The code_challenge_method must be S256.");
        }
        if challenge.is_none() && client.require_pkce {
            return refused("invalid_request", "This client must use a code_challenge.");
        }
        let max_age = match form.one("max_age")?.map(str::parse) {
            Some(Err(_)) => return refused("invalid_request", "The max_age is not a number."),
            Some(Ok(seconds)) => Some(seconds),
            None => None,
        };
        let (nonce, prompt) = (form.one("nonce")?, form.one("prompt")?.unwrap_or_default());
        Ok(Self { client, target, scope, nonce, challenge, prompt, max_age })
    }
}
