//! The applications behind the proxy: where they are, who may use which of their paths, and what they are told about a
//! person. Settings make these types; the gate decides by them, and `return_to` leads to them.

use std::{collections::HashMap, fmt, sync::Arc};

use ipnet::IpNet;
use secrecy::SecretString;

use crate::paths;

use super::{
    email_address::{Domain, EmailAddress},
    ids::ProviderId,
    limits,
    store::Role,
};

/// `[[app]]`: an application behind the proxy.
#[derive(Debug)]
pub struct Application {
    /// Where it is: at least one.
    pub origins: Vec<OriginPattern>,
    /// What no rule decides.
    pub access: Access,
    /// The first that matches decides.
    pub rules: Vec<Rule>,
    /// What the application is told.
    pub identity: IdentityRules,
    /// Whether CORS preflights pass, without identity.
    pub preflight: bool,
    /// Below this our own paths are on its hosts, as `/auth`.
    pub prefix: String,
    /// Whether its scripts may have a token (`POST …/token`).
    pub token: bool,
}

/// An origin, or those of all hosts one label below a name: `https://wiki.example.com`, `https://*.apps.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    /// Whether it is https; http is for loopback alone.
    pub secure: bool,
    /// Its host, or its hosts.
    pub host: HostPattern,
    /// Its port, where that is not its scheme's own.
    pub port: Option<u16>,
}

/// A host, or all of them one label below a name. Small letters, no dot at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This one.
    One(String),
    /// `*.NAME`: every label before this name.
    Below(String),
}

/// Who gets in where no rule decides; the strictest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Everybody, without an identity.
    Anyone,
    /// Whoever is signed in.
    SignedIn,
    /// Nobody.
    Nobody,
}

/// `[[app.rule]]`: who gets in at some paths.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where it holds.
    pub path: RulePath,
    /// For which methods, in capitals; none: for all.
    pub methods: Vec<String>,
    /// Who gets in.
    pub access: RuleAccess,
    /// From where they get in; none: from everywhere.
    pub addresses: Vec<IpNet>,
}

/// Where a rule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulePath {
    /// `=/x`: this path. Only a rule that opens has it.
    Exactly(String),
    /// `/x/`: this path, which ends in a slash, and everything below.
    Below(String),
}

/// Who gets in by a rule.
#[derive(Clone, Debug)]
pub enum RuleAccess {
    /// As where no rule decides.
    All(Access),
    /// Whoever is one of these.
    Members(Members),
}

/// Any one match admits.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Members of these groups.
    pub groups: Vec<String>,
    /// Users with these roles.
    pub roles: Vec<Role>,
    /// Users with these verified addresses.
    pub emails: Vec<EmailAddress>,
    /// Users with a verified address in these domains.
    pub domains: Vec<Domain>,
    /// Users with these usernames.
    pub users: Vec<String>,
    /// Whose word counts for groups, addresses, domains and users; none: every provider's.
    pub providers: Vec<ProviderId>,
}

impl RuleAccess {
    /// Whether it lets everybody in: then the rule holds for exactly the paths that it says.
    #[must_use]
    pub const fn opens(&self) -> bool {
        matches!(self, Self::All(Access::Anyone))
    }
}

impl Application {
    /// Whether it reads the users' documents as ClaudeLens does.
    #[must_use]
    pub fn is_claudelens(&self) -> bool {
        self.identity.presets.iter().any(|preset| matches!(preset, Preset::ClaudeLens(_)))
    }
}

/// What an application is told about a person.
#[derive(Debug, Default)]
pub struct IdentityRules {
    /// Sets of headers by name.
    pub presets: Vec<Preset>,
    /// More headers, in small letters, and what is in them.
    pub headers: Vec<(String, Field)>,
    /// Only these of a person's groups are told, if given.
    pub groups_sent: Option<Vec<String>>,
}

/// A set of headers.
#[derive(Clone, Debug)]
pub enum Preset {
    /// `remote`: `Remote-User`, `-Name`, `-Email`, `-Groups`, as Authelia has them.
    Remote,
    /// `x-auth-request`: `X-Auth-Request-User`, `-Preferred-Username`, `-Email`, `-Groups`, as oauth2-proxy has them.
    XAuthRequest,
    /// `assertion`: `X-Vestibule-Assertion`, a signed JWT.
    Assertion,
    /// `claudelens`: `Authorization: Bearer` with a JWT under that application's `SECRET_KEY`.
    ClaudeLens(SecretString),
}

impl Preset {
    /// The names of its headers.
    #[must_use]
    pub const fn headers(&self) -> &'static [&'static str] {
        match self {
            Self::Remote => &["remote-user", "remote-name", "remote-email", "remote-groups"],
            Self::XAuthRequest => &[
                "x-auth-request-user",
                "x-auth-request-preferred-username",
                "x-auth-request-email",
                "x-auth-request-groups",
            ],
            Self::Assertion => &["x-vestibule-assertion"],
            Self::ClaudeLens(_) => &["authorization"],
        }
    }
}

/// Something that is known about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The unique name.
    Username,
    /// The name to show.
    Name,
    /// The address, if it is verified or `users.unverified_email` is on.
    Email,
    /// The groups, by comma.
    Groups,
    /// The role.
    Role,
    /// The subject at the issuer.
    Subject,
    /// The issuer.
    Issuer,
}

/// One host of an application.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which application, by its place in the settings.
    pub index: usize,
    /// The application.
    pub application: Arc<Application>,
    /// The host, in small letters, without a port.
    pub host: Arc<str>,
    /// As in a URL, without a slash at the end.
    pub origin: Arc<str>,
}

impl Site {
    /// As people write it: the host, with the port where that is not the scheme's own.
    #[must_use]
    pub fn name(&self) -> &str {
        self.origin.split_once("://").map_or(&*self.host, |(_, name)| name)
    }

    /// The absolute URL of a path of this host.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// One of our own paths below `/auth`, as it is on this host.
    #[must_use]
    pub fn own(&self, path: &str) -> String {
        let rest = path.strip_prefix(paths::ROOT).unwrap_or(path);
        format!("{}{rest}", self.application.prefix)
    }
}

impl PartialEq for Site {
    fn eq(&self, other: &Self) -> bool {
        self.host == other.host
    }
}

impl Eq for Site {}

/// All applications, found by host.
#[derive(Debug, Default)]
pub struct Applications {
    all: Vec<Arc<Application>>,
    sites: HashMap<Arc<str>, Site>,
    /// Those with hosts one label below a name, by that name.
    below: HashMap<String, (usize, OriginPattern)>,
}

impl Applications {
    /// Settings have seen to it that no two have the same host.
    #[must_use]
    pub fn new(applications: Vec<Application>) -> Self {
        let all: Vec<_> = applications.into_iter().map(Arc::new).collect();
        let (mut sites, mut below) = (HashMap::new(), HashMap::new());
        for (index, application) in all.iter().enumerate() {
            for pattern in &application.origins {
                match &pattern.host {
                    HostPattern::One(host) => {
                        let site = site(index, application, pattern, host);
                        sites.insert(Arc::clone(&site.host), site);
                    }
                    HostPattern::Below(name) => {
                        below.insert(name.clone(), (index, pattern.clone()));
                    }
                }
            }
        }
        Self { all, sites, below }
    }

    /// In the order of the settings.
    #[must_use]
    pub fn all(&self) -> &[Arc<Application>] {
        &self.all
    }

    /// Every host that is named, in the order of the settings; not those of a pattern.
    pub fn sites(&self) -> impl Iterator<Item = &Site> {
        let patterns = self.all.iter().flat_map(|application| &application.origins);
        patterns.filter_map(|pattern| match &pattern.host {
            HostPattern::One(host) => self.sites.get(host.as_str()),
            HostPattern::Below(_) => None,
        })
    }

    /// The application whose host that is. `host` is in small letters, without a port.
    #[must_use]
    pub fn at(&self, host: &str) -> Option<Site> {
        if let Some(site) = self.sites.get(host) {
            return Some(site.clone());
        }
        let (label, name) = host.split_once('.')?;
        let (index, pattern) = self.below.get(name).filter(|_| (1..=limits::HOST_LABEL).contains(&label.len()))?;
        Some(site(*index, self.all.get(*index)?, pattern, host))
    }
}

fn site(index: usize, application: &Arc<Application>, pattern: &OriginPattern, host: &str) -> Site {
    let origin = pattern.at(host).into();
    Site { index, application: Arc::clone(application), host: host.into(), origin }
}

impl OriginPattern {
    /// The origin of that host.
    #[must_use]
    pub fn at(&self, host: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{host}{port}")
    }
}

/// As in the settings.
impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::One(host) => f.write_str(&self.at(host)),
            HostPattern::Below(name) => f.write_str(&self.at(&format!("*.{name}"))),
        }
    }
}
