//! What can go wrong, in one table: a row per code says everything that the program decides about it. The texts are
//! elsewhere: for people in `locales/en.toml` and its translations, for operators in `locales/operator.toml`.
//!
//! Which error type to use where: a store returns `StoreError`, the provider side `ProviderFault`, and reading the settings
//! a list of `settings::Fault`, each with the details that the log needs. None of the three reaches a person: where a
//! sign-in or a request ends, it becomes a `Problem`, which is all that a page may say, and the details go to the log
//! under the same reference.

use tracing::Level;

pub use crate::remedy::{Kind, WayOn, Who};

/// Everything that is decided about one code.
struct Row {
    code: &'static str,
    status: u16,
    level: Level,
    kind: Kind,
    who: Who,
    way_on: WayOn,
}

macro_rules! table {
    ($($variant:ident = $code:literal, $status:literal, $level:ident, $kind:ident, $who:ident, $way_on:ident;)*) => {
        /// Everything that can end or delay a sign-in or a request. `docs/errors.md` says when each is used.
        #[expect(missing_docs, reason = "locales/operator.toml documents the variants")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Problem {
            $($variant,)*
        }

        impl Problem {
            /// Every one of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            const fn row(self) -> &'static Row {
                match self {
                    $(Self::$variant => &Row {
                        code: $code,
                        status: $status,
                        level: Level::$level,
                        kind: Kind::$kind,
                        who: Who::$who,
                        way_on: WayOn::$way_on,
                    },)*
                }
            }
        }
    };
}

// Code, HTTP status, log level, line above the title, who can fix it, what the page's button does.
table! {
    StateMissing = "state_missing", 400, INFO, Failed, You, StartAgain;
    StateInvalid = "state_invalid", 400, INFO, Failed, You, StartAgain;
    AttemptExpired = "attempt_expired", 400, INFO, Failed, You, StartAgain;
    OtherBrowser = "other_browser", 400, INFO, Failed, You, StartAgain;
    CookiesBlocked = "cookies_blocked", 400, INFO, Failed, You, StartAgain;
    AlreadyUsed = "already_used", 409, INFO, Failed, You, StartAgain;
    Interrupted = "interrupted", 409, WARN, Failed, You, StartAgain;
    AnswerMalformed = "answer_malformed", 400, INFO, Failed, You, StartAgain;
    IssuerMismatch = "issuer_mismatch", 400, WARN, Failed, Operator, StartAgain;
    ResponseModeMismatch = "response_mode_mismatch", 400, WARN, Failed, Operator, StartAgain;
    AccessDenied = "access_denied", 403, INFO, Failed, You, StartAgain;
    ProviderInteraction = "provider_interaction", 400, INFO, Failed, You, UseAnotherAccount;
    ProviderError = "provider_error", 424, WARN, Failed, Provider, StartAgain;
    ProviderRefusedRequest = "provider_refused_request", 424, ERROR, Failed, Operator, StartAgain;
    ProviderUnreachable = "provider_unreachable", 424, ERROR, Failed, Provider, StartAgain;
    ProviderTls = "provider_tls", 424, ERROR, Failed, Operator, StartAgain;
    ProviderSlow = "provider_slow", 424, ERROR, Failed, Provider, StartAgain;
    ProviderServerError = "provider_server_error", 424, ERROR, Failed, Provider, StartAgain;
    ProviderBadAnswer = "provider_bad_answer", 424, ERROR, Failed, Provider, StartAgain;
    ProviderMetadata = "provider_metadata", 424, ERROR, Failed, Operator, StartAgain;
    ProviderKeys = "provider_keys", 424, ERROR, Failed, Operator, StartAgain;
    ProviderBusy = "provider_busy", 424, WARN, Pause, Provider, StartAgain;
    ProviderDown = "provider_down", 424, WARN, Pause, Provider, TryAgain;
    CodeRefused = "code_refused", 400, WARN, Failed, You, StartAgain;
    ClientRefused = "client_refused", 424, ERROR, Failed, Operator, StartAgain;
    TokenRefused = "token_refused", 424, ERROR, Failed, Operator, StartAgain;
    TokenResponseInvalid = "token_response_invalid", 424, ERROR, Failed, Operator, StartAgain;
    IdTokenInvalid = "id_token_invalid", 424, ERROR, Failed, Operator, StartAgain;
    AuthenticationTooWeak = "authentication_too_weak", 403, WARN, Failed, You, StartAgain;
    UserinfoUnavailable = "userinfo_unavailable", 424, ERROR, Failed, Provider, StartAgain;
    UserinfoInvalid = "userinfo_invalid", 424, ERROR, Failed, Operator, StartAgain;
    UserDisabled = "user_disabled", 403, INFO, Failed, Operator, UseAnotherAccount;
    NotAllowed = "not_allowed", 403, INFO, Failed, Operator, UseAnotherAccount;
    UserUnknown = "user_unknown", 403, INFO, Failed, Operator, UseAnotherAccount;
    StoreUnavailable = "store_unavailable", 503, ERROR, Pause, Operator, TryAgain;
    TooManyFailures = "too_many_failures", 429, WARN, Pause, Nobody, TryAgain;
    Busy = "busy", 503, WARN, Pause, Nobody, TryAgain;
    SignInLoop = "sign_in_loop", 409, WARN, Failed, Operator, StartAgain;
    UnknownProvider = "unknown_provider", 404, INFO, Request, You, Login;
    SignInUnavailable = "sign_in_unavailable", 503, ERROR, Pause, Provider, TryAgain;
    HandoverInvalid = "handover_invalid", 400, INFO, Failed, You, Login;
    NotAdmitted = "not_admitted", 403, INFO, Request, Operator, UseAnotherAccount;
    FormNotSent = "form_not_sent", 401, INFO, Request, You, SignInBeside;
    IdentityForged = "identity_forged", 400, INFO, Request, You, Home;
    ProxyRefused = "proxy_refused", 403, WARN, Request, Operator, Home;
    ProxyMisconfigured = "proxy_misconfigured", 403, ERROR, Request, Operator, TryAgain;
    UnknownApplication = "unknown_application", 403, WARN, Request, Operator, TryAgain;
    NotFound = "not_found", 404, DEBUG, Request, You, Home;
    MethodNotAllowed = "method_not_allowed", 405, DEBUG, Request, You, Home;
    BadRequest = "bad_request", 400, DEBUG, Request, You, Home;
    TooLarge = "too_large", 413, INFO, Request, You, Home;
    HeadersTooLarge = "headers_too_large", 431, INFO, Request, You, TryAgain;
    CrossSite = "cross_site", 403, INFO, Request, You, Home;
    Internal = "internal", 500, ERROR, Request, Operator, TryAgain;
}

impl Problem {
    /// The stable code: never changed, never used for something else.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// Finds the problem that has this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.code() == code)
    }

    /// The HTTP status of the page.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// The level of its line in the log.
    #[must_use]
    pub const fn level(self) -> Level {
        self.row().level
    }

    /// Who can fix it.
    #[must_use]
    pub const fn who(self) -> Who {
        self.row().who
    }

    /// What the page's button does.
    #[must_use]
    pub const fn way_on(self) -> WayOn {
        self.row().way_on
    }

    /// Whether it resolves itself: the page retries automatically until it has.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::StoreUnavailable | Self::SignInUnavailable | Self::ProviderDown | Self::Busy | Self::TooManyFailures
        )
    }

    /// Whether a provider that has never answered otherwise can only be mended by the operator: waiting does not help.
    #[must_use]
    pub const fn is_for_the_operator_alone(self) -> bool {
        matches!(self, Self::ProviderMetadata | Self::ProviderKeys | Self::ProviderTls)
    }

    /// Whether a page behind the gate may meet it with every request, and anybody could fill the log with it: one line of
    /// the log has to do for all of them.
    #[must_use]
    pub const fn is_met_by_every_request(self) -> bool {
        matches!(
            self,
            Self::CrossSite
                | Self::HandoverInvalid
                | Self::FormNotSent
                | Self::NotAdmitted
                | Self::IdentityForged
                | Self::ProxyRefused
                | Self::ProxyMisconfigured
                | Self::UnknownApplication
        )
    }

    /// What kind of problem it is: decides the line above the title.
    #[must_use]
    pub const fn kind(self) -> Kind {
        self.row().kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_lead_back() {
        for error in Problem::ALL {
            assert_eq!(Problem::from_code(error.code()), Some(*error));
            assert!(error.code().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        }
        assert_eq!(Problem::from_code("State_missing"), None);
        assert_eq!(Problem::from_code(""), None);
    }

    /// `docs/decisions/statuses.md`: 5xx where this process could not do it, and nowhere else.
    #[test]
    fn statuses_say_whose_failure_it_is() {
        let ours = [Problem::StoreUnavailable, Problem::Busy, Problem::SignInUnavailable];
        for error in Problem::ALL {
            let expected = match error.status() {
                500 => *error == Problem::Internal,
                503 => ours.contains(error),
                // A provider's failure, by whichever of its ways.
                424 => !ours.contains(error) && error.who() != Who::You,
                status => (400..500).contains(&status) && error.who() != Who::Provider,
            };
            assert!(expected, "{error:?} is {}", error.status());
        }
    }
}
