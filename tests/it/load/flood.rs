//! A flood of starts and of junk at a real process: neither the store nor memory fills up, and people can sign in
//! meanwhile.

use std::{
    collections::BTreeMap,
    fmt,
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use test_provider::{Endpoint, RunningProvider};
use tokio::{sync::watch, task::JoinSet};
use url::{Url, form_urlencoded::byte_serialize};
use vestibule::server::limits;

use crate::{
    load::{KEY, TURN},
    support::{
        mongo,
        people::{Person, Site},
        process::{Database, Program, Settings},
        wire::{Answer, Wire},
    },
};

/// The numbers.
const STARTS: usize = 100_000;
const JUNK: usize = 10_000;
/// What a process needs is in memory after so many.
const WARM_UP: usize = 5_000;
/// Connections at the same time.
const CONNECTIONS: usize = 32;
/// How much a process may grow, from after the warm-up to the highest it has ever been.
const MOST_GROWTH: u64 = 32 * MEGABYTE;
const MEGABYTE: u64 = 1024 * 1024;
const START: &str = "/auth/oidc/login?return_to=%2Freports%3Fyear%3D2026";
const COLLECTIONS: [&str; 3] = ["users", "login_sessions", "login_attempts"];
/// The address that the junk comes from.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 3, 0, 1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_fills_neither_sqlite_nor_memory_and_keeps_nobody_out() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    flood("SQLite", folder.path(), Database::Sqlite(folder.path().join("flood.db")), [STARTS, JUNK]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_fills_neither_mongodb_nor_memory_and_keeps_nobody_out() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let server = mongo::Server::start_own().await;
    let database = Database::Mongo { uri: server.uri().to_owned(), name: mongo::database_name() };
    // Fewer show the same of this store: a start never comes near it, and the bound on junk is met all the same.
    flood("MongoDB", folder.path(), database, [STARTS / 10, JUNK / 4]).await;
    tokio::task::block_in_place(|| drop(server));
}

async fn flood(name: &str, folder: &Path, database: Database, [starts, junk]: [usize; 2]) {
    let flooded = Flooded::new(folder, database).await;
    // Every kind of page once, too: the client of the warm-up uses up its own limit.
    flooded.start(&Progress::of(WARM_UP)).await;
    flooded.junk(Ipv4Addr::new(127, 3, 0, 2), &Progress::of(WARM_UP / 10)).await;
    flooded.provider.forget_requests();
    let warm = flooded.memory("VmRSS");

    let starting = flooded.only_people_are_stored(starts).await;
    let started = flooded.memory("VmRSS");
    let junking = flooded.junk_is_bounded(junk).await;

    let (resident, highest) = (flooded.memory("VmRSS"), flooded.memory("VmHWM"));
    println!(
        "{name}: {starting}, {junking}; memory {warm} warm, {started} after the starts, {resident} after the junk, \
         {highest} at most; 4 people signed in meanwhile"
    );
    assert!(highest.0 < warm.0 + MOST_GROWTH, "from {warm} to {highest}");
}

/// So many bytes.
#[derive(Clone, Copy)]
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.1} MB", self.0 as f64 / MEGABYTE as f64)
    }
}

/// How far a flood has come.
struct Progress {
    least: usize,
    begun: AtomicUsize,
    done: watch::Sender<usize>,
    /// Whether honest people are still at it; the flood goes on until they are not.
    people: AtomicBool,
}

impl Progress {
    fn of(least: usize) -> Arc<Self> {
        Arc::new(Self {
            least,
            begun: AtomicUsize::new(0),
            done: watch::Sender::new(0),
            people: AtomicBool::new(false),
        })
    }

    fn with_people(least: usize) -> Arc<Self> {
        let progress = Self::of(least);
        progress.people.store(true, Ordering::Relaxed);
        progress
    }

    /// The number of one more; `None`: it was enough.
    fn next(&self) -> Option<usize> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        (number < self.least || self.people.load(Ordering::Relaxed)).then_some(number)
    }

    fn one_more(&self) {
        self.done.send_modify(|done| *done += 1);
    }

    fn done(&self) -> usize {
        *self.done.borrow()
    }

    async fn is_under_way(&self) {
        self.done.subscribe().wait_for(|done| *done >= self.least / 10).await.unwrap();
    }
}

/// A program under a flood.
struct Flooded {
    program: Program,
    provider: RunningProvider,
    database: Database,
    site: Site,
}

impl Flooded {
    async fn new(folder: &Path, database: Database) -> Self {
        let mut program = Program::new(folder, "flooded");
        let origin = format!("http://{}", program.address);
        let (site, provider) = Site::open(&origin, 4).await;
        let keys = [KEY.to_owned()];
        program.set(&Settings { public_url: &origin, database: &database, provider: &provider, keys: &keys });
        program.start().await;
        Self { program, provider, database, site }
    }

    fn memory(&self, what: &str) -> Bytes {
        Bytes(self.program.memory(what))
    }

    /// So many starts, and two people who sign in meanwhile; returns what it measured.
    async fn only_people_are_stored(&self, starts: usize) -> String {
        let before = self.stored().await;
        let began = Instant::now();
        let starts = Progress::with_people(starts);
        let [mut early, mut during] = [0, 1].map(|number| Person::new(&self.site, number));
        let callback = early.begin().await;
        tokio::join!(self.start(&starts), self.honest(&mut early, callback, &mut during, &starts));
        let took = began.elapsed();
        let after = self.stored().await;
        assert_eq!(after, before.map(|count| count + 2), "{COLLECTIONS:?}: of the two who signed in, and nothing else");
        format!("{} starts in {took:.1?}", starts.done())
    }

    /// So many junk callbacks of one client, and two people who sign in meanwhile; returns what it measured.
    async fn junk_is_bounded(&self, junk: usize) -> String {
        let before = self.stored().await;
        let sent = self.provider.count(Endpoint::Token);
        let began = Instant::now();
        let junk = Progress::with_people(junk);
        let [mut early, mut during] = [2, 3].map(|number| Person::new(&self.site, number));
        let callback = early.begin().await;
        let (answers, ()) =
            tokio::join!(self.junk(CLIENT, &junk), self.honest(&mut early, callback, &mut during, &junk));
        let took = began.elapsed();
        let after = self.stored().await;
        let [users, sessions, attempts] = [0, 1, 2].map(|at| after[at] - before[at]);
        assert_eq!([users, sessions], [2, 2], "of the two who signed in, and nothing else");
        let within = |most: u32, every: Duration| u64::from(most) + took.as_secs() / every.as_secs() + 1;
        let sent = self.provider.count(Endpoint::Token) - sent - 2;
        let most_sent = within(limits::REFUSALS, limits::REFUSAL_EVERY);
        assert!(sent as u64 <= most_sent, "{sent} codes were sent for one client, {most_sent} may be");
        let stored = attempts - 2;
        let most_stored = within(limits::RECORDS, limits::RECORD_EVERY) + most_sent;
        assert!(stored <= most_stored, "one client's junk is {stored} documents, {most_stored} may be");
        format!(
            "{} junk callbacks in {took:.1?} ({answers:?}), which stored {stored} attempts and sent {sent} codes",
            junk.done()
        )
    }

    async fn stored(&self) -> [u64; 3] {
        let [users, sessions, attempts] = COLLECTIONS.map(|name| self.database.count(name));
        tokio::join!(users, sessions, attempts).into()
    }

    /// One person comes back in the middle of the flood, another begins in it; both get in without a click.
    async fn honest(&self, early: &mut Person, callback: Url, during: &mut Person, flood: &Progress) {
        flood.is_under_way().await;
        tokio::join!(early.finish(callback), during.sign_in());
        flood.people.store(false, Ordering::Relaxed);
        assert!(early.clicks.is_empty() && during.clicks.is_empty(), "{:?} {:?}", early.clicks, during.clicks);
    }

    /// Starts of clients that store no cookie.
    async fn start(&self, progress: &Arc<Progress>) {
        let mut clients = JoinSet::new();
        for number in 0..CONNECTIONS {
            let from = Ipv4Addr::new(127, 2, 0, u8::try_from(number + 1).unwrap());
            let (address, progress) = (self.program.address, Arc::clone(progress));
            let authorize = self.provider.url(Endpoint::Authorize);
            clients.spawn(async move {
                let mut wire = Wire::open(from, address).await;
                while progress.next().is_some() {
                    let answer = wire.get(START, None).await;
                    assert!(answer.status == 303 && answer.location.starts_with(&authorize), "{}", answer.status);
                    progress.one_more();
                }
            });
        }
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
    }

    /// Junk of every kind, of one client; returns how often each status was the response.
    async fn junk(&self, from: Ipv4Addr, progress: &Arc<Progress>) -> BTreeMap<u16, usize> {
        let mut tabs = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (address, progress) = (self.program.address, Arc::clone(progress));
            let issuer: String = byte_serialize(self.provider.issuer().as_bytes()).collect();
            tabs.spawn(async move {
                let mut wire = Wire::open(from, address).await;
                let mut statuses = Vec::new();
                while let Some(number) = progress.next() {
                    let answer = junk(&mut wire, number, &issuer).await;
                    assert!(!matches!(answer.status, 500 | 502 | 504), "{}", String::from_utf8_lossy(&answer.body));
                    assert!(!answer.cookies.iter().any(|cookie| cookie.starts_with("vestibule=")), "a session");
                    statuses.push(answer.status);
                    progress.one_more();
                }
                statuses
            });
        }
        let mut answers = BTreeMap::new();
        while let Some(statuses) = tabs.join_next().await {
            for status in statuses.unwrap() {
                *answers.entry(status).or_default() += 1;
            }
        }
        answers
    }
}

/// One junk callback, of ten kinds.
pub(super) async fn junk(wire: &mut Wire, number: usize, issuer: &str) -> Answer {
    let (query, own) = match number % 10 {
        0 => ("code=junk".to_owned(), None),
        1 => (format!("code=junk&state={number}"), None),
        2 => (format!("code=junk&state={}", "AR".repeat(100)), None),
        3 => (format!("code=junk&state={number}&state={number}"), None),
        kind => {
            let started = wire.get(START, None).await;
            let own = started.cookies.first().cloned();
            let (_, state) = started.location.split_once("&state=").expect("a state");
            let state = state.split('&').next().expect("a state");
            match kind {
                // Another person's, without a key and with another.
                4 => (format!("code=junk&state={state}"), None),
                5 => (format!("code=junk&state={state}"), wire.get(START, None).await.cookies.first().cloned()),
                6 => (format!("code=junk-{number}&iss={issuer}&state={state}"), own),
                7 => (format!("error=access_denied&iss={issuer}&state={state}"), own),
                8 => (format!("code=junk-{number}&iss=https%3A%2F%2Fother.example&state={state}"), own),
                _ => (format!("code=junk&code=more&iss={issuer}&state={state}"), own),
            }
        }
    };
    let answer = wire.get(&format!("/auth/oidc/callback?{query}"), own.as_deref()).await;
    // The page that explains it, which has an address without a code.
    if answer.location.starts_with("/auth/") { wire.get(&answer.location, own.as_deref()).await } else { answer }
}
