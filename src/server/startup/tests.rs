//! What is around every request.

use std::net::Ipv4Addr;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    routing::get,
};
use tower::ServiceExt as _;

use super::*;
use crate::{
    paths,
    server::{
        http::headers::Hsts,
        ids::{Issuer, ProviderId},
        settings::{AuthenticationRequestSettings, ClientAuth, Database, ProviderSettings, SecretKey},
        telemetry::captured::{Hook, Log},
    },
};

/// The program on a database in `folder`, with a provider that cannot be reached.
async fn bound(folder: &std::path::Path) -> Bound {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let provider = ProviderSettings {
        id: ProviderId::new("op"),
        name: "Example".to_owned(),
        issuer: Issuer::new("http://127.0.0.1:1"),
        client_id: "app".to_owned(),
        client_auth: ClientAuth::None,
        pushed_requests: false,
        id_token_algorithms: Vec::new(),
        userinfo_algorithms: Vec::new(),
        scopes: vec!["openid".to_owned()],
        end_session: true,
        trusted_audiences: Vec::new(),
        request: AuthenticationRequestSettings::default(),
        ca_file: None,
    };
    let database = Database::Sqlite { path: folder.join("people.db") };
    let keys = vec![SecretKey::new(Box::new(vec![1; 32]))];
    let mut settings = Settings::demo(provider, database, keys);
    (settings.listen, settings.admin_listen, settings.gate_listen) = (any_port, any_port, any_port);
    bind(settings, System::real()).await.unwrap()
}

/// The response of `router`, and what is logged meanwhile.
fn ask(router: impl FnOnce(&Arc<App>) -> Router, request: Request) -> (String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        let bound = bound(folder.path()).await;
        let (log, _guard) = Log::json();
        let response = router(&bound.app).oneshot(request).await.unwrap();
        let page = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (String::from_utf8(page.to_vec()).unwrap(), log.text())
    })
}

/// The line of the log that has `code` and the reference that the page shows.
fn line_of_the_page<'l>(code: &str, page: &str, log: &'l str) -> &'l str {
    let mut words = page.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-'));
    let reference = words.find(|word| word.len() == 9 && word.as_bytes()[4] == b'-').expect("a reference");
    let mut lines = log.lines().filter(|line| line.contains(reference) && line.contains("detail"));
    let line = lines.next().unwrap_or_else(|| panic!("nothing under {reference}: {log}"));
    assert!(page.contains(code) && line.contains(code), "{code}: {page}\n{line}");
    line
}

async fn panics() -> &'static str {
    panic!("the secret is hunter2")
}

#[test]
fn a_panic_is_logged_with_its_place_under_the_reference_of_the_page() {
    let _hook = Hook::install();
    let request = Request::get("/panics").header("accept-language", "de").body(Body::empty()).unwrap();
    let routes = |app: &Arc<App>| router::layered(Router::new().route("/panics", get(panics)), Hsts::none(), app);
    let (page, log) = ask(routes, request);
    let line = line_of_the_page("internal", &page, &log);
    assert!(line.contains("startup/tests.rs") && line.contains("\"level\":\"ERROR\""), "{line}");
    assert!(page.contains("lang=\"de\""), "{page}");
    assert!(!log.contains("hunter2") && !page.contains("hunter2"), "{log}");
}

#[test]
fn a_body_that_is_too_large_is_logged_with_its_length() {
    let body = "x".repeat(20_000);
    let request = Request::post(paths::OIDC_CALLBACK).header("content-length", body.len());
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.into()).unwrap();
    let (page, log) = ask(router::public, request);
    assert!(line_of_the_page("too_large", &page, &log).contains("20000"), "{log}");
}
