//! The routes, the listener, and the task that serves its connections.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    handlers::{authorize, discovery, end_session, pushed, token, userinfo},
    provider::Provider,
    wire::Connection,
};

fn router(provider: &Arc<Provider>) -> Router {
    let paths = &provider.issuer.paths;
    let router = Router::new()
        .route(&paths.discovery, get(discovery::metadata))
        .route(&paths.jwks, get(discovery::keys))
        .route(&paths.authorize, get(authorize::authorize).post(authorize::authorize))
        .route(&paths.login, post(authorize::login))
        .route(&paths.pushed, post(pushed::push))
        .route(&paths.token, post(token::token))
        .route(&paths.userinfo, get(userinfo::userinfo).post(userinfo::userinfo));
    let router = if provider.config.end_session {
        router.route(&paths.end_session, get(end_session::end_session).post(end_session::end_session))
    } else {
        router
    };
    router.with_state(Arc::clone(provider))
}

/// What the handle asks of the listening task.
pub(crate) enum Command {
    /// Close listener and connections.
    Down(oneshot::Sender<()>),
    /// Listen again.
    Up(oneshot::Sender<io::Result<()>>),
}

/// What the listening task needs.
pub(crate) struct Server {
    provider: Arc<Provider>,
    router: Router,
    addr: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Server {
    pub(crate) fn new(provider: Arc<Provider>, addr: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        Self { router: router(&provider), provider, addr, tls }
    }

    /// Serves until `commands` is closed.
    pub(crate) async fn run(self, listener: TcpListener, mut commands: mpsc::Receiver<Command>) {
        let mut listener = Some(listener);
        // Dropped with this task, which ends all connections.
        let mut connections = JoinSet::new();
        loop {
            let accept = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    None => return,
                    Some(Command::Down(done)) => {
                        listener = None;
                        connections.shutdown().await;
                        let _ = done.send(());
                    }
                    Some(Command::Up(done)) => {
                        let opened = match listener {
                            Some(_) => Ok(()),
                            None => TcpListener::bind(self.addr).await.map(|new| listener = Some(new)),
                        };
                        let _ = done.send(opened);
                    }
                },
                accepted = accept => {
                    if let Ok((stream, peer)) = accepted {
                        connections.spawn(self.serve(stream, peer));
                    }
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> + Send + use<> {
        let (provider, router, tls) = (Arc::clone(&self.provider), self.router.clone(), self.tls.clone());
        async move {
            let _ = stream.set_nodelay(true);
            match tls {
                None => Connection::new(stream, peer, provider, router).serve().await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        Connection::new(stream, peer, provider, router).serve().await;
                    }
                }
            }
        }
    }
}
