//! Programs that read a path, each in its own way and written without regard to ours: the proxies as they were measured, and
//! the applications behind them. Whatever one of them serves, the plain rules have to let the person have.
//!
//! The fuzz target includes this file, too.

use super::{Access, Asked, By, Members, Person, Rule, RuleAccess, RulePath, decide};

type HandsOn = fn(&str) -> Option<String>;
type Serves = fn(&str) -> String;

/// What the proxies hand on. `None`: they answer by themselves.
const PROXIES: [(&str, HandsOn); 4] = [
    ("nginx, HAProxy, Envoy as it comes", |path| Some(path.to_owned())),
    ("Caddy", |path| Some(path.replace('\\', "%5C").replace('#', "%23"))),
    ("Traefik", |path| (!path.contains('#')).then(|| resolved(&decoded(path, is_unreserved)))),
    ("Envoy as we ship it", |path| {
        let lower = path.to_ascii_lowercase();
        let is_refused = ["%00", "#"].iter().any(|one| lower.contains(one));
        (!is_refused).then(|| collapsed(&resolved(&decoded(&path.replace('\\', "/"), is_unreserved))))
    }),
];

/// What the applications make of it.
const APPLICATIONS: [(&str, Serves); 18] = [
    ("as it is", |path| path.to_owned()),
    ("cut at #", |path| before(path, '#')),
    ("decoded", |path| decoded(path, all)),
    ("decoded, then resolved", |path| resolved(&decoded(path, all))),
    ("resolved, then decoded", |path| decoded(&resolved(path), all)),
    ("decoded, collapsed, resolved (Go)", |path| resolved(&collapsed(&decoded(path, all)))),
    ("collapsed, resolved, decoded", |path| decoded(&resolved(&collapsed(path)), all)),
    ("resolved, collapsed", |path| collapsed(&resolved(path))),
    ("all but separators decoded", |path| decoded(path, |byte| byte != b'/' && byte != b'\\')),
    ("parameters stripped, decoded, resolved (Tomcat)", |path| resolved(&decoded(&stripped(path), all))),
    ("decoded, stripped, resolved", |path| resolved(&stripped(&decoded(path, all)))),
    ("resolved, stripped", |path| stripped(&resolved(path))),
    ("cut at ;, resolved", |path| resolved(&before(path, ';'))),
    ("backslashes turned, decoded, resolved, collapsed", |path| {
        collapsed(&resolved(&decoded(&path.replace('\\', "/"), all)))
    }),
    ("decoded, backslashes turned, resolved (IIS)", |path| resolved(&decoded(path, all).replace('\\', "/"))),
    ("dots alone decoded, backslashes turned, resolved (browsers)", |path| {
        resolved(&decoded(&path.replace('\\', "/"), |byte| byte == b'.'))
    }),
    ("decoded, then cut at ? and #, resolved", |path| resolved(&before(&before(&decoded(path, all), '#'), '?'))),
    ("separators decoded, resolved, then the rest decoded", |path| {
        decoded(&resolved(&decoded(path, |byte| byte == b'/' || byte == b'\\').replace('\\', "/")), all)
    }),
];

fn all(_: u8) -> bool {
    true
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn decoded(path: &str, of: fn(u8) -> bool) -> String {
    let mut out = Vec::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = path.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' && of(byte) => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn resolved(path: &str) -> String {
    let mut input = path.to_owned();
    let mut output = String::new();
    // RFC 3986, 5.2.4, word for word.
    while !input.is_empty() {
        if input.starts_with("../") {
            input.drain(..3);
        } else if input.starts_with("./") || input.starts_with("/./") {
            input.drain(..2);
        } else if input == "/." {
            input = "/".into();
        } else if input.starts_with("/../") || input == "/.." {
            input = if input == "/.." { "/".into() } else { input.split_off(3) };
            output.truncate(output.rfind('/').unwrap_or(0));
        } else if input == "." || input == ".." {
            input.clear();
        } else {
            let end = input.char_indices().skip(1).find(|(_, c)| *c == '/').map_or(input.len(), |(at, _)| at);
            output.extend(input.drain(..end));
        }
    }
    output
}

fn collapsed(path: &str) -> String {
    let mut path = path.to_owned();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    path
}

fn stripped(path: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in path.chars() {
        inside = c == ';' || inside && c != '/';
        if !inside {
            out.push(c);
        }
    }
    out
}

fn before(path: &str, mark: char) -> String {
    path[..path.find(mark).unwrap_or(path.len())].to_owned()
}

/// Whether the rules, read as they stand, let that person (`None`: nobody is signed in) have what is served as `path`.
fn lets_in(asked: &Asked<'_>, method: &str, path: &str, any_case: bool, person: Option<&Person<'_>>) -> bool {
    let application = &asked.site.application;
    let in_case = |text: &str| if any_case { text.to_lowercase() } else { text.to_owned() };
    let path = in_case(path);
    let is_there = |rule: &Rule| match &rule.path {
        RulePath::Exactly(exactly) => path == in_case(exactly),
        RulePath::Below(below) => {
            let below = in_case(below);
            path.starts_with(&below) || !rule.access.opens() && format!("{path}/") == below
        }
    };
    let is_for = |rule: &Rule| rule.methods.is_empty() || rule.methods.iter().any(|one| one == method);
    let Some(rule) = application.rules.iter().find(|rule| is_for(rule) && is_there(rule)) else {
        return has(application.access, person);
    };
    let is_from = |client| rule.addresses.iter().any(|net| net.contains(&client));
    if !rule.addresses.is_empty() && !asked.client().is_some_and(is_from) {
        return false;
    }
    match &rule.access {
        RuleAccess::All(access) => has(*access, person),
        RuleAccess::Members(Members { users, groups, .. }) => person.is_some_and(|person| {
            users.iter().any(|user| user == person.username) || groups.iter().any(|group| person.groups.contains(group))
        }),
    }
}

fn has(access: Access, person: Option<&Person<'_>>) -> bool {
    match access {
        Access::Anyone => true,
        Access::SignedIn => person.is_some(),
        Access::Nobody => false,
    }
}

/// Whoever the gate lets in may have what any of them serves, by each of these methods that the application may go by.
pub(crate) fn assert_that_nobody_is_fooled(asked: &Asked<'_>, methods: &[&str], people: &[Person<'_>]) {
    let decision = decide(asked);
    if decision.by.by == By::Preflight {
        assert_eq!(asked.method, "OPTIONS", "a preflight");
        return;
    }
    let path = asked.uri.split('?').next().unwrap_or_default();
    for person in people.iter().map(Some).chain([None]) {
        let is_in = person.map_or(decision.access == Access::Anyone, |person| decision.admits(|| *person).is_ok());
        if !is_in {
            continue;
        }
        for (proxy, hands_on) in PROXIES {
            let Some(path) = hands_on(path) else { continue };
            for (application, serves) in APPLICATIONS {
                let served = serves(&path);
                for (method, any_case) in methods.iter().flat_map(|method| [(method, false), (method, true)]) {
                    assert!(
                        lets_in(asked, method, &served, any_case, person),
                        "{person:?} gets in by {:?}, {method} {} is {served:?} to {proxy} and {application}, \
                         any case: {any_case}",
                        decision.by,
                        asked.uri
                    );
                }
            }
        }
    }
}
