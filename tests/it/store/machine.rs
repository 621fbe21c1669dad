//! The attempt as a state machine, under random interleavings of callbacks, polls, crashes, lost responses, expired
//! leases and time: over a store in memory that consists of the rules of `server::attempt` alone, and over both real
//! ones. Whatever happens, a code is sent at most once, one account and one session result from it, and a person who
//! keeps polling learns how it ended.

use std::{collections::BTreeSet, time::Duration};

use proptest::{prelude::*, test_runner::TestRunner};
use time::OffsetDateTime;
use vestibule::server::{
    attempt::{Next, Phase, Transition},
    ids::{CodeHash, OwnerToken},
    limits,
};

use self::stores::{Attempts, DELIVERY, Real, Rules, STRANGER, claim, code};
use crate::support::bench::Bench;

mod stores;

/// Processes that share the store.
const PROCESSES: usize = 3;
const EVERY_TRANSITION: [Transition; 6] = [
    Transition::Renew,
    Transition::Verify,
    Transition::Fail,
    Transition::Interrupt,
    Transition::Close,
    Transition::Withdraw,
];

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The callback, with the code, arrives at a process.
    Callback(usize),
    /// The same state with another code.
    OtherCode(usize),
    /// A poll of the status: it carries no code, and any process may respond to it.
    Question,
    /// The exchange of a process goes one step on, or repeats the last step, because the store's response was lost.
    Work { process: usize, answer_lost: bool },
    /// The provider refuses what that process asks next.
    Refuse(usize),
    /// The process renews its lease.
    Renew(usize),
    /// The process dies; another takes its place.
    Crash(usize),
    /// Nobody has renewed the lease for too long (the process hangs, its machine sleeps).
    LeaseLapses,
    /// More time passes than an attempt can be delivered in.
    TimePasses,
    /// The session is used for the first time, or signed out.
    Close,
    /// The browser signs out, here or in another tab.
    SignOut,
    /// A page has read that it may deliver; what comes next may come between that and the session.
    DeliveryBegins,
    /// It begins the session.
    DeliveryEnds,
    /// Another process tries this, at any time.
    Stranger(Transition),
}

fn event() -> impl Strategy<Value = Event> {
    let process = 0..PROCESSES;
    prop_oneof![
        4 => process.clone().prop_map(Event::Callback),
        1 => process.clone().prop_map(Event::OtherCode),
        3 => Just(Event::Question),
        9 => (process.clone(), any::<bool>()).prop_map(|(process, answer_lost)| Event::Work { process, answer_lost }),
        1 => process.clone().prop_map(Event::Refuse),
        2 => process.clone().prop_map(Event::Renew),
        2 => process.prop_map(Event::Crash),
        2 => Just(Event::LeaseLapses),
        1 => Just(Event::TimePasses),
        1 => Just(Event::Close),
        1 => Just(Event::SignOut),
        2 => Just(Event::DeliveryBegins),
        2 => Just(Event::DeliveryEnds),
        3 => prop::sample::select(EVERY_TRANSITION.as_slice()).prop_map(Event::Stranger),
    ]
}

/// How far the exchange of a process is; the steps of `sign_in::exchange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    Claiming(OwnerToken),
    Sending(OwnerToken),
    Verified(OwnerToken),
    HasUser(OwnerToken),
    Refused(OwnerToken),
}

/// The response to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Wait,
    Delivered,
    Over,
    Failed(String),
    /// Another code than the one it was claimed with.
    Spent,
    /// Nobody has claimed it, and the poll brought no code.
    Unclaimed,
}

/// The attempt, the processes and the person.
struct World<A> {
    attempts: A,
    exchanges: [Option<Exchange>; PROCESSES],
    refuse: [bool; PROCESSES],
    owners: u8,
    now: OffsetDateTime,
    sent: BTreeSet<[u8; 32]>,
    sessions: u32,
    /// Whether a page is between reading that it may deliver and beginning the session.
    delivering: bool,
    users: u64,
    /// Whether the browser has signed out since the claim.
    signed_out: bool,
}

impl<A: Attempts> World<A> {
    fn new(attempts: A) -> Self {
        Self {
            now: attempts.begin(),
            attempts,
            exchanges: [None; PROCESSES],
            refuse: [false; PROCESSES],
            owners: 0,
            sent: BTreeSet::new(),
            sessions: 0,
            delivering: false,
            users: 0,
            signed_out: false,
        }
    }

    /// Plays an event; returns the response, if it was a request.
    async fn play(&mut self, event: Event) -> Option<Told> {
        match event {
            Event::Callback(process) => return Some(self.callback(process, false).await),
            Event::OtherCode(process) => return Some(self.callback(process, true).await),
            Event::Question => return Some(self.question(None).await),
            Event::Work { process, answer_lost } => self.work(process, answer_lost).await,
            Event::Refuse(process) => self.refuse[process] = true,
            Event::Renew(process) => {
                if let Some(Exchange::Sending(owner) | Exchange::Verified(owner) | Exchange::HasUser(owner)) =
                    self.exchanges[process]
                {
                    self.attempts.make(Transition::Renew, owner).await;
                }
            }
            Event::Crash(process) => self.exchanges[process] = None,
            Event::LeaseLapses => self.attempts.lapse().await,
            Event::TimePasses => self.now += limits::DELIVERABLE + Duration::from_secs(1),
            Event::Close => {
                self.attempts.make(Transition::Close, STRANGER).await;
            }
            Event::SignOut => {
                self.attempts.make(Transition::Withdraw, STRANGER).await;
                self.attempts.make(Transition::Close, STRANGER).await;
                self.signed_out |= self.attempts.attempt().await.is_some();
            }
            Event::DeliveryBegins => {
                let attempt = self.attempts.attempt().await;
                self.delivering |= attempt.is_some_and(|it| matches!(it.state.next(self.now), Next::Deliver(_)));
            }
            Event::DeliveryEnds if std::mem::take(&mut self.delivering) => {
                let new = self.attempts.begin_session().await;
                assert!(!(new && self.signed_out), "the session begins after the sign-out");
                self.sessions += u32::from(new);
            }
            Event::DeliveryEnds => {}
            Event::Stranger(transition) => {
                let made = self.attempts.make(transition, STRANGER).await;
                let may = [Transition::Interrupt, Transition::Close, Transition::Withdraw];
                assert!(!made || may.contains(&transition), "{transition:?}");
            }
        }
        None
    }

    async fn callback(&mut self, process: usize, other: bool) -> Told {
        if self.exchanges[process].is_some() {
            return if other { Told::Spent } else { Told::Wait };
        }
        if self.attempts.attempt().await.is_none() {
            // A process has one exchange for an attempt, with the code that came first.
            if other {
                return Told::Unclaimed;
            }
            self.owners += 1;
            self.exchanges[process] = Some(Exchange::Claiming(OwnerToken::new([self.owners; 16])));
            return Told::Wait;
        }
        self.question(Some(code(other))).await
    }

    async fn question(&mut self, brought: Option<CodeHash>) -> Told {
        let Some(attempt) = self.attempts.attempt().await else { return Told::Unclaimed };
        if brought.is_some_and(|brought| brought != attempt.code) {
            return Told::Spent;
        }
        match attempt.state.next(self.now) {
            Next::Wait => Told::Wait,
            Next::Interrupt => {
                self.attempts.make(Transition::Interrupt, STRANGER).await;
                Told::Wait
            }
            Next::Deliver(delivery) => {
                assert_eq!(delivery, DELIVERY);
                assert!(!self.signed_out, "delivered after the sign-out");
                // Two minutes, written out: what the constant says is not what it should say.
                assert!(self.now <= self.attempts.begin() + Duration::from_secs(120), "delivered too late");
                self.sessions += u32::from(self.attempts.begin_session().await);
                Told::Delivered
            }
            Next::Close => {
                self.attempts.make(Transition::Close, STRANGER).await;
                Told::Over
            }
            Next::Over => Told::Over,
            Next::Explain { code, .. } => Told::Failed(code.to_owned()),
            Next::ExplainInterrupted => Told::Failed("interrupted".to_owned()),
        }
    }

    /// One step of an exchange; if its response is lost, the step was made and the process does not know.
    async fn work(&mut self, process: usize, answer_lost: bool) {
        let Some(exchange) = self.exchanges[process] else { return };
        let next = match exchange {
            Exchange::Claiming(owner) => match self.attempts.claim(&claim(owner, false)).await {
                None => Some(Exchange::Sending(owner)),
                Some(_) => None,
            },
            // Whether a response came or not: a code that was sent is never sent again.
            Exchange::Sending(owner) => {
                assert!(self.sent.insert(*code(false).as_bytes()), "the code is sent twice");
                let refused = std::mem::take(&mut self.refuse[process]) || answer_lost;
                self.exchanges[process] =
                    Some(if refused { Exchange::Refused(owner) } else { Exchange::Verified(owner) });
                return;
            }
            Exchange::Verified(owner) => {
                self.users = self.attempts.sign_in().await;
                Some(Exchange::HasUser(owner))
            }
            Exchange::HasUser(owner) => {
                self.attempts.make(Transition::Verify, owner).await;
                None
            }
            Exchange::Refused(owner) => {
                self.attempts.make(Transition::Fail, owner).await;
                None
            }
        };
        if !answer_lost {
            self.exchanges[process] = next;
        }
    }

    /// No more faults: what runs goes on to its end, and the person keeps polling.
    async fn end_fairly(&mut self) -> Told {
        for process in 0..PROCESSES {
            while self.exchanges[process].is_some() {
                self.work(process, false).await;
            }
        }
        self.callback(0, false).await;
        for _ in 0..8 {
            while self.exchanges[0].is_some() {
                self.work(0, false).await;
            }
            match self.question(Some(code(false))).await {
                // The process that claimed it is dead, and nobody renews the lease.
                Told::Wait => self.attempts.lapse().await,
                told => return told,
            }
        }
        panic!("still waiting");
    }

    fn check(&self) {
        assert!(self.users <= 1, "{} accounts", self.users);
        assert!(self.sessions <= 1, "{} sessions", self.sessions);
    }
}

async fn play<A: Attempts>(attempts: A, events: &[Event]) {
    let mut world = World::new(attempts);
    for event in events {
        let told = world.play(*event).await;
        // A person is told to wait only if a process works on it, or will be found dead.
        assert!(told.is_none_or(|told| !matches!(told, Told::Failed(code) if code.is_empty())));
        world.check();
    }
    let end = world.end_fairly().await;
    world.check();
    match end {
        Told::Delivered => assert_eq!((world.users, world.sessions), (1, 1)),
        Told::Over | Told::Failed(_) => {}
        end => panic!("no end: {end:?}"),
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 0..40)
}

/// As many runs as `cases` says, each on a store of its own; a failure is shrunk to the shortest run.
fn property(cases: u32, run: impl Fn(Vec<Event>)) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let ran = TestRunner::new(config).run(&events(), |events| {
        run(events);
        Ok(())
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn the_rules_keep_their_promises() {
    let runtime = runtime();
    property(4_000, |events| runtime.block_on(play(Rules::new(), &events)));
}

#[test]
fn sqlite_keeps_to_the_rules() {
    let runtime = runtime();
    property(150, |events| {
        runtime.block_on(async {
            let bench = Bench::sqlite().await;
            play(Real { bench: &bench, rules: Rules::new() }, &events).await;
        });
    });
}

#[test]
fn mongodb_keeps_to_the_rules() {
    let runtime = runtime();
    property(150, |events| {
        runtime.block_on(async {
            Bench::mongo()
                .await
                .run(async |bench: &Bench| play(Real { bench, rules: Rules::new() }, &events).await)
                .await;
        });
    });
}

/// The machine's own text: every phase is reached, none is left once it is final, and each has its name.
#[test]
fn every_phase_has_a_way_in_and_the_final_ones_have_none_out() {
    let all = EVERY_TRANSITION;
    for phase in [Phase::Running, Phase::Verified, Phase::Failed, Phase::Interrupted] {
        assert_eq!(Phase::parse(phase.as_str()), Some(phase));
        let leaves = all.iter().any(|it| it.from() == phase && it.to() != phase);
        assert_eq!(leaves, phase == Phase::Running, "{phase:?}");
        assert!(phase == Phase::CLAIMED || all.iter().any(|it| it.to() == phase && it.from() != phase), "{phase:?}");
    }
    assert_eq!(Phase::parse("Running"), None);
}
