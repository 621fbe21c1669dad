//! The gate against everything that is known to go wrong elsewhere.

use std::{net::IpAddr, sync::LazyLock};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::{
    asked::{Asked, Denied, Said, forwarded, host_name, itself},
    path::{Readings, Unreadable},
    rules::{By, Person, covers, decide},
};
use crate::server::{
    application::{
        Access, Application, Applications, HostPattern, IdentityRules, Members, OriginPattern, Rule, RuleAccess,
        RulePath, Site,
    },
    email_address::{Domain, EmailAddress},
    ids::ProviderId,
    store::Role,
};

/// What went wrong in other programs, an advisory a test.
mod advisories;
/// What is asked, and by whom.
mod asking;
/// Any path and any rules, against every program that reads a path.
mod property;
/// What the five proxies were seen to do.
mod proxies;
/// Programs that read a path.
mod readers;
/// In which ways a path can be read.
mod reading;
/// Which rule decides, and whom it admits.
mod ruling;

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn trusted() -> &'static [IpNet] {
    static TRUSTED: LazyLock<Vec<IpNet>> = LazyLock::new(|| vec!["127.0.0.0/8".parse().unwrap()]);
    &TRUSTED
}

/// An application at `host`, or at `*.NAME`.
fn application(host: &str, access: Access, rules: Vec<Rule>) -> Application {
    let host = match host.strip_prefix("*.") {
        Some(name) => HostPattern::Below(name.into()),
        None => HostPattern::One(host.into()),
    };
    Application {
        origins: vec![OriginPattern { secure: true, host, port: None }],
        access,
        rules,
        identity: IdentityRules::default(),
        preflight: false,
        prefix: "/auth".into(),
        token: false,
    }
}

/// `=/x` or `/x/`, and `GET` or `GET|HEAD` or nothing.
fn rule(path: &str, methods: &str, access: RuleAccess) -> Rule {
    let path = match path.strip_prefix('=') {
        Some(path) => RulePath::Exactly(path.into()),
        None => RulePath::Below(path.into()),
    };
    let methods = methods.split('|').filter(|method| !method.is_empty()).map(str::to_owned).collect();
    Rule { path, methods, access, addresses: Vec::new() }
}

fn anyone() -> RuleAccess {
    RuleAccess::All(Access::Anyone)
}

fn nobody() -> RuleAccess {
    RuleAccess::All(Access::Nobody)
}

fn signed_in() -> RuleAccess {
    RuleAccess::All(Access::SignedIn)
}

fn group(name: &str) -> RuleAccess {
    RuleAccess::Members(Members { groups: vec![name.into()], ..Members::default() })
}

/// The wiki of most tests: `/public/` for anyone, `/admin/` for admins, the rest for whoever is signed in.
fn wiki() -> Applications {
    let rules = vec![rule("/admin/", "", group("admins")), rule("/public/", "", anyone())];
    Applications::new(vec![
        application("wiki.example.com", Access::SignedIn, rules),
        application("open.example.org", Access::Anyone, vec![]),
        application("*.apps.example.com", Access::SignedIn, vec![]),
    ])
}

fn only(application: Application) -> Applications {
    Applications::new(vec![application])
}

fn headers(all: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// What a proxy says about a GET of that URI at the wiki.
fn said(uri: &str) -> HeaderMap {
    headers(&[
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "wiki.example.com"),
        ("X-Forwarded-Uri", uri),
        ("X-Forwarded-For", "203.0.113.9"),
    ])
}

/// The same with one header replaced, or without it.
fn but(name: &str, value: Option<&str>) -> HeaderMap {
    let mut headers = said("/page");
    let name: HeaderName = name.parse().unwrap();
    headers.remove(&name);
    if let Some(value) = value {
        headers.insert(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn ask<'a>(headers: &'a HeaderMap, applications: &Applications) -> Result<Asked<'a>, Denied> {
    forwarded(PROXY, headers, trusted(), applications)
}

fn first(applications: &Applications) -> Site {
    let HostPattern::One(host) = &applications.all()[0].origins[0].host else { panic!("many hosts") };
    applications.at(host).unwrap()
}

/// Who gets in at `uri` of the first application, and by what.
fn answer(applications: &Applications, method: &str, uri: &str) -> (Access, By) {
    let mut headers = said(uri);
    headers.insert("x-forwarded-method", method.parse().unwrap());
    headers.insert("x-forwarded-host", first(applications).host.parse().unwrap());
    let asked = ask(&headers, applications).unwrap_or_else(|denied| panic!("{uri}: {denied}"));
    let decision = decide(&asked);
    (decision.access, decision.by.by)
}

/// Who gets in at the wiki.
fn at_wiki(uri: &str) -> Access {
    answer(&wiki(), "GET", uri).0
}

fn person<'a>(username: &'a str, groups: &[&str]) -> Person<'a> {
    static PROVIDER: LazyLock<ProviderId> = LazyLock::new(|| ProviderId::new("op"));
    let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
    Person { username, role: Role::User, email: None, groups: groups.leak(), provider: &PROVIDER }
}

/// Whether that person gets in with a GET.
fn admitted(applications: &Applications, uri: &str, person: &Person<'_>) -> bool {
    let asked = Asked::about(first(applications), "GET", uri, None).unwrap();
    decide(&asked).admits(|| *person).is_ok()
}
