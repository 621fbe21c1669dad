//! Typed settings, validated before the socket opens; secrets cannot print themselves.
//!
//! `schema` names every key once, `source` gathers what the file and the environment say, `validate` turns it into
//! `Settings` or into every fault at once, `secrets` makes the sealing key that a first start lacks.

use std::{
    ffi::OsString,
    fmt,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use secrecy::{SecretBox, SecretString};
use url::Url;

use super::{
    clock::Entropy,
    ids::{Issuer, ProviderId},
    store::Role,
};

pub use super::store::Database;

mod schema;
mod secrets;
mod source;
mod validate;

/// Read when `--config` names no file, if it exists.
pub const DEFAULT_FILE: &str = "vestibule.toml";

/// Where pages are served unless `listen` says otherwise.
const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 3000));
/// Where metrics are served unless `admin_listen` says otherwise.
const ADMIN_LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 3002));

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
    /// At least one; the first seals, all open.
    pub secret_keys: Vec<SecretKey>,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// At least one, ids unique.
    pub providers: Vec<ProviderSettings>,
    /// Who may sign in, and as what.
    pub users: UserRules,
    /// How long sessions live.
    pub session: SessionRules,
    /// How long sign-ins may take.
    pub sign_in: SignInRules,
}

impl Settings {
    /// Reads the file (`config`, or [`DEFAULT_FILE`] if there is one) and the environment `env`, which overrides it.
    ///
    /// With SQLite and no `secret_keys`, a key is made with `entropy` at the first start and kept beside the database.
    ///
    /// # Errors
    /// Every fault found, in the order of the keys; none carries a secret.
    pub fn load(
        config: Option<&Path>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        entropy: &dyn Entropy,
    ) -> Result<Self, Vec<Fault>> {
        let (given, faults) = source::gather(config, env).map_err(|fault| vec![fault])?;
        validate::settings(&given, faults, entropy)
    }

    /// The demo's settings: everything on loopback, the ports of the contract, defaults otherwise.
    #[must_use]
    pub fn demo(provider: ProviderSettings, database: Database, secret_keys: Vec<SecretKey>) -> Self {
        Self {
            public_url: PublicUrl { origin: format!("http://{LISTEN}"), secure: false },
            listen: LISTEN,
            admin_listen: ADMIN_LISTEN,
            database,
            secret_keys,
            trusted_proxies: Vec::new(),
            providers: vec![provider],
            users: UserRules::default(),
            session: SessionRules::default(),
            sign_in: SignInRules::default(),
        }
    }
}

/// One thing that is wrong with the settings, for the one who can mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key, as `provider[0].issuer`, or the file or variable.
    pub key: String,
    /// What is wrong with it. Never a secret's value.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

impl Fault {
    /// `key` is wrong as `what` says, and `mend` mends it.
    pub(crate) fn new(key: impl fmt::Display, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { key: key.to_string(), what: what.into(), mend: mend.into() }
    }
}

/// One line, whatever the texts hold.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{}: {}; {}", self.key, self.what, self.mend);
        line.chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}

/// 32 bytes or more.
pub type SecretKey = SecretBox<Vec<u8>>;

/// An origin: `https://host[:port]`, or `http://` on loopback for development. No path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    secure: bool,
}

impl PublicUrl {
    /// Takes an origin.
    ///
    /// # Errors
    /// What is wrong with it, in words for an operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
        let secure = match (url.scheme(), is_loopback(&url)) {
            ("https", _) => true,
            ("http", true) => false,
            ("http", false) => return Err("must be https (http is for loopback development only)".into()),
            _ => return Err("must begin with https://".into()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not carry a user name or password".into());
        }
        if url.path() != "/"
            || url.query().is_some()
            || url.fragment().is_some()
            || text.ends_with('?')
            || text.ends_with('#')
        {
            return Err("must be an origin, without path, query or fragment".into());
        }
        Ok(Self { origin: url.origin().ascii_serialization(), secure })
    }

    /// The origin, without a trailing slash.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The absolute URL of one of our paths.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Whether it is https: then cookies are `__Host-` and Secure.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }
}

/// Whether `url`'s host is loopback, by name or by number.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// One `[[provider]]`.
#[derive(Debug)]
pub struct ProviderSettings {
    /// As in `provider=`: letters, digits, `-` and `_`.
    pub id: ProviderId,
    /// As on its button.
    pub name: String,
    /// Byte for byte as the provider writes it.
    pub issuer: Issuer,
    /// As registered there.
    pub client_id: String,
    /// How we authenticate at the token endpoint, with what it needs.
    pub client_auth: ClientAuth,
    /// Always with `openid`.
    pub scopes: Vec<String>,
    /// PEM file of a root trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// How we authenticate at the token endpoint (OpenID Connect Core 9).
#[derive(Debug)]
pub enum ClientAuth {
    /// `client_secret_basic`: id and secret form-encoded in the Authorization header.
    Basic(SecretString),
    /// `client_secret_post`: in the body.
    Post(SecretString),
    /// `none`: a public client, PKCE alone.
    None,
}

/// `[users]`.
#[derive(Debug, Clone)]
pub struct UserRules {
    /// Whether a person who is new may sign in (default true).
    pub auto_create: bool,
    /// The role of a new user (default user).
    pub default_role: Role,
    /// Members of any of these become admin, others user, at each sign-in; empty: roles are left alone.
    pub admin_groups: Vec<String>,
    /// Empty lists allow everyone; otherwise any one match admits.
    pub allowed_groups: Vec<String>,
    /// Verified addresses, compared without regard to case.
    pub allowed_emails: Vec<String>,
    /// The part after the one `@` of a verified address.
    pub allowed_domains: Vec<String>,
}

impl Default for UserRules {
    fn default() -> Self {
        Self {
            auto_create: true,
            default_role: Role::User,
            admin_groups: Vec::new(),
            allowed_groups: Vec::new(),
            allowed_emails: Vec::new(),
            allowed_domains: Vec::new(),
        }
    }
}

/// `[session]`.
#[derive(Debug, Clone, Copy)]
pub struct SessionRules {
    /// Ends after this long unused (default 7 d).
    pub idle: Duration,
    /// Ends after this long whatever happens (default 30 d).
    pub absolute: Duration,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { idle: DAY * 7, absolute: DAY * 30 }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `[sign_in]`.
#[derive(Debug, Clone, Copy)]
pub struct SignInRules {
    /// How long the first answer may wait for everything awaited (default 1.5 s, at most 1.8 s).
    pub patience: Duration,
    /// How long an exchange may take in all (default 60 s).
    pub deadline: Duration,
    /// How long a person may take at the provider (default 10 min).
    pub attempt_ttl: Duration,
}

impl Default for SignInRules {
    fn default() -> Self {
        Self {
            patience: Duration::from_millis(1500),
            deadline: Duration::from_secs(60),
            attempt_ttl: Duration::from_secs(10 * 60),
        }
    }
}
