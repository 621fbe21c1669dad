//! A sign-in at a provider that does as the specifications say.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sha2::{Digest as _, Sha256};
use test_provider::{Algorithm, Client, Endpoint, Grant, Profile, RunningProvider, System};
use time::OffsetDateTime;

use crate::support::{
    BACK, NONCE, SECRET, STATE, VERIFIER, asking, authorize, basic, challenge, code, config, encoded, fields, get,
    landed, part, provider, redeem, redeem_with, send, tokens, userinfo, value, verifies,
};

#[tokio::test]
async fn alice_signs_in_at_the_standard_provider() {
    let op = provider(Profile::Standard).await;
    let metadata = get(&op, Endpoint::Discovery).await.json();
    assert_eq!(metadata["issuer"], op.issuer());
    assert_eq!(metadata["token_endpoint"], op.url(Endpoint::Token));
    let tokens = tokens(&op).await;
    assert_eq!(tokens["token_type"], "Bearer");
    let id_token = tokens["id_token"].as_str().unwrap();
    assert!(verifies(&op, id_token).await);
    let claims = part(id_token, 1);
    assert_eq!(claims["aud"], "app");
    assert_eq!(claims["nonce"], NONCE);
    assert_eq!(claims["email"], "alice@example.com");
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token)[..16]));
    let info = userinfo(&op, access_token).await;
    assert_eq!(info.json()["sub"], claims["sub"]);
    let posted = send(&op, "POST", Endpoint::Userinfo, "", &[], &encoded(&[("access_token", access_token)])).await;
    assert_eq!(posted.json(), info.json());
    assert_eq!(op.redemptions().iter().map(|r| (r.presented, r.redeemed)).collect::<Vec<_>>(), [(1, 1)]);
}

#[tokio::test]
async fn a_person_signs_in_by_the_form_and_is_then_known() {
    let mut config = config(Profile::Standard);
    config.show_demo_people = true;
    let op = RunningProvider::start(config).await.unwrap();
    let form = send(&op, "GET", Endpoint::Authorize, &asking(&[]), &[], "").await;
    assert_eq!(form.status, 200);
    let page = form.text();
    for expected in ["alice-demo", "autocomplete=\"username\"", "autocomplete=\"current-password\"", "method=\"post\""]
    {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    assert!(!page.contains("<script"));
    let carried = asking(&[]);
    let typed = |password| encoded(&[("request", &carried[1..]), ("username", "alice"), ("password", password)]);
    let wrong = send(&op, "POST", Endpoint::Login, "", &[], &typed("guess")).await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    assert!(wrong.text().contains("role=\"alert\""));
    let right = send(&op, "POST", Endpoint::Login, "", &[], &typed("alice-demo")).await;
    assert!(!value(&landed(&right), "code").is_empty());
    let cookie = right.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = [("cookie", cookie.split(';').next().unwrap())];
    let silent = send(&op, "GET", Endpoint::Authorize, &asking(&[("prompt", "none")]), &cookie, "").await;
    assert!(!value(&landed(&silent), "code").is_empty());
    let asked = send(&op, "GET", Endpoint::Authorize, &asking(&[("prompt", "login")]), &cookie, "").await;
    assert_eq!(asked.status, 200, "prompt=login shows the form to one who is known");
    op.forget_sessions();
    let stranger = send(&op, "GET", Endpoint::Authorize, &asking(&[("prompt", "none")]), &cookie, "").await;
    assert_eq!(value(&landed(&stranger), "error"), "login_required");
}

#[tokio::test]
async fn clients_prove_themselves_in_their_one_way() {
    let mut config = config(Profile::Standard)
        .with_client(Client::post("poster", SECRET, BACK))
        .with_client(Client::public("public", BACK));
    config.clients.push(Client { id_token_alg: Algorithm::Es256, ..Client::basic("curve", SECRET, BACK) });
    let op = RunningProvider::start(config).await.unwrap();
    op.log_in_as("bob");
    let code_for = async |id: &'static str| value(&authorize(&op, &[("client_id", id)]).await, "code").to_owned();

    let code = code_for("poster").await;
    let refused = redeem_with(&op, &basic("poster", SECRET), &fields(&code)).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("invalid_client")));
    assert!(refused.header("www-authenticate").unwrap().starts_with("Basic"));
    let posted = [&fields(&code)[..], &[("client_id", "poster"), ("client_secret", SECRET)]].concat();
    assert_eq!(redeem_with(&op, &basic("poster", SECRET), &posted).await.json()["error"], "invalid_request");
    assert_eq!(redeem_with(&op, "", &posted).await.status, 200);

    let code = code_for("public").await;
    assert_eq!(redeem_with(&op, "", &[&fields(&code)[..], &[("client_id", "public")]].concat()).await.status, 200);
    let bare = authorize(&op, &[("client_id", "public"), ("code_challenge", ""), ("code_challenge_method", "")]).await;
    assert_eq!(value(&bare, "error"), "invalid_request");

    let code = code_for("curve").await;
    let tokens = redeem_with(&op, &basic("curve", SECRET), &fields(&code)).await.json();
    let id_token = tokens["id_token"].as_str().unwrap();
    assert_eq!(part(id_token, 0)["alg"], "ES256");
    assert!(verifies(&op, id_token).await);

    // RFC 6749 2.3.1: the parts of Basic are form-encoded; raw, this secret is another.
    let raw = format!("Basic {}", STANDARD.encode(format!("app:{SECRET}")));
    let code = code_for("app").await;
    assert_eq!(redeem_with(&op, &raw, &fields(&code)).await.status, 401);
    assert_eq!(redeem(&op, &code).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_sent_back_is_said_on_a_page() {
    let op = provider(Profile::Standard).await;
    let slash = format!("{BACK}/");
    for with in [("client_id", "nobody"), ("redirect_uri", slash.as_str()), ("redirect_uri", "")] {
        let answer = send(&op, "GET", Endpoint::Authorize, &asking(&[with]), &[], "").await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{with:?}");
    }
    for (with, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "openid admin"), "invalid_scope"),
        (("scope", "profile"), "invalid_scope"),
        (("code_challenge_method", "plain"), "invalid_request"),
    ] {
        let answer = authorize(&op, &[with]).await;
        assert_eq!((value(&answer, "error"), value(&answer, "state")), (error, STATE), "{with:?}");
    }
}

#[tokio::test]
async fn only_the_right_verifier_redeems() {
    let op = provider(Profile::Standard).await;
    let other = VERIFIER.replace('0', "1");
    for verifier in [Some(other.as_str()), None] {
        let code = code(&op).await;
        let mut wrong = fields(&code).to_vec();
        wrong.pop();
        wrong.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        let refused = redeem_with(&op, &basic("app", SECRET), &wrong).await;
        assert_eq!((refused.status, refused.json()["error"].as_str()), (400, Some("invalid_grant")));
        assert_eq!(redeem(&op, &code).await.status, 400, "the code is gone");
    }
    let stripped = authorize(&op, &[("code_challenge", ""), ("code_challenge_method", "")]).await;
    assert_eq!(redeem(&op, value(&stripped, "code")).await.status, 400, "a verifier nobody announced");
}

struct Later(AtomicI64);

impl System for Later {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let clock = Arc::new(Later(1_760_000_000.into()));
    let mut config = config(Profile::Standard);
    config.system = clock.clone();
    let op = RunningProvider::start(config).await.unwrap();
    op.log_in_as("alice");
    let (early, late) = (code(&op).await, code(&op).await);
    clock.0.fetch_add(59, Ordering::Relaxed);
    assert_eq!(redeem(&op, &early).await.status, 200);
    clock.0.fetch_add(1, Ordering::Relaxed);
    assert_eq!(redeem(&op, &late).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_code_of_the_tests_own_is_as_good_as_one_from_the_browser() {
    let op = provider(Profile::Standard).await;
    let grant = Grant {
        client_id: "app".to_owned(),
        redirect_uri: BACK.to_owned(),
        username: "bob".to_owned(),
        scope: "openid".to_owned(),
        nonce: Some(NONCE.to_owned()),
        challenge: Some(challenge()),
        signed_in_at: OffsetDateTime::from_unix_timestamp(1_760_000_000).unwrap(),
    };
    op.issue_code("mine", grant.clone());
    let tokens = redeem(&op, "mine").await.json();
    let claims = part(tokens["id_token"].as_str().unwrap(), 1);
    assert_eq!((claims["nonce"].as_str(), claims["auth_time"].as_i64()), (Some(NONCE), Some(1_760_000_000)));
    assert_eq!(redeem(&op, "mine").await.status, 400, "once");
    op.issue_code("mine", grant);
    assert_eq!(redeem(&op, "mine").await.status, 200, "and again when it is issued again");
}
