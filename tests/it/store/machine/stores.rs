//! What the attempt's machine runs over: the rules of `server::attempt` alone, in memory, and a real store beside them.

use std::time::Duration;

use time::OffsetDateTime;
use vestibule::server::{
    attempt::{AttemptState, May, Phase, Transition, Verdict},
    clock::System,
    ids::{AttemptId, BrowserHash, CodeHash, Issuer, OwnerToken, ProviderId, SessionHash, Subject, UserId},
    limits,
    store::{Attempt, Claimed, Created, NewClaim, NewUser, Person, Profile, Role, SessionFacts, SessionRecord, Store},
};

use crate::support::bench::Bench;

pub(super) const DELIVERY: &[u8] = b"sealed";
/// The id of the session that the attempt delivers.
const SESSION: &[u8] = b"derived from the attempt";
/// An owner that has claimed nothing.
pub(super) const STRANGER: OwnerToken = OwnerToken::new([0; 16]);
/// Longer than a lease, whatever the store rounds to.
const LAPSED: Duration = Duration::from_secs(limits::LEASE.as_secs() + 2);

pub(super) fn id() -> AttemptId {
    AttemptId::new([7; 16])
}

pub(super) fn code(other: bool) -> CodeHash {
    CodeHash::of(if other { b"another" } else { b"code" })
}

pub(super) fn claim(owner: OwnerToken, other: bool) -> NewClaim {
    let now = System::real().now();
    NewClaim {
        id: id(),
        owner,
        provider: ProviderId::new("op"),
        browser: BrowserHash::of(b"browser"),
        code: code(other),
        session: SessionHash::of(SESSION),
        started: now,
        claimed: now,
    }
}

/// What the stores do for an attempt, as far as this test goes.
pub(super) trait Attempts {
    async fn claim(&mut self, claim: &NewClaim) -> Option<Attempt>;
    async fn attempt(&mut self) -> Option<Attempt>;
    async fn make(&mut self, transition: Transition, owner: OwnerToken) -> bool;
    async fn lapse(&mut self);
    /// Accounts that there are after this person has signed in.
    async fn sign_in(&mut self) -> u64;
    /// When it was verified, if it was; delivery is bounded from here.
    fn begin(&self) -> OffsetDateTime;
    /// Begins the session; returns whether it is new.
    async fn begin_session(&mut self) -> bool;
}

/// The rules themselves, as a store.
pub(super) struct Rules {
    begin: OffsetDateTime,
    record: Option<Record>,
    user: bool,
    /// Whether the session's id is taken: it has begun, or must not begin any more.
    session: bool,
}

impl Rules {
    pub(super) fn new() -> Self {
        Self { begin: System::real().now(), record: None, user: false, session: false }
    }
}

pub(super) struct Record {
    phase: Phase,
    owner: OwnerToken,
    code: CodeHash,
    lapsed: bool,
    delivery: bool,
}

impl Attempts for Rules {
    async fn claim(&mut self, claim: &NewClaim) -> Option<Attempt> {
        match &mut self.record {
            Some(record) if record.owner == claim.owner && record.phase == Phase::CLAIMED => {
                record.lapsed = false;
                None
            }
            Some(_) => self.attempt().await,
            free => {
                *free = Some(Record {
                    phase: Phase::CLAIMED,
                    owner: claim.owner,
                    code: claim.code,
                    lapsed: false,
                    delivery: false,
                });
                None
            }
        }
    }

    async fn attempt(&mut self) -> Option<Attempt> {
        let record = self.record.as_ref()?;
        let claim = claim(record.owner, false);
        let state = match record.phase {
            Phase::Running => AttemptState::Running { stale: record.lapsed },
            Phase::Verified => {
                AttemptState::Verified { at: self.begin, delivery: record.delivery.then(|| DELIVERY.to_vec()) }
            }
            Phase::Failed => AttemptState::Failed { code: "code_refused".into(), retry_at: None },
            Phase::Interrupted => AttemptState::Interrupted,
        };
        Some(Attempt {
            id: claim.id,
            provider: claim.provider,
            browser: claim.browser,
            code: record.code,
            started: claim.started,
            claimed: claim.claimed,
            state,
            steps: Vec::new(),
        })
    }

    async fn make(&mut self, transition: Transition, owner: OwnerToken) -> bool {
        let Some(record) = &mut self.record else { return false };
        if transition == Transition::Withdraw && record.phase == Phase::Verified {
            record.delivery = false;
            self.session = true;
        }
        let allowed = match transition.may() {
            May::Owner => record.owner == owner,
            May::AnybodyAfterLease => record.lapsed,
            May::Anybody => true,
        };
        if record.phase != transition.from() || !allowed {
            return false;
        }
        record.phase = transition.to();
        record.lapsed &= transition != Transition::Renew;
        record.delivery = transition == Transition::Verify;
        true
    }

    async fn lapse(&mut self) {
        if let Some(record) = &mut self.record {
            record.lapsed = true;
        }
    }

    async fn sign_in(&mut self) -> u64 {
        self.user = true;
        1
    }

    fn begin(&self) -> OffsetDateTime {
        self.begin
    }

    async fn begin_session(&mut self) -> bool {
        !std::mem::replace(&mut self.session, true)
    }
}

/// A real store, held against the rules at every step.
pub(super) struct Real<'b> {
    pub(super) bench: &'b Bench,
    pub(super) rules: Rules,
}

impl Real<'_> {
    fn store(&self) -> &dyn Store {
        &*self.bench.store
    }
}

/// What matters of two attempts that should be the same.
pub(super) fn shape(attempt: Option<&Attempt>) -> Option<(CodeHash, AttemptState)> {
    attempt.map(|attempt| (attempt.code, attempt.state.clone()))
}

impl Attempts for Real<'_> {
    async fn claim(&mut self, claim: &NewClaim) -> Option<Attempt> {
        let found = match self.store().claim(claim).await.unwrap() {
            Claimed::Ours => None,
            Claimed::Before(attempt) => Some(*attempt),
        };
        assert_eq!(shape(found.as_ref()), shape(self.rules.claim(claim).await.as_ref()));
        found
    }

    async fn attempt(&mut self) -> Option<Attempt> {
        let found = self.store().attempt(id()).await.unwrap();
        assert_eq!(shape(found.as_ref()), shape(self.rules.attempt().await.as_ref()));
        found
    }

    async fn make(&mut self, transition: Transition, owner: OwnerToken) -> bool {
        let allowed = self.rules.make(transition, owner).await;
        let store = self.store();
        match transition {
            Transition::Renew => assert_eq!(store.renew(id(), owner).await.unwrap(), allowed),
            Transition::Interrupt => assert_eq!(store.interrupt(id()).await.unwrap(), allowed),
            // Neither says whether it has changed anything: settling is idempotent, and so is closing.
            Transition::Verify | Transition::Fail => {
                let verdict = if transition == Transition::Verify {
                    Verdict::Verified { at: self.rules.begin, delivery: DELIVERY.to_vec() }
                } else {
                    Verdict::Failed { code: "code_refused".into(), retry_at: None }
                };
                let settled = store.settle(id(), owner, &verdict, &[]).await.unwrap();
                assert!(settled || !allowed);
            }
            Transition::Close => store.close_delivery(id()).await.unwrap(),
            // It closes as well.
            Transition::Withdraw => {
                store.end_browser(BrowserHash::of(b"browser"), System::real().now()).await.unwrap();
                self.rules.make(Transition::Close, STRANGER).await;
            }
        }
        self.attempt().await;
        allowed
    }

    async fn lapse(&mut self) {
        self.rules.lapse().await;
        if self.rules.record.is_some() {
            self.bench.raw.age_lease(id(), LAPSED).await;
        }
    }

    async fn sign_in(&mut self) -> u64 {
        let person = Person {
            issuer: Issuer::new("https://op.example.com"),
            subject: Subject::new("alice").unwrap(),
            discovery_url: "https://op.example.com/.well-known/openid-configuration".into(),
            profile: Profile::default(),
            role: None,
            for_claudelens: false,
            now: self.rules_now(),
        };
        if self.store().sign_in_user(&person).await.unwrap().is_none() {
            let user = NewUser { person, usernames: vec!["alice".into()], role: Role::User };
            assert!(matches!(self.store().create_user(&user).await.unwrap(), Created::New(_)));
        }
        self.bench.raw.count_users().await
    }

    fn begin(&self) -> OffsetDateTime {
        self.rules.begin
    }

    async fn begin_session(&mut self) -> bool {
        let session = SessionRecord {
            id: SessionHash::of(SESSION),
            browser: Some(BrowserHash::of(b"browser")),
            user: UserId::new("0".repeat(24)),
            issuer: Issuer::new("https://op.example.com"),
            provider: ProviderId::new("op"),
            begun: self.rules_now(),
            created: self.rules_now(),
            confirmed: self.rules_now(),
            rechecked: None,
            last_seen: self.rules_now(),
            expires: self.rules_now() + Duration::from_secs(3600),
            delivered_by: Some(id()),
            facts: SessionFacts::default(),
            id_token: None,
        };
        let new = self.store().create_session(&session).await.unwrap();
        assert_eq!(new, self.rules.begin_session().await);
        new
    }
}

impl Real<'_> {
    fn rules_now(&self) -> OffsetDateTime {
        System::real().now()
    }
}
