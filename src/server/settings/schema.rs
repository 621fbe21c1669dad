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
    /// `[[provider]]`
    Provider,
    /// `[[app]]`
    App,
    /// `[[app.rule]]`
    Rule,
    /// `[users]`
    Users,
    /// `[session]`
    Session,
    /// `[sign_in]`
    SignIn,
}

/// The numbers of a table, from 0: those of the tables that it is in, then its own. 0 where there is nothing to number.
pub(super) type Index = [usize; 2];

impl Table {
    /// All, in the order of the documentation.
    pub(super) const ALL: [Self; 7] =
        [Self::Root, Self::Provider, Self::App, Self::Rule, Self::Users, Self::Session, Self::SignIn];

    /// The names in its heading, from the outermost.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Root => &[],
            Self::Provider => &["provider"],
            Self::App => &["app"],
            Self::Rule => &["app", "rule"],
            Self::Users => &["users"],
            Self::Session => &["session"],
            Self::SignIn => &["sign_in"],
        }
    }

    /// The last of its names; nothing for the root.
    pub(super) fn name(self) -> &'static str {
        self.names().last().copied().unwrap_or_default()
    }

    /// How its heading is written.
    pub(super) fn heading(self) -> String {
        let path = self.names().join(".");
        if self.repeats() { format!("[[{path}]]") } else { format!("[{path}]") }
    }

    /// Whether it is a list of tables.
    pub(super) const fn repeats(self) -> bool {
        matches!(self, Self::Provider | Self::App | Self::Rule)
    }

    /// The table that it is in.
    pub(super) const fn parent(self) -> Option<Self> {
        match self {
            Self::Root => None,
            Self::Rule => Some(Self::App),
            Self::Provider | Self::App | Self::Users | Self::Session | Self::SignIn => Some(Self::Root),
        }
    }

    /// Whether `inner` is in it, or in a table that is.
    pub(super) fn is_around(self, inner: Self) -> bool {
        inner.parent().is_some_and(|parent| parent == self || self.is_around(parent))
    }

    /// The tables in it.
    pub(super) fn tables(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |table| table.parent() == Some(self))
    }

    /// Its keys.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().copied().filter(move |key| key.table == self)
    }

    /// How many numbers it has.
    fn levels(self) -> usize {
        if self.repeats() { self.names().len() } else { 0 }
    }

    /// Of `index`, what are its own numbers and those of the tables that it is in.
    pub(super) fn own(self, index: Index) -> Index {
        let mut own = index;
        own.iter_mut().skip(self.levels()).for_each(|number| *number = 0);
        own
    }

    /// The numbers of the `number`th of it, in the table with the numbers `parent`.
    pub(super) fn numbered(self, mut parent: Index, number: usize) -> Index {
        if let Some(own) = parent.iter_mut().take(self.levels()).next_back() {
            *own = number;
        }
        parent
    }

    /// The last of its numbers.
    pub(super) fn number(self, index: Index) -> usize {
        index.into_iter().take(self.levels()).next_back().unwrap_or_default()
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
    /// The path of a file, or a list of them.
    Files,
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
    /// A list of some of these.
    Choices(&'static [&'static str]),
    /// A list of texts.
    List,
    /// A URL, or a list of them.
    Urls,
    /// A table of texts, with names that the operator chooses.
    Map,
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

    /// The texts that it takes, if they are known.
    pub(super) const fn choices(self) -> &'static [&'static str] {
        match self {
            Self::Choice(all) | Self::Choices(all) => all,
            _ => &[],
        }
    }

    /// Whether it takes several values.
    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::Choices(_) | Self::List | Self::Urls | Self::Files | Self::Secrets)
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
    /// The table's numbers.
    pub(super) index: Index,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", prefix(self.key.table, self.index), self.key.name)
    }
}

/// In a table that does not repeat.
impl From<&'static Key> for At {
    fn from(key: &'static Key) -> Self {
        Self { key, index: Index::default() }
    }
}

/// What stands before a key's name in its full path.
pub(super) fn prefix(table: Table, index: Index) -> String {
    let level = |(name, number): (&&str, usize)| {
        if table.repeats() { format!("{name}[{number}].") } else { format!("{name}.") }
    };
    table.names().iter().zip(index).map(level).collect()
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// The signature algorithms that we accept from providers (docs/decisions/id-token.md), by their registered names.
pub(crate) const ALGORITHMS: &[&str] =
    &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

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
        "The origin that people see, without a path: `https://`, or `http://` on loopback for development. The redirect URI to register with every provider is this origin followed by `/auth/oidc/callback`, and the post-logout redirect URI, where the provider has one, followed by `/auth/signed-out`; request headers never change it.";
    LISTEN: Root "listen", Kind::Address, Unset::Default("\"127.0.0.1:3000\""), "\"0.0.0.0:3000\"",
        "The address on which the pages are served.";
    ADMIN_LISTEN: Root "admin_listen", Kind::Address, Unset::Default("\"127.0.0.1:3002\""), "\"127.0.0.1:9000\"",
        "The address on which `/metrics`, `/readyz` and `/attempts/REFERENCE` are served. It must not be reachable from the internet.";
    GATE_LISTEN: Root "gate_listen", Kind::Address, Unset::Default("\"127.0.0.1:3004\""), "\"127.0.0.1:9004\"",
        "The address on which proxies ask whether a request may pass. It must not be reachable for browsers.";
    DATABASE: Root "database", Kind::Connection, Unset::Default("\"sqlite://vestibule.db\""), "\"mongodb://db.example.com/vestibule?replicaSet=rs0\"",
        "`sqlite://PATH` (relative to the working directory), meant for one process, or `mongodb://…/NAME` or `mongodb+srv://…/NAME` for one or several.";
    SECRET_KEYS: Root "secret_keys", Kind::Secrets, Unset::Otherwise("with SQLite: created at the first start in `PATH.key` beside the database, mode 0600; required with MongoDB"), "[\"<43 characters>\"]",
        "Keys of at least 32 bytes, base64url; the first encrypts, all can decrypt. To rotate: [three steps](operating.md#changing-the-secret-keys), each with a restart. In a file: one key per line. Create one with `openssl rand -base64 32 \\| tr '+/' '-_'`.";
    TRUSTED_PROXIES: Root "trusted_proxies", Kind::List, Unset::Default("[]"), "[\"127.0.0.1\", \"172.20.0.0/24\"]",
        "Addresses or networks of the proxies whose `X-Forwarded-…` headers are used, and who may ask on `gate_listen`. The client address that they give decides whose sign-ins and failures are counted together. Keep it narrow: anyone in such a network can pretend to have any address. Required with `[[app]]`.";
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
    PROVIDER_CLIENT_SECRET: Provider "client_secret", Kind::Secret, Unset::Otherwise("required, unless `client_auth` is `none` or `private_key_jwt`"), "\"<secret>\"",
        "The client secret, as registered with the provider.";
    PROVIDER_CLIENT_AUTH: Provider "client_auth", Kind::Choice(&["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"]), Unset::Default("\"client_secret_basic\""), "\"client_secret_post\"",
        "How the client authenticates at the token endpoint, and where requests are pushed. It must be the method that is registered with the provider. `private_key_jwt` needs no secret that both sides know: see [keys instead of a secret](providers.md#keys-instead-of-a-secret). `client_secret_jwt` takes a `client_secret` of at least 32 bytes.";
    PROVIDER_PRIVATE_KEY_FILE: Provider "private_key_file", Kind::Files, Unset::Otherwise("required with `private_key_jwt`"), "[\"/etc/vestibule/client.pem\"]",
        "PEM file with a private key for `private_key_jwt`, or a list of them: the first signs, and the public halves of all are at `/auth/oidc/jwks.json`. `vestibule keys new FILE` makes one. P-256 (ES256), P-384 (ES384), Ed25519 (EdDSA), or RSA with 2,048 to 4,096 bits (RS256); PKCS#8, without a password.";
    PROVIDER_ASSERTION_AUDIENCE: Provider "client_assertion_audience", Kind::Choice(&["issuer", "endpoint"]), Unset::Default("\"issuer\""), "\"endpoint\"",
        "Whom the assertion of `private_key_jwt` or `client_secret_jwt` is for. `issuer` is what the current specifications want. `endpoint` is the older form, for providers that refuse the other (Ory Hydra, Okta): the URL that the assertion is sent to.";
    PROVIDER_PUSHED_REQUESTS: Provider "require_pushed_authorization_requests", Kind::Boolean, Unset::Default("false"), "true",
        "Whether authorization requests are pushed (RFC 9126) also where the provider's metadata do not require it: set it where this client is registered so. Where the metadata require it, they are pushed in any case.";
    PROVIDER_ID_TOKEN_ALG: Provider "id_token_signed_response_alg", Kind::Choices(ALGORITHMS), Unset::Otherwise("those that the provider lists"), "[\"RS256\"]",
        "What ID tokens may be signed with: what is registered with the provider, if you want it to be that alone. It is in any case one that the provider lists.";
    PROVIDER_USERINFO_ALG: Provider "userinfo_signed_response_alg", Kind::Choices(ALGORITHMS), Unset::Otherwise("userinfo may be signed or not"), "[\"RS256\"]",
        "What userinfo has to be signed with. If it is set, userinfo that is not signed is refused.";
    PROVIDER_SCOPES: Provider "scopes", Kind::List, Unset::Default("[\"openid\", \"profile\", \"email\"]"), "[\"openid\", \"profile\", \"email\", \"groups\"]",
        "The scopes to request; `openid` must be one of them.";
    PROVIDER_END_SESSION: Provider "end_session", Kind::Boolean, Unset::Default("true"), "false",
        "Whether signing out here signs out at the provider, too, where it offers that; `public_url` with `/auth/signed-out` has to be registered there.";
    PROVIDER_TRUSTED_AUDIENCES: Provider "trusted_audiences", Kind::List, Unset::Default("[]"), "[\"123456789012345678\"]",
        "Audiences that an ID token may name beside our client. Zitadel names the project's ID and those of all its applications; elsewhere there is one audience, and this stays empty.";
    PROVIDER_RESPONSE_MODE: Provider "response_mode", Kind::Choice(&["query", "form_post"]), Unset::Default("\"query\""), "\"form_post\"",
        "How the provider's answer comes back. `query`: in the address of a redirect. `form_post`: in a form that the browser posts, so that no code is ever in an address; the provider has to offer it (`response_modes_supported`). A code that comes in the other way is refused with `response_mode_mismatch`.";
    PROVIDER_PROMPT: Provider "prompt", Kind::Choices(&["login", "consent", "select_account"]), Unset::Default("[]"), "[\"select_account\"]",
        "What the provider asks people at every sign-in: for their password (`login`), their consent, or which account to use. Who wants to use another account is asked to log in, too.";
    PROVIDER_MAX_AGE: Provider "max_age", Kind::Duration { least: SECOND, most: DAY.saturating_mul(365) }, Unset::Otherwise("however long ago"), "\"12h\"",
        "How long ago people may have signed in at the provider, counted from the start of their sign-in here; after that the provider asks them again. Sent in whole seconds. The ID token then has to say when that was (`auth_time`), and is refused where it was longer ago.";
    PROVIDER_ACR_VALUES: Provider "acr_values", Kind::List, Unset::Default("[]"), "[\"mfa\", \"phr\"]",
        "The ways of signing in that are good enough, by the provider's names for them, the best first. The ID token has to name one of them (`acr`); otherwise the person is told to sign in in another way (`authentication_too_weak`).";
    PROVIDER_UI_LOCALES: Provider "ui_locales", Kind::List, Unset::Default("[]"), "[\"de\", \"en\"]",
        "The languages that the provider's pages are to use, the best first.";
    PROVIDER_CLAIMS: Provider "claims", Kind::Text, Unset::Otherwise("only what `scopes` ask for"), "'{\"userinfo\": {\"groups\": {\"essential\": true}}}'",
        "Single claims to ask for, as a JSON object on one line with `userinfo` or `id_token` in it (OpenID Connect Core 5.5); not many providers know it. It goes into the address of each start, encoded in 1,000 bytes at most.";
    PROVIDER_CA_FILE: Provider "ca_file", Kind::File, Unset::Otherwise("only the system's roots"), "\"/etc/ssl/example-ca.pem\"",
        "PEM file with a root certificate that is trusted for this provider in addition to the system's roots (`SSL_CERT_FILE` is respected).";

    APP_URL: App "url", Kind::Urls, Unset::Fault, "\"https://wiki.example.com\"",
        "The application's origin, without a path, or a list of them: `https://`, or `http://` where it and `public_url` are on loopback. `https://*.apps.example.com` stands for all hosts one label below that name. A host belongs to one application, whatever the port, and is not that of `public_url`, unless there is no other origin than `public_url`.";
    APP_ACCESS: App "access", Kind::Choice(&["signed_in", "anyone", "nobody"]), Unset::Default("\"signed_in\""), "\"nobody\"",
        "Who gets in where no rule decides.";
    APP_IDENTITY: App "identity", Kind::Choices(&["remote", "x-auth-request", "assertion", "claudelens"]), Unset::Default("[\"remote\", \"assertion\"]"), "[\"x-auth-request\"]",
        "What the application is told about a person. `remote`: `Remote-User` and its like, as Authelia has them. `x-auth-request`: `X-Auth-Request-User` and its like, as oauth2-proxy has them. `assertion`: `X-Vestibule-Assertion`, a signed JWT. `claudelens`: `Authorization: Bearer` for ClaudeLens. `[]`: nothing.";
    APP_HEADERS: App "headers", Kind::Map, Unset::Default("{}"), "{ X-WEBAUTH-USER = \"username\" }",
        "More headers, and what is in each: `username`, `name`, `email`, `groups`, `role`, `subject` or `issuer`.";
    APP_GROUPS_SENT: App "groups_sent", Kind::List, Unset::Otherwise("all"), "[\"admins\", \"editors\"]",
        "The application is told only these of a person's groups. Rules decide on all of them.";
    APP_PREFLIGHT: App "preflight", Kind::Boolean, Unset::Default("false"), "true",
        "Whether CORS preflights pass, without identity. Where nobody gets in they never do.";
    APP_PREFIX: App "prefix", Kind::Text, Unset::Default("\"/auth\""), "\"/.vestibule\"",
        "The path below which Vestibule's own paths are on the application's hosts. Choose another where the application has an `/auth` of its own.";
    APP_CLAUDELENS_SECRET_KEY: App "claudelens_secret_key", Kind::Secret, Unset::Otherwise("required with `claudelens` in `identity`"), "\"<secret>\"",
        "ClaudeLens' own `SECRET_KEY`.";
    APP_TOKEN: App "token", Kind::Boolean, Unset::Default("false"), "true",
        "Whether scripts of the application may get a token of their own (a POST to `token` below `prefix`); `identity` has to have `assertion` or `claudelens`.";

    RULE_PATH: Rule "path", Kind::Text, Unset::Fault, "\"/admin/\"",
        "`/x/`: this path and everything below. `=/x`: exactly this path, only with `access = \"anyone\"`. It is written as it is read, without `%`.";
    RULE_METHODS: Rule "methods", Kind::List, Unset::Otherwise("all"), "[\"GET\", \"HEAD\"]",
        "The rule holds for these methods alone, in capitals.";
    RULE_ACCESS: Rule "access", Kind::Choice(&["signed_in", "anyone", "nobody"]), Unset::Otherwise("as the next five keys say"), "\"anyone\"",
        "Who gets in. A rule has either this or some of the next five keys.";
    RULE_GROUPS: Rule "groups", Kind::List, Unset::Default("[]"), "[\"admins\"]",
        "Members of any of these groups get in. Names are compared exactly, but it does not matter how their letters are composed. One match in any of these five keys is enough; everyone else is told that they may not.";
    RULE_ROLES: Rule "roles", Kind::Choices(&["user", "admin"]), Unset::Default("[]"), "[\"admin\"]",
        "Users with any of these roles get in.";
    RULE_EMAILS: Rule "emails", Kind::List, Unset::Default("[]"), "[\"ada@example.com\"]",
        "People with one of these verified email addresses get in, as with `users.allowed_emails`.";
    RULE_DOMAINS: Rule "domains", Kind::List, Unset::Default("[]"), "[\"example.com\"]",
        "People with a verified email address in one of these domains get in, as with `users.allowed_domains`.";
    RULE_USERS: Rule "users", Kind::List, Unset::Default("[]"), "[\"ada\"]",
        "Users with one of these usernames get in.";
    RULE_PROVIDERS: Rule "providers", Kind::List, Unset::Otherwise("required with `groups`, `emails`, `domains` or `users`, if there are two providers"), "[\"authelia\"]",
        "The ids of the providers whose word counts for `groups`, `emails` and `domains`, and whose people `users` means.";
    RULE_ADDRESSES: Rule "addresses", Kind::List, Unset::Otherwise("from everywhere"), "[\"192.0.2.0/24\"]",
        "Addresses or networks: who gets in does so from there alone; from elsewhere nobody gets to that path, nor to one below it, also with `=/x`. The client's address is found by `trusted_proxies`.";

    USERS_AUTO_CREATE: Users "auto_create", Kind::Boolean, Unset::Default("true"), "false",
        "Whether an account is created for people who have none. If not, they cannot sign in.";
    USERS_DEFAULT_ROLE: Users "default_role", Kind::Choice(&["user", "admin"]), Unset::Default("\"user\""), "\"user\"",
        "The role of a new user.";
    USERS_ADMIN_GROUPS: Users "admin_groups", Kind::List, Unset::Default("[]"), "[\"admins\"]",
        "Members of any of these groups become `admin`, everyone else `user`, at each sign-in. If it is empty, roles do not change.";
    USERS_ALLOWED_GROUPS: Users "allowed_groups", Kind::List, Unset::Default("[]"), "[\"staff\"]",
        "Members of any of these groups may sign in. Names are compared exactly, but it does not matter how their letters are composed (`é` as one character or two). If this and the next two keys are empty, everyone may; otherwise one match in any of the three is enough. All three are asked at sign-in and at a recheck: who is signed in stays so. (Rules of an application count at every request.)";
    USERS_ALLOWED_EMAILS: Users "allowed_emails", Kind::List, Unset::Default("[]"), "[\"ada@example.com\"]",
        "People with one of these verified email addresses may sign in; case does not matter, also in `JÜRGEN@example.com`. Letters that only look the same are different.";
    USERS_ALLOWED_DOMAINS: Users "allowed_domains", Kind::List, Unset::Default("[]"), "[\"example.com\"]",
        "People with a verified email address in one of these domains may sign in. Subdomains do not count. `bücher.example` and `xn--bcher-kva.example` are the same.";
    USERS_UNVERIFIED_EMAIL: Users "unverified_email", Kind::Boolean, Unset::Default("false"), "true",
        "Whether applications are told an email address that the provider does not call verified. Rules never go by one.";

    SESSION_IDLE: Session "idle", Kind::Duration { least: MINUTE, most: limits::COOKIE_LIFE_MAX }, Unset::Default("\"7d\""), "\"12h\"",
        "Idle timeout: a session ends after this long without use.";
    SESSION_ABSOLUTE: Session "absolute", Kind::Duration { least: MINUTE, most: limits::COOKIE_LIFE_MAX }, Unset::Default("\"30d\""), "\"30d\"",
        "Maximum session lifetime; not less than `idle`.";
    SESSION_RECHECK: Session "recheck", Kind::Duration { least: MINUTE.saturating_mul(10), most: limits::COOKIE_LIFE_MAX }, Unset::Otherwise("the provider is not asked again"), "\"12h\"",
        "How old what the provider said may become: the next page after that is shown when it has been asked again, in passing (`prompt=none`).";

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
mod tests;
