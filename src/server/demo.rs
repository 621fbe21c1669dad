//! `vestibule demo`: the program and a provider with two people, to try it with. Everything is on loopback, and nothing
//! is left behind. No build to ship contains it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use test_provider::{Client, Profile, ProviderConfig, ProviderError, RunningProvider};
use tokio_util::sync::CancellationToken;

use super::{
    clock::System,
    ids::{Issuer, ProviderId},
    settings::{AuthenticationRequestSettings, ClientAuth, Database, ProviderSettings, SecretKey, Settings},
    startup, stderr,
};

const PROVIDER_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3003);
const CLIENT_ID: &str = "vestibule-demo";
const CLIENT_SECRET: &str = "demo-secret-for-loopback-only";
const REDIRECT_URI: &str = "http://127.0.0.1:3000/auth/oidc/callback";
const SIGNED_OUT: &str = "http://127.0.0.1:3000/auth/signed-out";

/// Runs provider and application until asked to stop. Prints where to go and as whom.
///
/// # Errors
/// A sentence for the person who tries it.
pub async fn demo() -> Result<(), String> {
    let client = Client::basic(CLIENT_ID, CLIENT_SECRET, REDIRECT_URI).with_post_logout_redirect_uri(SIGNED_OUT);
    let config = ProviderConfig {
        listen: PROVIDER_LISTEN,
        show_demo_people: true,
        end_session: true,
        ..ProviderConfig::new(Profile::Standard).with_client(client)
    };
    let people: String =
        config.people.iter().map(|person| format!("  {:8} {}\n", person.username, person.password)).collect();
    let provider = RunningProvider::start(config).await.map_err(|error| match error {
        ProviderError::Listen(..) => format!("demo provider: {error}; stop what listens there"),
        error => format!("demo provider: {error}"),
    })?;
    let folder = std::env::temp_dir().join(format!("vestibule-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let served = serve(&folder, provider.issuer(), &people).await;
    provider.stop().await;
    let _ = std::fs::remove_dir_all(&folder);
    served
}

async fn serve(folder: &Path, issuer: &str, people: &str) -> Result<(), String> {
    let system = System::real();
    let database = Database::Sqlite { path: folder.join("vestibule.db") };
    let secret_keys = vec![SecretKey::new(Box::new(system.bytes::<32>().to_vec()))];
    let settings = Settings::demo(provider_settings(issuer), database, secret_keys);
    let url = settings.public_url.origin().to_owned();
    let bound = startup::bind(settings, system).await?;
    stderr::print(format!("\nVestibule's demo is at {url}/\nSign in as one of (name, password):\n{people}\n"));
    let shutdown = CancellationToken::new();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            startup::asked_to_stop().await;
            shutdown.cancel();
        }
    });
    bound.serve(shutdown).await
}

fn provider_settings(issuer: &str) -> ProviderSettings {
    ProviderSettings {
        id: ProviderId::new("demo"),
        name: "Demo Provider".to_owned(),
        issuer: Issuer::new(issuer),
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
    }
}
