//! The contract of the store, run on both.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{Bson, Document, doc, oid::ObjectId};
use mongodb::Client;
use secrecy::SecretString;
use tempfile::TempDir;
use time::{OffsetDateTime, macros::datetime};
use vestibule::server::{
    attempt::{AttemptState, KEPT, Verdict},
    ids::{AttemptId, BrowserHash, CodeHash, Issuer, OwnerToken, ProviderId, Reference, SessionHash, Subject, UserId},
    settings::Database,
    store::{
        self, Attempt, Claimed, Created, NewClaim, NewUser, Person, Profile, Role, SessionRecord, Store, StoreError,
        User,
    },
    trace::Step,
};

use crate::support::{
    bench::{Bench, Raw},
    mongo,
};

const ISSUER: &str = "https://id.example.com";
const DISCOVERY: &str = "https://id.example.com/.well-known/openid-configuration";
const NOW: OffsetDateTime = datetime!(2026-11-23 10:00:00.123 UTC);

/// One test for each case and store.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => { $(
        mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mongo() {
                super::Bench::mongo().await.run(super::$case).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::Bench::sqlite().await.run(super::$case).await;
            }
        }
    )* };
}

on_both! {
    claim_is_won_once,
    claim_with_its_answer_lost_is_recognised,
    claim_has_one_winner_among_many,
    claim_after_the_end_tells_the_end,
    attempt_comes_back_as_it_went,
    attempt_is_kept_for_a_week,
    settle_is_compare_and_set,
    settle_again_does_not_reopen_delivery,
    renew_needs_the_owner,
    interrupt_only_when_stale,
    delivery_is_wiped,
    new_user_has_what_claudelens_reads,
    sign_in_refreshes_what_is_claimed,
    many_first_sign_ins_make_one_user,
    one_username_for_one_of_many,
    username_is_taken_without_regard_to_case,
    same_subject_at_two_issuers_is_two_users,
    older_user_is_adopted_by_discovery_url,
    older_user_is_adopted_by_issuer,
    older_user_is_adopted_once_by_many,
    older_user_of_another_provider_is_not_adopted,
    of_two_older_users_the_first_is_adopted,
    inactive_user_is_left_alone,
    inactive_older_user_is_left_alone,
    unknown_role_gives_no_power,
    session_comes_back_as_it_went,
    session_is_only_inserted,
    session_is_not_revived,
    session_moves_one_way_only,
    session_is_deleted_idempotently,
    expired_session_is_not_judged,
    a_browser_ends_with_all_that_it_was_given,
    hostile_text_is_text,
    reopening_keeps_everything,
    two_processes_agree,
    healthy_store_has_nothing_to_tell,
}

// --- attempts ---

fn claim_of(id: u8, owner: u8) -> NewClaim {
    NewClaim {
        id: AttemptId::new([id; 16]),
        owner: OwnerToken::new([owner; 16]),
        provider: ProviderId::new("authelia"),
        browser: BrowserHash::of(b"browser"),
        code: CodeHash::of(b"code"),
        started: now() - Duration::from_secs(20),
        claimed: now(),
    }
}

/// Attempts expire by the store's clock, so theirs is the real one.
fn now() -> OffsetDateTime {
    use vestibule::server::clock::System;
    System::real().now()
}

fn verified(delivery: &[u8]) -> Verdict {
    Verdict::Verified { at: NOW, delivery: delivery.to_vec() }
}

fn failed(code: &str) -> Verdict {
    Verdict::Failed { code: code.to_owned(), retry_at: None }
}

fn steps() -> Vec<Step> {
    vec![
        Step { name: "claim".into(), after_ms: 0, took_ms: 3, result: "ok".into(), detail: None },
        Step {
            name: "token".into(),
            after_ms: 3,
            took_ms: u32::MAX,
            result: "provider_slow".into(),
            detail: Some("token endpoint".into()),
        },
    ]
}

async fn claimed(store: &dyn Store, claim: &NewClaim) {
    assert!(matches!(store.claim(claim).await.unwrap(), Claimed::Ours));
}

async fn claimed_before(store: &dyn Store, claim: &NewClaim) -> Attempt {
    let Claimed::Before(attempt) = store.claim(claim).await.unwrap() else { panic!("the claim was free") };
    *attempt
}

async fn state(store: &dyn Store, id: AttemptId) -> AttemptState {
    store.attempt(id).await.unwrap().expect("the attempt").state
}

const STALE: Duration = Duration::from_millis(7_500);
const FRESH: Duration = Duration::from_millis(3_000);

async fn claim_is_won_once(bench: &Bench) {
    let store = &*bench.store;
    assert!(store.attempt(claim_of(1, 1).id).await.unwrap().is_none());
    claimed(store, &claim_of(1, 1)).await;
    let other = NewClaim { code: CodeHash::of(b"another code"), browser: BrowserHash::of(b"x"), ..claim_of(1, 2) };
    let before = claimed_before(store, &other).await;
    assert_eq!(before.state, AttemptState::Running { stale: false });
    assert_eq!(before.code, claim_of(1, 1).code, "the first claim's, not the second's");
    assert_eq!(before.browser, claim_of(1, 1).browser);
    // The loser has no power over it.
    assert!(!store.renew(other.id, other.owner).await.unwrap());
    claimed(store, &claim_of(2, 2)).await;
}

async fn claim_with_its_answer_lost_is_recognised(bench: &Bench) {
    let store = &*bench.store;
    claimed(store, &claim_of(1, 1)).await;
    bench.raw.age_lease(claim_of(1, 1).id, STALE).await;
    claimed(store, &claim_of(1, 1)).await;
    assert_eq!(state(store, claim_of(1, 1).id).await, AttemptState::Running { stale: false }, "the lease begins anew");
    // Held for dead meanwhile: then it is not ours any more.
    bench.raw.age_lease(claim_of(1, 1).id, STALE).await;
    assert!(store.interrupt(claim_of(1, 1).id).await.unwrap());
    assert_eq!(claimed_before(store, &claim_of(1, 1)).await.state, AttemptState::Interrupted);
}

async fn claim_has_one_winner_among_many(bench: &Bench) {
    let outcomes = together((0..50).map(|owner| {
        let store = Arc::clone(&bench.store);
        async move { store.claim(&claim_of(1, owner)).await.unwrap() }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Claimed::Ours)).count(), 1);
}

async fn claim_after_the_end_tells_the_end(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &steps()).await.unwrap());
    for owner in [1, 2] {
        let before = claimed_before(store, &claim_of(1, owner)).await;
        assert_eq!(before.state, AttemptState::Verified { at: NOW, delivery: Some(b"sealed".to_vec()) });
        assert_eq!(before.steps, steps());
    }
}

async fn attempt_comes_back_as_it_went(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(9, 1);
    claimed(store, &claim).await;
    let verdict = Verdict::Failed { code: "provider_busy".into(), retry_at: Some(NOW) };
    assert!(store.settle(claim.id, claim.owner, &verdict, &steps()).await.unwrap());
    let by_id = store.attempt(claim.id).await.unwrap().unwrap();
    let by_reference = store.attempt_by_reference(&claim.id.reference()).await.unwrap().unwrap();
    for attempt in [by_id, by_reference] {
        assert_eq!(attempt.id, claim.id);
        assert_eq!(attempt.provider, claim.provider);
        assert_eq!(attempt.browser, claim.browser);
        assert_eq!(attempt.code, claim.code);
        assert_eq!(attempt.started, claim.started);
        assert_eq!(attempt.claimed, claim.claimed);
        assert_eq!(attempt.state, AttemptState::Failed { code: "provider_busy".into(), retry_at: Some(NOW) });
        assert_eq!(attempt.steps, steps());
    }
    assert!(store.attempt_by_reference(&Reference::of(b"another")).await.unwrap().is_none());
    assert!(store.attempt(AttemptId::new([8; 16])).await.unwrap().is_none());
}

async fn attempt_is_kept_for_a_week(bench: &Bench) {
    let store = &*bench.store;
    let week = KEPT;
    let old = NewClaim { claimed: now() - week - Duration::from_secs(1), ..claim_of(1, 1) };
    let young = NewClaim { claimed: now() - week + Duration::from_secs(60), ..claim_of(2, 1) };
    claimed(store, &old).await;
    claimed(store, &young).await;
    assert!(store.attempt(old.id).await.unwrap().is_none());
    assert!(store.attempt_by_reference(&old.id.reference()).await.unwrap().is_none());
    assert!(store.attempt(young.id).await.unwrap().is_some());
}

async fn settle_is_compare_and_set(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    let stranger = OwnerToken::new([2; 16]);
    assert!(!store.settle(claim.id, claim.owner, &verified(b"a"), &[]).await.unwrap(), "nothing to settle");
    claimed(store, &claim).await;
    assert!(!store.settle(claim.id, stranger, &verified(b"theirs"), &[]).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: false });
    assert!(store.settle(claim.id, claim.owner, &verified(b"ours"), &steps()).await.unwrap());
    // Its answer was lost, so it is said again.
    assert!(store.settle(claim.id, claim.owner, &verified(b"ours"), &steps()).await.unwrap());
    assert!(!store.settle(claim.id, claim.owner, &failed("x"), &[]).await.unwrap(), "another kind of verdict");
    assert!(!store.settle(claim.id, stranger, &verified(b"theirs"), &[]).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Verified { at: NOW, delivery: Some(b"ours".to_vec()) });
    // After it was interrupted nobody settles it.
    let claim = claim_of(2, 1);
    claimed(store, &claim).await;
    bench.raw.age_lease(claim.id, STALE).await;
    assert!(store.interrupt(claim.id).await.unwrap());
    assert!(!store.settle(claim.id, claim.owner, &verified(b"late"), &[]).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Interrupted);
}

async fn settle_again_does_not_reopen_delivery(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &[]).await.unwrap());
    store.close_delivery(claim.id).await.unwrap();
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &[]).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Verified { at: NOW, delivery: None });
}

async fn renew_needs_the_owner(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    assert!(!store.renew(claim.id, claim.owner).await.unwrap(), "nothing to renew");
    claimed(store, &claim).await;
    bench.raw.age_lease(claim.id, STALE).await;
    assert!(!store.renew(claim.id, OwnerToken::new([2; 16])).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: true });
    assert!(store.renew(claim.id, claim.owner).await.unwrap());
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: false });
    assert!(store.settle(claim.id, claim.owner, &failed("x"), &[]).await.unwrap());
    assert!(!store.renew(claim.id, claim.owner).await.unwrap());
}

async fn interrupt_only_when_stale(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    assert!(!store.interrupt(claim.id).await.unwrap(), "nothing to interrupt");
    claimed(store, &claim).await;
    assert!(!store.interrupt(claim.id).await.unwrap());
    bench.raw.age_lease(claim.id, FRESH).await;
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: false });
    assert!(!store.interrupt(claim.id).await.unwrap());
    bench.raw.age_lease(claim.id, STALE).await;
    assert_eq!(state(store, claim.id).await, AttemptState::Running { stale: true });
    let outcomes = together((0..10).map(|_| {
        let store = Arc::clone(&bench.store);
        async move { store.interrupt(claim_of(1, 1).id).await.unwrap() }
    }))
    .await;
    assert_eq!(outcomes.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(state(store, claim.id).await, AttemptState::Interrupted);
    assert!(!store.renew(claim.id, claim.owner).await.unwrap());
    // What has ended is not interrupted, however old its lease.
    let claim = claim_of(2, 1);
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &failed("x"), &[]).await.unwrap());
    bench.raw.age_lease(claim.id, STALE).await;
    assert!(!store.interrupt(claim.id).await.unwrap());
}

async fn delivery_is_wiped(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    store.close_delivery(claim.id).await.unwrap();
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &steps()).await.unwrap());
    for _ in 0..2 {
        store.close_delivery(claim.id).await.unwrap();
        let attempt = store.attempt(claim.id).await.unwrap().unwrap();
        assert_eq!(attempt.state, AttemptState::Verified { at: NOW, delivery: None });
        assert_eq!(attempt.steps, steps(), "the trace stays");
    }
}

// --- users ---

fn person(subject: &str) -> Person {
    Person {
        issuer: Issuer::new(ISSUER),
        subject: Subject::new(subject).unwrap(),
        discovery_url: DISCOVERY.to_owned(),
        profile: Profile::default(),
        role: None,
        now: NOW,
    }
}

fn new_user(subject: &str, username: &str) -> NewUser {
    NewUser { person: person(subject), username: username.to_owned(), role: Role::User }
}

async fn created(store: &dyn Store, user: &NewUser) -> User {
    let Created::New(user) = store.create_user(user).await.unwrap() else { panic!("not new") };
    user
}

async fn signed_in(store: &dyn Store, person: &Person) -> User {
    store.sign_in_user(person).await.unwrap().expect("a known user")
}

/// As `accounts` does it: signs in, or creates, with another name if it is taken.
async fn sign_in_or_create(store: &dyn Store, subject: &str, username: &str) -> User {
    for suffix in ["", "-2", "-3", "-4", "-5", "-6", "-7", "-8", "-9", "-10", "-11"] {
        if let Some(user) = store.sign_in_user(&person(subject)).await.unwrap() {
            return user;
        }
        match store.create_user(&new_user(subject, &format!("{username}{suffix}"))).await.unwrap() {
            Created::New(user) => return user,
            Created::Exists => return signed_in(store, &person(subject)).await,
            Created::UsernameTaken => {}
        }
    }
    panic!("no name left");
}

async fn new_user_has_what_claudelens_reads(bench: &Bench) {
    let profile = Profile {
        email: Some("ada@example.com".into()),
        email_verified: Some(true),
        full_name: Some("Ada Example".into()),
    };
    let mut user = new_user("s-1", "Ada");
    user.person.profile = profile;
    user.role = Role::Admin;
    let user = created(&*bench.store, &user).await;
    assert_eq!(user.id.as_str().len(), 24);
    let expected = User {
        id: user.id.clone(),
        username: "Ada".into(),
        email: Some("ada@example.com".into()),
        full_name: Some("Ada Example".into()),
        role: Role::Admin,
        active: true,
    };
    assert_eq!(user, expected);
    assert_eq!(bench.store.user(&user.id).await.unwrap(), Some(expected.clone()));
    assert_eq!(signed_in(&*bench.store, &person("s-1")).await, expected);
    let fields = bench.raw.fields(&user.id).await;
    for (name, text) in [
        ("username", "Ada"),
        ("email", "ada@example.com"),
        ("full_name", "Ada Example"),
        ("role", "admin"),
        ("auth_method", "oidc"),
        ("oidc_sub", "s-1"),
        ("oidc_provider", DISCOVERY),
        ("issuer", ISSUER),
        ("subject", "s-1"),
    ] {
        assert_eq!(fields[name].as_str(), Some(text), "{name}");
    }
    for name in ["is_active", "email_verified", "created_at", "updated_at", "last_login"] {
        let value = &fields[name];
        match name {
            "is_active" | "email_verified" => {
                assert!(matches!(value, Bson::Boolean(true) | Bson::Int64(1)), "{name}: {value}");
            }
            _ => {
                let millis = value.as_datetime().map_or_else(|| value.as_i64(), |date| Some(date.timestamp_millis()));
                assert_eq!(millis, Some(1_795_428_000_123), "{name}: {value}");
            }
        }
    }
    assert!(bench.store.user(&UserId::new("not an id")).await.unwrap().is_none());
    assert!(bench.store.user(&UserId::new(ObjectId::new().to_hex())).await.unwrap().is_none());
}

async fn sign_in_refreshes_what_is_claimed(bench: &Bench) {
    let store = &*bench.store;
    assert!(store.sign_in_user(&person("s-1")).await.unwrap().is_none());
    let id = created(store, &new_user("s-1", "ada")).await.id;
    let mut claims = person("s-1");
    claims.profile.email = Some("ada@example.com".into());
    claims.profile.email_verified = Some(true);
    claims.profile.full_name = Some("Ada".into());
    claims.role = Some(Role::Admin);
    claims.now = NOW + Duration::from_secs(60);
    let user = signed_in(store, &claims).await;
    assert_eq!((user.email.as_deref(), user.full_name.as_deref()), (Some("ada@example.com"), Some("Ada")));
    assert_eq!(user.role, Role::Admin);
    let before = bench.raw.fields(&id).await;
    // Nothing claimed, nothing changed but the times.
    let again = signed_in(store, &Person { now: NOW + Duration::from_secs(120), ..person("s-1") }).await;
    assert_eq!(again, user);
    let mut after = bench.raw.fields(&id).await;
    for time in ["last_login", "updated_at"] {
        assert_ne!(after.insert(time.to_owned(), before[time].clone()).as_ref(), Some(&before[time]), "{time}");
    }
    assert_eq!(after, before);
}

async fn many_first_sign_ins_make_one_user(bench: &Bench) {
    let users = together((0..20).map(|_| {
        let store = Arc::clone(&bench.store);
        async move { sign_in_or_create(&*store, "s-1", "ada").await }
    }))
    .await;
    assert!(users.iter().all(|user| user.id == users[0].id));
    assert_eq!(bench.raw.count_users().await, 1);
}

async fn one_username_for_one_of_many(bench: &Bench) {
    let users = together((0..8).map(|number| {
        let store = Arc::clone(&bench.store);
        // In turn "ada" and "Ada": one name.
        let name = if number % 2 == 0 { "ada" } else { "Ada" };
        async move { sign_in_or_create(&*store, &format!("s-{number}"), name).await }
    }))
    .await;
    let names: std::collections::BTreeSet<_> = users.iter().map(|user| user.username.to_lowercase()).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(bench.raw.count_users().await, 8);
}

async fn username_is_taken_without_regard_to_case(bench: &Bench) {
    let store = &*bench.store;
    bench.raw.insert_user(doc! { "username": "Ada.L" }).await;
    bench.raw.insert_user(doc! { "username": "ÉMILE" }).await;
    created(store, &new_user("s-1", "Grace")).await;
    for taken in ["ada.l", "ADA.L", "grace", "émile"] {
        let outcome = store.create_user(&new_user("s-2", taken)).await.unwrap();
        assert!(matches!(outcome, Created::UsernameTaken), "{taken}");
    }
    // A name is not a pattern, and who is known is told so first.
    created(store, &new_user("s-2", "ada_l")).await;
    created(store, &new_user("s-3", ".*")).await;
    assert!(matches!(store.create_user(&new_user("s-1", "grace")).await.unwrap(), Created::Exists));
    assert!(matches!(store.create_user(&new_user("s-1", "free")).await.unwrap(), Created::Exists));
}

async fn same_subject_at_two_issuers_is_two_users(bench: &Bench) {
    let store = &*bench.store;
    let first = created(store, &new_user("s-1", "ada")).await;
    for (number, issuer) in
        ["https://other.example.com", "https://id.example.com/", "https://ID.example.com"].iter().enumerate()
    {
        let mut elsewhere = new_user("s-1", &format!("other-{number}"));
        elsewhere.person.issuer = Issuer::new(*issuer);
        elsewhere.person.discovery_url = format!("{issuer}#{number}");
        assert!(store.sign_in_user(&elsewhere.person).await.unwrap().is_none(), "{issuer}");
        assert_ne!(created(store, &elsewhere).await.id, first.id);
    }
    assert_eq!(signed_in(store, &person("s-1")).await.id, first.id);
    assert!(store.sign_in_user(&person("S-1")).await.unwrap().is_none(), "subjects are compared byte for byte");
}

/// As ClaudeLens writes a user, with what we know nothing of.
fn older_user(provider: &str) -> Document {
    doc! {
        "username": "Ada",
        "email": "old@example.com",
        "role": "admin",
        "auth_method": "oidc",
        "oidc_sub": "s-1",
        "oidc_provider": provider,
        "api_keys": [{ "key_hash": "00ff", "name": "laptop", "active": true }],
        "message_count": 12_i64,
        "nested": { "a.b": 1, "list": [1, "$x"] },
    }
}

async fn adopt(bench: &Bench, provider: &str) {
    let store = &*bench.store;
    let id = bench.raw.insert_user(older_user(provider)).await;
    let mut before = bench.raw.fields(&id).await;
    let mut claims = person("s-1");
    claims.profile.full_name = Some("Ada Example".into());
    for _ in 0..2 {
        let user = signed_in(store, &claims).await;
        assert_eq!(user.id, id);
        assert_eq!(user.username, "Ada");
        assert_eq!(user.email.as_deref(), Some("old@example.com"));
        assert_eq!(user.role, Role::Admin);
    }
    let mut after = bench.raw.fields(&id).await;
    assert_eq!(after.remove("issuer").unwrap().as_str(), Some(ISSUER));
    assert_eq!(after.remove("subject").unwrap().as_str(), Some("s-1"));
    assert_eq!(after.remove("full_name").unwrap().as_str(), Some("Ada Example"));
    for time in ["last_login", "updated_at"] {
        assert!(after.remove(time).is_some(), "{time}");
        before.remove(time);
    }
    assert_eq!(after, before, "all else as it was");
    assert_eq!(bench.raw.count_users().await, 1);
}

async fn older_user_is_adopted_by_discovery_url(bench: &Bench) {
    adopt(bench, DISCOVERY).await;
}

async fn older_user_is_adopted_by_issuer(bench: &Bench) {
    adopt(bench, ISSUER).await;
}

async fn older_user_is_adopted_once_by_many(bench: &Bench) {
    let id = bench.raw.insert_user(older_user(DISCOVERY)).await;
    let users = together((0..20).map(|_| {
        let store = Arc::clone(&bench.store);
        async move { sign_in_or_create(&*store, "s-1", "ada").await }
    }))
    .await;
    assert!(users.iter().all(|user| user.id == id));
    assert_eq!(bench.raw.count_users().await, 1);
}

async fn older_user_of_another_provider_is_not_adopted(bench: &Bench) {
    bench.raw.insert_user(older_user("https://other.example.com/.well-known/openid-configuration")).await;
    assert!(bench.store.sign_in_user(&person("s-1")).await.unwrap().is_none());
    assert!(bench.store.sign_in_user(&person("s-2")).await.unwrap().is_none());
}

async fn of_two_older_users_the_first_is_adopted(bench: &Bench) {
    let first = bench.raw.insert_user(older_user(DISCOVERY)).await;
    let second =
        bench.raw.insert_user(doc! { "username": "ada-2", "oidc_sub": "s-1", "oidc_provider": DISCOVERY }).await;
    let users = together((0..10).map(|_| {
        let store = Arc::clone(&bench.store);
        async move { signed_in(&*store, &person("s-1")).await }
    }))
    .await;
    assert!(users.iter().all(|user| user.id == first));
    assert!(!bench.raw.fields(&second).await.contains_key("issuer"));
}

async fn inactive_user_is_left_alone(bench: &Bench) {
    let store = &*bench.store;
    let id = created(store, &new_user("s-1", "ada")).await.id;
    match &bench.raw {
        Raw::Mongo { .. } => {
            bench.raw.users().update_one(doc! {}, doc! { "$set": { "is_active": false } }).await.unwrap();
        }
        Raw::Sqlite { pool, .. } => {
            sqlx::query("UPDATE users SET is_active = 0").execute(pool).await.unwrap();
        }
    }
    left_alone(bench, &id).await;
    assert!(matches!(store.create_user(&new_user("s-1", "free")).await.unwrap(), Created::Exists));
}

async fn inactive_older_user_is_left_alone(bench: &Bench) {
    let mut user = older_user(DISCOVERY);
    user.insert("is_active", false);
    let id = bench.raw.insert_user(user).await;
    left_alone(bench, &id).await;
}

async fn left_alone(bench: &Bench, id: &UserId) {
    let before = bench.raw.fields(id).await;
    let mut claims = person("s-1");
    claims.profile.email = Some("new@example.com".into());
    claims.role = Some(Role::Admin);
    claims.now = NOW + Duration::from_secs(60);
    let user = signed_in(&*bench.store, &claims).await;
    assert_eq!((&user.id, user.active), (id, false));
    assert_eq!(bench.raw.fields(id).await, before);
    assert!(!bench.store.user(id).await.unwrap().unwrap().active);
}

async fn unknown_role_gives_no_power(bench: &Bench) {
    for (number, role) in ["superuser", "Admin", ""].iter().enumerate() {
        let id = bench.raw.insert_user(doc! { "username": format!("u{number}"), "role": *role }).await;
        assert_eq!(bench.store.user(&id).await.unwrap().unwrap().role, Role::User);
    }
    let id = bench.raw.insert_user(doc! { "username": "none" }).await;
    let user = bench.store.user(&id).await.unwrap().unwrap();
    assert_eq!((user.role, user.active), (Role::User, true));
}

// --- sessions ---

fn session_of(id: &[u8]) -> SessionRecord {
    SessionRecord {
        id: SessionHash::of(id),
        browser: Some(BrowserHash::of(b"browser")),
        user: UserId::new("0123456789abcdef01234567"),
        issuer: Issuer::new(ISSUER),
        provider: ProviderId::new("authelia"),
        created: now(),
        last_seen: now() + Duration::from_millis(1),
        expires: now() + Duration::from_secs(3_600),
        delivered_by: Some(AttemptId::new([7; 16])),
    }
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

async fn expired_session_is_not_judged(bench: &Bench) {
    // A second ago: what ended less than a minute ago is not removed yet.
    let session = SessionRecord { expires: now() - Duration::from_secs(1), ..session_of(b"a") };
    assert!(bench.store.create_session(&session).await.unwrap());
    assert_eq!(bench.store.session(session.id).await.unwrap(), Some(session));
}

// --- everything ---

async fn hostile_text_is_text(bench: &Bench) {
    let store = &*bench.store;
    let long = "x".repeat(100_000);
    let hostile =
        [r#"{"$ne":1}"#, "$username", "$$ROOT", "a\0b", "'; DROP TABLE users; --", "\u{202e}%_\\", &long, "a.b", ""];
    created(store, &new_user("s-0", "first")).await;
    for (number, text) in hostile.into_iter().enumerate() {
        let subject: String = text.chars().filter(char::is_ascii_graphic).take(200).chain(['!']).collect();
        let mut user = new_user(&subject, &format!("{text}#{number}"));
        user.person.issuer = Issuer::new(format!("{ISSUER}/{text}"));
        user.person.discovery_url = text.to_owned();
        user.person.profile =
            Profile { email: Some(text.to_owned()), email_verified: Some(false), full_name: Some(text.to_owned()) };
        assert!(store.sign_in_user(&user.person).await.unwrap().is_none(), "{number}");
        let made = created(store, &user).await;
        let found = signed_in(store, &user.person).await;
        assert_eq!(found, made);
        assert_eq!(found.username, user.username);
        assert_eq!(found.email.as_deref(), Some(text));
        assert_eq!(found.full_name.as_deref(), Some(text));
        assert!(store.user(&UserId::new(text)).await.unwrap().is_none());

        let session = SessionRecord {
            user: UserId::new(text),
            issuer: Issuer::new(text),
            provider: ProviderId::new(text),
            ..session_of(text.as_bytes())
        };
        assert!(store.create_session(&session).await.unwrap());
        assert_eq!(store.session(session.id).await.unwrap(), Some(session));

        let claim = NewClaim { provider: ProviderId::new(text), ..claim_of(u8::try_from(number).unwrap(), 1) };
        claimed(store, &claim).await;
        let steps = [Step {
            name: text.to_owned(),
            after_ms: 0,
            took_ms: 0,
            result: text.to_owned(),
            detail: Some(text.to_owned()),
        }];
        assert!(store.settle(claim.id, claim.owner, &failed(text), &steps).await.unwrap());
        let attempt = store.attempt(claim.id).await.unwrap().unwrap();
        assert_eq!(attempt.provider.as_str(), text);
        assert_eq!(attempt.state, AttemptState::Failed { code: text.to_owned(), retry_at: None });
        assert_eq!(attempt.steps, steps);
    }
    assert_eq!(signed_in(store, &person("s-0")).await.username, "first");
    assert_eq!(bench.raw.count_users().await, 10);
}

async fn reopening_keeps_everything(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &steps()).await.unwrap());
    let user = created(store, &new_user("s-1", "ada")).await;
    let session = session_of(b"a");
    assert!(store.create_session(&session).await.unwrap());

    let again = bench.raw.open().await;
    assert_eq!(state(&*again, claim.id).await, AttemptState::Verified { at: NOW, delivery: Some(b"sealed".to_vec()) });
    assert_eq!(signed_in(&*again, &person("s-1")).await, user);
    assert_eq!(again.session(session.id).await.unwrap(), Some(session));
}

async fn two_processes_agree(bench: &Bench) {
    let stores = [Arc::clone(&bench.store), bench.raw.open().await];
    let outcomes = together((0..40).map(|number| {
        let store = Arc::clone(&stores[number % 2]);
        async move {
            let owner = u8::try_from(number).unwrap();
            let user = sign_in_or_create(&*store, &format!("s-{}", number / 4), "ada").await;
            let ours = matches!(store.claim(&claim_of(1, owner)).await.unwrap(), Claimed::Ours);
            let inserted = store.create_session(&session_of(b"one")).await.unwrap();
            (user.id, ours, inserted)
        }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.1).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.2).count(), 1);
    assert_eq!(bench.raw.count_users().await, 10);
    // What one does the other sees at once.
    stores[0].delete_session(session_of(b"one").id).await.unwrap();
    assert_eq!(stores[1].session(session_of(b"one").id).await.unwrap(), None);
}

async fn healthy_store_has_nothing_to_tell(bench: &Bench) {
    created(&*bench.store, &new_user("s-1", "ada")).await;
    assert_eq!(bench.store.ready().await.unwrap(), Vec::<String>::new());
}

/// Runs them all at once.
async fn together<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for task in running {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// Asks until the answer is there.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

// --- MongoDB alone ---

async fn index_names(database: &mongodb::Database, collection: &str) -> Vec<String> {
    database.collection::<Document>(collection).list_index_names().await.unwrap_or_default()
}

async fn has_all_indexes(database: &mongodb::Database) -> bool {
    let (users, attempts, sessions) = (
        index_names(database, "users").await,
        index_names(database, "login_attempts").await,
        index_names(database, "login_sessions").await,
    );
    users.len() == 4 && attempts.len() == 4 && sessions.len() == 3
}

#[tokio::test]
async fn mongo_makes_its_indexes_and_leaves_sessions_alone() {
    let bench = Bench::mongo().await;
    let database = bench.raw.database();
    let conversations = database.collection::<Document>("sessions");
    conversations
        .insert_one(doc! { "_id": 1, "expires_at": bson::DateTime::from_millis(0), "issuer": 1 })
        .await
        .unwrap();
    eventually("indexes", async || has_all_indexes(database).await.then_some(())).await;
    for collection in ["login_attempts", "login_sessions"] {
        let mut indexes = database.collection::<Document>(collection).list_indexes().await.unwrap();
        let mut expiry = None;
        while indexes.advance().await.unwrap() {
            let index = indexes.deserialize_current().unwrap();
            if index.keys == doc! { "expires_at": 1 } {
                expiry = index.options.and_then(|options| options.expire_after);
            }
        }
        assert_eq!(expiry, Some(Duration::ZERO), "{collection}");
    }
    assert!(bench.store.create_session(&session_of(b"a")).await.unwrap());
    bench.store.delete_session(session_of(b"a").id).await.unwrap();
    assert_eq!(index_names(database, "sessions").await, ["_id_"]);
    let left = conversations.find_one(doc! {}).await.unwrap().unwrap();
    assert_eq!(left, doc! { "_id": 1, "expires_at": bson::DateTime::from_millis(0), "issuer": 1 });
    database.drop().await.unwrap();
}

#[tokio::test]
async fn mongo_writes_dates_where_the_expiry_index_looks() {
    let bench = Bench::mongo().await;
    let session = session_of(b"a");
    assert!(bench.store.create_session(&session).await.unwrap());
    claimed(&*bench.store, &claim_of(1, 1)).await;
    for collection in ["login_sessions", "login_attempts"] {
        let stored = bench.raw.database().collection::<Document>(collection).find_one(doc! {}).await.unwrap().unwrap();
        assert!(stored.get_datetime("expires_at").is_ok(), "{collection}");
        assert!(stored.get_binary_generic("_id").is_ok(), "{collection}");
    }
    bench.raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn mongo_duplicates_are_told_and_keep_nobody_out() {
    let server = mongo::server().await;
    let database = Client::with_uri_str(server.uri()).await.unwrap().database(&mongo::database_name());
    let raw = Raw::Mongo { uri: server.uri().to_owned(), database };
    let twice = doc! { "issuer": ISSUER, "subject": "s-1", "username": "ada" };
    let first = raw.insert_user(twice.clone()).await;
    let second = raw.insert_user(twice).await;
    let store = raw.open().await;
    // One of the two, always the same.
    for _ in 0..3 {
        assert_eq!(signed_in(&*store, &person("s-1")).await.id, first);
    }
    created(&*store, &new_user("s-2", "grace")).await;
    let problems = eventually("a problem told", async || {
        let problems = store.ready().await.unwrap();
        (!problems.is_empty()).then_some(problems)
    })
    .await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    for part in [first.as_str(), second.as_str(), "issuer", "subject", "users"] {
        assert!(problems[0].contains(part), "{part}: {problems:?}");
    }
    // The others were made all the same.
    assert_eq!(index_names(raw.database(), "users").await.len(), 3);
    // Mended, and a new process finds nothing to tell.
    raw.users()
        .update_one(
            doc! { "_id": ObjectId::parse_str(second.as_str()).unwrap() },
            doc! { "$unset": { "issuer": "", "subject": "" } },
        )
        .await
        .unwrap();
    let store = raw.open().await;
    eventually("indexes", async || has_all_indexes(raw.database()).await.then_some(())).await;
    assert_eq!(store.ready().await.unwrap(), Vec::<String>::new());
    raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn mongo_ill_typed_fields_keep_nobody_out() {
    let bench = Bench::mongo().await;
    let odd = doc! {
        "issuer": ISSUER, "subject": "s-1",
        "username": 7, "email": ["a"], "role": { "admin": true }, "full_name": Bson::Null, "is_active": "yes",
        "created_at": "long ago",
    };
    let id = bench.raw.insert_user(odd).await;
    let user = signed_in(&*bench.store, &person("s-1")).await;
    let expected = User { id, username: String::new(), email: None, full_name: None, role: Role::User, active: true };
    assert_eq!(user, expected);
    bench.raw.database().drop().await.unwrap();
}

/// A way to the server that notes the command of each request (an `OP_MSG`, whose body begins with its name).
mod wiretap {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
        sync::{Arc, Mutex},
        thread,
    };

    /// Connects; notes every command but those by which the driver watches the server.
    pub(crate) fn to(server: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let noted = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&noted);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let upstream = TcpStream::connect(server).unwrap();
                let (mut back, mut to) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut back, &mut to));
                let notes = Arc::clone(&notes);
                thread::spawn(move || forward(client, upstream, &notes));
            }
        });
        (address, noted)
    }

    fn forward(mut client: TcpStream, mut upstream: TcpStream, notes: &Mutex<Vec<String>>) {
        let mut length = [0; 4];
        while client.read_exact(&mut length).is_ok() {
            let mut message = length.to_vec();
            message.resize(usize::try_from(i32::from_le_bytes(length)).unwrap(), 0);
            client.read_exact(&mut message[4..]).unwrap();
            if message[12..16] == 2013_i32.to_le_bytes() {
                // Header 16, flags 4, kind 1, document length 4, type 1.
                let name: Vec<u8> = message[26..].iter().copied().take_while(|byte| *byte != 0).collect();
                let name = String::from_utf8(name).unwrap();
                if !matches!(name.as_str(), "hello" | "isMaster" | "ismaster" | "ping") {
                    notes.lock().unwrap().push(name);
                }
            }
            upstream.write_all(&message).unwrap();
        }
    }
}

#[tokio::test]
async fn mongo_warm_sign_in_takes_four_requests() {
    let server = mongo::Server::start_own().await;
    let address = server.uri().trim_start_matches("mongodb://").trim_end_matches('/').parse().unwrap();
    let (address, requests) = wiretap::to(address);
    let bench = Bench::mongo_at(&format!("mongodb://{address}/")).await;
    let store = &*bench.store;
    created(store, &new_user("s-1", "ada")).await;
    eventually("indexes", async || has_all_indexes(bench.raw.database()).await.then_some(())).await;
    requests.lock().unwrap().clear();

    let claim = claim_of(1, 1);
    claimed(store, &claim).await;
    signed_in(store, &person("s-1")).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &steps()).await.unwrap());
    assert!(store.create_session(&session_of(b"a")).await.unwrap());
    assert_eq!(*requests.lock().unwrap(), ["update", "findAndModify", "update", "insert"]);
}

#[tokio::test]
async fn mongo_unreachable_is_unavailable_and_comes_back() {
    let server = mongo::Server::start_own().await;
    let bench = Bench::mongo_at(server.uri()).await;
    server.stop();

    let began = Instant::now();
    let store = bench.raw.open().await;
    assert!(began.elapsed() < Duration::from_secs(1), "open waits for nothing");
    for answer in [
        store.ready().await.map(drop),
        store.claim(&claim_of(1, 1)).await.map(drop),
        store.sign_in_user(&person("s-1")).await.map(drop),
    ] {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(9), "three times 3 s at most");

    server.start().await;
    eventually("ready", async || store.ready().await.ok()).await;
    claimed(&*store, &claim_of(1, 1)).await;
    created(&*store, &new_user("s-1", "ada")).await;
    eventually("indexes", async || has_all_indexes(bench.raw.database()).await.then_some(())).await;
}

#[tokio::test]
async fn mongo_that_hangs_is_unavailable_in_time() {
    let server = mongo::Server::start_own().await;
    let bench = Bench::mongo_at(server.uri()).await;
    claimed(&*bench.store, &claim_of(1, 1)).await;
    server.pause();
    let began = Instant::now();
    let answer = bench.store.renew(claim_of(1, 1).id, claim_of(1, 1).owner).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(7));
    server.resume();
    eventually("goes on", async || bench.store.renew(claim_of(1, 1).id, claim_of(1, 1).owner).await.ok()).await;
}

#[tokio::test]
async fn mongo_errors_keep_the_password() {
    const PASSWORD: &str = "tr0ub4dor";
    for uri in [
        format!("mongodb://vestibule:{PASSWORD}@127.0.0.1:1/"),
        format!("mongodb://vestibule:{PASSWORD}@127.0.0.1:notaport/"),
        format!("mongodb://vestibule:{PASSWORD}@127.0.0.1:1/?connectTimeoutMS=x"),
        format!("mongodb+srv://vestibule:{PASSWORD}@nowhere.test/"),
        format!("postgres://vestibule:{PASSWORD}@127.0.0.1/"),
    ] {
        let settings = Database::Mongo { uri: SecretString::from(uri.clone()), name: "x".into() };
        let error = match store::open(&settings).await {
            Ok(store) => store.ready().await.unwrap_err(),
            Err(error) => error,
        };
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains(PASSWORD) && !text.contains("vestibule:"), "{uri}: {text}");
        }
    }
}

// --- SQLite alone ---

#[cfg(unix)]
#[tokio::test]
async fn sqlite_file_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::sqlite().await;
    claimed(&*bench.store, &claim_of(1, 1)).await;
    let Raw::Sqlite { path, .. } = &bench.raw else { unreachable!() };
    let files: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 2, "the file and its log: {files:?}");
    for file in files {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn sqlite_removes_what_has_expired() {
    let bench = Bench::sqlite().await;
    let old = NewClaim { claimed: now() - KEPT - Duration::from_secs(1), ..claim_of(1, 1) };
    claimed(&*bench.store, &old).await;
    claimed(&*bench.store, &claim_of(2, 1)).await;
    let gone = SessionRecord { expires: now() - Duration::from_secs(90), ..session_of(b"a") };
    assert!(bench.store.create_session(&gone).await.unwrap());
    assert!(bench.store.create_session(&session_of(b"b")).await.unwrap());
    // It does so when it is opened, and once a minute.
    let _again = bench.raw.open().await;
    eventually("removed", async || {
        let left = "SELECT (SELECT count(*) FROM login_attempts) + (SELECT count(*) FROM login_sessions)";
        let left: i64 = sqlx::query_scalar(left).fetch_one(bench.raw.pool()).await.unwrap();
        (left == 2).then_some(())
    })
    .await;
    assert!(bench.store.session(session_of(b"b").id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_opened_by_many_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("vestibule.db");
    let stores = together((0..8).map(|_| {
        let path = path.clone();
        async move { store::open(&Database::Sqlite { path }).await.unwrap() }
    }))
    .await;
    let outcomes =
        together(
            (0..48).map(|number| {
                let store = Arc::clone(&stores[number % 8]);
                async move {
                    matches!(store.claim(&claim_of(1, u8::try_from(number).unwrap())).await.unwrap(), Claimed::Ours)
                }
            }),
        )
        .await;
    assert_eq!(outcomes.into_iter().filter(|ours| *ours).count(), 1);
}

#[tokio::test]
async fn sqlite_that_cannot_be_opened_says_why() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing/vestibule.db");
    let error = store::open(&Database::Sqlite { path: missing.clone() }).await.err().unwrap();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains(missing.to_str().unwrap())), "{error}");

    let other = folder.path().join("other.db");
    std::fs::write(&other, "This is no database, but it is long enough to be looked at as one. ".repeat(100)).unwrap();
    let error = store::open(&Database::Sqlite { path: other }).await.err().unwrap();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("not a database")), "{error}");

    let newer = Bench::sqlite().await;
    sqlx::query(
        "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
    )
    .execute(newer.raw.pool())
    .await
    .unwrap();
    let Raw::Sqlite { path, .. } = &newer.raw else { unreachable!() };
    let error = store::open(&Database::Sqlite { path: path.clone() }).await.err().unwrap();
    assert!(matches!(&error, StoreError::Unreadable(text) if text.contains("newer version")), "{error}");
}

#[tokio::test]
async fn sqlite_locked_by_another_is_unavailable_in_time() {
    let bench = Bench::sqlite().await;
    let lock = bench.raw.pool().begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let began = Instant::now();
    let (claim, ready) = (claim_of(1, 1), bench.store.ready());
    let (answer, ready) = tokio::join!(bench.store.claim(&claim), ready);
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(matches!(ready, Err(StoreError::Unavailable(_))), "{ready:?}");
    assert!(began.elapsed() < Duration::from_secs(7));
    lock.rollback().await.unwrap();
    claimed(&*bench.store, &claim_of(1, 1)).await;
}
