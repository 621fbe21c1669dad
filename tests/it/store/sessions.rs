//! What both stores do with sessions.

use std::{sync::Arc, time::Duration};

use bson::{DateTime, doc};
use vestibule::server::{
    attempt::{AttemptState, Next, Verdict},
    clock::to_millis,
    ids::{BrowserHash, OwnerToken, UserId},
    store::{NewClaim, SessionFacts, SessionRecord},
};

use super::fixtures::{NOW, claim_of, claimed, now, on_both, session_of, state, together, verified};
use crate::support::bench::{Bench, Raw, binary};

on_both! {
    session_comes_back_as_it_went,
    session_is_only_inserted,
    session_is_not_revived,
    session_moves_one_way_only,
    session_is_deleted_idempotently,
    expired_session_is_returned_as_it_is,
    session_of_the_version_before_is_read,
    session_is_readable_by_the_version_before,
    session_delivered_while_signing_out_does_not_begin,
    session_begun_before_its_browser_signed_out_is_logged_out,
    a_browser_ends_with_all_that_it_was_given,
}

async fn session_comes_back_as_it_went(bench: &Bench) {
    let store = &*bench.store;
    let session = session_of(b"a");
    assert_eq!(store.session(session.id).await.unwrap(), None);
    assert!(store.create_session(&session).await.unwrap());
    assert_eq!(store.session(session.id).await.unwrap(), Some(session));
    let used = SessionRecord { delivered_by: None, ..session_of(b"b") };
    assert!(store.create_session(&used).await.unwrap());
    assert_eq!(store.session(used.id).await.unwrap(), Some(used));
}

async fn session_is_only_inserted(bench: &Bench) {
    let session = session_of(b"a");
    let outcomes = together((0..10).map(|_| {
        let (store, session) = (Arc::clone(&bench.store), session.clone());
        async move { store.create_session(&session).await.unwrap() }
    }))
    .await;
    assert_eq!(outcomes.into_iter().filter(|created| *created).count(), 1);
    let other = SessionRecord { user: UserId::new("ffffffffffffffffffffffff"), ..session.clone() };
    assert!(!bench.store.create_session(&other).await.unwrap());
    assert_eq!(bench.store.session(session.id).await.unwrap(), Some(session));
}

async fn session_is_not_revived(bench: &Bench) {
    let store = &*bench.store;
    let session = session_of(b"a");
    assert!(!store.save_session(&session).await.unwrap(), "never inserts");
    assert!(store.create_session(&session).await.unwrap());
    store.delete_session(session.id).await.unwrap();
    assert!(!store.save_session(&session).await.unwrap());
    assert_eq!(store.session(session.id).await.unwrap(), None);
}

async fn session_moves_one_way_only(bench: &Bench) {
    let store = &*bench.store;
    let session = session_of(b"a");
    assert!(store.create_session(&session).await.unwrap());
    let minute = Duration::from_secs(60);
    // Used: seen later, delivery over; and not longer than at first, whatever is asked.
    let used = SessionRecord {
        last_seen: session.last_seen + minute,
        expires: session.expires + minute,
        delivered_by: None,
        ..session.clone()
    };
    assert!(store.save_session(&used).await.unwrap());
    let expected = SessionRecord { expires: session.expires, ..used.clone() };
    assert_eq!(store.session(session.id).await.unwrap(), Some(expected.clone()));
    // A slow request saves what it read before: nothing goes back.
    assert!(store.save_session(&session).await.unwrap());
    assert_eq!(store.session(session.id).await.unwrap(), Some(expected.clone()));
    let shorter = SessionRecord { expires: session.expires - minute, ..expected };
    assert!(store.save_session(&shorter).await.unwrap());
    assert_eq!(store.session(session.id).await.unwrap(), Some(shorter.clone()));
    // Who it is never changes.
    let stolen = SessionRecord { user: UserId::new("ffffffffffffffffffffffff"), ..shorter.clone() };
    assert!(store.save_session(&stolen).await.unwrap());
    assert_eq!(store.session(session.id).await.unwrap(), Some(shorter));
}

async fn session_is_deleted_idempotently(bench: &Bench) {
    let store = &*bench.store;
    let (gone, stays) = (session_of(b"a"), session_of(b"b"));
    assert!(store.create_session(&gone).await.unwrap());
    assert!(store.create_session(&stays).await.unwrap());
    for _ in 0..2 {
        store.delete_session(gone.id).await.unwrap();
        assert_eq!(store.session(gone.id).await.unwrap(), None);
    }
    assert_eq!(store.session(stays.id).await.unwrap(), Some(stays));
}

/// A browser signs out while it has a sign-in under way of which nothing is written yet.
async fn session_begun_before_its_browser_signed_out_is_logged_out(bench: &Bench) {
    let store = &*bench.store;
    let session = session_of(b"a");
    let other = SessionRecord { browser: Some(BrowserHash::of(b"neighbour")), ..session_of(b"b") };
    let later = SessionRecord { begun: session.begun + Duration::from_millis(2), ..session_of(b"c") };
    let moment = session.begun + Duration::from_millis(1);
    for at in [moment, moment, moment - Duration::from_secs(60)] {
        store.remember_sign_out(BrowserHash::of(b"browser"), at).await.unwrap();
    }
    let other_process = bench.raw.open().await;
    for (session, is_out) in [(&session, true), (&other, false), (&later, false)] {
        assert!(other_process.create_session(session).await.unwrap());
        assert_eq!(other_process.is_logged_out(session).await.unwrap(), is_out);
    }
}

async fn a_browser_ends_with_all_that_it_was_given(bench: &Bench) {
    let store = &*bench.store;
    let now = NOW + Duration::from_secs(60);
    let other = |id: &[u8], browser| SessionRecord { browser, ..session_of(id) };
    let [mine, others] = [
        [session_of(b"one"), session_of(b"two")],
        [other(b"neighbour", Some(BrowserHash::of(b"neighbour"))), other(b"older", None)],
    ];
    for session in mine.iter().chain(&others) {
        assert!(store.create_session(session).await.unwrap());
    }
    for (id, owner) in [(1, 1), (2, 2)] {
        let browser = if id == 1 { BrowserHash::of(b"browser") } else { BrowserHash::of(b"neighbour") };
        claimed(store, &NewClaim { browser, ..claim_of(id, owner) }).await;
        let id = claim_of(id, owner).id;
        assert!(store.settle(id, OwnerToken::new([owner; 16]), &verified(b"sealed"), &[]).await.unwrap());
    }
    for _ in 0..2 {
        store.end_browser(BrowserHash::of(b"browser"), now).await.unwrap();
        for session in &mine {
            let ended = store.session(session.id).await.unwrap().unwrap();
            assert_eq!((ended.expires, ended.delivered_by), (now, None));
        }
        for session in &others {
            assert_eq!(store.session(session.id).await.unwrap().as_ref(), Some(session));
        }
        let delivery = |state| if let AttemptState::Verified { delivery, .. } = state { delivery } else { panic!() };
        assert_eq!(delivery(state(store, claim_of(1, 1).id).await), None);
        assert!(delivery(state(store, claim_of(2, 2).id).await).is_some());
    }
}

async fn expired_session_is_returned_as_it_is(bench: &Bench) {
    // A second ago: what ended less than a minute ago is not removed yet.
    let session = SessionRecord { expires: now() - Duration::from_secs(1), ..session_of(b"a") };
    assert!(bench.store.create_session(&session).await.unwrap());
    assert_eq!(bench.store.session(session.id).await.unwrap(), Some(session));
}

/// During a rolling update both versions share a database.
async fn session_of_the_version_before_is_read(bench: &Bench) {
    let known = session_of(b"a");
    let session = SessionRecord {
        begun: known.created,
        confirmed: known.created,
        rechecked: None,
        facts: SessionFacts::default(),
        id_token: None,
        ..known
    };
    match &bench.raw {
        Raw::Mongo { database, .. } => {
            let older = doc! {
                "_id": binary(session.id.as_bytes()),
                "browser": binary(BrowserHash::of(b"browser").as_bytes()),
                "user_id": session.user.as_str(),
                "issuer": session.issuer.as_str(),
                "provider": session.provider.as_str(),
                "created_at": DateTime::from_millis(to_millis(session.created)),
                "last_seen_at": DateTime::from_millis(to_millis(session.last_seen)),
                "expires_at": DateTime::from_millis(to_millis(session.expires)),
                "delivered_by": binary(&[7; 16]),
            };
            database.collection("login_sessions").insert_one(older).await.unwrap();
        }
        Raw::Sqlite { pool, .. } => {
            sqlx::query(
                "INSERT INTO login_sessions \
                 (id, browser, user_id, issuer, provider, created_at, last_seen_at, expires_at, delivered_by) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(session.id.as_bytes().to_vec())
            .bind(BrowserHash::of(b"browser").as_bytes().to_vec())
            .bind(session.user.as_str())
            .bind(session.issuer.as_str())
            .bind(session.provider.as_str())
            .bind(to_millis(session.created))
            .bind(to_millis(session.last_seen))
            .bind(to_millis(session.expires))
            .bind([7; 16].as_slice())
            .execute(pool)
            .await
            .unwrap();
        }
    }
    assert_eq!(bench.store.session(session.id).await.unwrap(), Some(session));
}

async fn session_is_readable_by_the_version_before(bench: &Bench) {
    /// As that version declares it; it ignores what it does not know.
    #[derive(serde::Deserialize)]
    struct SessionDocument {
        user_id: String,
        issuer: String,
        provider: String,
        created_at: DateTime,
        last_seen_at: DateTime,
        expires_at: DateTime,
        browser: Option<bson::Binary>,
        delivered_by: Option<bson::Binary>,
    }
    type Row = (String, String, String, i64, i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);
    let session = session_of(b"a");
    assert!(bench.store.create_session(&session).await.unwrap());
    let read: Row = match &bench.raw {
        Raw::Mongo { database, .. } => {
            let sessions = database.collection::<SessionDocument>("login_sessions");
            let found = sessions.find_one(doc! { "_id": binary(session.id.as_bytes()) }).await.unwrap().unwrap();
            (
                found.user_id,
                found.issuer,
                found.provider,
                found.created_at.timestamp_millis(),
                found.last_seen_at.timestamp_millis(),
                found.expires_at.timestamp_millis(),
                found.browser.map(|browser| browser.bytes),
                found.delivered_by.map(|attempt| attempt.bytes),
            )
        }
        Raw::Sqlite { pool, .. } => sqlx::query_as(
            "SELECT user_id, issuer, provider, created_at, last_seen_at, expires_at, browser, delivered_by \
             FROM login_sessions WHERE id = ?",
        )
        .bind(session.id.as_bytes().to_vec())
        .fetch_one(pool)
        .await
        .unwrap(),
    };
    let expected = (
        session.user.as_str().to_owned(),
        session.issuer.as_str().to_owned(),
        session.provider.as_str().to_owned(),
        to_millis(session.created),
        to_millis(session.last_seen),
        to_millis(session.expires),
        Some(BrowserHash::of(b"browser").as_bytes().to_vec()),
        Some(vec![7; 16]),
    );
    assert_eq!(read, expected);
}

/// A delivery reads that it may deliver, the browser signs out, and only then the delivery inserts its session.
async fn session_delivered_while_signing_out_does_not_begin(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    claimed(store, &claim).await;
    let verdict = Verdict::Verified { at: now(), delivery: b"sealed".to_vec() };
    assert!(store.settle(claim.id, claim.owner, &verdict, &[]).await.unwrap());
    assert!(matches!(state(store, claim.id).await.next(now()), Next::Deliver(_)));
    store.end_browser(claim.browser, now()).await.unwrap();
    let session = SessionRecord { id: claim.session, ..session_of(b"a") };
    assert!(!store.create_session(&session).await.unwrap(), "its id is taken");
    let taken = store.session(claim.session).await.unwrap().expect("the record that takes it");
    assert!(taken.expires <= now());
    // A session that was delivered in time is ended, and not replaced.
    let claim = claim_of(2, 2);
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &verdict, &[]).await.unwrap());
    let session = SessionRecord { id: claim.session, ..session_of(b"b") };
    assert!(store.create_session(&session).await.unwrap());
    let signed_out = now();
    store.end_browser(claim.browser, signed_out).await.unwrap();
    let nobody = SessionRecord::nobody();
    let ended = SessionRecord { user: nobody, expires: signed_out, delivered_by: None, id_token: None, ..session };
    assert_eq!(store.session(claim.session).await.unwrap(), Some(ended));
}
