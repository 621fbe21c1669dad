//! Who has signed out, or is somebody else, is so at once in the process that did it. (Others, and load: `load::gate`.)

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use reqwest::{Method, StatusCode};
use test_provider::{Behaviour, DemoPerson, Document, Edit, JwtEdit, Rule};
use vestibule::server::{
    application::{Members, RuleAccess, RulePath},
    limits,
    settings::Settings,
    store::Role,
};

use super::rig::{At, BOARD, Endpoint, Question, WIKI, applications, scene};
use crate::support::{
    browser::Browser,
    claims::raw,
    mongo,
    scene::{CLIENT_ID, LOGIN_HOST, Scene},
    wait::eventually,
};

/// A browser with the same cookies.
fn twin(browser: &Browser) -> Browser {
    let twin = Browser::default();
    twin.cookies.lock().unwrap().clone_from(&browser.cookies.lock().unwrap());
    twin
}

/// Whatever is under way at that moment: no check that begins after the sign-out lets anybody in.
#[tokio::test]
async fn no_check_after_a_sign_out_lets_anybody_in() {
    let scene = scene().await;
    for _ in 0..20 {
        let alice = Browser::default();
        alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
        let (asking, over) = (twin(&alice), AtomicBool::new(false));
        let checks = async {
            while !over.load(Ordering::Relaxed) {
                asking.asks(&scene, Question::about(Endpoint::Verify, "/page")).await;
            }
        };
        let signs_out = async {
            alice.signs_out(&scene).await;
            for _ in 0..10 {
                assert!(!alice.is_known_at(&scene, WIKI).await);
            }
            over.store(true, Ordering::Relaxed);
        };
        tokio::join!(checks, signs_out);
    }
}

fn admins_by_group(settings: &mut Settings) {
    applications(settings);
    settings.users.admin_groups = vec!["admins".to_owned()];
    for application in &mut settings.applications {
        let admin = RuleAccess::Members(Members { roles: vec![Role::Admin], ..Members::default() });
        application.rules[2].path = RulePath::Below("/roles/".to_owned());
        application.rules[2].access = admin;
    }
}

/// A new sign-in, in any browser of that person's, changes what they may do in all of them.
#[tokio::test]
async fn a_role_that_changes_at_a_sign_in_holds_at_once() {
    let scene = Scene::with_applications(admins_by_group).await;
    let groups = |names: &str| {
        scene.provider.behave_well();
        scene.provider.behave(Rule::standing(Behaviour::IdToken(JwtEdit::claims(raw("groups", names)))));
        let edit = raw("groups", names);
        scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Userinfo, edit }));
    };
    let first = Browser::default();
    for host in [WIKI, BOARD] {
        first.opens(&scene, &scene.page(host, "/page"), "alice").await;
    }
    for (names, status) in [
        (r#"["staff"]"#, StatusCode::FORBIDDEN),
        (r#"["admins"]"#, StatusCode::OK),
        (r#"["staff"]"#, StatusCode::FORBIDDEN),
    ] {
        groups(names);
        Browser::default().opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
        for host in [WIKI, BOARD] {
            let page = first.asks(&scene, Question::about(Endpoint::Verify, "/roles/x").at(host)).await;
            assert_eq!(page.status, status, "{names} at {host}");
        }
    }
}

/// On any host, in another process: within seconds. Where it was asked a moment ago, the answer of then holds.
#[tokio::test]
async fn a_second_process_learns_of_it() {
    let scene = scene().await;
    let (public, gate) = scene.start_another().await;
    let other = At { public, gate };
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    assert!(alice.is_known_by(&scene, other, WIKI).await);
    // And the handover goes through any of them.
    let (there, page) = alice.goes_at(&scene, other, &scene.page(BOARD, "/page")).await;
    assert_eq!((there.as_str(), super::rig::user(&page)), (&*scene.page(BOARD, "/page"), Some("alice")));
    alice.signs_out(&scene).await;
    assert!(!alice.is_known_at(&scene, WIKI).await);
    eventually("the other process knows", || async { (!alice.is_known_by(&scene, other, WIKI).await).then_some(()) })
        .await;
}

/// BC-01, BC-31: a provider's logout ends all sessions of the person, on every host, at once in the process that the provider
/// has told, and in another within seconds.
async fn a_providers_logout_is_one_everywhere(scene: &Scene) {
    let (public, gate) = scene.start_another().await;
    let (told, other) = (At { public, gate }, scene.at());
    let (alice, again, bob) = (Browser::default(), Browser::default(), Browser::default());
    for (browser, username) in [(&alice, "alice"), (&again, "alice"), (&bob, "bob")] {
        scene.provider.log_in_as(username);
        for host in [WIKI, BOARD] {
            browser.opens(scene, &scene.page(host, "/page"), username).await;
            assert!(browser.is_known_by(scene, told, host).await && browser.is_known_by(scene, other, host).await);
        }
    }
    let whose = JwtEdit::claims(Edit::set("sub", DemoPerson::alice().sub));
    let body = format!("logout_token={}", scene.provider.logout_token(CLIENT_ID, &[whose]));
    let to = format!("http://{public}/auth/oidc/backchannel-logout");
    let host = scene.authority(LOGIN_HOST);
    let page = Browser::default().request(Method::POST, &to, &[("host", &host)], Some(body)).await;
    assert_eq!(page.status, StatusCode::OK, "{page:#?}");
    let done = Instant::now();
    for browser in [&alice, &again] {
        for host in [WIKI, BOARD] {
            assert!(!browser.is_known_by(scene, told, host).await, "at once");
        }
    }
    for browser in [&alice, &again] {
        for host in [WIKI, BOARD] {
            eventually("the other process knows", || async {
                let asked = done.elapsed();
                let is_known = browser.is_known_by(scene, other, host).await;
                assert!(!is_known || asked < limits::SESSION_KNOWN_FRESH, "{asked:?} later");
                (!is_known).then_some(())
            })
            .await;
        }
    }
    for at in [told, other] {
        assert!(bob.is_known_by(scene, at, WIKI).await && bob.is_known_by(scene, at, BOARD).await);
    }
}

#[tokio::test]
async fn a_providers_logout_is_one_everywhere_on_sqlite() {
    a_providers_logout_is_one_everywhere(&scene().await).await;
}

#[tokio::test]
async fn a_providers_logout_is_one_everywhere_on_mongodb() {
    let server = mongo::server().await;
    a_providers_logout_is_one_everywhere(&Scene::with_applications_on_mongo(server.uri(), applications).await).await;
}

/// What has changed is known although nobody can be asked for; and who has not changed goes on meanwhile.
#[tokio::test]
async fn a_replica_set_says_what_has_changed() {
    let server = mongo::Server::start_replica_set().await;
    let scene = Scene::with_applications_on_mongo(server.uri(), applications).await;
    let (public, gate) = scene.start_another().await;
    let other = At { public, gate };
    eventually("both follow it, from their first mark on", || async {
        let marks = scene.collection("login_attempts");
        (marks.count_documents(bson::doc! { "mark": { "$gt": 1 } }).await.unwrap() == 2).then_some(())
    })
    .await;
    let (alice, bob) = (Browser::default(), Browser::default());
    for (browser, username) in [(&alice, "alice"), (&bob, "bob")] {
        scene.provider.log_in_as(username);
        browser.opens(&scene, &scene.page(WIKI, "/page"), username).await;
        assert!(browser.is_known_by(&scene, other, WIKI).await);
    }
    server.fail(bson::doc! { "errorCode": 50, "failCommands": ["find"] }, None).await;
    let theirs = bson::doc! { "facts.subject": DemoPerson::alice().sub };
    assert_eq!(scene.collection("login_sessions").delete_many(theirs).await.unwrap().deleted_count, 1);
    let deleted = Instant::now();
    let asks = async |browser: &Browser, at| {
        browser.asks_at(&scene, at, Question::about(Endpoint::Verify, "/page"), &[]).await.status
    };
    for at in [scene.at(), other] {
        eventually("nobody can tell who she is", || async {
            assert!(deleted.elapsed() < limits::SESSION_KNOWN_UNANSWERED, "she is only not believed any more");
            (asks(&alice, at).await == StatusCode::SERVICE_UNAVAILABLE).then_some(())
        })
        .await;
        assert_eq!(asks(&bob, at).await, StatusCode::OK);
    }
}
