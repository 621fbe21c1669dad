//! Three processes on one MongoDB behind nginx, and people who sign in while processes come and go.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU16, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use test_provider::{Endpoint, RunningProvider};
use url::Url;

use crate::{
    load::{KEY, TURN},
    support::{
        mongo,
        people::{Person, Site},
        port::Port,
        process::{Database, Nginx, Program, Settings, THIS},
    },
};

const PEOPLE: u16 = 200;
const PROCESSES: [&str; 3] = ["one", "two", "three"];
const NEXT_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
/// A container is killed so long after it was told to stop.
const CONTAINER: Duration = Duration::from_secs(10);

struct Cluster {
    site: Site,
    programs: Vec<Program>,
    nginx: Nginx,
    database: Database,
    keys: Vec<String>,
    provider: RunningProvider,
    _mongo: mongo::Server,
    _front: Port,
    _folder: tempfile::TempDir,
}

impl Cluster {
    async fn start() -> Self {
        Self::of(Path::new(THIS)).await
    }

    /// All processes of this program.
    async fn of(binary: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = mongo::Server::start_own().await;
        let front = Port::reserve();
        let (site, provider) = Site::open(&format!("http://{}", front.address), PEOPLE).await;
        let programs: Vec<_> = PROCESSES.iter().map(|name| Program::new(folder.path(), name)).collect();
        let nginx = Nginx::start(folder.path(), front.address, &programs).await;
        let database = Database::Mongo { uri: server.uri().to_owned(), name: mongo::database_name() };
        let mut cluster = Self {
            site,
            programs,
            nginx,
            database,
            keys: Vec::new(),
            provider,
            _mongo: server,
            _front: front,
            _folder: folder,
        };
        cluster.set_keys(&[KEY]);
        for program in &mut cluster.programs {
            program.start_as(binary).await;
        }
        cluster
    }

    fn person(&self, number: u16) -> Person {
        Person::new(&self.site, number)
    }

    /// The keys that programs started from now on have.
    fn set_keys(&mut self, keys: &[&str]) {
        self.keys = keys.iter().map(|&key| key.to_owned()).collect();
        for program in &self.programs {
            program.set(&Settings {
                public_url: &self.site.origin,
                database: &self.database,
                provider: &self.provider,
                keys: &self.keys,
            });
        }
    }

    /// Replaces a process as an orchestrator does: told to stop, waited for, started again, as this program. Returns
    /// how long it took to end.
    async fn replace(&mut self, number: usize, binary: &Path) -> Duration {
        let program = &mut self.programs[number];
        let began = Instant::now();
        program.ask_to_end().await;
        self.provider.release(Endpoint::Token);
        assert_eq!(program.ended().await, 0, "the exit status");
        let took = began.elapsed();
        assert!(took < CONTAINER, "a container would have been killed: {took:?}");
        program.start_as(binary).await;
        took
    }

    /// What must hold whatever happened.
    async fn check(&self, people: usize) {
        assert_eq!(self.database.count("users").await, people as u64, "one person, one account");
        for code in self.provider.redemptions() {
            assert_eq!(code.presented, 1, "a code was sent twice");
            assert!(code.redeemed <= 1, "a code was redeemed twice");
        }
    }
}

/// How often each code had to be clicked away.
fn clicks<'p>(people: impl IntoIterator<Item = &'p Person>) -> BTreeMap<String, usize> {
    let mut clicks = BTreeMap::new();
    for code in people.into_iter().flat_map(|person| &person.clicks) {
        *clicks.entry(code.clone()).or_default() += 1;
    }
    clicks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_killed_in_the_middle_of_200_sign_ins() {
    /// Of each process a third, which leaves none of them idle.
    const UNDER_WAY: usize = 60;
    let _turn = TURN.lock().await;
    let mut cluster = Cluster::start().await;
    let mut people: Vec<_> = (0..PEOPLE).map(|number| cluster.person(number)).collect();
    let began = Instant::now();

    cluster.provider.hold(Endpoint::Token);
    let everybody = join_all(people.iter_mut().map(Person::sign_in));
    let killing = async {
        cluster.provider.wait_for(Endpoint::Token, UNDER_WAY).await;
        cluster.programs[1].kill().await;
        cluster.provider.release(Endpoint::Token);
    };
    tokio::join!(everybody, killing);

    cluster.check(people.len()).await;
    let clicked = people.iter().filter(|person| !person.clicks.is_empty()).count();
    let clicks = clicks(&people);
    println!(
        "killed: {} people signed in within {:.1?}, {clicked} of them after a click ({clicks:?}); nginx asked again {} \
         times, {} questions went unanswered, {} pages asked again by themselves",
        people.len(),
        began.elapsed(),
        cluster.nginx.asked_again(),
        people.iter().map(|person| person.unanswered).sum::<usize>(),
        people.iter().map(|person| person.away).sum::<usize>(),
    );
    assert!(clicked > 0, "the process was killed in the middle of something");
    assert!(people.iter().all(|person| person.clicks.len() <= 1), "one click is enough: {clicks:?}");
    assert!(clicks.keys().all(|code| code == "interrupted"), "{clicks:?}");
}

/// The program that is updated: the one of `VESTIBULE_BEFORE`, an older build, or else this build itself.
fn before() -> PathBuf {
    std::env::var_os("VESTIBULE_BEFORE").map_or_else(|| THIS.into(), PathBuf::from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_update_there_and_back_loses_no_sign_in_and_no_cookie() {
    /// People who sign in at the same time; each is followed by another.
    const AT_ONCE: usize = 24;
    /// Codes that are with the provider when a process is told to stop.
    const UNDER_WAY: usize = AT_ONCE / 2;
    let _turn = TURN.lock().await;
    let mut cluster = Cluster::of(&before()).await;
    let began = Instant::now();

    let site = cluster.site.clone();
    let (next, over) = (AtomicU16::new(0), AtomicBool::new(false));
    let queues = join_all((0..AT_ONCE).map(|_| sign_in_until(&site, &next, &over)));
    let replacing = async {
        let mut endings = Vec::new();
        for program in [Path::new(THIS), &before()] {
            for (number, name) in PROCESSES.iter().enumerate() {
                cluster.provider.hold(Endpoint::Token);
                let sent = cluster.provider.count(Endpoint::Token);
                cluster.provider.wait_for(Endpoint::Token, sent + UNDER_WAY).await;
                let took = cluster.replace(number, program).await;
                let finished = cluster.programs[number].finished_while_stopping();
                assert!(finished > 0, "{name} was told to stop in the middle of something");
                endings.push((took, finished));
            }
        }
        over.store(true, Ordering::Relaxed);
        endings
    };
    let (people, endings) = tokio::join!(queues, replacing);
    let people: Vec<_> = people.into_iter().flatten().collect();

    cluster.check(people.len().min(PEOPLE.into())).await;
    let clicks = clicks(&people);
    println!(
        "updated from {} and back: {} people signed in twice within {:.1?}, clicks {clicks:?}; the processes took {:.1?} \
         to end and finished {:?} sign-ins meanwhile; nginx asked again {} times, {} questions went unanswered, {} pages \
         asked again by themselves",
        before().display(),
        people.len(),
        began.elapsed(),
        endings.iter().map(|(took, _)| took).collect::<Vec<_>>(),
        endings.iter().map(|(_, finished)| finished).collect::<Vec<_>>(),
        cluster.nginx.asked_again(),
        people.iter().map(|person| person.unanswered).sum::<usize>(),
        people.iter().map(|person| person.away).sum::<usize>(),
    );
    assert!(clicks.is_empty(), "nobody has to know of it: {clicks:?}");
    let replaced = people.iter().filter(|person| person.replaced_cookies > 0).count();
    assert_eq!(replaced, 0, "a browser's cookie was not understood, and replaced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_is_rotated_while_people_are_with_the_provider() {
    /// People who begin between two restarts.
    const PER_STEP: u16 = 16;
    let _turn = TURN.lock().await;
    let mut cluster = Cluster::start().await;
    let began = Instant::now();

    let mut back = Vec::new();
    let mut step = 0;
    let mut away = begin(&cluster, 0..PER_STEP).await;
    // First every process learns the new key, then each seals with it.
    for keys in [[KEY, NEXT_KEY], [NEXT_KEY, KEY]] {
        cluster.set_keys(&keys);
        for process in 0..PROCESSES.len() {
            cluster.replace(process, Path::new(THIS)).await;
            step += 1;
            away.extend(begin(&cluster, step * PER_STEP..(step + 1) * PER_STEP).await);
            // Every other one comes back at once, while the processes differ; some are away during all that follows.
            let numbered = away.into_iter().enumerate();
            let (now, later): (Vec<_>, Vec<_>) = numbered.partition(|(number, _)| number.is_multiple_of(2));
            back.extend(come_back(now.into_iter().map(|(_, person)| person).collect()).await);
            away = later.into_iter().map(|(_, person)| person).collect();
        }
    }
    back.extend(come_back(away).await);
    join_all(back.iter_mut().map(Person::uses_the_session)).await;

    cluster.check(back.len()).await;
    let clicks = clicks(&back);
    println!(
        "rotated: {} people signed in within {:.1?}, clicks {clicks:?}; nginx asked again {} times",
        back.len(),
        began.elapsed(),
        cluster.nginx.asked_again(),
    );
    assert!(clicks.is_empty(), "nobody has to know of it: {clicks:?}");
}

/// One after the other signs in, and again, until all have and it is over.
async fn sign_in_until(site: &Site, next: &AtomicU16, over: &AtomicBool) -> Vec<Person> {
    let mut people = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= PEOPLE && over.load(Ordering::Relaxed) {
            return people;
        }
        // Where all have been here they come again, with another browser.
        let mut person = Person::new(site, number % PEOPLE);
        person.sign_in().await;
        person.sign_in_again().await;
        people.push(person);
    }
}

/// People go to the provider; with each where the provider leads.
async fn begin(cluster: &Cluster, numbers: Range<u16>) -> Vec<(Person, Url)> {
    join_all(numbers.map(|number| async move {
        let mut person = cluster.person(number);
        let callback = person.begin().await;
        (person, callback)
    }))
    .await
}

async fn come_back(people: Vec<(Person, Url)>) -> Vec<Person> {
    join_all(people.into_iter().map(|(mut person, callback)| async move {
        person.finish(callback).await;
        person
    }))
    .await
}
