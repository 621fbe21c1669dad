//! Which claims we take, from where they are found (OpenID Connect Core 5.1). Everything else is ignored, aggregated
//! and distributed claims included: their sources are never asked (Core 5.6.2, UI-17).

use serde_json::{Map, Value};

use super::Claims;

impl Claims {
    /// Takes our claims out of `members`. One of the wrong type counts as missing: a display name must not keep anyone
    /// out, and a spoilt `groups` must not let anyone in.
    pub(super) fn take(members: &Map<String, Value>) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let email = text("email");
        Self {
            name: text("name"),
            preferred_username: text("preferred_username"),
            username: text("username"),
            nickname: text("nickname"),
            // Authelia says `email_verified: true` of people who have no address.
            email_verified: email.as_ref().and_then(|_| members.get("email_verified")).and_then(boolean),
            email,
            groups: members.get("groups").and_then(strings),
        }
    }
}

/// Some providers write booleans as strings (Amazon Cognito does).
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|member| member.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn take(members: &Value) -> Claims {
        Claims::take(members.as_object().unwrap())
    }

    #[test]
    fn takes_what_it_knows() {
        let claims = take(&json!({
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
        let claims = take(
            &json!({"name": {}, "preferred_username": 1, "username": null, "nickname": [], "email": false, "email_verified": true, "name#fr": "x"}),
        );
        assert_eq!(claims, Claims::default());
        for groups in [json!("admin"), json!(null), json!({"a": 1}), json!(["a", 1]), json!(1), json!([["a"]])] {
            assert_eq!(take(&json!({"groups": groups})).groups, None);
        }
        assert_eq!(take(&json!({"groups": []})).groups, Some(vec![]));
        for (said, meant) in [
            (json!("true"), Some(true)),
            (json!("false"), Some(false)),
            (json!("yes"), None),
            (json!(1), None),
            (json!(null), None),
        ] {
            assert_eq!(take(&json!({"email": "a@example.com", "email_verified": said})).email_verified, meant);
        }
    }
}
