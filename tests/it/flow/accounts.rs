//! Whose account a sign-in leads to, and who has one.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use test_provider::{Behaviour, Document, Edit, Endpoint, JwtEdit, Profile, Rule};
use vestibule::server::email_address::{Domain, EmailAddress};

use crate::support::{browser::Browser, mongo, scene::Scene};

#[tokio::test]
async fn two_first_sign_ins_at_once_make_one_user() {
    let scene = Scene::patient().await;
    let (one, other) = (scene.browser(), scene.browser());
    let (first, second) = (one.callback_url(&scene, "/").await, other.callback_url(&scene, "/").await);
    scene.provider.hold(Endpoint::Userinfo);
    let release = async {
        scene.provider.wait_for(Endpoint::Userinfo, 2).await;
        scene.provider.release(Endpoint::Userinfo);
    };
    let (first, second, ()) = tokio::join!(one.get(&first), other.get(&second), release);
    assert!(first.sets_session() && second.sets_session());
    assert!(one.is_signed_in(&scene).await && other.is_signed_in(&scene).await);
    assert_eq!(scene.count("users").await, 1);
}

#[tokio::test]
async fn a_disabled_user_is_refused_at_once_and_at_sign_in() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    scene.set_of_users("is_active", false).await;
    let page = browser.get(&scene.url("/auth/account")).await;
    page.explains("user_disabled");
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("Access denied. Please contact your administrator."));
    let again = scene.browser();
    let callback = again.callback_url(&scene, "/").await;
    again.follow(&scene, &callback).await.unwrap().explains("user_disabled");
    scene.set_of_users("is_active", true).await;
    assert!(!browser.is_signed_in(&scene).await, "the session is gone for good");
    scene.browser().sign_in(&scene).await;
}

#[tokio::test]
async fn another_sign_in_keeps_the_former_session_for_a_moment_and_another_person_ends_it() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let former = browser.cookie(&scene, "vestibule").unwrap();
    let callback = once_more(&browser, &scene).await;
    assert!(browser.get(&callback).await.sets_session());
    let old_tab = scene.browser();
    old_tab.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), former.clone());
    assert!(old_tab.is_signed_in(&scene).await, "parallel tabs do not look signed out");

    scene.provider.log_in_as("bob");
    let last = browser.cookie(&scene, "vestibule").unwrap();
    let callback = once_more(&browser, &scene).await;
    assert!(browser.get(&callback).await.sets_session());
    old_tab.cookies.lock().unwrap().insert((scene.origin.clone(), "vestibule".into()), last);
    assert!(!old_tab.is_signed_in(&scene).await, "another person's session is dead at once");
}

/// Signs in once more, in the same browser; returns the callback's URL.
async fn once_more(browser: &Browser, scene: &Scene) -> String {
    let page = browser.get(&scene.url("/auth/oidc/login?prompt=login&again=1")).await;
    browser.get(page.location()).await.location().to_owned()
}

/// Over the whole way: the same in another form comes in, and what only looks like it does not.
#[tokio::test]
async fn rules_of_admission_know_another_form_from_another_name() {
    let scene = Scene::with(Profile::Standard, |settings| {
        settings.sign_in.patience = Duration::from_secs(20);
        settings.users.allowed_groups = vec!["Entwürfe".into()];
        settings.users.allowed_emails = vec![EmailAddress::parse("jürgen@example.com").unwrap()];
        settings.users.allowed_domains = vec![Domain::parse("bücher.example").unwrap()];
    });
    let scene = scene.await;
    let group = |name: &str| ("groups", json!([name]));
    let email = |address: &str| ("email", json!(address));
    for (claim, comes_in) in [
        (group("Entwu\u{308}rfe"), true),
        (group("entwürfe"), false),
        (group("Entwurfe"), false),
        (email("JÜRGEN@Example.com"), true),
        (email("ju\u{308}rgen@example.com"), true),
        (email("jurgen@example.com"), false),
        (email("jürgen@exаmple.com"), false),
        (email("a@xn--bcher-kva.example"), true),
        (email("A@BÜCHER.example"), true),
        (email("a@bücher。example"), false),
        (email("a@bücher.example."), false),
        (email("a@bü\u{200b}cher.example"), false),
        (email("a@evil.example@bücher.example"), false),
    ] {
        let says = |name, value: Value| Behaviour::Edit { of: Document::Userinfo, edit: Edit::set(name, value) };
        scene.provider.behave_well();
        scene.provider.behave(Rule::standing(says("email_verified", json!(true))));
        scene.provider.behave(Rule::standing(says(claim.0, claim.1.clone())));
        let browser = scene.browser();
        let callback = browser.callback_url(&scene, "/reports").await;
        match browser.follow(&scene, &callback).await {
            Ok(page) => {
                assert!(!comes_in, "{claim:?}: {page:#?}");
                page.explains("not_allowed");
            }
            Err(path) => assert!(comes_in && path == "/reports", "{claim:?} came in"),
        }
    }
}

/// What is written for ClaudeLens where there is no address: claimed or stored, nobody has it.
#[tokio::test]
async fn an_address_that_only_stands_in_for_one_lets_nobody_in_and_is_not_shown() {
    let scene = Scene::with(Profile::Standard, |settings| {
        settings.sign_in.patience = Duration::from_secs(20);
        settings.users.allowed_emails = vec![EmailAddress::parse("alice@example.com").unwrap()];
        settings.users.allowed_domains = vec![Domain::parse("oidc.local").unwrap()];
    });
    let scene = scene.await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    scene.set_of_users("email", "alice@oidc.local").await;
    let page = browser.get(&scene.url("/auth/account")).await;
    assert!(page.status == StatusCode::OK && !page.body.contains("oidc.local"), "{}", page.body);
    let edit = Edit::set("email", json!("alice@oidc.local"));
    scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Userinfo, edit }));
    let other = scene.browser();
    let callback = other.callback_url(&scene, "/").await;
    other.follow(&scene, &callback).await.unwrap().explains("not_allowed");
}

#[tokio::test]
async fn a_person_without_an_address_is_written_as_claudelens_needs_them() {
    let server = mongo::server().await;
    let scene = Scene::on_mongo(server.uri(), "", |settings| {
        settings.sign_in.patience = Duration::from_secs(20);
        settings.users.for_claudelens = true;
    });
    let scene = scene.await;
    for email in [Edit::remove("email"), Edit::set("email", json!("somebody@oidc.local"))] {
        scene.provider.behave_well();
        scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Userinfo, edit: email.clone() }));
        scene.provider.behave(Rule::standing(Behaviour::IdToken(JwtEdit::claims(email))));
        let browser = scene.browser();
        browser.sign_in(&scene).await;
        let user = scene.collection("users").find_one(bson::doc! {}).await.unwrap().unwrap();
        assert_eq!(user.get_str("email").unwrap(), "alice@oidc.local");
        let page = browser.get(&scene.url("/auth/account")).await;
        assert!(page.status == StatusCode::OK && !page.body.contains("oidc.local"), "{}", page.body);
    }
    assert_eq!(scene.count("users").await, 1);
}
