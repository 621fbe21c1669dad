//! The claims that we read, from where they are found (OpenID Connect Core 5.1). Everything else is ignored, aggregated
//! and distributed claims included: their sources are never queried (Core 5.6.2, UI-17).

use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::server::ids::{Issuer, Subject};

/// A person as the provider asserts them, after every check.
#[derive(Clone, Debug)]
pub struct VerifiedClaims {
    issuer: Issuer,
    subject: Subject,
    claims: Claims,
    authentication: Authentication,
}

/// What is said about the person: by userinfo where the provider has it, else by the ID token, never by a mixture. Each
/// is `None` when it is missing or of the wrong type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `name`
    pub name: Option<String>,
    /// `preferred_username`
    pub preferred_username: Option<String>,
    /// `username` (not standard, but seen)
    pub username: Option<String>,
    /// `nickname`
    pub nickname: Option<String>,
    /// `email`
    pub email: Option<String>,
    /// `email_verified`; `None` unless `email` is there.
    pub email_verified: Option<bool>,
    /// `groups`: `None` when missing or not a list of strings (then nobody is in any group).
    pub groups: Option<Vec<String>>,
}

/// How and when the person was authenticated, as the ID token says (Core 2; `sid`: Back-Channel Logout 2.1). Each is
/// `None` when it is missing or of the wrong type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// `sid`: the person's session at the provider.
    pub sid: Option<String>,
    /// `auth_time`: when the person was last asked for credentials.
    pub auth_time: Option<OffsetDateTime>,
    /// `acr`: the level that the authentication met.
    pub acr: Option<String>,
    /// `amr`: the methods that were used.
    pub amr: Option<Vec<String>>,
}

impl VerifiedClaims {
    /// The ID token was valid for `subject`, and `claims` are about the same subject.
    pub(super) const fn new(issuer: Issuer, subject: Subject, claims: Claims, authentication: Authentication) -> Self {
        Self { issuer, subject, claims, authentication }
    }

    /// The issuer.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The subject at that issuer.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What is said about the person.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// How and when the person was authenticated.
    #[must_use]
    pub const fn authentication(&self) -> &Authentication {
        &self.authentication
    }
}

impl Claims {
    /// Reads our claims. One of the wrong type counts as missing: a display name must not keep anyone out, and an
    /// ill-typed `groups` must not let anyone in.
    pub(super) fn read(members: &Map<String, Value>) -> Self {
        let email = text(members, "email");
        Self {
            name: text(members, "name"),
            preferred_username: text(members, "preferred_username"),
            username: text(members, "username"),
            nickname: text(members, "nickname"),
            // Authelia says `email_verified: true` of people who have no address.
            email_verified: email.as_ref().and_then(|_| members.get("email_verified")).and_then(boolean),
            email,
            groups: members.get("groups").and_then(texts),
        }
    }
}

impl Authentication {
    /// Reads an ID token's claims.
    pub(super) fn read(members: &Map<String, Value>) -> Self {
        Self {
            sid: text(members, "sid"),
            auth_time: members.get("auth_time").and_then(moment),
            acr: text(members, "acr"),
            amr: members.get("amr").and_then(texts),
        }
    }
}

fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|member| member.as_str().map(str::to_owned)).collect()
}

/// Some providers write booleans as strings (Amazon Cognito does).
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Seconds since 1970, possibly with a fraction; some providers write RFC 3339 instead.
fn moment(value: &Value) -> Option<OffsetDateTime> {
    match value {
        Value::String(text) => OffsetDateTime::parse(text, &Rfc3339).ok(),
        // A fraction is dropped; what is no time at all is outside what `time` can hold.
        number => {
            OffsetDateTime::from_unix_timestamp(number.as_i64().or_else(|| number.as_f64().map(|f| f as i64))?).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    fn read(members: &Value) -> Claims {
        Claims::read(members.as_object().unwrap())
    }

    #[test]
    fn reads_what_it_knows() {
        let claims = read(&json!({
            "sub": "1", "name": "Alice", "preferred_username": "alice", "username": "al", "nickname": "ali",
            "email": "alice@example.com", "email_verified": true, "groups": ["a", "b"], "role": "admin", "name#fr": "Alix",
        }));
        assert_eq!(
            claims,
            Claims {
                name: Some("Alice".into()),
                preferred_username: Some("alice".into()),
                username: Some("al".into()),
                nickname: Some("ali".into()),
                email: Some("alice@example.com".into()),
                email_verified: Some(true),
                groups: Some(vec!["a".into(), "b".into()]),
            }
        );
    }

    #[test]
    fn the_wrong_type_counts_as_missing() {
        let claims = read(
            &json!({"name": {}, "preferred_username": 1, "username": null, "nickname": [], "email": false, "email_verified": true, "name#fr": "x"}),
        );
        assert_eq!(claims, Claims::default());
        for groups in [json!("admin"), json!(null), json!({"a": 1}), json!(["a", 1]), json!(1), json!([["a"]])] {
            assert_eq!(read(&json!({"groups": groups})).groups, None);
        }
        assert_eq!(read(&json!({"groups": []})).groups, Some(vec![]));
        for (said, meant) in [
            (json!("true"), Some(true)),
            (json!("false"), Some(false)),
            (json!("yes"), None),
            (json!(1), None),
            (json!(null), None),
        ] {
            assert_eq!(read(&json!({"email": "a@example.com", "email_verified": said})).email_verified, meant);
        }
    }

    #[test]
    fn reads_how_and_when_the_person_was_authenticated() {
        let read = |members: &Value| Authentication::read(members.as_object().unwrap());
        let all = read(&json!({"sid": "s1", "auth_time": 1_795_608_000, "acr": "phr", "amr": ["pwd", "otp"]}));
        assert_eq!(
            all,
            Authentication {
                sid: Some("s1".into()),
                auth_time: Some(datetime!(2026-11-25 12:00 UTC)),
                acr: Some("phr".into()),
                amr: Some(vec!["pwd".into(), "otp".into()]),
            }
        );
        assert_eq!(read(&json!({})), Authentication::default());
        assert_eq!(read(&json!({"sid": 1, "auth_time": [], "acr": 2, "amr": "pwd"})), Authentication::default());
        for (said, meant) in [
            (json!(1_795_608_000.9), Some(datetime!(2026-11-25 12:00 UTC))),
            (json!("2026-11-25T12:00:00Z"), Some(datetime!(2026-11-25 12:00 UTC))),
            (json!(1e300), None),
            (json!("soon"), None),
        ] {
            assert_eq!(read(&json!({"auth_time": said})).auth_time, meant, "{said}");
        }
    }
}
