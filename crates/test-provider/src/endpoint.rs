//! Where requests go, and which JSON comes back.

use serde::{Deserialize, Serialize};

/// Where a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/.well-known/openid-configuration`.
    Discovery,
    /// The key set.
    Jwks,
    /// The authorization endpoint.
    Authorize,
    /// Where the login form goes.
    Login,
    /// Where authorization requests are pushed.
    Pushed,
    /// The token endpoint.
    Token,
    /// The userinfo endpoint.
    Userinfo,
    /// The end session endpoint, where it is offered.
    EndSession,
    /// Anything else.
    Other,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 9] = [
        Self::Discovery,
        Self::Jwks,
        Self::Authorize,
        Self::Login,
        Self::Pushed,
        Self::Token,
        Self::Userinfo,
        Self::EndSession,
        Self::Other,
    ];
}

/// A JSON response that can be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    /// The provider's metadata.
    Discovery,
    /// The key set.
    Jwks,
    /// The response to a pushed request, errors too.
    Pushed,
    /// The token endpoint's response, errors too.
    Token,
    /// The claims at userinfo.
    Userinfo,
    /// The payload of a JWT access token.
    AccessToken,
}
