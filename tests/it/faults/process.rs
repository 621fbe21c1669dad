//! The program itself is killed, told to stop, or is one of two.

use test_provider::Endpoint;

use crate::{
    faults::table::{Ends, Ends::SignedIn, Person, Played, RETURN_TO, Row, encoded},
    support::scene::Scene,
};

const INTERRUPTED: Ends = Ends::Explained(&["interrupted"]);

/// How far the sign-in has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The person is at the provider.
    Started,
    /// Claimed; the keys are being fetched.
    Keys,
    /// The token request is on its way.
    Token,
    /// The tokens are here; userinfo has been asked for.
    Userinfo,
    /// The person is verified, and nobody has fetched the session yet.
    Verified,
    /// The session was sent, and the answer got lost.
    Delivered,
}

impl Step {
    const ALL: [Self; 6] = [Self::Started, Self::Keys, Self::Token, Self::Userinfo, Self::Verified, Self::Delivered];

    const fn name(self) -> &'static str {
        match self {
            Self::Started => "after the start",
            Self::Keys => "claimed, waiting for the keys",
            Self::Token => "waiting for the token answer",
            Self::Userinfo => "waiting for userinfo",
            Self::Verified => "verified, not delivered",
            Self::Delivered => "delivered, the answer lost",
        }
    }

    const fn held(self) -> Option<Endpoint> {
        match self {
            Self::Keys => Some(Endpoint::Jwks),
            Self::Token => Some(Endpoint::Token),
            Self::Userinfo => Some(Endpoint::Userinfo),
            Self::Started | Self::Verified | Self::Delivered => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Killed, and started again.
    Killed,
    /// Killed, and another process on the same database answers.
    KilledOfTwo,
    /// Told to stop while the provider answers in time.
    Stopped,
    /// Told to stop while the provider does not answer.
    StoppedInVain,
    /// Another process is asked while this one works on it.
    Other,
}

impl What {
    const fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed and started again",
            Self::KilledOfTwo => "killed, another process answers",
            Self::Stopped => "stopped (SIGTERM) and started again",
            Self::StoppedInVain => "stopped (SIGTERM), the provider silent for longer than the grace",
            Self::Other => "another process is asked",
        }
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for what in [What::Killed, What::KilledOfTwo, What::Stopped, What::StoppedInVain, What::Other] {
        for step in Step::ALL {
            let held = step.held().is_some();
            let ends = match what {
                What::StoppedInVain if !held => continue,
                // A fetch of the keys gives up about when the grace is over.
                What::StoppedInVain if step == Step::Keys => Ends::Explained(&["interrupted", "provider_slow"]),
                What::Killed | What::KilledOfTwo | What::StoppedInVain if held => INTERRUPTED,
                _ => SignedIn,
            };
            rows.push(Row::new(what.name(), step.name(), ends, move |script| play(what, step, script)));
        }
    }
    rows
}

async fn play(what: What, step: Step, script: bool) -> Played {
    let mut scene = Scene::new().await;
    if step == Step::Keys {
        scene.kill().await;
        scene.provider.hold(Endpoint::Jwks);
        scene.start().await;
    }
    let browser = scene.browser();
    let callback = browser.callback_url(&scene, &encoded(RETURN_TO)).await;
    let next = match step {
        Step::Started => callback,
        Step::Keys | Step::Token | Step::Userinfo => {
            if step != Step::Keys {
                scene.provider.hold(step.held().unwrap());
            }
            let pending = browser.get(&callback).await;
            assert!(!pending.sets_session());
            assert_eq!(scene.count("login_attempts WHERE state = 'running'").await, 1);
            scene.url(pending.location())
        }
        Step::Verified => {
            scene.provider.hold(Endpoint::Token);
            tokio::select! {
                page = browser.get(&callback) => { assert!(!page.sets_session()); }
                () = scene.provider.wait_for(Endpoint::Token, 1) => {}
            }
            scene.provider.release(Endpoint::Token);
            verified(&scene).await;
            callback
        }
        Step::Delivered => {
            let lost = scene.browser();
            lost.cookies.lock().unwrap().clone_from(&browser.cookies.lock().unwrap());
            assert!(lost.get(&callback).await.sets_session());
            callback
        }
    };
    let let_go = async {
        if let Some(at) = step.held() {
            scene.provider.wait_for(at, 1).await;
            scene.provider.release(at);
        }
    };
    match what {
        What::Killed => {
            scene.kill().await;
            let_go.await;
            scene.start().await;
        }
        What::KilledOfTwo => {
            let second = scene.start_second().await;
            scene.kill().await;
            let_go.await;
            browser.go_through(&scene, &second);
        }
        What::Stopped => {
            tokio::join!(scene.stop(), let_go);
            scene.start().await;
        }
        What::StoppedInVain => {
            scene.stop().await;
            let_go.await;
            scene.start().await;
        }
        What::Other => {
            let second = scene.start_second().await;
            browser.go_through(&scene, &second);
            let_go.await;
        }
    }
    let person = Person { scene: &scene, browser: &browser, script };
    let stop = person.go(&next).await;
    if what == What::KilledOfTwo {
        scene.start().await;
    }
    Played::on_file(stop, scene, browser, script)
}

/// Returns once the one attempt is verified.
pub async fn verified(scene: &Scene) {
    while scene.count("login_attempts WHERE state = 'verified'").await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
