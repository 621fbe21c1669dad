//! The store's faults (MongoDB): a real server is stopped and started, or paused (SIGSTOP) and resumed.

use std::time::Duration;

use test_provider::Endpoint;
use tokio::task::block_in_place;
use vestibule::server::settings::Settings;

use crate::{
    faults::process::verified,
    faults::table::{BEYOND, Ends, Ends::SignedIn, Person, Played, RETURN_TO, Row, encoded},
    support::mongo::Server,
    support::scene::Scene,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Stopped,
    Paused,
}

impl Trouble {
    const ALL: [Self; 2] = [Self::Stopped, Self::Paused];

    const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Paused => "paused",
        }
    }

    fn begins(self, server: &Server) {
        block_in_place(|| match self {
            Self::Stopped => server.stop(),
            Self::Paused => server.pause(),
        });
    }

    async fn ends(self, server: &Server) {
        match self {
            Self::Stopped => server.start().await,
            Self::Paused => server.resume(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start,
    Claim,
    User,
    Delivery,
}

impl Step {
    const ALL: [Self; 4] = [Self::Start, Self::Claim, Self::User, Self::Delivery];

    const fn name(self) -> &'static str {
        match self {
            Self::Start => "before the program starts",
            Self::Claim => "claim",
            Self::User => "user and verdict",
            Self::Delivery => "delivery",
        }
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for trouble in Trouble::ALL {
        for step in Step::ALL {
            let name = format!("{}, for a while", trouble.name());
            rows.push(Row::new(&name, step.name(), SignedIn, move |script| a_while(trouble, step, script)));
        }
        for (step, ends) in
            [(Step::Claim, &["store_unavailable"][..]), (Step::User, &["store_unavailable", "interrupted"])]
        {
            let name = format!("{}, beyond the deadline", trouble.name());
            rows.push(Row::new(&name, step.name(), Ends::Explained(ends), move |_| beyond(trouble, step)));
        }
    }
    rows
}

async fn a_while(trouble: Trouble, step: Step, script: bool) -> Played {
    let (server, scene) = scene(|_| {}).await;
    let ((scene, browser), next) = up_to(&server, scene, trouble, step).await;
    let person = Person { scene: &scene, browser: &browser, script };
    let waiting = person.once(&next).await.waiting();
    let waiting = person.wait(&waiting).await.waiting();
    trouble.ends(&server).await;
    let stop = person.go_from(&waiting).await;
    Played { stop, scene, browser, script, kept: Box::new(server) }
}

async fn beyond(trouble: Trouble, step: Step) -> Played {
    let (server, scene) = scene(|settings| settings.sign_in.deadline = Duration::from_secs(5)).await;
    let ((scene, browser), next) = up_to(&server, scene, trouble, step).await;
    let person = Person { scene: &scene, browser: &browser, script: false };
    let stop = person.go_for(&next, if step == Step::Claim { usize::MAX } else { BEYOND }).await;
    trouble.ends(&server).await;
    let stop = person.finish(stop).await;
    Played { stop, scene, browser, script: false, kept: Box::new(server) }
}

async fn scene(tweak: fn(&mut Settings)) -> (Server, Scene) {
    let server = Server::start_own().await;
    let scene = Scene::on_mongo(server.uri(), "", tweak).await;
    (server, scene)
}

/// Up to the step, with the trouble there; and the URL that goes on.
async fn up_to(
    server: &Server,
    mut scene: Scene,
    trouble: Trouble,
    step: Step,
) -> ((Scene, crate::support::scene::Browser), String) {
    let browser = scene.browser();
    if step == Step::Start {
        scene.kill().await;
        trouble.begins(server);
        scene.start().await;
    }
    let callback = browser.callback_url(&scene, &encoded(RETURN_TO)).await;
    let next = match step {
        Step::Start => callback,
        Step::Claim => {
            trouble.begins(server);
            callback
        }
        Step::User => {
            scene.provider.hold(Endpoint::Userinfo);
            let pending = browser.get(&callback).await;
            scene.provider.wait_for(Endpoint::Userinfo, 1).await;
            trouble.begins(server);
            scene.provider.release(Endpoint::Userinfo);
            scene.url(pending.location())
        }
        Step::Delivery => {
            scene.provider.hold(Endpoint::Token);
            tokio::select! {
                page = browser.get(&callback) => { assert!(!page.sets_session()); }
                () = scene.provider.wait_for(Endpoint::Token, 1) => {}
            }
            scene.provider.release(Endpoint::Token);
            verified(&scene).await;
            trouble.begins(server);
            callback
        }
    };
    ((scene, browser), next)
}
