//! Answers that are compressed, and what is said of one that cannot be read.

use std::io::{Read as _, Write as _};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use test_provider::{Endpoint, Fault};

use super::rig::{Rig, code, fault};

const BODY: &str = r#"{"sub":"subject-1","name":"Alice, unpacked"}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    brotli::CompressorReader::new(bytes, 4096, 5, 22).read_to_end(&mut packed).unwrap();
    packed
}

fn answer(headers: &str, body: &[u8]) -> Fault {
    let head = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    Fault::wire(&[head.as_bytes(), body].concat())
}

const JSON: &str = "content-type: application/json\r\n";

fn coded(coding: &str, body: &[u8]) -> Fault {
    answer(&format!("{JSON}content-encoding: {coding}\r\n"), body)
}

#[tokio::test]
async fn what_we_accept_is_said_in_the_request_and_accepted() {
    let rig = Rig::new().await;
    for (what, body) in [
        ("gzip", coded("gzip", &gzip(BODY.as_bytes()))),
        ("GZIP", coded("GZIP", &gzip(BODY.as_bytes()))),
        ("x-gzip", coded("x-gzip", &gzip(BODY.as_bytes()))),
        ("gzip of two members", coded("gzip", &[gzip(&BODY.as_bytes()[..9]), gzip(&BODY.as_bytes()[9..])].concat())),
        ("gzip, br", coded("gzip, br", &brotli(&gzip(BODY.as_bytes())))),
        ("empty content type", answer("content-type: \r\n", BODY.as_bytes())),
        ("br", coded("br", &brotli(BODY.as_bytes()))),
        ("identity", coded("identity", BODY.as_bytes())),
        ("BOM", answer(JSON, format!("\u{feff}{BODY}").as_bytes())),
        ("BOM, gzip", coded("gzip", &gzip(format!("\u{feff}{BODY}").as_bytes()))),
    ] {
        rig.says([fault(Endpoint::Userinfo, body)]);
        let outcome = rig.redeem().await;
        assert_eq!(code(&outcome), "ok", "{what}: {outcome:?}");
        assert_eq!(outcome.unwrap().claims().name.as_deref(), Some("Alice, unpacked"), "{what}");
    }
    for endpoint in [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Token, Endpoint::Userinfo] {
        for request in rig.op.requests_to(endpoint) {
            let accepted = request.header("accept-encoding").unwrap_or_default();
            assert_eq!(accepted, "gzip, br", "{endpoint:?}");
        }
    }
}

#[tokio::test]
async fn a_fault_names_the_coding_the_type_and_what_is_invisible() {
    let rig = Rig::new().await;
    let utf16: Vec<u8> = BODY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_mark = [&[0xff, 0xfe], utf16.as_slice()].concat();
    for (body, words) in [
        (coded("deflate", b"\x78\x9c"), "in content coding `deflate`, which we did not ask for"),
        (coded("zstd", b"\x28\xb5\x2f\xfd"), "in content coding `zstd`, which we did not ask for"),
        (answer(JSON, b"\x28\xb5\x2f\xfd"), "it is compressed with zstd"),
        (answer(JSON, "\u{200b}{}".as_bytes()), "it begins with a character that is not seen"),
        (coded("br", &gzip(BODY.as_bytes())), "status 200, not what its content coding `br` says"),
        (answer(JSON, &gzip(BODY.as_bytes())), "not JSON (line 1, column 1): it is compressed with gzip"),
        (answer(JSON, &with_mark), "it begins with a UTF-16 byte order mark"),
        (answer(JSON, &utf16), "it is UTF-16"),
        (answer(JSON, b""), "it is empty"),
        (answer(JSON, b"<!doctype html>"), "it looks like HTML or XML"),
        (answer("content-type: text/html\r\n", b"<p>"), "`text/html` instead of JSON"),
        (answer(JSON, b"eyJhbGciOiJSUzI1NiJ9.e30.AA"), "it looks like a JWT"),
        (answer(JSON, "\u{feff}\u{feff}{}".as_bytes()), "two byte order marks"),
        (
            coded("gzip", BODY.as_bytes()),
            "unusable response at userinfo: status 200, not what its content coding `gzip` says",
        ),
        (coded("gzip", &gzip(BODY.as_bytes())[..20]), "not what its content coding `gzip` says"),
    ] {
        rig.says([fault(Endpoint::Userinfo, body)]);
        let fault = rig.redeem().await.expect_err(words).to_string();
        assert!(fault.contains(words), "{words}: {fault}");
    }
}

/// Of a refusal the status decides, whatever its body is labelled.
#[tokio::test]
async fn a_refusal_is_understood_whatever_its_coding_says() {
    let rig = Rig::new().await;
    let labelled = |status: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status} x\r\n{JSON}content-encoding: gzip\r\ncontent-length: {}\r\n", body.len());
        Fault::wire(&[head.as_bytes(), b"retry-after: 600\r\nconnection: close\r\n\r\n", body].concat())
    };
    for (status, body, expected) in [
        ("503", b"".as_slice(), "provider_server_error"),
        ("429", b"x", "provider_busy"),
        ("401", br#"{"error":"invalid_client"}"#, "client_refused"),
        ("400", br#"{"error":"invalid_grant"}"#, "code_refused"),
        ("400", &gzip(br#"{"error":"invalid_grant"}"#), "code_refused"),
    ] {
        rig.says([fault(Endpoint::Token, labelled(status, body))]);
        assert_eq!(rig.code_of().await, expected, "{status}");
    }
}

#[tokio::test]
async fn the_limit_on_bytes_holds_for_what_is_unpacked() {
    let rig = Rig::new().await;
    let megabytes = json!({"sub": "subject-1", "pad": "x".repeat(4 << 20)}).to_string();
    for body in [coded("gzip", &gzip(megabytes.as_bytes())), coded("br", &brotli(megabytes.as_bytes()))] {
        rig.says([fault(Endpoint::Userinfo, body)]);
        let fault = rig.redeem().await.unwrap_err();
        assert!(fault.to_string().contains("more than 524288 bytes"), "{fault}");
    }
    rig.says([fault(Endpoint::Token, Fault::GzipBomb { megabytes: 100 })]);
    assert_eq!(rig.code_of().await, "provider_bad_answer");
}
