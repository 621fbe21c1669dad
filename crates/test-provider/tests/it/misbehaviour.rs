//! Rules: what is sent, and when.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use test_provider::{
    Behaviour, CallbackEdit, Document, Edit, Endpoint, Fault, HeadEdit, JwtEdit, KeyName, Profile, Rule,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

use crate::support::{
    BACK, SECRET, asking, authorize, basic, code, edit, encoded, fault, fields, get, part, provider, raw, redeem,
    request, send, split, tokens, tokens_of, userinfo, value, verifies,
};

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
    op.behave(Rule::once(Behaviour::SignedUserinfo(JwtEdit::default())));
    let signed = userinfo(&op, &token).await;
    assert_eq!(signed.header("content-type"), Some("application/jwt"));
    assert!(verifies(&op, &signed.text()).await);
    assert_eq!(part(&signed.text(), 1)["iss"], Value::Null);
    let edit = JwtEdit { claims: Edit::set("iss", "https://other.test"), ..JwtEdit::key(KeyName::Stranger) };
    op.behave(Rule::once(Behaviour::SignedUserinfo(edit)));
    let spoilt = userinfo(&op, &token).await.text();
    assert!(part(&spoilt, 1)["iss"] == "https://other.test" && !verifies(&op, &spoilt).await);
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
