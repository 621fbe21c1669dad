//! What can go wrong at or with a provider. Every text in here is for the log and the trace, never for the page; what
//! the provider or the network said is clipped and escaped where the fault is made.

use std::time::Duration;

use crate::server::log_text::clip;

/// What can go wrong at or with a provider.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderFault {
    /// No connection, or it broke before the response was complete.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It was not asked: requests of the same client already wait for it, and this one would not be answered in time.
    #[error("other pushed requests of this client already wait for its answer")]
    NoPlace,
    /// We could not even try: this process or its machine has too many open files.
    #[error("this process has too many open files: {0}")]
    NoDescriptor(String),
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// No complete response in time.
    #[error("no complete response in time: {0}")]
    Slow(String),
    /// Status 5xx.
    #[error("answered {status} at {endpoint}{}", after(said))]
    ServerError {
        /// `discovery`, `keys`, `pushed_authorization_request`, `token`, `userinfo`
        endpoint: &'static str,
        /// The HTTP status.
        status: u16,
        /// What the provider said about it.
        said: Option<String>,
    },
    /// HTML, a wrong content type, a malformed or oversized body, an unexpected status.
    #[error("unusable response at {endpoint}: {detail}")]
    BadAnswer {
        /// `discovery`, `keys`, `pushed_authorization_request`, `token`, `userinfo`
        endpoint: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A 4xx of the token endpoint that is no error response (RFC 6749 5.2).
    #[error("{detail}")]
    Refused {
        /// The status, and what is wrong with the body.
        detail: String,
    },
    /// The discovery document is not acceptable (another issuer, an endpoint missing or not https, …).
    #[error("metadata: {0}")]
    Metadata(String),
    /// The key set cannot be used.
    #[error("keys: {0}")]
    Keys(String),
    /// Status 429 that cannot be waited out.
    #[error("answered 429, {}{}", wait(retry_after), after(said))]
    Busy {
        /// `Retry-After`, where it was sent and is at most an hour.
        retry_after: Option<Duration>,
        /// What the provider said about it.
        said: Option<String>,
    },
    /// `invalid_grant`: the code was used before, is too old, or is not ours.
    #[error("refused the code: {0}")]
    CodeRefused(String),
    /// `invalid_client` or 401: our client id, secret or authentication method is wrong.
    #[error("refused the client ({method}): {detail}")]
    ClientRefused {
        /// The authentication method, by its registered name.
        method: &'static str,
        /// What the provider said.
        detail: String,
    },
    /// The provider does not take the authorization request that we pushed.
    #[error("refused the authorization request: {0}")]
    RequestRefused(String),
    /// Another error of the token endpoint.
    #[error("refused the token request: {0}")]
    TokenRefused(String),
    /// A required member of the token response is missing or invalid.
    #[error("token response: {0}")]
    TokenResponse(String),
    /// The ID token fails a check.
    #[error("ID token: {0}")]
    IdToken(String),
    /// `acr` of the ID token is none of those that were asked for.
    #[error("ID token: {0}")]
    TooWeak(String),
    /// There is no userinfo response to use.
    #[error("userinfo unavailable: {0}")]
    UserinfoUnavailable(String),
    /// The userinfo response fails a check (another subject, …).
    #[error("userinfo: {0}")]
    UserinfoInvalid(String),
    /// `iss` of the authorization response is another issuer, or is missing where it is promised (RFC 9207).
    #[error("authorization response from another issuer")]
    IssuerMismatch,
}

impl ProviderFault {
    /// The stable code, as in the log, the trace and on the page.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "provider_unreachable",
            Self::NoPlace => "busy",
            Self::NoDescriptor(_) => "internal",
            Self::Tls(_) => "provider_tls",
            Self::Slow(_) => "provider_slow",
            Self::ServerError { .. } => "provider_server_error",
            Self::BadAnswer { .. } | Self::Refused { .. } => "provider_bad_answer",
            Self::Metadata(_) => "provider_metadata",
            Self::Keys(_) => "provider_keys",
            Self::Busy { .. } => "provider_busy",
            Self::CodeRefused(_) => "code_refused",
            Self::ClientRefused { .. } => "client_refused",
            Self::RequestRefused(_) => "provider_refused_request",
            Self::TokenRefused(_) => "token_refused",
            Self::TokenResponse(_) => "token_response_invalid",
            Self::IdToken(_) => "id_token_invalid",
            Self::TooWeak(_) => "authentication_too_weak",
            Self::UserinfoUnavailable(_) => "userinfo_unavailable",
            Self::UserinfoInvalid(_) => "userinfo_invalid",
            Self::IssuerMismatch => "issuer_mismatch",
        }
    }

    /// One line for the trace of an attempt: the endpoint, the status, and what the provider said about it, as far as
    /// there were any.
    #[must_use]
    pub fn detail(&self) -> String {
        clip(&self.to_string())
    }

    /// The same, with everything that the provider said as `hide` leaves it.
    pub(super) fn hiding(mut self, hide: impl Fn(String) -> String) -> Self {
        let said = match &mut self {
            Self::Unreachable(said)
            | Self::NoDescriptor(said)
            | Self::Tls(said)
            | Self::Slow(said)
            | Self::BadAnswer { detail: said, .. }
            | Self::Refused { detail: said }
            | Self::Metadata(said)
            | Self::Keys(said)
            | Self::CodeRefused(said)
            | Self::ClientRefused { detail: said, .. }
            | Self::RequestRefused(said)
            | Self::TokenRefused(said)
            | Self::TokenResponse(said)
            | Self::IdToken(said)
            | Self::TooWeak(said)
            | Self::UserinfoUnavailable(said)
            | Self::UserinfoInvalid(said) => Some(said),
            Self::ServerError { said, .. } | Self::Busy { said, .. } => said.as_mut(),
            Self::NoPlace | Self::IssuerMismatch => None,
        };
        if let Some(said) = said {
            *said = hide(std::mem::take(said));
        }
        self
    }

    /// Whether it may be the code that was refused: then whoever has brought it answers for it. An attacker chooses the
    /// code, and a firewall in front of the provider may answer some with a page of its own.
    #[must_use]
    pub const fn is_about_the_code(&self) -> bool {
        matches!(self, Self::CodeRefused(_) | Self::TokenRefused(_) | Self::Refused { .. })
    }

    /// Whether the provider does not work, rather than refusing this one sign-in.
    pub(super) const fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Tls(_)
                | Self::Slow(_)
                | Self::ServerError { .. }
                | Self::BadAnswer { .. }
                | Self::Busy { .. }
        )
    }
}

fn after(said: &Option<String>) -> String {
    said.as_ref().map_or_else(String::new, |said| format!(": {said}"))
}

fn wait(retry_after: &Option<Duration>) -> String {
    retry_after.map_or_else(
        || "without a usable Retry-After".to_owned(),
        |wait| format!("with Retry-After {} s", wait.as_secs()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_one_short_line_that_names_endpoint_status_and_words() {
        let server_error = |said| ProviderFault::ServerError { endpoint: "token", status: 503, said };
        assert_eq!(server_error(None).detail(), "answered 503 at token");
        assert_eq!(
            server_error(Some("server_error: try later".into())).detail(),
            "answered 503 at token: server_error: try later"
        );
        let busy = |seconds: Option<u64>| {
            ProviderFault::Busy { retry_after: seconds.map(Duration::from_secs), said: None }.detail()
        };
        assert_eq!(busy(Some(7)), "answered 429, with Retry-After 7 s");
        assert_eq!(busy(None), "answered 429, without a usable Retry-After");
        let long = ProviderFault::TokenRefused(format!("\r\n{}", "x".repeat(10_000))).detail();
        assert!(long.starts_with("refused the token request: \\r\\nxx") && long.len() == 200, "{long}");
    }
}
