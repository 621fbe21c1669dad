//! How the gate answers on the wire: small enough for every proxy, on connections that stay, waiting for no body.

use std::net::Ipv4Addr;

use super::rig::{Endpoint, Question, WIKI, scene};
use crate::support::{browser::Browser, scene::Scene, wire::Wire};

/// The most that nginx takes is 4,096, of which it needs some itself (docs/decisions/gate.md).
const MOST_BYTES: usize = 3_500;

async fn wire(scene: &Scene) -> Wire {
    Wire::open(Ipv4Addr::LOCALHOST, scene.gate).await
}

/// A question about `uri`, with that method and those lines more; no body.
fn question(scene: &Scene, browser: &Browser, [method, path, uri]: [&str; 3], more: &str) -> String {
    let session = browser.cookie_of(scene, WIKI, "vestibule").unwrap_or_default();
    let authority = scene.authority(WIKI);
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nx-forwarded-method: {method}\r\nx-forwarded-proto: http\r\n\
         x-forwarded-host: {authority}\r\nx-forwarded-uri: {uri}\r\nx-forwarded-for: 192.0.2.7\r\naccept: text/html\r\n\
         cookie: vestibule={session}\r\n{more}\r\n"
    )
}

#[tokio::test]
async fn a_person_of_500_groups_has_an_answer_that_nginx_takes() {
    let scene = scene().await;
    scene.provider.log_in_as("incident");
    let person = Browser::default();
    person.opens(&scene, &scene.page(WIKI, "/page"), "incident").await;
    let page = person.asks(&scene, Question::about(Endpoint::Verify, "/page")).await;
    assert_eq!(page.header("x-vestibule-truncated"), "groups");
    let groups: Vec<_> = page.header("remote-groups").split(',').collect();
    assert!(groups.len() > 5 && groups.len() < 500, "{}", groups.len());
    assert!(groups.iter().all(|group| group.len() == "department-000-members".len()), "{groups:?}");

    let mut wire = wire(&scene).await;
    for path in ["/auth/verify", "/auth/forward", "/auth/ext-authz/page"] {
        let answer = wire.exchange(&question(&scene, &person, ["GET", path, "/page"], "")).await;
        assert_eq!(answer.status, 200);
        assert!(answer.head_bytes <= MOST_BYTES, "{path}: {}", answer.head_bytes);
    }
    // What says no says it in less.
    for uri in ["/admin/x", "/closed/x"] {
        for path in ["/auth/verify", "/auth/denied", "/auth/forward"] {
            let answer = wire.exchange(&question(&scene, &person, ["GET", path, uri], "")).await;
            assert_eq!(answer.status, 403);
            assert!(answer.head_bytes <= 1_536, "{path}: {}", answer.head_bytes);
        }
    }
    // The longest page that there can be, of somebody who is nobody.
    let uri = format!("/{}", "a".repeat(960));
    let answer = wire.exchange(&question(&scene, &Browser::default(), ["GET", "/auth/forward", &uri], "")).await;
    assert_eq!(answer.status, 303);
    assert!(answer.head_bytes <= MOST_BYTES, "{}", answer.head_bytes);
}

/// Proxies keep their connections to the gate, and ask one question after the other.
#[tokio::test]
async fn a_connection_is_kept() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    let mut wire = wire(&scene).await;
    for _ in 0..50 {
        for (path, uri, status) in [
            ("/auth/verify", "/page", 200),
            ("/auth/verify", "/admin/x", 403),
            ("/auth/forward", "/page", 200),
            ("/auth/forward", "/closed/x", 403),
            ("/auth/denied", "/admin/x", 403),
            ("/auth/ext-authz/page", "/page", 200),
        ] {
            let answer = wire.exchange(&question(&scene, &alice, ["GET", path, uri], "")).await;
            assert_eq!(answer.status, status, "{path} {uri}");
        }
    }
}

/// Some proxies pass the body's length on, or its announcement, and not the body.
#[tokio::test]
async fn a_body_is_never_waited_for() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    for announced in [
        "content-length: 100000\r\n",
        "transfer-encoding: chunked\r\n",
        "content-length: 100000\r\nexpect: 100-continue\r\n",
    ] {
        for (path, uri, status) in [
            ("/auth/verify", "/page", 200),
            ("/auth/forward", "/page", 200),
            ("/auth/ext-authz/page", "/page", 200),
            ("/auth/forward", "/admin/x", 403),
            ("/auth/denied", "/admin/x", 403),
        ] {
            // `100 Continue` would be the answer here.
            let question = question(&scene, &alice, ["POST", path, uri], announced);
            let answer = wire(&scene).await.exchange(&question).await;
            assert_eq!(answer.status, status, "{path} {uri} {announced}");
        }
    }
}

/// A body that does come hurts nobody either: not the question it comes with, nor those on other connections.
#[tokio::test]
async fn a_body_that_comes_is_not_taken_for_a_question() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    let smuggled = question(&scene, &alice, ["GET", "/auth/verify", "/public/x"], "");
    let announced = format!("content-length: {}\r\n", smuggled.len());
    let asked = question(&scene, &Browser::default(), ["POST", "/auth/verify", "/page"], &announced);
    let mut wire = wire(&scene).await;
    let answer = wire.exchange(&format!("{asked}{smuggled}")).await;
    assert_eq!(answer.status, 401);
    // The next answer is to the next question.
    let answer = wire.exchange(&question(&scene, &alice, ["GET", "/auth/verify", "/admin/x"], "")).await;
    assert_eq!(answer.status, 403);
}
