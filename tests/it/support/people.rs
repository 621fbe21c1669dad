//! People by the hundred: each with an account at the test provider, an address, and a browser with cookies. They
//! follow redirects, sign in at the provider's form, wait where a page asks for it and click the button on an
//! explained page. Every other one has no script.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use reqwest::{Method, StatusCode, Url};
use test_provider::{Client, DemoPerson, Endpoint, Profile, ProviderConfig, RunningProvider};

use crate::support::{
    browser::Browser,
    page::{MOST_HEADER_BYTES, Page},
    scene::{CLIENT_ID, CLIENT_SECRET},
};

/// Requests and pages of one sign-in; more would be a loop.
const PATIENCE: usize = 90;
/// The panel's pause if there was no response.
const PAUSE: Duration = Duration::from_millis(1_500);

/// The cookie by which a browser is known again when it comes back from the provider.
const FLOW: &str = "vestibule-flow";

/// Where people sign in.
#[derive(Clone)]
pub struct Site {
    /// The program, or what stands in front of it.
    pub origin: String,
    /// Where the provider's form is posted to.
    pub form: String,
}

impl Site {
    /// With a provider that knows the site and so many people.
    pub async fn open(origin: &str, people: u16) -> (Self, RunningProvider) {
        Self::open_at(origin, people, ProviderConfig::new(Profile::Standard)).await
    }

    /// With such a provider.
    pub async fn open_at(origin: &str, people: u16, config: ProviderConfig) -> (Self, RunningProvider) {
        let client = Client::basic(CLIENT_ID, CLIENT_SECRET, &format!("{origin}/auth/oidc/callback"))
            .with_post_logout_redirect_uri(&format!("{origin}/auth/signed-out"));
        let people = (0..people).map(account).collect();
        let config = ProviderConfig { people, ..config };
        let provider = RunningProvider::start(config.with_client(client)).await.unwrap();
        (Self { origin: origin.to_owned(), form: provider.url(Endpoint::Login) }, provider)
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&self.origin).unwrap().join(path).unwrap()
    }

    fn owns(&self, url: &Url) -> bool {
        url.origin().ascii_serialization() == self.origin
    }
}

/// A person.
pub struct Person {
    site: Site,
    number: u16,
    pub browser: Browser,
    script: bool,
    /// The codes of the explained pages that had to be clicked away.
    pub clicks: Vec<String>,
    /// Pages that reloaded by themselves because a server was away.
    pub away: usize,
    /// Polls of the panel that got no response of ours.
    pub unanswered: usize,
    /// How often a start gave this browser a cookie in place of one that it had shown.
    pub replaced_cookies: usize,
}

/// What the provider has to know about a person.
fn account(number: u16) -> DemoPerson {
    let name = name(number);
    DemoPerson {
        password: format!("{name}-demo"),
        sub: format!("00000000-0000-4000-8000-{number:012}"),
        given_name: "Person".to_owned(),
        family_name: number.to_string(),
        email: None,
        groups: Vec::new(),
        username: name,
        ..DemoPerson::bob()
    }
}

fn name(number: u16) -> String {
    format!("person-{number:05}")
}

impl Person {
    pub fn new(site: &Site, number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        // All of 127.0.0.0/8 is this machine; 127.0.0.1 is the proxy's.
        Self::behind(site, number, Ipv4Addr::new(127, 1, high, low))
    }

    /// Behind an address that may be others' too.
    pub fn behind(site: &Site, number: u16, address: Ipv4Addr) -> Self {
        Self {
            site: site.clone(),
            number,
            browser: Browser::at(Some(IpAddr::V4(address))),
            script: number.is_multiple_of(2),
            clicks: Vec::new(),
            away: 0,
            unanswered: 0,
            replaced_cookies: 0,
        }
    }

    /// The page that this person wants.
    fn wants(&self) -> String {
        format!("/reports?of={}", name(self.number))
    }

    /// One page, and nothing that a person does with it.
    pub async fn look(&self, url: &Url) -> Page {
        let mut page = self.browser.get(url.as_str()).await;
        if page.status.is_redirection() {
            page = self.browser.get(url.join(page.location()).unwrap().as_str()).await;
        }
        page
    }

    pub async fn sign_out(&self) {
        let page = self.browser.post(self.site.url("/auth/logout").as_str(), "").await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:#?}");
    }

    /// From the click on a protected page to that page.
    pub async fn sign_in(&mut self) {
        let callback = self.begin().await;
        self.finish(callback).await;
    }

    /// The same with a browser that has been here before.
    pub async fn sign_in_again(&mut self) {
        let callback = self.begin_with("prompt=login&").await;
        self.finish(callback).await;
    }

    /// The same, by one of our own buttons: however often, that is no loop.
    pub async fn sign_in_by_a_click(&mut self) {
        let callback = self.begin_with("prompt=login&again=1&").await;
        self.finish(callback).await;
    }

    /// From the click on a protected page to the provider and through its form; returns where the provider leads.
    pub async fn begin(&mut self) -> Url {
        self.begin_with("").await
    }

    async fn begin_with(&mut self, parameter: &str) -> Url {
        let wants: String = url::form_urlencoded::byte_serialize(self.wants().as_bytes()).collect();
        let start = self.site.url(&format!("/auth/oidc/login?{parameter}return_to={wants}"));
        self.walk(start, |site, url| site.owns(url) && url.query_pairs().any(|(name, _)| name == "code")).await
    }

    /// From where the provider leads to the page that the person wanted, signed in.
    pub async fn finish(&mut self, callback: Url) {
        let there = self.walk(callback, |site, url| site.owns(url) && !url.path().starts_with("/auth/")).await;
        assert_eq!(there, self.site.url(&self.wants()));
        self.uses_the_session().await;
    }

    /// Opens the account's page, which says who is signed in. Where the store is slow the page asks again by itself.
    pub async fn uses_the_session(&mut self) {
        for _ in 0..PATIENCE {
            let page = self.browser.get(self.site.url("/auth/account").as_str()).await;
            check(&page);
            let Some((seconds, _)) = refresh(&page) else {
                let shown = page.status == StatusCode::OK && page.body.contains(&name(self.number));
                assert!(shown, "not signed in: {page:#?}");
                return;
            };
            self.away += 1;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        panic!("{} never hears who is signed in", name(self.number));
    }

    async fn walk(&mut self, from: Url, is_there: impl Fn(&Site, &Url) -> bool) -> Url {
        let mut url = from;
        for _ in 0..PATIENCE {
            if is_there(&self.site, &url) {
                return url;
            }
            url = if self.site.owns(&url) { self.ours(&url).await } else { self.theirs(&url).await };
        }
        panic!("{} walks for ever: {url}", name(self.number));
    }

    /// One page of the provider's; returns where it leads.
    async fn theirs(&self, url: &Url) -> Url {
        let mut page = self.browser.get(url.as_str()).await;
        if page.status == StatusCode::OK {
            let form = self.login_form(url.query().unwrap());
            page = self.browser.request(Method::POST, &self.site.form, &[], Some(form)).await;
        }
        url.join(page.location()).unwrap()
    }

    fn login_form(&self, request: &str) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("request", request);
        form.append_pair("username", &name(self.number));
        form.append_pair("password", &account(self.number).password);
        form.finish()
    }

    /// One page of ours, and what a person does with it; returns where that leads.
    async fn ours(&mut self, url: &Url) -> Url {
        let site = &self.site.origin;
        let known = self.browser.cookies.lock().unwrap().keys().any(|(at, name)| at == site && name == FLOW);
        let page = self.browser.get(url.as_str()).await;
        check(&page);
        if known && url.path() == "/auth/oidc/login" && page.headers.contains_key("set-cookie") {
            self.replaced_cookies += 1;
        }
        if page.status.is_redirection() {
            return url.join(page.location()).unwrap();
        }
        if page.data("kind") == Some("waiting") {
            let query = page.data("query").unwrap().replace("&amp;", "&");
            return if self.script { self.ask(&query).await } else { self.site.url(&held(&query)) };
        }
        if let Some((seconds, to)) = refresh(&page) {
            self.away += 1;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            return to.map_or_else(|| url.clone(), |to| url.join(&to).unwrap());
        }
        assert_eq!(page.data("kind"), Some("problem"), "neither explained nor waiting: {page:#?}");
        let code = page.data("code").unwrap();
        page.explains(code);
        self.clicks.push(code.to_owned());
        url.join(&page.button()).unwrap()
    }

    /// The panel asks until it is told where to go.
    async fn ask(&mut self, query: &str) -> Url {
        let body = format!("query={}", url::form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>());
        let headers = [("sec-fetch-site", "same-origin"), ("accept", "application/json")];
        let url = self.site.url("/auth/api/complete-sign-in");
        for _ in 0..PATIENCE {
            let page = self.browser.request(Method::POST, url.as_str(), &headers, Some(body.clone())).await;
            check(&page);
            let outcome: serde_json::Value = serde_json::from_str(&page.body).unwrap_or_default();
            match outcome["outcome"].as_str() {
                Some("pending") => {
                    tokio::time::sleep(Duration::from_millis(outcome["ask_again_in"].as_u64().unwrap())).await;
                }
                Some("done" | "failed") => return self.site.url(outcome["location"].as_str().unwrap()),
                _ => {
                    self.unanswered += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        panic!("{} asks for ever: {query}", name(self.number));
    }
}

fn held(query: &str) -> String {
    format!("/auth/oidc/callback?{query}&wait=1")
}

/// When the page asks again by itself, and for what: for itself, unless it says otherwise.
fn refresh(page: &Page) -> Option<(u64, Option<String>)> {
    let (_, rest) = page.body.split_once("http-equiv=\"refresh\" content=\"")?;
    let (content, _) = rest.split_once('"')?;
    let (seconds, to) = content.split_once(";url=").map_or((content, None), |(seconds, to)| (seconds, Some(to)));
    Some((seconds.parse().unwrap(), to.map(|to| to.replace("&amp;", "&"))))
}

/// What holds for every response that a person gets.
#[track_caller]
fn check(page: &Page) {
    assert!(!matches!(page.status.as_u16(), 500 | 502 | 504), "{page:#?}");
    assert!(page.header_bytes() < MOST_HEADER_BYTES, "{} bytes of headers", page.header_bytes());
}
