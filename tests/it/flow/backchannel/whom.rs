//! Whose sessions end.

use test_provider::{Edit, Endpoint, JwtEdit, Profile};
use vestibule::server::{
    ids::ProviderId,
    limits,
    settings::{ProviderSettings, Settings},
};

use super::{claims, is_done, is_refused, on_both, post, signs_in, token};
use crate::support::{
    browser::Browser,
    scene::{CLIENT_ID, Scene},
};

on_both! {
    by_sid_the_one_session,
    by_sub_all_of_the_person,
    by_both_the_one_session,
    a_logout_during_the_sign_in_wins,
    a_late_token_spares_a_newer_sign_in,
    a_token_counts_once,
}

async fn known(scene: &Scene, browsers: &[&Browser]) -> Vec<bool> {
    let mut known = Vec::new();
    for browser in browsers {
        known.push(browser.is_signed_in(scene).await);
    }
    known
}

/// BC-03.
async fn by_sid_the_one_session(scene: &Scene) {
    let [one, two] = [signs_in(scene, "alice", Some("one")).await, signs_in(scene, "alice", Some("two")).await];
    let token = scene.provider.logout_token(CLIENT_ID, &[claims(Edit::set("sid", "one"))]);
    is_done(&post(scene, &token).await, "sid");
    assert_eq!(known(scene, &[&one, &two]).await, [false, true]);
}

/// BC-02, BC-07.
async fn by_sub_all_of_the_person(scene: &Scene) {
    let (one, two, three) = (
        signs_in(scene, "alice", Some("one")).await,
        signs_in(scene, "alice", Some("two")).await,
        signs_in(scene, "alice", None).await,
    );
    let bob = signs_in(scene, "bob", Some("four")).await;
    is_done(&post(scene, &token(scene, &[])).await, "sub");
    assert_eq!(known(scene, &[&one, &two, &three, &bob]).await, [false, false, false, true]);
    is_done(&post(scene, &token(scene, &[])).await, "nobody is signed in any more");
    is_done(&post(scene, &token(scene, &[claims(Edit::set("sub", "nobody"))])).await, "nobody ever was");
    // Whoever was logged out signs in again, at once.
    signs_in(scene, "alice", Some("five")).await;
}

/// BC-01.
async fn by_both_the_one_session(scene: &Scene) {
    let (one, two) = (signs_in(scene, "alice", Some("one")).await, signs_in(scene, "alice", Some("two")).await);
    let bob = signs_in(scene, "bob", Some("one")).await;
    is_done(&post(scene, &token(scene, &[claims(Edit::set("sid", "one"))])).await, "both");
    assert_eq!(known(scene, &[&one, &two, &bob]).await, [false, true, true]);
}

/// BC-28: between the token response and the session's record.
async fn a_logout_during_the_sign_in_wins(scene: &Scene) {
    let sid = claims(Edit::set("sid", "one"));
    for by in [
        claims(Edit::remove("sid")),
        sid.clone(),
        JwtEdit { claims: Edit { remove: vec!["sub".into()], ..sid.claims }, ..sid },
    ] {
        scene.provider.behave_well();
        scene
            .provider
            .behave(test_provider::Rule::standing(test_provider::Behaviour::IdToken(claims(Edit::set("sid", "one")))));
        scene.provider.forget_requests();
        let browser = scene.browser();
        let callback = browser.callback_url(scene, "/").await;
        scene.provider.hold(Endpoint::Userinfo);
        let logs_out = async {
            scene.provider.wait_for(Endpoint::Userinfo, 1).await;
            is_done(&post(scene, &token(scene, std::slice::from_ref(&by))).await, "meanwhile");
            scene.provider.release(Endpoint::Userinfo);
        };
        let (page, ()) = tokio::join!(browser.get(&callback), logs_out);
        assert!(page.sets_session(), "{page:#?}");
        assert!(!browser.is_signed_in(scene).await, "{by:?}");
        assert!(!browser.is_signed_in(scene).await, "nor later: {by:?}");
        // The same browser signs in again.
        browser.sign_in(scene).await;
    }
}

/// The provider could not reach us for a while, and the person has signed in again meanwhile.
async fn a_late_token_spares_a_newer_sign_in(scene: &Scene) {
    let browser = signs_in(scene, "alice", Some("one")).await;
    is_done(&post(scene, &token(scene, &[claims(Edit::shift("iat", -30))])).await, "late");
    assert!(browser.is_signed_in(scene).await);
    is_done(&post(scene, &token(scene, &[])).await, "now");
    assert!(!browser.is_signed_in(scene).await);
}

/// BC-12: not even after a restart, for as long as its times would allow it.
async fn a_token_counts_once(scene: &Scene) {
    let old = token(scene, &[]);
    is_done(&post(scene, &old).await, "first");
    let browser = signs_in(scene, "alice", None).await;
    is_refused(&post(scene, &old).await, "again");
    let other_process = Browser::default();
    other_process.go_through(scene, &scene.start_second().await);
    let page =
        other_process.request(reqwest::Method::POST, &scene.url(super::ENDPOINT), &[], Some(super::form(&old))).await;
    is_refused(&page, "at another process");
    assert!(browser.is_signed_in(scene).await);
}

/// BC-06, and the one provider's token for the other's client.
#[tokio::test]
async fn the_sessions_of_another_issuer_are_untouched() {
    let scene = Scene::beside_a_neighbour(super::patient).await;
    let neighbour = scene.neighbour.as_ref().unwrap();
    let at_neighbours = scene.browser();
    let start = at_neighbours.get(&scene.url("/auth/oidc/login?provider=neighbour&return_to=/")).await;
    let callback = at_neighbours.get(start.location()).await;
    assert!(at_neighbours.get(callback.location()).await.sets_session());
    assert!(at_neighbours.is_signed_in(&scene).await);
    // Both know alice by the same subject.
    is_done(&post(&scene, &token(&scene, &[])).await, "the first");
    assert!(at_neighbours.is_signed_in(&scene).await);
    let theirs = |issuer: &str| {
        let edits = [claims(Edit::set("sub", super::alice())), claims(Edit::set("iss", issuer))];
        neighbour.logout_token(CLIENT_ID, &edits)
    };
    // Both sign with the same keys: it is the issuer that counts.
    is_done(&post(&scene, &theirs(scene.provider.issuer())).await, "the neighbour's in the name of the first");
    assert!(at_neighbours.is_signed_in(&scene).await);
    is_done(&post(&scene, &theirs(neighbour.issuer())).await, "the neighbour's");
    assert!(!at_neighbours.is_signed_in(&scene).await);
}

/// Its cookie was set, and the browser has not come back with it for a day: a logout is remembered no longer than that.
#[tokio::test]
async fn a_session_that_is_never_used_ends_while_the_logout_is_remembered() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/").await;
    assert!(browser.get(&callback).await.sets_session());
    scene.later(limits::SESSION_UNUSED_LIFE.as_secs().try_into().unwrap());
    assert!(!browser.is_signed_in(&scene).await);
    assert!(limits::LOGOUT_REMEMBERED > limits::SESSION_UNUSED_LIFE + limits::DELIVERY_OVER);
}

/// Of two clients of one issuer, the one in `aud` is meant.
#[tokio::test]
async fn a_token_is_for_the_client_that_it_names() {
    fn two_clients(settings: &mut Settings) {
        super::patient(settings);
        let first = &settings.providers[0];
        let second = ProviderSettings {
            id: ProviderId::new("second"),
            name: "Second".into(),
            issuer: first.issuer.clone(),
            client_id: "second".into(),
            client_auth: first.client_auth.clone(),
            pushed_requests: false,
            id_token_algorithms: Vec::new(),
            userinfo_algorithms: Vec::new(),
            scopes: vec!["openid".into()],
            end_session: true,
            trusted_audiences: Vec::new(),
            request: first.request.clone(),
            ca_file: None,
        };
        settings.providers.push(second);
    }
    let scene = Scene::with(Profile::Standard, two_clients).await;
    let alice = [JwtEdit::claims(Edit::set("sub", super::alice()))];
    is_done(&post(&scene, &scene.provider.logout_token("second", &alice)).await, "the second");
    is_done(&post(&scene, &scene.provider.logout_token(CLIENT_ID, &alice)).await, "the first");
    is_refused(&post(&scene, &scene.provider.logout_token("third", &alice)).await, "nobody's");
}
