//! Claims with any name and any value, damaged ones among them.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use serde_json::Value;
use test_provider::Edit;

/// The claim `name` with `json` for its value, which need not be JSON that a generator would write.
pub fn raw(name: &str, json: &str) -> Edit {
    let text = format!("{{{}:{json},", Value::from(name));
    Edit { remove: vec![name.to_owned()], ..Edit::replace("{", &text) }
}

/// Names of claims: those we read, standard ones that we do not, and any other.
pub fn names() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 36] = [
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "username",
        "profile",
        "picture",
        "website",
        "email",
        "email_verified",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "phone_number",
        "phone_number_verified",
        "address",
        "updated_at",
        "groups",
        "acr",
        "amr",
        "auth_time",
        "sid",
        "jti",
        "azp_",
        "ISS",
        "sub#de",
        "roles",
        "cnf",
        "events",
        "act",
        "may_act",
        "_claim_names",
        "_claim_sources",
    ];
    prop_oneof![3 => prop::sample::select(&KNOWN[..]).prop_map(str::to_owned), 1 => any::<String>()]
        .prop_filter("claims that are checked", |name| {
            !["iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "azp", "at_hash"].contains(&name.as_str())
        })
}

/// Any JSON value as text, damaged ones among them.
pub fn values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("JSON has no such number", |value| value.is_finite())
            .prop_map(|value| value.to_string()),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        prop::sample::select(
            &[r#""\ud83d""#, r#""\udc00x""#, "1e999", "-0", "1E-400", r#""\u0000""#, r#""\u202e""#][..]
        )
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let member = (any::<String>(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|members| format!("[{}]", members.join(","))),
            prop::collection::vec(member, 0..4).prop_map(|members| {
                let members = members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}
