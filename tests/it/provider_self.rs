//! The test provider, tested over raw HTTP: what the other tests lean on has to be right, or wrong in the way they asked.

use std::{net::SocketAddr, time::Duration};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rsa::{
    BigUint, RsaPublicKey,
    pkcs1v15::{Signature, VerifyingKey},
    signature::Verifier as _,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;
use vestibule::server::{
    clock::{Clock, RealEntropy, System},
    demo::{
        Algorithm, Behaviour, CallbackEdit, Client, DemoPerson, Document, Edit, Endpoint, Fault, HeadEdit, IdTokenEdit,
        JwksFault, KeyName, Order, Profile, ProviderConfig, ProviderError, PublicKeyForm, RateLimit, Rule,
        RunningProvider, SignatureFault, control_router,
    },
};

const SECRET: &str = "a+b%2Fc d:e&f=g";
const BACK: &str = "https://rp.test/auth/oidc/callback";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0";
const STATE: &str = "state-long-enough";
const NONCE: &str = "nonce-long-enough";

// The smallest HTTP client there is: it shows what is on the wire.

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// All bytes until the end of the connection.
async fn raw(addr: SocketAddr, request: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn split(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Answer { status: head[9..12].parse().unwrap(), head, body: bytes[end..].to_vec() }
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: op.test\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" {
        text.push_str("content-type: application/x-www-form-urlencoded\r\n");
    }
    text + &format!("content-length: {}\r\n\r\n{body}", body.len())
}

async fn send(
    op: &RunningProvider,
    method: &str,
    endpoint: Endpoint,
    query: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let path = Url::parse(&op.url(endpoint)).unwrap().path().to_owned();
    split(&raw(op.addr(), &request(method, &format!("{path}{query}"), headers, body)).await.unwrap())
}

async fn get(op: &RunningProvider, endpoint: Endpoint) -> Answer {
    send(op, "GET", endpoint, "", &[], "").await
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn basic(id: &str, secret: &str) -> String {
    let part = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", part(id), part(secret))))
}

// A provider with one client, and the steps of a sign-in there.

fn config(profile: Profile) -> ProviderConfig {
    let mut config = ProviderConfig::new(profile).with_client(Client::basic("app", SECRET, BACK));
    config.token_delay = Duration::ZERO;
    config
}

async fn provider(profile: Profile) -> RunningProvider {
    let op = RunningProvider::start(config(profile)).await.unwrap();
    op.log_in_as("alice");
    op
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// The query of a right authorization request, changed by `with`: another value, or none for an empty one.
fn asking(with: &[(&str, &str)]) -> String {
    let challenge = challenge();
    let mut pairs = vec![
        ("client_id", "app"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", STATE),
        ("nonce", NONCE),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in with {
        pairs.retain(|(given, _)| given != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    format!("?{}", encoded(&pairs))
}

fn landed(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 303, "{}", answer.text());
    let location = answer.header("location").unwrap();
    assert!(location.starts_with(BACK), "{location}");
    Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

fn value<'p>(pairs: &'p [(String, String)], name: &str) -> &'p str {
    pairs.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
}

async fn authorize(op: &RunningProvider, with: &[(&str, &str)]) -> Vec<(String, String)> {
    landed(&send(op, "GET", Endpoint::Authorize, &asking(with), &[], "").await)
}

async fn code(op: &RunningProvider) -> String {
    let answer = authorize(op, &[]).await;
    let code = value(&answer, "code").to_owned();
    assert!(!code.is_empty(), "{answer:?}");
    code
}

async fn redeem_with(op: &RunningProvider, header: &str, fields: &[(&str, &str)]) -> Answer {
    let headers = [("authorization", header)];
    let headers = if header.is_empty() { &headers[..0] } else { &headers };
    send(op, "POST", Endpoint::Token, "", headers, &encoded(fields)).await
}

fn fields(code: &str) -> [(&str, &str); 4] {
    [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK), ("code_verifier", VERIFIER)]
}

async fn redeem(op: &RunningProvider, code: &str) -> Answer {
    redeem_with(op, &basic("app", SECRET), &fields(code)).await
}

async fn tokens(op: &RunningProvider) -> Value {
    let answer = redeem(op, &code(op).await).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn userinfo(op: &RunningProvider, token: &str) -> Answer {
    send(op, "GET", Endpoint::Userinfo, "", &[("authorization", &format!("Bearer {token}"))], "").await
}

fn part(jwt: &str, n: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(n).unwrap()).unwrap()).unwrap()
}

/// Whether the published key of the token's `kid` signed it.
async fn verifies(op: &RunningProvider, jwt: &str) -> bool {
    let keys = get(op, Endpoint::Jwks).await.json();
    let kid = part(jwt, 0)["kid"].clone();
    let Some(key) = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid) else { return false };
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let (input, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    if key["kty"] == "EC" {
        use p256::ecdsa::signature::Verifier as _;
        let point = [vec![4], bytes("x"), bytes("y")].concat();
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
        return p256::ecdsa::Signature::from_slice(&signature)
            .is_ok_and(|signature| key.verify(input.as_bytes(), &signature).is_ok());
    }
    let key = RsaPublicKey::new(BigUint::from_bytes_be(&bytes("n")), BigUint::from_bytes_be(&bytes("e"))).unwrap();
    Signature::try_from(signature.as_slice())
        .is_ok_and(|signature| VerifyingKey::<rsa::sha2::Sha256>::new(key).verify(input.as_bytes(), &signature).is_ok())
}

fn edit(of: Document, edit: Edit) -> Rule {
    Rule::once(Behaviour::Edit { of, edit })
}

fn fault(at: Endpoint, fault: Fault) -> Rule {
    Rule::once(Behaviour::Fault { at, fault })
}

// The good path.

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

struct Later(std::sync::atomic::AtomicI64);

impl Clock for Later {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0.load(std::sync::atomic::Ordering::Relaxed)).unwrap()
    }
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let clock = std::sync::Arc::new(Later(1_760_000_000.into()));
    let mut config = config(Profile::Standard);
    config.system = System { clock: clock.clone(), entropy: std::sync::Arc::new(RealEntropy) };
    let op = RunningProvider::start(config).await.unwrap();
    op.log_in_as("alice");
    let (early, late) = (code(&op).await, code(&op).await);
    clock.0.fetch_add(59, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(redeem(&op, &early).await.status, 200);
    clock.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(redeem(&op, &late).await.json()["error"], "invalid_grant");
}

// Authelia 4.39, as measured.

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

async fn tokens_of(op: &RunningProvider) -> String {
    tokens(op).await["access_token"].as_str().unwrap().to_owned()
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
async fn authelia_counts_failures_and_then_refuses_everybody() {
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

// Misbehaviour.

#[tokio::test]
async fn the_person_of_the_incident_is_heavy() {
    let config = config(Profile::Authelia).with_person(DemoPerson::incident());
    let op = RunningProvider::start(config).await.unwrap();
    op.log_in_as("incident");
    let tokens = tokens(&op).await;
    let (id_token, access_token) = (tokens["id_token"].as_str().unwrap(), tokens["access_token"].as_str().unwrap());
    assert!((65_000..=65_540).contains(&access_token.len()), "{}", access_token.len());
    assert_eq!(part(access_token, 0)["typ"], "at+jwt");
    assert_eq!(id_token.rsplit('.').next().unwrap().len(), 683, "4096 bits");
    assert!(verifies(&op, id_token).await && verifies(&op, access_token).await);
    assert_eq!(part(id_token, 1)["groups"].as_array().unwrap().len(), 500);
    assert_eq!(part(id_token, 1)["email"], "incident@example.com");
    assert_eq!(tokens["refresh_token"].as_str().unwrap().len(), 99);
    assert_eq!(userinfo(&op, access_token).await.json()["groups"].as_array().unwrap().len(), 500);
}

#[tokio::test]
async fn faults_queue_and_are_used_up() {
    let op = provider(Profile::Standard).await;
    op.behave(fault(Endpoint::Discovery, Fault::retry_after(429, 7)));
    op.behave(Rule::times(2, Behaviour::Fault { at: Endpoint::Discovery, fault: Fault::html(502) }));
    let busy = get(&op, Endpoint::Discovery).await;
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("7")));
    for _ in 0..2 {
        let page = get(&op, Endpoint::Discovery).await;
        assert_eq!((page.status, page.header("content-type")), (502, Some("text/html")));
    }
    assert_eq!(get(&op, Endpoint::Discovery).await.status, 200);
    assert_eq!(get(&op, Endpoint::Jwks).await.status, 200, "other endpoints were never touched");
}

#[tokio::test]
async fn transport_faults_are_seen_on_the_wire() {
    let op = provider(Profile::Standard).await;
    let path = Url::parse(&op.url(Endpoint::Discovery)).unwrap().path().to_owned();
    let ask = async || raw(op.addr(), &request("GET", &path, &[], "")).await;
    let at = Endpoint::Discovery;

    for silent in [Fault::CloseBeforeReading, Fault::CloseUnprocessed, Fault::CloseProcessed] {
        op.behave(fault(at, silent));
        assert_eq!(ask().await.unwrap(), b"");
    }
    op.behave(fault(at, Fault::Reset));
    assert_eq!(ask().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    op.behave(fault(at, Fault::Truncated { keep: 10 }));
    let cut = split(&ask().await.unwrap());
    assert_eq!(cut.body.len(), 10);
    assert!(cut.header("content-length").unwrap().parse::<usize>().unwrap() > 10);
    op.behave(fault(at, Fault::Wire { base64: STANDARD.encode("garbage\0") }));
    assert_eq!(ask().await.unwrap(), b"garbage\0");
    op.behave(fault(at, Fault::Oversized { bytes: 3_000_000 }));
    assert!(split(&ask().await.unwrap()).body.len() > 3_000_000);
    op.behave(fault(at, Fault::redirect(307, "http://127.0.0.1:9/")));
    assert_eq!(split(&ask().await.unwrap()).header("location"), Some("http://127.0.0.1:9/"));
    op.behave(fault(at, Fault::status(204)));
    assert_eq!(split(&ask().await.unwrap()).header("content-length"), None);
    op.behave(Rule::once(Behaviour::Head { at, edit: HeadEdit::content_type("text/html") }));
    let page = split(&ask().await.unwrap());
    assert_eq!((page.header("content-type"), page.json()["issuer"].as_str()), (Some("text/html"), Some(op.issuer())));
    op.behave(fault(at, Fault::SlowBody { ms: 0 }));
    assert_eq!(split(&ask().await.unwrap()).json()["issuer"], op.issuer());
    op.behave(fault(at, Fault::SlowHead { ms: 0 }));
    assert_eq!(split(&ask().await.unwrap()).json()["issuer"], op.issuer());

    let mut stream = TcpStream::connect(op.addr()).await.unwrap();
    op.behave(fault(at, Fault::EndlessBody));
    stream.write_all(request("GET", &path, &[], "").as_bytes()).await.unwrap();
    let mut some = vec![0; 50_000];
    stream.read_exact(&mut some).await.unwrap();
    drop(stream);

    op.down().await;
    assert_eq!(ask().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    op.up().await.unwrap();
    assert_eq!(split(&ask().await.unwrap()).status, 200);
}

#[tokio::test]
async fn the_gzip_bomb_unpacks() {
    let op = provider(Profile::Standard).await;
    op.behave(fault(Endpoint::Jwks, Fault::GzipBomb { megabytes: 4 }));
    let bomb = get(&op, Endpoint::Jwks).await;
    assert_eq!(bomb.header("content-encoding"), Some("gzip"));
    assert!(bomb.body.len() < 40_000);
    // Node is there for the browser tests, and has an inflater that is not ours.
    let script = "const z=require('zlib'),f=z.constants.Z_SYNC_FLUSH;\
                  const o=z.gunzipSync(require('fs').readFileSync(0),{finishFlush:f});\
                  console.log(o.length,o.every(b=>b===0))";
    let mut node = std::process::Command::new("node")
        .args(["-e", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut node.stdin.take().unwrap(), &bomb.body).unwrap();
    let said = String::from_utf8(node.wait_with_output().unwrap().stdout).unwrap();
    let (length, zeros) = said.trim().split_once(' ').unwrap();
    assert!(length.parse::<usize>().unwrap() > 4_000_000, "{said}");
    assert_eq!(zeros, "true");
}

#[tokio::test]
async fn a_held_request_waits_for_its_release() {
    let op = std::sync::Arc::new(provider(Profile::Standard).await);
    let code = code(&op).await;
    op.hold(Endpoint::Token);
    let pending = tokio::spawn({
        let (op, code) = (op.clone(), code.clone());
        async move { redeem(&op, &code).await }
    });
    op.wait_for(Endpoint::Token, 1).await;
    assert_eq!(op.count(Endpoint::Token), 1);
    assert!(!pending.is_finished());
    assert_eq!(op.requests_to(Endpoint::Token)[0].form("code"), Some(code.as_str()));
    assert_eq!(op.requests_to(Endpoint::Token)[0].status, None);
    op.release(Endpoint::Token);
    assert_eq!(pending.await.unwrap().status, 200);
    assert_eq!(tokens(&op).await["token_type"], "Bearer", "the gate stays open");
}

#[tokio::test]
async fn a_lost_answer_spends_the_code_and_a_lost_request_does_not() {
    let op = provider(Profile::Standard).await;
    let path = Url::parse(&op.url(Endpoint::Token)).unwrap().path().to_owned();
    for (lost, then) in [(Fault::CloseUnprocessed, 200), (Fault::CloseProcessed, 400)] {
        let code = code(&op).await;
        op.behave(fault(Endpoint::Token, lost));
        let headers = [("authorization", &*basic("app", SECRET))];
        let sent = request("POST", &path, &headers, &encoded(&fields(&code)));
        assert_eq!(raw(op.addr(), &sent).await.unwrap(), b"");
        assert_eq!(redeem(&op, &code).await.status, then);
    }
}

#[tokio::test]
async fn documents_are_edited() {
    let op = provider(Profile::Standard).await;
    op.behave(edit(Document::Discovery, Edit::set("issuer", "https://other.test")));
    op.behave(edit(Document::Discovery, Edit::remove("jwks_uri")));
    let metadata = get(&op, Endpoint::Discovery).await.json();
    assert_eq!((&metadata["issuer"], &metadata["jwks_uri"]), (&json!("https://other.test"), &Value::Null));
    assert_eq!(get(&op, Endpoint::Discovery).await.json()["issuer"], op.issuer());

    op.behave(edit(Document::Token, Edit::duplicate("id_token", "x")));
    op.behave(edit(Document::Token, Edit::append("garbage")));
    let text = redeem(&op, &code(&op).await).await.text();
    assert!(text.starts_with("{\"id_token\":\"x\",") && text.ends_with("garbage"), "{text}");
    assert_eq!(text.matches("\"id_token\"").count(), 2);

    op.behave(edit(Document::Userinfo, Edit::set("sub", "somebody-else")));
    let token = tokens_of(&op).await;
    assert_eq!(userinfo(&op, &token).await.json()["sub"], "somebody-else");
    op.behave(Rule::once(Behaviour::SignedUserinfo(KeyName::Rsa2048)));
    let signed = userinfo(&op, &token).await;
    assert_eq!(signed.header("content-type"), Some("application/jwt"));
    assert!(verifies(&op, &signed.text()).await);
    assert_eq!(part(&signed.text(), 1)["iss"], Value::Null);
}

#[tokio::test]
async fn the_callback_is_edited() {
    let op = provider(Profile::Standard).await;
    let callback = async |edit: CallbackEdit| {
        op.behave(Rule::once(Behaviour::Callback(edit)));
        authorize(&op, &[]).await
    };
    let text = |text: &str| text.to_owned();
    let error = callback(CallbackEdit::Error { code: text("server_error"), description: Some(text("<b>")) }).await;
    assert_eq!((value(&error, "error"), value(&error, "code")), ("server_error", ""));
    assert_eq!(value(&error, "error_description"), "<b>");
    let wrong = callback(CallbackEdit::Set(text("iss"), text("https://other.test"))).await;
    assert_eq!(value(&wrong, "iss"), "https://other.test");
    let missing = callback(CallbackEdit::Remove(text("state"))).await;
    assert!(missing.iter().all(|(name, _)| name != "state"));
    let twice = callback(CallbackEdit::Repeat(text("iss"))).await;
    assert_eq!(twice.iter().filter(|(name, _)| name == "iss").count(), 2);
    let raw = callback(CallbackEdit::Raw(text("code=%00&state=%ff"))).await;
    assert_eq!(value(&raw, "code"), "\0");
    let long = callback(CallbackEdit::LongCode(4096)).await;
    assert_eq!(value(&long, "code").len(), 4096);
    assert_eq!(redeem(&op, value(&long, "code")).await.status, 200);
    op.behave(Rule::once(Behaviour::Callback(CallbackEdit::FormPost)));
    let page = send(&op, "GET", Endpoint::Authorize, &asking(&[]), &[], "").await;
    assert!(page.text().contains(&format!("action=\"{BACK}\"")) && page.text().contains("name=\"code\""));
}

#[tokio::test]
async fn the_id_token_is_spoilt_as_asked() {
    let op = provider(Profile::Standard).await;
    let token = async |edit: IdTokenEdit| {
        op.behave(Rule::once(Behaviour::IdToken(edit)));
        tokens(&op).await["id_token"].as_str().unwrap().to_owned()
    };
    let claims = token(IdTokenEdit::claims(Edit::shift("exp", -7200))).await;
    assert!(verifies(&op, &claims).await, "only the claim is wrong");
    assert!(part(&claims, 1)["exp"].as_i64() < part(&claims, 1)["iat"].as_i64());
    let header = token(IdTokenEdit::header(Edit::set("crit", json!(["exp"])))).await;
    assert!(verifies(&op, &header).await);
    assert_eq!(part(&header, 0)["crit"], json!(["exp"]));
    for fault in [
        SignatureFault::FlippedBit,
        SignatureFault::Truncated,
        SignatureFault::Empty,
        SignatureFault::Zeroed,
        SignatureFault::OtherPayload,
    ] {
        let spoilt = token(IdTokenEdit::signature(fault)).await;
        assert_eq!(part(&spoilt, 0)["alg"], "RS256");
        assert!(!verifies(&op, &spoilt).await, "{fault:?}");
    }
    let unsigned = token(IdTokenEdit::signature(SignatureFault::Unsigned)).await;
    assert!(part(&unsigned, 0)["alg"] == "none" && unsigned.ends_with('.'));
    for fault in [SignatureFault::ClientSecret, SignatureFault::PublicKey(PublicKeyForm::Pem)] {
        let symmetric = token(IdTokenEdit::signature(fault)).await;
        assert_eq!(part(&symmetric, 0)["alg"], "HS256");
        assert_eq!(symmetric.rsplit('.').next().unwrap().len(), 43);
    }
    assert!(!verifies(&op, &token(IdTokenEdit::key(KeyName::Stranger)).await).await);
    assert!(verifies(&op, &token(IdTokenEdit::key(KeyName::P256)).await).await);
    let whole = token(IdTokenEdit { whole: Some("a.b".to_owned()), ..IdTokenEdit::default() }).await;
    assert_eq!(whole, "a.b");
    let before = get(&op, Endpoint::Jwks).await.text();
    let rotated = token(IdTokenEdit { rotate_first: true, ..IdTokenEdit::default() }).await;
    assert!(!before.contains(part(&rotated, 0)["kid"].as_str().unwrap()));
    assert!(verifies(&op, &rotated).await);
}

#[tokio::test]
async fn key_sets_are_spoilt_as_asked() {
    let op = provider(Profile::Standard).await;
    let good = get(&op, Endpoint::Jwks).await.json();
    let keys = async |fault: JwksFault| {
        op.behave(Rule::once(Behaviour::Jwks(fault)));
        get(&op, Endpoint::Jwks).await.json()["keys"].as_array().unwrap().clone()
    };
    assert_eq!(good["keys"].as_array().unwrap().len(), 2);
    assert!(good.to_string().find("\"d\"").is_none(), "no private member");
    assert!(keys(JwksFault::Empty).await.is_empty());
    assert!(keys(JwksFault::Huge).await.len() > 4000);
    assert_eq!(keys(JwksFault::Extra).await.len(), 6);
    assert!(keys(JwksFault::WithoutKid).await.iter().all(|key| key["kid"].is_null() && !key["kty"].is_null()));
    let poisoned = keys(JwksFault::Poisoned).await;
    assert_eq!(poisoned[0]["kid"], good["keys"][0]["kid"]);
    assert_ne!(poisoned[0]["n"], good["keys"][0]["n"]);
    op.rotate_keys();
    assert_ne!(get(&op, Endpoint::Jwks).await.json(), good);
}

// The house around it.

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let mut config = config(Profile::Standard);
    config.listen = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(RunningProvider::start(config).await, Err(ProviderError::NotLoopback(_))));
}

#[tokio::test]
async fn it_reads_what_proxies_and_browsers_send() {
    let op = provider(Profile::Standard).await;
    let path = Url::parse(&op.url(Endpoint::Discovery)).unwrap().path().to_owned();
    // nginx speaks HTTP/1.0 to its upstreams unless told otherwise, and wants the end of the connection.
    let old = split(&raw(op.addr(), &format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n")).await.unwrap());
    assert_eq!((old.status, old.json()["issuer"].as_str()), (200, Some(op.issuer())));
    // Two on one connection, the first kept alive, bytes of the second sent with the first.
    let two = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n{}", request("GET", &path, &[], ""));
    let both = String::from_utf8(raw(op.addr(), &two).await.unwrap()).unwrap();
    assert_eq!(both.matches("HTTP/1.1 200").count(), 2);
    let garbage = split(&raw(op.addr(), "hello\r\n\r\n").await.unwrap());
    assert_eq!(garbage.status, 400);
    assert_eq!(get(&op, Endpoint::Other).await.status, 404);
}

#[tokio::test]
async fn a_host_that_is_not_the_issuers_can_be_refused() {
    let mut config = config(Profile::Authelia);
    config.issuer = Some("https://op.test/authelia".to_owned());
    config.check_host = true;
    let op = RunningProvider::start(config).await.unwrap();
    assert_eq!(get(&op, Endpoint::Discovery).await.status, 200);
    let path = "/authelia/.well-known/openid-configuration";
    let inside = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nconnection: close\r\n\r\n", op.addr());
    assert_eq!(split(&raw(op.addr(), &inside).await.unwrap()).status, 400);
}

#[tokio::test]
async fn orders_are_taken_over_http() {
    let op = std::sync::Arc::new(RunningProvider::start(config(Profile::Standard)).await.unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let control = listener.local_addr().unwrap();
    let serving = tokio::spawn(axum::serve(listener, control_router(op.clone())).into_future());
    let order = async |order: Value| {
        let body = order.to_string();
        let text = format!(
            "POST /__control HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = split(&raw(control, &text).await.unwrap());
        assert_eq!(answer.status, 200, "{order}: {}", answer.text());
        answer.json()
    };
    order(json!({ "log_in_as": "alice" })).await;
    order(json!({ "behave": { "times": 1, "behaviour": {
        "fault": { "at": "jwks", "fault": { "answer": { "status": 503 } } } } } }))
    .await;
    order(json!({ "behave": { "behaviour": { "id_token": { "claims": { "set": { "iss": "x" } } } } } })).await;
    order(json!({ "behave": { "behaviour": { "callback": { "set": ["iss", "https://other.test"] } } } })).await;
    assert_eq!(get(&op, Endpoint::Jwks).await.status, 503);
    assert_eq!(value(&authorize(&op, &[]).await, "iss"), "https://other.test");
    assert_eq!(part(tokens(&op).await["id_token"].as_str().unwrap(), 1)["iss"], "x");
    order(json!({ "wait_for": { "endpoint": "token", "n": 1 } })).await;
    assert_eq!(order(json!({ "count": "token" })).await, 1);
    assert_eq!(order(json!("redemptions")).await[0]["redeemed"], 1);
    assert_eq!(order(json!("requests")).await.as_array().unwrap().len(), op.requests().len());
    order(json!("clear")).await;
    assert_eq!((op.requests().len(), op.count(Endpoint::Token)), (0, 0));
    assert_eq!(send(&op, "GET", Endpoint::Authorize, &asking(&[]), &[], "").await.status, 200, "the form again");
    // What Rust writes is what it reads.
    let rule = Order::Behave(Box::new(Rule::standing(Behaviour::SignedUserinfo(KeyName::P256))));
    order(serde_json::to_value(rule).unwrap()).await;
    serving.abort();
}
