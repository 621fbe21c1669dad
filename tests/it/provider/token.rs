//! The token request and its responses, and when a code may be sent again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use serde_json::json;
use test_provider::{Authentication, Behaviour, Document, Edit, Endpoint, Fault, HeadEdit, LoggedRequest};
use vestibule::server::{provider::ProviderFault, settings::ClientAuth};

use super::rig::{
    ACCESS, CLIENT, CODE, NAME_AT_USERINFO, PLENTY, REDIRECT_URI, Rig, SECRET, VERIFIER, claims, code, edit, fault,
    head, op_with, steps,
};

#[tokio::test]
async fn a_warm_sign_in_makes_two_requests() {
    let rig = Rig::new().await;
    rig.begin().await.unwrap();
    let (cold, trace) = rig.redeem_within(PLENTY).await;
    cold.unwrap();
    assert_eq!(steps(&trace), ["keys", "token", "id_token", "userinfo"]);

    let before = rig.op.requests().len();
    let (person, trace) = rig.redeem_within(PLENTY).await;
    let person = person.unwrap();
    assert_eq!(rig.op.requests().len() - before, 2);
    assert_eq!(
        trace.steps().iter().map(|step| (step.name.as_str(), step.result.as_str())).collect::<Vec<_>>(),
        [("token", "ok"), ("id_token", "ok"), ("userinfo", "ok")]
    );
    assert_eq!((person.issuer().as_str(), person.subject().as_str()), (rig.op.issuer(), "subject-1"));
    assert_eq!(person.claims().name.as_deref(), Some(NAME_AT_USERINFO));
    assert_eq!(person.claims().groups, Some(vec!["staff".to_owned()]));

    // A code is sent on a connection of its own; requests for claims may share one.
    let ports = |at| rig.op.requests_to(at).iter().map(|request| request.peer.port()).collect::<Vec<_>>();
    assert_ne!(ports(Endpoint::Token)[0], ports(Endpoint::Token)[1]);
    assert_eq!(ports(Endpoint::Userinfo)[0], ports(Endpoint::Userinfo)[1]);
    let asked = &rig.op.requests_to(Endpoint::Userinfo)[0];
    assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {ACCESS}")));
    assert!(asked.header("referer").is_none() && asked.header("cookie").is_none());
}

/// The token request of a client that authenticates like this.
async fn token_request(theirs: Authentication, ours: ClientAuth) -> LoggedRequest {
    let rig = Rig::over(op_with(theirs).await, |settings| settings.client_auth = ours);
    rig.redeem().await.unwrap();
    rig.op.requests_to(Endpoint::Token).remove(0)
}

fn form(request: &LoggedRequest) -> BTreeMap<&str, &str> {
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    let form: BTreeMap<_, _> = request.form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(form.len(), request.form.len(), "a parameter came twice");
    form
}

#[tokio::test]
async fn the_token_request_is_what_the_operator_registered() {
    let expected = |more: &[(&'static str, &'static str)]| {
        let common = [
            ("grant_type", "authorization_code"),
            ("code", CODE),
            ("code_verifier", VERIFIER),
            ("redirect_uri", REDIRECT_URI),
        ];
        common.into_iter().chain(more.iter().copied()).collect::<BTreeMap<_, _>>()
    };
    let secret = || SecretString::from(SECRET);

    let basic = token_request(Authentication::Basic(SECRET.to_owned()), ClientAuth::Basic(secret())).await;
    // RFC 6749 2.3.1: id and secret form-encoded, then base64 (TK-01).
    let plain = "client%3A1+%C3%A9:s3cret+a%2Bb%25c%3Ad%26%C3%A9";
    assert_eq!(basic.header("authorization"), Some(&*format!("Basic {}", STANDARD.encode(plain))));
    assert_eq!(form(&basic), expected(&[]));

    let post = token_request(Authentication::Post(SECRET.to_owned()), ClientAuth::Post(secret())).await;
    assert_eq!(post.header("authorization"), None);
    assert_eq!(form(&post), expected(&[("client_id", CLIENT), ("client_secret", SECRET)]));

    let none = token_request(Authentication::None, ClientAuth::None).await;
    assert_eq!(none.header("authorization"), None);
    assert_eq!(form(&none), expected(&[("client_id", CLIENT)]));
}

#[tokio::test]
async fn harmless_variants_of_the_token_response_are_accepted() {
    let rig = Rig::new().await;
    for (name, value) in [
        ("token_type", json!("bEARER")),
        ("expires_in", json!("3600")),
        ("expires_in", json!(-1.5)),
        ("scope", json!(null)),
        ("unknown", json!({})),
    ] {
        for content_type in ["application/json", "Application/JSON; charset=utf-8", "application/json ; charset=utf-8"]
        {
            let other_type = head(Endpoint::Token, HeadEdit::content_type(content_type));
            rig.says([edit(Document::Token, Edit::set(name, value.clone())), other_type]);
            assert_eq!(rig.code_of().await, "ok", "{name} {value} as {content_type}");
        }
    }
    rig.says([head(Endpoint::Token, HeadEdit::no_content_type())]);
    assert_eq!(rig.code_of().await, "ok", "no content type");
    rig.says([edit(Document::Token, Edit::replace("{", "\u{feff}{"))]);
    assert_eq!(rig.code_of().await, "ok", "a byte order mark (RFC 8259 8.1)");

    // The provider did not issue this one and refuses it, but it is sent whole.
    let fat = "a".repeat(128 * 1024);
    rig.says([edit(Document::Token, Edit::set("access_token", fat.clone())), claims(Edit::remove("at_hash"))]);
    assert_eq!(rig.code_of().await, "userinfo_unavailable");
    let asked = rig.op.requests_to(Endpoint::Userinfo).pop().unwrap();
    assert!(asked.header("authorization") == Some(&*format!("Bearer {fat}")), "128 kB of access token");
}

/// The secret as it is sent in a header and in a body.
const BASIC: &str = "Y2xpZW50JTNBMSslQzMlQTk6czNjcmV0K2ElMkJiJTI1YyUzQWQlMjYlQzMlQTk=";
const FORM: &str = "s3cret+a%2Bb%25c%3Ad%26%C3%A9";

/// Everything that is wrong with a token response, and the fault that it makes.
fn wrong_responses() -> Vec<(&'static str, Behaviour, &'static str)> {
    let change = |change| edit(Document::Token, change);
    let set = |name: &str, value: serde_json::Value| change(Edit::set(name, value));
    let whole = |fault_| fault(Endpoint::Token, fault_);
    let status = |status| head(Endpoint::Token, HeadEdit::status(status));
    let error = |status, error: &str| {
        let description = format!("<b>\r\n\u{1b}[31m {CODE} {SECRET} {VERIFIER} {BASIC} {FORM} {}", "x".repeat(5000));
        whole(Fault::json(status, &json!({"error": error, "error_description": description})))
    };
    let not_utf8 = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{\"a\":\"\xff\"}";
    vec![
        ("no id_token", change(Edit::remove("id_token")), "token_response_invalid"),
        ("null id_token", set("id_token", json!(null)), "token_response_invalid"),
        ("id_token 5", set("id_token", json!(5)), "token_response_invalid"),
        ("id_token empty", set("id_token", json!("")), "id_token_invalid"),
        ("no token_type", change(Edit::remove("token_type")), "token_response_invalid"),
        ("DPoP", set("token_type", json!("DPoP")), "token_response_invalid"),
        ("no access_token", change(Edit::remove("access_token")), "token_response_invalid"),
        ("empty access_token", set("access_token", json!("")), "token_response_invalid"),
        ("access_token é", set("access_token", json!("é\n")), "token_response_invalid"),
        ("access_token long", set("access_token", json!("a".repeat(131_073))), "token_response_invalid"),
        ("200 error", error(200, "invalid_grant"), "code_refused"),
        ("400 invalid_grant", error(400, "invalid_grant"), "code_refused"),
        ("401 invalid_client", error(401, "invalid_client"), "client_refused"),
        ("400 invalid_client", error(400, "invalid_client"), "client_refused"),
        // Keycloak, for a wrong secret.
        ("401 unauthorized_client", error(401, "unauthorized_client"), "client_refused"),
        ("401 invalid_grant", error(401, "invalid_grant"), "client_refused"),
        ("401 empty", whole(Fault::status(401)), "client_refused"),
        ("401 JSON of no error", whole(Fault::json(401, &json!({"message": "no"}))), "client_refused"),
        ("400 unauthorized_client", error(400, "unauthorized_client"), "token_refused"),
        ("400 error object", whole(Fault::json(400, &json!({"error": {"message": "no"}}))), "token_refused"),
        ("401 HTML", whole(Fault::html(401)), "client_refused"),
        ("400 other", error(400, "insufficient_entropy"), "token_refused"),
        ("403 HTML", whole(Fault::html(403)), "provider_bad_answer"),
        ("500 HTML", whole(Fault::html(500)), "provider_server_error"),
        ("502 JSON", error(502, "server_error"), "provider_server_error"),
        ("200 HTML", whole(Fault::html(200)), "provider_bad_answer"),
        ("200 JSON as HTML", head(Endpoint::Token, HeadEdit::content_type("text/html")), "provider_bad_answer"),
        ("204", whole(Fault::status(204)), "provider_bad_answer"),
        ("201", status(201), "provider_bad_answer"),
        ("empty", change(Edit::whole("")), "provider_bad_answer"),
        ("trailing", change(Edit::append("garbage")), "provider_bad_answer"),
        ("twice", change(Edit::duplicate("access_token", "x")), "provider_bad_answer"),
        ("two BOMs", change(Edit::replace("{", "\u{feff}\u{feff}{")), "provider_bad_answer"),
        ("not UTF-8", whole(Fault::wire(not_utf8)), "token_response_invalid"),
        ("code as type", head(Endpoint::Token, HeadEdit::content_type(CODE)), "provider_bad_answer"),
        (
            "verifier twice",
            change(Edit::replace("{", &format!("{{\"{VERIFIER}\":1,\"{VERIFIER}\":2,"))),
            "provider_bad_answer",
        ),
        ("code as token_type", set("token_type", json!(CODE)), "token_response_invalid"),
        ("large", change(Edit::replace("{", &format!("{}{{", " ".repeat(600_000)))), "provider_bad_answer"),
        ("endless", whole(Fault::EndlessBody), "provider_bad_answer"),
        ("429", error(429, "temporarily_unavailable"), "provider_busy"),
    ]
}

#[tokio::test]
async fn token_responses_each_have_their_fault() {
    let rig = Rig::new().await;
    rig.begin().await.unwrap();
    for (what, behaviour, expected) in wrong_responses() {
        rig.says([behaviour]);
        let before = rig.op.count(Endpoint::Token);
        let (outcome, trace) = rig.redeem_within(PLENTY).await;
        assert_eq!(code(&outcome), expected, "{what}");
        assert_eq!(rig.op.count(Endpoint::Token) - before, 1, "{what}");
        assert_eq!(trace.steps().last().unwrap().result, expected, "{what}");
        let told = outcome.map(drop).map_or_else(|fault| fault.to_string(), |()| String::new());
        assert!(!told.contains(BASIC) && !told.contains(FORM), "{what}: {told}");
    }
    assert_eq!(rig.op.count(Endpoint::Userinfo), 0);
}

#[tokio::test]
async fn the_fault_says_which_method_was_refused() {
    let rig = Rig::new().await;
    let refusal = json!({"error": "invalid_client", "error_description": "basic"});
    rig.says([fault(Endpoint::Token, Fault::json(401, &refusal))]);
    assert!(
        matches!(rig.redeem().await, Err(ProviderFault::ClientRefused { method: "client_secret_basic", detail }) if detail == "status 401, invalid_client: basic")
    );
}

#[tokio::test]
async fn a_429_is_waited_out_once_and_only_if_there_is_time() {
    let rig = Rig::new().await;
    rig.begin().await.unwrap();
    let busy = |after| fault(Endpoint::Token, Fault::retry_after(429, after));

    rig.once(busy(0));
    assert_eq!(rig.code_of().await, "ok");
    assert_eq!(rig.op.count(Endpoint::Token), 2);

    rig.once(busy(0));
    rig.once(busy(0));
    assert!(matches!(rig.redeem().await, Err(ProviderFault::Busy { retry_after: Some(Duration::ZERO), .. })));
    assert_eq!(rig.op.count(Endpoint::Token), 4);

    // Longer than the code lives, or than the deadline: the person is told, at once.
    rig.once(busy(61));
    let (outcome, _) = rig.redeem_within(Duration::from_secs(600)).await;
    assert!(matches!(outcome, Err(ProviderFault::Busy { retry_after: Some(wait), .. }) if wait.as_secs() == 61));
    rig.once(busy(30));
    let (outcome, _) = rig.redeem_within(Duration::from_secs(20)).await;
    assert!(matches!(outcome, Err(ProviderFault::Busy { retry_after: Some(_), .. })));
    assert_eq!(rig.op.count(Endpoint::Token), 6);
}

#[tokio::test]
async fn a_code_that_may_have_arrived_is_not_sent_again() {
    let rig = Rig::new().await;
    rig.says([fault(Endpoint::Token, Fault::CloseUnprocessed)]);
    assert_eq!(rig.code_of().await, "provider_unreachable");
    assert_eq!(rig.op.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_code_that_was_certainly_not_sent_is_sent_when_the_provider_listens_again() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    rig.op.down().await;
    let op = Arc::clone(&rig.op);
    let later = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(250)).await;
        op.up().await
    });
    assert_eq!(rig.code_of().await, "ok");
    later.await.unwrap().unwrap();
    assert_eq!(rig.op.count(Endpoint::Token), 2);
}

#[tokio::test]
async fn redirects_are_followed_nowhere() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    let elsewhere = Rig::new().await;
    for status in [301, 302, 303, 307, 308] {
        let away = |at| fault(at, Fault::redirect(status, &format!("{}/x", elsewhere.op.issuer())));
        rig.says([away(Endpoint::Token)]);
        assert_eq!(rig.code_of().await, "provider_bad_answer", "{status}");
        rig.says([away(Endpoint::Userinfo)]);
        assert_eq!(rig.code_of().await, "userinfo_unavailable", "{status}");
        let fresh = Rig::over(Arc::clone(&rig.op), |_| {});
        fresh.says([away(Endpoint::Discovery)]);
        assert_eq!(fresh.begin().await.unwrap_err().code(), "provider_bad_answer", "{status}");
    }
    assert!(elsewhere.op.requests().is_empty());
}

#[tokio::test]
async fn slow_responses_end_with_the_deadline() {
    let rig = Rig::new().await;
    rig.redeem().await.unwrap();
    for slow in [Fault::NeverAnswer, Fault::SlowBody { ms: 50 }] {
        rig.says([fault(Endpoint::Token, slow.clone())]);
        let before = rig.op.count(Endpoint::Token);
        let (outcome, _) = rig.redeem_within(Duration::from_millis(700)).await;
        assert!(matches!(outcome, Err(ProviderFault::Slow(_))), "{slow:?}: {outcome:?}");
        assert_eq!(rig.op.count(Endpoint::Token) - before, 1, "{slow:?}");
        rig.says([fault(Endpoint::Userinfo, slow.clone())]);
        let (outcome, _) = rig.redeem_within(Duration::from_millis(1500)).await;
        assert!(matches!(outcome, Err(ProviderFault::UserinfoUnavailable(_))), "{slow:?}: {outcome:?}");
    }
}
