//! The smallest HTTP client there is, and the steps of a sign-in by it.

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
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use test_provider::{
    Behaviour, Client, Document, Edit, Endpoint, Fault, Profile, ProviderConfig, Rule, RunningProvider,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

pub const SECRET: &str = "a+b%2Fc d:e&f=g";
pub const BACK: &str = "https://rp.test/auth/oidc/callback";
pub const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0";
pub const STATE: &str = "state-long-enough";
pub const NONCE: &str = "nonce-long-enough";

// The smallest HTTP client there is: it shows what is on the wire.

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// All bytes until the end of the connection.
pub async fn raw(addr: SocketAddr, request: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

pub fn split(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Answer { status: head[9..12].parse().unwrap(), head, body: bytes[end..].to_vec() }
}

pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: op.test\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" {
        text.push_str("content-type: application/x-www-form-urlencoded\r\n");
    }
    text + &format!("content-length: {}\r\n\r\n{body}", body.len())
}

pub async fn send(
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

pub async fn get(op: &RunningProvider, endpoint: Endpoint) -> Answer {
    send(op, "GET", endpoint, "", &[], "").await
}

pub fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

pub fn basic(id: &str, secret: &str) -> String {
    let part = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", part(id), part(secret))))
}

// A provider with one client, and the steps of a sign-in there.

pub fn config(profile: Profile) -> ProviderConfig {
    let mut config = ProviderConfig::new(profile).with_client(Client::basic("app", SECRET, BACK));
    config.token_delay = Duration::ZERO;
    config
}

pub async fn provider(profile: Profile) -> RunningProvider {
    let op = RunningProvider::start(config(profile)).await.unwrap();
    op.log_in_as("alice");
    op
}

pub fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// The query of a right authorization request, changed by `with`: another value, or none for an empty one.
pub fn asking(with: &[(&str, &str)]) -> String {
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

pub fn landed(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 303, "{}", answer.text());
    let location = answer.header("location").unwrap();
    assert!(location.starts_with(BACK), "{location}");
    Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

pub fn value<'p>(pairs: &'p [(String, String)], name: &str) -> &'p str {
    pairs.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
}

pub async fn authorize(op: &RunningProvider, with: &[(&str, &str)]) -> Vec<(String, String)> {
    landed(&send(op, "GET", Endpoint::Authorize, &asking(with), &[], "").await)
}

pub async fn code(op: &RunningProvider) -> String {
    let answer = authorize(op, &[]).await;
    let code = value(&answer, "code").to_owned();
    assert!(!code.is_empty(), "{answer:?}");
    code
}

pub async fn redeem_with(op: &RunningProvider, header: &str, fields: &[(&str, &str)]) -> Answer {
    let headers = [("authorization", header)];
    let headers = if header.is_empty() { &headers[..0] } else { &headers };
    send(op, "POST", Endpoint::Token, "", headers, &encoded(fields)).await
}

pub fn fields(code: &str) -> [(&str, &str); 4] {
    [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK), ("code_verifier", VERIFIER)]
}

pub async fn redeem(op: &RunningProvider, code: &str) -> Answer {
    redeem_with(op, &basic("app", SECRET), &fields(code)).await
}

pub async fn tokens(op: &RunningProvider) -> Value {
    let answer = redeem(op, &code(op).await).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

pub async fn userinfo(op: &RunningProvider, token: &str) -> Answer {
    send(op, "GET", Endpoint::Userinfo, "", &[("authorization", &format!("Bearer {token}"))], "").await
}

pub fn part(jwt: &str, n: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(n).unwrap()).unwrap()).unwrap()
}

/// Whether the published key of the token's `kid` signed it.
pub async fn verifies(op: &RunningProvider, jwt: &str) -> bool {
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
        .is_ok_and(|signature| VerifyingKey::<Sha256>::new(key).verify(input.as_bytes(), &signature).is_ok())
}

pub fn edit(of: Document, edit: Edit) -> Rule {
    Rule::once(Behaviour::Edit { of, edit })
}

pub fn fault(at: Endpoint, fault: Fault) -> Rule {
    Rule::once(Behaviour::Fault { at, fault })
}

pub async fn tokens_of(op: &RunningProvider) -> String {
    tokens(op).await["access_token"].as_str().unwrap().to_owned()
}
