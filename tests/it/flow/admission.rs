//! Who gets in, through the whole program: the operator's rules decide, and no claim that they do not ask for.

use proptest::{
    prelude::{Strategy as _, any, prop},
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use test_provider::{Behaviour, Document, Edit, JwtEdit, Profile, Rule};

use crate::support::{
    claims::{names, raw, values},
    scene::Scene,
};

/// Only members of `staff` get in.
async fn staff_only() -> Scene {
    Scene::with(Profile::Standard, |settings| {
        settings.sign_in.patience = std::time::Duration::from_secs(20);
        settings.users.allowed_groups = vec!["staff".to_owned()];
        settings.users.admin_groups = vec!["admins".to_owned()];
    })
    .await
}

/// Signs in with these groups in both documents, as JSON; `None`: they are not there.
async fn outcome(scene: &Scene, id_token: Option<&str>, userinfo: Option<&str>, more: &[(bool, Edit)]) -> String {
    let edit = |groups: Option<&str>| groups.map_or_else(|| Edit::remove("groups"), |groups| raw("groups", groups));
    let more = more.iter().cloned();
    scene.provider.behave_well();
    for (of_the_token, edit) in [(true, edit(id_token)), (false, edit(userinfo))].into_iter().chain(more) {
        scene.provider.behave(Rule::standing(if of_the_token {
            Behaviour::IdToken(JwtEdit::claims(edit))
        } else {
            Behaviour::Edit { of: Document::Userinfo, edit }
        }));
    }
    let browser = scene.browser();
    let callback = browser.callback_url(scene, "/landed").await;
    match browser.follow(scene, &callback).await {
        Ok(page) => page.data("code").unwrap_or("no code").to_owned(),
        Err(landed) => landed,
    }
}

/// The rule in its simplest form: the first document that says anything decides; `staff` is one of its texts.
fn is_staff(id_token: Option<&Value>, userinfo: Option<&Value>) -> bool {
    let speaks = |groups: &&Value| !groups.is_null() && groups.as_str().is_none_or(|text| !text.trim().is_empty());
    userinfo.filter(speaks).or(id_token.filter(speaks)).is_some_and(|groups| match groups {
        Value::Array(members) => members.iter().any(|member| member == "staff"),
        groups => groups == "staff",
    })
}

#[tokio::test]
async fn groups_decide_as_the_simplest_reading_of_them_would() {
    let scene = staff_only().await;
    let mut runner = TestRunner::deterministic();
    let member = prop::sample::select(
        &[
            r#""staff""#,
            r#""guest""#,
            r#""Staff""#,
            "7",
            "null",
            "[]",
            r#"{"name":"staff"}"#,
            r#"["staff"]"#,
            "\"\"",
            "true",
        ][..],
    );
    let list = prop::collection::vec(member.clone(), 0..4).prop_map(|members| format!("[{}]", members.join(",")));
    let groups = prop::option::of(proptest::prop_oneof![list, member.prop_map(str::to_owned)]);
    for _ in 0..120 {
        let (id_token, userinfo) = (groups.clone(), groups.clone()).new_tree(&mut runner).unwrap().current();
        let read = |text: &Option<String>| text.as_deref().map(|text| serde_json::from_str::<Value>(text).unwrap());
        let expected =
            if is_staff(read(&id_token).as_ref(), read(&userinfo).as_ref()) { "/landed" } else { "not_allowed" };
        let ended = outcome(&scene, id_token.as_deref(), userinfo.as_deref(), &[]).await;
        assert_eq!(ended, expected, "ID token {id_token:?}, userinfo {userinfo:?}");
    }
}

#[tokio::test]
async fn damage_in_a_list_of_groups_neither_lets_in_nor_locks_out() {
    let scene = staff_only().await;
    for (id_token, userinfo, expected) in [
        (Some(r#"["staff"]"#), Some(r#"["guest","\ud800"]"#), "not_allowed"),
        (Some(r#"["staff"]"#), Some(r#""\ud800""#), "not_allowed"),
        (Some(r#"["staff"]"#), Some("false"), "not_allowed"),
        (Some(r#"["guest"]"#), Some(r#"["staff","\ud800"]"#), "/landed"),
        (None, Some(r#"["staff",1e999]"#), "/landed"),
        (None, Some(r#"["staff",{"a":1,"a":2}]"#), "/landed"),
        (None, Some(r#"[["staff"]]"#), "not_allowed"),
        (Some(r#""staff""#), None, "/landed"),
    ] {
        assert_eq!(outcome(&scene, id_token, userinfo, &[]).await, expected, "{id_token:?} {userinfo:?}");
    }
}

#[tokio::test]
async fn no_other_claim_changes_who_gets_in_or_as_what() {
    let scene = staff_only().await;
    let mut runner = TestRunner::deterministic();
    let claims = prop::collection::vec((any::<bool>(), names(), values()), 0..5);
    for is_admin in (0..60).map(|turn| turn % 2 == 0) {
        let mut seen = std::collections::BTreeSet::new();
        let drawn = claims.new_tree(&mut runner).unwrap().current();
        let more: Vec<_> = drawn
            .into_iter()
            .filter(|(of_the_token, name, _)| name != "groups" && seen.insert((*of_the_token, name.clone())))
            .map(|(of_the_token, name, value)| (of_the_token, raw(&name, &value)))
            .collect();
        let groups = if is_admin { json!(["staff", "admins"]) } else { json!(["staff"]) }.to_string();
        assert_eq!(outcome(&scene, None, Some(&groups), &more).await, "/landed", "{more:?}");
        let admins = scene.count("users WHERE role = 'admin'").await;
        assert_eq!((scene.count("users").await, admins), (1, i64::from(is_admin)), "{more:?}");
        assert_eq!(outcome(&scene, None, Some(r#"["guest"]"#), &more).await, "not_allowed", "{more:?}");
    }
}
