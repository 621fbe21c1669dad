//! Settings to running program: listeners, background work, shutdown.

use std::{
    future::pending,
    io::{self, ErrorKind, IsTerminal as _},
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicBool},
};

use axum_server::Handle;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout_at},
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use super::{
    application::{Application, Applications},
    assets::Assets,
    clock::{Entropy, System},
    cookie_headers::Cookies,
    gate::{self, check::Gate},
    http::{connections, gate::Checks, pages::admin},
    key_file, limits,
    provider::Providers,
    public_url::PublicUrl,
    router,
    seal::Keyring,
    session::{KnownSessions, Sessions},
    settings::{Fault, SecretKeys, Settings, UserRules},
    sign_in::{Parts, SignIn},
    state::App,
    store::{self, StoreError},
    telemetry::Metrics,
};

/// Why the program did not start, or ended.
#[derive(Debug)]
pub enum StartupError {
    /// Something is wrong with the settings that only the first use of them shows.
    Settings(Fault),
    /// A sentence for the operator.
    Failed(String),
}

impl From<Fault> for StartupError {
    fn from(fault: Fault) -> Self {
        Self::Settings(fault)
    }
}

impl From<String> for StartupError {
    fn from(sentence: String) -> Self {
        Self::Failed(sentence)
    }
}

impl From<StartupError> for String {
    fn from(error: StartupError) -> Self {
        match error {
            StartupError::Settings(fault) => fault.to_string(),
            StartupError::Failed(sentence) => sentence,
        }
    }
}

/// A program with its sockets open, not yet serving.
pub struct Bound {
    app: Arc<App>,
    metrics: Metrics,
    known_sessions: Arc<KnownSessions>,
    public: TcpListener,
    admin: TcpListener,
    gate: TcpListener,
    tasks: TaskTracker,
}

/// Opens store and sockets, and makes the key file that a first start on SQLite lacks. Port 0 lets the system choose.
///
/// # Errors
/// What the operator has to change.
pub async fn bind(settings: Settings, system: System) -> Result<Bound, StartupError> {
    // First: what counts is given its counters when it is made.
    let metrics = Metrics::install();
    let assets = Assets::load()?;
    let store = store::open(&settings.database).await.map_err(database)?;
    let keys = keyring(settings.secret_keys, &settings.public_url, &*system.entropy)?;
    let providers = Arc::new(Providers::new(settings.providers, &settings.public_url, &system)?);
    let sessions = Arc::new(Sessions::new(store.clone(), settings.session, system.clone()));
    let tasks = TaskTracker::new();
    let for_claudelens = settings.users.for_claudelens || settings.applications.iter().any(Application::is_claudelens);
    let applications = Arc::new(Applications::new(settings.applications));
    let keys = Arc::new(keys);
    let known_sessions = Arc::new(KnownSessions::new(Arc::clone(&sessions)));
    let gate = Gate::new(gate::check::Parts {
        public_url: settings.public_url.clone(),
        applications: Arc::clone(&applications),
        unverified_email: settings.users.unverified_email,
        keys: Arc::clone(&keys),
        sessions: Arc::clone(&known_sessions),
        store: Arc::clone(&store),
        system: system.clone(),
    });
    let sign_in = Arc::new(SignIn::new(Parts {
        public_url: settings.public_url.clone(),
        applications,
        rules: settings.sign_in,
        users: UserRules { for_claudelens, ..settings.users },
        keys,
        providers: providers.clone(),
        store: store.clone(),
        sessions: sessions.clone(),
        tasks: tasks.clone(),
        system: system.clone(),
    }));
    let app = Arc::new(App {
        cookies: Cookies::new(&settings.public_url),
        public_url: settings.public_url,
        hsts: settings.hsts,
        trusted_proxies: settings.trusted_proxies,
        assets,
        providers,
        store,
        sessions,
        sign_in,
        gate,
        system,
        proxy_noticed: AtomicBool::new(false),
    });
    let public = listener("listen", settings.listen)?;
    let admin = listener("admin_listen", settings.admin_listen)?;
    let gate = listener("gate_listen", settings.gate_listen)?;
    Ok(Bound { app, metrics, known_sessions, public, admin, gate, tasks })
}

/// What a person has to put right is a fault of the setting; what may pass by itself is worth another start.
fn database(error: StoreError) -> StartupError {
    match error {
        StoreError::Refused { refusal, detail } => Fault::new("database", detail, refusal.mend()).into(),
        StoreError::Unavailable(detail) | StoreError::Unreadable(detail) => {
            format!("database: {detail}; stop what else uses it, and start again").into()
        }
    }
}

fn keyring(keys: SecretKeys, public_url: &PublicUrl, entropy: &dyn Entropy) -> Result<Keyring, Fault> {
    let keys = match keys {
        SecretKeys::Given(keys) => keys,
        SecretKeys::InFile(path) => key_file::read_or_create(&path, entropy)?,
    };
    match keys.split_first() {
        Some((current, older)) => Ok(Keyring::new(current, older, public_url)),
        None => Err(Fault::new("secret_keys", "is empty", "add a key")),
    }
}

fn listener(key: &str, address: SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).map_err(|error| {
        let fix = match error.kind() {
            ErrorKind::AddrInUse => "stop what listens there, or choose another port",
            ErrorKind::AddrNotAvailable => {
                "use an address of this machine (127.0.0.1 for a proxy on it, 0.0.0.0 or [::] for all that it has)"
            }
            ErrorKind::PermissionDenied => "choose a port from 1024 on, or allow this one (CAP_NET_BIND_SERVICE)",
            _ => "choose another address",
        };
        format!("{key}: cannot listen on {address} ({error}); {fix}")
    })?;
    listener.set_nonblocking(true).map_err(|error| format!("{key}: {error}"))?;
    Ok(listener)
}

impl Bound {
    /// Where pages are served.
    ///
    /// # Errors
    /// The socket's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Where metrics are served.
    ///
    /// # Errors
    /// The socket's.
    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Where proxies ask.
    ///
    /// # Errors
    /// The socket's.
    pub fn gate_address(&self) -> io::Result<SocketAddr> {
        self.gate.local_addr()
    }

    /// What answers on `gate_listen`, for who asks within this process.
    #[must_use]
    pub fn checks(&self) -> Checks {
        Checks::new(Arc::clone(&self.app))
    }

    /// Serves until `shutdown`; then takes no new requests, and lets running exchanges finish within the grace.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), String> {
        let Self { app, metrics, known_sessions, public, admin, gate, tasks } = self;
        tracing::info!(
            code = "started",
            listen = public.local_addr().map(tracing::field::display).ok(),
            admin_listen = admin.local_addr().map(tracing::field::display).ok(),
            gate_listen = gate.local_addr().map(tracing::field::display).ok(),
            applications = app.gate.applications.all().len(),
            public_url = app.public_url.origin(),
            "serving"
        );
        let handle = Handle::new();
        let admin_router = admin::router(app.clone(), metrics.clone());
        let serving = connections::serve(public, router::public(&app), &handle, limits::REQUEST_HEAD_TIMEOUT)?;
        let administering = connections::serve(admin, admin_router, &handle, limits::REQUEST_HEAD_TIMEOUT)?;
        let checking = connections::serve_checks(gate, Checks::new(app.clone()), &handle)?;
        // Among the connections, and not on the main thread: there is one answer after the other.
        let asking = AbortOnDropHandle::new(tokio::spawn(async move { known_sessions.run().await }));
        let background = async {
            tokio::select! {
                // There may be none, or none may be refreshed any more.
                () = async { app.providers.keep_fresh().await; pending().await } => {}
                _ = asking => {}
                () = metrics.keep_up() => {}
            }
        };
        let stop = async {
            shutdown.cancelled().await;
            tracing::info!(code = "stopping", "stopping: waiting for sign-ins in progress");
            handle.graceful_shutdown(Some(limits::SHUTDOWN_GRACE));
            Instant::now() + limits::SHUTDOWN_GRACE
        };
        let served = async {
            let served = tokio::try_join!(serving, administering, checking);
            // Also if a listener failed: running exchanges finish, and the process ends instead of running without a
            // listener.
            shutdown.cancel();
            served
        };
        let ended = async {
            let (served, until) = tokio::join!(served, stop);
            // Only now: until the last connection is closed, a request may still have begun an exchange.
            tasks.close();
            if timeout_at(until, tasks.wait()).await.is_err() {
                tracing::warn!(
                    code = "exchanges_cut",
                    running = tasks.len(),
                    "some sign-ins or sign-outs did not finish in time"
                );
            }
            served.map(drop).map_err(|error| error.to_string())
        };
        tokio::select! {
            ended = ended => ended,
            _ = background => Err("background work ended".into()),
        }
    }
}

/// `vestibule serve`: until SIGTERM or Ctrl-C.
///
/// # Errors
/// What the operator has to change.
pub async fn serve(settings: Settings) -> Result<(), StartupError> {
    let bound = bind(settings, System::real()).await?;
    let shutdown = CancellationToken::new();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            asked_to_stop().await;
            shutdown.cancel();
        }
    });
    Ok(bound.serve(shutdown).await?)
}

/// Ends when the process is asked to stop: SIGTERM, Ctrl-C, or a terminal that is closed.
pub async fn asked_to_stop() {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = sent(SignalKind::terminate()) => {}
        () = hung_up() => {}
    }
}

/// A terminal is closed. Without a terminal it is a program such as logrotate, which thinks that there is a file to open
/// anew: that is no reason to end.
async fn hung_up() {
    if io::stderr().is_terminal() {
        return sent(SignalKind::hangup()).await;
    }
    loop {
        sent(SignalKind::hangup()).await;
    }
}

async fn sent(kind: SignalKind) {
    let came = match signal(kind) {
        Ok(mut signal) => signal.recv().await.is_some(),
        Err(_) => false,
    };
    if !came {
        // Nor will it.
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
