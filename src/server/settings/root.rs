//! All settings, and the keys above the first table.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    database,
    fault::Fault,
    provider::{self, ProviderSettings},
    reader::{Reader, given_url},
    schema::{self, At, Key, written},
    secrets,
    session::SessionRules,
    sign_in::SignInRules,
    source,
    users::UserRules,
};
use crate::server::{public_url::PublicUrl, seal::SecretKey, store::Database};

/// Everything an operator decides.
#[derive(Debug)]
pub struct Settings {
    /// The origin people see; the only source of the redirect URI and of every absolute link.
    pub public_url: PublicUrl,
    /// Where pages are served.
    pub listen: SocketAddr,
    /// Where metrics and readiness detail are served.
    pub admin_listen: SocketAddr,
    /// The store.
    pub database: Database,
    /// The sealing keys.
    pub secret_keys: SecretKeys,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// For how long browsers use nothing but https for the whole host; not said to them if it is not given.
    pub hsts: Option<Duration>,
    /// At least one, ids unique.
    pub providers: Vec<ProviderSettings>,
    /// Who may sign in, and as what.
    pub users: UserRules,
    /// How long sessions live.
    pub session: SessionRules,
    /// How long sign-ins may take.
    pub sign_in: SignInRules,
}

/// Where the sealing keys are.
#[derive(Debug)]
pub enum SecretKeys {
    /// At least one; the first encrypts, all can decrypt.
    Given(Vec<SecretKey>),
    /// In this file beside the SQLite database; the first start makes it.
    InFile(PathBuf),
}

impl Settings {
    /// Reads the file (`config`, or `vestibule.toml` if there is one) and the environment `env`, which overrides it.
    /// Writes nothing.
    ///
    /// # Errors
    /// Every fault found, in the order of the keys; none carries a secret.
    pub fn load(
        config: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Vec<Fault>> {
        let (given, faults) = source::gather(config, env).map_err(|fault| vec![fault])?;
        let mut reader = Reader::new(&given, faults);

        let public_url = public_url(&mut reader);
        let (listen, admin_listen) = listeners(&mut reader);
        let database = database(&mut reader);
        let secret_keys = secret_keys(&mut reader, database.as_ref());
        let trusted_proxies = reader.each(&schema::TRUSTED_PROXIES, network, "write it as 10.0.0.7 or 10.0.0.0/8");
        let hsts = hsts(&mut reader);
        let providers = provider::read_all(&mut reader, public_url.as_ref());
        let users = UserRules::read(&mut reader);
        let session = SessionRules::read(&mut reader);
        let sign_in = SignInRules::read(&mut reader);

        let quoted = reader.quoted().to_vec();
        let faults = reader.into_faults();
        // It may be no fault, and may well be a mistake.
        for key in quoted.iter().filter(|_| faults.is_empty()) {
            let what = "the secret stands in quotes, and they are taken as part of it";
            tracing::warn!(code = "secret_in_quotes", key, "{what}");
        }
        match (public_url, listen, admin_listen, database, secret_keys) {
            (Some(public_url), Some(listen), Some(admin_listen), Some(database), Some(secret_keys))
                if faults.is_empty() =>
            {
                Ok(Self {
                    public_url,
                    listen,
                    admin_listen,
                    database,
                    secret_keys,
                    trusted_proxies,
                    hsts,
                    providers,
                    users,
                    session,
                    sign_in,
                })
            }
            _ => Err(faults),
        }
    }

    /// The demo's settings: everything on loopback, the ports of the contract, defaults otherwise.
    #[must_use]
    pub fn demo(provider: ProviderSettings, database: Database, secret_keys: Vec<SecretKey>) -> Self {
        // The written defaults are addresses (a test sees to it).
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (listen, admin_listen) = Reader::defaults(listeners);
        let (listen, admin_listen) = (listen.unwrap_or(any_port), admin_listen.unwrap_or(any_port));
        Self {
            public_url: PublicUrl::on_loopback(listen),
            listen,
            admin_listen,
            database,
            secret_keys: SecretKeys::Given(secret_keys),
            trusted_proxies: Vec::new(),
            hsts: None,
            providers: vec![provider],
            users: UserRules::default(),
            session: SessionRules::default(),
            sign_in: SignInRules::default(),
        }
    }
}

/// `max-age` counts in seconds, and what is less than one would be 0: forget it.
fn hsts(reader: &mut Reader<'_>) -> Option<Duration> {
    let at = At::from(&schema::HSTS);
    let hsts = if reader.is_given(at) { reader.duration(at)? } else { return None };
    if hsts.subsec_nanos() != 0 {
        reader.fault(&at, format!("is {}, which is not in whole seconds", written(hsts)), "write it as \"365d\"");
    }
    Some(hsts)
}

fn public_url(reader: &mut Reader<'_>) -> Option<PublicUrl> {
    let at = At::from(&schema::PUBLIC_URL);
    let text = reader.text(at)?;
    let parsed = PublicUrl::parse(&text);
    let fix = format!("write an origin, as {}", at.key.example);
    parsed.map_err(|what| reader.fault(&at, format!("{what}{}", given_url(&text)), fix)).ok()
}

fn listeners(reader: &mut Reader<'_>) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let (listen, admin) = (address(reader, &schema::LISTEN), address(reader, &schema::ADMIN_LISTEN));
    if let (Some(listen), Some(admin)) = (listen, admin) {
        let same_host = listen.ip() == admin.ip() || listen.ip().is_unspecified() || admin.ip().is_unspecified();
        if same_host && listen.port() == admin.port() && listen.port() != 0 {
            let at = At::from(&schema::ADMIN_LISTEN);
            reader.fault(&at, "is the same address as listen", "give it a port of its own");
        }
    }
    (listen, admin)
}

fn address(reader: &mut Reader<'_>, key: &'static Key) -> Option<SocketAddr> {
    let at = At::from(key);
    let text = reader.text(at)?;
    let address = text.parse().ok();
    if address.is_none() {
        let what = format!("is {text:?}, which is not an address with a port");
        let fix = format!("write an address in numbers and a port, as {} or \"[::1]:3000\"", at.key.example);
        reader.fault(&at, what, fix);
    }
    address
}

fn database(reader: &mut Reader<'_>) -> Option<Database> {
    let at = At::from(&schema::DATABASE);
    let text = reader.text(at)?;
    database::parse(&text).map_err(|(what, fix)| reader.fault(&at, what, fix)).ok()
}

/// What is given, or the file beside an SQLite database.
fn secret_keys(reader: &mut Reader<'_>, database: Option<&Database>) -> Option<SecretKeys> {
    let at = At::from(&schema::SECRET_KEYS);
    if reader.is_given(at) {
        let before = reader.count();
        let keys = reader.each(at, secrets::key, secrets::MAKE_ONE);
        if keys.is_empty() && reader.count() == before {
            reader.fault(&at, "is empty", secrets::MAKE_ONE);
        }
        return Some(SecretKeys::Given(keys));
    }
    match database? {
        Database::Sqlite { path } => Some(SecretKeys::InFile(secrets::key_file(path))),
        Database::Mongo { .. } => {
            let what = "is missing, and every process on this MongoDB must have the same";
            reader.fault(&at, what, secrets::MAKE_ONE);
            None
        }
    }
}

/// A network, or an address as a network of its own. What is mapped from IPv4 is IPv4, as with the peers.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text
        .parse::<IpNet>()
        .map(|net| net.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("is {text:?}, neither an address nor a network"))?;
    let mapped = match network.addr() {
        IpAddr::V6(address) => address.to_ipv4_mapped().zip(network.prefix_len().checked_sub(MAPPED)),
        IpAddr::V4(_) => None,
    };
    let unmapped = mapped.and_then(|(address, length)| IpNet::new(address.into(), length).ok());
    Ok(unmapped.unwrap_or(network))
}

/// The length of the network `::ffff:0:0`, in which IPv6 has the addresses of IPv4.
const MAPPED: u8 = 96;
