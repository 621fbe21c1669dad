//! Sign-ins while everything around them misbehaves: the provider mutates every claim that decides nothing, nobody reads
//! the log or its pipe breaks, and the store refuses writes for stretches. Nobody may notice more than a page that says
//! so and goes on by itself.

use std::{
    fs::{File, OpenOptions},
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use proptest::{
    prelude::{Strategy as _, prop},
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use test_provider::{Behaviour, Document, JwtEdit, Profile, ProviderConfig, Rule, RunningProvider};
use tokio::task::JoinSet;

use crate::{
    load::{KEY, TURN},
    support::{
        browser::Browser,
        claims::{names, raw, values},
        people::{Person, Site},
        process::{Database, Program, Settings, Stderr},
    },
};

/// People who sign in again and again.
const PEOPLE: u16 = 8;
/// How long the store takes writes, and how long it refuses them, in turn.
const WRITABLE: Duration = Duration::from_secs(6);
const READ_ONLY: Duration = Duration::from_secs(3);
/// How long the claims stay the same.
const MUTATED_FOR: Duration = Duration::from_millis(300);
/// What the program may hold more of when it is over.
const GROWN: u64 = 64 * 1024 * 1024;

/// How long it goes on: `VESTIBULE_SOAK_SECONDS`, or else a little.
fn lasting() -> Duration {
    let seconds = std::env::var("VESTIBULE_SOAK_SECONDS").ok().map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(30))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_odd_claims_a_broken_log_or_a_store_that_refuses_writes() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let sink = fifo(folder.path());
    let over = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let (sink, over) = (sink.clone(), Arc::clone(&over));
        move || read_at_random(&sink, &over)
    });
    let mut program = Program::new(folder.path(), "soak");
    let origin = format!("http://{}", program.address);
    let (site, provider) = Site::open_at(&origin, PEOPLE, ProviderConfig::new(Profile::Standard)).await;
    let database = Database::Sqlite(folder.path().join("soak.db"));
    program.set(&Settings { public_url: &origin, database: &database, provider: &provider, keys: &[KEY.to_owned()] });
    program.start_logging_to(Stderr::File(sink)).await;
    let mut people: Vec<_> = (0..PEOPLE).map(|number| Person::new(&site, number)).collect();
    // Their names are made now; from here on what they are called may change.
    for person in &mut people {
        person.sign_in().await;
    }
    let held_at_first = program.memory("VmRSS");

    let until = Instant::now() + lasting();
    let mut signing_in = sign_in(&site, people, until);
    misbehave(&program, &provider, &origin, until).await;
    let (mut times, mut away, mut clicks) = (0, 0, Vec::new());
    while let Some(done) = signing_in.join_next().await {
        let (of_one, known) = done.unwrap();
        times += of_one;
        away += known.away;
        clicks.extend(known.clicks);
    }
    let grown = program.memory("VmRSS").saturating_sub(held_at_first);
    println!(
        "{times} sign-ins, {away} pages that went on by themselves, clicks: {clicks:?}; {} kB more memory",
        grown / 1024
    );
    assert!(times >= usize::from(PEOPLE), "everybody gets in");
    // In a short one nobody may happen to come by while it refuses.
    assert!(away > 0 || lasting() < Duration::from_secs(60), "nobody has met a store that refuses");
    let right = |code: &String| ["store_unavailable", "interrupted"].contains(&code.as_str());
    assert!(clicks.iter().all(right), "a wrong page: {clicks:?}");
    assert!(grown < GROWN, "{grown} bytes more");
    assert_eq!(database.count("users").await, u64::from(PEOPLE));
    program.ask_to_end().await;
    assert_eq!(program.ended().await, 0, "it ends as it should");
    over.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}

/// Each signs in again and again, with the browser that is known and with a new one.
fn sign_in(site: &Site, people: Vec<Person>, until: Instant) -> JoinSet<(usize, Person)> {
    let mut signing_in = JoinSet::new();
    for (number, mut known) in (0..PEOPLE).zip(people) {
        let site = site.clone();
        signing_in.spawn(async move {
            let mut times = 0;
            while Instant::now() < until {
                known.sign_in_by_a_click().await;
                let mut new = Person::new(&site, number);
                new.sign_in().await;
                known.clicks.append(&mut new.clicks);
                known.away += new.away;
                times += 2;
            }
            (times, known)
        });
    }
    signing_in
}

/// Mutates the claims and lets the store refuse writes by turns, and looks whether the program answers.
async fn misbehave(program: &Program, provider: &RunningProvider, origin: &str, until: Instant) {
    let (mut runner, mut mutated) = (TestRunner::deterministic(), Instant::now());
    let (mut may_write, mut changed) = (true, Instant::now());
    while Instant::now() < until {
        if mutated.elapsed() > MUTATED_FOR {
            mutate(provider, &mut runner);
            mutated = Instant::now();
        }
        if changed.elapsed() > if may_write { WRITABLE } else { READ_ONLY } {
            may_write = !may_write;
            program.may_write(may_write);
            changed = Instant::now();
        }
        assert_eq!(health(origin).await, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    provider.behave_well();
    program.may_write(true);
}

/// Other values of other claims, in the ID token and in userinfo.
fn mutate(provider: &RunningProvider, runner: &mut TestRunner) {
    let cases = prop::collection::vec((names(), values()), 0..4);
    let [of_the_token, of_userinfo, signed] = [(); 3].map(|()| {
        let drawn = cases.new_tree(runner).unwrap().current();
        let mut seen = std::collections::BTreeSet::new();
        drawn
            .into_iter()
            .filter(|(name, _)| seen.insert(name.clone()))
            .map(|(name, value)| raw(&name, &value))
            .collect::<Vec<_>>()
    });
    let is_signed = proptest::bool::ANY.new_tree(runner).unwrap().current();
    provider.behave_well();
    for edit in of_the_token {
        provider.behave(Rule::standing(Behaviour::IdToken(JwtEdit::claims(edit))));
    }
    if is_signed {
        for edit in signed {
            provider.behave(Rule::standing(Behaviour::SignedUserinfo(JwtEdit::claims(edit))));
        }
    } else {
        for edit in of_userinfo {
            provider.behave(Rule::standing(Behaviour::Edit { of: Document::Userinfo, edit }));
        }
    }
}

async fn health(origin: &str) -> u16 {
    const HANGS: Duration = Duration::from_secs(30);
    let (url, browser) = (format!("{origin}/healthz"), Browser::default());
    tokio::time::timeout(HANGS, browser.get(&url)).await.expect("it hangs").status.as_u16()
}

fn fifo(folder: &Path) -> PathBuf {
    let path = folder.join("log");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Reads what is logged, then does not for a while, then goes away for a while: nobody may wait for it.
fn read_at_random(sink: &Path, over: &AtomicBool) {
    // Reading and writing, so that the program's side opens at once; it never writes.
    let mut kept: Option<File> = Some(open(sink));
    let mut turn = 0_u32;
    let mut buffer = [0; 64 * 1024];
    while !over.load(Ordering::Relaxed) {
        turn = turn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match turn >> 30 {
            0 => kept = None,
            1 => {}
            _ => {
                let pipe = kept.get_or_insert_with(|| open(sink));
                // Without a writer or without lines there is nothing, or an end.
                while pipe.read(&mut buffer).is_ok_and(|read| read > 0) {}
            }
        }
        thread::sleep(Duration::from_millis(u64::from((turn >> 20) & 0x3ff) * 2));
    }
}

/// For reading, without waiting for a writer.
fn open(sink: &Path) -> File {
    const O_NONBLOCK: i32 = 0o4000;
    OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(sink).unwrap()
}
