//! The handle of a running provider: what a test does with it.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    config::ProviderConfig,
    endpoint::Endpoint,
    error::ProviderError,
    lock::lock,
    log::{LoggedRequest, Redemption},
    logout,
    profile::Profile,
    provider::Provider,
    rules::{Behaviour, JwtEdit, Rule},
    server::{Command, Server},
    tls,
    vault::Grant,
};

/// A provider at work. Dropping it ends it.
pub struct RunningProvider {
    provider: Arc<Provider>,
    addr: SocketAddr,
    commands: mpsc::Sender<Command>,
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
        let tls = config.tls.then(tls::acceptor).transpose()?;
        let issuer = config.issuer.clone().unwrap_or_else(|| {
            let scheme = if config.tls { "https" } else { "http" };
            let path = if config.profile == Profile::Authelia { "/authelia" } else { "" };
            format!("{scheme}://{addr}{path}")
        });
        let provider = Arc::new(Provider::new(config, issuer)?);
        let (commands, inbox) = mpsc::channel(1);
        let listening = tokio::spawn(Server::new(Arc::clone(&provider), addr, tls).run(listener, inbox));
        Ok(Self { provider, addr, commands, listening })
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
        self.provider.issuer.url_of(endpoint)
    }

    /// Every request since the log was last cleared, oldest first; secrets are in it.
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

    /// Returns once `n` requests in all have reached `endpoint`, whether they have a response or not.
    pub async fn wait_for(&self, endpoint: Endpoint, n: usize) {
        self.provider.log.wait_for(endpoint, n).await;
    }

    /// How often each code was brought to the token endpoint.
    #[must_use]
    pub fn redemptions(&self) -> Vec<Redemption> {
        self.provider.log.redemptions()
    }

    /// Clears requests, redemptions and counts.
    pub fn forget_requests(&self) {
        self.provider.log.forget();
    }

    /// Adds a rule after those in force.
    pub fn behave(&self, rule: Rule) {
        self.provider.rules.add(rule);
    }

    /// Drops all rules and ends all holds.
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

    /// Lets the requests that wait at `endpoint` go on, and later ones pass.
    pub fn release(&self, endpoint: Endpoint) {
        self.provider.rules.release(endpoint);
    }

    /// Makes `code` good for one token request, as if a browser had just come for it and the person had granted this.
    pub fn issue_code(&self, code: &str, grant: Grant) {
        lock(&self.provider.vault).issue_code(code.to_owned(), grant, self.provider.now());
    }

    /// The authorization endpoint responds at once, with this person signed in, until `log_in_by_form`.
    pub fn log_in_as(&self, username: &str) {
        *lock(&self.provider.everybody_is) = Some(username.to_owned());
    }

    /// The authorization endpoint shows the form again, or goes by its cookie.
    pub fn log_in_by_form(&self) {
        *lock(&self.provider.everybody_is) = None;
    }

    /// Every browser is signed out at the provider.
    pub fn forget_sessions(&self) {
        lock(&self.provider.vault).sessions.clear();
    }

    /// Another 2048-bit key with another `kid` takes the place of the one that signs.
    pub fn rotate_keys(&self) {
        self.provider.keys.rotate();
    }

    /// A logout token for that client. `edits` say whose it is, by `sub` or `sid`, and what is wrong with it; nobody is
    /// signed out here by it.
    #[must_use]
    pub fn logout_token(&self, client_id: &str, edits: &[JwtEdit]) -> String {
        logout::token(&self.provider, client_id, edits)
    }

    /// Closes the listener and all connections; new ones are refused until `up`.
    pub async fn down(&self) {
        let (done, wait) = oneshot::channel();
        // Fails only when the listening task is gone, and then it is down.
        if self.commands.send(Command::Down(done)).await.is_ok() {
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
        self.commands.send(Command::Up(done)).await.map_err(|_| gone())?;
        wait.await.map_err(|_| gone())?
    }

    /// Closes everything.
    pub async fn stop(self) {
        let Self { commands, listening, .. } = self;
        drop(commands);
        let _ = listening.await;
    }
}
