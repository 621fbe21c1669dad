//! Who may ask, and what has to be said. Whatever is missing, doubled or doubtful is denied.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde_json::Value;
use test_provider::{Profile, ProviderConfig};

use super::rig::{ENDPOINTS, Endpoint, Question, VISITORS, WIKI, json, scene, user};
use crate::support::{
    browser::Browser,
    page::Page,
    people::Site,
    process::{Database, Program, Settings},
    scene::{LOGIN_HOST, Scene},
    wire::Wire,
};

#[track_caller]
fn denies(page: &Page, status: u16, code: &str) {
    assert_eq!(page.status.as_u16(), status, "{page:#?}");
    assert_eq!(user(page), None);
    assert_eq!(page.header("cache-control"), "no-store", "{page:#?}");
    match page.data("code") {
        Some(shown) => assert_eq!(shown, code),
        None if page.body.is_empty() => {}
        None => assert_eq!(json(page)["error"], code, "{page:#?}"),
    }
}

#[tokio::test]
async fn who_is_no_proxy_of_ours_learns_nothing() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    let stranger = Browser::at(Some(Ipv4Addr::new(127, 0, 0, 9).into()));
    let session = alice.cookie_of(&scene, WIKI, "vestibule").unwrap();
    stranger.set_cookie_of(&scene, WIKI, "vestibule", &session);
    for endpoint in ENDPOINTS {
        for visitor in VISITORS {
            for uri in ["/page", "/public/x"] {
                let page = stranger.asks(&scene, Question::about(endpoint, uri).by(visitor)).await;
                denies(&page, 403, "proxy_misconfigured");
            }
        }
    }
}

/// The lines of a complete question, by name.
fn said(scene: &Scene) -> BTreeMap<&'static str, Vec<String>> {
    BTreeMap::from([
        ("x-forwarded-method", vec!["GET".to_owned()]),
        ("x-forwarded-proto", vec!["http".to_owned()]),
        ("x-forwarded-host", vec![scene.authority(WIKI)]),
        ("x-forwarded-uri", vec!["/public/x".to_owned()]),
    ])
}

async fn status(wire: &mut Wire, path: &str, lines: &BTreeMap<&'static str, Vec<String>>) -> u16 {
    let mut request = format!("GET {path} HTTP/1.1\r\n");
    if !lines.contains_key("host") {
        request.push_str("host: gate\r\n");
    }
    for (name, values) in lines {
        values.iter().for_each(|value| request.push_str(&format!("{name}: {value}\r\n")));
    }
    request.push_str("\r\n");
    wire.exchange(&request).await.status
}

#[tokio::test]
async fn what_is_missing_or_doubled_or_wrong_is_denied() {
    let scene = scene().await;
    let mut wire = Wire::open(Ipv4Addr::LOCALHOST, scene.gate).await;
    let complete = said(&scene);
    for path in ["/auth/verify", "/auth/forward"] {
        assert_eq!(status(&mut wire, path, &complete).await, 200);
        for name in complete.keys() {
            let mut lines = complete.clone();
            lines.remove(name);
            assert_eq!(status(&mut wire, path, &lines).await, 403, "{path} without {name}");
            lines.insert(name, vec![String::new()]);
            assert_eq!(status(&mut wire, path, &lines).await, 403, "{path} with an empty {name}");
            let twice = [complete[name].clone(), complete[name].clone()].concat();
            lines.insert(name, twice);
            assert_eq!(status(&mut wire, path, &lines).await, 403, "{path} with {name} twice");
        }
        for (name, value, expected) in [
            ("x-forwarded-method", "get", 400),
            ("x-forwarded-method", "GET, POST", 400),
            ("x-forwarded-proto", "gopher", 400),
            ("x-forwarded-host", "wiki.localhost:80@board.localhost", 400),
            ("x-forwarded-host", "wiki.localhost, board.localhost", 400),
            ("x-forwarded-host", "wiki.localhost/", 400),
            ("x-forwarded-host", "unknown.localhost", 403),
            ("x-forwarded-host", LOGIN_HOST, 403),
            ("x-forwarded-uri", "public/x", 400),
            ("x-forwarded-uri", "http://wiki.localhost/public/x", 400),
            ("x-forwarded-uri", "*", 400),
        ] {
            let mut lines = complete.clone();
            lines.insert(name, vec![value.to_owned()]);
            assert_eq!(status(&mut wire, path, &lines).await, expected, "{path} with {name}: {value}");
        }
        // Letters of either case, a port, and one dot at the end are the same host.
        for host in ["WIKI.localhost", "wiki.localhost.", "wiki.localhost:1", "wiki.localhost"] {
            let mut lines = complete.clone();
            lines.insert("x-forwarded-host", vec![host.to_owned()]);
            assert_eq!(status(&mut wire, path, &lines).await, 200, "{host}");
        }
    }
    for (path, host, expected) in [
        ("/auth/ext-authz/public/x", vec![scene.authority(WIKI)], 200),
        ("/auth/ext-authz/public/x", vec![scene.authority(WIKI); 2], 403),
        ("/auth/ext-authz/public/x", vec!["unknown.localhost".to_owned()], 403),
        ("/auth/ext-authz/public/x", vec!["wiki.localhost:80@board.localhost".to_owned()], 400),
        ("/auth/ext-authz", vec![scene.authority(WIKI)], 404),
        ("/auth/ext-authz//public/x", vec![scene.authority(WIKI)], 401),
    ] {
        let lines = BTreeMap::from([("host", host)]);
        let mut wire = Wire::open(Ipv4Addr::LOCALHOST, scene.gate).await;
        assert_eq!(status(&mut wire, path, &lines).await, expected, "{path} {lines:?}");
    }
}

/// Nothing but the four is read: neither what other proxies say, nor the query of the endpoint.
#[tokio::test]
async fn nothing_else_is_read() {
    let scene = scene().await;
    let mut wire = Wire::open(Ipv4Addr::LOCALHOST, scene.gate).await;
    let mut lines = said(&scene);
    lines.insert("x-forwarded-uri", vec!["/page?rd=/public/x".to_owned()]);
    let open = scene.page(WIKI, "/public/x");
    for (name, value) in [
        ("x-original-url", &*open),
        ("x-original-uri", "/public/x"),
        ("x-original-method", "GET"),
        ("x-rewrite-url", "/public/x"),
        ("x-forwarded-prefix", "/public"),
        ("forwarded", "host=wiki.localhost;proto=http"),
        ("x-auth-request-redirect", &*open),
        ("authorization", "Bearer x"),
    ] {
        let mut lines = lines.clone();
        lines.insert(name, vec![value.to_owned()]);
        assert_eq!(status(&mut wire, "/auth/verify", &lines).await, 401, "{name}");
    }
    for query in ["?uri=/public/x", "?rd=/public/x", "?x-forwarded-uri=/public/x"] {
        assert_eq!(status(&mut wire, &format!("/auth/verify{query}"), &lines).await, 401, "{query}");
    }
}

/// A client that brings a name of the application's identity is refused, however it is written.
#[tokio::test]
async fn who_brings_an_identity_is_refused() {
    let scene = scene().await;
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    for name in ["remote-user", "Remote_User", "REMOTE-GROUPS", "x-vestibule_assertion", "x_vestibule_truncated"] {
        for endpoint in ENDPOINTS {
            for (browser, uri) in
                [(&alice, "/page"), (&Browser::default(), "/public/x"), (&Browser::default(), "/page")]
            {
                let question = Question::about(endpoint, uri);
                let page = browser.asks_at(&scene, scene.at(), question, &[(name, "root")]).await;
                denies(&page, 400, "identity_forged");
            }
        }
    }
    let question = Question::about(Endpoint::Verify, "/page");
    let page = alice.asks_at(&scene, scene.at(), question, &[("authorization", "Bearer x")]).await;
    assert_eq!(user(&page), Some("alice"), "clients bring their own");
}

/// What a misconfigured proxy asks, all day long, is a line for each thing that the operator has to mend.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_proxy_is_one_line_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::new(folder.path(), "program");
    let port = program.address.port();
    let origin = format!("http://{LOGIN_HOST}:{port}");
    let (_, provider) = Site::open_at(&origin, 1, ProviderConfig::new(Profile::Standard)).await;
    let database = Database::Sqlite(folder.path().join("program.db"));
    let keys = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned()];
    let settings = Settings { public_url: &origin, database: &database, provider: &provider, keys: &keys };
    program.set_with(&settings, &format!("[[app]]\nurl = \"http://{WIKI}:{port}\"\n"));
    program.start().await;

    let mut proxy = Wire::open(Ipv4Addr::LOCALHOST, program.gate).await;
    let mut stranger = Wire::open(Ipv4Addr::new(127, 0, 0, 9), program.gate).await;
    let complete: BTreeMap<&'static str, Vec<String>> = BTreeMap::from([
        ("x-forwarded-method", vec!["GET".to_owned()]),
        ("x-forwarded-proto", vec!["http".to_owned()]),
        ("x-forwarded-host", vec![format!("{WIKI}:{port}")]),
        ("x-forwarded-uri", vec!["/page".to_owned()]),
    ]);
    // Each with another visitor.
    for number in 0..30 {
        let mut lines = complete.clone();
        lines.insert("x-forwarded-for", vec![format!("192.0.2.{number}")]);
        for path in ["/auth/verify", "/auth/denied", "/auth/forward"] {
            assert_eq!(status(&mut stranger, path, &lines).await, 403);
            for name in complete.keys() {
                let mut lines = lines.clone();
                lines.remove(name);
                assert_eq!(status(&mut proxy, path, &lines).await, 403);
            }
            let mut lines = lines.clone();
            lines.insert("x-forwarded-host", vec![format!("h{number}.example.com")]);
            assert_eq!(status(&mut proxy, path, &lines).await, 403);
        }
    }
    program.ask_to_end().await;
    assert_eq!(program.ended().await, 0);
    let log = program.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let details = |code: &str| {
        let lines = lines.iter().filter(|line| line["code"] == code);
        lines.map(|line| line["detail"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let misconfigured = details("proxy_misconfigured");
    for said in
        ["127.0.0.9 asks", "`X-Forwarded-Method`", "`X-Forwarded-Proto`", "`X-Forwarded-Host`", "`X-Forwarded-Uri`"]
    {
        let of_it = misconfigured.iter().filter(|detail| detail.starts_with(said));
        assert_eq!(of_it.count(), 1, "{said}: {misconfigured:#?}");
    }
    assert_eq!(misconfigured.len(), 5, "{misconfigured:#?}");
    assert_eq!(details("unknown_application").len(), 1, "any client can name hosts");
}
