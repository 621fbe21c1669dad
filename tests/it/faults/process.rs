//! The program itself is killed, told to stop, or is one of two.

use test_provider::Endpoint;

use crate::{
    faults::{
        person::Person,
        row::{Ends, Ends::SignedIn, Played, Row},
        steps::{back_from_the_provider, held_at, undelivered},
    },
    support::{browser::Browser, scene::Scene, wait::eventually},
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
    /// The session was sent, and the response was lost.
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
    /// Killed, and another process on the same database takes over.
    KilledOfTwo,
    /// Told to stop while the provider responds in time.
    Stopped,
    /// Told to stop while the provider does not respond.
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
    let browser = scene.browser();
    let next = step.reached(&mut scene, &browser).await;
    what.happens(&mut scene, &browser, step).await;
    let person = Person { scene: &scene, browser: &browser, script };
    let stop = person.go(&next).await;
    if what == What::KilledOfTwo {
        scene.start().await;
    }
    Played::new(stop, scene, browser, script)
}

impl Step {
    /// Up to the step; returns the URL that goes on.
    async fn reached(self, scene: &mut Scene, browser: &Browser) -> String {
        match self {
            Self::Started => back_from_the_provider(scene, browser).await,
            Self::Keys => {
                scene.kill().await;
                scene.provider.hold(Endpoint::Jwks);
                scene.start().await;
                let callback = back_from_the_provider(scene, browser).await;
                let pending = browser.get(&callback).await;
                assert!(!pending.sets_session());
                assert_eq!(scene.count("login_attempts WHERE state = 'running'").await, 1);
                scene.url(pending.location())
            }
            Self::Token | Self::Userinfo => {
                let at = if self == Self::Token { Endpoint::Token } else { Endpoint::Userinfo };
                let waiting = held_at(at, scene, browser).await;
                assert_eq!(scene.count("login_attempts WHERE state = 'running'").await, 1);
                waiting
            }
            Self::Verified => undelivered(scene, browser).await,
            Self::Delivered => {
                let callback = back_from_the_provider(scene, browser).await;
                let lost = scene.browser();
                lost.cookies.lock().unwrap().clone_from(&browser.cookies.lock().unwrap());
                eventually("the session is sent", || async { lost.get(&callback).await.sets_session().then_some(()) })
                    .await;
                callback
            }
        }
    }

    /// The provider sends the responses that it has held back.
    async fn let_go(self, scene: &Scene) {
        if let Some(at) = self.held() {
            scene.provider.wait_for(at, 1).await;
            scene.provider.release(at);
        }
    }
}

impl What {
    async fn happens(self, scene: &mut Scene, browser: &Browser, step: Step) {
        match self {
            Self::Killed => {
                scene.kill().await;
                step.let_go(scene).await;
                scene.start().await;
            }
            Self::KilledOfTwo => {
                let second = scene.start_second().await;
                scene.kill().await;
                step.let_go(scene).await;
                browser.go_through(scene, &second);
            }
            Self::Stopped => {
                tokio::join!(scene.stop(), step.let_go(scene));
                scene.start().await;
            }
            Self::StoppedInVain => {
                scene.stop().await;
                step.let_go(scene).await;
                scene.start().await;
            }
            Self::Other => {
                let second = scene.start_second().await;
                browser.go_through(scene, &second);
                step.let_go(scene).await;
            }
        }
    }
}
