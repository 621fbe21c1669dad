//! Claims that decide nothing here: whatever they hold, the person gets in, and a line of the log names those that could
//! not be read.

use proptest::{
    prelude::{Strategy as _, prop},
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use serde_json::json;
use test_provider::{Behaviour, Document, Edit, JwtEdit};

use super::rig::{Rig, claims, code, edit};
use crate::support::claims::{names, raw, values};

/// Where a claim can stand.
#[derive(Clone, Copy, Debug)]
enum At {
    IdToken,
    Userinfo,
    SignedUserinfo,
}

impl At {
    const ALL: [Self; 3] = [Self::IdToken, Self::Userinfo, Self::SignedUserinfo];

    fn says(self, edit_: Edit) -> Vec<Behaviour> {
        match self {
            Self::IdToken => vec![claims(edit_)],
            Self::Userinfo => vec![edit(Document::Userinfo, edit_)],
            Self::SignedUserinfo => vec![Behaviour::SignedUserinfo(JwtEdit::claims(edit_))],
        }
    }
}

/// Claims as no provider should send them, and whether the log names them.
const ODD: [(&str, &str, bool); 42] = [
    ("amr", r#""pwd""#, false),
    ("amr", "7", true),
    ("acr", "1", true),
    ("updated_at", r#""2024-03-01T10:59:07""#, true),
    ("updated_at", r#""2024-03-01T10:59:07.123Z""#, false),
    ("updated_at", "1e400", true),
    ("address", r#""1 Example Street""#, true),
    ("email_verified", r#""True""#, false),
    ("email_verified", "1", true),
    ("given_name", "7", true),
    ("family_name", "[]", true),
    ("middle_name", "{}", true),
    ("name", "{}", true),
    ("name", r#""\ud800""#, true),
    ("nickname", "false", true),
    ("preferred_username", r#"["alice"]"#, true),
    ("profile", "{}", true),
    ("picture", "[]", true),
    ("website", "0", true),
    ("email", r#"{"value":"alice@example.com"}"#, true),
    ("email", r#"["alice@example.com"]"#, true),
    ("gender", "1", true),
    ("birthdate", "19900101", true),
    ("zoneinfo", "3600", true),
    ("locale", r#"{"language":"en"}"#, true),
    ("phone_number", "4912345", true),
    ("phone_number_verified", r#""maybe""#, true),
    ("auth_time", r#""yesterday""#, true),
    ("sid", "5", true),
    ("groups", r#"{"staff":true}"#, true),
    ("groups", "12", true),
    ("groups", r#"["staff",7,null]"#, false),
    ("picture", r#"{"a":1,"a":2}"#, true),
    ("groups", r#"["staff","\ud800"]"#, false),
    ("groups", r#"[{"name":"staff"}]"#, true),
    ("jti", "5", false),
    ("ver", "2.0", false),
    ("x5t#S256", r#""\udfff""#, false),
    ("_claim_names", r#"{"groups":"src1"}"#, false),
    ("http://schemas.example.com/role", r#"[["admin"]]"#, false),
    ("name#fr", "7", false),
    ("\u{feff}", "1", false),
];

#[tokio::test]
async fn a_claim_that_cannot_be_read_costs_that_claim_alone() {
    let rig = Rig::new().await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (name, value, is_named) in ODD.into_iter().chain([("name", deep.as_str(), true)]) {
        for at in At::ALL {
            rig.says(at.says(raw(name, value)));
            let outcome = rig.redeem().await;
            assert_eq!(code(&outcome), "ok", "{name}: {value:.60} at {at:?}");
            let person = outcome.unwrap();
            let of_the_token = matches!(name, "amr" | "acr" | "auth_time" | "sid") && !matches!(at, At::IdToken);
            let unreadable: Vec<_> = person.claims().unreadable.iter().copied().collect();
            let named = is_named && !of_the_token;
            assert_eq!(unreadable, if named { vec![name] } else { vec![] }, "{name}: {value:.60} at {at:?}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_cost_the_claim_that_has_them() {
    let rig = Rig::new().await;
    let body = b"{\"sub\":\"subject-1\",\"name\":\"J\xf6rg\",\"nickname\":\"jo\",\"groups\":[\"staff\",\"\xff\"]}";
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let wire = test_provider::Fault::wire(&[head.as_bytes(), body].concat());
    rig.says([super::rig::fault(test_provider::Endpoint::Userinfo, wire)]);
    let person = rig.redeem().await.unwrap();
    assert_eq!(person.claims().nickname.as_deref(), Some("jo"));
    let name = person.claims().name.as_deref();
    assert_eq!(name, Some("Alice Example"), "of its parts: where userinfo speaks, the ID token's is not asked");
    assert_eq!(person.claims().groups.as_deref(), Some(["staff".to_owned()].as_slice()), "the others count");
    assert_eq!(person.claims().unreadable.iter().copied().collect::<Vec<_>>(), ["name"]);
}

#[tokio::test]
async fn what_userinfo_does_not_say_is_taken_from_the_id_token() {
    let rig = Rig::new().await;
    let id_token = json!({
        "groups": "from the ID token", "nickname": "ali", "email": "alice@example.org", "email_verified": true,
    });
    let said = Edit { set: id_token.as_object().unwrap().clone(), ..Edit::default() };
    let silent = ["groups", "name", "email", "email_verified", "preferred_username"].map(str::to_owned);
    let nothing = edit(Document::Userinfo, Edit { remove: silent.into(), ..Edit::default() });
    rig.says([claims(said.clone()), nothing]);
    let person = rig.redeem().await.unwrap();
    let read = person.claims();
    assert_eq!(read.groups.as_deref(), Some(["from the ID token".to_owned()].as_slice()));
    assert_eq!((read.email.as_deref(), read.email_verified), (Some("alice@example.org"), Some(true)));

    // Where both speak, userinfo wins, and what is said of one address says nothing about another.
    let other =
        edit(Document::Userinfo, Edit { remove: vec!["email_verified".into()], ..Edit::set("groups", json!([])) });
    rig.says([claims(said), other]);
    let person = rig.redeem().await.unwrap();
    let read = person.claims();
    assert_eq!(read.groups.as_deref(), Some([].as_slice()));
    assert_eq!((read.email.as_deref(), read.email_verified), (Some("alice@example.com"), None));
}

#[tokio::test]
async fn no_value_of_any_claim_outside_the_checked_set_keeps_anyone_out() {
    let rig = Rig::new().await;
    // The same cases at each run.
    let mut runner = TestRunner::deterministic();
    let cases = prop::collection::vec((prop::sample::select(&At::ALL[..]), names(), values()), 1..4);
    for _ in 0..400 {
        let case = cases.new_tree(&mut runner).unwrap().current();
        let mut behaviours: Vec<Behaviour> = Vec::new();
        for (index, (at, name, value)) in case.iter().enumerate() {
            // A name that stands twice in one document is another matter: such a document is refused.
            let before = case.iter().take(index);
            if before.clone().all(|(_, other, _)| other != name) {
                behaviours.extend(at.says(raw(name, value)));
            }
        }
        rig.says(behaviours);
        let outcome = rig.redeem().await;
        assert_eq!(code(&outcome), "ok", "{case:?}: {outcome:?}");
        assert_eq!(outcome.unwrap().subject().as_str(), "subject-1", "{case:?}");
    }
}
