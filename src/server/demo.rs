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
