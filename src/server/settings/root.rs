//! All settings, and the keys above the first table.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    application::{self, Around},
    database,
    fault::Fault,
    network,
    provider::{self, ProviderSettings},
    reader::{Reader, given_url},
    rule,
    schema::{self, At, Index, Key, Table, written},
    secrets,
    session::SessionRules,
    sign_in::SignInRules,
    source,
    users::UserRules,
};
use crate::server::{application::Application, public_url::PublicUrl, seal::SecretKey, store::Database};

/// Everything an operator decides.
#[derive(Debug)]
pub struct Settings {
    /// The origin people see; the only source of the redirect URI and of every absolute link.
    pub public_url: PublicUrl,
    /// Where pages are served.
    pub listen: SocketAddr,
    /// Where metrics and readiness detail are served.
    pub admin_listen: SocketAddr,
    /// Where proxies ask whether a request may pass.
    pub gate_listen: SocketAddr,
    /// The store.
    pub database: Database,
    /// The sealing keys.
    pub secret_keys: SecretKeys,
    /// Peers whose `X-Forwarded-…` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// For how long browsers use nothing but https for the whole host; not said to them if it is not given.
    pub hsts: Option<Duration>,
    /// At least one, ids unique.
    pub providers: Vec<ProviderSettings>,
    /// The applications behind the proxy: at least one, no host twice.
    pub applications: Vec<Application>,
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
        let listeners = Listeners::read(&mut reader);
        let database = database(&mut reader);
        let secret_keys = secret_keys(&mut reader, database.as_ref());
        let trusted_proxies = trusted_proxies(&mut reader);
        let hsts = hsts(&mut reader);
        let before = reader.count();
        let providers = provider::read_all(&mut reader, public_url.as_ref());
        let good_providers = Some(&providers[..]).filter(|_| reader.count() == before);
        let around = Around { public_url: public_url.as_ref(), providers: good_providers };
        let applications = application::read_all(&mut reader, around);
        let users = UserRules::read(&mut reader);
        let session = SessionRules::read(&mut reader);
        let sign_in = SignInRules::read(&mut reader);

        let quoted = reader.quoted().to_vec();
        let faults = reader.into_faults();
        match (public_url, listeners, database, secret_keys) {
            (Some(public_url), Some(listeners), Some(database), Some(secret_keys)) if faults.is_empty() => {
                warn(&quoted, &applications, &providers);
                let Listeners { listen, admin_listen, gate_listen } = listeners;
                Ok(Self {
                    public_url,
                    listen,
                    admin_listen,
                    gate_listen,
                    database,
                    secret_keys,
                    trusted_proxies,
                    hsts,
                    providers,
                    applications,
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
        let any = Listeners { listen: any_port, admin_listen: any_port, gate_listen: any_port };
        let Listeners { listen, admin_listen, gate_listen } = Reader::defaults(Listeners::read).unwrap_or(any);
        let public_url = PublicUrl::on_loopback(listen);
        Self {
            applications: vec![application::at_public_url(&public_url)],
            public_url,
            listen,
            admin_listen,
            gate_listen,
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

impl Settings {
    /// People find it at another URL, which is its one application.
    pub fn move_to(&mut self, public_url: PublicUrl) {
        self.applications = vec![application::at_public_url(&public_url)];
        self.public_url = public_url;
    }
}

/// What may be no fault, and may well be a mistake.
fn warn(quoted: &[String], applications: &[Application], providers: &[ProviderSettings]) {
    for key in quoted {
        let what = "the secret stands in quotes, and they are taken as part of it";
        tracing::warn!(code = "secret_in_quotes", key, "{what}");
    }
    for key in rule::without_groups(applications, providers) {
        let what = "the rule goes by groups, and no provider whose word counts is asked for them: \
            if people are not let in, add \"groups\" to the provider's scopes";
        tracing::warn!(code = "groups_not_asked_for", key, "{what}");
    }
}

/// Who is believed. Without any nobody could ask for an application.
fn trusted_proxies(reader: &mut Reader<'_>) -> Vec<IpNet> {
    let at = At::from(&schema::TRUSTED_PROXIES);
    let before = reader.count();
    let networks = reader.each(at, network::parse, network::FORM);
    if networks.is_empty() && reader.count() == before && !reader.tables(Table::App, Index::default()).is_empty() {
        let what = "is empty, so that no proxy may ask whether a request may pass to an [[app]]";
        reader.fault(&at, what, "add the proxies' addresses, as [\"127.0.0.1\"]");
    }
    networks
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

/// The three addresses, each of its own.
struct Listeners {
    listen: SocketAddr,
    admin_listen: SocketAddr,
    gate_listen: SocketAddr,
}

impl Listeners {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let keys = [&schema::LISTEN, &schema::ADMIN_LISTEN, &schema::GATE_LISTEN];
        let addresses = keys.map(|key| address(reader, key));
        for (index, (key, own)) in keys.into_iter().zip(addresses).enumerate() {
            let taken =
                keys.into_iter().zip(addresses).take(index).find(|(_, other)| own.zip(*other).is_some_and(meet));
            if let Some((other, _)) = taken {
                let what = format!("is the same address as {}", other.name);
                reader.fault(&At::from(key), what, "give it a port of its own");
            }
        }
        let [listen, admin_listen, gate_listen] = addresses;
        Some(Self { listen: listen?, admin_listen: admin_listen?, gate_listen: gate_listen? })
    }
}

/// Whether only one of the two could be listened on.
fn meet((one, other): (SocketAddr, SocketAddr)) -> bool {
    let same_host = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    same_host && one.port() == other.port() && one.port() != 0
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
