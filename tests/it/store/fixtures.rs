//! What the tests of the stores begin with, and how they wait.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use time::{OffsetDateTime, macros::datetime};
use vestibule::server::{
    attempt::{AttemptState, Verdict},
    ids::{AttemptId, BrowserHash, CodeHash, Issuer, OwnerToken, ProviderId, SessionHash, Subject, UserId},
    store::{
        Attempt, Claimed, Created, NewClaim, NewUser, Person, Profile, Role, SessionFacts, SessionRecord, Store, User,
    },
    trace::Step,
};

pub(super) const ISSUER: &str = "https://id.example.com";
pub(super) const DISCOVERY: &str = "https://id.example.com/.well-known/openid-configuration";
pub(super) const NOW: OffsetDateTime = datetime!(2026-11-23 10:00:00.123 UTC);

/// One test for each case and store.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => { $(
        mod $case {
            use crate::support::bench::Bench;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mongo() {
                Bench::mongo().await.run(super::$case).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                Bench::sqlite().await.run(super::$case).await;
            }
        }
    )* };
}

pub(super) use on_both;

pub(super) fn claim_of(id: u8, owner: u8) -> NewClaim {
    NewClaim {
        id: AttemptId::new([id; 16]),
        owner: OwnerToken::new([owner; 16]),
        provider: ProviderId::new("authelia"),
        browser: BrowserHash::of(b"browser"),
        code: CodeHash::of(b"code"),
        session: SessionHash::of(&[id]),
        started: now() - Duration::from_secs(20),
        claimed: now(),
    }
}

/// Attempts expire by the store's clock, so theirs is the real one.
pub(super) fn now() -> OffsetDateTime {
    use vestibule::server::clock::System;
    System::real().now()
}

pub(super) fn verified(delivery: &[u8]) -> Verdict {
    Verdict::Verified { at: NOW, delivery: delivery.to_vec() }
}

pub(super) fn failed(code: &str) -> Verdict {
    Verdict::Failed { code: code.to_owned(), retry_at: None }
}

pub(super) fn steps() -> Vec<Step> {
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

pub(super) async fn claimed(store: &dyn Store, claim: &NewClaim) {
    assert!(matches!(store.claim(claim).await.unwrap(), Claimed::Ours));
}

pub(super) async fn claimed_before(store: &dyn Store, claim: &NewClaim) -> Attempt {
    let Claimed::Before(attempt) = store.claim(claim).await.unwrap() else { panic!("the claim was free") };
    *attempt
}

pub(super) async fn state(store: &dyn Store, id: AttemptId) -> AttemptState {
    store.attempt(id).await.unwrap().expect("the attempt").state
}

pub(super) const STALE: Duration = Duration::from_millis(7_500);
pub(super) const FRESH: Duration = Duration::from_millis(3_000);

pub(super) fn person(subject: &str) -> Person {
    Person {
        issuer: Issuer::new(ISSUER),
        subject: Subject::new(subject).unwrap(),
        discovery_url: DISCOVERY.to_owned(),
        profile: Profile::default(),
        role: None,
        for_claudelens: false,
        now: NOW,
    }
}

pub(super) fn new_user(subject: &str, username: &str) -> NewUser {
    NewUser { person: person(subject), usernames: vec![username.to_owned()], role: Role::User }
}

pub(super) async fn created(store: &dyn Store, user: &NewUser) -> User {
    let Created::New(user) = store.create_user(user).await.unwrap() else { panic!("not new") };
    user
}

pub(super) async fn signed_in(store: &dyn Store, person: &Person) -> User {
    store.sign_in_user(person).await.unwrap().expect("a known user")
}

/// As `accounts` does it: signs in, or creates, with another name if it is taken.
pub(super) async fn sign_in_or_create(store: &dyn Store, subject: &str, username: &str) -> User {
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

pub(super) fn session_of(id: &[u8]) -> SessionRecord {
    SessionRecord {
        id: SessionHash::of(id),
        browser: Some(BrowserHash::of(b"browser")),
        user: UserId::new("0123456789abcdef01234567"),
        issuer: Issuer::new(ISSUER),
        provider: ProviderId::new("authelia"),
        begun: now() - Duration::from_secs(2),
        created: now(),
        confirmed: now(),
        rechecked: Some(now() + Duration::from_millis(3)),
        last_seen: now() + Duration::from_millis(1),
        expires: now() + Duration::from_secs(3_600),
        delivered_by: Some(AttemptId::new([7; 16])),
        facts: SessionFacts {
            subject: Subject::new("s-1"),
            sid: Some("their session".into()),
            groups: vec!["staff".into(), "admins".into()],
            auth_time: Some(datetime!(2026-11-23 09:59:00 UTC)),
            acr: Some("urn:example:two-factor".into()),
            amr: vec!["pwd".into(), "otp".into()],
            issued: Some(datetime!(2026-11-23 10:00:00 UTC)),
        },
        id_token: Some(b"sealed".to_vec()),
    }
}

/// Runs them all at once.
pub(super) async fn together<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for task in running {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// Repeats the check until it succeeds.
pub(super) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
