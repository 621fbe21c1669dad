//! A person who follows redirects, waits where a page asks for it, and clicks the button.

use std::time::Duration;

use crate::support::{
    browser::Browser,
    page::{MOST_HEADER_BYTES, Page},
    scene::Scene,
};

/// Where every person wants to go.
pub const RETURN_TO: &str = "/reports?year=2026";
/// Held requests that outlast a deadline of 10 s and the lease of 6 s, at 1.5 s each.
const BEYOND: usize = 14;
/// Requests and pages of one person; more would be a loop.
const PATIENCE: usize = 90;

/// Where a person stops.
#[derive(Debug)]
pub enum Stop {
    /// On a page of the application's.
    Landed(String),
    /// On an explained page.
    Explained(Page),
    /// On the waiting page, with the query of the next request.
    Waiting(String),
}

impl Stop {
    #[track_caller]
    pub fn landed(self, at: &str) {
        match self {
            Self::Landed(landed) => assert_eq!(landed, at),
            stop => panic!("not {at} but {stop:#?}"),
        }
    }

    #[track_caller]
    pub fn explained(self, code: &str) -> Page {
        match self {
            Self::Explained(page) => {
                page.explains(code);
                page
            }
            stop => panic!("not {code} but {stop:#?}"),
        }
    }

    #[track_caller]
    pub fn waiting(self) -> String {
        match self {
            Self::Waiting(query) => query,
            stop => panic!("not waiting but {stop:#?}"),
        }
    }
}

/// A person in front of a browser.
#[derive(Clone, Copy)]
pub struct Person<'s> {
    pub scene: &'s Scene,
    pub browser: &'s Browser,
    /// Whether the panel runs; else the page reloads by itself.
    pub script: bool,
}

impl Person<'_> {
    /// From the click on a protected page.
    pub async fn begin(&self) -> Stop {
        self.go(&self.scene.url(&format!("/auth/oidc/login?return_to={}", encoded(RETURN_TO)))).await
    }

    /// Follows redirects and waits, until something else comes.
    pub async fn go(&self, url: &str) -> Stop {
        match self.go_for(url, PATIENCE).await {
            Stop::Waiting(query) => panic!("waiting without end: {query}"),
            stop => stop,
        }
    }

    /// The same for as long as a process may work on a sign-in: may still be waiting.
    pub async fn go_beyond(&self, url: &str) -> Stop {
        self.go_for(url, BEYOND).await
    }

    async fn go_for(&self, url: &str, waits: usize) -> Stop {
        let mut stop = self.once(url).await;
        for _ in 0..waits {
            let Stop::Waiting(query) = stop else { return stop };
            stop = self.wait(&query).await;
        }
        stop
    }

    /// Waits until the process that works on it has given up, which it reports to the requests that it holds, and
    /// returns to a store that can only be read.
    pub async fn come_back(&self, url: &str) -> Page {
        self.go_beyond(url).await;
        self.go_beyond(url).await.explained("store_unavailable")
    }

    /// Goes on from the waiting page with this query.
    pub async fn go_from(&self, query: &str) -> Stop {
        self.go(&self.scene.url(&format!("/auth/oidc/callback?{query}"))).await
    }

    /// Goes on, where that stopped at the waiting page.
    pub async fn finish(&self, stop: Stop) -> Stop {
        match stop {
            Stop::Waiting(query) => self.go_from(&query).await,
            stop => stop,
        }
    }

    /// Goes on without a click: from the waiting page, and from one that says that the store is away.
    pub async fn go_on_by_itself(&self, mut stop: Stop) -> Stop {
        for _ in 0..2 * PATIENCE {
            stop = match stop {
                Stop::Waiting(query) => self.go_from(&query).await,
                Stop::Explained(page) if page.data("code") == Some("store_unavailable") => {
                    later(&page);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    self.go(&self.scene.url(&page.button())).await
                }
                stop => return stop,
            };
        }
        stop
    }

    /// Follows redirects to a page.
    pub async fn once(&self, url: &str) -> Stop {
        let mut url = reqwest::Url::parse(url).unwrap();
        for _ in 0..PATIENCE {
            let page = self.browser.get(url.as_str()).await;
            let ours = url.as_str().starts_with(&self.scene.origin);
            if ours {
                check(&page);
            }
            if page.status.is_redirection() {
                url = url.join(page.location()).unwrap();
                match url.as_str().strip_prefix(&self.scene.origin) {
                    Some(path) if !path.starts_with("/auth/") => return Stop::Landed(path.to_owned()),
                    _ => continue,
                }
            }
            assert!(ours, "left with the provider: {page:#?}");
            if url.path() == "/auth/login" {
                url = url.join(&page.button()).unwrap();
                continue;
            }
            return match page.data("kind") {
                Some("waiting") => Stop::Waiting(page.data("query").unwrap().replace("&amp;", "&")),
                Some("problem") => Stop::Explained(page),
                _ => panic!("neither explained nor waiting: {page:#?}"),
            };
        }
        panic!("a redirect loop at {url}");
    }

    /// Waits on the waiting page for as long as it asks for, once.
    pub async fn wait(&self, query: &str) -> Stop {
        if !self.script {
            return self.once(&self.scene.url(&format!("/auth/oidc/callback?{query}&wait=1"))).await;
        }
        let (page, outcome) = self.browser.ask(self.scene, query).await;
        check(&page);
        match outcome["outcome"].as_str() {
            Some("pending") => {
                tokio::time::sleep(Duration::from_millis(outcome["ask_again_in"].as_u64().unwrap())).await;
                Stop::Waiting(query.to_owned())
            }
            Some("done") => Stop::Landed(outcome["location"].as_str().unwrap().to_owned()),
            Some("failed") => self.once(&self.scene.url(outcome["location"].as_str().unwrap())).await,
            _ => panic!("{page:#?}"),
        }
    }

    /// From an explained page by its own button to the application, and the codes of the pages on which that took a click. A
    /// page that looks again by itself needs none.
    pub async fn go_on(&self, mut page: Page) -> (String, Vec<String>) {
        let mut clicked = Vec::new();
        for _ in 0..PATIENCE {
            if page.body.contains("http-equiv=\"refresh\"") {
                tokio::time::sleep(Duration::from_millis(250)).await;
            } else {
                clicked.push(page.data("code").unwrap_or_default().to_owned());
                if clicked.len() > 1 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            match self.go(&self.scene.url(&page.button())).await {
                Stop::Landed(at) => return (at, clicked),
                Stop::Explained(next) => page = next,
                stop @ Stop::Waiting(_) => panic!("{stop:?}"),
            }
        }
        panic!("no way on: {page:#?}");
    }
}

/// What holds for every response of ours.
#[track_caller]
pub fn check(page: &Page) {
    assert!(!matches!(page.status.as_u16(), 500 | 502 | 504), "{page:#?}");
    assert!(page.header_bytes() < MOST_HEADER_BYTES, "{} bytes of headers", page.header_bytes());
}

/// Repeats the request as long as the store is reported unavailable, which on a busy machine it may be without any
/// fault.
pub async fn until_available<F: Future<Output = Page>>(ask: impl Fn() -> F) -> Page {
    for _ in 0..2 * PATIENCE {
        let page = ask().await;
        check(&page);
        if page.data("code") != Some("store_unavailable") {
            return page;
        }
        later(&page);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the store does not come back");
}

/// 503, explained, with the time to come back.
#[track_caller]
pub fn later(page: &Page) {
    page.explains("store_unavailable");
    assert_eq!(page.status.as_u16(), 503);
    assert!(page.header("retry-after").parse::<u32>().is_ok(), "{page:#?}");
}

pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
