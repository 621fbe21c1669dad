//! The issuer, and where its endpoints are.

use url::Url;

use crate::{endpoint::Endpoint, error::ProviderError, profile::Profile};

/// Where the provider says it is.
pub(crate) struct Issuer {
    pub(crate) url: String,
    /// The URL without its path.
    pub(crate) origin: String,
    /// Empty, or `/` and more, without a last `/`.
    pub(crate) path: String,
    pub(crate) paths: Paths,
}

/// Where the endpoints are.
pub(crate) struct Paths {
    pub(crate) discovery: String,
    pub(crate) jwks: String,
    pub(crate) authorize: String,
    pub(crate) login: String,
    pub(crate) pushed: String,
    pub(crate) token: String,
    pub(crate) userinfo: String,
    pub(crate) end_session: String,
}

impl Issuer {
    pub(crate) fn new(url: String, profile: Profile) -> Result<Self, ProviderError> {
        let parsed = Url::parse(&url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let Some(parsed) = parsed else { return Err(ProviderError::Issuer(url)) };
        let path = parsed.path().trim_end_matches('/').to_owned();
        let at = |end: &str| format!("{path}{end}");
        let [jwks, authorize, pushed, token, userinfo] = match profile {
            Profile::Standard => ["/jwks", "/authorize", "/par", "/token", "/userinfo"],
            Profile::Authelia => [
                "/jwks.json",
                "/api/oidc/authorization",
                "/api/oidc/pushed-authorization-request",
                "/api/oidc/token",
                "/api/oidc/userinfo",
            ],
        }
        .map(at);
        let paths = Paths {
            discovery: at("/.well-known/openid-configuration"),
            jwks,
            authorize,
            login: at("/login"),
            pushed,
            token,
            userinfo,
            end_session: at("/end-session"),
        };
        Ok(Self { origin: parsed.origin().ascii_serialization(), path, paths, url })
    }

    pub(crate) fn authority(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The endpoint behind a request's path.
    pub(crate) fn endpoint(&self, path: &str) -> Endpoint {
        let known = |endpoint: &Endpoint| *endpoint != Endpoint::Other && self.path_of(*endpoint) == path;
        Endpoint::ALL.into_iter().find(known).unwrap_or(Endpoint::Other)
    }

    /// The full URL of an endpoint.
    pub(crate) fn url_of(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.origin, self.path_of(endpoint))
    }

    fn path_of(&self, endpoint: Endpoint) -> &str {
        match endpoint {
            Endpoint::Discovery => &self.paths.discovery,
            Endpoint::Jwks => &self.paths.jwks,
            Endpoint::Authorize => &self.paths.authorize,
            Endpoint::Login => &self.paths.login,
            Endpoint::Pushed => &self.paths.pushed,
            Endpoint::Token => &self.paths.token,
            Endpoint::Userinfo => &self.paths.userinfo,
            Endpoint::EndSession => &self.paths.end_session,
            Endpoint::Other => &self.path,
        }
    }
}
