//! The test provider as a program, for the browser tests: behind nginx for TLS, with an issuer given, and a second
//! listener on loopback that takes orders (`POST /__control`).
//!
//! Prints one line of JSON, `{"listen": "…", "control": "…"}`, when it can be used. Ends on SIGTERM or SIGINT, and with
//! `--stop-on-eof` when its standard input ends.

use std::{
    error::Error,
    io::{Read as _, Write as _},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use test_provider::{Client, DemoPerson, Profile, ProviderConfig, RateLimit, RunningProvider, control_router};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// An OpenID Provider that misbehaves on request. Loopback only.
#[derive(Parser)]
struct Arguments {
    /// Where the provider listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where orders are taken.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Which provider it behaves like.
    #[arg(long, value_enum, default_value = "standard")]
    profile: ProfileName,
    /// The issuer, when a proxy stands in front.
    #[arg(long)]
    issuer: Option<String>,
    /// The client, registered with client_secret_basic.
    #[arg(long)]
    client_id: String,
    /// Its secret.
    #[arg(long)]
    client_secret: String,
    /// Where it is returned to; may be repeated.
    #[arg(long, required = true)]
    redirect_uri: Vec<String>,
    /// Where people may go after sign-out, which is then offered; may be repeated.
    #[arg(long)]
    post_logout_redirect_uri: Vec<String>,
    /// How long every token request takes.
    #[arg(long)]
    token_delay_ms: Option<u64>,
    /// Refuse addresses after many failures, as Authelia does. Off otherwise: all tests share one address.
    #[arg(long)]
    rate_limit: bool,
    /// Respond with 400 to any Host but the issuer's, as Authelia does.
    #[arg(long)]
    check_host: bool,
    /// Show the people's passwords on the form.
    #[arg(long)]
    show_people: bool,
    /// End when standard input does.
    #[arg(long)]
    stop_on_eof: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileName {
    Standard,
    Authelia,
}

impl Arguments {
    fn config(self) -> ProviderConfig {
        let mut config = ProviderConfig::new(match self.profile {
            ProfileName::Standard => Profile::Standard,
            ProfileName::Authelia => Profile::Authelia,
        });
        config.listen = self.listen;
        config.issuer = self.issuer;
        config.people.push(DemoPerson::incident());
        config.end_session = !self.post_logout_redirect_uri.is_empty();
        config.clients.push(Client {
            redirect_uris: self.redirect_uri,
            post_logout_redirect_uris: self.post_logout_redirect_uri,
            ..Client::basic(&self.client_id, &self.client_secret, "")
        });
        config.show_demo_people = self.show_people;
        config.rate_limit = self.rate_limit.then(RateLimit::authelia);
        config.check_host = self.check_host;
        if let Some(ms) = self.token_delay_ms {
            config.token_delay = Duration::from_millis(ms);
        }
        config
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let (control, stop_on_eof) = (arguments.control, arguments.stop_on_eof);
    if !control.ip().is_loopback() {
        return Err("orders are taken on loopback only".into());
    }
    let provider = Arc::new(RunningProvider::start(arguments.config()).await?);
    let control = TcpListener::bind(control).await?;
    let ready = serde_json::json!({ "listen": provider.addr(), "control": control.local_addr()? });
    let orders = control_router(provider);

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (eof, ended) = oneshot::channel();
    // Without the flag the sender stays here, so that the end of input never comes.
    let mut eof = Some(eof);
    if let Some(eof) = eof.take_if(|_| stop_on_eof) {
        // A thread, because a read of standard input cannot be cancelled and would hold up the runtime's end.
        std::thread::spawn(move || {
            let mut input = std::io::stdin().lock();
            let mut ignored = [0; 256];
            while let Ok(1..) = input.read(&mut ignored) {}
            let _ = eof.send(());
        });
    }
    let mut out = std::io::stdout();
    writeln!(out, "{ready}")?;
    out.flush()?;
    tokio::select! {
        served = axum::serve(control, orders) => served?,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = ended => {}
    }
    Ok(())
}
