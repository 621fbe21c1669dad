//! Who has signed out, or is somebody else, is so at once in the process that did it. (Others, and load: `load::gate`.)

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::StatusCode;
use test_provider::{Behaviour, Document, JwtEdit, Rule};
use vestibule::server::{
    application::{Members, RuleAccess, RulePath},
    settings::Settings,
    store::Role,
};

use super::rig::{BOARD, Endpoint, Question, WIKI, applications, scene};
use crate::support::{browser::Browser, claims::raw, scene::Scene};

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
    let other = super::rig::At { public, gate };
    let alice = Browser::default();
    alice.opens(&scene, &scene.page(WIKI, "/page"), "alice").await;
    assert!(alice.is_known_by(&scene, other, WIKI).await);
    // And the handover goes through any of them.
    let (there, page) = alice.goes_at(&scene, other, &scene.page(BOARD, "/page")).await;
    assert_eq!((there.as_str(), super::rig::user(&page)), (&*scene.page(BOARD, "/page"), Some("alice")));
    alice.signs_out(&scene).await;
    assert!(!alice.is_known_at(&scene, WIKI).await);
    crate::support::wait::eventually("the other process knows", || async {
        (!alice.is_known_by(&scene, other, WIKI).await).then_some(())
    })
    .await;
}
