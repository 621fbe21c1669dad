//! Applications on hosts of their own, a proxy before them that asks the gate about every request, and browsers.

use std::net::SocketAddr;

use reqwest::{Method, StatusCode, Url};
use vestibule::server::{
    application::{
        Access, Application, HostPattern, IdentityRules, Members, OriginPattern, Preset, Rule, RuleAccess, RulePath,
    },
    settings::Settings,
};

use crate::support::{
    browser::Browser,
    page::Page,
    scene::{LOGIN_HOST, Scene},
};

/// An application with every kind of rule, a token, and both identity presets.
pub const WIKI: &str = "wiki.localhost";
/// One that owns `/auth/` itself.
pub const BOARD: &str = "board.localhost";
/// Where ours is on [`BOARD`].
pub const BOARD_PREFIX: &str = "/.vestibule";

/// Whom alice is not: `/admin/`. Whom she is: `/staff/`.
pub fn applications(settings: &mut Settings) {
    let port = Url::parse(settings.public_url.origin()).unwrap().port();
    let rule = |path: &str, access| Rule {
        path: RulePath::Below(path.to_owned()),
        methods: Vec::new(),
        access,
        addresses: Vec::new(),
    };
    let group = |name: &str| RuleAccess::Members(Members { groups: vec![name.to_owned()], ..Members::default() });
    let application = |host: &str| Application {
        origins: vec![OriginPattern { secure: false, host: HostPattern::One(host.to_owned()), port }],
        access: Access::SignedIn,
        rules: vec![
            rule("/public/", RuleAccess::All(Access::Anyone)),
            rule("/closed/", RuleAccess::All(Access::Nobody)),
            rule("/admin/", group("admins")),
            rule("/staff/", group("staff")),
        ],
        identity: IdentityRules { presets: vec![Preset::Remote, Preset::Assertion], ..IdentityRules::default() },
        preflight: false,
        prefix: "/auth".to_owned(),
        token: true,
    };
    settings.applications = vec![
        application(WIKI),
        Application {
            prefix: BOARD_PREFIX.to_owned(),
            token: false,
            identity: IdentityRules { presets: vec![Preset::Remote], ..IdentityRules::default() },
            ..application(BOARD)
        },
    ];
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    for provider in &mut settings.providers {
        provider.scopes.push("groups".to_owned());
    }
    settings.sign_in.patience = std::time::Duration::from_secs(20);
}

pub async fn scene() -> Scene {
    Scene::with_applications(applications).await
}

/// What proxies ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Verify,
    Denied,
    Forward,
    ExtAuthz,
}

pub const ENDPOINTS: [Endpoint; 4] = [Endpoint::Verify, Endpoint::Denied, Endpoint::Forward, Endpoint::ExtAuthz];

/// Who sends the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// A person's browser goes there.
    Navigation,
    /// It posts a form there.
    Form,
    Script,
    WebSocket,
    Prefetch,
    Head,
}

pub const VISITORS: [Visitor; 6] =
    [Visitor::Navigation, Visitor::Form, Visitor::Script, Visitor::WebSocket, Visitor::Prefetch, Visitor::Head];

impl Visitor {
    pub const fn method(self) -> &'static str {
        match self {
            Self::Form => "POST",
            Self::Head => "HEAD",
            Self::Navigation | Self::Script | Self::WebSocket | Self::Prefetch => "GET",
        }
    }

    /// As browsers send them.
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");
        const DOCUMENT: (&str, &str) = ("sec-fetch-dest", "document");
        match self {
            Self::Navigation | Self::Form | Self::Head => &[HTML, NAVIGATE, DOCUMENT],
            Self::Script => &[("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
            Self::WebSocket => &[
                ("sec-fetch-mode", "websocket"),
                ("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw=="),
                ("upgrade", "websocket"),
            ],
            Self::Prefetch => &[HTML, NAVIGATE, DOCUMENT, ("sec-purpose", "prefetch")],
        }
    }

    /// Whether a person sees the answer.
    pub const fn sees_pages(self) -> bool {
        matches!(self, Self::Navigation | Self::Form)
    }
}

/// A question of a proxy's.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub endpoint: Endpoint,
    pub visitor: Visitor,
    pub host: &'a str,
    /// Path and query.
    pub uri: &'a str,
}

impl<'a> Question<'a> {
    pub const fn about(endpoint: Endpoint, uri: &'a str) -> Self {
        Self { endpoint, visitor: Visitor::Navigation, host: WIKI, uri }
    }

    pub const fn by(self, visitor: Visitor) -> Self {
        Self { visitor, ..self }
    }

    pub const fn at(self, host: &'a str) -> Self {
        Self { host, ..self }
    }
}

/// Where one of the programs listens, and where it is asked.
#[derive(Clone, Copy, Debug)]
pub struct At {
    pub public: SocketAddr,
    pub gate: SocketAddr,
}

impl Scene {
    pub fn at(&self) -> At {
        At { public: self.address, gate: self.gate }
    }

    /// The URL of a page of a host.
    pub fn page(&self, host: &str, path: &str) -> String {
        format!("http://{}{path}", self.authority(host))
    }

    pub fn authority(&self, host: &str) -> String {
        format!("{host}:{}", self.address.port())
    }
}

impl Browser {
    /// What the gate answers a proxy that has got a request of this browser's.
    pub async fn asks(&self, scene: &Scene, question: Question<'_>) -> Page {
        self.asks_at(scene, scene.at(), question, &[]).await
    }

    /// The same, at another program, or with more headers.
    pub async fn asks_at(&self, scene: &Scene, at: At, question: Question<'_>, more: &[(&str, &str)]) -> Page {
        let Question { endpoint, visitor, host, uri } = question;
        let authority = scene.authority(host);
        let mut headers = vec![("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "http")];
        headers.extend(visitor.headers());
        headers.extend(more);
        let (path, method) = match endpoint {
            Endpoint::ExtAuthz => {
                headers.push(("host", &authority));
                (format!("/auth/ext-authz{uri}"), visitor.method())
            }
            of_one_path => {
                headers.extend([
                    ("x-forwarded-method", visitor.method()),
                    ("x-forwarded-host", &authority),
                    ("x-forwarded-uri", uri),
                ]);
                let path = match of_one_path {
                    Endpoint::Verify => "/auth/verify",
                    Endpoint::Denied => "/auth/denied",
                    Endpoint::Forward | Endpoint::ExtAuthz => "/auth/forward",
                };
                (path.to_owned(), "GET")
            }
        };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.request_of(&scene.page(host, ""), method, &format!("http://{}{path}", at.gate), &headers, None).await
    }

    /// One request of a person's browser that goes to `url`, through the proxy: to us where the path is ours there, else
    /// to the application, if the gate lets it.
    pub async fn visits(&self, scene: &Scene, at: At, url: &Url) -> Page {
        let host = url.host_str().unwrap();
        let prefix = if host == BOARD { BOARD_PREFIX } else { "/auth" };
        let is_ours = url.path().starts_with(&format!("{prefix}/"));
        let is_of_an_application = host.ends_with(".localhost") && host != LOGIN_HOST;
        if is_of_an_application && !is_ours {
            let uri = &url[url::Position::BeforePath..url::Position::AfterQuery];
            let question = Question::about(Endpoint::Forward, uri).at(host);
            return self.asks_at(scene, at, question, &[]).await;
        }
        if host == LOGIN_HOST || is_of_an_application {
            let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
            let authority = scene.authority(host);
            let mut headers = vec![("host", &*authority)];
            headers.extend(Visitor::Navigation.headers());
            let to = format!("http://{}{path}", at.public);
            return self.request_of(&scene.page(host, ""), Method::GET, &to, &headers, None).await;
        }
        self.get(url.as_str()).await
    }

    /// Follows redirects, and pages that go on by themselves, to a page that stays; says where that is.
    pub async fn goes(&self, scene: &Scene, url: &str) -> (Url, Page) {
        self.goes_at(scene, scene.at(), url).await
    }

    pub async fn goes_at(&self, scene: &Scene, at: At, url: &str) -> (Url, Page) {
        /// Every page of ours that a person could see on the way would be one too many, so these are few.
        const MOST: usize = 120;
        let mut url = Url::parse(url).unwrap();
        for _ in 0..MOST {
            let page = self.visits(scene, at, &url).await;
            let next = match page.status {
                StatusCode::SEE_OTHER => page.location().to_owned(),
                StatusCode::OK => match goes_on(&page) {
                    Some(next) => next,
                    None => return (url, page),
                },
                _ => return (url, page),
            };
            url = url.join(&next).unwrap();
        }
        panic!("it goes on for ever: {url}");
    }

    /// Goes to a page of an application's, and gets there as this person.
    pub async fn opens(&self, scene: &Scene, url: &str, username: &str) {
        let (there, page) = self.goes(scene, url).await;
        assert_eq!((there.as_str(), user(&page)), (url, Some(username)), "{page:#?}");
    }

    pub fn cookie_of(&self, scene: &Scene, host: &str, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(&(scene.page(host, ""), name.to_owned())).cloned()
    }

    pub fn set_cookie_of(&self, scene: &Scene, host: &str, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert((scene.page(host, ""), name.to_owned()), value.to_owned());
    }

    pub fn forget_of(&self, scene: &Scene, host: &str, name: &str) {
        self.cookies.lock().unwrap().remove(&(scene.page(host, ""), name.to_owned()));
    }

    /// Whether the gate takes this browser for a signed-in person's at a host.
    pub async fn is_known_at(&self, scene: &Scene, host: &str) -> bool {
        self.is_known_by(scene, scene.at(), host).await
    }

    pub async fn is_known_by(&self, scene: &Scene, at: At, host: &str) -> bool {
        let page = self.asks_at(scene, at, Question::about(Endpoint::Verify, "/page").at(host), &[]).await;
        match page.status {
            StatusCode::OK => true,
            StatusCode::UNAUTHORIZED => false,
            _ => panic!("{page:#?}"),
        }
    }

    /// The button of the signed-out page, or of the account's.
    pub async fn signs_out(&self, scene: &Scene) {
        let page = self.post(&scene.url("/auth/logout"), "").await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:#?}");
    }
}

/// Where a page leads that goes on by itself.
pub fn goes_on(page: &Page) -> Option<String> {
    let (_, rest) = page.body.split_once("http-equiv=\"refresh\" content=\"")?;
    let (_, url) = rest.split_once('"')?.0.split_once(";url=")?;
    Some(url.replace("&amp;", "&"))
}

/// Whom the application is told of, if the gate has let the request pass.
pub fn user(page: &Page) -> Option<&str> {
    (page.status == StatusCode::OK).then(|| page.headers.get("remote-user")?.to_str().ok()).flatten()
}

/// The JSON of an answer.
pub fn json(page: &Page) -> serde_json::Value {
    assert!(page.header("content-type").starts_with("application/json"), "{page:#?}");
    serde_json::from_str(&page.body).unwrap()
}
