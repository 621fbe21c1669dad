//! A store of sessions that fails, hangs and counts on request. Of attempts it knows that they are closed.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicU64},
};

use async_trait::async_trait;
use time::{OffsetDateTime, macros::datetime};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::sleep,
};

use super::*;
use crate::server::{
    attempt::Verdict,
    clock::Clock,
    ids::{AttemptId, BrowserHash, Issuer, LogoutHash, OwnerToken, ProviderId, Reference, Subject, UserId},
    store::{
        Attempt, AttemptStore, ChangeStore, Changed, Changes, Claimed, Created, LoggedOut, Logout, LogoutStore,
        NewClaim, NewUser, Person, Readiness, Role, SessionFacts, SessionRecord, SessionStore, User, UserStore,
    },
    trace::Step,
};

/// What a method does besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::server::session) enum Mood {
    #[default]
    Well,
    Fails,
    /// Answers so late.
    Slow(Duration),
}

#[derive(Default)]
pub(in crate::server::session) struct Fake {
    records: Mutex<HashMap<SessionHash, SessionRecord>>,
    inactive: Mutex<Vec<UserId>>,
    /// How many sessions were asked for, each time.
    pub(in crate::server::session) questions: Mutex<Vec<usize>>,
    /// Of the questions for many sessions.
    pub(in crate::server::session) reads: Mutex<Mood>,
    pub(in crate::server::session) writes: Mutex<Mood>,
    pub(in crate::server::session) is_away: AtomicBool,
    /// Though what changes can be followed.
    pub(in crate::server::session) questions_fail: Mutex<bool>,
    pub(in crate::server::session) touched: AtomicU64,
    /// As of when visits were to be noted.
    pub(in crate::server::session) touched_at: Mutex<Vec<OffsetDateTime>>,
    /// Where it can be followed: who does it, and how often it was begun.
    followed: Mutex<Option<(UnboundedSender<Told>, usize)>>,
}

/// Goes with the time of the test.
pub(in crate::server::session) struct Paused {
    began: Instant,
    at: OffsetDateTime,
}

impl Paused {
    pub(in crate::server::session) fn from_now_on() -> Self {
        Self { began: Instant::now(), at: System::real().now() }
    }
}

impl Clock for Paused {
    fn now(&self) -> OffsetDateTime {
        self.at + self.began.elapsed()
    }
}

pub(in crate::server::session) fn hash(number: u8) -> SessionHash {
    SessionId::new([number; 16]).hash()
}

pub(in crate::server::session) fn browser(number: u8) -> BrowserHash {
    BrowserHash::of(&[number])
}

fn user(id: UserId) -> User {
    let username = format!("name of {}", id.as_str());
    User { id, username, email: None, email_verified: false, full_name: None, role: Role::User, active: true }
}

fn record(id: SessionHash, number: u8) -> SessionRecord {
    let now = System::real().now();
    SessionRecord {
        id,
        browser: Some(browser(number)),
        user: UserId::new(number.to_string()),
        issuer: Issuer::new("https://id.example.com"),
        provider: ProviderId::new("op"),
        begun: now,
        created: now,
        confirmed: now,
        rechecked: None,
        last_seen: now,
        expires: now + Duration::from_secs(24 * 3600),
        delivered_by: None,
        facts: SessionFacts::default(),
        id_token: None,
    }
}

pub(in crate::server::session) fn person(number: u8) -> SignedIn {
    SignedIn {
        user: user(UserId::new(number.to_string())),
        provider: ProviderId::new("op"),
        issuer: Issuer::new("https://id.example.com"),
        facts: SessionFacts { subject: subject(number), ..SessionFacts::default() },
        browser: Some(browser(number)),
        since: datetime!(2026-11-26 12:00 UTC),
        until: datetime!(2026-11-27 12:00 UTC),
        confirmed: datetime!(2026-11-26 12:00 UTC),
        recheck_from: None,
    }
}

/// Of the person with that number.
pub(in crate::server::session) fn logout(number: u8) -> Logout {
    let now = System::real().now();
    let issuer = Issuer::new("https://id.example.com");
    Logout { id: LogoutHash::of(&[number]), issuer, sid: None, subject: subject(number), issued: now, received: now }
}

fn subject(number: u8) -> Option<Subject> {
    Subject::new(&format!("s-{number}"))
}

impl Fake {
    pub(in crate::server::session) fn sign_in(&self, id: SessionHash, number: u8) {
        self.records.lock().unwrap().insert(id, record(id, number));
    }

    /// The same, delivered by an attempt and not yet used.
    pub(in crate::server::session) fn deliver(&self, id: SessionHash, number: u8) {
        let delivered_by = Some(AttemptId::new([number; 16]));
        self.records.lock().unwrap().insert(id, SessionRecord { delivered_by, ..record(id, number) });
    }

    /// In another process.
    pub(in crate::server::session) fn sign_out(&self, id: SessionHash) {
        self.records.lock().unwrap().remove(&id);
    }

    pub(in crate::server::session) fn disable(&self, number: u8) {
        self.inactive.lock().unwrap().push(UserId::new(number.to_string()));
    }

    pub(in crate::server::session) fn seen_long_ago(&self, id: SessionHash) {
        let mut records = self.records.lock().unwrap();
        let record = records.get_mut(&id).unwrap();
        record.last_seen -= limits::SESSION_TOUCH_EVERY;
    }

    /// From now on.
    pub(in crate::server::session) fn can_be_followed(&self) {
        *self.followed.lock().unwrap() = Some((unbounded_channel().0, 0));
    }

    pub(in crate::server::session) fn was_followed(&self) -> usize {
        self.followed.lock().unwrap().as_ref().map_or(0, |(_, times)| *times)
    }

    /// What whoever follows is told next.
    pub(in crate::server::session) fn tell(&self, changed: Told) {
        let followed = self.followed.lock().unwrap();
        let (changes, _) = followed.as_ref().unwrap();
        changes.send(changed).unwrap();
    }

    pub(in crate::server::session) fn asked(&self) -> usize {
        self.questions.lock().unwrap().len()
    }
}

async fn in_that(mood: &Mutex<Mood>) -> Result<(), StoreError> {
    let mood = *mood.lock().unwrap();
    match mood {
        Mood::Well => Ok(()),
        Mood::Fails => Err(StoreError::Unavailable("it fails".into())),
        Mood::Slow(late) => {
            sleep(late).await;
            Ok(())
        }
    }
}

#[async_trait]
impl SessionStore for Fake {
    async fn create_session(&self, _: &SessionRecord) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn session(&self, id: SessionHash) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.records.lock().unwrap().get(&id).cloned())
    }

    /// The answer is of when it was asked.
    async fn sessions(&self, ids: &[SessionHash]) -> Result<Vec<SessionRecord>, StoreError> {
        self.questions.lock().unwrap().push(ids.len());
        let found = {
            let records = self.records.lock().unwrap();
            ids.iter().filter_map(|id| records.get(id).cloned()).collect()
        };
        in_that(&self.reads).await?;
        if *self.questions_fail.lock().unwrap() {
            return Err(StoreError::late());
        }
        Ok(found)
    }

    async fn touch_sessions(&self, ids: &[SessionHash], at: OffsetDateTime) -> Result<(), StoreError> {
        self.touched.fetch_add(ids.len() as u64, Ordering::Relaxed);
        self.touched_at.lock().unwrap().push(at);
        in_that(&self.writes).await
    }

    async fn save_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        in_that(&self.writes).await?;
        Ok(self.records.lock().unwrap().insert(session.id, session.clone()).is_some())
    }

    async fn begin_recheck(&self, _: SessionHash, _: OffsetDateTime, _: OffsetDateTime) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn confirm_session(&self, _: &SessionRecord) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn delete_session(&self, _: SessionHash) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn end_browser(&self, browser: BrowserHash, now: OffsetDateTime) -> Result<bool, StoreError> {
        let mut records = self.records.lock().unwrap();
        let its: Vec<_> = records.values_mut().filter(|one| one.browser == Some(browser)).collect();
        let ended = !its.is_empty();
        its.into_iter().for_each(|one| one.expires = now);
        Ok(ended)
    }
}

#[async_trait]
impl ChangeStore for Fake {
    async fn follow(&self) -> Result<Option<Box<dyn Changes>>, StoreError> {
        in_that(&self.reads).await?;
        let mut followed = self.followed.lock().unwrap();
        let Some((changes, times)) = followed.as_mut() else { return Ok(None) };
        let (sender, next) = unbounded_channel();
        (*changes, *times) = (sender, *times + 1);
        Ok(Some(Box::new(Answers(next))))
    }
}

/// Each answer is what it is given, the next time that it is asked.
struct Answers(UnboundedReceiver<Told>);

type Told = Result<Changed, StoreError>;

#[async_trait]
impl Changes for Answers {
    async fn next(&mut self, changed: &mut Vec<Changed>) -> Result<(), StoreError> {
        sleep(limits::CHANGES_READ_EVERY).await;
        changed.extend(self.0.try_recv().ok().transpose()?);
        Ok(())
    }
}

#[async_trait]
impl LogoutStore for Fake {
    async fn log_out(&self, _: &Logout) -> Result<LoggedOut, StoreError> {
        unreachable!()
    }

    async fn remember_sign_out(&self, _: BrowserHash, _: OffsetDateTime) -> Result<(), StoreError> {
        Ok(())
    }

    async fn is_logged_out(&self, _: &SessionRecord) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[async_trait]
impl UserStore for Fake {
    async fn sign_in_user(&self, _: &Person) -> Result<Option<User>, StoreError> {
        unreachable!()
    }

    async fn create_user(&self, _: &NewUser) -> Result<Created, StoreError> {
        unreachable!()
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(Some(User { active: !self.inactive.lock().unwrap().contains(id), ..user(id.clone()) }))
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let inactive = self.inactive.lock().unwrap();
        Ok(ids.iter().map(|id| User { active: !inactive.contains(id), ..user(id.clone()) }).collect())
    }

    async fn username_is_shared(&self, _: &User) -> Result<bool, StoreError> {
        unreachable!()
    }
}

#[async_trait]
impl AttemptStore for Fake {
    async fn claim(&self, _: &NewClaim) -> Result<Claimed, StoreError> {
        unreachable!()
    }

    async fn attempt(&self, _: AttemptId) -> Result<Option<Attempt>, StoreError> {
        unreachable!()
    }

    async fn attempt_by_reference(&self, _: &Reference) -> Result<Option<Attempt>, StoreError> {
        unreachable!()
    }

    async fn renew(&self, _: AttemptId, _: OwnerToken) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn settle(&self, _: AttemptId, _: OwnerToken, _: &Verdict, _: &[Step]) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn interrupt(&self, _: AttemptId) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn close_delivery(&self, _: AttemptId) -> Result<(), StoreError> {
        in_that(&self.writes).await
    }
}

#[async_trait]
impl Readiness for Fake {
    async fn ready(&self) -> Result<Vec<String>, StoreError> {
        in_that(&self.reads).await.map(|()| Vec::new())
    }

    fn away(&self) -> Option<StoreError> {
        self.is_away.load(Ordering::Relaxed).then(|| StoreError::Unavailable("away".into()))
    }
}
