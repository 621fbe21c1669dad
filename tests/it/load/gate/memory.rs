//! What the gate holds in memory: of sessions in use, as much as is said; of anything else, nothing.

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::task::JoinSet;
use vestibule::server::{ids::SessionHash, limits, session::SessionId};

use super::{Gated, WIKI};
use crate::{
    load::{KEY, TURN},
    support::{
        people::{Person, Site},
        process::{Database, Program, Settings},
        wire::Wire,
    },
};

const MANY: usize = 100_000;
/// What a process needs is in memory after so many.
const WARM_UP: usize = 2_000;
const CONNECTIONS: usize = 16;
const MEGABYTE: u64 = 1024 * 1024;

/// Sends so many questions, made of their numbers; returns how often each status was the answer.
async fn flood(
    program: &Program,
    count: usize,
    question: impl Fn(usize) -> String + Send + Sync + 'static,
) -> [usize; 3] {
    let (next, question) = (Arc::new(AtomicUsize::new(0)), Arc::new(question));
    let mut proxies = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (gate, next, question) = (program.gate, Arc::clone(&next), Arc::clone(&question));
        proxies.spawn(async move {
            let mut wire = Wire::open(Ipv4Addr::LOCALHOST, gate).await;
            let mut answers = [0; 3];
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return answers;
                }
                match wire.exchange(&question(number)).await.status {
                    200 => answers[0] += 1,
                    401 => answers[1] += 1,
                    _ => answers[2] += 1,
                }
            }
        });
    }
    let mut answers = [0; 3];
    while let Some(of_one) = proxies.join_next().await {
        answers.iter_mut().zip(of_one.unwrap()).for_each(|(all, of_one)| *all += of_one);
    }
    answers
}

/// The id of a session, as a cookie.
fn session_like(number: usize) -> SessionId {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    SessionId::new(id)
}

/// A program whose own host is the application's: a cookie there is the id of a session.
async fn at_the_login_host(folder: &Path) -> (Program, Person, String) {
    let mut program = Program::new(folder, "login");
    let origin = format!("http://{}", program.address);
    let (site, provider) = Site::open(&origin, 1).await;
    let database = Database::Sqlite(folder.join("gate.db"));
    let keys = [KEY.to_owned()];
    program.set(&Settings { public_url: &origin, database: &database, provider: &provider, keys: &keys });
    program.start().await;
    let mut person = Person::new(&site, 0);
    person.sign_in().await;
    let cookie = person.browser.cookies.lock().unwrap()[&(origin, "vestibule".to_owned())].clone();
    (program, person, cookie)
}

fn check(host: &str, cookie: &str) -> String {
    format!(
        "GET /auth/verify HTTP/1.1\r\nhost: gate\r\nx-forwarded-method: GET\r\nx-forwarded-proto: http\r\n\
         x-forwarded-host: {host}\r\nx-forwarded-uri: /page\r\ncookie: vestibule={cookie}\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_cookies_grows_nothing_and_keeps_nobody_out() {
    /// As in `load::flood`.
    const MOST_GROWTH: u64 = 32 * MEGABYTE;
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let (program, _person, cookie) = at_the_login_host(folder.path()).await;
    let host = program.address.to_string();
    let honest = check(&host, &cookie);
    let of_a_session = move |number| check(&host, &session_like(number).expose());
    flood(&program, WARM_UP, of_a_session.clone()).await;
    grows_nothing("ids of sessions", &program, honest, of_a_session, MOST_GROWTH).await;

    let folder = tempfile::tempdir().unwrap();
    let gated = Gated::start(folder.path(), Database::Sqlite(folder.path().join("gate.db")), 1, 1).await;
    let known = gated.signs_in(0).await;
    let (host, sealed) = (format!("{WIKI}:{}", gated.port()), known.cookie.split_once('=').unwrap().1.to_owned());
    let honest = check(&host, &sealed);
    let of_a_host = move |number: usize| {
        // Each differs from a real one in some letters.
        let mut cookie = sealed.clone().into_bytes();
        format!("{number:06}").bytes().zip(&mut cookie[20..]).for_each(|(digit, letter)| *letter = digit);
        check(&host, std::str::from_utf8(&cookie).unwrap())
    };
    flood(&gated.programs[0], WARM_UP, of_a_host.clone()).await;
    grows_nothing("sealed cookies", &gated.programs[0], honest, of_a_host, MOST_GROWTH).await;
}

async fn grows_nothing(
    name: &str,
    program: &Program,
    honest: String,
    question: impl Fn(usize) -> String + Send + Sync + 'static,
    most: u64,
) {
    let warm = program.memory("VmRSS");
    let began = Instant::now();
    let flooding = flood(program, MANY, question);
    // Somebody who is signed in works meanwhile.
    let working = async {
        let mut wire = Wire::open(Ipv4Addr::LOCALHOST, program.gate).await;
        for _ in 0..500 {
            assert_eq!(wire.exchange(&honest).await.status, 200);
        }
    };
    let (answers, ()) = tokio::join!(flooding, working);
    let grown = program.memory("VmHWM").saturating_sub(warm);
    println!("{MANY} {name} in {:.1?}: {} kB more memory than {} kB", began.elapsed(), grown / 1024, warm / 1024);
    assert_eq!(answers, [0, MANY, 0]);
    assert!(grown < most, "{grown} bytes more");
}

/// Of as many sessions as are said to find room. (docs/decisions/gate.md has the number.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_sessions_in_use_find_room() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let (program, _person, cookie) = at_the_login_host(folder.path()).await;
    insert(&folder.path().join("gate.db"), &cookie).await;
    let host = program.address.to_string();
    let of_a_session = move |number| check(&host, &session_like(number).expose());
    flood(&program, WARM_UP, of_a_session.clone()).await;
    let warm = program.memory("VmRSS");
    let began = Instant::now();
    assert_eq!(flood(&program, MANY, of_a_session.clone()).await, [MANY, 0, 0]);
    let asked = began.elapsed();
    let began = Instant::now();
    assert_eq!(flood(&program, MANY, of_a_session).await, [MANY, 0, 0]);
    let known = program.memory("VmHWM").saturating_sub(warm);
    println!(
        "{MANY} sessions in use: {} MB, {} bytes each; asked for in {asked:.1?}, and once more in {:.1?}",
        known / MEGABYTE,
        known / MANY as u64,
        began.elapsed()
    );
    assert!(known < limits::KNOWN_SESSIONS_BYTES + limits::PASSES_BYTES, "{known} bytes");
}

/// So many sessions, like the one that there is.
async fn insert(path: &Path, like: &str) {
    let like = SessionId::parse(like).unwrap().hash();
    let pool = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(path)).await.unwrap();
    let mut transaction = pool.begin().await.unwrap();
    let key = |hash: SessionHash| hash.as_bytes().to_vec();
    for number in 0..MANY {
        sqlx::query(
            "INSERT INTO login_sessions (id, user_id, issuer, provider, created_at, last_seen_at, expires_at, subject) \
             SELECT ?, user_id, issuer, provider, created_at, last_seen_at, expires_at, subject FROM login_sessions \
             WHERE id = ?",
        )
        .bind(key(session_like(number).hash()))
        .bind(key(like))
        .execute(&mut *transaction)
        .await
        .unwrap();
    }
    transaction.commit().await.unwrap();
    pool.close().await;
}
