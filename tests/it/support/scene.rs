//! A scene: the test provider and the program on loopback.

mod database;
mod program;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use test_provider::{Client, DemoPerson, Endpoint, Profile, ProviderConfig, RunningProvider};
use vestibule::server::{
    ids::{Issuer, ProviderId},
    settings::{AuthenticationRequestSettings, ClientAuth, Database, ProviderSettings, PublicUrl, SecretKey, Settings},
};

use self::program::{Ahead, Running};
use crate::support::{
    browser::Browser,
    mongo,
    port::{ANY, Port},
};

/// What no log, page or response may ever contain.
pub const CLIENT_SECRET: &str = "scene secret: a+b%2Fc d:e&f=g";
pub const CLIENT_ID: &str = "scene client";

pub struct Scene {
    pub provider: RunningProvider,
    pub origin: String,
    pub database: PathBuf,
    /// In place of the file.
    mongo: Option<Mongo>,
    /// Where the program listens.
    pub address: SocketAddr,
    /// Where it listens for the administrator.
    pub admin: SocketAddr,
    /// Where proxies ask it.
    pub gate: SocketAddr,
    keys: Vec<u8>,
    clock: Arc<Ahead>,
    tweak: fn(&mut Settings),
    pub neighbour: Option<RunningProvider>,
    running: Mutex<Option<Running>>,
    others: Mutex<Vec<Running>>,
    _port: Port,
    _folder: tempfile::TempDir,
}

/// Where people find the program.
enum Found {
    /// Where it listens.
    There,
    /// Behind a proxy there.
    At(SocketAddr),
    /// By the name of the login host.
    AsLoginHost,
}

/// The login host of a scene with applications, which are on other hosts below `localhost`.
pub const LOGIN_HOST: &str = "login.localhost";

/// The database of a scene on MongoDB.
struct Mongo {
    /// With the database's name in it.
    uri: String,
    name: String,
    client: mongodb::Client,
}

/// Whether scenes are on MongoDB where they would be on SQLite: so the same tests show the same of both (stage `mongodb` of
/// `tools/test.py`).
pub fn on_mongo_instead() -> bool {
    std::env::var_os("VESTIBULE_TEST_STORE").is_some_and(|store| store == "mongodb")
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
        Self::on(config, tweak, None, Found::There).await
    }

    /// Behind a proxy that people find at `front`.
    pub async fn behind(front: SocketAddr, tweak: fn(&mut Settings)) -> Self {
        let config = ProviderConfig { token_delay: Duration::ZERO, ..ProviderConfig::new(Profile::Standard) };
        Self::on(config, tweak, None, Found::At(front)).await
    }

    /// With another provider beside the first, by the id `neighbour`. Both count failed token requests, as Authelia does.
    pub async fn beside_a_neighbour(tweak: fn(&mut Settings)) -> Self {
        let mut scene = Self::with(Profile::Authelia, tweak).await;
        scene.kill().await;
        let client = Client::basic(CLIENT_ID, CLIENT_SECRET, &format!("{}/auth/oidc/callback", scene.origin));
        let config = ProviderConfig { token_delay: Duration::ZERO, ..ProviderConfig::new(Profile::Authelia) };
        let neighbour = RunningProvider::start(config.with_client(client)).await.unwrap();
        neighbour.log_in_as("alice");
        scene.neighbour = Some(neighbour);
        scene.start().await;
        scene
    }

    /// On the MongoDB server at `uri`, in a database of its own; `options` as they stand in a connection string.
    pub async fn on_mongo(uri: &str, options: &str, tweak: fn(&mut Settings)) -> Self {
        let mongo = Mongo::at(uri, options).await;
        Self::on(ProviderConfig::new(Profile::Standard), tweak, Some(mongo), Found::There).await
    }

    /// With a patient program, and a provider that signs people out at our request; on the MongoDB server at `mongo`, or on
    /// SQLite.
    pub async fn offering_sign_out(mongo: Option<&str>) -> Self {
        let config =
            ProviderConfig { token_delay: Duration::ZERO, end_session: true, ..ProviderConfig::new(Profile::Standard) };
        let tweak = |settings: &mut Settings| settings.sign_in.patience = Duration::from_secs(20);
        let Some(uri) = mongo else { return Self::configured(config, tweak).await };
        Self::on(config, tweak, Some(Mongo::at(uri, "").await), Found::There).await
    }

    /// As the login host of applications, on the MongoDB server at `uri`.
    pub async fn with_applications_on_mongo(uri: &str, tweak: fn(&mut Settings)) -> Self {
        let config = ProviderConfig { token_delay: Duration::ZERO, ..ProviderConfig::new(Profile::Standard) };
        Self::on(config, tweak, Some(Mongo::at(uri, "").await), Found::AsLoginHost).await
    }

    /// As the login host of applications on other hosts; `tweak` says which.
    pub async fn with_applications(tweak: fn(&mut Settings)) -> Self {
        let config = ProviderConfig { token_delay: Duration::ZERO, ..ProviderConfig::new(Profile::Standard) };
        Self::on(config, tweak, None, Found::AsLoginHost).await
    }

    async fn on(config: ProviderConfig, tweak: fn(&mut Settings), mongo: Option<Mongo>, found: Found) -> Self {
        let mongo = match mongo {
            None if on_mongo_instead() => Some(Mongo::at(mongo::server().await.uri(), "").await),
            given => given,
        };
        let port = Port::reserve();
        let origin = match found {
            Found::There => format!("http://{}", port.address),
            Found::At(front) => format!("http://{front}"),
            Found::AsLoginHost => format!("http://{LOGIN_HOST}:{}", port.address.port()),
        };
        let client = Client::basic(CLIENT_ID, CLIENT_SECRET, &format!("{origin}/auth/oidc/callback"))
            .with_post_logout_redirect_uri(&format!("{origin}/auth/signed-out"));
        let people = vec![DemoPerson::alice(), DemoPerson::bob(), DemoPerson::incident()];
        let provider = RunningProvider::start(ProviderConfig { people, ..config }.with_client(client)).await.unwrap();
        provider.log_in_as("alice");
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Self {
            provider,
            origin,
            database: folder.path().join("scene.db"),
            mongo,
            address: port.address,
            admin: ANY,
            gate: ANY,
            keys: vec![7],
            clock: Arc::default(),
            tweak,
            neighbour: None,
            running: Mutex::new(None),
            others: Mutex::default(),
            _port: port,
            _folder: folder,
        };
        scene.start().await;
        if scene.mongo.is_some() {
            scene.prepared().await;
        }
        scene
    }

    /// Starts the program (again), with the same settings, database and keys.
    pub async fn start(&mut self) {
        let running = Running::start(self.settings(self.address), self.clock.clone()).await;
        (self.admin, self.gate) = (running.admin, running.gate);
        *self.running.lock().unwrap() = Some(running);
    }

    /// Starts another program on the same database; returns its origin. Browsers go there by [`Browser::go_through`].
    pub async fn start_second(&self) -> String {
        format!("http://{}", self.start_another().await.0)
    }

    /// The same; returns where it listens, and where proxies ask it.
    pub async fn start_another(&self) -> (SocketAddr, SocketAddr) {
        let running = Running::start(self.settings(ANY), self.clock.clone()).await;
        let at = (running.address, running.gate);
        self.others.lock().unwrap().push(running);
        at
    }

    fn settings(&self, listen: SocketAddr) -> Settings {
        let at = |id: &str, provider: &RunningProvider| ProviderSettings {
            id: ProviderId::new(id),
            name: "Example".to_owned(),
            issuer: Issuer::new(provider.issuer()),
            client_id: CLIENT_ID.to_owned(),
            client_auth: ClientAuth::Basic(CLIENT_SECRET.into()),
            pushed_requests: false,
            id_token_algorithms: Vec::new(),
            userinfo_algorithms: Vec::new(),
            scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
            end_session: true,
            trusted_audiences: Vec::new(),
            request: AuthenticationRequestSettings::default(),
            ca_file: None,
        };
        let mut settings = Settings::demo(
            at("op", &self.provider),
            match &self.mongo {
                None => Database::Sqlite { path: self.database.clone() },
                Some(mongo) => Database::Mongo { uri: mongo.uri.as_str().into(), name: mongo.name.clone() },
            },
            self.keys.iter().map(|seed| SecretKey::new(Box::new(vec![*seed; 32]))).collect(),
        );
        settings.providers.extend(self.neighbour.iter().map(|provider| at("neighbour", provider)));
        settings.move_to(PublicUrl::parse(&self.origin).unwrap());
        settings.listen = listen;
        (settings.admin_listen, settings.gate_listen) = (ANY, ANY);
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
        let running = self.running.lock().unwrap().take().unwrap();
        running.stop().await;
    }

    /// The secret keys of the next start, by their seeds.
    pub fn set_keys(&mut self, seeds: &[u8]) {
        self.keys = seeds.to_vec();
    }

    /// The settings of the next start.
    pub fn set_tweak(&mut self, tweak: fn(&mut Settings)) {
        self.tweak = tweak;
    }

    /// Moves the program's clock on; the provider's stays.
    pub fn later(&self, seconds: i64) {
        self.clock.advance(seconds);
    }

    /// Lets whatever asks the program's clock next panic.
    pub fn panics_once(&self) {
        self.clock.break_once();
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub fn browser(&self) -> Browser {
        Browser::default()
    }

    /// How often the provider's token endpoint was asked.
    pub fn redeemed(&self) -> usize {
        self.provider.count(Endpoint::Token)
    }
}
