//! The running provider: its state, its routes, its listener, and the handle a test holds.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{StatusCode, header};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};
use url::Url;

use super::{
    authorize,
    clients::Client,
    config::{Profile, ProviderConfig, ProviderError},
    discovery,
    faults::{Behaviour, Endpoint, Rule, Rules, lock},
    keys::{KeyName, Keys, encode},
    log::{LoggedRequest, Redemption, RequestLog},
    people::DemoPerson,
    token, userinfo,
    vault::Vault,
    wire::Connection,
};
use crate::server::clock::System;

/// Where the provider says it is.
pub(super) struct Issuer {
    pub(super) url: String,
    /// The URL without its path.
    pub(super) origin: String,
    /// Empty, or `/` and more, without a last `/`.
    pub(super) path: String,
    pub(super) paths: Paths,
}

/// Where the endpoints are.
pub(super) struct Paths {
    pub(super) discovery: String,
    pub(super) jwks: String,
    pub(super) authorize: String,
    pub(super) login: String,
    pub(super) token: String,
    pub(super) userinfo: String,
}

impl Issuer {
    fn new(url: String, profile: Profile) -> Result<Self, ProviderError> {
        let parsed = Url::parse(&url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let Some(parsed) = parsed else { return Err(ProviderError::Issuer(url)) };
        let path = parsed.path().trim_end_matches('/').to_owned();
        let at = |end: &str| format!("{path}{end}");
        let [jwks, authorize, token, userinfo] = match profile {
            Profile::Standard => ["/jwks", "/authorize", "/token", "/userinfo"],
            Profile::Authelia => ["/jwks.json", "/api/oidc/authorization", "/api/oidc/token", "/api/oidc/userinfo"],
        }
        .map(at);
        let paths = Paths {
            discovery: at("/.well-known/openid-configuration"),
            jwks,
            authorize,
            login: at("/login"),
            token,
            userinfo,
        };
        Ok(Self { origin: parsed.origin().ascii_serialization(), path, paths, url })
    }

    pub(super) fn authority(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, authority)| authority)
    }

    pub(super) fn endpoint(&self, path: &str) -> Endpoint {
        let paths = [
            (&self.paths.discovery, Endpoint::Discovery),
            (&self.paths.jwks, Endpoint::Jwks),
            (&self.paths.authorize, Endpoint::Authorize),
            (&self.paths.login, Endpoint::Login),
            (&self.paths.token, Endpoint::Token),
            (&self.paths.userinfo, Endpoint::Userinfo),
        ];
        paths.into_iter().find(|(known, _)| *known == path).map_or(Endpoint::Other, |(_, endpoint)| endpoint)
    }
}

/// What all requests share.
pub(super) struct Provider {
    pub(super) config: ProviderConfig,
    pub(super) issuer: Issuer,
    pub(super) keys: Keys,
    pub(super) rules: Rules,
    pub(super) log: RequestLog,
    pub(super) vault: Mutex<Vault>,
    /// Who is signed in at every browser, form or no form.
    pub(super) standing: Mutex<Option<String>>,
}

impl Provider {
    pub(super) fn client(&self, id: &str) -> Option<&Client> {
        self.config.clients.iter().find(|client| client.id == id)
    }

    pub(super) fn person(&self, username: &str) -> Option<&DemoPerson> {
        self.config.people.iter().find(|person| person.username == username)
    }

    /// The 4096-bit key only where it is used: a second RSA key makes tokens without `kid` ambiguous.
    pub(super) fn published_keys(&self) -> impl Iterator<Item = KeyName> {
        let heavy = self.config.people.iter().any(DemoPerson::is_incident);
        [Some(KeyName::Rsa2048), Some(KeyName::P256), heavy.then_some(KeyName::Rsa4096)].into_iter().flatten()
    }

    /// An opaque token: at Authelia 99 bytes, named by its prefix.
    pub(super) fn opaque(&self, prefix: &str) -> String {
        let random = token_text(&self.config.system);
        match self.config.profile {
            Profile::Standard => random,
            Profile::Authelia => format!("{prefix}{random}.{}", token_text(&self.config.system)),
        }
    }

    /// 429 if the address failed too often; then good requests are refused too.
    pub(super) fn refuse_by_rate(&self, address: IpAddr) -> Option<Response> {
        let limit = self.config.rate_limit.as_ref()?;
        lock(&self.vault).is_refused(address, limit).then(|| {
            let body = r#"{"error":"temporarily_unavailable","error_description":"Too many requests failed."}"#;
            let mut response = json_text(StatusCode::TOO_MANY_REQUESTS, body.to_owned());
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
            response
        })
    }

    pub(super) fn failed(&self, address: IpAddr) {
        if self.config.rate_limit.is_some() {
            lock(&self.vault).failed(address);
        }
    }
}

/// 32 unpredictable bytes as text: 43 characters.
pub(super) fn token_text(system: &System) -> String {
    encode(&system.bytes::<32>())
}

/// JSON that is already text, not to be kept anywhere.
pub(super) fn json_text(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}

fn router(provider: &Arc<Provider>) -> Router {
    let paths = &provider.issuer.paths;
    Router::new()
        .route(&paths.discovery, get(discovery::metadata))
        .route(&paths.jwks, get(discovery::keys))
        .route(&paths.authorize, get(authorize::authorize).post(authorize::authorize))
        .route(&paths.login, post(authorize::login))
        .route(&paths.token, post(token::token))
        .route(&paths.userinfo, get(userinfo::userinfo).post(userinfo::userinfo))
        .with_state(Arc::clone(provider))
}

enum Order {
    Down(oneshot::Sender<()>),
    Up(oneshot::Sender<io::Result<()>>),
}

/// A provider at work. Dropping it ends it.
pub struct RunningProvider {
    provider: Arc<Provider>,
    addr: SocketAddr,
    orders: mpsc::Sender<Order>,
    listening: JoinHandle<()>,
}

impl RunningProvider {
    /// Starts a provider.
    ///
    /// # Errors
    /// If the address is not loopback or cannot be had, or the issuer is no URL.
    pub async fn start(config: ProviderConfig) -> Result<Self, ProviderError> {
        if !config.listen.ip().is_loopback() {
            return Err(ProviderError::NotLoopback(config.listen));
        }
        let refused = |error| ProviderError::Listen(config.listen, error);
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        let issuer = config.issuer.clone().unwrap_or_else(|| match config.profile {
            Profile::Standard => format!("http://{addr}"),
            Profile::Authelia => format!("http://{addr}/authelia"),
        });
        let provider = Arc::new(Provider {
            issuer: Issuer::new(issuer, config.profile)?,
            keys: Keys::load()?,
            rules: Rules::new(),
            log: RequestLog::default(),
            vault: Mutex::default(),
            standing: Mutex::default(),
            config,
        });
        let (orders, inbox) = mpsc::channel(1);
        let listening = tokio::spawn(listen(listener, addr, Arc::clone(&provider), inbox));
        Ok(Self { provider, addr, orders, listening })
    }

    /// The issuer, as in discovery.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.provider.issuer.url
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The full URL of an endpoint, at the issuer. `Other` has none of its own and gives the issuer.
    #[must_use]
    pub fn url(&self, endpoint: Endpoint) -> String {
        let issuer = &self.provider.issuer;
        let path = match endpoint {
            Endpoint::Discovery => &issuer.paths.discovery,
            Endpoint::Jwks => &issuer.paths.jwks,
            Endpoint::Authorize => &issuer.paths.authorize,
            Endpoint::Login => &issuer.paths.login,
            Endpoint::Token => &issuer.paths.token,
            Endpoint::Userinfo => &issuer.paths.userinfo,
            Endpoint::Other => &issuer.path,
        };
        format!("{}{path}", issuer.origin)
    }

    /// Every request since the log was last forgotten, oldest first; secrets are in it.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.provider.log.all()
    }

    /// The requests to one endpoint.
    #[must_use]
    pub fn requests_to(&self, endpoint: Endpoint) -> Vec<LoggedRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.endpoint == endpoint);
        requests
    }

    /// How many requests reached an endpoint.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.provider.log.count(endpoint)
    }

    /// Returns once `n` requests in all have reached `endpoint`; answered or not.
    pub async fn wait_for(&self, endpoint: Endpoint, n: usize) {
        self.provider.log.wait_for(endpoint, n).await;
    }

    /// How often each code was brought to the token endpoint.
    #[must_use]
    pub fn redemptions(&self) -> Vec<Redemption> {
        self.provider.log.redemptions()
    }

    /// Forgets requests, redemptions and counts.
    pub fn forget_requests(&self) {
        self.provider.log.forget();
    }

    /// Adds a rule after those in force.
    pub fn behave(&self, rule: Rule) {
        self.provider.rules.add(rule);
    }

    /// Drops all rules and opens all gates.
    pub fn behave_well(&self) {
        self.provider.rules.clear();
    }

    /// As after the start: no rules, no log, nobody signed in. Keys, codes and tokens stay.
    pub fn clear(&self) {
        self.behave_well();
        self.forget_requests();
        self.forget_sessions();
        self.log_in_by_form();
    }

    /// From now on requests to `endpoint` wait for `release`.
    pub fn hold(&self, endpoint: Endpoint) {
        self.behave(Rule::standing(Behaviour::Hold { at: endpoint }));
    }

    /// Lets the requests held at `endpoint` go on, and later ones pass.
    pub fn release(&self, endpoint: Endpoint) {
        self.provider.rules.release(endpoint);
    }

    /// The authorization endpoint answers at once as this person, until `log_in_by_form`.
    pub fn log_in_as(&self, username: &str) {
        *lock(&self.provider.standing) = Some(username.to_owned());
    }

    /// The authorization endpoint shows the form again, or goes by its cookie.
    pub fn log_in_by_form(&self) {
        *lock(&self.provider.standing) = None;
    }

    /// Every browser is signed out at the provider.
    pub fn forget_sessions(&self) {
        lock(&self.provider.vault).sessions.clear();
    }

    /// The 2048-bit key gives way to another with another `kid`.
    pub fn rotate_keys(&self) {
        self.provider.keys.rotate();
    }

    /// Closes the listener and all connections; new ones are refused until `up`.
    pub async fn down(&self) {
        let (done, wait) = oneshot::channel();
        // Fails only when the listening task is gone, and then it is down.
        if self.orders.send(Order::Down(done)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    /// If the port has been taken meanwhile.
    pub async fn up(&self) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        let gone = || io::Error::other("the provider has been stopped");
        self.orders.send(Order::Up(done)).await.map_err(|_| gone())?;
        wait.await.map_err(|_| gone())?
    }

    /// Closes everything.
    pub async fn stop(self) {
        let Self { orders, listening, .. } = self;
        drop(orders);
        let _ = listening.await;
    }
}

async fn listen(listener: TcpListener, addr: SocketAddr, provider: Arc<Provider>, mut orders: mpsc::Receiver<Order>) {
    let router = router(&provider);
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
            order = orders.recv() => match order {
                None => return,
                Some(Order::Down(done)) => {
                    listener = None;
                    connections.shutdown().await;
                    let _ = done.send(());
                }
                Some(Order::Up(done)) => {
                    let opened = match listener {
                        Some(_) => Ok(()),
                        None => TcpListener::bind(addr).await.map(|new| listener = Some(new)),
                    };
                    let _ = done.send(opened);
                }
            },
            accepted = accept => {
                if let Ok((stream, peer)) = accepted {
                    let _ = stream.set_nodelay(true);
                    let connection = Connection::new(stream, peer, Arc::clone(&provider), router.clone());
                    connections.spawn(connection.serve());
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}
