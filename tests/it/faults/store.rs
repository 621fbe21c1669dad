//! The store's faults (SQLite): another process holds the file's lock, writes are refused, tables are gone.

use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use test_provider::{Endpoint, Profile};
use vestibule::server::settings::Settings;

use crate::{
    faults::{
        person::{Person, RETURN_TO},
        row::{Ends, Ends::SignedIn, Played, Row},
        steps::{self, back_from_the_provider, held_at, undelivered},
    },
    support::{browser::Browser, page::query, scene::Scene, wait::eventually},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Another connection holds the only lock for writing.
    Locked,
    /// A write fails, for a reason that may pass; reads succeed.
    Refused,
    /// A write fails as on a full disk; reads succeed.
    Full,
    /// Neither reads nor writes succeed.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Claim,
    User,
    Verdict,
    Delivery,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasts {
    /// Until the person has waited for a while.
    AWhile,
    /// Beyond the deadline.
    Long,
}

impl Trouble {
    const fn name(self) -> &'static str {
        match self {
            Self::Locked => "locked by another process",
            Self::Refused => "writes fail",
            Self::Full => "the disk is full",
            Self::Gone => "a table is gone",
        }
    }

    /// Whether waiting is of no use.
    const fn is_a_refusal(self) -> bool {
        matches!(self, Self::Full | Self::Gone)
    }
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::User => "user",
            Self::Verdict => "verdict",
            Self::Delivery => "delivery",
        }
    }

    const fn table(self) -> &'static str {
        match self {
            Self::Claim | Self::Verdict => "login_attempts",
            Self::User => "users",
            Self::Delivery => "login_sessions",
        }
    }

    const fn refused(self) -> &'static str {
        match self {
            Self::Claim => "BEFORE INSERT ON login_attempts",
            Self::User => "BEFORE INSERT ON users",
            Self::Verdict => "BEFORE UPDATE ON login_attempts WHEN NEW.state <> 'running'",
            Self::Delivery => "BEFORE INSERT ON login_sessions",
        }
    }
}

/// The trouble, until it is over.
enum Caused {
    Lock(SqliteConnection),
    Undo(String),
}

impl Caused {
    async fn at(scene: &Scene, trouble: Trouble, step: Step) -> Self {
        match trouble {
            Trouble::Locked => {
                let options = SqliteConnectOptions::new().filename(&scene.database);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.unwrap();
                Self::Lock(connection)
            }
            Trouble::Refused => {
                let when = step.refused();
                scene
                    .execute(&format!("CREATE TRIGGER fault {when} BEGIN SELECT RAISE(ABORT, 'disk full'); END"))
                    .await;
                Self::Undo("DROP TRIGGER fault".to_owned())
            }
            Trouble::Full => {
                scene.fill(step.refused()).await;
                Self::Undo("DROP TRIGGER fault".to_owned())
            }
            Trouble::Gone => {
                let table = step.table();
                scene.execute(&format!("ALTER TABLE {table} RENAME TO away")).await;
                Self::Undo(format!("ALTER TABLE away RENAME TO {table}"))
            }
        }
    }

    async fn over(self, scene: &Scene) {
        match self {
            Self::Lock(mut connection) => {
                sqlx::query("ROLLBACK").execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Self::Undo(sql) => scene.execute(&sql).await,
        }
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for trouble in [Trouble::Locked, Trouble::Refused] {
        for step in [Step::Claim, Step::User, Step::Verdict, Step::Delivery] {
            // The lock is taken while userinfo is held, and so is in the way of the user and of the verdict.
            if (trouble, step) == (Trouble::Locked, Step::Verdict) {
                continue;
            }
            let name = format!("{}, for a while", trouble.name());
            rows.push(Row::new(&name, step.name(), SignedIn, move |script| play(trouble, step, Lasts::AWhile, script)));
            // A verified attempt is not given up: it can be delivered as long as requests come.
            if step != Step::Delivery {
                let name = format!("{}, beyond the deadline", trouble.name());
                let ends: &[&str] = match (step, trouble) {
                    (Step::Claim, _) => &["store_unavailable"],
                    // The verdict on the attempt can still be written.
                    (Step::User, Trouble::Refused) => &["interrupted"],
                    // A request after the process has given up learns it from the lease.
                    _ => &["store_unavailable", "interrupted"],
                };
                // Without a script: see `a_person_with_javascript_is_told_that_the_store_is_down` for the other.
                rows.push(Row::new(&name, step.name(), Ends::Explained(ends), move |_| {
                    play(trouble, step, Lasts::Long, false)
                }));
            }
        }
    }
    for trouble in [Trouble::Full, Trouble::Gone] {
        for step in [Step::Claim, Step::User, Step::Verdict, Step::Delivery] {
            let name = format!("{}, for a while", trouble.name());
            let ends = Ends::Explained(&["store_unavailable"]);
            rows.push(Row::new(&name, step.name(), ends, move |script| play(trouble, step, Lasts::AWhile, script)));
        }
        let name = format!("{}, beyond the deadline", trouble.name());
        rows.push(Row::new(&name, Step::User.name(), Ends::Explained(&["interrupted"]), move |script| {
            play(trouble, Step::User, Lasts::Long, script)
        }));
    }
    for (step, killed) in
        [("a verdict is missed, and asked for", false), ("killed before the verdict, and asked for", true)]
    {
        let ends = Ends::Explained(&["interrupted"]);
        rows.push(Row::new(Trouble::Refused.name(), step, ends, move |script| missed(killed, script)));
    }
    for (step, path) in [
        ("a signed-in person begins", "/auth/oidc/login?return_to=%2Freports%3Fyear%3D2026"),
        ("a signed-in person reopens the callback", "callback"),
    ] {
        rows.push(Row::new(Trouble::Gone.name(), step, Ends::Explained(&["store_unavailable"]), move |script| {
            signed_in(path, script)
        }));
    }
    rows
}

/// While the store refuses all claims, beyond the deadline.
pub async fn person_with_javascript() -> Played {
    play(Trouble::Refused, Step::Claim, Lasts::Long, true).await
}

/// A page without JavaScript is requested while the session cannot be written. Returns once the person is redirected,
/// which must not happen before the store works again.
pub async fn person_without_javascript() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = undelivered(&scene, &browser).await;
    let caused = Caused::at(&scene, Trouble::Refused, Step::Delivery).await;
    let (_, state) = query(&callback).split_once("state=").unwrap();
    let asked = format!("state={}", state.split('&').next().unwrap());
    let held_url = scene.url(&format!("/auth/oidc/callback?{asked}&wait=1"));
    let mut held = Box::pin(browser.get(&held_url));
    // The panel's polls get their responses at once, each of them after the page was requested.
    for _ in 0..5 {
        let question = browser.ask(&scene, &asked);
        let (_, outcome) = tokio::select! {
            page = &mut held => panic!("not held: {page:#?}"),
            answer = question => answer,
        };
        assert_eq!(outcome["outcome"], "pending");
    }
    caused.over(&scene).await;
    let page = held.await;
    assert_eq!(page.location(), RETURN_TO, "{page:#?}");
}

/// Somebody signs out while the store is locked, and is told that it is away; they may as well have closed the window. The store
/// does it when it can.
pub async fn sign_out_without_patience() {
    let scene = Scene::hasty().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    assert!(browser.is_signed_in(&scene).await);
    let caused = Caused::at(&scene, Trouble::Locked, Step::Delivery).await;
    browser.post(&scene.url("/auth/logout"), "").await.explains("store_unavailable");
    caused.over(&scene).await;
    eventually("the session has ended", || async { (!browser.is_signed_in(&scene).await).then_some(()) }).await;
}

/// Short enough to be waited for; the sign-in that succeeds afterwards has to fit into it on a machine that is busy.
fn short(settings: &mut Settings) {
    settings.sign_in.deadline = Duration::from_secs(10);
}

async fn play(trouble: Trouble, step: Step, lasts: Lasts, script: bool) -> Played {
    let tweak: fn(&mut Settings) = if lasts == Lasts::Long { short } else { |_| {} };
    let scene = Scene::with(Profile::Standard, tweak).await;
    scene.provider.wait_for(Endpoint::Jwks, 1).await;
    let browser = scene.browser();
    let (caused, next) = up_to(&scene, &browser, (trouble, step)).await;
    let person = Person { scene: &scene, browser: &browser, script };
    let stop = match lasts {
        Lasts::AWhile if trouble.is_a_refusal() => steps::told(person, &next, caused.over(&scene)).await,
        Lasts::Long if trouble.is_a_refusal() => steps::told_and_given_up(person, &next, caused.over(&scene)).await,
        Lasts::AWhile => steps::a_while(person, &next, caused.over(&scene)).await,
        Lasts::Long => steps::beyond(person, &next, step != Step::Claim, caused.over(&scene)).await,
    };
    Played::new(stop, scene, browser, script)
}

/// Up to the step, with the trouble there; and the URL that goes on.
async fn up_to(scene: &Scene, browser: &Browser, (trouble, step): (Trouble, Step)) -> (Caused, String) {
    match (step, trouble) {
        (Step::Delivery, _) => {
            let callback = undelivered(scene, browser).await;
            (Caused::at(scene, trouble, step).await, callback)
        }
        (Step::Claim, _) | (_, Trouble::Refused | Trouble::Full) => {
            let callback = back_from_the_provider(scene, browser).await;
            (Caused::at(scene, trouble, step).await, callback)
        }
        (Step::User | Step::Verdict, _) => {
            let waiting = held_at(Endpoint::Userinfo, scene, browser).await;
            let caused = Caused::at(scene, trouble, step).await;
            scene.provider.release(Endpoint::Userinfo);
            (caused, waiting)
        }
    }
}

/// The verdict is refused while its owner lives, or is killed.
async fn missed(killed: bool, script: bool) -> Played {
    let mut scene = Scene::with(Profile::Standard, short).await;
    scene.provider.wait_for(Endpoint::Jwks, 1).await;
    let browser = scene.browser();
    let (caused, callback) = up_to(&scene, &browser, (Trouble::Refused, Step::Verdict)).await;
    let waiting = browser.get(&callback).await.location().to_owned();
    if killed {
        scene.kill().await;
        scene.start().await;
    }
    let person = Person { scene: &scene, browser: &browser, script };
    let stop = steps::missed(person, &scene.url(&waiting), caused.over(&scene)).await;
    Played::new(stop, scene, browser, script)
}

/// A signed-in person, while the sessions cannot be read: never "not signed in".
async fn signed_in(path: &'static str, script: bool) -> Played {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    let callback = back_from_the_provider(&scene, &browser).await;
    assert!(browser.get(&callback).await.sets_session());
    assert!(browser.is_signed_in(&scene).await);
    let session = browser.cookie(&scene, "vestibule");
    let caused = Caused::at(&scene, Trouble::Gone, Step::Delivery).await;
    let account = browser.get(&scene.url("/auth/account")).await;
    account.explains("store_unavailable");
    let url = if path == "callback" { callback } else { scene.url(path) };
    let person = Person { scene: &scene, browser: &browser, script };
    let stop = person.once(&url).await;
    assert_eq!(browser.cookie(&scene, "vestibule"), session, "the cookie is not removed");
    caused.over(&scene).await;
    assert!(browser.is_signed_in(&scene).await);
    Played::new(stop, scene, browser, script)
}
