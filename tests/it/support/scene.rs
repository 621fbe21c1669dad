//! A scene: the test provider and the program on loopback, with a browser made of a cookie jar and nothing else.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use mongodb::bson::{Document, doc};
use reqwest::{Method, StatusCode, header::HeaderMap};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use test_provider::{Client, DemoPerson, Profile, ProviderConfig, RunningProvider};
use time::OffsetDateTime;
use tokio::{runtime::Runtime, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use vestibule::server::{
    clock::{Clock, System},
    ids::{Issuer, ProviderId},
    settings::{ClientAuth, Database, ProviderSettings, PublicUrl, SecretKey, Settings},
    startup,
};

/// What no log, page or answer may ever contain.
pub const CLIENT_SECRET: &str = "scene secret: a+b%2Fc d:e&f=g";
pub const CLIENT_ID: &str = "scene client";
/// The header budget of the contract.
pub const MOST_HEADER_BYTES: usize = 1_536;

pub struct Scene {
    pub provider: RunningProvider,
    pub origin: String,
    pub database: PathBuf,
    /// In place of the file: the connection string, and the database's name.
    mongo: Option<(String, String)>,
    pub admin: SocketAddr,
    /// Where the program listens.
    pub address: SocketAddr,
    keys: Vec<u8>,
    clock: Arc<Ahead>,
    tweak: fn(&mut Settings),
    neighbour: Option<RunningProvider>,
    running: Mutex<Option<Running>>,
    second: Mutex<Option<Running>>,
    _folder: tempfile::TempDir,
}

/// The program's clock: so many seconds ahead of the system's.
#[derive(Default)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> OffsetDateTime {
        System::real().now() + time::Duration::seconds(self.0.load(Ordering::Relaxed))
    }
}

/// A program, in a runtime of its own: killing it ends whatever it has spawned.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), String>>,
    runtime: Option<Runtime>,
}

impl Running {
    async fn start(settings: Settings, clock: Arc<Ahead>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let system = System { clock, ..System::real() };
        let bound = runtime.spawn(async { startup::bind(settings, system).await });
        let bound = bound.await.unwrap().unwrap();
        let shutdown = CancellationToken::new();
        let task = runtime.spawn(bound.serve(shutdown.clone()));
        Self { shutdown, task, runtime: Some(runtime) }
    }

    /// Returns when nothing of it runs any more.
    async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(10))).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A port that nobody uses now, and that no outgoing connection is given: a killed program must find it free again.
pub fn free_address() -> SocketAddr {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Test programs that run at the same time begin at different places.
        let place = (std::process::id() * 613 + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(FIRST + place).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(Profile::Standard, |_| {}).await
    }

    /// With a program so patient that a busy machine does not turn its quick path into the slow one.
    pub async fn patient() -> Self {
        Self::with(Profile::Standard, |settings| settings.sign_in.patience = Duration::from_secs(20)).await
    }

    /// With a program that makes people wait where its provider does.
    pub async fn hasty() -> Self {
        Self::with(Profile::Standard, |settings| settings.sign_in.patience = Duration::from_millis(500)).await
    }

    pub async fn with(profile: Profile, tweak: fn(&mut Settings)) -> Self {
        Self::configured(ProviderConfig { token_delay: Duration::ZERO, ..ProviderConfig::new(profile) }, tweak).await
    }

    pub async fn configured(config: ProviderConfig, tweak: fn(&mut Settings)) -> Self {
        Self::on(config, tweak, None, None).await
    }

    /// Behind a proxy that people find at `front`.
    pub async fn behind(front: SocketAddr, tweak: fn(&mut Settings)) -> Self {
        let config = ProviderConfig { token_delay: Duration::ZERO, ..ProviderConfig::new(Profile::Standard) };
        Self::on(config, tweak, None, Some(front)).await
    }

    /// With another provider beside the first, by the id `neighbour`.
    pub async fn beside_a_neighbour(tweak: fn(&mut Settings)) -> Self {
        let mut scene = Self::with(Profile::Standard, tweak).await;
        scene.kill().await;
        let client = Client::basic(CLIENT_ID, CLIENT_SECRET, &format!("{}/auth/oidc/callback", scene.origin));
        let config = ProviderConfig { token_delay: Duration::ZERO, ..ProviderConfig::new(Profile::Standard) };
        let neighbour = RunningProvider::start(config.with_client(client)).await.unwrap();
        neighbour.log_in_as("alice");
        scene.neighbour = Some(neighbour);
        scene.start().await;
        scene
    }

    /// On the MongoDB server at `uri`, in a database of its own; `options` as they stand in a connection string.
    pub async fn on_mongo(uri: &str, options: &str, tweak: fn(&mut Settings)) -> Self {
        let name = format!("scene_{}", bson::oid::ObjectId::new().to_hex());
        let database = (format!("{uri}{name}{options}"), name);
        let scene = Self::on(ProviderConfig::new(Profile::Standard), tweak, Some(database), None).await;
        scene.prepared().await;
        scene
    }

    /// Returns when MongoDB has the last of the indexes. SecantusDB (0.7.0b3) locks itself up, for ever, where a
    /// collection is made for an index while something is written to it.
    async fn prepared(&self) {
        let (uri, name) = self.mongo.as_ref().unwrap();
        let client = mongodb::Client::with_uri_str(uri).await.unwrap();
        let sessions = client.database(name).collection::<Document>("login_sessions");
        let last = "vestibule_expires_at".to_owned();
        while !sessions.list_index_names().await.unwrap_or_default().contains(&last) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn on(
        config: ProviderConfig,
        tweak: fn(&mut Settings),
        mongo: Option<(String, String)>,
        front: Option<SocketAddr>,
    ) -> Self {
        let address = free_address();
        let origin = format!("http://{}", front.unwrap_or(address));
        let client = Client::basic(CLIENT_ID, CLIENT_SECRET, &format!("{origin}/auth/oidc/callback"));
        let people = vec![DemoPerson::alice(), DemoPerson::bob(), DemoPerson::incident()];
        let provider = RunningProvider::start(ProviderConfig { people, ..config }.with_client(client)).await.unwrap();
        provider.log_in_as("alice");
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Self {
            provider,
            origin,
            database: folder.path().join("scene.db"),
            mongo,
            admin: free_address(),
            address,
            keys: vec![7],
            clock: Arc::default(),
            tweak,
            neighbour: None,
            running: Mutex::new(None),
            second: Mutex::new(None),
            _folder: folder,
        };
        scene.start().await;
        scene
    }

    /// Starts the program (again), with the same settings, database and keys.
    pub async fn start(&mut self) {
        let running = Running::start(self.settings(self.address, self.admin), self.clock.clone()).await;
        *self.running.lock().unwrap() = Some(running);
    }

    /// Starts a second program on the same database; returns its origin. Browsers go there by [`Browser::go_through`].
    pub async fn start_second(&self) -> String {
        let address = free_address();
        let running = Running::start(self.settings(address, free_address()), self.clock.clone()).await;
        *self.second.lock().unwrap() = Some(running);
        format!("http://{address}")
    }

    fn settings(&self, listen: SocketAddr, admin: SocketAddr) -> Settings {
        let at = |id: &str, provider: &RunningProvider| ProviderSettings {
            id: ProviderId::new(id),
            name: "Example".to_owned(),
            issuer: Issuer::new(provider.issuer()),
            client_id: CLIENT_ID.to_owned(),
            client_auth: ClientAuth::Basic(CLIENT_SECRET.into()),
            scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
            ca_file: None,
        };
        let mut settings = Settings::demo(
            at("op", &self.provider),
            match &self.mongo {
                None => Database::Sqlite { path: self.database.clone() },
                Some((uri, name)) => Database::Mongo { uri: uri.as_str().into(), name: name.clone() },
            },
            self.keys.iter().map(|seed| SecretKey::new(Box::new(vec![*seed; 32]))).collect(),
        );
        settings.providers.extend(self.neighbour.iter().map(|provider| at("neighbour", provider)));
        settings.public_url = PublicUrl::parse(&self.origin).unwrap();
        settings.listen = listen;
        settings.admin_listen = admin;
        (self.tweak)(&mut settings);
        settings
    }

    /// Ends the program as a kill does: nothing is finished.
    pub async fn kill(&self) {
        let running = self.running.lock().unwrap().take().unwrap();
        running.kill().await;
    }

    /// Ends the program as SIGTERM does.
    pub async fn stop(&self) {
        let mut running = self.running.lock().unwrap().take().unwrap();
        running.shutdown.cancel();
        (&mut running.task).await.unwrap().unwrap();
        // The process ends with it.
        running.kill().await;
    }

    /// The secret keys of the next start, by their seeds.
    pub fn set_keys(&mut self, seeds: &[u8]) {
        self.keys = seeds.to_vec();
    }

    /// Moves the program's clock on; the provider's stays.
    pub fn later(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub fn browser(&self) -> Browser {
        Browser::default()
    }

    /// A number from the database: of a table, or of its rows in one state.
    pub async fn count(&self, what: &str) -> i64 {
        if let Some((uri, name)) = &self.mongo {
            let (table, state) = what.split_once(" WHERE state = ").unwrap_or((what, ""));
            let client = mongodb::Client::with_uri_str(uri).await.unwrap();
            let table = client.database(name).collection::<Document>(table);
            let state = state.trim_matches('\'');
            let filter = if state.is_empty() {
                doc! {}
            } else {
                doc! { "state": state }
            };
            return table.count_documents(filter).await.unwrap().try_into().unwrap();
        }
        let options = SqliteConnectOptions::new().filename(&self.database);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {what}")));
        let count = count.fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    }

    /// Changes the database behind the program's back.
    pub async fn execute(&self, sql: &str) {
        let options = SqliteConnectOptions::new().filename(&self.database);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
        pool.close().await;
    }

    /// Overwrites where the file keeps `table`, while the program is stopped; returns the file as it was.
    pub async fn damage(&self, table: &str) -> Vec<u8> {
        let options = SqliteConnectOptions::new().filename(&self.database);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        loop {
            let checkpoint = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection);
            let (busy, _, _): (i64, i64, i64) = checkpoint.await.unwrap();
            if busy == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let size: u32 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut connection).await.unwrap();
        let roots = "SELECT rootpage FROM sqlite_schema WHERE tbl_name = ? AND rootpage > 0";
        let roots: Vec<u32> = sqlx::query_scalar(roots).bind(table).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let sound = std::fs::read(&self.database).unwrap();
        let mut damaged = sound.clone();
        for root in roots {
            let end = usize::try_from(root * size).unwrap();
            damaged[end - usize::try_from(size).unwrap()..end].fill(0xff);
        }
        std::fs::write(&self.database, damaged).unwrap();
        sound
    }

    /// Puts a file back, while the program is stopped.
    pub fn restore(&self, sound: &[u8]) {
        for journal in ["db-wal", "db-shm"] {
            let _ = std::fs::remove_file(self.database.with_extension(journal));
        }
        std::fs::write(&self.database, sound).unwrap();
    }

    /// How often the provider's token endpoint was asked.
    pub fn redeemed(&self) -> usize {
        self.provider.count(test_provider::Endpoint::Token)
    }
}

/// An answer, with what tests ask of it.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    pub fn location(&self) -> &str {
        self.headers.get("location").map_or_else(|| panic!("no redirect: {self:#?}"), |it| it.to_str().unwrap())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    /// As on the wire, status line aside.
    pub fn header_bytes(&self) -> usize {
        self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
    }

    pub fn sets_session(&self) -> bool {
        let cookies = self.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap());
        cookies.into_iter().any(|it| it.starts_with("vestibule=") && !it.starts_with("vestibule=;"))
    }

    /// An attribute of the panel.
    pub fn data(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("data-{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }

    /// Where the first button leads.
    #[track_caller]
    pub fn button(&self) -> String {
        let links = self.body.split("<a ").filter_map(|link| link.split_once('>'));
        let button = links.map(|(link, _)| link).find(|link| link.contains("class=\"button\""));
        let href = button.and_then(|link| link.split_once("href=\"")?.1.split_once('"'));
        href.unwrap_or_else(|| panic!("no way on: {}", self.body)).0.replace("&amp;", "&")
    }

    /// Whether it is the explained page with this code.
    pub fn says(&self, code: &str) -> bool {
        self.body.contains(&format!("data-code=\"{code}\""))
    }

    /// The explained page with this code.
    #[track_caller]
    pub fn explains(&self, code: &str) {
        assert!(self.body.contains(code), "no {code}: {self:#?}");
        assert!(self.body.contains("<h1"), "{self:#?}");
        assert!(!matches!(self.status.as_u16(), 500 | 502 | 504), "{self:#?}");
        assert!(!self.sets_session(), "{self:#?}");
        assert_eq!(self.header("cache-control"), "no-store");
        assert!(self.header("content-security-policy").contains("default-src 'none'"));
        assert!(self.header_bytes() < MOST_HEADER_BYTES, "{}", self.header_bytes());
    }
}

/// A cookie jar and a connection.
pub struct Browser {
    client: reqwest::Client,
    pub cookies: Mutex<BTreeMap<(String, String), String>>,
    detour: Mutex<Option<(String, String)>>,
}

impl Default for Browser {
    fn default() -> Self {
        Self::at(None)
    }
}

impl Browser {
    /// With an address of its own, or the system's choice.
    pub fn at(address: Option<IpAddr>) -> Self {
        // reqwest asks for one, though everything here is plain http.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[allow(clippy::disallowed_methods)]
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .local_address(address)
            // Programs come and go, and a kept connection would remember the one that went.
            .pool_max_idle_per_host(0)
            // Everything here is plain http, and reading the system's roots is slow.
            .tls_certs_only([])
            .timeout(Duration::from_secs(90))
            .build()
            .unwrap();
        Self { client, cookies: Mutex::default(), detour: Mutex::default() }
    }

    pub async fn request(&self, method: Method, url: &str, headers: &[(&str, &str)], body: Option<String>) -> Page {
        let url = reqwest::Url::parse(url).unwrap();
        let site = url.origin().ascii_serialization();
        let url = match &*self.detour.lock().unwrap() {
            Some((from, to)) if *from == site => reqwest::Url::parse(&url.as_str().replacen(from, to, 1)).unwrap(),
            _ => url,
        };
        let jar = self.cookies.lock().unwrap().clone();
        let cookie: Vec<_> =
            jar.iter().filter(|((at, _), _)| *at == site).map(|((_, name), value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url);
        if !cookie.is_empty() {
            request = request.header("cookie", cookie.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap_or_default();
            let (name, value) = pair.split_once('=').unwrap();
            let key = (site.clone(), name.to_owned());
            let mut jar = self.cookies.lock().unwrap();
            if attributes.contains("Max-Age=0") {
                jar.remove(&key);
            } else {
                jar.insert(key, value.to_owned());
            }
        }
        Page {
            status: response.status(),
            headers: response.headers().clone(),
            body: String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned(),
        }
    }

    /// From now on requests to the scene are answered by the program at `origin`, as a balancer would have it.
    pub fn go_through(&self, scene: &Scene, origin: &str) {
        *self.detour.lock().unwrap() = Some((scene.origin.clone(), origin.to_owned()));
    }

    pub async fn get(&self, url: &str) -> Page {
        self.request(Method::GET, url, &[], None).await
    }

    pub async fn get_as(&self, url: &str, headers: &[(&str, &str)]) -> Page {
        self.request(Method::GET, url, headers, None).await
    }

    /// A form of our own pages.
    pub async fn post(&self, url: &str, body: &str) -> Page {
        self.request(Method::POST, url, &[("sec-fetch-site", "same-origin")], Some(body.to_owned())).await
    }

    pub fn cookie(&self, scene: &Scene, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(&(scene.origin.clone(), name.to_owned())).cloned()
    }

    pub fn forget(&self, scene: &Scene, name: &str) {
        self.cookies.lock().unwrap().remove(&(scene.origin.clone(), name.to_owned()));
    }

    /// Starts a sign-in; returns the provider's URL.
    pub async fn start(&self, scene: &Scene, return_to: &str) -> String {
        let page = self.get(&scene.url(&format!("/auth/oidc/login?return_to={return_to}"))).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:#?}");
        page.location().to_owned()
    }

    /// Starts a sign-in and lets the provider answer; returns the callback's URL.
    pub async fn callback_url(&self, scene: &Scene, return_to: &str) -> String {
        let provider = self.start(scene, return_to).await;
        let page = self.get(&provider).await;
        page.location().to_owned()
    }

    /// Signs in over the quick path and uses the session once.
    pub async fn sign_in(&self, scene: &Scene) {
        let callback = self.callback_url(scene, "/").await;
        let mut done = self.get(&callback).await;
        // On a busy machine by the waiting page.
        while !done.sets_session() && done.location().starts_with("/auth/oidc/callback?") {
            done = self.get(&scene.url(&format!("{}&wait=1", done.location()))).await;
            if done.status == StatusCode::OK {
                done = self.get(&callback).await;
            }
        }
        assert!(done.sets_session(), "{done:#?}");
        assert!(self.is_signed_in(scene).await);
    }

    /// Asks again where the store cannot tell in time, which on a busy machine needs no fault.
    pub async fn is_signed_in(&self, scene: &Scene) -> bool {
        for _ in 0..150 {
            let page = self.get(&scene.url("/auth/account")).await;
            match page.status {
                StatusCode::OK => return true,
                StatusCode::SEE_OTHER => return false,
                StatusCode::SERVICE_UNAVAILABLE => page.explains("store_unavailable"),
                _ => panic!("{page:#?}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the store never tells who is signed in");
    }

    /// Follows redirects until a page comes; `Err` is a path of the application's behind.
    pub async fn follow(&self, scene: &Scene, url: &str) -> Result<Page, String> {
        let mut url = url.to_owned();
        for _ in 0..20 {
            let page = self.get(&url).await;
            if !page.status.is_redirection() {
                return Ok(page);
            }
            let base = reqwest::Url::parse(&url).unwrap();
            let next = base.join(page.location()).unwrap();
            if next.as_str().starts_with(&scene.origin) && !next.path().starts_with("/auth/") {
                return Err(next.as_str()[scene.origin.len()..].to_owned());
            }
            url = next.to_string();
        }
        panic!("a redirect loop at {url}");
    }

    /// Asks the server function as the panel does.
    pub async fn ask(&self, scene: &Scene, query: &str) -> (Page, serde_json::Value) {
        let page = self.question(scene, query).await;
        let outcome = serde_json::from_str(&page.body).unwrap_or_else(|_| panic!("{page:#?}"));
        (page, outcome)
    }

    /// The same, whatever answers.
    pub async fn question(&self, scene: &Scene, query: &str) -> Page {
        let body = format!("query={}", url::form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>());
        let headers = [("sec-fetch-site", "same-origin"), ("accept", "application/json")];
        self.request(Method::POST, &scene.url("/auth/api/complete-sign-in"), &headers, Some(body)).await
    }
}

/// The query of a URL or path.
pub fn query(url: &str) -> &str {
    url.split_once('?').map_or("", |(_, query)| query)
}
