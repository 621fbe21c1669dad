use super::*;
use serde_json::json;
use time::macros::datetime;

fn object(members: &Value) -> Object {
    Object { members: members.as_object().unwrap().clone(), damaged: Vec::new() }
}

fn person(id_token: &Value, userinfo: Option<&Value>) -> VerifiedClaims {
    let userinfo = userinfo.map(object);
    let (issuer, subject) = (Issuer::new("https://op.example.com"), Subject::new("subject-1").unwrap());
    VerifiedClaims::new(issuer, subject, &object(id_token), userinfo.as_ref())
}

fn read(members: &Value) -> Claims {
    person(members, None).claims().clone()
}

fn unreadable(members: &Value) -> Vec<&'static str> {
    read(members).unreadable.into_iter().collect()
}

#[test]
fn reads_what_it_knows() {
    let claims = read(&json!({
        "sub": "1", "name": "Alice", "preferred_username": "alice", "username": "al", "nickname": "ali",
        "email": "alice@example.com", "email_verified": true, "groups": ["a", "b"], "role": "admin", "name#fr": "Alix",
    }));
    assert_eq!(
        claims,
        Claims {
            name: Some("Alice".into()),
            preferred_username: Some("alice".into()),
            username: Some("al".into()),
            nickname: Some("ali".into()),
            email: Some("alice@example.com".into()),
            email_verified: Some(true),
            groups: Some(vec!["a".into(), "b".into()]),
            unreadable: BTreeSet::new(),
        }
    );
}

#[test]
fn what_cannot_be_read_counts_as_missing_and_is_named() {
    let odd = json!({
        "name": {}, "preferred_username": 1, "username": null, "nickname": [], "email": false, "email_verified": true,
        "groups": {"a": 1}, "address": "1 Example Street", "updated_at": "2024-03-01T10:59:07", "locale": 5,
        "acr": 1, "auth_time": [], "sid": {},
    });
    let mut claims = read(&odd);
    let named = std::mem::take(&mut claims.unreadable);
    assert_eq!(claims, Claims::default());
    let all = [
        "acr",
        "address",
        "auth_time",
        "email",
        "groups",
        "locale",
        "name",
        "nickname",
        "preferred_username",
        "sid",
        "updated_at",
    ];
    assert_eq!(named.into_iter().collect::<Vec<_>>(), all);
    let damaged = Object { damaged: vec!["name".into(), "roles".into()], ..object(&json!({})) };
    let damaged = [&damaged];
    let mut reader = Reader::of(&damaged);
    assert_eq!(reader.get("name", text), None);
    assert_eq!(reader.unreadable.into_iter().collect::<Vec<_>>(), ["name"]);
    assert_eq!(unreadable(&json!({"updated_at": 1.5, "name": null, "email": "", "amr": "pwd", "x": 1})), [""; 0]);
}

#[test]
fn one_value_is_a_list_of_one_and_an_odd_member_is_left_out() {
    for (said, meant) in [
        (json!("staff"), Some(vec!["staff"])),
        (json!(["a", 1, null, ["b"], {"c": 1}, "", " ", "d"]), Some(vec!["a", "d"])),
        (json!([]), Some(vec![])),
        (json!([{"name": "staff"}]), None),
        (json!([1, 2]), None),
        (json!([""]), None),
        (json!("a,b"), Some(vec!["a,b"])),
        (json!(""), None),
        (json!(null), None),
        (json!({"a": 1}), None),
        (json!(1), None),
        (json!(true), None),
    ] {
        let meant = meant.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read(&json!({"groups": said})).groups, meant, "{said}");
    }
}

#[test]
fn a_verified_address_is_one_of_which_it_is_said() {
    for (said, meant) in [
        (json!("true"), Some(true)),
        (json!("True"), Some(true)),
        (json!("FALSE"), Some(false)),
        (json!("yes"), None),
        (json!(1), None),
        (json!("1"), None),
        (json!([true]), None),
        (json!(null), None),
    ] {
        assert_eq!(read(&json!({"email": "a@example.com", "email_verified": said})).email_verified, meant, "{said}");
    }
    let verified = |id_token: Value, userinfo: Value| person(&id_token, Some(&userinfo)).claims().email_verified;
    let here = json!({"email": "a@example.com"});
    let there = json!({"email": "a@example.com", "email_verified": true});
    assert_eq!(verified(there.clone(), here.clone()), Some(true));
    assert_eq!(verified(there.clone(), json!({"email": "A@Example.COM"})), Some(true), "the same address");
    assert_eq!(verified(there.clone(), json!({"email": "b@example.com"})), None, "it is said of another address");
    assert_eq!(verified(json!({"email_verified": true}), here), None, "it is not said of which");
    assert_eq!(verified(there.clone(), json!({"email_verified": false})), Some(true), "that is of none");
    let says = |verified: Value| json!({"email": "a@example.com", "email_verified": verified});
    assert_eq!(verified(there.clone(), says(json!(false))), Some(false), "userinfo wins");
    assert_eq!(verified(there, says(json!("no"))), None, "also where it cannot be read");
}

#[test]
fn userinfo_wins_and_the_id_token_says_what_it_does_not() {
    let id_token = json!({"name": "From the ID token", "groups": ["id"], "nickname": "id"});
    let of = |userinfo: Value| person(&id_token, Some(&userinfo)).claims().clone();
    let claims = of(json!({"name": "Alice", "groups": ["a"]}));
    assert_eq!((claims.name.as_deref(), claims.nickname.as_deref()), (Some("Alice"), Some("id")));
    assert_eq!(claims.groups, Some(vec!["a".to_owned()]));
    assert_eq!(of(json!({"groups": []})).groups, Some(vec![]), "in no group is said, too");
    for silent in [json!({}), json!({"groups": null}), json!({"groups": ""}), json!({"groups": "\u{200b}"})] {
        assert_eq!(of(silent).groups, Some(vec!["id".to_owned()]));
    }
    for unreadable in [json!({"groups": {}}), json!({"groups": false}), json!({"groups": [7]})] {
        assert_eq!(of(unreadable).groups, None, "an older list of the ID token lets nobody in");
    }
}

#[test]
fn given_and_family_name_stand_for_a_missing_name() {
    let name = |members: Value| read(&members).name;
    assert_eq!(name(json!({"given_name": "Ada", "family_name": "Lovelace"})).as_deref(), Some("Ada Lovelace"));
    assert_eq!(name(json!({"given_name": 7, "family_name": "Lovelace"})).as_deref(), Some("Lovelace"));
    assert_eq!(name(json!({"name": "A", "given_name": "Ada"})).as_deref(), Some("A"));
    assert_eq!(name(json!({"name": " ", "given_name": "Ada"})).as_deref(), Some("Ada"));
    assert_eq!(name(json!({"name": "\u{3164}", "given_name": "Ada"})).as_deref(), Some("Ada"));
    assert_eq!(name(json!({"given_name": ""})), None);
}

#[test]
fn reads_how_and_when_the_person_was_authenticated_from_the_id_token_alone() {
    let read = |members: &Value| person(members, Some(&json!({"sid": "u", "acr": "u"}))).authentication().clone();
    let all = read(&json!({"sid": "s1", "auth_time": 1_795_608_000, "acr": "phr", "amr": ["pwd", "otp"]}));
    assert_eq!(
        all,
        Authentication {
            issued: None,
            sid: Some("s1".into()),
            auth_time: Some(datetime!(2026-11-25 12:00 UTC)),
            acr: Some("phr".into()),
            amr: Some(vec!["pwd".into(), "otp".into()]),
        }
    );
    assert_eq!(read(&json!({})), Authentication::default());
    assert_eq!(read(&json!({"sid": 1, "auth_time": [], "acr": 2, "amr": {}})), Authentication::default());
    let long = "x".repeat(limits::SESSION_CLAIM_BYTES + 1);
    assert_eq!(read(&json!({"sid": long, "acr": long, "amr": [long]})), Authentication::default());
    assert_eq!(read(&json!({"amr": "pwd"})).amr, Some(vec!["pwd".to_owned()]));
    for (said, meant) in [
        (json!(1_795_608_000.9), Some(datetime!(2026-11-25 12:00 UTC))),
        (json!("2026-11-25T12:00:00Z"), Some(datetime!(2026-11-25 12:00 UTC))),
        (json!(1e300), None),
        (json!("soon"), None),
    ] {
        assert_eq!(read(&json!({"auth_time": said})).auth_time, meant, "{said}");
    }
}
