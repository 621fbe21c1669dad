//! The store's faults (MongoDB): a real server is stopped and started, or paused (SIGSTOP) and resumed.

use std::time::Duration;

use test_provider::Endpoint;
use tokio::task::block_in_place;
use vestibule::server::settings::Settings;

use crate::{
    faults::{
        person::Person,
        row::{Ends, Ends::SignedIn, Played, Row},
        steps::{self, back_from_the_provider, held_at, undelivered},
    },
    support::{browser::Browser, mongo::Server, scene::Scene},
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
    let (server, mut scene) = scene(|_| {}).await;
    let browser = scene.browser();
    let next = up_to(&server, &mut scene, &browser, (trouble, step)).await;
    let person = Person { scene: &scene, browser: &browser, script };
    let stop = steps::a_while(person, &next, trouble.ends(&server)).await;
    Played::new(stop, scene, browser, script).on(server)
}

async fn beyond(trouble: Trouble, step: Step) -> Played {
    let (server, mut scene) = scene(|settings| settings.sign_in.deadline = Duration::from_secs(5)).await;
    let browser = scene.browser();
    let next = up_to(&server, &mut scene, &browser, (trouble, step)).await;
    let person = Person { scene: &scene, browser: &browser, script: false };
    let stop = steps::beyond(person, &next, step != Step::Claim, trouble.ends(&server)).await;
    Played::new(stop, scene, browser, false).on(server)
}

async fn scene(tweak: fn(&mut Settings)) -> (Server, Scene) {
    let server = Server::start_own().await;
    let scene = Scene::on_mongo(server.uri(), "", tweak).await;
    (server, scene)
}

/// Up to the step, with the trouble there; and the URL that goes on.
async fn up_to(server: &Server, scene: &mut Scene, browser: &Browser, (trouble, step): (Trouble, Step)) -> String {
    match step {
        Step::Start => {
            scene.kill().await;
            trouble.begins(server);
            scene.start().await;
            back_from_the_provider(scene, browser).await
        }
        Step::Claim => {
            let callback = back_from_the_provider(scene, browser).await;
            trouble.begins(server);
            callback
        }
        Step::User => {
            let waiting = held_at(Endpoint::Userinfo, scene, browser).await;
            trouble.begins(server);
            scene.provider.release(Endpoint::Userinfo);
            waiting
        }
        Step::Delivery => {
            let callback = undelivered(scene, browser).await;
            trouble.begins(server);
            callback
        }
    }
}
