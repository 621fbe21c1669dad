//! A small OpenID Provider on loopback: what `vestibule demo` signs people in at, and, made to misbehave on request, what
//! the tests run against.
//!
//! Its keys and passwords are published with the source, so it refuses to listen on anything but loopback, and no build
//! to ship contains it. Tokens are put together by hand rather than with `openidconnect`, which would not make bad ones.
//! `faults` says what can go wrong; `wire` does what goes wrong below HTTP.

mod authorize;
mod clients;
mod config;
mod control;
mod discovery;
mod edit;
mod faults;
mod form;
mod jwt;
mod keys;
mod log;
mod page;
mod people;
mod server;
mod token;
mod userinfo;
mod vault;
mod wire;

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use super::{
    clock::System,
    ids::{Issuer, ProviderId},
    settings::{ClientAuth, Database, ProviderSettings, SecretKey, Settings},
    startup,
};

pub use clients::{Algorithm, Authentication, Client};
pub use config::{Profile, ProviderConfig, ProviderError, RateLimit};
pub use control::{CONTROL_PATH, Order, control_router};
pub use edit::{Edit, Members};
pub use faults::{
    Behaviour, CallbackEdit, Document, Endpoint, Fault, HeadEdit, IdTokenEdit, JwksFault, Rule, SignatureFault,
};
pub use keys::{KeyName, PublicKeyForm};
pub use log::{LoggedRequest, Redemption};
pub use people::{DemoPerson, Weight};
pub use server::RunningProvider;

/// Where the demo's provider listens; `http://` and this is its issuer.
pub const DEMO_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3003);
/// The issuer of the demo's provider.
pub const DEMO_ISSUER: &str = "http://127.0.0.1:3003";
/// The demo application's client id.
pub const DEMO_CLIENT_ID: &str = "vestibule-demo";
/// Its secret, which is none.
pub const DEMO_CLIENT_SECRET: &str = "demo-secret-for-loopback-only";
/// Where the demo application is returned to.
pub const DEMO_REDIRECT_URI: &str = "http://127.0.0.1:3000/auth/oidc/callback";

/// Alice and Bob.
#[must_use]
pub fn demo_people() -> Vec<DemoPerson> {
    vec![DemoPerson::alice(), DemoPerson::bob()]
}

/// Starts the demo's provider: the people's passwords on the form, one client (`DEMO_CLIENT_ID`,
/// `client_secret_basic`) that returns to `redirect_uri`. It runs until the handle is stopped or dropped.
///
/// # Errors
/// If `listen` is not loopback or cannot be had.
pub async fn run_provider(listen: SocketAddr, redirect_uri: &str) -> Result<RunningProvider, ProviderError> {
    let config = ProviderConfig {
        listen,
        show_demo_people: true,
        people: demo_people(),
        ..ProviderConfig::new(Profile::Standard)
    };
    RunningProvider::start(config.with_client(Client::basic(DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, redirect_uri))).await
}

/// `vestibule demo`: provider and application on loopback, until asked to stop. Prints where to go and as whom.
///
/// # Errors
/// A sentence for the person who tries it.
pub async fn demo() -> Result<(), String> {
    let provider = run_provider(DEMO_LISTEN, DEMO_REDIRECT_URI).await.map_err(|error| {
        format!("the demo provider cannot listen on {DEMO_LISTEN}: {error}; stop what listens there")
    })?;
    let folder = std::env::temp_dir().join(format!("vestibule-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let system = System::real();
    let settings = Settings::demo(
        ProviderSettings {
            id: ProviderId::new("demo"),
            name: "Demo Provider".to_owned(),
            issuer: Issuer::new(DEMO_ISSUER),
            client_id: DEMO_CLIENT_ID.to_owned(),
            client_auth: ClientAuth::Basic(DEMO_CLIENT_SECRET.into()),
            scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
            ca_file: None,
        },
        Database::Sqlite { path: folder.join("vestibule.db") },
        vec![SecretKey::new(Box::new(system.bytes::<32>().to_vec()))],
    );
    let url = settings.public_url.origin().to_owned();
    let bound = startup::bind(settings, system).await?;
    let people = demo_people().into_iter().map(|person| format!("  {:8} {}\n", person.username, person.password));
    eprintln!("\nVestibule's demo is at {url}/\nSign in as one of (name, password):\n{}", people.collect::<String>());
    let shutdown = CancellationToken::new();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            startup::asked_to_stop().await;
            shutdown.cancel();
        }
    });
    let served = bound.serve(shutdown).await;
    provider.stop().await;
    // The demo's people and sessions are nobody's: nothing is left behind.
    let _ = std::fs::remove_dir_all(&folder);
    served
}
