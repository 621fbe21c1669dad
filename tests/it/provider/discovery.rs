//! The provider's metadata: what is believed, how often it is fetched, and over which connection.

use std::{future::ready, sync::Arc};

use serde_json::{Value, json};
use test_provider::{Behaviour, CA_FILE, Document, Edit, Endpoint, Fault, HeadEdit};
use vestibule::server::{
    ids::Issuer,
    provider::{Availability, Prompt, Providers},
};

use crate::support::claims::raw;

use super::rig::{NOW, PLENTY, Rig, edit, fault, head, op, public_url, request, settings, system};

#[tokio::test]
async fn a_hundred_starts_make_one_fetch() {
    let rig = Rig::new().await;
    let provider = rig.provider();
    let all = futures_util::future::join_all(
        (0..100).map(|_| provider.authorization_url(request(Prompt::Usual), |_| ready(Some(())))),
    )
    .await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(rig.op.count(Endpoint::Discovery), 1);
}

fn member(name: &str, value: impl Into<Value>) -> Behaviour {
    edit(Document::Discovery, Edit::set(name, value))
}

/// What is wrong with the metadata as such, and the fault that it makes.
fn wrong(base: &str) -> Vec<(&'static str, Behaviour, &'static str)> {
    let change = |change| edit(Document::Discovery, change);
    let broken = |fault_: Fault| fault(Endpoint::Discovery, fault_);
    let cut = format!(r#"{{"issuer":"{base}","authorization_endpoint":"{base}/auth"#);
    vec![
        ("issuer /", member("issuer", format!("{base}/")), "provider_metadata"),
        ("issuer case", member("issuer", base.to_uppercase()), "provider_metadata"),
        ("issuer missing", change(Edit::remove("issuer")), "provider_metadata"),
        ("issuer twice", change(Edit::duplicate("issuer", base)), "provider_metadata"),
        ("no authorization", change(Edit::remove("authorization_endpoint")), "provider_metadata"),
        ("no token", change(Edit::remove("token_endpoint")), "provider_metadata"),
        ("no jwks", change(Edit::remove("jwks_uri")), "provider_metadata"),
        ("HS only", member("id_token_signing_alg_values_supported", json!(["HS256", "none"])), "provider_metadata"),
        ("404", broken(Fault::status(404)), "provider_metadata"),
        ("500", broken(Fault::html(500)), "provider_server_error"),
        ("HTML", head(Endpoint::Discovery, HeadEdit::content_type("text/html")), "provider_bad_answer"),
        ("[]", change(Edit::whole("[]")), "provider_metadata"),
        ("null", change(Edit::whole("null")), "provider_metadata"),
        ("truncated", change(Edit::whole(&cut)), "provider_metadata"),
        ("trailing", change(Edit::append("x")), "provider_metadata"),
        ("large", broken(Fault::EndlessBody), "provider_bad_answer"),
        ("client_id", member("authorization_endpoint", format!("{base}/a?client_id=evil")), "provider_metadata"),
        ("claims", member("authorization_endpoint", format!("{base}/a?claims=%7B%7D")), "provider_metadata"),
        ("login_hint", member("authorization_endpoint", format!("{base}/a?login_hint=eve")), "provider_metadata"),
        ("state", member("authorization_endpoint", format!("{base}/a?x=1&st%61te=fixed")), "provider_metadata"),
    ]
}

/// Values that no endpoint may have.
fn no_endpoints() -> Vec<Value> {
    let urls = [
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
    ];
    urls.into_iter().map(Value::from).chain([json!(5)]).collect()
}

#[tokio::test]
async fn an_issuer_where_nothing_is_or_something_else_is_named() {
    let op = op(|_| {}).await;
    let url = format!("{}/.well-known/openid-configuration", op.issuer());
    for (fault, code, words) in [
        (Fault::status(404), "provider_metadata", "answers 404; is `issuer` the provider's?"),
        (Fault::html(200), "provider_bad_answer", "`text/html` instead of JSON, at "),
        (Fault::html(403), "provider_bad_answer", "status 403, at "),
    ] {
        let rig = Rig::over(Arc::clone(&op), |_| {});
        rig.says([super::rig::fault(Endpoint::Discovery, fault)]);
        let fault = rig.begin().await.unwrap_err();
        let told = fault.to_string();
        assert!(fault.code() == code && told.contains(words) && told.contains(&url), "{told}");
    }
}

#[tokio::test]
async fn metadata_that_is_wrong_is_refused() {
    let op = op(|_| {}).await;
    let mut cases: Vec<(String, Behaviour, &str)> =
        wrong(op.issuer()).into_iter().map(|(what, behaviour, code)| (what.to_owned(), behaviour, code)).collect();
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
        for value in no_endpoints() {
            cases.push((format!("{name} {value}"), member(name, value), "provider_metadata"));
        }
    }
    for (what, behaviour, code) in cases {
        let rig = Rig::over(Arc::clone(&op), |_| {});
        rig.says([behaviour]);
        let fault = rig.begin().await.expect_err(&what);
        assert_eq!(fault.code(), code, "{what}: {fault}");
        let unavailable = Availability::Unavailable { since: NOW, code, detail: fault.detail() };
        assert_eq!(rig.provider().availability(), unavailable, "{what}");
    }
    // One that cannot be read is never taken for one that is not there.
    for name in ["issuer", "userinfo_endpoint", "authorization_response_iss_parameter_supported"] {
        let rig = Rig::over(Arc::clone(&op), |_| {});
        rig.says([edit(Document::Discovery, raw(name, r#""https://op.example.com/\ud800""#))]);
        let fault = rig.begin().await.unwrap_err();
        assert_eq!(fault.to_string(), format!("metadata: `{name}` cannot be read"));
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
        let rig = Rig::over(Arc::clone(&op), |_| {});
        rig.says([member(name, value)]);
        rig.begin().await.unwrap_or_else(|fault| panic!("{name}: {fault}"));
    }
}

#[tokio::test]
async fn https_issuers_have_https_endpoints_only_and_tls_faults_have_a_name() {
    let op = op(|_| {}).await;
    let https = op.issuer().replace("http:", "https:");
    let tls = Rig::over(op, |settings| settings.issuer = Issuer::new(https));
    assert_eq!(tls.begin().await.unwrap_err().code(), "provider_tls");
    let refused = |issuer: &str| Providers::new(vec![settings(issuer)], &public_url(), &system()).err();
    assert!(refused("http://op.example.com").unwrap().contains("https"));
    assert!(refused("https://op.example.com").is_none());
}

#[tokio::test]
async fn the_ca_file_adds_a_root() {
    let op = op(|config| config.tls = true).await;
    Rig::over(Arc::clone(&op), |settings| settings.ca_file = Some(CA_FILE.into())).begin().await.unwrap();
    let without = Rig::over(op, |_| {});
    assert_eq!(without.begin().await.unwrap_err().code(), "provider_tls");
}

/// DI-10: the root is trusted, but the certificate is for another name.
#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let op = op(|config| config.tls = true).await;
    let other = op.issuer().replace("127.0.0.1", "localhost");
    assert_ne!(other, op.issuer());
    let rig = Rig::over(op, |settings| {
        settings.issuer = Issuer::new(other);
        settings.ca_file = Some(CA_FILE.into());
    });
    assert_eq!(rig.begin().await.unwrap_err().code(), "provider_tls");
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
    let op = op(|_| {}).await;
    op.down().await;
    let Rig { op, providers } = Rig::over(op, |_| {});
    let providers = Arc::new(providers);
    let provider = Arc::clone(providers.iter().next().unwrap());
    assert_eq!(provider.availability(), Availability::Available);
    let fault = provider.authorization_url(request(Prompt::Usual), |_| ready(Some(()))).await.unwrap_err();
    assert_eq!(fault.code(), "provider_unreachable");
    let unavailable = Availability::Unavailable { since: NOW, code: fault.code(), detail: fault.detail() };
    assert_eq!(provider.availability(), unavailable);
    let keeper = tokio::spawn({
        let providers = Arc::clone(&providers);
        async move { providers.keep_fresh().await }
    });
    op.up().await.unwrap();
    tokio::time::timeout(PLENTY, async {
        while provider.availability() != Availability::Available || op.count(Endpoint::Jwks) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    provider.authorization_url(request(Prompt::Usual), |_| ready(Some(()))).await.unwrap();
    keeper.abort();
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
