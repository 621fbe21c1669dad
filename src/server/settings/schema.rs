//! Every key once: what the sources look for, what an unknown key is compared with, and what the documentation lists.

use std::{fmt, time::Duration};

use crate::server::limits;

/// A key an operator may set.
#[derive(Debug)]
pub(super) struct Key {
    /// The table it is in.
    pub(super) table: Table,
    /// Its name in that table.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// Whether it may be left out.
    pub(super) unset: Unset,
    /// An example, as in TOML.
    pub(super) example: &'static str,
    /// What it means, for the documentation (Markdown).
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that writes the documentation"))]
    pub(super) help: &'static str,
}

/// The tables of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// The keys above the first table.
    Root,
    /// `[[provider]]`, the one table that repeats.
    Provider,
    /// `[users]`
    Users,
    /// `[session]`
    Session,
    /// `[sign_in]`
    SignIn,
}

impl Table {
    /// Those with a heading of their own.
    pub(super) const NAMED: [Self; 4] = [Self::Provider, Self::Users, Self::Session, Self::SignIn];

    /// As in its heading; nothing for the root.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::Provider => "provider",
            Self::Users => "users",
            Self::Session => "session",
            Self::SignIn => "sign_in",
        }
    }

    /// How its heading is written.
    pub(super) fn heading(self) -> String {
        if self.repeats() { format!("[[{}]]", self.name()) } else { format!("[{}]", self.name()) }
    }

    /// Whether it is a list of tables.
    pub(super) const fn repeats(self) -> bool {
        matches!(self, Self::Provider)
    }

    /// Its keys.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().copied().filter(move |key| key.table == self)
    }
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text of one line.
    Text,
    /// A URL.
    Url,
    /// An address with its port.
    Address,
    /// The path of a file.
    File,
    /// True or false.
    Boolean,
    /// A number with its unit, within bounds.
    Duration {
        /// Not less.
        least: Duration,
        /// Not more.
        most: Duration,
    },
    /// One of these.
    Choice(&'static [&'static str]),
    /// A list of texts.
    List,
    /// A URL that may have a password in it, and is never shown; also as `<key>_file`.
    Connection,
    /// Text that someone else has made up and that is never shown, also as `<key>_file`.
    Secret,
    /// A list of texts that are never shown, also as `<key>_file`.
    Secrets,
}

impl Kind {
    /// Whether it may be read from a file of its own, and must never be shown.
    pub(super) const fn is_secret(self) -> bool {
        matches!(self, Self::Connection | Self::Secret | Self::Secrets)
    }

    /// Whether it takes several values.
    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::List | Self::Secrets)
    }
}

/// What holds when a key is left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unset {
    /// It must be given.
    Fault,
    /// What the documentation says.
    Otherwise(
        #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that writes the documentation"))]
        &'static str,
    ),
    /// This value, as in TOML.
    Default(&'static str),
}

/// Where a value belongs: a key, and which of the tables where they repeat.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The key.
    pub(super) key: &'static Key,
    /// The table's number, from 0; 0 where tables do not repeat.
    pub(super) index: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", prefix(self.key.table, self.index), self.key.name)
    }
}

/// In a table that does not repeat.
impl From<&'static Key> for At {
    fn from(key: &'static Key) -> Self {
        Self { key, index: 0 }
    }
}

/// What stands before a key's name in its full path.
pub(super) fn prefix(table: Table, index: usize) -> String {
    match table {
        Table::Root => String::new(),
        table if table.repeats() => format!("{}[{index}].", table.name()),
        table => format!("{}.", table.name()),
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Declares the keys and the list of them, so that none can be left out of it.
macro_rules! keys {
    ($($constant:ident: $table:ident $name:literal, $kind:expr, $unset:expr, $example:literal, $help:literal;)*) => {
        $(pub(super) static $constant: Key = Key {
            table: Table::$table, name: $name, kind: $kind, unset: $unset, example: $example, help: $help,
        };)*
        /// Every key, in the order of the documentation.
        pub(super) static KEYS: &[&Key] = &[$(&$constant),*];
    };
}

keys! {
    PUBLIC_URL: Root "public_url", Kind::Url, Unset::Fault, "\"https://auth.example.com\"",
        "The origin that people see, without a path: `https://`, or `http://` on loopback for development. The redirect URI to register with every provider is this origin followed by `/auth/oidc/callback`; request headers never change it.";
    LISTEN: Root "listen", Kind::Address, Unset::Default("\"127.0.0.1:3000\""), "\"0.0.0.0:3000\"",
        "The address on which the pages are served.";
    ADMIN_LISTEN: Root "admin_listen", Kind::Address, Unset::Default("\"127.0.0.1:3002\""), "\"127.0.0.1:9000\"",
        "The address on which `/metrics`, `/readyz` and `/attempts/REFERENCE` are served. It must not be reachable from the internet.";
    DATABASE: Root "database", Kind::Connection, Unset::Default("\"sqlite://vestibule.db\""), "\"mongodb://db.example.com/vestibule?replicaSet=rs0\"",
        "`sqlite://PATH` (relative to the working directory) for one process, or `mongodb://…/NAME` or `mongodb+srv://…/NAME` for one or several.";
    SECRET_KEYS: Root "secret_keys", Kind::Secrets, Unset::Otherwise("with SQLite: created at the first start in `PATH.key` beside the database, mode 0600; required with MongoDB"), "[\"<43 characters>\"]",
        "Keys of at least 32 bytes, base64url; the first encrypts, all can decrypt. To rotate: append the new key in every process, then move it to the front, and remove the old one a day later. In a file: one key per line. Create one with `openssl rand -base64 32 \\| tr '+/' '-_'`.";
    TRUSTED_PROXIES: Root "trusted_proxies", Kind::List, Unset::Default("[]"), "[\"127.0.0.1\", \"172.20.0.0/24\"]",
        "Addresses or networks of the proxies whose `X-Forwarded-For` header is used. The client address that it gives decides whose sign-ins and failures are counted together. Keep it narrow: anyone in such a network can pretend to have any address.";
    HSTS: Root "hsts", Kind::Duration { least: Duration::ZERO, most: DAY.saturating_mul(730) }, Unset::Otherwise("no header"), "\"365d\"",
        "For how long browsers that have been here use nothing but https: `Strict-Transport-Security: max-age=…`, sent if `public_url` is https. It binds the whole host, every application and port on it included, so set it only where Vestibule owns the host; there it is recommended. `\"0s\"` makes browsers forget it at their next visit. `includeSubDomains` and `preload` are never sent: where you want them, let the proxy send the header.";

    PROVIDER_ID: Provider "id", Kind::Text, Unset::Fault, "\"authelia\"",
        "The provider's name in URLs (`provider=`): at most 64 letters, digits, `-` and `_`. Unique.";
    PROVIDER_NAME: Provider "name", Kind::Text, Unset::Otherwise("the `id`"), "\"Example Inc.\"",
        "The provider's name on the login button.";
    PROVIDER_ISSUER: Provider "issuer", Kind::Url, Unset::Fault, "\"https://id.example.com\"",
        "The provider's issuer identifier, byte for byte as the provider writes it (not the URL of its discovery document). `https://`; `http://` only if both it and `public_url` are on loopback.";
    PROVIDER_CLIENT_ID: Provider "client_id", Kind::Text, Unset::Fault, "\"vestibule\"",
        "The client ID, as registered with the provider.";
    PROVIDER_CLIENT_SECRET: Provider "client_secret", Kind::Secret, Unset::Otherwise("required, unless `client_auth` is `none`"), "\"<secret>\"",
        "The client secret, as registered with the provider.";
    PROVIDER_CLIENT_AUTH: Provider "client_auth", Kind::Choice(&["client_secret_basic", "client_secret_post", "none"]), Unset::Default("\"client_secret_basic\""), "\"client_secret_post\"",
        "How the client authenticates at the token endpoint. It must be the method that is registered with the provider.";
    PROVIDER_SCOPES: Provider "scopes", Kind::List, Unset::Default("[\"openid\", \"profile\", \"email\"]"), "[\"openid\", \"profile\", \"email\", \"groups\"]",
        "The scopes to request; `openid` must be one of them.";
    PROVIDER_TRUSTED_AUDIENCES: Provider "trusted_audiences", Kind::List, Unset::Default("[]"), "[\"123456789012345678\"]",
        "Audiences that an ID token may name beside our client. Zitadel names the project's ID and those of all its applications; elsewhere there is one audience, and this stays empty.";
    PROVIDER_CA_FILE: Provider "ca_file", Kind::File, Unset::Otherwise("only the system's roots"), "\"/etc/ssl/example-ca.pem\"",
        "PEM file with a root certificate that is trusted for this provider in addition to the system's roots (`SSL_CERT_FILE` is respected).";

    USERS_AUTO_CREATE: Users "auto_create", Kind::Boolean, Unset::Default("true"), "false",
        "Whether an account is created for people who have none. If not, they cannot sign in.";
    USERS_DEFAULT_ROLE: Users "default_role", Kind::Choice(&["user", "admin"]), Unset::Default("\"user\""), "\"user\"",
        "The role of a new user.";
    USERS_ADMIN_GROUPS: Users "admin_groups", Kind::List, Unset::Default("[]"), "[\"admins\"]",
        "Members of any of these groups become `admin`, everyone else `user`, at each sign-in. If it is empty, roles do not change.";
    USERS_ALLOWED_GROUPS: Users "allowed_groups", Kind::List, Unset::Default("[]"), "[\"staff\"]",
        "Members of any of these groups may sign in. Names are compared exactly, but it does not matter how their letters are composed (`é` as one character or two). If this and the next two keys are empty, everyone may; otherwise one match in any of the three is enough.";
    USERS_ALLOWED_EMAILS: Users "allowed_emails", Kind::List, Unset::Default("[]"), "[\"ada@example.com\"]",
        "People with one of these verified email addresses may sign in; case does not matter, also in `JÜRGEN@example.com`. Letters that only look the same are different.";
    USERS_ALLOWED_DOMAINS: Users "allowed_domains", Kind::List, Unset::Default("[]"), "[\"example.com\"]",
        "People with a verified email address in one of these domains may sign in. Subdomains do not count. `bücher.example` and `xn--bcher-kva.example` are the same.";

    SESSION_IDLE: Session "idle", Kind::Duration { least: MINUTE, most: limits::COOKIE_LIFE_MAX }, Unset::Default("\"7d\""), "\"12h\"",
        "Idle timeout: a session ends after this long without use.";
    SESSION_ABSOLUTE: Session "absolute", Kind::Duration { least: MINUTE, most: limits::COOKIE_LIFE_MAX }, Unset::Default("\"30d\""), "\"30d\"",
        "Maximum session lifetime; not less than `idle`.";

    SIGN_IN_PATIENCE: SignIn "patience", Kind::Duration { least: Duration::from_millis(1), most: Duration::from_millis(1800) }, Unset::Default("\"1.5s\""), "\"1s\"",
        "How long a request waits before the waiting page is shown.";
    SIGN_IN_DEADLINE: SignIn "deadline", Kind::Duration { least: SECOND, most: MINUTE.saturating_mul(10) }, Unset::Default("\"60s\""), "\"2m\"",
        "How long all requests to the provider may take together in one sign-in.";
    SIGN_IN_ATTEMPT_TTL: SignIn "attempt_ttl", Kind::Duration { least: MINUTE, most: MINUTE.saturating_mul(60) }, Unset::Default("\"10m\""), "\"30m\"",
        "How long people may take at the provider before they have to start again.";
}

/// `duration` as an operator writes it, in its largest whole unit or in decimal seconds.
pub(super) fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (duration.subsec_nanos(), seconds) {
        (0, s) if s >= 86_400 && s.is_multiple_of(86_400) => format!("{}d", s / 86_400),
        (0, s) if s >= 3600 && s.is_multiple_of(3600) => format!("{}h", s / 3600),
        (0, s) if s >= 60 && s.is_multiple_of(60) => format!("{}m", s / 60),
        (0, 0) => "0s".into(),
        (_, 0) => format!("{}ms", duration.as_millis()),
        _ => format!("{}s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["1.5s", "1.8s", "1ms", "60s", "7d", "400d", "10m", "12h"] {
            let duration = humantime::parse_duration(text).unwrap();
            assert_eq!(humantime::parse_duration(&written(duration)).unwrap(), duration, "{text}");
        }
        assert_eq!(written(Duration::from_millis(1800)), "1.8s");
    }

    fn takes(key: &Key) -> String {
        match key.kind {
            Kind::Text => "text".into(),
            Kind::Url => "URL".into(),
            Kind::Address => "address and port".into(),
            Kind::File => "path of a file".into(),
            Kind::Boolean => "`true` or `false`".into(),
            Kind::Duration { least, most } => format!("duration, {} to {}", written(least), written(most)),
            Kind::Choice(all) => all.iter().map(|one| format!("`\"{one}\"`")).collect::<Vec<_>>().join(", "),
            Kind::List => "list of texts".into(),
            Kind::Connection => "URL (secret)".into(),
            Kind::Secret => "secret".into(),
            Kind::Secrets => "list of secrets".into(),
        }
    }

    /// The tables of keys in docs/configuration.md.
    fn documentation() -> String {
        let mut page = String::new();
        for table in [Table::Root].into_iter().chain(Table::NAMED) {
            let heading = match table {
                Table::Root => "### Above the first table".to_owned(),
                table if table.repeats() => format!("### `{}`, one or more", table.heading()),
                table => format!("### `{}`", table.heading()),
            };
            writeln!(page, "{heading}\n\n| key | takes | default | example | meaning |\n|---|---|---|---|---|")
                .unwrap();
            for key in table.keys() {
                let default = match key.unset {
                    Unset::Fault => "– (required)".to_owned(),
                    Unset::Otherwise(words) => words.to_owned(),
                    Unset::Default(value) => format!("`{value}`"),
                };
                writeln!(page, "| `{}` | {} | {default} | `{}` | {} |", key.name, takes(key), key.example, key.help)
                    .unwrap();
            }
            page.push('\n');
        }
        page
    }

    #[test]
    fn the_documentation_lists_these_keys() {
        const BEGIN: &str =
            "<!-- keys: written by `UPDATE_DOCS=1 cargo test` from src/server/settings/schema.rs -->\n\n";
        const END: &str = "<!-- end of keys -->";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (head, rest) = page.split_once(BEGIN).unwrap();
        let (keys, tail) = rest.split_once(END).unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, format!("{head}{BEGIN}{}{END}{tail}", documentation())).unwrap();
        } else {
            assert!(keys == documentation(), "docs/configuration.md is out of date: run with UPDATE_DOCS=1");
        }
    }
}
