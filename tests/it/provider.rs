//! The provider side against a provider that misbehaves on request (matrix groups A, E, F, G, H, I, J).

mod fake;

use std::{sync::Arc, time::Duration};

use self::fake::{Fake, Key, Reply, cutting, hs256, json, over_tls, text, with};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, macros::datetime};
use tokio::{net::TcpListener, time::Instant};
use vestibule::server::{
    clock::{Clock, System},
    ids::{Issuer, ProviderId},
    provider::{AuthorizationRequest, Availability, Provider, ProviderFault, Providers, Redemption, VerifiedClaims},
    settings::{ClientAuth, ProviderSettings, PublicUrl},
    trace::Trace,
};

const NOW: OffsetDateTime = datetime!(2026-11-23 12:00:00 UTC);
const NONCE: &str = "nonce-of-this-attempt";
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";
const CODE: &str = "the-code";
const SECRET: &str = "s3cret a+b%c:d&é";
const CLIENT: &str = "client:1 é";
const ACCESS: &str = "opaque_access_token";
const PLENTY: Duration = Duration::from_secs(60);

struct Stopped;
impl Clock for Stopped {
    fn now(&self) -> OffsetDateTime {
        NOW
    }
}

fn system() -> System {
    System { clock: Arc::new(Stopped), ..System::real() }
}

/// A provider of ours in front of a fake that answers everything as it should.
struct Rig {
    op: Fake,
    key: Key,
    providers: Providers,
}

impl Rig {
    async fn new() -> Self {
        Self::at(Fake::start().await, |_| {})
    }

    fn at(op: Fake, change: impl FnOnce(&mut ProviderSettings)) -> Self {
        let key = Key::rsa();
        op.says("/.well-known/openid-configuration", [json(&metadata(&op.base))]);
        op.says("/jwks", [json(&json!({"keys": [key.jwk(), Key::ec().jwk()]}))]);
        op.says("/userinfo", [json(&userinfo())]);
        let mut settings = settings(&op.base);
        change(&mut settings);
        let providers = Providers::new(vec![settings], &public_url(), &system()).unwrap();
        let rig = Self { op, key, providers };
        rig.answers(&rig.id_token(|_| {}));
        rig
    }

    fn provider(&self) -> Arc<Provider> {
        Arc::clone(self.providers.get(&ProviderId::new("p")).unwrap())
    }

    /// A good ID token's claims, changed.
    fn claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let now = NOW.unix_timestamp();
        let mut claims = json!({
            "iss": self.op.base, "sub": "subject-1", "aud": [CLIENT], "azp": CLIENT, "nonce": NONCE,
            "iat": now, "exp": now + 3600, "auth_time": now - 5, "jti": "j", "name": "From the ID token",
        });
        change(&mut claims);
        claims.to_string()
    }

    fn id_token(&self, change: impl FnOnce(&mut Value)) -> String {
        self.key.jwt("RS256", &self.claims(change))
    }

    /// The token endpoint answers with this ID token.
    fn answers(&self, id_token: &str) {
        self.op.says("/token", [json(&tokens(id_token))]);
    }

    async fn redeem(&self) -> Result<VerifiedClaims, ProviderFault> {
        self.redeem_within(PLENTY).await.0
    }

    async fn redeem_within(&self, deadline: Duration) -> (Result<VerifiedClaims, ProviderFault>, Trace) {
        let mut trace = Trace::begin();
        let redemption = Redemption {
            code: SecretString::from(CODE),
            verifier: SecretString::from(VERIFIER),
            nonce: NONCE.into(),
            started: NOW,
            deadline: Instant::now() + deadline,
        };
        let outcome = self.provider().redeem(redemption, &mut trace).await;
        if let Err(fault) = &outcome {
            let words = format!("{fault} {fault:?}");
            for secret in [CODE, VERIFIER, SECRET, ACCESS, NONCE] {
                assert!(!words.contains(secret), "{words}");
            }
            assert!(fault.to_string().len() < 260, "{words}");
        }
        (outcome, trace)
    }

    async fn code_of(&self) -> &'static str {
        self.redeem().await.map_or_else(|fault| fault.code(), |_| "ok")
    }

    async fn begin(&self) -> Result<url::Url, ProviderFault> {
        self.provider().authorization_url(request(false)).await
    }
}

fn request(prompt_login: bool) -> AuthorizationRequest {
    AuthorizationRequest {
        state: "x".repeat(500),
        nonce: NONCE.into(),
        verifier: SecretString::from(VERIFIER),
        prompt_login,
    }
}

fn public_url() -> PublicUrl {
    PublicUrl::parse("https://rp.example.com").unwrap()
}

fn settings(issuer: &str) -> ProviderSettings {
    ProviderSettings {
        id: ProviderId::new("p"),
        name: "Example".into(),
        issuer: Issuer::new(issuer),
        client_id: CLIENT.into(),
        client_auth: ClientAuth::Basic(SecretString::from(SECRET)),
        scopes: ["openid", "profile", "email"].map(String::from).into(),
        ca_file: None,
    }
}

fn metadata(base: &str) -> Value {
    json!({
        "issuer": base, "authorization_endpoint": format!("{base}/authorize?tenant=1"), "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/jwks"), "userinfo_endpoint": format!("{base}/userinfo"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
    })
}

fn userinfo() -> Value {
    json!({"sub": "subject-1", "name": "Alice", "email": "alice@example.com", "email_verified": true, "groups": ["a"]})
}

fn tokens(id_token: &str) -> Value {
    json!({"access_token": ACCESS, "token_type": "bearer", "expires_in": 3599, "scope": "openid", "id_token": id_token, "refresh_token": "r"})
}

fn set(name: &str, value: Value) -> impl FnOnce(&mut Value) {
    move |claims| claims[name] = value
}

fn without(name: &str) -> impl FnOnce(&mut Value) {
    move |claims| drop(claims.as_object_mut().unwrap().remove(name))
}

// ---- the good path

#[tokio::test]
async fn a_warm_sign_in_makes_two_requests() {
    let rig = Rig::new().await;
    rig.begin().await.unwrap();
    let (cold, trace) = rig.redeem_within(PLENTY).await;
    cold.unwrap();
    assert_eq!(
        trace.steps().iter().map(|step| step.name.as_str()).collect::<Vec<_>>(),
        ["keys", "token", "id_token", "userinfo"]
    );

    let before = rig.op.count();
    let (person, trace) = rig.redeem_within(PLENTY).await;
    let person = person.unwrap();
    assert_eq!(rig.op.count() - before, 2);
    assert_eq!(
        trace.steps().iter().map(|step| (step.name.as_str(), step.result.as_str())).collect::<Vec<_>>(),
        [("token", "ok"), ("id_token", "ok"), ("userinfo", "ok")]
    );
    assert_eq!((person.issuer().as_str(), person.subject().as_str()), (rig.op.base.as_str(), "subject-1"));
    assert_eq!(person.claims().name.as_deref(), Some("Alice"));
    assert_eq!(person.claims().groups, Some(vec!["a".to_owned()]));

    // A code travels on a connection of its own; asking for claims may share one.
    let ports = |path| rig.op.seen(path).iter().map(|seen| seen.peer.port()).collect::<Vec<_>>();
    assert_ne!(ports("/token")[0], ports("/token")[1]);
    assert_eq!(ports("/userinfo")[0], ports("/userinfo")[1]);
    let asked = &rig.op.seen("/userinfo")[0];
    assert_eq!(asked.headers["authorization"], format!("Bearer {ACCESS}"));
    assert!(asked.headers.get("referer").is_none() && asked.headers.get("cookie").is_none());
}

#[tokio::test]
async fn the_token_request_is_what_the_operator_registered() {
    let form = |body: &str| {
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect::<std::collections::BTreeMap<_, _>>()
    };
    let common = [
        ("grant_type", "authorization_code"),
        ("code", CODE),
        ("code_verifier", VERIFIER),
        ("redirect_uri", "https://rp.example.com/auth/oidc/callback"),
    ];
    let expected = |more: &[(&str, &str)]| {
        common
            .iter()
            .chain(more)
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };

    let basic = Rig::new().await;
    basic.redeem().await.unwrap();
    let seen = basic.op.seen("/token").remove(0);
    // RFC 6749 2.3.1: id and secret form-encoded, then base64 (TK-01).
    let plain = "client%3A1+%C3%A9:s3cret+a%2Bb%25c%3Ad%26%C3%A9";
    assert_eq!(
        seen.headers["authorization"],
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(plain))
    );
    assert_eq!(form(&seen.body), expected(&[]));

    let post =
        Rig::at(Fake::start().await, |settings| settings.client_auth = ClientAuth::Post(SecretString::from(SECRET)));
    post.redeem().await.unwrap();
    let seen = post.op.seen("/token").remove(0);
    assert!(seen.headers.get("authorization").is_none());
    assert_eq!(form(&seen.body), expected(&[("client_id", CLIENT), ("client_secret", SECRET)]));

    let none = Rig::at(Fake::start().await, |settings| settings.client_auth = ClientAuth::None);
    none.redeem().await.unwrap();
    let seen = none.op.seen("/token").remove(0);
    assert!(seen.headers.get("authorization").is_none());
    assert_eq!(form(&seen.body), expected(&[("client_id", CLIENT)]));
}

#[tokio::test]
async fn the_authentication_request_says_what_is_needed_and_no_more() {
    let rig = Rig::new().await;
    let url = rig.begin().await.unwrap();
    let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
    pairs.sort();
    let mut expected = [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("scope", "openid profile email"),
        ("redirect_uri", "https://rp.example.com/auth/oidc/callback"),
        ("state", &"x".repeat(500)),
        ("nonce", NONCE),
        ("code_challenge", &B64.encode(Sha256::digest(VERIFIER))),
        ("code_challenge_method", "S256"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()));
    expected.sort();
    assert_eq!(pairs, expected);
    assert!(url.as_str().len() < 1500);
    let again = rig.provider().authorization_url(request(true)).await.unwrap();
    assert!(again.query().unwrap().contains("&prompt=login"));
}

#[tokio::test]
async fn es256_and_harmless_variants_are_accepted() {
    let rig = Rig::new().await;
    let at_hash = B64.encode(&Sha256::digest(ACCESS)[..16]);
    for token in [
        Key::ec().jwt("ES256", &rig.claims(|_| {})),
        rig.id_token(set("aud", json!(CLIENT))),
        rig.id_token(set("aud", json!([CLIENT, CLIENT]))),
        rig.id_token(without("azp")),
        rig.id_token(set("at_hash", json!(at_hash))),
        rig.id_token(set("c_hash", json!("anything"))),
        rig.id_token(set("exp", json!(253_402_300_799_i64))),
        rig.id_token(set("exp", json!(NOW.unix_timestamp() - 59))),
        rig.id_token(set("iat", json!(NOW.unix_timestamp() - 60))),
        rig.id_token(set("iat", json!(NOW.unix_timestamp() + 60))),
        rig.id_token(set("sub", json!("subject-1"))),
        rig.key.jwt_with(r#"{"alg":"RS256","kid":"one"}"#, "RS256", &rig.claims(|_| {})),
        rig.key.jwt_with(r#"{"alg":"RS256"}"#, "RS256", &rig.claims(|_| {})),
        rig.key.jwt_with(
            r#"{"alg":"RS256","kid":"one","jwk":{"kty":"RSA"},"jku":"https://evil.example.com/"}"#,
            "RS256",
            &rig.claims(|_| {}),
        ),
    ] {
        rig.answers(&token);
        assert_eq!(
            rig.code_of().await,
            "ok",
            "{}",
            String::from_utf8_lossy(&B64.decode(token.split('.').nth(1).unwrap()).unwrap())
        );
    }
    for (name, value) in [
        ("token_type", json!("bEARER")),
        ("expires_in", json!("3600")),
        ("expires_in", json!(-1.5)),
        ("scope", json!(null)),
        ("unknown", json!({})),
    ] {
        let mut answer = tokens(&rig.id_token(|_| {}));
        answer[name] = value;
        for content_type in ["application/json", "Application/JSON; charset=utf-8", "application/json ; charset=utf-8"]
        {
            rig.op.says("/token", [text(200, content_type, &answer.to_string())]);
            assert_eq!(rig.code_of().await, "ok", "{name}");
        }
    }
    rig.op.says(
        "/token",
        [Reply::Text { status: 200, headers: vec![], body: tokens(&rig.id_token(|_| {})).to_string().into() }],
    );
    assert_eq!(rig.code_of().await, "ok");
    let mut fat = tokens(&rig.id_token(|_| {}));
    fat["access_token"] = json!("a".repeat(128 * 1024));
    rig.op.says("/token", [json(&fat)]);
    // axum's server takes no such header; that it was asked at all is what counts here.
    assert_ne!(rig.code_of().await, "token_response_invalid");
}

// ---- ID tokens that must not pass

#[tokio::test]
async fn id_tokens_that_fail_a_check_are_refused_before_userinfo_is_asked() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    let before = rig.op.seen("/userinfo").len();
    let now = NOW.unix_timestamp();
    let base = rig.op.base.clone();
    let payload = rig.claims(|_| {});
    let twice = |member: &str| payload.replacen('{', &format!("{{{member},"), 1);
    let good = rig.id_token(|_| {});
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let rsa_n = rig.key.jwk()["n"].as_str().unwrap().to_owned();
    let none = |header: &str, signature: &str| format!("{}.{}.{signature}", B64.encode(header), B64.encode(&payload));
    let flipped = format!("{signed}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
    let other = rig.id_token(set("sub", json!("somebody-else")));
    let swapped = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);

    type Change = Box<dyn FnOnce(&mut Value)>;
    let claims: Vec<(&str, Change)> = vec![
        ("iss +1", Box::new(set("iss", json!(format!("{base}/1"))))),
        ("iss /", Box::new(set("iss", json!(format!("{base}/"))))),
        ("no iss", Box::new(without("iss"))),
        ("aud", Box::new(set("aud", json!("other")))),
        ("no aud", Box::new(without("aud"))),
        ("aud []", Box::new(set("aud", json!([])))),
        ("aud more", Box::new(set("aud", json!([CLIENT, "other"])))),
        ("aud 5", Box::new(set("aud", json!([CLIENT, 5])))),
        ("azp", Box::new(set("azp", json!("other")))),
        ("azp empty", Box::new(set("azp", json!("")))),
        ("azp number", Box::new(set("azp", json!(1)))),
        ("azp list", Box::new(set("azp", json!([CLIENT])))),
        ("nonce", Box::new(set("nonce", json!("other")))),
        ("no nonce", Box::new(without("nonce"))),
        ("nonce list", Box::new(set("nonce", json!([NONCE])))),
        ("exp -60", Box::new(set("exp", json!(now - 60)))),
        ("exp -6min", Box::new(set("exp", json!(now - 360)))),
        ("no exp", Box::new(without("exp"))),
        ("exp text", Box::new(set("exp", json!("soon")))),
        ("exp huge", Box::new(set("exp", json!(1e300)))),
        ("exp max", Box::new(set("exp", json!(i64::MAX)))),
        ("iat old", Box::new(set("iat", json!(now - 61)))),
        ("iat future", Box::new(set("iat", json!(now + 61)))),
        ("no iat", Box::new(without("iat"))),
        ("iat far", Box::new(set("iat", json!(8_000_000_000_000_i64)))),
        ("iat ancient", Box::new(set("iat", json!(-8_000_000_000_000_i64)))),
        ("at_hash", Box::new(set("at_hash", json!(B64.encode([0; 16]))))),
        ("at_hash long", Box::new(set("at_hash", json!(B64.encode(Sha256::digest(ACCESS)))))),
        ("no sub", Box::new(without("sub"))),
        ("sub empty", Box::new(set("sub", json!("")))),
        ("sub null", Box::new(set("sub", json!(null)))),
        ("sub 256", Box::new(set("sub", json!("x".repeat(256))))),
        ("sub é", Box::new(set("sub", json!("é")))),
        ("sub NUL", Box::new(set("sub", json!("a\0")))),
        ("sub number", Box::new(set("sub", json!(1)))),
        ("name object", Box::new(set("name", json!({})))),
    ];
    let mut bad: Vec<(&str, String)> = claims.into_iter().map(|(what, change)| (what, rig.id_token(change))).collect();
    bad.extend([
        ("alg none", none(r#"{"alg":"none"}"#, "")),
        ("alg None", none(r#"{"alg":"None"}"#, "")),
        ("alg none signed", none(r#"{"alg":"none"}"#, signature)),
        ("HS256 n", hs256(rsa_n.as_bytes(), "one", &payload)),
        ("HS256 raw n", hs256(&B64.decode(&rsa_n).unwrap(), "one", &payload)),
        ("HS256 pem", hs256(include_bytes!("../provider/rsa-2048.pem"), "one", &payload)),
        ("HS256 secret", hs256(SECRET.as_bytes(), "one", &payload)),
        ("PS256 unlisted", rig.key.jwt("PS256", &payload)),
        ("RS512 unlisted", rig.key.jwt("RS512", &payload)),
        ("stranger's key", Key::pem(include_str!("../provider/rsa-2048-next.pem"), "one").jwt("RS256", &payload)),
        ("unknown kid", Key::next().jwt("RS256", &payload)),
        ("flipped", flipped),
        ("no signature", format!("{signed}.")),
        ("swapped", swapped),
        ("ES256 by RSA kid", rig.key.jwt_with(r#"{"alg":"ES256","kid":"one"}"#, "RS256", &payload)),
        ("crit", rig.key.jwt_with(r#"{"alg":"RS256","kid":"one","crit":["exp"]}"#, "RS256", &payload)),
        ("at+jwt", rig.key.jwt_with(r#"{"alg":"RS256","kid":"one","typ":"at+jwt"}"#, "RS256", &payload)),
        ("logout+jwt", rig.key.jwt_with(r#"{"alg":"RS256","kid":"one","typ":"logout+jwt"}"#, "RS256", &payload)),
        ("cty", rig.key.jwt_with(r#"{"alg":"RS256","kid":"one","cty":"JWT"}"#, "RS256", &payload)),
        ("alg twice", rig.key.jwt_with(r#"{"alg":"RS256","alg":"RS256","kid":"one"}"#, "RS256", &payload)),
        ("two parts", signed.to_owned()),
        ("four parts", format!("{good}.x")),
        ("five parts", format!("{good}.x.y")),
        ("padded", format!("{good}=")),
        ("array", rig.key.jwt("RS256", "[]")),
        ("trailing", rig.key.jwt("RS256", &format!("{payload}x"))),
        ("BOM", rig.key.jwt("RS256", &format!("\u{feff}{payload}"))),
        ("sub twice", rig.key.jwt("RS256", &twice(r#""sub":"evil""#))),
        ("iss twice", rig.key.jwt("RS256", &twice(r#""iss":"x""#))),
        ("exp twice", rig.key.jwt("RS256", &twice(r#""exp":1"#))),
        ("jti twice", rig.key.jwt("RS256", &twice(r#""jti":"x""#))),
        ("roles twice", rig.key.jwt("RS256", &twice(r#""roles":"user","roles":"admin""#))),
        ("too large", rig.key.jwt("RS256", &rig.claims(set("pad", json!("x".repeat(200_000)))))),
    ]);
    for (what, token) in bad {
        rig.answers(&token);
        assert_eq!(rig.code_of().await, "id_token_invalid", "{what}");
    }
    assert_eq!(rig.op.seen("/userinfo").len(), before);
    // Nothing of this sticks: the next good one passes.
    rig.answers(&good);
    assert_eq!(rig.code_of().await, "ok");
    // All those tokens that fitted no key cost one more fetch of the keys.
    assert_eq!(rig.op.seen("/jwks").len(), 2);
}

#[tokio::test]
async fn rotated_keys_are_fetched_in_the_same_sign_in_and_a_flood_of_unknown_ones_is_not_answered() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    rig.op.says("/jwks", [json(&json!({"keys": [Key::next().jwk()]}))]);
    rig.answers(&Key::next().jwt("RS256", &rig.claims(|_| {})));
    let (outcome, trace) = rig.redeem_within(PLENTY).await;
    outcome.unwrap();
    assert_eq!(
        trace.steps().iter().map(|step| step.name.as_str()).collect::<Vec<_>>(),
        ["token", "keys", "id_token", "userinfo"]
    );
    assert_eq!(rig.op.seen("/jwks").len(), 2);

    rig.answers(&rig.id_token(|_| {}));
    for _ in 0..20 {
        assert_eq!(rig.code_of().await, "id_token_invalid");
    }
    assert_eq!(rig.op.seen("/jwks").len(), 2);
}

#[tokio::test]
async fn a_useless_key_set_never_replaces_a_good_one() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    rig.op.says("/jwks", [json(&json!({"keys": []}))]);
    rig.answers(&Key::next().jwt("RS256", &rig.claims(|_| {})));
    assert_eq!(rig.code_of().await, "provider_keys");
    rig.answers(&rig.id_token(|_| {}));
    assert_eq!(rig.code_of().await, "ok");
}

// ---- token responses

#[tokio::test]
async fn token_responses_each_have_their_fault() {
    let rig = Rig::new().await;
    rig.begin().await.unwrap();
    let good = tokens(&rig.id_token(|_| {}));
    let change = |change: &dyn Fn(&mut Value)| {
        let mut answer = good.clone();
        change(&mut answer);
        json(&answer)
    };
    let error = |status, error: &str| {
        text(status, "application/json", &json!({"error": error, "error_description": format!("<b>\r\n\u{1b}[31m {CODE} {SECRET} {VERIFIER} {}", "x".repeat(5000))}).to_string())
    };
    let raw = |body: String| text(200, "application/json", &body);
    let body = good.to_string();
    let cases: Vec<(&str, Reply, &str)> = vec![
        ("no id_token", change(&|a| without("id_token")(a)), "token_response_invalid"),
        ("null id_token", change(&|a| a["id_token"] = json!(null)), "token_response_invalid"),
        ("id_token 5", change(&|a| a["id_token"] = json!(5)), "token_response_invalid"),
        ("id_token empty", change(&|a| a["id_token"] = json!("")), "id_token_invalid"),
        ("no token_type", change(&|a| without("token_type")(a)), "token_response_invalid"),
        ("DPoP", change(&|a| a["token_type"] = json!("DPoP")), "token_response_invalid"),
        ("no access_token", change(&|a| without("access_token")(a)), "token_response_invalid"),
        ("empty access_token", change(&|a| a["access_token"] = json!("")), "token_response_invalid"),
        ("access_token é", change(&|a| a["access_token"] = json!("é\n")), "token_response_invalid"),
        ("access_token long", change(&|a| a["access_token"] = json!("a".repeat(131_073))), "token_response_invalid"),
        ("200 error", error(200, "invalid_grant"), "code_refused"),
        ("400 invalid_grant", error(400, "invalid_grant"), "code_refused"),
        ("401 invalid_client", error(401, "invalid_client"), "client_refused"),
        ("400 invalid_client", error(400, "invalid_client"), "client_refused"),
        ("401 HTML", text(401, "text/html", "<h1>no"), "client_refused"),
        ("400 other", error(400, "insufficient_entropy"), "token_refused"),
        ("403 HTML", text(403, "text/html", "<h1>no"), "provider_bad_answer"),
        ("500 HTML", text(500, "text/html", "<h1>no"), "provider_server_error"),
        ("502 JSON", error(502, "server_error"), "provider_server_error"),
        ("200 HTML", text(200, "text/html", "<h1>maintenance"), "provider_bad_answer"),
        ("200 JSON as HTML", text(200, "text/html", &body), "provider_bad_answer"),
        ("204", Reply::Text { status: 204, headers: vec![], body: vec![] }, "provider_bad_answer"),
        ("201", text(201, "application/json", &body), "provider_bad_answer"),
        ("empty", raw(String::new()), "provider_bad_answer"),
        ("trailing", raw(format!("{body}garbage")), "provider_bad_answer"),
        ("twice", raw(body.replacen('{', r#"{"access_token":"x","#, 1)), "provider_bad_answer"),
        ("BOM", raw(format!("\u{feff}{body}")), "provider_bad_answer"),
        (
            "not UTF-8",
            Reply::Text { status: 200, headers: vec![], body: b"{\"a\":\"\xff\"}".to_vec() },
            "provider_bad_answer",
        ),
        ("large", raw(format!("{}{body}", " ".repeat(600_000))), "provider_bad_answer"),
        ("endless", Reply::Endless, "provider_bad_answer"),
        ("429", error(429, "temporarily_unavailable"), "provider_busy"),
    ];
    for (what, reply, code) in cases {
        rig.op.says("/token", [reply]);
        let before = rig.op.seen("/token").len();
        let (outcome, trace) = rig.redeem_within(PLENTY).await;
        assert_eq!(outcome.map_or_else(|fault| fault.code(), |_| "ok"), code, "{what}");
        assert_eq!(rig.op.seen("/token").len() - before, 1, "{what}");
        let last = trace.steps().last().unwrap();
        assert_eq!(last.result, code, "{what}");
    }
    assert!(rig.op.seen("/userinfo").is_empty());
}

#[tokio::test]
async fn the_fault_says_which_method_was_refused() {
    let rig = Rig::new().await;
    rig.op.says("/token", [text(401, "application/json", r#"{"error":"invalid_client","error_description":"basic"}"#)]);
    assert!(
        matches!(rig.redeem().await, Err(ProviderFault::ClientRefused { method: "client_secret_basic", detail }) if detail == "status 401, invalid_client: basic")
    );
}

#[tokio::test]
async fn a_429_is_waited_out_once_and_only_if_there_is_time() {
    let rig = Rig::new().await;
    rig.begin().await.unwrap();
    let busy = |after: &str| with(text(429, "application/json", "{}"), "retry-after", after);
    let good = json(&tokens(&rig.id_token(|_| {})));

    rig.op.says("/token", [busy("0"), good.clone()]);
    assert_eq!(rig.code_of().await, "ok");
    assert_eq!(rig.op.seen("/token").len(), 2);

    rig.op.says("/token", [busy("0"), busy("0"), good.clone()]);
    assert!(matches!(rig.redeem().await, Err(ProviderFault::Busy { retry_after: Some(Duration::ZERO) })));
    assert_eq!(rig.op.seen("/token").len(), 4);

    // Longer than the code lives, or than the deadline: the person is told, at once.
    rig.op.says("/token", [busy("61"), good.clone()]);
    let (outcome, _) = rig.redeem_within(Duration::from_secs(600)).await;
    assert!(matches!(outcome, Err(ProviderFault::Busy { retry_after: Some(wait) }) if wait.as_secs() == 61));
    rig.op.says("/token", [busy("30"), good]);
    let (outcome, _) = rig.redeem_within(Duration::from_secs(20)).await;
    assert!(matches!(outcome, Err(ProviderFault::Busy { retry_after: Some(_) })));
    assert_eq!(rig.op.seen("/token").len(), 6);
}

#[tokio::test]
async fn a_code_that_may_have_arrived_is_not_sent_again() {
    let op = Fake::start().await;
    let (cut, requests) = cutting().await;
    let rig = Rig::at(op, |_| {});
    let mut document = metadata(&rig.op.base);
    document["token_endpoint"] = json!(format!("{cut}/token"));
    rig.op.says("/.well-known/openid-configuration", [json(&document)]);
    assert_eq!(rig.code_of().await, "provider_unreachable");
    assert_eq!(*requests.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_code_that_surely_never_left_is_sent_when_the_provider_listens_again() {
    let rig = Rig::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let mut document = metadata(&rig.op.base);
    document["token_endpoint"] = json!(format!("http://{address}/token"));
    rig.op.says("/.well-known/openid-configuration", [json(&document)]);
    rig.begin().await.unwrap();
    let answer = json(&tokens(&rig.id_token(|_| {})));
    let later = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let late = Fake::serve(TcpListener::bind(address).await.unwrap());
        late.says("/token", [answer]);
        late
    });
    assert_eq!(rig.code_of().await, "ok");
    assert_eq!(later.await.unwrap().seen("/token").len(), 1);
}

#[tokio::test]
async fn redirects_are_followed_nowhere() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    let elsewhere = Fake::start().await;
    for status in [301, 302, 303, 307, 308] {
        let away = || with(text(status, "text/html", ""), "location", &format!("{}/x", elsewhere.base));
        rig.op.says("/token", [away()]);
        assert_eq!(rig.code_of().await, "provider_bad_answer");
        rig.answers(&rig.id_token(|_| {}));
        rig.op.says("/userinfo", [away()]);
        assert_eq!(rig.code_of().await, "userinfo_unavailable");
        let fresh = Rig::at(Fake::start().await, |_| {});
        fresh.op.says("/.well-known/openid-configuration", [away()]);
        assert_eq!(fresh.begin().await.unwrap_err().code(), "provider_bad_answer");
    }
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn slow_answers_end_with_the_deadline() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    for reply in [Reply::Never, Reply::Trickle] {
        rig.op.says("/token", [reply.clone()]);
        let before = rig.op.seen("/token").len();
        let (outcome, _) = rig.redeem_within(Duration::from_millis(700)).await;
        assert!(matches!(outcome, Err(ProviderFault::Slow(_))), "{outcome:?}");
        assert_eq!(rig.op.seen("/token").len() - before, 1);
        rig.answers(&rig.id_token(|_| {}));
        rig.op.says("/userinfo", [reply]);
        let (outcome, _) = rig.redeem_within(Duration::from_millis(1500)).await;
        assert!(matches!(outcome, Err(ProviderFault::UserinfoUnavailable(_))), "{outcome:?}");
    }
}

// ---- userinfo

#[tokio::test]
async fn userinfo_must_be_about_the_same_person() {
    let rig = Rig::new().await;
    let signed = |change: &dyn Fn(&mut Value)| {
        let mut claims = userinfo();
        change(&mut claims);
        text(200, "application/jwt", &rig.key.jwt("RS256", &claims.to_string()))
    };
    let plain = |change: &dyn Fn(&mut Value)| {
        let mut claims = userinfo();
        change(&mut claims);
        json(&claims)
    };
    let now = NOW.unix_timestamp();
    let body = userinfo().to_string();
    let cases: Vec<(&str, Reply, &str)> = vec![
        ("good", plain(&|_| {}), "ok"),
        ("other sub", plain(&|c| c["sub"] = json!("subject-2")), "userinfo_invalid"),
        ("sub case", plain(&|c| c["sub"] = json!("Subject-1")), "userinfo_invalid"),
        ("sub number", plain(&|c| c["sub"] = json!(1)), "userinfo_invalid"),
        ("no sub", plain(&|c| without("sub")(c)), "userinfo_invalid"),
        (
            "sub#fr",
            plain(&|c| {
                without("sub")(c);
                c["sub#fr"] = json!("subject-1");
            }),
            "userinfo_invalid",
        ),
        (
            "tags",
            plain(&|c| {
                c["name#fr"] = json!("x");
                c["name#"] = json!(1);
                c["name#a#b"] = json!(1);
            }),
            "ok",
        ),
        (
            "ill-typed",
            plain(&|c| {
                c["address"] = json!("x");
                c["updated_at"] = json!([]);
                c["locale"] = json!(5);
            }),
            "ok",
        ),
        (
            "sources",
            plain(&|c| {
                c["_claim_names"] = json!({"groups": "s"});
                c["_claim_sources"] = json!({"s": {"endpoint": "http://169.254.169.254/"}});
            }),
            "ok",
        ),
        ("space", text(200, "application/json ;charset=utf-8", &body), "ok"),
        ("no type", Reply::Text { status: 200, headers: vec![], body: body.clone().into() }, "ok"),
        ("HTML", text(200, "text/html", &body), "provider_bad_answer"),
        ("trailing", text(200, "application/json", &format!("{body}x")), "provider_bad_answer"),
        ("twice", text(200, "application/json", &body.replacen('{', r#"{"sub":"x","#, 1)), "provider_bad_answer"),
        ("endless", Reply::Endless, "provider_bad_answer"),
        ("401", text(401, "application/json", "{}"), "userinfo_unavailable"),
        ("429", text(429, "application/json", "{}"), "userinfo_unavailable"),
        ("signed", signed(&|_| {}), "ok"),
        (
            "signed iss aud",
            signed(&|c| {
                c["iss"] = json!(rig.op.base);
                c["aud"] = json!([CLIENT]);
                c["exp"] = json!(now + 9);
                c["nbf"] = json!(now);
            }),
            "ok",
        ),
        ("signed other sub", signed(&|c| c["sub"] = json!("subject-2")), "userinfo_invalid"),
        ("signed iss", signed(&|c| c["iss"] = json!("https://other.example.com")), "userinfo_invalid"),
        ("signed aud", signed(&|c| c["aud"] = json!("other")), "userinfo_invalid"),
        ("signed expired", signed(&|c| c["exp"] = json!(now - 60)), "userinfo_invalid"),
        ("signed early", signed(&|c| c["nbf"] = json!(now + 61)), "userinfo_invalid"),
        (
            "signed by stranger",
            text(
                200,
                "application/jwt",
                &Key::pem(include_str!("../provider/rsa-2048-next.pem"), "one").jwt("RS256", &body),
            ),
            "userinfo_invalid",
        ),
        (
            "signed none",
            text(200, "application/jwt", &format!("{}.{}.", B64.encode(r#"{"alg":"none"}"#), B64.encode(&body))),
            "userinfo_invalid",
        ),
        ("signed HS256", text(200, "application/jwt", &hs256(SECRET.as_bytes(), "one", &body)), "userinfo_invalid"),
        ("signed ES256", text(200, "application/jwt", &Key::ec().jwt("ES256", &body)), "userinfo_invalid"),
    ];
    for (what, reply, code) in cases {
        rig.op.says("/userinfo", [reply]);
        let outcome = rig.redeem().await;
        if let Ok(person) = &outcome {
            assert_eq!(person.claims().name.as_deref(), Some("Alice"), "{what}");
        }
        assert_eq!(outcome.map_or_else(|fault| fault.code(), |_| "ok"), code, "{what}");
    }
}

#[tokio::test]
async fn userinfo_is_asked_twice_and_never_replaced_by_the_id_token() {
    let rig = Rig::new().await;
    rig.op.says("/userinfo", [text(503, "text/html", ""), json(&userinfo())]);
    assert_eq!(rig.code_of().await, "ok");
    rig.op.says("/userinfo", [text(503, "text/html", "")]);
    assert_eq!(rig.code_of().await, "userinfo_unavailable");
    assert_eq!(rig.op.seen("/userinfo").len(), 4);
    assert_eq!(rig.op.seen("/token").len(), 2);
}

#[tokio::test]
async fn without_userinfo_the_id_token_speaks() {
    let rig = Rig::new().await;
    let mut document = metadata(&rig.op.base);
    without("userinfo_endpoint")(&mut document);
    rig.op.says("/.well-known/openid-configuration", [json(&document)]);
    let person = rig.redeem().await.unwrap();
    assert_eq!(person.claims().name.as_deref(), Some("From the ID token"));
    assert!(rig.op.seen("/userinfo").is_empty());
}

// ---- discovery

#[tokio::test]
async fn a_hundred_starts_make_one_fetch() {
    let rig = Rig::new().await;
    let provider = rig.provider();
    let all = futures_util::future::join_all((0..100).map(|_| provider.authorization_url(request(false)))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(rig.op.seen("/.well-known/openid-configuration").len(), 1);
}

#[tokio::test]
async fn metadata_that_is_wrong_is_refused() {
    let op = Fake::start().await;
    let base = op.base.clone();
    let member = |name: &'static str, value: Value| {
        let mut document = metadata(&base);
        document[name] = value;
        json(&document)
    };
    let missing = |name: &'static str| {
        let mut document = metadata(&base);
        without(name)(&mut document);
        json(&document)
    };
    let good = metadata(&base).to_string();
    let mut cases: Vec<(String, Reply, &str)> = vec![
        ("issuer /".into(), member("issuer", json!(format!("{base}/"))), "provider_metadata"),
        ("issuer case".into(), member("issuer", json!(base.to_uppercase())), "provider_metadata"),
        ("issuer missing".into(), missing("issuer"), "provider_metadata"),
        (
            "issuer twice".into(),
            text(200, "application/json", &good.replacen('{', &format!(r#"{{"issuer":"{base}","#), 1)),
            "provider_bad_answer",
        ),
        ("no authorization".into(), missing("authorization_endpoint"), "provider_metadata"),
        ("no token".into(), missing("token_endpoint"), "provider_metadata"),
        ("no jwks".into(), missing("jwks_uri"), "provider_metadata"),
        (
            "HS only".into(),
            member("id_token_signing_alg_values_supported", json!(["HS256", "none"])),
            "provider_metadata",
        ),
        ("404".into(), text(404, "text/plain", ""), "provider_bad_answer"),
        ("500".into(), text(500, "text/html", ""), "provider_server_error"),
        ("HTML".into(), text(200, "text/html", &good), "provider_bad_answer"),
        ("[]".into(), text(200, "application/json", "[]"), "provider_bad_answer"),
        ("null".into(), text(200, "application/json", "null"), "provider_bad_answer"),
        ("truncated".into(), text(200, "application/json", &good[..200]), "provider_bad_answer"),
        ("trailing".into(), text(200, "application/json", &format!("{good}x")), "provider_bad_answer"),
        ("large".into(), Reply::Endless, "provider_bad_answer"),
        (
            "client_id".into(),
            member("authorization_endpoint", json!(format!("{base}/a?client_id=evil"))),
            "provider_metadata",
        ),
        (
            "state".into(),
            member("authorization_endpoint", json!(format!("{base}/a?x=1&st%61te=fixed"))),
            "provider_metadata",
        ),
    ];
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
        for url in [
            "http://op.example.com/x",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "/relative",
            "//op.example.com/x",
            "",
            "https://op.example.com/x#f",
            "https://u:p@op.example.com/x",
            "https://u@op.example.com/x",
            "https://op.example.com/\nx",
        ] {
            cases.push((format!("{name} {url:?}"), member(name, json!(url)), "provider_metadata"));
        }
        cases.push((format!("{name} 5"), member(name, json!(5)), "provider_metadata"));
    }
    for (what, reply, code) in cases {
        let rig = Rig::at(op.clone(), |_| {});
        op.says("/.well-known/openid-configuration", [reply]);
        let fault = rig.begin().await.unwrap_err();
        assert_eq!(fault.code(), code, "{what}: {fault}");
        assert_eq!(rig.provider().availability(), Availability::Unavailable { since: NOW, code }, "{what}");
    }
    // Optional members of odd types are no reason to stop (DI-17); another https host is fine.
    for (name, value) in [
        ("scopes_supported", json!(null)),
        ("claims_parameter_supported", json!("true")),
        ("display_values_supported", json!(5)),
        ("userinfo_endpoint", json!(null)),
        ("token_endpoint", json!("https://other.example.com/token")),
        ("id_token_signing_alg_values_supported", json!(null)),
    ] {
        let rig = Rig::at(op.clone(), |_| {});
        op.says("/.well-known/openid-configuration", [member(name, value)]);
        rig.begin().await.unwrap();
    }
}

#[tokio::test]
async fn https_issuers_have_https_endpoints_only_and_tls_faults_have_a_name() {
    let op = Fake::start().await;
    let tls = Rig::at(op.clone(), |settings| settings.issuer = Issuer::new(op.base.replace("http:", "https:")));
    assert_eq!(tls.begin().await.unwrap_err().code(), "provider_tls");
    let refused = |issuer: &str| Providers::new(vec![settings(issuer)], &public_url(), &system()).err();
    assert!(refused("http://op.example.com").unwrap().contains("https"));
    assert!(refused("https://op.example.com").is_none());
}

#[tokio::test]
async fn the_ca_file_adds_a_root() {
    let base = over_tls(|base| metadata(base).to_string()).await;
    let begin = |ca: Option<&str>| {
        let mut settings = settings(&base);
        settings.ca_file = ca.map(Into::into);
        let providers = Providers::new(vec![settings], &public_url(), &system()).unwrap();
        async move { providers.iter().next().unwrap().authorization_url(request(false)).await }
    };
    begin(Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/provider/ca.pem"))).await.unwrap();
    assert_eq!(begin(None).await.unwrap_err().code(), "provider_tls");
}

#[tokio::test]
async fn what_is_wrong_with_an_unreadable_id_token_is_named() {
    let rig = Rig::new().await;
    for (token, words) in [
        (rig.id_token(set("name", json!({}))), "ID token: `name` is of the wrong type"),
        (rig.id_token(set("azp", json!([CLIENT]))), "ID token: `azp` is of the wrong type"),
        (rig.id_token(without("exp")), "ID token: `exp` is missing"),
        (
            rig.key.jwt("RS256", &rig.claims(|_| {}).replacen('{', r#"{"sub":"x","#, 1)),
            "ID token: payload: member `sub` twice",
        ),
        ("e30.e30".to_owned(), "ID token: not three parts of base64url"),
        (rig.key.jwt_with("{}", "RS256", &rig.claims(|_| {})), "ID token: its header or a claim cannot be understood"),
    ] {
        rig.answers(&token);
        let fault = rig.redeem().await.unwrap_err().to_string();
        assert!(fault.starts_with(words), "{fault}");
    }
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_a_fault_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for path in [folder.path().join("missing.pem"), empty] {
        let mut settings = settings("https://op.example.com");
        settings.ca_file = Some(path);
        let fault = Providers::new(vec![settings], &public_url(), &system()).err().unwrap();
        assert!(fault.contains("provider `p`: ca_file"), "{fault}");
    }
}

#[tokio::test]
async fn a_provider_that_is_down_comes_back_by_itself() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let providers =
        Arc::new(Providers::new(vec![settings(&format!("http://{address}"))], &public_url(), &system()).unwrap());
    let provider = Arc::clone(providers.get(&ProviderId::new("p")).unwrap());
    assert_eq!(provider.availability(), Availability::Available);
    assert_eq!(provider.authorization_url(request(false)).await.unwrap_err().code(), "provider_unreachable");
    assert_eq!(provider.availability(), Availability::Unavailable { since: NOW, code: "provider_unreachable" });
    let keeper = tokio::spawn({
        let providers = Arc::clone(&providers);
        async move { providers.keep_fresh().await }
    });
    let op = Fake::serve(TcpListener::bind(address).await.unwrap());
    let _rig = Rig::at(op.clone(), |_| {});
    tokio::time::timeout(PLENTY, async {
        while provider.availability() != Availability::Available || op.seen("/jwks").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    provider.authorization_url(request(false)).await.unwrap();
    keeper.abort();
}

#[tokio::test]
async fn iss_of_the_answer_is_compared_byte_for_byte() {
    let rig = Rig::new().await;
    let provider = rig.provider();
    let base = rig.op.base.clone();
    provider.check_answer_issuer(Some(&base)).await.unwrap();
    for wrong in [
        None,
        Some(""),
        Some("http://other.example.com"),
        Some(&format!("{base}/") as &str),
        Some(&base.to_uppercase()),
    ] {
        assert_eq!(provider.check_answer_issuer(wrong).await.unwrap_err().code(), "issuer_mismatch");
    }
    let silent = Rig::new().await;
    let mut document = metadata(&silent.op.base);
    without("authorization_response_iss_parameter_supported")(&mut document);
    silent.op.says("/.well-known/openid-configuration", [json(&document)]);
    silent.provider().check_answer_issuer(None).await.unwrap();
    assert!(silent.provider().check_answer_issuer(Some("http://other.example.com")).await.is_err());
}

#[tokio::test]
async fn the_fingerprint_is_of_issuer_client_and_redirect_uri() {
    let of = |issuer: &str, client: &str, public: &str| {
        let mut settings = settings(issuer);
        settings.client_id = client.into();
        let providers = Providers::new(vec![settings], &PublicUrl::parse(public).unwrap(), &system()).unwrap();
        providers.iter().next().unwrap().fingerprint()
    };
    let one = of("https://a.example.com", "c", "https://rp.example.com");
    assert_eq!(one, of("https://a.example.com", "c", "https://rp.example.com"));
    assert_ne!(one, of("https://a.example.com/", "c", "https://rp.example.com"));
    assert_ne!(one, of("https://a.example.com", "d", "https://rp.example.com"));
    assert_ne!(one, of("https://a.example.com", "c", "https://rp2.example.com"));
}

#[tokio::test]
async fn the_discovery_url_drops_one_slash() {
    for (issuer, url) in [
        ("https://op.example.com", "https://op.example.com/.well-known/openid-configuration"),
        ("https://op.example.com/t1", "https://op.example.com/t1/.well-known/openid-configuration"),
        ("https://op.example.com/t1/", "https://op.example.com/t1/.well-known/openid-configuration"),
    ] {
        let providers = Providers::new(vec![settings(issuer)], &public_url(), &system()).unwrap();
        assert_eq!(providers.iter().next().unwrap().discovery_url(), url);
    }
}
