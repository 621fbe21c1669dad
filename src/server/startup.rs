//! Settings to running program: listeners, background work, shutdown.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use axum::Router;
use axum_server::Handle;
use tokio::time::{Instant, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    clock::System,
    http::{admin, assets::Assets, cookies::Cookies},
    provider::Providers,
    router,
    seal::Keyring,
    session::Sessions,
    settings::Settings,
    sign_in::{Parts, SignIn},
    state::App,
    store,
    telemetry::Metrics,
};

/// Running exchanges get this long to finish; containers are killed after ten seconds.
const GRACE: Duration = Duration::from_secs(8);
/// A peer that has not sent its request's head by then is not going to.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// The most that is read of a request's head before the connection is refused; our own limit, with its page, is lower.
const HEAD_BUFFER: usize = 128 * 1024;
/// Metrics are tidied this often.
const UPKEEP: Duration = Duration::from_secs(5);

/// A program with its sockets open, not yet serving.
pub struct Bound {
    app: Arc<App>,
    metrics: Metrics,
    public: TcpListener,
    admin: TcpListener,
    tasks: TaskTracker,
}

/// Opens store and sockets. Port 0 lets the system choose.
///
/// # Errors
/// A sentence for the operator.
pub async fn bind(settings: Settings, system: System) -> Result<Bound, String> {
    let assets = Assets::load()?;
    let store = store::open(&settings.database).await.map_err(|error| format!("database: {error}"))?;
    let providers = Arc::new(Providers::new(settings.providers, &settings.public_url, &system)?);
    let sessions = Arc::new(Sessions::new(store.clone(), settings.session, system.clone()));
    let tasks = TaskTracker::new();
    let sign_in = Arc::new(SignIn::new(Parts {
        public_url: settings.public_url.clone(),
        rules: settings.sign_in,
        users: settings.users,
        keys: Keyring::new(&settings.secret_keys, &settings.public_url),
        providers: providers.clone(),
        store: store.clone(),
        sessions: sessions.clone(),
        tasks: tasks.clone(),
        system: system.clone(),
    }));
    let app = Arc::new(App {
        cookies: Cookies::new(&settings.public_url),
        public_url: settings.public_url,
        trusted_proxies: settings.trusted_proxies,
        assets,
        providers,
        store,
        sessions,
        sign_in,
        system,
        proxy_noticed: AtomicBool::new(false),
    });
    let public = listener("listen", settings.listen)?;
    let admin = listener("admin_listen", settings.admin_listen)?;
    Ok(Bound { app, metrics: Metrics::install(), public, admin, tasks })
}

fn listener(key: &str, address: SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).map_err(|error| {
        format!("{key}: cannot listen on {address} ({error}); stop what listens there, or choose another port")
    })?;
    listener.set_nonblocking(true).map_err(|error| format!("{key}: {error}"))?;
    Ok(listener)
}

impl Bound {
    /// Where pages are served.
    ///
    /// # Errors
    /// The socket's.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Where metrics are served.
    ///
    /// # Errors
    /// The socket's.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves until `shutdown`; then takes no new requests, and lets running exchanges finish within the grace.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), String> {
        let Self { app, metrics, public, admin, tasks } = self;
        tracing::info!(
            code = "started",
            listen = public.local_addr().map(tracing::field::display).ok(),
            public_url = app.public_url.origin(),
            "serving"
        );
        let handle = Handle::new();
        let admin_router = admin::router(app.clone(), metrics.clone());
        let serving = serve_on(public, router::public(&app), &handle)?;
        let administering = serve_on(admin, admin_router, &handle)?;
        let background = async {
            let upkeep = async {
                loop {
                    tokio::time::sleep(UPKEEP).await;
                    metrics.upkeep();
                }
            };
            tokio::join!(app.providers.keep_fresh(), upkeep)
        };
        let stop = async {
            shutdown.cancelled().await;
            tracing::info!(code = "stopping", "stopping: waiting for sign-ins in progress");
            handle.graceful_shutdown(Some(GRACE));
            Instant::now() + GRACE
        };
        let served = async {
            let served = tokio::try_join!(serving, administering);
            // Also where a listener failed: what runs is finished, and the process ends rather than live on deaf.
            shutdown.cancel();
            served
        };
        let ended = async {
            let (served, until) = tokio::join!(served, stop);
            // Only now: until the last connection is closed, a request may still have begun an exchange.
            tasks.close();
            if timeout_at(until, tasks.wait()).await.is_err() {
                tracing::warn!(code = "exchanges_cut", running = tasks.len(), "some sign-ins did not finish in time");
            }
            served.map(drop).map_err(|error| error.to_string())
        };
        tokio::select! {
            ended = ended => ended,
            _ = background => Err("background work ended".into()),
        }
    }
}

fn serve_on(
    listener: TcpListener,
    router: Router,
    handle: &Handle<SocketAddr>,
) -> Result<impl Future<Output = std::io::Result<()>>, String> {
    let mut server = axum_server::from_tcp(listener).map_err(|error| error.to_string())?.handle(handle.clone());
    let builder = server.http_builder();
    let timer = hyper_util::rt::TokioTimer::new();
    builder.http1().timer(timer).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BUFFER).max_headers(400);
    Ok(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()))
}

/// `vestibule serve`: until SIGTERM or Ctrl-C.
///
/// # Errors
/// A sentence for the operator.
pub async fn serve(settings: Settings) -> Result<(), String> {
    let bound = bind(settings, System::real()).await?;
    let shutdown = CancellationToken::new();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            asked_to_stop().await;
            shutdown.cancel();
        }
    });
    bound.serve(shutdown).await
}

/// Ends when the process is asked to stop.
pub async fn asked_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        let _ = interrupt.await;
        return;
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate.recv() => {}
    }
}
