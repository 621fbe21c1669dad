//! Sign-out at the provider's request endpoint (RP-Initiated Logout 1.0).

use test_provider::{Behaviour, Client, EndSessionFault, Endpoint, Profile, Rule, RunningProvider};

use crate::support::{BACK, SECRET, asking, authorize, config, encoded, get, provider, send, tokens, value};

const AFTER: &str = "https://app.example.com/signed-out?a=b";

async fn offering() -> RunningProvider {
    let mut config = config(Profile::Standard);
    config.end_session = true;
    config.clients = vec![Client::basic("app", SECRET, BACK).with_post_logout_redirect_uri(AFTER)];
    let op = RunningProvider::start(config).await.unwrap();
    op.log_in_as("alice");
    op
}

#[tokio::test]
async fn it_is_offered_only_where_it_is_turned_on() {
    assert!(
        get(&provider(Profile::Standard).await, Endpoint::Discovery).await.json()["end_session_endpoint"].is_null()
    );
    let op = offering().await;
    assert_eq!(get(&op, Endpoint::Discovery).await.json()["end_session_endpoint"], op.url(Endpoint::EndSession));
}

#[tokio::test]
async fn the_token_is_one_that_was_issued_and_the_address_one_that_is_registered() {
    let op = offering().await;
    let token = tokens(&op).await["id_token"].as_str().unwrap().to_owned();
    let altered = format!("{token}x");
    for wrong in [
        &[("id_token_hint", altered.as_str()), ("post_logout_redirect_uri", AFTER)][..],
        &[("id_token_hint", &token), ("post_logout_redirect_uri", "https://app.example.com/")],
        &[("id_token_hint", &token), ("client_id", "another")],
        &[("post_logout_redirect_uri", AFTER)],
        &[("client_id", "app"), ("client_id", "app")],
    ] {
        let query = format!("?{}", encoded(wrong));
        assert_eq!(send(&op, "GET", Endpoint::EndSession, &query, &[], "").await.status, 400, "{wrong:?}");
    }
    assert!(!value(&authorize(&op, &[]).await, "code").is_empty(), "nobody was signed out");
    let right =
        [("id_token_hint", token.as_str()), ("client_id", "app"), ("post_logout_redirect_uri", AFTER), ("state", "s")];
    let body = encoded(&right);
    let out = send(&op, "POST", Endpoint::EndSession, "", &[], &body).await;
    assert_eq!((out.status, out.header("location")), (303, Some("https://app.example.com/signed-out?a=b&state=s")));
    assert_eq!(get(&op, Endpoint::Authorize).await.status, 400);
    assert_eq!(send(&op, "GET", Endpoint::Authorize, &asking(&[]), &[], "").await.status, 200, "the form is shown");
}

#[tokio::test]
async fn the_state_comes_back_altered_or_not_at_all_and_people_decline() {
    let op = offering().await;
    let query = format!("?{}", encoded(&[("client_id", "app"), ("post_logout_redirect_uri", AFTER), ("state", "s")]));
    for (fault, status, location, stays) in [
        (EndSessionFault::OtherState, 303, Some("https://app.example.com/signed-out?a=b&state=s_INVALID"), false),
        (EndSessionFault::NoState, 303, Some(AFTER), false),
        (EndSessionFault::Decline, 200, None, true),
        (EndSessionFault::DeclineAndReturn, 303, Some("https://app.example.com/signed-out?a=b&state=s"), true),
    ] {
        op.log_in_as("alice");
        op.behave(Rule::once(Behaviour::EndSession(fault)));
        let out = send(&op, "GET", Endpoint::EndSession, &query, &[], "").await;
        assert_eq!((out.status, out.header("location")), (status, location), "{fault:?}");
        let known = send(&op, "GET", Endpoint::Authorize, &asking(&[]), &[], "").await;
        assert_eq!(known.status == 303, stays, "{fault:?}");
    }
}
