//! Rows of faults: what is played, and what must hold whatever happened.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};

use crate::{
    faults::person::{Person, RETURN_TO, Stop, encoded},
    support::{browser::Browser, scene::Scene},
};

/// Rows that run at the same time.
const AT_ONCE: usize = 10;

/// How a row ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// On the page that the person wanted, with no more than waiting.
    SignedIn,
    /// On an explained page with one of these codes.
    Explained(&'static [&'static str]),
}

/// One fault at one step.
pub struct Row {
    pub fault: String,
    pub step: &'static str,
    pub ends: Ends,
    /// How often the code may have been sent: once, or again after 429, which comes before a code is looked at.
    pub sent: usize,
    /// Clicks until the person is signed in once the fault is over, where that does not depend on pauses of ours.
    pub clicks: Option<usize>,
    pub run: Run,
}

/// Plays the row up to its end.
pub type Run = Box<dyn FnOnce(bool) -> BoxFuture<'static, Played> + Send>;

/// A row that has come to its end, with its fault gone.
pub struct Played {
    pub scene: Scene,
    pub browser: Browser,
    pub stop: Stop,
    pub script: bool,
    /// What else the scene stands on.
    kept: Box<dyn Send>,
}

impl Played {
    pub fn new(stop: Stop, scene: Scene, browser: Browser, script: bool) -> Self {
        Self { scene, browser, stop, script, kept: Box::new(()) }
    }

    /// With something that goes only when the row is over.
    pub fn on(self, kept: impl Send + 'static) -> Self {
        Self { kept: Box::new(kept), ..self }
    }
}

impl Row {
    pub fn new<F>(fault: &str, step: &'static str, ends: Ends, run: impl FnOnce(bool) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Played> + Send + 'static,
    {
        Self {
            fault: fault.to_owned(),
            step,
            ends,
            sent: 1,
            clicks: Some(1),
            run: Box::new(move |script| run(script).boxed()),
        }
    }

    pub fn sent(self, sent: usize) -> Self {
        Self { sent, ..self }
    }

    /// Our own pauses after the failure may cost a person another click.
    pub fn with_pauses(self) -> Self {
        Self { clicks: None, ..self }
    }

    async fn play(self, script: bool) {
        let Played { scene, browser, stop, script, kept } = (self.run)(script).await;
        let person = Person { scene: &scene, browser: &browser, script };
        assert!(scene.count("users").await <= 1);
        match (self.ends, stop) {
            (Ends::SignedIn, Stop::Landed(at)) => {
                assert_eq!(at, RETURN_TO);
                assert!(browser.is_signed_in(&scene).await);
                let again = format!("/auth/oidc/login?return_to={}&prompt=login&again=1", encoded(RETURN_TO));
                person.go(&scene.url(&again)).await.landed(RETURN_TO);
            }
            (Ends::Explained(codes), Stop::Explained(page)) => {
                let code = page.data("code").unwrap().to_owned();
                assert!(codes.contains(&&*code), "{code}, not {codes:?}");
                page.explains(&code);
                let (at, clicked) = person.go_on(page).await;
                // Without a state of ours nobody knows where the person wanted to go.
                let lost = matches!(&*code, "state_missing" | "state_invalid");
                assert_eq!(at, if lost { "/" } else { RETURN_TO });
                assert!(self.clicks.is_none_or(|most| clicked.len() <= most), "clicks at {clicked:?}");
                assert!(browser.is_signed_in(&scene).await);
            }
            (ends, stop) => panic!("not {ends:?} but {stop:#?}"),
        }
        let elsewhere = scene.browser();
        Person { browser: &elsewhere, ..person }.begin().await.landed(RETURN_TO);
        assert!(elsewhere.is_signed_in(&scene).await);
        assert_eq!(scene.count("users").await, 1, "one person, one account");
        for code in scene.provider.redemptions() {
            assert!(code.presented <= self.sent, "sent {} times", code.presented);
            assert!(code.redeemed <= 1, "redeemed {} times", code.redeemed);
        }
        tokio::task::block_in_place(|| drop(kept));
    }

    /// The row in the documentation's table.
    pub fn line(&self) -> String {
        let ends = match self.ends {
            Ends::SignedIn => "signed in".to_owned(),
            Ends::Explained(codes) => {
                let codes: Vec<_> = codes.iter().map(|code| format!("[`{code}`](errors.md#{code})")).collect();
                format!("explained: {}", codes.join(" or "))
            }
        };
        format!("| {} | {} | {ends} |", self.fault, self.step)
    }
}

/// Plays all rows, several at once, and names all that fail. Every other person has no script.
pub async fn play(rows: Vec<Row>) {
    let all = rows.len();
    let failed: Vec<String> = stream::iter(rows.into_iter().enumerate())
        .map(|(number, row)| async move {
            let name = format!("{} / {}", row.fault, row.step);
            let played = tokio::time::timeout(Duration::from_secs(180), row.play(number % 2 == 0));
            let played = tokio::spawn(AssertUnwindSafe(played).catch_unwind()).await.unwrap();
            match played {
                Ok(Ok(())) => None,
                Ok(Err(_)) => Some(format!("{name}: no end")),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().map(String::as_str);
                    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
                    Some(format!("{name}: {text:.3000}"))
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(failed.is_empty(), "{} of {all} rows failed:\n{}", failed.len(), failed.join("\n\n"));
}
