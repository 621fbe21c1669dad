//! Authelia 4.39, as measured.

use std::time::Duration;

use serde_json::{Value, json};
use test_provider::{Endpoint, Profile, ProviderConfig, RateLimit, RunningProvider};
use url::Url;

use crate::support::{
    SECRET, asking, authorize, basic, code, config, encoded, fields, get, part, provider, raw, redeem, redeem_with,
    send, split, tokens_of, userinfo, value, verifies,
};

#[tokio::test]
async fn authelia_gives_what_was_measured() {
    let mut config = config(Profile::Authelia);
    config.issuer = Some("https://op.test:8444/authelia".to_owned());
    let op = RunningProvider::start(config).await.unwrap();
    op.log_in_as("bob");
    let metadata = get(&op, Endpoint::Discovery).await;
    assert_eq!(metadata.header("cache-control"), Some("no-store"));
    let metadata = metadata.json();
    assert_eq!(metadata["issuer"], "https://op.test:8444/authelia");
    assert_eq!(metadata["end_session_endpoint"], Value::Null);
    assert_eq!(metadata["id_token_signing_alg_values_supported"].as_array().unwrap().len(), 12);

    let callback = authorize(&op, &[]).await;
    let names: Vec<_> = callback.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "iss", "scope", "state"]);
    let code = value(&callback, "code");
    assert!(code.starts_with("authelia_ac_") && code.len() == 99, "{code}");

    let answer = redeem(&op, code).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.json();
    let names: Vec<_> = tokens.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "expires_in", "id_token", "scope", "token_type"]);
    assert_eq!((tokens["token_type"].as_str(), tokens["expires_in"].as_i64()), (Some("bearer"), Some(3599)));
    let access_token = tokens["access_token"].as_str().unwrap();
    assert!(access_token.starts_with("authelia_at_") && access_token.len() == 99);

    let id_token = tokens["id_token"].as_str().unwrap();
    assert!(verifies(&op, id_token).await);
    let claims = part(id_token, 1);
    let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    let measured = ["amr", "at_hash", "aud", "auth_time", "azp", "exp", "iat", "iss", "jti", "nonce", "sub"];
    assert_eq!(names, measured);
    assert_eq!(claims["aud"], json!(["app"]));

    let info = userinfo(&op, access_token).await.json();
    assert_eq!((&info["email"], &info["email_verified"]), (&Value::Null, &json!(true)));
    op.log_in_as("alice");
    let alice = tokens_of(&op).await;
    let info = userinfo(&op, &alice).await.json();
    let names: Vec<_> = info.as_object().unwrap().keys().map(String::as_str).collect();
    let measured = [
        "email",
        "email_verified",
        "family_name",
        "given_name",
        "name",
        "preferred_username",
        "rat",
        "sub",
        "updated_at",
    ];
    assert_eq!(names, measured);
}

#[tokio::test]
async fn authelia_refuses_as_was_measured() {
    let op = provider(Profile::Authelia).await;
    for state in ["", "seven77"] {
        let answer = authorize(&op, &[("state", state)]).await;
        assert_eq!((value(&answer, "error"), value(&answer, "iss")), ("invalid_state", op.issuer()));
    }
    let short = authorize(&op, &[("nonce", "seven77")]).await;
    let refused = redeem(&op, value(&short, "code")).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (400, Some("insufficient_entropy")));
    let none = authorize(&op, &[("nonce", "")]).await;
    assert_eq!(redeem(&op, value(&none, "code")).await.status, 200, "no nonce at all is fine");

    let code = code(&op).await;
    let wrong = redeem_with(&op, &basic("app", "wrong"), &fields(&code)).await;
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, None));
    let posted = [&fields(&code)[..], &[("client_id", "app"), ("client_secret", SECRET)]].concat();
    let method = redeem_with(&op, "", &posted).await.json();
    assert!(method["error_description"].as_str().unwrap().contains("client_secret_post"), "{method}");
    let mut elsewhere = fields(&code);
    elsewhere[2].1 = "https://rp.test/other";
    assert_eq!(redeem_with(&op, &basic("app", SECRET), &elsewhere).await.json()["error"], "invalid_grant");
    let first = redeem(&op, &code).await;
    assert_eq!(first.status, 200, "the code has survived all that");

    let first = first.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(userinfo(&op, &first).await.status, 200);
    assert_eq!(redeem(&op, &code).await.json()["error"], "invalid_grant");
    let revoked = userinfo(&op, &first).await;
    assert_eq!((revoked.status, revoked.text().as_str()), (401, "{}"));
    assert_eq!(revoked.header("www-authenticate"), Some("Bearer error=\"request_unauthorized\""));
    let replayed = op.redemptions().into_iter().find(|redemption| redemption.code == code).unwrap();
    assert_eq!((replayed.presented, replayed.redeemed), (5, 1));

    let long = send(&op, "GET", Endpoint::Discovery, "", &[("x-long", &"x".repeat(4096))], "").await;
    assert_eq!((long.status, long.header("content-type")), (431, Some("text/plain; charset=utf-8")));
    assert_eq!(get(&op, Endpoint::Discovery).await.status, 200);
}

#[tokio::test]
async fn authelia_counts_failures_and_then_refuses_everyone() {
    let mut config = config(Profile::Authelia);
    assert!(config.rate_limit.is_some() && ProviderConfig::new(Profile::Authelia).token_delay.as_millis() == 400);
    config.rate_limit = Some(RateLimit::authelia());
    let op = RunningProvider::start(config).await.unwrap();
    op.log_in_as("alice");
    for _ in 0..30 {
        assert_eq!(redeem(&op, "made-up").await.status, 400);
    }
    let refused = redeem(&op, &code(&op).await).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")));
    assert_eq!(refused.json()["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn authelia_never_finds_an_age_of_nothing_young_enough() {
    let op = RunningProvider::start(config(Profile::Authelia)).await.unwrap();
    let carried = asking(&[("max_age", "0")]);
    let typed = encoded(&[("request", &carried[1..]), ("username", "alice"), ("password", "alice-demo")]);
    let answer = send(&op, "POST", Endpoint::Login, "", &[], &typed).await;
    assert_eq!((answer.status, answer.header("location")), (401, None));
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let mut config = config(Profile::Authelia);
    assert_eq!(config.idle.as_secs(), 30);
    config.idle = Duration::from_millis(20);
    let op = RunningProvider::start(config).await.unwrap();
    let path = Url::parse(&op.url(Endpoint::Jwks)).unwrap().path().to_owned();
    let kept = raw(op.addr(), &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await.unwrap();
    let kept = split(&kept);
    assert_eq!((kept.status, kept.header("connection")), (200, None), "kept alive, then closed by the provider");
}
