//! The store's faults (MongoDB), by fail points: a real server, a replica set of one, responds to single commands like
//! a server that fails over, is full, is slow or loses connections.

mod trouble;

use std::{
    ops::Deref,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use test_provider::Endpoint;
use vestibule::server::settings::Settings;

use self::trouble::{Commands, EVERY, FAILING_OVER, FULL, SLOW, STEPPED_DOWN, STEPPED_DOWN_FOR_LONG, Trouble};
use crate::{
    faults::{
        person::{Person, RETURN_TO, Stop, later, until_available},
        row::{Ends, Ends::SignedIn, Played, Row},
        steps::{self, back_from_the_provider, held_at, verified},
    },
    support::{browser::Browser, mongo::Server, scene::Scene, wait::eventually},
};

const STORE_UNAVAILABLE: Ends = Ends::Explained(&["store_unavailable"]);
const GIVEN_UP: Ends = Ends::Explained(&["store_unavailable", "interrupted"]);
/// The last-seen time is written after this time: a tenth of the idle timeout.
const NOTED_EVERY: Duration = Duration::from_secs(3);

/// A real server pushes the news of its role; this one has to be asked, by default once in ten seconds.
const HEARTBEAT: &str = "?heartbeatFrequencyMS=500";

/// Where the trouble begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start,
    Claim,
    Lease,
    User,
    Verdict,
    Delivery,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "before the program starts",
            Self::Claim => "claim",
            Self::Lease => "lease",
            Self::User => "user",
            Self::Verdict => "verdict",
            Self::Delivery => "delivery",
        }
    }

    /// What the trouble is about where it lasts: from here on everything, but what comes before the step.
    const fn onwards(self) -> Commands {
        match self {
            Self::Verdict => Commands::Updates,
            _ => Commands::All,
        }
    }

    /// What the trouble is about where it happens once.
    const fn here(self) -> Commands {
        match self {
            Self::Start => Commands::All,
            Self::Claim | Self::Lease | Self::Verdict => Commands::Updates,
            Self::User => Commands::OfUsers,
            Self::Delivery => Commands::Inserts,
        }
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for trouble in EVERY.into_iter().chain([STEPPED_DOWN]) {
        let steps = [Step::Claim, Step::Lease, Step::User, Step::Verdict, Step::Delivery];
        rows.extend(steps.map(|step| for_a_while(trouble, step)));
    }
    for trouble in [FAILING_OVER, FULL, Trouble::Cut, STEPPED_DOWN] {
        rows.push(for_a_while(trouble, Step::Start));
    }
    for trouble in [FAILING_OVER, FULL, SLOW, Trouble::Cut, Trouble::Unconfirmed] {
        for step in [Step::Claim, Step::User, Step::Verdict, Step::Delivery] {
            let name = format!("{}, once", trouble.name());
            rows.push(Row::new(&name, step.name(), SignedIn, move |script| once(trouble, step, script)));
        }
        for (step, ends) in [(Step::Claim, STORE_UNAVAILABLE), (Step::User, GIVEN_UP)] {
            let name = format!("{}, beyond the deadline", trouble.name());
            rows.push(Row::new(&name, step.name(), ends, move |_| beyond(trouble, step)));
        }
    }
    for trouble in [FAILING_OVER, FULL, Trouble::Cut] {
        let name = format!("{}, beyond the deadline", trouble.name());
        rows.push(Row::new(&name, Step::Verdict.name(), GIVEN_UP, move |_| beyond(trouble, Step::Verdict)));
    }
    for trouble in [Trouble::Refusing(10_107), Trouble::Refusing(13_435), FULL] {
        for (step, killed) in
            [("a verdict is missed, and asked for", false), ("killed before the verdict, and asked for", true)]
        {
            // As long as it lives, it goes on trying to write to a server that is full, and the person is told.
            if trouble == FULL && !killed {
                continue;
            }
            let ends = Ends::Explained(&["interrupted"]);
            rows.push(Row::new(trouble.name(), step, ends, move |script| missed(trouble, killed, script)));
        }
    }
    for trouble in [FAILING_OVER, FULL, SLOW, Trouble::Cut, Trouble::Unconfirmed] {
        // What is not confirmed is written all the same, so the lease is good.
        let ends = if trouble == Trouble::Unconfirmed { SignedIn } else { Ends::Explained(&["interrupted"]) };
        let name = format!("{}, beyond the lease", trouble.name());
        rows.push(Row::new(&name, "lease, and another process is asked", ends, move |_| lost(trouble, false)));
    }
    for (step, known) in [("all of a first sign-in", false), ("all of a later sign-in", true)] {
        let trouble = Trouble::Slow(300);
        rows.push(Row::new(trouble.name(), step, SignedIn, move |script| slowly(trouble, known, script)));
    }
    for trouble in EVERY {
        // Who is signed in can be read; the last-seen time cannot be written.
        let ends = if trouble.can_be_read() { SignedIn } else { STORE_UNAVAILABLE };
        rows.push(Row::new(trouble.name(), "a later request", ends, move |script| request(trouble, false, script)));
    }
    for trouble in EVERY.into_iter().chain([STEPPED_DOWN_FOR_LONG]) {
        let name = trouble.name();
        rows.push(Row::new(name, "the session's first request", STORE_UNAVAILABLE, move |script| {
            request(trouble, true, script)
        }));
        rows.push(Row::new(name, "sign-out, and in again", SignedIn, move |script| sign_out(trouble, script)));
    }
    rows
}

fn for_a_while(trouble: Trouble, step: Step) -> Row {
    let name = format!("{}, for a while", trouble.name());
    let ends = if told(trouble, step) { STORE_UNAVAILABLE } else { SignedIn };
    Row::new(&name, step.name(), ends, move |script| a_while(trouble, step, script))
}

/// Whether waiting does not help, and the person is told. The lease is nothing that anybody waits for.
fn told(trouble: Trouble, step: Step) -> bool {
    trouble == FULL && step != Step::Lease
}

/// A server of a row that is over. Each serves one row at a time, since it has one fail point.
struct Lent(Option<Server>);

static IDLE: Mutex<Vec<Server>> = Mutex::new(Vec::new());

impl Lent {
    async fn new() -> Self {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let server = match idle {
            Some(server) => server,
            None => Server::start_replica_set().await,
        };
        server.succeed().await;
        server.primary().await;
        Self(Some(server))
    }
}

impl Deref for Lent {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).extend(self.0.take());
    }
}

async fn scene(tweak: fn(&mut Settings)) -> (Lent, Scene) {
    let server = Lent::new().await;
    let scene = Scene::on_mongo(server.uri(), HEARTBEAT, tweak).await;
    scene.provider.wait_for(Endpoint::Jwks, 1).await;
    (server, scene)
}

fn short(settings: &mut Settings) {
    settings.sign_in.deadline = Duration::from_secs(5);
}

/// Until the person has waited for a while.
async fn a_while(trouble: Trouble, step: Step, script: bool) -> Played {
    let (server, mut scene) = scene(|_| {}).await;
    let browser = scene.browser();
    let next = up_to(&server, &mut scene, &browser, (trouble, step, None)).await;
    let person = Person { scene: &scene, browser: &browser, script };
    if told(trouble, step) {
        let stop = steps::told(person, &next, trouble.ends(&server)).await;
        return Played::new(stop, scene, browser, script).on(server);
    }
    // A primary comes back by itself; a session that seemed not to be written is found when it is written again.
    let passes =
        matches!(trouble, Trouble::SteppedDown(_)) || (trouble, step) == (Trouble::Unconfirmed, Step::Delivery);
    let next = if passes {
        next
    } else {
        let waiting = person.once(&next).await.waiting();
        let waiting = person.wait(&waiting).await.waiting();
        trouble.ends(&server).await;
        scene.url(&format!("/auth/oidc/callback?{waiting}"))
    };
    scene.provider.release(Endpoint::Token);
    let stop = person.go(&next).await;
    trouble.ends(&server).await;
    Played::new(stop, scene, browser, script).on(server)
}

/// One command of the step, and no more.
async fn once(trouble: Trouble, step: Step, script: bool) -> Played {
    let (server, mut scene) = scene(|_| {}).await;
    let browser = scene.browser();
    let next = up_to(&server, &mut scene, &browser, (trouble, step, Some(1))).await;
    let stop = Person { scene: &scene, browser: &browser, script }.go(&next).await;
    trouble.ends(&server).await;
    Played::new(stop, scene, browser, script).on(server)
}

/// The claim fails until `sign_in.patience` is over; from then on only the panel polls.
pub async fn by_questions_alone() -> Played {
    /// MaxTimeMSExpired: the next try may be in time.
    const LATE: Trouble = Trouble::Refusing(50);
    let (server, mut scene) = scene(|settings| settings.sign_in.patience = Duration::from_millis(500)).await;
    let browser = scene.browser();
    let next = up_to(&server, &mut scene, &browser, (LATE, Step::Claim, None)).await;
    let person = Person { scene: &scene, browser: &browser, script: true };
    let mut stop = person.once(&next).await;
    LATE.ends(&server).await;
    while let Stop::Waiting(query) = stop {
        stop = person.wait(&query).await;
    }
    Played::new(stop, scene, browser, true).on(server)
}

async fn beyond(trouble: Trouble, step: Step) -> Played {
    let (server, mut scene) = scene(short).await;
    let browser = scene.browser();
    let next = up_to(&server, &mut scene, &browser, (trouble, step, None)).await;
    let person = Person { scene: &scene, browser: &browser, script: false };
    let stop = steps::beyond(person, &next, step != Step::Claim, trouble.ends(&server)).await;
    Played::new(stop, scene, browser, false).on(server)
}

/// The verdict fails while its owner lives, or is killed.
async fn missed(trouble: Trouble, killed: bool, script: bool) -> Played {
    let (server, mut scene) = scene(short).await;
    let browser = scene.browser();
    let next = up_to(&server, &mut scene, &browser, (trouble, Step::Verdict, None)).await;
    eventually("the user is written", || async { (scene.count("users").await > 0).then_some(()) }).await;
    trouble.begins(&server, Commands::All, None).await;
    if killed {
        scene.kill().await;
        scene.start().await;
    }
    let person = Person { scene: &scene, browser: &browser, script };
    let stop = steps::missed(person, &next, trouble.ends(&server)).await;
    Played::new(stop, scene, browser, script).on(server)
}

/// Up to the step, with the trouble there; and the URL that goes on.
async fn up_to(
    server: &Server,
    scene: &mut Scene,
    browser: &Browser,
    (trouble, step, times): (Trouble, Step, Option<i32>),
) -> String {
    let commands = if times.is_some() { step.here() } else { step.onwards() };
    match step {
        Step::Start => {
            scene.kill().await;
            trouble.begins(server, commands, times).await;
            scene.start().await;
            back_from_the_provider(scene, browser).await
        }
        Step::Claim => {
            let callback = back_from_the_provider(scene, browser).await;
            trouble.begins(server, commands, times).await;
            callback
        }
        Step::Lease => {
            let waiting = held_at(Endpoint::Token, scene, browser).await;
            trouble.begins(server, commands, times).await;
            waiting
        }
        Step::User | Step::Verdict => {
            let waiting = held_at(Endpoint::Userinfo, scene, browser).await;
            trouble.begins(server, commands, times).await;
            scene.provider.release(Endpoint::Userinfo);
            waiting
        }
        Step::Delivery if times.is_some() => {
            // A known person, so that only the session has to be inserted.
            scene.browser().sign_in(scene).await;
            let waiting = held_at(Endpoint::Userinfo, scene, browser).await;
            trouble.begins(server, commands, times).await;
            scene.provider.release(Endpoint::Userinfo);
            waiting
        }
        Step::Delivery => {
            let waiting = held_at(Endpoint::Token, scene, browser).await;
            scene.provider.release(Endpoint::Token);
            verified(scene).await;
            trouble.begins(server, commands, times).await;
            waiting
        }
    }
}

/// The lease cannot be renewed, and another process is asked.
async fn lost(trouble: Trouble, script: bool) -> Played {
    let (server, scene) = scene(|_| {}).await;
    let browser = scene.browser();
    let waiting = held_at(Endpoint::Token, &scene, &browser).await;
    let second = scene.start_second().await;
    trouble.begins(&server, Commands::Updates, None).await;
    browser.go_through(&scene, &second);
    let person = Person { scene: &scene, browser: &browser, script };
    let over = async {
        trouble.ends(&server).await;
        scene.provider.release(Endpoint::Token);
    };
    let stop = steps::beyond(person, &waiting, true, over).await;
    Played::new(stop, scene, browser, script).on(server)
}

async fn slowly(trouble: Trouble, known: bool, script: bool) -> Played {
    let (server, scene) = scene(|_| {}).await;
    if known {
        scene.browser().sign_in(&scene).await;
    }
    let browser = scene.browser();
    trouble.begins(&server, Commands::All, None).await;
    let stop = Person { scene: &scene, browser: &browser, script }.begin().await;
    trouble.ends(&server).await;
    Played::new(stop, scene, browser, script).on(server)
}

/// A person with a session requests a protected page, and starts another sign-in: never "not signed in".
async fn request(trouble: Trouble, first: bool, script: bool) -> Played {
    let (server, scene) = scene(|settings| settings.session.idle = 10 * NOTED_EVERY).await;
    let browser = scene.browser();
    let person = Person { scene: &scene, browser: &browser, script };
    person.begin().await.landed(RETURN_TO);
    if !first {
        assert!(browser.is_signed_in(&scene).await);
        tokio::time::sleep(NOTED_EVERY).await;
    }
    let session = browser.cookie(&scene, "vestibule").unwrap();
    trouble.begins(&server, Commands::All, None).await;
    // The first request closes the delivery, and that has to be written before the session is good.
    if trouble.can_be_read() && !first {
        assert!(browser.is_signed_in(&scene).await);
    } else {
        later(&browser.get(&scene.url("/auth/account")).await);
    }
    let meanwhile = if first || !trouble.casts_doubt() { Some(person.begin().await) } else { None };
    assert_eq!(browser.cookie(&scene, "vestibule").as_ref(), Some(&session), "the cookie is not removed");
    trouble.ends(&server).await;
    assert!(browser.is_signed_in(&scene).await);
    let stop = match meanwhile {
        Some(stop) => stop,
        None => person.begin().await,
    };
    Played::new(stop, scene, browser, script).on(server)
}

/// Sign-out is complete, or the person is told that it failed.
async fn sign_out(trouble: Trouble, script: bool) -> Played {
    let (server, scene) = scene(|_| {}).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let session = browser.cookie(&scene, "vestibule").unwrap();
    trouble.begins(&server, Commands::All, None).await;
    later(&browser.post(&scene.url("/auth/logout"), "").await);
    assert_eq!(browser.cookie(&scene, "vestibule").as_ref(), Some(&session), "the cookie is not removed");
    trouble.ends(&server).await;
    let still = browser.is_signed_in(&scene).await;
    // Whether it was written after all nobody can know.
    assert!(still || trouble.may_write());
    let logout = scene.url("/auth/logout");
    let out = until_available(|| browser.post(&logout, "")).await;
    assert!(out.location().starts_with("/auth/signed-out"), "{out:#?}");
    assert!(!browser.is_signed_in(&scene).await);
    let stop = Person { scene: &scene, browser: &browser, script }.begin().await;
    Played::new(stop, scene, browser, script).on(server)
}
