//! `url` of an `[[app]]`: where an application is, and which host is whose.

use std::net::Ipv4Addr;

use url::Url;

use super::{
    reader::{Reader, given_url},
    schema::At,
};
use crate::server::{
    application::{HostPattern, OriginPattern},
    email_address::Domain,
    public_url::{PublicUrl, is_loopback},
};

/// How it is written.
const FORM: &str = "write an origin, as \"https://wiki.example.com\" or \"https://*.apps.example.com\"";

/// An origin, and the key that gives it.
pub(super) struct Placed {
    pub(super) place: String,
    pub(super) origin: OriginPattern,
}

/// The origins of one application.
pub(super) fn read(reader: &mut Reader<'_>, at: At, public_url: Option<&PublicUrl>) -> Vec<Placed> {
    let before = reader.count();
    let mut origins = Vec::new();
    for (place, text) in reader.list(at) {
        match parse(&text, public_url) {
            Ok(origin) => origins.push(Placed { place, origin }),
            Err(what) => reader.fault(&place, format!("{what}{}", given_url(&text)), FORM),
        }
    }
    if origins.is_empty() && reader.count() == before {
        reader.fault(&at, "is empty", FORM);
    }
    origins
}

/// A host is one application's, whatever the port, since cookies know no ports (a name of its own goes before a `*`, as in
/// every proxy); and the login host's cookie is sent to nobody else.
pub(super) fn check_hosts(reader: &mut Reader<'_>, origins: &[Placed], public_url: Option<&PublicUrl>) {
    for (index, Placed { place, origin }) in origins.iter().enumerate() {
        let before = origins.iter().take(index).find(|other| other.origin.host == origin.host);
        if let Some(other) = before {
            let what = format!("is a host of {} as well ({}), and ports make no difference", other.place, other.origin);
            reader.fault(place, what, "give each host to one application, once");
        }
    }
    let Some(login) = public_url.map(of_public_url) else { return };
    let alone = matches!(origins, [only] if only.origin == login);
    for Placed { place, .. } in origins.iter().filter(|one| !alone && meet(&one.origin.host, &login.host)) {
        let what = "is the host of public_url, so that the application would be sent the login host's cookie";
        reader.fault(place, what, "give public_url a host of its own, as \"https://login.example.com\"");
    }
}

/// Where `public_url` is.
pub(super) fn of_public_url(public_url: &PublicUrl) -> OriginPattern {
    let (_, authority) = public_url.origin().split_once("://").unwrap_or_default();
    let (host, port) = split_port(authority);
    OriginPattern {
        secure: public_url.is_secure(),
        host: HostPattern::One(host.strip_suffix('.').unwrap_or(host).to_owned()),
        port: port.and_then(|port| port.parse().ok()),
    }
}

/// Whether there is a host that both are.
fn meet(one: &HostPattern, other: &HostPattern) -> bool {
    match (one, other) {
        (HostPattern::One(one), HostPattern::One(other)) | (HostPattern::Below(one), HostPattern::Below(other)) => {
            one == other
        }
        (HostPattern::One(host), HostPattern::Below(name)) | (HostPattern::Below(name), HostPattern::One(host)) => {
            host.split_once('.').is_some_and(|(_, above)| above == name)
        }
    }
}

fn parse(text: &str, public_url: Option<&PublicUrl>) -> Result<OriginPattern, &'static str> {
    let (secure, rest) = match text.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        _ => return Err("does not begin with https://"),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return Err("carries a user name or password");
    }
    if authority.contains(['/', '?', '#', '\\']) {
        return Err("is more than an origin");
    }
    let (host, port) = split_port(authority);
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(0) | Err(_)) => return Err("has a port that is none"),
        Some(Ok(port)) => Some(port).filter(|port| *port != if secure { 443 } else { 80 }),
    };
    let (host, name) = match host.strip_prefix("*.") {
        Some(name) => {
            let name = host_name(name)?;
            (HostPattern::Below(name.clone()), name)
        }
        None => {
            let name = host_name(host)?;
            (HostPattern::One(name.clone()), name)
        }
    };
    let on_loopback = Url::parse(&format!("http://{name}")).is_ok_and(|url| is_loopback(&url));
    if matches!(host, HostPattern::Below(_)) && !name.contains('.') && !on_loopback {
        return Err("is for all hosts of a whole top-level domain");
    }
    if !secure && !on_loopback {
        return Err("is http, which is for loopback alone");
    }
    // If public_url is wrong itself, this is checked once that is right.
    match (secure, public_url.map_or(secure, PublicUrl::is_secure)) {
        (false, true) => Err("is http, while public_url is https"),
        (true, false) => Err("is https, while public_url is http"),
        _ => Ok(OriginPattern { secure, host, port }),
    }
}

/// A host's name as the gate compares it: in ASCII and small letters. What browsers would read as an address in numbers is
/// written as they show it.
fn host_name(text: &str) -> Result<String, &'static str> {
    let name = Domain::parse(text).ok_or("has no host name")?;
    let name = name.as_str();
    let is_number = name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    if is_number && name.parse::<Ipv4Addr>().is_err() {
        return Err("has neither a host name nor an IPv4 address");
    }
    Ok(name.to_owned())
}

/// Host and port; the brackets of an IPv6 address belong to its host.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}
