//! What both stores do with logouts: which sessions belong to one, now and when they are first used.

use std::time::Duration;

use bson::doc;
use time::OffsetDateTime;
use vestibule::server::{
    ids::{Issuer, LogoutHash, SessionHash, Subject},
    store::{LoggedOut, Logout, SessionFacts, SessionRecord, Store},
};

use super::fixtures::{ISSUER, now, on_both, session_of};
use crate::support::bench::{Bench, Raw, binary};

on_both! {
    what_belongs_to_a_logout_ends_and_nothing_else,
    the_same_is_found_out_at_the_first_use,
    a_newer_sign_in_is_spared,
    a_session_of_the_version_before_ends_too,
    an_ended_session_is_nobodys_and_is_not_counted_again,
    a_logout_counts_once,
    hostile_names_are_names,
    a_logout_that_was_cut_short_is_finished,
}

const SECOND: Duration = Duration::from_secs(1);

fn logout(number: u8, sid: Option<&str>, subject: Option<&str>) -> Logout {
    Logout {
        id: LogoutHash::of(&[number]),
        issuer: Issuer::new(ISSUER),
        sid: sid.map(str::to_owned),
        subject: subject.map(|subject| Subject::new(subject).unwrap()),
        issued: whole_seconds(now()),
        received: now(),
    }
}

fn whole_seconds(moment: OffsetDateTime) -> OffsetDateTime {
    moment.replace_millisecond(0).unwrap()
}

/// Begun and issued a while ago.
fn session(name: &str, sid: Option<&str>, subject: Option<&str>) -> SessionRecord {
    let session = session_of(name.as_bytes());
    let facts = SessionFacts {
        sid: sid.map(str::to_owned),
        subject: subject.map(|subject| Subject::new(subject).unwrap()),
        issued: Some(whole_seconds(now()) - SECOND),
        ..session.facts
    };
    SessionRecord { facts, ..session }
}

async fn lives(store: &dyn Store, id: SessionHash) -> bool {
    store.session(id).await.unwrap().unwrap().user != SessionRecord::nobody()
}

/// Sessions, and for each logout below whether they belong to it.
fn sessions() -> [(SessionRecord, [bool; 4]); 8] {
    let elsewhere = SessionRecord {
        issuer: Issuer::new("https://other.example.com"),
        ..session("elsewhere", Some("one"), Some("ada"))
    };
    [
        (session("both", Some("one"), Some("ada")), [true, true, true, false]),
        (session("her other", Some("two"), Some("ada")), [false, false, true, false]),
        (session("without sid", None, Some("ada")), [true, false, true, false]),
        (session("without subject", Some("one"), None), [true, true, false, false]),
        (session("his", Some("three"), Some("bob")), [false; 4]),
        (session("his, same sid", Some("one"), Some("bob")), [false, true, false, false]),
        (session("nothing", None, None), [false; 4]),
        (elsewhere, [false; 4]),
    ]
}

/// With both, with `sid`, with a subject, with neither, which no logout token is.
fn logouts() -> [Logout; 4] {
    [
        logout(1, Some("one"), Some("ada")),
        logout(2, Some("one"), None),
        logout(3, None, Some("ada")),
        logout(4, None, None),
    ]
}

/// BC-01, BC-02, BC-03, BC-06.
async fn what_belongs_to_a_logout_ends_and_nothing_else(bench: &Bench) {
    let store = &*bench.store;
    for (number, logout) in logouts().into_iter().enumerate() {
        let renamed = |session: SessionRecord| SessionRecord {
            id: SessionHash::of(&[session.id.as_bytes().as_slice(), &[number as u8]].concat()),
            // So that the logouts before are none of theirs.
            issuer: Issuer::new(format!("{}/{number}", session.issuer)),
            ..session
        };
        let sessions = sessions().map(|(session, belongs)| (renamed(session), belongs[number]));
        for (session, _) in &sessions {
            assert!(store.create_session(session).await.unwrap());
        }
        let logout = Logout { issuer: Issuer::new(format!("{ISSUER}/{number}")), ..logout };
        let belong = sessions.iter().filter(|(_, belongs)| *belongs).count();
        assert_eq!(store.log_out(&logout).await.unwrap(), LoggedOut::Ended(belong as u64), "{logout:?}");
        for (session, belongs) in sessions {
            assert_eq!(lives(store, session.id).await, !belongs, "{logout:?}: {session:?}");
        }
    }
}

/// BC-28: the session is inserted after the logout has ended what there was.
async fn the_same_is_found_out_at_the_first_use(bench: &Bench) {
    let store = &*bench.store;
    for (number, logout) in logouts().into_iter().enumerate() {
        let logout = Logout { issuer: Issuer::new(format!("{ISSUER}/{number}")), ..logout };
        store.log_out(&logout).await.unwrap();
        for (session, belongs) in sessions() {
            let session = SessionRecord { issuer: Issuer::new(format!("{}/{number}", session.issuer)), ..session };
            assert_eq!(store.is_logged_out(&session).await.unwrap(), belongs[number], "{logout:?}: {session:?}");
        }
    }
}

async fn a_newer_sign_in_is_spared(bench: &Bench) {
    let store = &*bench.store;
    let logout = logout(1, None, Some("ada"));
    let at = |name: &str, issued: OffsetDateTime, begun| {
        let session = session(name, Some("two"), Some("ada"));
        SessionRecord { begun, facts: SessionFacts { issued: Some(issued), ..session.facts.clone() }, ..session }
    };
    let Logout { issued, received, .. } = logout;
    let table = [
        (at("older", issued - SECOND, received - SECOND), true),
        (at("in the same second", issued, received - SECOND), true),
        (at("vouched for since", issued + SECOND, received - SECOND), false),
        (at("begun since", issued, received), false),
    ];
    for (session, _) in &table {
        assert!(store.create_session(session).await.unwrap());
    }
    assert_eq!(store.log_out(&logout).await.unwrap(), LoggedOut::Ended(2));
    for (session, belongs) in &table {
        assert_eq!(lives(store, session.id).await, !belongs, "{session:?}");
        assert_eq!(store.is_logged_out(session).await.unwrap(), *belongs, "{session:?}");
    }
}

/// It does not say when it was begun, nor when its ID token was issued.
async fn a_session_of_the_version_before_ends_too(bench: &Bench) {
    let store = &*bench.store;
    let logout = logout(1, Some("one"), None);
    let older = session("older", Some("one"), Some("ada"));
    assert!(store.create_session(&SessionRecord { created: logout.received - SECOND, ..older.clone() }).await.unwrap());
    match &bench.raw {
        Raw::Mongo { database, .. } => {
            let unset = doc! { "$unset": { "begun_at": "", "facts.issued": "" } };
            let sessions = database.collection::<bson::Document>("login_sessions");
            sessions.update_one(doc! { "_id": binary(older.id.as_bytes()) }, unset).await.unwrap();
        }
        Raw::Sqlite { pool, .. } => {
            let unset = "UPDATE login_sessions SET begun_at = NULL, issued_at = NULL";
            sqlx::query(unset).execute(pool).await.unwrap();
        }
    }
    assert_eq!(store.log_out(&logout).await.unwrap(), LoggedOut::Ended(1));
    assert!(!lives(store, older.id).await);
    let older = SessionRecord { facts: SessionFacts { issued: None, ..older.facts.clone() }, ..older };
    assert!(store.is_logged_out(&older).await.unwrap());
}

async fn an_ended_session_is_nobodys_and_is_not_counted_again(bench: &Bench) {
    let store = &*bench.store;
    let theirs = session("theirs", Some("one"), Some("ada"));
    assert!(store.create_session(&theirs).await.unwrap());
    let first = logout(1, Some("one"), None);
    assert_eq!(store.log_out(&first).await.unwrap(), LoggedOut::Ended(1));
    let ended = SessionRecord {
        user: SessionRecord::nobody(),
        expires: first.received,
        delivered_by: None,
        id_token: None,
        ..theirs.clone()
    };
    assert_eq!(store.session(theirs.id).await.unwrap(), Some(ended.clone()));
    // BC-07: it is over already, and stays as it was.
    assert_eq!(store.log_out(&logout(2, None, Some("ada"))).await.unwrap(), LoggedOut::Ended(0));
    assert_eq!(store.session(theirs.id).await.unwrap(), Some(ended));
}

/// BC-12.
async fn a_logout_counts_once(bench: &Bench) {
    let store = &*bench.store;
    let logout = logout(1, Some("one"), None);
    assert_eq!(store.log_out(&logout).await.unwrap(), LoggedOut::Ended(0));
    let theirs = session("theirs", Some("one"), Some("ada"));
    assert!(store.create_session(&theirs).await.unwrap());
    assert_eq!(store.log_out(&logout).await.unwrap(), LoggedOut::Replayed);
    let other_process = bench.raw.open().await;
    assert_eq!(other_process.log_out(&logout).await.unwrap(), LoggedOut::Replayed);
    assert!(lives(store, theirs.id).await);
}

async fn hostile_names_are_names(bench: &Bench) {
    let store = &*bench.store;
    let theirs = session("theirs", Some("one"), Some("ada"));
    assert!(store.create_session(&theirs).await.unwrap());
    for (number, name) in
        ["", "null", "$ne", r#"{"$ne":null}"#, "%", "' OR 1=1 --", "a\0b", "One", "one "].into_iter().enumerate()
    {
        let hostile = logout(number as u8, Some(name), None);
        assert_eq!(store.log_out(&hostile).await.unwrap(), LoggedOut::Ended(0), "{name}");
        let session = session("", Some(name), None);
        assert!(store.is_logged_out(&session).await.unwrap(), "{name}");
    }
    assert!(lives(store, theirs.id).await);
}

/// MongoDB knows no transaction: the store has failed between the record and its sessions, and the provider tries again.
async fn a_logout_that_was_cut_short_is_finished(bench: &Bench) {
    let Raw::Mongo { database, .. } = &bench.raw else { return };
    let store = &*bench.store;
    let theirs = session("theirs", Some("one"), Some("ada"));
    assert!(store.create_session(&theirs).await.unwrap());
    let logout = logout(1, Some("one"), None);
    let id = binary(logout.id.as_bytes());
    let cut_short = doc! { "_id": id, "issuer": ISSUER, "sid": "one", "done": false };
    database.collection("seen_logout_tokens").insert_one(cut_short).await.unwrap();
    assert_eq!(store.log_out(&logout).await.unwrap(), LoggedOut::Ended(1));
    assert!(!lives(store, theirs.id).await);
    assert_eq!(store.log_out(&logout).await.unwrap(), LoggedOut::Replayed);
}
