//! What the provider does besides signing in: where it listens, what it reads, orders, TLS.

use std::sync::Arc;

use serde_json::{Value, json};
use test_provider::{
    Behaviour, CA_FILE, Endpoint, JwtEdit, KeyName, Order, Profile, ProviderError, Rule, RunningProvider,
    control_router,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use url::Url;

use crate::support::{asking, authorize, config, get, part, provider, raw, request, send, split, tokens, value};

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
    // The second is how TLS begins: it is refused at once, though no head ever ends.
    for garbage in ["hello\r\n\r\n", "\x16\x03\x01"] {
        assert_eq!(split(&raw(op.addr(), garbage).await.unwrap()).status, 400, "{garbage:?}");
    }
    assert_eq!(get(&op, Endpoint::Other).await.status, 404);
}

#[tokio::test]
async fn it_speaks_tls_with_a_certificate_of_its_own_root() {
    let mut config = config(Profile::Standard);
    config.tls = true;
    let op = RunningProvider::start(config).await.unwrap();
    assert!(op.issuer().starts_with("https://127.0.0.1:"));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(CA_FILE).unwrap()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(op.addr()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    let path = Url::parse(&op.url(Endpoint::Discovery)).unwrap().path().to_owned();
    stream.write_all(request("GET", &path, &[], "").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(split(&bytes).json()["issuer"], op.issuer());
    assert_eq!(op.requests()[0].peer.ip(), op.addr().ip());
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
    let op = Arc::new(RunningProvider::start(config(Profile::Standard)).await.unwrap());
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
    let rule = Order::Behave(Box::new(Rule::standing(Behaviour::SignedUserinfo(JwtEdit::key(KeyName::P256)))));
    order(serde_json::to_value(rule).unwrap()).await;
    serving.abort();
}
