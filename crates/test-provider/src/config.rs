//! What a provider is started with.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::{
    clients::Client,
    people::DemoPerson,
    profile::Profile,
    system::{RealSystem, System},
};

/// The settings of one provider.
#[derive(Clone)]
pub struct ProviderConfig {
    /// Which provider it behaves like.
    pub profile: Profile,
    /// Loopback only; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether connections begin with TLS, by a certificate of the root in `CA_FILE`.
    pub tls: bool,
    /// The issuer, when it is reached through a proxy. Its path is served. `None`: `http(s)://ADDRESS`, with the
    /// profile's path.
    pub issuer: Option<String>,
    /// Who can sign in.
    pub people: Vec<DemoPerson>,
    /// The registered clients.
    pub clients: Vec<Client>,
    /// Whether the login form shows names and passwords.
    pub show_demo_people: bool,
    /// How long every token request takes: Authelia's default password hash costs 0.4 s.
    pub token_delay: Duration,
    /// Refuse an address after many failed token or userinfo requests.
    pub rate_limit: Option<RateLimit>,
    /// Bytes of request line and headers; more gets a 431. A bearer token does not count, so that the person of the
    /// incident can be served.
    pub head_limit: usize,
    /// A connection without a request is closed after so long.
    pub idle: Duration,
    /// Respond with 400 to any `Host` but the issuer's, as Authelia does. Off by default, for proxies that do not
    /// forward it.
    pub check_host: bool,
    /// Whether people can be signed out here at a client's request (RP-Initiated Logout). Authelia does not offer it.
    pub end_session: bool,
    /// Time and randomness.
    pub system: Arc<dyn System>,
}

/// How many failures an address may cause within so long.
#[derive(Clone, Debug)]
pub struct RateLimit(pub Vec<(usize, Duration)>);

impl RateLimit {
    /// Authelia's defaults: 30 a minute, 40 in two, 50 in ten, 100 an hour.
    #[must_use]
    pub fn authelia() -> Self {
        Self([(30, 60), (40, 120), (50, 600), (100, 3600)].map(|(n, s)| (n, Duration::from_secs(s))).to_vec())
    }
}

impl ProviderConfig {
    /// Alice and Bob, no client, on a free port of 127.0.0.1, with all that the profile does by default.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        let authelia = profile == Profile::Authelia;
        Self {
            profile,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: false,
            issuer: None,
            people: vec![DemoPerson::alice(), DemoPerson::bob()],
            clients: Vec::new(),
            show_demo_people: false,
            token_delay: if authelia { Duration::from_millis(400) } else { Duration::ZERO },
            rate_limit: authelia.then(RateLimit::authelia),
            head_limit: if authelia { 4096 } else { 64 * 1024 },
            idle: Duration::from_secs(30),
            check_host: false,
            end_session: false,
            system: Arc::new(RealSystem),
        }
    }

    /// The same, with this client too.
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// The same, with this person too.
    #[must_use]
    pub fn with_person(mut self, person: DemoPerson) -> Self {
        self.people.push(person);
        self
    }
}
