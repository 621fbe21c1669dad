//! What becomes of the store while the program runs.

use std::{fs, path::PathBuf};

use reqwest::StatusCode;
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use test_provider::Endpoint;

use crate::support::{browser::Browser, mongo::Server, page::Page, scene::Scene, wait::eventually};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The file is gone from its place.
    Removed,
    /// Another file is there.
    Replaced,
    /// The log beside it is gone.
    LogRemoved,
    /// Nothing can be inserted any more: what SQLite says where the disk is full.
    Full,
    /// The tables point nowhere.
    Damaged,
}

impl Trouble {
    /// What the administrator is told.
    const fn said(self) -> [&'static str; 2] {
        match self {
            Self::Removed | Self::Replaced | Self::LogRemoved => ["removed or replaced", "put the file"],
            Self::Full => ["full", "free some space"],
            Self::Damaged => ["malformed", "restore a backup"],
        }
    }

    async fn begins(self, scene: &Scene) {
        match self {
            Self::Removed => fs::rename(&scene.database, away(&scene.database)).unwrap(),
            Self::Replaced => {
                fs::rename(&scene.database, away(&scene.database)).unwrap();
                fs::copy(away(&scene.database), &scene.database).unwrap();
            }
            Self::LogRemoved => fs::rename(log(scene), away(&log(scene))).unwrap(),
            Self::Full => scene.fill("BEFORE INSERT ON login_attempts").await,
            Self::Damaged => scene.damage("login_sessions").await,
        }
    }

    async fn ends(self, scene: &Scene) {
        match self {
            Self::Removed | Self::Replaced => fs::rename(away(&scene.database), &scene.database).unwrap(),
            Self::LogRemoved => fs::rename(away(&log(scene)), log(scene)).unwrap(),
            Self::Full => scene.execute("DROP TRIGGER fault").await,
            Self::Damaged => scene.repair("login_sessions").await,
        }
    }
}

fn away(path: &std::path::Path) -> PathBuf {
    path.with_extension("away")
}

fn log(scene: &Scene) -> PathBuf {
    scene.database.with_extension("db-wal")
}

/// What `/readyz` says to anybody, once it has this status.
async fn readyz(scene: &Scene, status: StatusCode) {
    let (url, browser) = (scene.url("/readyz"), scene.browser());
    eventually("/readyz says so", || async { (browser.get(&url).await.status == status).then_some(()) }).await;
}

/// What it says to the administrator of the store.
async fn told(scene: &Scene) -> Value {
    let page = scene.browser().get(&format!("http://{}/readyz", scene.admin)).await;
    serde_json::from_str::<Value>(&page.body).unwrap()["store"].take()
}

/// 503, with a page that goes on by itself.
#[track_caller]
fn unavailable(page: &Page) {
    page.explains("store_unavailable");
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("http-equiv=\"refresh\""), "{}", page.body);
}

/// From a page that goes on by itself to where the person wanted to go.
async fn goes_on(scene: &Scene, browser: &Browser, page: &Page) {
    let url = scene.url(&page.button());
    let landed =
        eventually("the person is where they wanted to go", || async { browser.follow(scene, &url).await.err() });
    assert_eq!(landed.await, "/reports");
    assert!(browser.is_signed_in(scene).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_written_any_more_is_told_at_once_and_comes_back() {
    for trouble in [Trouble::Removed, Trouble::Replaced, Trouble::LogRemoved, Trouble::Full, Trouble::Damaged] {
        let scene = Scene::patient().await;
        let (known, new) = (scene.browser(), scene.browser());
        known.sign_in(&scene).await;
        assert!(known.is_signed_in(&scene).await);
        readyz(&scene, StatusCode::OK).await;
        let callback = new.callback_url(&scene, "/reports").await;

        trouble.begins(&scene).await;
        readyz(&scene, StatusCode::SERVICE_UNAVAILABLE).await;
        let store = told(&scene).await;
        let [error, to_do] = trouble.said();
        assert_eq!(store["ready"], false, "{trouble:?}");
        assert!(store["error"].as_str().unwrap().contains(error), "{trouble:?}: {store}");
        assert!(store["to_do"].as_str().unwrap().contains(to_do), "{trouble:?}: {store}");
        let page = new.follow(&scene, &callback).await.unwrap();
        unavailable(&page);
        assert_eq!(scene.redeemed(), 1, "{trouble:?}: the code was not sent");
        // What can be read is told; but of a file that is no longer the one at its path nobody knows what the new one says.
        if trouble == Trouble::Full {
            assert!(known.is_signed_in(&scene).await, "{trouble:?}");
        } else {
            unavailable(&known.get(&scene.url("/auth/account")).await);
        }

        trouble.ends(&scene).await;
        readyz(&scene, StatusCode::OK).await;
        goes_on(&scene, &new, &page).await;
        assert!(known.is_signed_in(&scene).await, "{trouble:?}");
        assert_eq!(scene.redeemed(), 2, "{trouble:?}");
    }
}

/// Once the code is spent, the exchange goes on trying; the person is told meanwhile, and gets in all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_after_the_code_was_sent_is_told_at_once_and_costs_no_sign_in() {
    for when in [
        "BEFORE INSERT ON users",
        "BEFORE UPDATE ON login_attempts WHEN NEW.state <> 'running'",
        "BEFORE INSERT ON login_sessions",
    ] {
        let scene = Scene::patient().await;
        let browser = scene.browser();
        let callback = browser.callback_url(&scene, "/reports").await;
        scene.fill(when).await;
        let page = browser.follow(&scene, &callback).await.unwrap();
        unavailable(&page);
        scene.execute("DROP TRIGGER fault").await;
        goes_on(&scene, &browser, &page).await;
        assert_eq!((scene.redeemed(), scene.count("users").await), (1, 1), "{when}");
    }
}

/// So it is with a table that is gone, whichever statement meets that first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_gone_is_told_at_once_and_costs_no_sign_in() {
    for table in ["login_sessions", "users", "login_attempts"] {
        let scene = Scene::patient().await;
        let browser = scene.browser();
        let callback = browser.callback_url(&scene, "/reports").await;
        scene.execute(&format!("ALTER TABLE {table} RENAME TO away")).await;
        let page = browser.follow(&scene, &callback).await.unwrap();
        unavailable(&page);
        scene.execute(&format!("ALTER TABLE away RENAME TO {table}")).await;
        goes_on(&scene, &browser, &page).await;
        assert_eq!((scene.redeemed(), scene.count("users").await), (1, 1), "{table}");
    }
}

/// Nobody has used what could not be delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_could_not_be_written_in_time_was_interrupted_and_not_used() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    scene.fill("BEFORE INSERT ON login_sessions").await;
    let page = browser.follow(&scene, &callback).await.unwrap();
    unavailable(&page);
    scene.later(130);
    for _ in 0..2 {
        browser.follow(&scene, &scene.url(&page.button())).await.unwrap().explains("interrupted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_emptied_is_told_until_the_program_is_started_anew() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, "/reports").await;
    readyz(&scene, StatusCode::OK).await;
    fs::OpenOptions::new().write(true).open(&scene.database).unwrap().set_len(0).unwrap();
    readyz(&scene, StatusCode::SERVICE_UNAVAILABLE).await;
    let store = told(&scene).await;
    assert!(store["error"].as_str().unwrap().contains("emptied"), "{store}");
    assert!(store["to_do"].as_str().unwrap().contains("restore a backup"), "{store}");
    unavailable(&browser.follow(&scene, &callback).await.unwrap());
    assert_eq!(scene.redeemed(), 0);
}

/// Whoever comes first may wait for a lock to pass. Once it is known to last, nobody waits to find that out, and everybody
/// goes on by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_stays_locked_is_told_at_once_and_costs_no_sign_in() {
    let scene = Scene::patient().await;
    scene.provider.wait_for(Endpoint::Jwks, 1).await;
    let (first, second) = (scene.browser(), scene.browser());
    let one = first.callback_url(&scene, "/reports").await;
    let two = second.callback_url(&scene, "/reports").await;
    let mut lock =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&scene.database)).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    eventually("the first is told", || async {
        let page = first.follow(&scene, &one).await.unwrap();
        (page.data("code") == Some("store_unavailable")).then_some(())
    })
    .await;
    let page = second.follow(&scene, &two).await.unwrap();
    unavailable(&page);
    assert_eq!(scene.redeemed(), 0, "no code was sent");
    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    goes_on(&scene, &second, &page).await;
}

/// A server that refuses writes, with these codes: Unauthorized, UserWritesBlocked, AtlasError (over the quota),
/// OutOfDiskSpace, CommandNotSupportedOnView, and one that is no code of MongoDB's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_writes_is_told_at_once_and_comes_back() {
    let server = Server::start_replica_set().await;
    for (code, to_do) in [
        (13, "readWrite"),
        (371, "message"),
        (8_000, "message"),
        (14_031, "free some space"),
        (166, "message"),
        (99_999, "message"),
    ] {
        let scene = Scene::on_mongo(server.uri(), "", |settings| {
            settings.sign_in.patience = std::time::Duration::from_secs(20)
        })
        .await;
        scene.provider.wait_for(Endpoint::Jwks, 1).await;
        let (known, new) = (scene.browser(), scene.browser());
        known.sign_in(&scene).await;
        assert!(known.is_signed_in(&scene).await);
        readyz(&scene, StatusCode::OK).await;
        let callback = new.callback_url(&scene, "/reports").await;

        let commands = ["insert", "update", "delete", "findAndModify"];
        server.fail(bson::doc! { "errorCode": code, "failCommands": commands.as_slice() }, None).await;
        readyz(&scene, StatusCode::SERVICE_UNAVAILABLE).await;
        let store = told(&scene).await;
        assert!(store["error"].as_str().unwrap().contains(&code.to_string()), "{code}: {store}");
        assert!(store["to_do"].as_str().unwrap().contains(to_do), "{code}: {store}");
        let page = new.follow(&scene, &callback).await.unwrap();
        unavailable(&page);
        assert!(known.is_signed_in(&scene).await, "{code}");
        let out = known.post(&scene.url("/auth/logout"), "").await;
        out.explains("store_unavailable");

        server.succeed().await;
        readyz(&scene, StatusCode::OK).await;
        goes_on(&scene, &new, &page).await;
        assert!(known.is_signed_in(&scene).await, "{code}");
    }
}
