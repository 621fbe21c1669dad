//! The scene's program: in a runtime of its own, by a clock that a test can move on.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;
use tokio::{runtime::Runtime, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use vestibule::server::{
    clock::{Clock, System},
    settings::Settings,
    startup,
};

use crate::support::wait::eventually;

/// The program's clock: so many seconds ahead of the system's.
#[derive(Default)]
pub(super) struct Ahead {
    seconds: AtomicI64,
    broken: AtomicBool,
}

impl Ahead {
    pub(super) fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Whoever asks for the time next panics.
    pub(super) fn break_once(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }
}

impl Clock for Ahead {
    fn now(&self) -> OffsetDateTime {
        assert!(!self.broken.swap(false, Ordering::Relaxed), "on purpose");
        System::real().now() + time::Duration::seconds(self.seconds.load(Ordering::Relaxed))
    }
}

/// A program, in a runtime of its own: killing it ends whatever it has spawned.
pub(super) struct Running {
    /// Where it listens, and where it does for the administrator.
    pub address: SocketAddr,
    pub admin: SocketAddr,
    /// Where proxies ask it.
    pub gate: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), String>>,
    runtime: Option<Runtime>,
}

impl Running {
    pub(super) async fn start(settings: Settings, clock: Arc<Ahead>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let system = System { clock, ..System::real() };
        let bound = runtime.spawn(async { startup::bind(settings, system).await });
        let bound = bound.await.unwrap().unwrap();
        let (address, admin) = (bound.address().unwrap(), bound.admin_address().unwrap());
        let gate = bound.gate_address().unwrap();
        let shutdown = CancellationToken::new();
        let task = runtime.spawn(bound.serve(shutdown.clone()));
        Self { address, admin, gate, shutdown, task, runtime: Some(runtime) }
    }

    /// Asks it to end; returns when nothing of it runs any more.
    pub(super) async fn stop(mut self) {
        self.shutdown.cancel();
        (&mut self.task).await.unwrap().unwrap();
        // The process ends with it.
        self.kill().await;
    }

    /// Ends it in the middle of whatever it does; returns when nothing of it runs any more.
    pub(super) async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(10))).await.unwrap();
        // A program that another test starts holds a copy of our listener between its fork and its exec.
        let address = self.address;
        eventually("its port is free", || async { std::net::TcpListener::bind(address).ok() }).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
