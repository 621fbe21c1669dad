//! A real nginx in front of the program: configured as operators configure it, with buffers and timeouts that are less
//! than the default, and with programs that go away. Nobody ever sees a 502 or a 504.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tempfile::TempDir;
use test_provider::{Behaviour, CallbackEdit, Endpoint, Rule};
use tokio::{
    io::{AsyncReadExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    faults::{
        person::{Person, RETURN_TO, Stop, check, encoded, until_available},
        row::{Ends, Ends::SignedIn, Played, Row},
        steps::{back_from_the_provider, verified},
    },
    support::{
        browser::Browser,
        page::Page,
        port::{ANY, Port},
        process::Nginx,
        scene::Scene,
    },
};

const INTERRUPTED: Ends = Ends::Explained(&["interrupted"]);
/// Where an attacker may want to redirect others.
const EVIL: &str = "evil.test";

/// What nginx is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    /// No more than the one line.
    Bare,
    SmallBuffers,
    /// Gives up 3 s after a request was sent.
    ShortTimeout,
    Unbuffered,
    Http10,
    /// Connections to the program are reused.
    Kept,
    Close,
    /// As copied from an instruction for `WebSocket`s.
    Upgrade,
    /// Headers that say something else than the public URL.
    Wrong,
    /// `//auth//` is what the program sees.
    Doubled,
    /// `//auth//login` is what a person asks for and the program sees.
    Unmerged,
    /// The whole host is the program's.
    WholeHost,
}

impl Variant {
    const ALL: [Self; 12] = [
        Self::Bare,
        Self::SmallBuffers,
        Self::ShortTimeout,
        Self::Unbuffered,
        Self::Http10,
        Self::Kept,
        Self::Close,
        Self::Upgrade,
        Self::Wrong,
        Self::Doubled,
        Self::Unmerged,
        Self::WholeHost,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "`proxy_pass` and nothing else",
            Self::SmallBuffers => "header buffers of 2 kB",
            Self::ShortTimeout => "gives up after 3 s",
            Self::Unbuffered => "`proxy_buffering off`",
            Self::Http10 => "`proxy_http_version 1.0`",
            Self::Kept => "`proxy_http_version 1.1`, connections kept",
            Self::Close => "`Connection: close`",
            Self::Upgrade => "`Connection: upgrade`",
            Self::Wrong => "wrong `Host`, `Forwarded` and `X-Forwarded-*`",
            Self::Doubled => "doubles the slashes of paths",
            Self::Unmerged => "does not merge the slashes of paths (`merge_slashes off`)",
            Self::WholeHost => "the whole host is the program's",
        }
    }

    fn configuration(self) -> String {
        const HEADERS: &str = "proxy_set_header Host $http_host; \
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
             proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;";
        let (at, to, more) = match self {
            Self::Bare => return "location /auth/ { proxy_pass http://vestibule; }".to_owned(),
            Self::SmallBuffers => (
                "/auth/",
                "",
                "proxy_http_version 1.1; proxy_buffer_size 2k; proxy_buffers 4 2k; proxy_busy_buffers_size 2k;",
            ),
            Self::ShortTimeout => ("/auth/", "", "proxy_read_timeout 3s; proxy_send_timeout 3s;"),
            Self::Unbuffered => ("/auth/", "", "proxy_buffering off; proxy_buffer_size 2k;"),
            Self::Http10 => ("/auth/", "", "proxy_http_version 1.0;"),
            Self::Kept => ("/auth/", "", "proxy_http_version 1.1; proxy_set_header Connection \"\";"),
            Self::Close => ("/auth/", "", "proxy_http_version 1.1; proxy_set_header Connection close;"),
            Self::Upgrade => (
                "/auth/",
                "",
                "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
                 proxy_set_header Connection \"upgrade\";",
            ),
            Self::Wrong => {
                return format!(
                    "location /auth/ {{ proxy_pass http://vestibule; proxy_set_header Host {EVIL}; \
                     proxy_set_header X-Forwarded-For unknown; proxy_set_header X-Forwarded-Host {EVIL}; \
                     proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-Port 1; \
                     proxy_set_header X-Forwarded-Prefix /elsewhere; \
                     proxy_set_header Forwarded \"for=unknown;host={EVIL};proto=https\"; }}"
                );
            }
            Self::Doubled => ("/auth/", "//auth//", ""),
            Self::Unmerged => {
                return format!("merge_slashes off; location ~ ^/ {{ proxy_pass http://vestibule; {HEADERS} }}");
            }
            Self::WholeHost => return format!("location ~ ^/ {{ proxy_pass http://vestibule; {HEADERS} }}"),
        };
        format!("location {at} {{ proxy_pass http://vestibule{to}; {HEADERS} {more} }}")
    }

    fn servers(self, program: SocketAddr) -> String {
        let keep = if self == Self::Kept { "keepalive 8; " } else { "" };
        format!("server {program}; {keep}")
    }

    /// How a person requests one of our paths.
    fn asked(self, path: &str) -> String {
        if self == Self::Unmerged { path.replacen("/auth/", "//auth//", 1) } else { path.to_owned() }
    }
}

pub fn variants() -> Vec<Row> {
    let mut rows = Vec::new();
    for variant in Variant::ALL {
        let name = variant.name();
        rows.push(Row::new(name, "login page, callback, account and sign-out", SignedIn, move |script| {
            at_once(variant, script)
        }));
        for (step, script) in [("waiting page, with script", true), ("waiting page, without", false)] {
            rows.push(Row::new(name, step, SignedIn, move |_| slowly(variant, script)));
        }
        let denied = Ends::Explained(&["access_denied"]);
        rows.push(Row::new(name, "problem page", denied, move |script| denied_by_the_provider(variant, script)));
    }
    rows
}

/// Where people find the program: a place for an nginx.
struct Front {
    port: Port,
    folder: TempDir,
}

impl Front {
    fn new() -> Self {
        Self { port: Port::reserve(), folder: tempfile::tempdir().unwrap() }
    }

    async fn scene(&self) -> Scene {
        Scene::behind(self.port.address, |_| {}).await
    }

    /// nginx as it is shipped, in front of these servers.
    async fn shipped(self, servers: &str) -> (Nginx, Self) {
        (Nginx::shipped(self.folder.path(), self.port.address, servers).await, self)
    }
}

async fn front(variant: Variant) -> (Scene, (Nginx, Front)) {
    let front = Front::new();
    let scene = front.scene().await;
    let servers = variant.servers(scene.address);
    let (at, configuration) = (front.port.address, variant.configuration());
    let nginx = Nginx::configured(front.folder.path(), at, &servers, &configuration).await;
    (scene, (nginx, front))
}

async fn at_once(variant: Variant, script: bool) -> Played {
    let (scene, nginx) = front(variant).await;
    let browser = scene.browser();
    let person = Person { scene: &scene, browser: &browser, script };
    let path = format!("/auth/login?return_to={}", encoded(RETURN_TO));
    let login = seen(browser.get(&scene.url(&variant.asked(&path))).await);
    assert_eq!(login.status.as_u16(), 200, "{login:#?}");
    let start = seen(browser.get(&scene.url(&variant.asked(&login.button()))).await);
    let callback = seen(browser.get(start.location()).await);
    person.go(callback.location()).await.landed(RETURN_TO);
    let (account, logout) = ["/auth/account", "/auth/logout"].map(|path| scene.url(&variant.asked(path))).into();
    let account = seen(until_available(|| browser.get(&account)).await);
    assert_eq!(account.status.as_u16(), 200, "{account:#?}");
    let out = seen(until_available(|| browser.post(&logout, "")).await);
    let out = seen(browser.get(&scene.url(out.location())).await);
    assert_eq!(out.status.as_u16(), 200, "{out:#?}");
    assert!(!browser.is_signed_in(&scene).await);
    let stop = person.begin().await;
    Played::new(stop, scene, browser, script).on(nginx)
}

async fn slowly(variant: Variant, script: bool) -> Played {
    let (scene, nginx) = front(variant).await;
    let browser = scene.browser();
    let person = Person { scene: &scene, browser: &browser, script };
    scene.provider.hold(Endpoint::Token);
    let mut waiting = person.once(&start(&scene)).await.waiting();
    // Longer in all than nginx gives a request, and no request takes that long.
    for _ in 0..if variant == Variant::ShortTimeout { 3 } else { 1 } {
        waiting = person.wait(&waiting).await.waiting();
    }
    scene.provider.release(Endpoint::Token);
    let stop = person.finish(person.wait(&waiting).await).await;
    Played::new(stop, scene, browser, script).on(nginx)
}

async fn denied_by_the_provider(variant: Variant, script: bool) -> Played {
    let (scene, nginx) = front(variant).await;
    let browser = scene.browser();
    let edit = CallbackEdit::Error { code: "access_denied".to_owned(), description: None };
    scene.provider.behave(Rule::once(Behaviour::Callback(edit)));
    let stop = Person { scene: &scene, browser: &browser, script }.begin().await;
    Played::new(stop, scene, browser, script).on(nginx)
}

fn start(scene: &Scene) -> String {
    scene.url(&format!("/auth/oidc/login?return_to={}", encoded(RETURN_TO)))
}

/// What holds for every response, whatever the proxy sends.
#[track_caller]
fn seen(page: Page) -> Page {
    check(&page);
    let says = |name: &str| page.header(name).contains(EVIL) || page.header(name).contains("/elsewhere");
    assert!(!says("location") && !says("set-cookie") && !page.body.contains(EVIL), "{page:#?}");
    page
}

/// How far a person has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Login,
    Start,
    Callback,
    Waiting,
    Question,
    Account,
    SignOut,
}

impl Step {
    const ALL: [Self; 7] =
        [Self::Login, Self::Start, Self::Callback, Self::Waiting, Self::Question, Self::Account, Self::SignOut];

    const fn name(self) -> &'static str {
        match self {
            Self::Login => "login page",
            Self::Start => "start",
            Self::Callback => "callback",
            Self::Waiting => "waiting page",
            Self::Question => "the panel's question",
            Self::Account => "account",
            Self::SignOut => "sign-out",
        }
    }

    /// Whether an exchange is under way.
    const fn under_way(self) -> bool {
        matches!(self, Self::Waiting | Self::Question)
    }

    /// Whether what is asked for is posted, and so never sent twice.
    const fn posts(self) -> bool {
        matches!(self, Self::Question | Self::SignOut)
    }

    /// All up to the step; returns what is asked for then, a URL or the panel's query.
    async fn reached(self, scene: &Scene, browser: &Browser) -> String {
        match self {
            Self::Login => scene.url(&format!("/auth/login?return_to={}", encoded(RETURN_TO))),
            Self::Start => start(scene),
            Self::Callback => back_from_the_provider(scene, browser).await,
            Self::Waiting | Self::Question => {
                scene.provider.hold(Endpoint::Token);
                let person = Person { scene, browser, script: false };
                let query = person.once(&start(scene)).await.waiting();
                if self == Self::Question { query } else { scene.url(&format!("/auth/oidc/callback?{query}&wait=1")) }
            }
            Self::Account | Self::SignOut => {
                Person { scene, browser, script: false }.begin().await.landed(RETURN_TO);
                // The session's first request closes its delivery.
                assert!(browser.is_signed_in(scene).await);
                scene.url(if self == Self::Account { "/auth/account" } else { "/auth/logout" })
            }
        }
    }

    async fn asks(self, scene: &Scene, browser: &Browser, what: &str) -> Page {
        let page = match self {
            Self::Question => browser.question(scene, what).await,
            Self::SignOut => browser.post(what, "").await,
            _ => browser.get(what).await,
        };
        check(&page);
        page
    }

    /// Goes on from there once everything is well.
    async fn goes_on(self, person: Person<'_>, what: &str) -> Stop {
        let Person { scene, browser, .. } = person;
        match self {
            Self::Account => assert!(browser.is_signed_in(scene).await),
            Self::SignOut => {
                assert!(browser.is_signed_in(scene).await, "what was posted was not done");
                let out = until_available(|| browser.post(what, "")).await;
                assert!(out.location().starts_with("/auth/signed-out"));
                assert!(!browser.is_signed_in(scene).await);
            }
            Self::Question => return person.go_from(what).await,
            _ => return person.go(what).await,
        }
        person.begin().await
    }
}

pub fn away() -> Vec<Row> {
    let mut rows = Vec::new();
    for step in Step::ALL {
        rows.push(Row::new("cut off in the middle of one request", step.name(), SignedIn, move |script| {
            cut(step, script)
        }));
    }
    for step in Step::ALL {
        let ends = if step.under_way() { INTERRUPTED } else { SignedIn };
        rows.push(Row::new("killed, and started again", step.name(), ends, move |script| restarted(step, script)));
        rows.push(Row::new("one of two, killed", step.name(), ends, move |script| one_of_two(step, script)));
    }
    rows.push(Row::new("one of two, killed", "verified, not delivered", SignedIn, undelivered));
    rows
}

/// The shipped configuration asks once more for a page, which nobody notices; what was posted is not sent again, and
/// is said not to be done.
async fn cut(step: Step, script: bool) -> Played {
    let front = Front::new();
    let scene = front.scene().await;
    let relay = Relay::to(scene.address).await;
    let nginx = front.shipped(&format!("server {};", relay.address)).await;
    let browser = scene.browser();
    let what = step.reached(&scene, &browser).await;
    relay.cut.store(1, Ordering::SeqCst);
    let page = until_available(|| step.asks(&scene, &browser, &what)).await;
    assert_eq!(relay.cut.load(Ordering::SeqCst), 0);
    if step.posts() {
        not_done(&page);
    } else {
        assert!(page.status.is_success() || page.status.is_redirection(), "{page:#?}");
    }
    scene.provider.release(Endpoint::Token);
    let stop = step.goes_on(Person { scene: &scene, browser: &browser, script }, &what).await;
    Played::new(stop, scene, browser, script).on((nginx, relay))
}

/// Nobody is there for a while, and nginx says so itself.
async fn restarted(step: Step, script: bool) -> Played {
    let front = Front::new();
    let mut scene = front.scene().await;
    let nginx = front.shipped(&format!("server {};", scene.address)).await;
    let browser = scene.browser();
    let what = step.reached(&scene, &browser).await;
    scene.kill().await;
    let page = until_available(|| step.asks(&scene, &browser, &what)).await;
    if step.posts() {
        not_done(&page);
    } else {
        restarting(&page);
        assert!(page.body.contains("http-equiv=\"refresh\""), "it asks again by itself: {page:#?}");
    }
    scene.provider.release(Endpoint::Token);
    scene.start().await;
    let stop = step.goes_on(Person { scene: &scene, browser: &browser, script }, &what).await;
    Played::new(stop, scene, browser, script).on(nginx)
}

/// Another program takes over: only a person whose sign-in was in the middle of an exchange notices.
async fn one_of_two(step: Step, script: bool) -> Played {
    let (scene, nginx) = two().await;
    let browser = scene.browser();
    let what = step.reached(&scene, &browser).await;
    scene.kill().await;
    let page = until_available(|| step.asks(&scene, &browser, &what)).await;
    assert!(page.status.is_success() || page.status.is_redirection(), "{page:#?}");
    scene.provider.release(Endpoint::Token);
    let person = Person { scene: &scene, browser: &browser, script };
    let stop = if step == Step::SignOut {
        // Nothing had been sent to the one that is gone, so the other was asked.
        assert!(!browser.is_signed_in(&scene).await);
        person.begin().await
    } else {
        step.goes_on(person, &what).await
    };
    Played::new(stop, scene, browser, script).on(nginx)
}

async fn undelivered(script: bool) -> Played {
    let (scene, nginx) = two().await;
    let browser = scene.browser();
    let what = Step::Waiting.reached(&scene, &browser).await;
    scene.provider.release(Endpoint::Token);
    verified(&scene).await;
    scene.kill().await;
    let stop = Person { scene: &scene, browser: &browser, script }.go(&what).await;
    Played::new(stop, scene, browser, script).on(nginx)
}

/// Two programs behind the shipped configuration; the second gets the request if the first does not respond.
async fn two() -> (Scene, (Nginx, Front)) {
    let front = Front::new();
    let scene = front.scene().await;
    let second = scene.start_second().await;
    let servers = format!("server {}; server {} backup;", scene.address, second.trim_start_matches("http://"));
    let nginx = front.shipped(&servers).await;
    (scene, nginx)
}

/// nginx's own page.
#[track_caller]
fn restarting(page: &Page) {
    assert_eq!(page.status.as_u16(), 503, "{page:#?}");
    assert_eq!(page.header("retry-after"), "3");
    assert!(page.body.contains("<code>restarting</code>"), "{page:#?}");
    assert!(page.body.contains("<h1") && !page.sets_session(), "{page:#?}");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("content-security-policy").contains("default-src 'none'"), "{page:#?}");
}

#[track_caller]
fn not_done(page: &Page) {
    restarting(page);
    assert!(page.body.contains("href=\"/auth/account\"") && !page.body.contains("refresh"), "{page:#?}");
}

/// Stands between nginx and the program, and cuts the next connections off once the request has begun.
struct Relay {
    address: SocketAddr,
    cut: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Relay {
    async fn to(program: SocketAddr) -> Self {
        let listener = TcpListener::bind(ANY).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(AtomicUsize::new(0));
        let left = cut.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                    let _ = from.read(&mut [0; 1024]).await;
                } else if let Ok(mut to) = TcpStream::connect(program).await {
                    tokio::spawn(async move { copy_bidirectional(&mut from, &mut to).await });
                }
            }
        });
        Self { address, cut, task }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
