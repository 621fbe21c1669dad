//! Three processes on one MongoDB behind nginx, and people who sign in while processes come and go.
#![cfg(all(feature = "demo", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stdout, reason = "what was measured")]
#![allow(dead_code, unreachable_pub, reason = "the support serves several test programs")]

#[path = "support/mongo.rs"]
mod mongo;
#[path = "support/people.rs"]
mod people;
#[path = "support/process.rs"]
mod process;
#[path = "support/scene.rs"]
mod scene;

use std::{collections::BTreeMap, time::Instant};

use futures_util::future::join_all;
use people::{Person, Site, account};
use process::{Database, Nginx, Program, Settings};
use scene::{CLIENT_ID, CLIENT_SECRET, free_address};
use vestibule::server::demo::{Client, Endpoint, Profile, ProviderConfig, RunningProvider};

const PEOPLE: u16 = 200;
const PROCESSES: [&str; 3] = ["one", "two", "three"];
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

struct Cluster {
    site: Site,
    programs: Vec<Program>,
    nginx: Nginx,
    database: Database,
    keys: Vec<String>,
    provider: RunningProvider,
    _mongo: mongo::Server,
    _folder: tempfile::TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mongo = mongo::Server::start_own().await;
        let front = free_address();
        let origin = format!("http://{front}");
        let client = Client::basic(CLIENT_ID, CLIENT_SECRET, &format!("{origin}/auth/oidc/callback"));
        let people = (0..PEOPLE).map(account).collect();
        let config = ProviderConfig { people, ..ProviderConfig::new(Profile::Standard) };
        let provider = RunningProvider::start(config.with_client(client)).await.unwrap();
        let programs: Vec<_> = PROCESSES.iter().map(|name| Program::new(folder.path(), name)).collect();
        let nginx = Nginx::start(folder.path(), front, &programs).await;
        let database = Database::Mongo { uri: mongo.uri().to_owned(), name: mongo::database_name() };
        let mut cluster = Self {
            site: Site::new(&origin, &provider),
            programs,
            nginx,
            database,
            keys: Vec::new(),
            provider,
            _mongo: mongo,
            _folder: folder,
        };
        cluster.set_keys(&[KEY]);
        for program in &mut cluster.programs {
            program.start().await;
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
