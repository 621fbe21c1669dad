/// Whoever it is.
mod anybody;
/// The tokens, as applications read them.
mod tokens;

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde_json::{Value as Json, json};
use time::macros::datetime;

use super::*;
use crate::server::{
    application::{Access, Application, Applications, Field, HostPattern, IdentityRules, OriginPattern, Preset},
    ids::{Issuer, ProviderId, Subject, UserId},
    seal::SecretKey,
    session::SignedIn,
    store::{Role, SessionFacts, User},
};

const NOW: OffsetDateTime = datetime!(2026-11-26 12:00:00.750 UTC);
const SECRET: &str = "the secret key of ClaudeLens";

fn identities(seeds: &[u8], unverified_email: bool) -> Identities {
    let secrets: Vec<_> = seeds.iter().map(|seed| SecretKey::new(Box::new(vec![*seed; 32]))).collect();
    let public_url = PublicUrl::parse("https://login.example.com").unwrap();
    Identities::new(&Keyring::new(&secrets[0], &secrets[1..], &public_url), &public_url, unverified_email)
}

/// An application with that identity at `https://wiki.example.com`.
fn site(presets: Vec<Preset>, headers: &[(&str, Field)], groups_sent: Option<&[&str]>) -> (Names, Site) {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let identity = IdentityRules {
        presets,
        headers: headers.iter().map(|(name, field)| ((*name).to_owned(), *field)).collect(),
        groups_sent: groups_sent.map(owned),
    };
    let names = Names::new(&identity);
    let host = HostPattern::One("wiki.example.com".into());
    let application = Application {
        origins: vec![OriginPattern { secure: true, host, port: None }],
        access: Access::SignedIn,
        rules: Vec::new(),
        identity,
        preflight: false,
        prefix: "/auth".into(),
        token: true,
    };
    (names, Applications::new(vec![application]).at("wiki.example.com").unwrap())
}

fn claudelens() -> Preset {
    Preset::ClaudeLens(SecretString::from(SECRET))
}

fn every_preset() -> Vec<Preset> {
    vec![Preset::Remote, Preset::XAuthRequest, Preset::Assertion, claudelens()]
}

fn ada() -> SignedIn {
    SignedIn {
        user: User {
            id: UserId::new("0123456789abcdef01234567"),
            username: "ada".into(),
            email: Some("ada@example.com".into()),
            email_verified: true,
            full_name: Some("Ada Lovelace-Müller".into()),
            role: Role::Admin,
            active: true,
        },
        provider: ProviderId::new("example"),
        issuer: Issuer::new("https://id.example.com"),
        facts: SessionFacts {
            subject: Subject::new("s-1"),
            groups: vec!["admins".into(), "R&D, Berlin".into(), String::new()],
            ..SessionFacts::default()
        },
        browser: None,
        since: NOW,
        until: NOW,
        confirmed: NOW,
        recheck_from: None,
    }
}

fn person(signed_in: &SignedIn) -> Person<'_> {
    Person { signed_in, username_is_shared: false }
}

fn texts(headers: &HeaderMap) -> BTreeMap<&str, &str> {
    headers.iter().map(|(name, value)| (name.as_str(), std::str::from_utf8(value.as_bytes()).unwrap())).collect()
}

/// The claims of an assertion, as an application reads them that verifies it with the published keys.
fn verified(identities: &Identities, assertion: &str) -> Json {
    let keys: JwkSet = serde_json::from_str(identities.jwks()).unwrap();
    let header = decode_header(assertion).unwrap();
    assert_eq!((header.typ.as_deref(), header.alg), (Some("JWT"), Algorithm::ES256));
    let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["https://wiki.example.com"]);
    validation.set_issuer(&["https://login.example.com"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The time is the test's.
    validation.validate_exp = false;
    decode::<Json>(assertion, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims
}

/// The claims of a bearer token, as ClaudeLens reads them.
fn as_claudelens(bearer: &str) -> Json {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let token = bearer.strip_prefix("Bearer ").unwrap();
    assert_eq!(decode_header(token).unwrap().typ.as_deref(), Some("JWT"));
    decode::<Json>(token, &key, &validation).unwrap().claims
}

#[test]
fn each_preset_has_its_names() {
    let (names, site) = site(
        vec![Preset::Remote, Preset::XAuthRequest],
        &[("x-webauth-role", Field::Role), ("x-issuer", Field::Issuer)],
        None,
    );
    let ada = ada();
    let identity = identities(&[1], false).of(&names, &site, &person(&ada), NOW);
    let expected = [
        ("remote-user", "ada"),
        ("remote-name", "Ada Lovelace-Müller"),
        ("remote-email", "ada@example.com"),
        ("remote-groups", "admins,R&D%2C Berlin"),
        ("x-auth-request-user", "s-1"),
        ("x-auth-request-preferred-username", "ada"),
        ("x-auth-request-email", "ada@example.com"),
        ("x-auth-request-groups", "admins,R&D%2C Berlin"),
        ("x-webauth-role", "admin"),
        ("x-issuer", "https://id.example.com"),
        ("x-vestibule-truncated", ""),
    ];
    assert_eq!(texts(&identity.headers), expected.into());
    assert_eq!(identity.renew_at, None);
}

#[test]
fn where_anyone_gets_in_every_name_is_there_and_empty() {
    let (names, _) = site(every_preset(), &[("x-user", Field::Username)], None);
    let headers = identities(&[1], false).of_anyone(&names);
    assert!(headers.values().all(HeaderValue::is_empty));
    assert_eq!(headers.len(), names.iter().count());
    for name in [
        "remote-groups",
        "x-auth-request-user",
        "x-vestibule-assertion",
        "authorization",
        "x-user",
        "x-vestibule-truncated",
    ] {
        assert!(headers.contains_key(name), "{name}");
    }
    let (none, _) = site(Vec::new(), &[], None);
    assert_eq!(texts(&identities(&[1], false).of_anyone(&none)), [("x-vestibule-truncated", "")].into());
}

#[test]
fn a_name_that_is_set_twice_says_what_was_set_last() {
    let headers = [("remote-user", Field::Email), ("x-vestibule-truncated", Field::Name), ("no name", Field::Name)];
    let (names, site) = site(vec![Preset::Remote], &headers, None);
    let ada = ada();
    let identity = identities(&[1], false).of(&names, &site, &person(&ada), NOW);
    let told = texts(&identity.headers);
    assert_eq!((told["remote-user"], told["x-vestibule-truncated"]), ("ada@example.com", ""));
    assert_eq!(identity.headers.len(), 5);
}

#[test]
fn a_clients_header_is_forged_however_its_name_is_written() {
    let (names, _) = site(every_preset(), &[("x-webauth_user", Field::Username)], None);
    for name in [
        "remote-user",
        "Remote-User",
        "REMOTE_USER",
        "x-Vestibule_Assertion",
        "x_vestibule-truncated",
        "X-WEBAUTH-USER",
        "x_webauth_user",
    ] {
        assert!(names.is_forged(name), "{name}");
    }
    for name in [
        "authorization",
        "Authorization",
        "remote-users",
        "remote-use",
        "remoteuser",
        "remote user",
        "remote.user",
        "cookie",
        "",
    ] {
        assert!(!names.is_forged(name), "{name}");
    }
}

#[test]
fn a_username_that_two_accounts_share_is_told_nobody() {
    let (names, site) = site(every_preset(), &[("x-user", Field::Username)], None);
    let ada = ada();
    let person = Person { signed_in: &ada, username_is_shared: true };
    let identities = identities(&[1], false);
    let identity = identities.of(&names, &site, &person, NOW);
    let told = texts(&identity.headers);
    for name in ["remote-user", "x-auth-request-preferred-username", "x-user", "authorization"] {
        assert_eq!(told[name], "", "{name}");
    }
    assert_eq!(told["remote-email"], "ada@example.com");
    assert!(verified(&identities, told["x-vestibule-assertion"]).get("preferred_username").is_none());
    assert!(identities.token(&names, &site, &person, NOW).is_none());
}

#[test]
fn an_address_that_is_not_verified_is_told_only_where_the_operator_says_so() {
    let (names, site) = site(vec![Preset::Remote, Preset::Assertion], &[], None);
    let mut ada = ada();
    ada.user.email_verified = false;
    for (unverified_email, told, verified_claim) in [(false, "", json!(null)), (true, "ada@example.com", json!(false))]
    {
        let identities = identities(&[1], unverified_email);
        let identity = identities.of(&names, &site, &person(&ada), NOW);
        let texts = texts(&identity.headers);
        assert_eq!(texts["remote-email"], told);
        assert_eq!(verified(&identities, texts["x-vestibule-assertion"])["email_verified"], verified_claim);
    }
}

#[test]
fn what_only_looks_like_an_address_is_not_told() {
    let (names, site) = site(vec![Preset::Remote], &[], None);
    let told = |email: &str| {
        let mut ada = ada();
        ada.user.email = Some(email.to_owned());
        texts(&identities(&[1], true).of(&names, &site, &person(&ada), NOW).headers)["remote-email"].to_owned()
    };
    for email in ["ada@example.com", "Ada@EXAMPLE.com", "jürgen@bücher.example", "ada+x@localhost"] {
        assert_eq!(told(email), email);
    }
    for email in
        ["a@evil.example@example.com", "a@evil.example,b@example.com", "Ada <ada@example.com>", "ada", "ada@oidc.local"]
    {
        assert_eq!(told(email), "", "{email}");
    }
}

#[test]
fn only_the_groups_that_an_application_may_know_are_told() {
    let (names, site) = site(vec![Preset::Remote], &[], Some(&["Entwürfe", "editors"]));
    let mut ada = ada();
    ada.facts.groups = ["admins", "Entwu\u{308}rfe", "Editors", "editors"].map(str::to_owned).to_vec();
    let identity = identities(&[1], false).of(&names, &site, &person(&ada), NOW);
    assert_eq!(texts(&identity.headers)["remote-groups"], "Entwu\u{308}rfe,editors");
}

#[test]
fn a_text_that_a_header_would_alter_is_not_told() {
    let (names, site) = site(vec![Preset::Remote], &[], None);
    for odd in ["ada ", "\u{a0}ada", "a\nda", "ada\0", "a\u{85}da", "\tada", "", " ", &"x".repeat(257)] {
        let mut ada = ada();
        ada.user.username = odd.to_owned();
        ada.user.full_name = Some(odd.to_owned());
        ada.user.email = Some(odd.to_owned());
        let identity = identities(&[1], false).of(&names, &site, &person(&ada), NOW);
        let told = texts(&identity.headers);
        assert_eq!((told["remote-user"], told["remote-name"], told["remote-email"]), ("", "", ""), "{odd:?}");
    }
}

#[test]
fn five_hundred_groups_are_cut_at_an_entry_and_all_say_so() {
    let (names, site) = site(vec![Preset::Remote, Preset::Assertion], &[], None);
    let mut ada = ada();
    ada.facts.groups = (0..500).map(|number| format!("cn=group {number},dc=example")).collect();
    ada.user.full_name = Some("x".repeat(10_000));
    let identities = identities(&[1], false);
    let identity = identities.of(&names, &site, &person(&ada), NOW);
    let told = texts(&identity.headers);
    assert_eq!((told["remote-user"], told["remote-name"], told["x-vestibule-truncated"]), ("ada", "", "groups"));
    let claims = verified(&identities, told["x-vestibule-assertion"]);
    assert_eq!(claims["groups_truncated"], json!(true));
    let groups: Vec<String> = serde_json::from_value(claims["groups"].clone()).unwrap();
    assert_eq!(decoded(told["remote-groups"]), groups);
    assert_eq!(groups, ada.facts.groups[..groups.len()]);
    let bytes = answer(&identity.headers);
    assert!((3_300..=3_500).contains(&bytes), "{bytes} bytes, {} groups", groups.len());
    // A token alone has room for more.
    let token = identities.token(&names, &site, &person(&ada), NOW).unwrap();
    let alone = verified(&identities, &token.access_token)["groups"].as_array().unwrap().len();
    assert!(alone > groups.len(), "{alone}");
}

#[test]
fn where_even_one_person_without_groups_is_too_much_the_username_goes_last() {
    let (names, site) = site(every_preset(), &[("x-user", Field::Username), ("x-subject", Field::Subject)], None);
    let mut ada = ada();
    let longest = "\"".repeat(256);
    ada.user.username.clone_from(&longest);
    ada.user.full_name = Some(longest.clone());
    ada.user.email = Some(format!("{}@example.com", "'".repeat(244)));
    ada.facts.subject = Subject::new(&longest[..255]);
    let identity = identities(&[1], false).of(&names, &site, &person(&ada), NOW);
    let told = texts(&identity.headers);
    assert!(answer(&identity.headers) <= 3_500);
    assert_eq!((told["remote-name"], told["remote-email"], told["x-subject"]), ("", "", ""));
    assert_eq!((told["x-user"], told["x-vestibule-truncated"]), (longest.as_str(), "groups"));
}

/// The list, as an application reads it.
fn decoded(list: &str) -> Vec<String> {
    let entries = list.split(',').filter(|_| !list.is_empty());
    entries.map(|entry| percent_decode_str(entry.trim()).decode_utf8().unwrap().into_owned()).collect()
}

/// All bytes of an answer with those headers and what else is in it.
fn answer(identity: &HeaderMap) -> usize {
    let others = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: Thu, 26 Nov 2026 12:00:00 GMT\r\n\
                  cache-control: no-store\r\nvary: Cookie\r\nconnection: keep-alive\r\n\r\n";
    others.len() + identity.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}
