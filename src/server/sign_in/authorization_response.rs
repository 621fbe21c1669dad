//! The authorization response (RFC 6749 4.1.2, OpenID Connect Core 3.1.2.5), read strictly.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::parameter::Values;
use crate::server::{
    clock::{from_millis, to_millis},
    ids::CodeHash,
    limits,
    log_text::{clip, clip_to},
    problem::Problem,
    seal::{Payload, Purpose, Sealed, take},
    settings::ResponseMode,
};

/// What the provider sent; nothing in it is verified yet.
#[derive(Clone, PartialEq, Eq)]
pub enum AuthorizationResponse {
    /// A code to redeem.
    Code {
        /// The code: 1 or more characters of `%x20-7E` (RFC 6749 A.11).
        code: String,
        /// `iss` (RFC 9207).
        iss: Option<String>,
    },
    /// An error, also where a code came with it.
    Error {
        /// `error`, as sent, clipped.
        error: String,
        /// `error_description`, as sent, clipped: for the log, never for the page.
        description: Option<String>,
        /// `iss` (RFC 9207).
        iss: Option<String>,
    },
    /// Anything else: duplicate parameters, forbidden characters, values that are too long.
    Malformed,
}

impl AuthorizationResponse {
    /// Made from all values of its parameters; `None` if none of them is present.
    pub(super) fn read(code: Values, error: Values, description: Values, iss: Values) -> Option<Self> {
        let iss = match iss {
            Values::None => None,
            Values::One(iss) if fits(&iss) => Some(iss),
            Values::One(_) | Values::Many => return Some(Self::Malformed),
        };
        match (code, error) {
            (Values::None, Values::None) if iss.is_none() => None,
            (Values::Many, _) | (_, Values::Many) => Some(Self::Malformed),
            // With both, the error counts and the code is not sent anywhere.
            (_, Values::One(error)) if !error.is_empty() => {
                let error = clip_to(&error, limits::ERROR_CODE);
                let description = match description {
                    Values::One(words) => Some(clip(&words)),
                    // It decides nothing, so nothing is spoilt by it.
                    Values::None | Values::Many => None,
                };
                Some(Self::Error { error, description, iss })
            }
            (Values::One(code), Values::None) if fits(&code) => Some(Self::Code { code, iss }),
            _ => Some(Self::Malformed),
        }
    }

    /// The hash that the claim stores; that of the empty string if the response has no code.
    #[must_use]
    pub fn code_hash(&self) -> CodeHash {
        match self {
            Self::Code { code, .. } => CodeHash::of(code.as_bytes()),
            Self::Error { .. } | Self::Malformed => CodeHash::of(b""),
        }
    }

    /// Whether the provider's own login page was left open for too long: the person has done nothing wrong, and a new one
    /// is all that is needed. (Keycloak says so for the tab in which its login ran out.)
    pub(super) fn login_page_expired(&self) -> bool {
        matches!(self, Self::Error { error, description: Some(words), .. }
            if error == "temporarily_unavailable" && words == "authentication_expired")
    }

    /// What an error response says, for the log and the trace.
    pub(super) fn words(&self) -> Option<String> {
        match self {
            Self::Error { error, description: Some(words), .. } if !words.is_empty() => {
                Some(format!("{error}: {words}"))
            }
            Self::Error { error, .. } => Some(error.clone()),
            Self::Code { .. } | Self::Malformed => None,
        }
    }
}

/// What an error response means (RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6).
#[must_use]
pub fn problem_of(error: &str) -> Problem {
    match error {
        error if is_refusal_of_the_person(error) => Problem::AccessDenied,
        "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
            Problem::ProviderInteraction
        }
        "server_error" | "temporarily_unavailable" => Problem::ProviderError,
        _ => Problem::ProviderRefusedRequest,
    }
}

/// `access_denied`, and the words that others have for it: `user_cancelled_login` (LinkedIn), `user_cancelled_authorize`
/// (Apple), `consent_declined`, `UserCancel`, …
fn is_refusal_of_the_person(error: &str) -> bool {
    const WHO_OR_WHAT: [&str; 9] =
        ["access", "by", "consent", "interaction", "login", "permission", "request", "the", "user"];
    let mut words = String::with_capacity(error.len() * 2);
    for c in error.chars() {
        // UserDenied -> user denied
        if c.is_ascii_uppercase() && words.ends_with(|before: char| before.is_ascii_lowercase()) {
            words.push(' ');
        }
        words.push(c);
    }
    let words = words.to_ascii_lowercase();
    let mut words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let refused = |word: &str| {
        word.starts_with("cancel")
            || word.starts_with("abort")
            || ["denied", "declined", "rejected", "refused"].contains(&word)
    };
    let mut is_refusal = false;
    words.all(|word| {
        is_refusal |= refused(word);
        refused(word) || WHO_OR_WHAT.contains(&word) || word.starts_with("authori")
    }) && is_refusal
}

impl fmt::Debug for AuthorizationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code { .. } => "AuthorizationResponse::Code(…)",
            Self::Error { .. } => "AuthorizationResponse::Error(…)",
            Self::Malformed => "AuthorizationResponse::Malformed",
        })
    }
}

/// VSCHAR, 1 or more (RFC 6749 A).
fn fits(value: &str) -> bool {
    !value.is_empty() && value.len() <= limits::CALLBACK_PARAMETER && value.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

/// A response and when it first arrived: the age of its code is counted from then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The response.
    pub response: AuthorizationResponse,
    /// When it first arrived here.
    pub came: OffsetDateTime,
    /// How it came.
    pub mode: ResponseMode,
}

/// Versions: so far only unmarked, as long as a process of 0.1.0 (November 2026) may have to read it.
impl Sealed for Received {
    const PURPOSE: Purpose = Purpose::Answer;

    fn write(&self) -> Payload {
        let (response, description) = match &self.response {
            AuthorizationResponse::Code { code, iss } => (Wire::Code { code: code.clone(), iss: iss.clone() }, None),
            AuthorizationResponse::Error { error, description, iss } => {
                (Wire::Error { error: error.clone(), iss: iss.clone() }, description.clone())
            }
            AuthorizationResponse::Malformed => (Wire::Malformed, None),
        };
        Payload::unmarked(&(response, to_millis(self.came), description, self.mode == ResponseMode::FormPost))
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let ((response, came), appended) = take::<(Wire, i64)>(payload)?;
        let (description, appended) = take::<Option<String>>(appended).unwrap_or_default();
        let posted = take::<bool>(appended).is_some_and(|(posted, _)| posted);
        let mode = if posted { ResponseMode::FormPost } else { ResponseMode::Query };
        let response = match response {
            Wire::Code { code, iss } => AuthorizationResponse::Code { code, iss },
            Wire::Error { error, iss } => AuthorizationResponse::Error { error, description, iss },
            Wire::Malformed => AuthorizationResponse::Malformed,
        };
        Some(Self { response, came: from_millis(came)?, mode })
    }
}

/// The sealed form. New fields are only ever appended to the payload, after these.
#[derive(Serialize, Deserialize)]
enum Wire {
    Code { code: String, iss: Option<String> },
    Error { error: String, iss: Option<String> },
    Malformed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::sign_in::callback_query::{CallbackQuery, Carried};

    fn read(raw: &str) -> Option<AuthorizationResponse> {
        match CallbackQuery::parse(&format!("state=s&{raw}")).unwrap().response {
            Carried::Plain(response) => Some(response),
            Carried::Nothing | Carried::Sealed(_) => None,
        }
    }

    fn code(response: Option<AuthorizationResponse>) -> Option<String> {
        if let Some(AuthorizationResponse::Code { code, .. }) = response { Some(code) } else { None }
    }

    #[test]
    fn reads_a_code() {
        let response = read("code=a%2Fb&iss=https%3A%2F%2Fop.test&scope=openid&foo=1&bar[]=2");
        assert!(!format!("{response:?}").contains("a/b"), "a code never prints itself");
        assert_eq!(code(response).as_deref(), Some("a/b"));
        let long = "c".repeat(4096);
        assert_eq!(code(read(&format!("code={long}"))), Some(long), "four kilobytes are legal");
    }

    #[test]
    fn a_login_page_that_was_left_open_is_told_from_other_errors() {
        for (raw, expired) in [
            ("error=temporarily_unavailable&error_description=authentication_expired", true),
            ("error=temporarily_unavailable&error_description=other", false),
            ("error=temporarily_unavailable", false),
            ("error=server_error&error_description=authentication_expired", false),
            ("code=a", false),
        ] {
            assert_eq!(read(raw).unwrap().login_page_expired(), expired, "{raw}");
        }
    }

    #[test]
    fn an_invalid_response_is_malformed() {
        for raw in [
            "code=a&code=b",
            "code=a&code=a",
            "code=a&code=b&error=x",
            "iss=a&iss=a&code=c",
            "error=a&error=b",
            "code=",
            "code=%00",
            "code=%ff",
            "code=a%0d%0ab",
            "error=",
            "iss=https://op.test",
            "iss=",
            "code=a&iss=",
            "code=%ed%a0%80",
        ] {
            assert_eq!(read(raw), Some(AuthorizationResponse::Malformed), "{raw}");
        }
    }

    #[test]
    fn an_error_wins_over_a_code_and_nothing_is_no_response() {
        let error = |description: Option<&str>| {
            let (error, description) = ("access_denied".into(), description.map(str::to_owned));
            Some(AuthorizationResponse::Error { error, description, iss: None })
        };
        assert_eq!(read("code=a&error=access_denied"), error(None));
        assert_eq!(read("error=access_denied&error_description=no%20way"), error(Some("no way")));
        assert_eq!(read("error=access_denied&error_description=a&error_description=b"), error(None));
        let odd = read("error=%c3%bc%1b[31m&error_description=zu%20sp%c3%a4t").unwrap();
        assert_eq!(odd.words().as_deref(), Some("ü\\u{1b}[31m: zu spät"), "what an odd error says is heard");
        assert_eq!(read("error=x&error_description=").unwrap().words().as_deref(), Some("x"));
        assert_eq!(read(""), None);
        assert_eq!(read("id_token=x&access_token=y"), None);
    }

    #[test]
    fn whoever_cancels_is_told_so_whatever_the_word() {
        for error in [
            "access_denied",
            "user_cancelled_login",
            "user_cancelled_authorize",
            "user_canceled",
            "cancelled",
            "UserCancel",
            "consent_declined",
            "user_denied",
            "authorization_declined",
            "Access Denied",
            "ACCESS_DENIED",
            "USER_CANCELED",
            "login_cancelled_by_user",
            "request-cancelled",
            "user_aborted",
            "interaction_aborted",
            "consent_refused",
        ] {
            assert_eq!(problem_of(error), Problem::AccessDenied, "{error}");
        }
        for (error, problem) in [
            ("consent_required", Problem::ProviderInteraction),
            ("temporarily_unavailable", Problem::ProviderError),
            ("unauthorized_client", Problem::ProviderRefusedRequest),
            ("invalid_scope", Problem::ProviderRefusedRequest),
            ("scope_denied", Problem::ProviderRefusedRequest),
            ("cancellation_of_client", Problem::ProviderRefusedRequest),
            ("subscription_cancelled", Problem::ProviderRefusedRequest),
            ("client_access_denied", Problem::ProviderRefusedRequest),
            ("user", Problem::ProviderRefusedRequest),
        ] {
            assert_eq!(problem_of(error), problem, "{error}");
        }
    }

    #[test]
    fn a_description_is_one_short_line_whatever_it_holds() {
        let raw = format!("error=x&error_description=a%0d%0ab%1b{}", "y".repeat(4000));
        let Some(AuthorizationResponse::Error { description: Some(words), .. }) = read(&raw) else { panic!("{raw}") };
        assert!(words.starts_with("a\\r\\nb\\u{1b}y") && words.len() == limits::LOGGED_CHARACTERS, "{words}");
    }
}
