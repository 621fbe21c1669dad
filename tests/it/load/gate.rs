//! The gate under load, in real processes: that an end is an end everywhere, a store that is away, and memory.

mod memory;
mod outage;
mod revocation;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use test_provider::RunningProvider;
use tokio::task::JoinHandle;

use crate::{
    load::KEY,
    support::{
        people::{Person, Site},
        process::{Database, Program, Settings},
        scene::LOGIN_HOST,
        wire::{Answer, Wire},
    },
};

const WIKI: &str = "wiki.localhost";

/// Processes on one store, which people are signed in at, and an application behind them.
struct Gated {
    programs: Vec<Program>,
    site: Site,
    database: Database,
    _provider: RunningProvider,
}

/// Somebody who is signed in at the application.
struct Known {
    person: Person,
    /// Of the application's host.
    cookie: String,
}

impl Gated {
    async fn start(folder: &Path, database: Database, processes: usize, people: u16) -> Self {
        let mut programs: Vec<_> = (0..processes).map(|n| Program::new(folder, &format!("gate-{n}"))).collect();
        let port = programs[0].address.port();
        let origin = format!("http://{LOGIN_HOST}:{port}");
        let (site, provider) = Site::open(&origin, people).await;
        let keys = [KEY.to_owned()];
        let settings = Settings { public_url: &origin, database: &database, provider: &provider, keys: &keys };
        for program in &mut programs {
            let application = format!(
                "[[app]]\nurl = \"http://{WIKI}:{port}\"\n[[app.rule]]\npath = \"/admin/\"\nroles = [\"admin\"]\n"
            );
            program.set_with(&settings, &application);
            program.start().await;
        }
        Self { programs, site, database, _provider: provider }
    }

    fn port(&self) -> u16 {
        self.programs[0].address.port()
    }

    /// What a proxy asks about a page of the application.
    fn question(&self, endpoint: &str, uri: &str, cookie: &str) -> String {
        let mut question = format!(
            "GET {endpoint} HTTP/1.1\r\nhost: gate\r\nx-forwarded-method: GET\r\nx-forwarded-proto: http\r\n\
             x-forwarded-host: {WIKI}:{}\r\nx-forwarded-uri: {uri}\r\nx-forwarded-for: 192.0.2.7\r\naccept: text/html\r\n",
            self.port()
        );
        if !cookie.is_empty() {
            let _ = write!(question, "cookie: {cookie}\r\n");
        }
        question + "\r\n"
    }

    fn check(&self, uri: &str, who: &Known) -> String {
        self.question("/auth/verify", uri, &who.cookie)
    }

    /// Asks that program once.
    async fn ask(&self, program: usize, question: &str) -> Answer {
        Wire::open(Ipv4Addr::LOCALHOST, self.programs[program].gate).await.exchange(question).await
    }

    /// Signs a person in, at the login host and from there at the application.
    async fn signs_in(&self, number: u16) -> Known {
        let mut person = Person::new(&self.site, number);
        person.sign_in().await;
        let cookie = self.enters(&person).await;
        Known { person, cookie }
    }

    /// From the application's host to the login host and back; returns the cookie of the application's host.
    async fn enters(&self, person: &Person) -> String {
        let asked = self.ask(0, &self.question("/auth/forward", "/page", "")).await;
        let entering = person.browser.get(&asked.location).await;
        let origin = format!("http://{WIKI}:{}", self.port());
        let enter = entering.location().strip_prefix(&origin).expect("back to the application");
        let request = format!(
            "GET {enter} HTTP/1.1\r\nhost: {WIKI}:{}\r\naccept: text/html\r\ncookie: {}\r\n\r\n",
            self.port(),
            asked.cookies[0]
        );
        let mut wire = Wire::open(Ipv4Addr::LOCALHOST, self.programs[0].address).await;
        let entered = wire.exchange(&request).await;
        assert_eq!((entered.status, &*entered.location), (303, &*format!("{origin}/page")));
        entered.cookies[0].clone()
    }
}

/// What was answered to one question, asked again and again.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<u16, usize>,
    /// When the last question was asked that was answered with a yes.
    last_yes: Option<Instant>,
    slowest: Duration,
}

/// Proxies that ask without end.
struct Load {
    over: Arc<AtomicBool>,
    proxies: Vec<JoinHandle<Vec<Seen>>>,
}

impl Load {
    /// One that asks these questions of each of these gates, in turn.
    fn of(gates: &[SocketAddr], questions: &[String]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let proxies = gates.iter().map(|gate| {
            let (gate, over, questions) = (*gate, Arc::clone(&over), questions.to_vec());
            tokio::spawn(async move {
                let mut seen: Vec<Seen> = questions.iter().map(|_| Seen::default()).collect();
                let mut wire = Wire::open(Ipv4Addr::LOCALHOST, gate).await;
                while !over.load(Ordering::Relaxed) {
                    for (question, seen) in questions.iter().zip(&mut seen) {
                        let began = Instant::now();
                        let status = wire.exchange(question).await.status;
                        *seen.statuses.entry(status).or_default() += 1;
                        seen.slowest = seen.slowest.max(began.elapsed());
                        if status == 200 {
                            seen.last_yes = Some(began);
                        }
                    }
                }
                seen
            })
        });
        Self { proxies: proxies.collect(), over }
    }

    /// Ends it; what each gate has answered to each question.
    async fn ends(self) -> Vec<Vec<Seen>> {
        self.over.store(true, Ordering::Relaxed);
        let mut seen = Vec::new();
        for proxy in self.proxies {
            seen.push(proxy.await.unwrap());
        }
        seen
    }
}
