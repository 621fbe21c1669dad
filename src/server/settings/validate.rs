//! From what was given to [`Settings`], or to every fault at once.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use mongodb::options::ConnectionString;
use secrecy::SecretString;
use toml::Value;
use url::Url;

use super::{
    ADMIN_LISTEN, ClientAuth, Database, Fault, LISTEN, ProviderSettings, PublicUrl, SecretKey, SessionRules, Settings,
    SignInRules, UserRules, is_loopback,
    schema::{self, At, Key, Kind, Unset, written},
    secrets,
    source::{Given, Raw, read},
};
use crate::server::{
    clock::Entropy,
    ids::{Issuer, ProviderId},
    store::Role,
};

/// Nothing an operator names is longer, in characters.
const LONGEST_NAME: usize = 100;
/// No provider id is longer, in bytes: it is part of every sealed state.
const LONGEST_ID: usize = 64;

/// Judges what was given. `faults` are those found while gathering it.
pub(super) fn settings(given: &Given, faults: Vec<Fault>, entropy: &dyn Entropy) -> Result<Settings, Vec<Fault>> {
    let mut check = Check { given, faults };

    let public_url = check.public_url();
    let (listen, admin_listen) = check.listeners();
    let database = check.database();
    let secret_keys = check.secret_keys();
    let trusted_proxies = check.each(root(&schema::TRUSTED_PROXIES), network, "write it as 10.0.0.7 or 10.0.0.0/8");
    let providers = check.providers(public_url.as_ref());
    let users = check.users();
    let session = check.session();
    let sign_in = check.sign_in();

    if let (Some(Database::Mongo { .. }), Keys::Unset) = (&database, &secret_keys) {
        let what = "is missing, and every process on this MongoDB must have the same";
        check.fault(&root(&schema::SECRET_KEYS), what, secrets::MAKE_ONE);
    }
    match (check.faults.is_empty(), public_url, database) {
        (true, Some(public_url), Some(database)) => {
            // Last, so that settings with a fault leave no file behind.
            let secret_keys = match (secret_keys, &database) {
                (Keys::Set(keys), _) => keys,
                (Keys::Unset, Database::Sqlite { path }) => {
                    secrets::kept_beside(path, entropy).map_err(|fault| vec![fault])?
                }
                (Keys::Unset, Database::Mongo { .. }) => return Err(check.faults),
            };
            Ok(Settings {
                public_url,
                listen,
                admin_listen,
                database,
                secret_keys,
                trusted_proxies,
                providers,
                users,
                session,
                sign_in,
            })
        }
        _ => Err(check.faults),
    }
}

/// `secret_keys` as given.
enum Keys {
    Set(Vec<SecretKey>),
    Unset,
}

/// A key in a table that does not repeat.
const fn root(key: &'static Key) -> At {
    At { key, index: 0 }
}

/// Reads typed values and collects what is wrong with them.
struct Check<'a> {
    given: &'a Given,
    faults: Vec<Fault>,
}

impl Check<'_> {
    fn fault(&mut self, key: &dyn std::fmt::Display, what: impl Into<String>, mend: impl Into<String>) {
        self.faults.push(Fault::new(key, what, mend));
    }

    /// The value, or the key's default; `None` if there is neither, or (with a fault) it cannot be had.
    fn value(&mut self, at: At) -> Option<Cow<'_, Value>> {
        match self.given.get(at) {
            Some(Raw::Value(value)) => Some(Cow::Borrowed(value)),
            Some(Raw::InFile(path)) => match read(path) {
                Ok(text) if at.key.kind.is_list() => {
                    Some(Cow::Owned(Value::Array(secrets::lines(&text).map(Value::from).collect())))
                }
                Ok(text) => Some(Cow::Owned(Value::from(secrets::without_newline(&text)))),
                Err(what) => {
                    let mend = "name a file that this process can read";
                    self.faults.push(Fault::new(format!("{at}_file"), what, mend));
                    None
                }
            },
            None => match at.key.unset {
                Unset::Default(value) => value.parse().ok().map(Cow::Owned),
                Unset::Otherwise(_) => None,
                Unset::Fault => {
                    let mend = format!("add {} = {}", at.key.name, at.key.example);
                    self.faults.push(Fault::new(at, "is missing", mend));
                    None
                }
            },
        }
    }

    /// The value, if `read` finds it to be of the right type.
    fn typed<T>(&mut self, at: At, wanted: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.value(at)?;
        if let Some(typed) = read(&value) {
            return Some(typed);
        }
        let what = format!("is {}, {wanted} is wanted", of_type(&value));
        self.fault(&at, what, format!("write it as {}", at.key.example));
        None
    }

    /// Text that is not empty, on one line, and without space about it.
    fn text(&mut self, at: At) -> Option<String> {
        let text = self.typed(at, "text", |value| value.as_str().map(ToOwned::to_owned))?;
        self.plain(&at, text)
    }

    /// `text`, unless it is empty, has space about it, or characters nobody sees.
    fn plain(&mut self, at: &dyn std::fmt::Display, text: String) -> Option<String> {
        let (what, mend) = if text.is_empty() {
            ("is empty", "give it a value, or remove it")
        } else if text.trim() != text {
            ("begins or ends with white space", "remove it")
        } else if text.chars().any(char::is_control) {
            ("has a control character in it", "remove it")
        } else {
            return Some(text);
        };
        self.fault(at, what, mend);
        None
    }

    /// A list of such texts, each with its place; empty if not given.
    fn list(&mut self, at: At) -> Option<Vec<(String, String)>> {
        let texts = self.typed(at, "a list of texts", |value| {
            value.as_array()?.iter().map(|one| one.as_str().map(ToOwned::to_owned)).collect::<Option<Vec<_>>>()
        })?;
        let mut list = Vec::new();
        for (index, text) in texts.into_iter().enumerate() {
            let place = format!("{at}[{index}]");
            list.extend(self.plain(&place, text).map(|text| (place, text)));
        }
        Some(list)
    }

    /// A list, each of it read by `read`.
    fn each<T>(&mut self, at: At, read: impl Fn(&str) -> Result<T, String>, mend: &str) -> Vec<T> {
        let mut all = Vec::new();
        for (place, text) in self.list(at).unwrap_or_default() {
            match read(&text) {
                Ok(one) => all.push(one),
                Err(what) => self.fault(&place, what, mend),
            }
        }
        all
    }

    fn boolean(&mut self, at: At) -> Option<bool> {
        self.typed(at, "true or false", Value::as_bool)
    }

    fn choice(&mut self, at: At) -> Option<String> {
        let text = self.text(at)?;
        match at.key.kind {
            Kind::Choice(all) if !all.contains(&text.as_str()) => {
                self.fault(
                    &at,
                    format!("is {text:?}, which is not known"),
                    format!("write one of: {}", all.join(", ")),
                );
                None
            }
            _ => Some(text),
        }
    }

    fn duration(&mut self, at: At) -> Option<Duration> {
        let text = self.text(at)?;
        // The parser's arithmetic is checked for any text of this length.
        let parsed = if text.len() <= 32 { humantime::parse_duration(&text).ok() } else { None };
        let Some(duration) = parsed else {
            self.fault(
                &at,
                format!("is {text:?}, which is not a duration"),
                "write a number with its unit, as \"1.5s\", \"10m\" or \"30d\"",
            );
            return None;
        };
        match at.key.kind {
            Kind::Duration { least, most } if !(least..=most).contains(&duration) => {
                let mend = format!("write at least {} and at most {}", written(least), written(most));
                self.fault(&at, format!("is {text:?}, which is out of bounds"), mend);
                None
            }
            _ => Some(duration),
        }
    }

    fn public_url(&mut self) -> Option<PublicUrl> {
        let at = root(&schema::PUBLIC_URL);
        let text = self.text(at)?;
        PublicUrl::parse(&text)
            .map_err(|what| self.fault(&at, what, format!("write an origin, as {}", at.key.example)))
            .ok()
    }

    fn address(&mut self, at: At) -> Option<SocketAddr> {
        let text = self.text(at)?;
        let address = text.parse().ok();
        if address.is_none() {
            self.fault(
                &at,
                format!("is {text:?}, which is not an address with a port"),
                format!("write it as {}", at.key.example),
            );
        }
        address
    }

    fn listeners(&mut self) -> (SocketAddr, SocketAddr) {
        let at = root(&schema::ADMIN_LISTEN);
        let listen = self.address(root(&schema::LISTEN)).unwrap_or(LISTEN);
        let admin = self.address(at).unwrap_or(ADMIN_LISTEN);
        let same_host = listen.ip() == admin.ip() || listen.ip().is_unspecified() || admin.ip().is_unspecified();
        if same_host && listen.port() == admin.port() && listen.port() != 0 {
            self.fault(&at, "is the same address as listen", "give it a port of its own");
        }
        (listen, admin)
    }

    fn database(&mut self) -> Option<Database> {
        let at = root(&schema::DATABASE);
        let text = self.text(at)?;
        database(&text).map_err(|(what, mend)| self.fault(&at, what, mend)).ok()
    }

    fn secret_keys(&mut self) -> Keys {
        let at = root(&schema::SECRET_KEYS);
        if self.given.get(at).is_none() {
            return Keys::Unset;
        }
        let before = self.faults.len();
        let keys = self.each(at, secrets::key, secrets::MAKE_ONE);
        if keys.is_empty() && self.faults.len() == before {
            self.fault(&at, "is empty", secrets::MAKE_ONE);
        }
        Keys::Set(keys)
    }

    fn providers(&mut self, public_url: Option<&PublicUrl>) -> Vec<ProviderSettings> {
        let indices: Vec<_> = self.given.providers().collect();
        if indices.is_empty() {
            self.fault(&"provider", "is missing", "add a [[provider]] with id, issuer, client_id and client_secret");
        }
        let mut providers: Vec<ProviderSettings> = Vec::new();
        for (position, index) in indices.into_iter().enumerate() {
            if position != index {
                let what = format!("is given, but provider[{position}] is not");
                self.fault(&format!("provider[{index}]"), what, "number the tables from 0 without a gap");
                break;
            }
            let Some(provider) = self.provider(index, public_url) else { continue };
            if providers.iter().any(|other| other.id == provider.id) {
                let at = At { key: &schema::PROVIDER_ID, index };
                self.fault(
                    &at,
                    format!("is {:?} a second time", provider.id.as_str()),
                    "give each provider an id of its own",
                );
            }
            providers.push(provider);
        }
        providers
    }

    fn provider(&mut self, index: usize, public_url: Option<&PublicUrl>) -> Option<ProviderSettings> {
        let at = |key| At { key, index };
        let id = self.provider_id(at(&schema::PROVIDER_ID));
        let name = self.provider_name(at(&schema::PROVIDER_NAME));
        let issuer = self.issuer(at(&schema::PROVIDER_ISSUER), public_url);
        let client_id = self.client_id(at(&schema::PROVIDER_CLIENT_ID));
        let client_auth = self.client_auth(index);
        let scopes = self.scopes(at(&schema::PROVIDER_SCOPES));
        let ca_file = self.ca_file(at(&schema::PROVIDER_CA_FILE));
        let id = id?;
        Some(ProviderSettings {
            name: name.unwrap_or_else(|| id.as_str().to_owned()),
            id,
            issuer: issuer?,
            client_id: client_id?,
            client_auth: client_auth?,
            scopes,
            ca_file,
        })
    }

    fn provider_id(&mut self, at: At) -> Option<ProviderId> {
        let text = self.text(at)?;
        let fits =
            text.len() <= LONGEST_ID && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !fits {
            self.fault(
                &at,
                format!("is {text:?}, which cannot stand in a URL"),
                format!("use letters, digits, - and _, {LONGEST_ID} at most"),
            );
        }
        fits.then(|| ProviderId::new(text))
    }

    fn provider_name(&mut self, at: At) -> Option<String> {
        let name = self.text(at)?;
        if name.chars().count() > LONGEST_NAME {
            self.fault(&at, "is too long for a button", format!("use {LONGEST_NAME} characters at most"));
        }
        Some(name)
    }

    fn issuer(&mut self, at: At, public_url: Option<&PublicUrl>) -> Option<Issuer> {
        let text = self.text(at)?;
        // Where public_url is wrong itself, http is judged once that is mended.
        let development = public_url.is_none_or(|url| !url.is_secure());
        issuer(&text, development).map_err(|(what, mend)| self.fault(&at, what, mend)).ok()
    }

    fn client_id(&mut self, at: At) -> Option<String> {
        let text = self.text(at)?;
        // RFC 6749 appendix A.1
        if !text.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
            self.fault(&at, "has characters other than printable ASCII", "copy it from the provider again");
            return None;
        }
        Some(text)
    }

    fn client_auth(&mut self, index: usize) -> Option<ClientAuth> {
        let (auth, secret) =
            (At { key: &schema::PROVIDER_CLIENT_AUTH, index }, At { key: &schema::PROVIDER_CLIENT_SECRET, index });
        let before = self.faults.len();
        let method = self.choice(auth);
        let understood = self.faults.len() == before;
        let given = self.given.get(secret).is_some();
        match method.as_deref() {
            Some("none") if given => {
                self.fault(&secret, "is given, but client_auth = \"none\" sends none", "remove one of the two");
                None
            }
            Some("none") => Some(ClientAuth::None),
            method => {
                if !given {
                    if understood {
                        self.fault(
                            &secret,
                            "is missing",
                            "add client_secret or client_secret_file, or client_auth = \"none\"",
                        );
                    }
                    return None;
                }
                let secret = SecretString::from(self.text(secret)?);
                Some(if method == Some("client_secret_post") {
                    ClientAuth::Post(secret)
                } else {
                    ClientAuth::Basic(secret)
                })
            }
        }
    }

    fn scopes(&mut self, at: At) -> Vec<String> {
        const MEND: &str = "write it as [\"openid\", \"profile\", \"email\"]";
        let before = self.faults.len();
        let scopes = self.each(at, scope, "write each scope as a text of its own");
        if self.faults.len() == before {
            if !scopes.iter().any(|scope| scope == "openid") {
                self.fault(&at, "lacks openid", MEND);
            }
            let twice =
                scopes.iter().enumerate().find(|(i, scope)| scopes.iter().take(*i).any(|other| other == *scope));
            if let Some((_, scope)) = twice {
                self.fault(&at, format!("has {scope:?} twice"), "keep one of them");
            }
        }
        scopes
    }

    fn ca_file(&mut self, at: At) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(at)?);
        match read(&path) {
            Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => {}
            Ok(_) => self.fault(&at, "holds no certificate", "name a PEM file with BEGIN CERTIFICATE in it"),
            Err(what) => self.fault(&at, what, "name a file that this process can read"),
        }
        Some(path)
    }

    fn users(&mut self) -> UserRules {
        let rules = UserRules::default();
        UserRules {
            auto_create: self.boolean(root(&schema::USERS_AUTO_CREATE)).unwrap_or(rules.auto_create),
            default_role: match self.choice(root(&schema::USERS_DEFAULT_ROLE)).as_deref() {
                Some("admin") => Role::Admin,
                Some(_) => Role::User,
                None => rules.default_role,
            },
            admin_groups: self.each(root(&schema::USERS_ADMIN_GROUPS), as_it_is, ""),
            allowed_groups: self.each(root(&schema::USERS_ALLOWED_GROUPS), as_it_is, ""),
            allowed_emails: self.each(root(&schema::USERS_ALLOWED_EMAILS), email, "write it as ada@example.com"),
            allowed_domains: self.each(root(&schema::USERS_ALLOWED_DOMAINS), domain, "write it as example.com"),
        }
    }

    fn session(&mut self) -> SessionRules {
        let (idle, absolute) = (root(&schema::SESSION_IDLE), root(&schema::SESSION_ABSOLUTE));
        let rules = SessionRules::default();
        let rules = SessionRules {
            idle: self.duration(idle).unwrap_or(rules.idle),
            absolute: self.duration(absolute).unwrap_or(rules.absolute),
        };
        if rules.idle > rules.absolute {
            let what = format!("is {}, longer than session.absolute, {}", written(rules.idle), written(rules.absolute));
            self.fault(&idle, what, "lower it, or raise session.absolute");
        }
        rules
    }

    fn sign_in(&mut self) -> SignInRules {
        let rules = SignInRules::default();
        SignInRules {
            patience: self.duration(root(&schema::SIGN_IN_PATIENCE)).unwrap_or(rules.patience),
            deadline: self.duration(root(&schema::SIGN_IN_DEADLINE)).unwrap_or(rules.deadline),
            attempt_ttl: self.duration(root(&schema::SIGN_IN_ATTEMPT_TTL)).unwrap_or(rules.attempt_ttl),
        }
    }
}

/// What is wrong, and the mend.
type Wrong = (&'static str, &'static str);

fn of_type(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

fn database(text: &str) -> Result<Database, Wrong> {
    if let Some(path) = text.strip_prefix("sqlite://") {
        return match path {
            "" => Err(("names no file", "write it as sqlite://vestibule.db")),
            ":memory:" => Err(("would be lost at the end", "name a file, as sqlite://vestibule.db")),
            path if path.contains(['?', '#']) => {
                Err(("has options after its path", "write the path alone, as sqlite://vestibule.db"))
            }
            path if path.ends_with('/') => {
                Err(("names a directory", "name a file in it, as sqlite:///var/lib/vestibule/vestibule.db"))
            }
            path => Ok(Database::Sqlite { path: path.into() }),
        };
    }
    if !text.starts_with("mongodb://") && !text.starts_with("mongodb+srv://") {
        return Err((
            "begins with none of sqlite://, mongodb:// and mongodb+srv://",
            "write it as sqlite://vestibule.db or mongodb://…/vestibule",
        ));
    }
    // The driver's words may quote the password.
    let parsed = ConnectionString::parse(text).map_err(|_| {
        (
            "is not a MongoDB connection string",
            "write it as mongodb://user:password@host/name, with %-escapes in user and password",
        )
    })?;
    match parsed.default_database {
        Some(name) if !name.is_empty() => Ok(Database::Mongo { uri: text.into(), name }),
        _ => Err(("names no database", "add its name after the hosts, as mongodb://…/vestibule")),
    }
}

/// OpenID Connect Core 2 and Discovery 3: https, no query, no fragment; kept byte for byte.
fn issuer(text: &str, development: bool) -> Result<Issuer, Wrong> {
    const AS: &str = "copy it from the issuer member of the provider's discovery document, as https://id.example.com";
    let url = Url::parse(text).map_err(|_| ("is not a URL", AS))?;
    // The parser is lenient about white space, backslashes and missing slashes; the comparison later is not.
    let strict = text.starts_with("https://") || text.starts_with("http://");
    if !strict && matches!(url.scheme(), "https" | "http") || !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    {
        return Err(("is not a URL as a provider writes it", AS));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) && development => {}
        "http" if is_loopback(&url) => {
            return Err((
                "is http, while public_url is https",
                "use https (http is for development, both on loopback)",
            ));
        }
        _ => return Err(("is not https", AS)),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("carries a user name or password", "remove it"));
    }
    if text.contains(['?', '#']) {
        return Err(("has a query or fragment", AS));
    }
    if url.path().ends_with("/.well-known/openid-configuration") {
        return Err(("is the URL of the discovery document", "drop /.well-known/openid-configuration"));
    }
    Ok(Issuer::new(text))
}

fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .map(|net| net.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("is {text:?}, neither an address nor a network"))
}

/// RFC 6749 3.3: scope-token.
fn scope(text: &str) -> Result<String, String> {
    let fits = text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if fits { Ok(text.to_owned()) } else { Err(format!("is {text:?}, which is not one scope")) }
}

fn email(text: &str) -> Result<String, String> {
    match text.rsplit_once('@') {
        Some((local, host)) if !local.is_empty() && domain(host).is_ok() => Ok(text.to_owned()),
        _ => Err(format!("is {text:?}, which is not an address")),
    }
}

fn domain(text: &str) -> Result<String, String> {
    let fits = !text.starts_with('.') && !text.contains(['@', '*', '/', ' ']);
    if fits { Ok(text.to_owned()) } else { Err(format!("is {text:?}, which is not a domain")) }
}

#[expect(clippy::unnecessary_wraps, reason = "one of several ways to read a text")]
fn as_it_is(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
