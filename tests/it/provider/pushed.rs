//! Pushed authorization requests (RFC 9126).

use std::sync::Arc;

use serde_json::json;
use test_provider::{Behaviour, Document, Edit, Endpoint, Fault, HeadEdit};

use super::rig::{CLIENT, Rig, SECRET, edit, fault, head, op};

fn discovery(name: &str, value: impl Into<serde_json::Value>) -> Behaviour {
    edit(Document::Discovery, Edit::set(name, value))
}

fn required() -> Behaviour {
    discovery("require_pushed_authorization_requests", true)
}

#[tokio::test]
async fn where_it_is_required_the_browser_gets_a_reference_alone() {
    let rig = Rig::new().await;
    rig.says([required()]);
    let direct = Rig::new().await.begin().await.unwrap();
    let url = rig.begin().await.unwrap();
    let pushed = rig.op.requests_to(Endpoint::Pushed);
    let [pushed] = &pushed[..] else { panic!("one push") };
    assert!(pushed.header("authorization").unwrap().starts_with("Basic "));
    assert_eq!(pushed.header("content-type"), Some("application/x-www-form-urlencoded"));

    let names = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(url.query_pairs().into_owned().collect()), ["tenant", "client_id", "request_uri"]);
    let query: Vec<_> = url.query_pairs().into_owned().collect();
    assert_eq!(query[1].1, CLIENT);
    assert!(query[2].1.starts_with("urn:ietf:params:oauth:request_uri:"));
    // The same list that the browser would have taken, without what is the endpoint's own.
    let direct: Vec<_> = direct.query_pairs().into_owned().filter(|(name, _)| name != "tenant").collect();
    let mut form: Vec<_> = pushed.form.clone();
    form.retain(|(name, _)| name != "tenant");
    assert_eq!(form, direct);

    // A reference is for one sign-in.
    rig.begin().await.unwrap();
    assert_eq!(rig.op.count(Endpoint::Pushed), 2);
}

#[tokio::test]
async fn it_is_pushed_where_provider_or_operator_want_it_and_else_not() {
    let op = op(|_| {}).await;
    for (metadata, setting, pushes) in [
        (vec![], false, 0),
        (vec![discovery("require_pushed_authorization_requests", json!("true"))], false, 0),
        (vec![discovery("require_pushed_authorization_requests", false)], true, 1),
        (vec![required()], false, 1),
    ] {
        let rig = Rig::over(Arc::clone(&op), |settings| settings.pushed_requests = setting);
        rig.says(metadata);
        let before = op.count(Endpoint::Pushed);
        rig.begin().await.unwrap();
        assert_eq!(op.count(Endpoint::Pushed) - before, pushes, "{setting}");
    }
    let rig = Rig::over(op, |settings| settings.pushed_requests = true);
    for (value, words) in [
        (json!(null), "pushed_authorization_request_endpoint is not a string"),
        (json!("http://op.example.com/par"), "pushed_authorization_request_endpoint is http, not https"),
    ] {
        rig.says([discovery("pushed_authorization_request_endpoint", value)]);
        let found = rig.begin().await.unwrap_err();
        assert!(found.code() == "provider_metadata" && found.to_string().contains(words), "{found}");
    }
}

/// Every answer that is no reference, and the fault that it makes.
fn wrong() -> Vec<(&'static str, Behaviour, &'static str)> {
    let set = |name: &str, value: serde_json::Value| edit(Document::Pushed, Edit::set(name, value));
    let whole = |answer| fault(Endpoint::Pushed, answer);
    let error = |status, error: &str| {
        whole(Fault::json(status, &json!({ "error": error, "error_description": format!("for {SECRET}") })))
    };
    vec![
        ("no reference", edit(Document::Pushed, Edit::remove("request_uri")), "provider_bad_answer"),
        ("empty", set("request_uri", json!("")), "provider_bad_answer"),
        ("number", set("request_uri", json!(5)), "provider_bad_answer"),
        ("space", set("request_uri", json!("urn:a b")), "provider_bad_answer"),
        ("line end", set("request_uri", json!("urn:a\r\nb")), "provider_bad_answer"),
        ("long", set("request_uri", json!("u".repeat(513))), "provider_bad_answer"),
        ("no time", edit(Document::Pushed, Edit::remove("expires_in")), "provider_bad_answer"),
        ("over", set("expires_in", json!(0)), "provider_bad_answer"),
        ("before", set("expires_in", json!(-60)), "provider_bad_answer"),
        ("text", set("expires_in", json!("60")), "provider_bad_answer"),
        ("twice", edit(Document::Pushed, Edit::duplicate("request_uri", "x")), "provider_bad_answer"),
        ("HTML", head(Endpoint::Pushed, HeadEdit::content_type("text/html")), "provider_bad_answer"),
        ("202", head(Endpoint::Pushed, HeadEdit::status(202)), "provider_bad_answer"),
        ("redirect", whole(Fault::redirect(307, "https://other.example.com/")), "provider_bad_answer"),
        ("endless", whole(Fault::EndlessBody), "provider_bad_answer"),
        ("401", error(401, "invalid_client"), "client_refused"),
        ("400 invalid_client", error(400, "invalid_client"), "client_refused"),
        ("401 HTML", whole(Fault::html(401)), "client_refused"),
        ("400 invalid_request", error(400, "invalid_request"), "provider_refused_request"),
        ("400 invalid_scope", error(400, "invalid_scope"), "provider_refused_request"),
        ("403 HTML", whole(Fault::html(403)), "provider_bad_answer"),
        ("413", whole(Fault::status(413)), "provider_bad_answer"),
        ("429", error(429, "slow_down"), "provider_busy"),
        ("500", whole(Fault::html(500)), "provider_server_error"),
        ("503", error(503, "server_error"), "provider_server_error"),
    ]
}

#[tokio::test]
async fn answers_each_have_their_fault_and_are_asked_for_once() {
    let rig = Rig::over(op(|_| {}).await, |settings| settings.pushed_requests = true);
    rig.begin().await.unwrap();
    for (what, behaviour, expected) in wrong() {
        rig.says([behaviour]);
        let before = rig.op.count(Endpoint::Pushed);
        let found = rig.begin().await.unwrap_err();
        assert_eq!(found.code(), expected, "{what}: {found}");
        assert_eq!(rig.op.count(Endpoint::Pushed) - before, 1, "{what}");
        assert!(!found.to_string().contains(SECRET), "{found}");
    }
    for (what, behaviour) in [
        ("200", head(Endpoint::Pushed, HeadEdit::status(200))),
        ("no type", head(Endpoint::Pushed, HeadEdit::no_content_type())),
        ("longest", edit(Document::Pushed, Edit::set("request_uri", "u".repeat(512)))),
        ("a moment", edit(Document::Pushed, Edit::set("expires_in", 1))),
    ] {
        rig.says([behaviour]);
        rig.begin().await.unwrap_or_else(|fault| panic!("{what}: {fault}"));
    }
}
