//! One sign-in, a cookie for each host: how a person who is signed in at the login host comes to be signed in at the host
//! of an application.
//!
//! ```text
//! wiki/page            nobody: the check sends the browser to
//! login/auth/handover  ?request=: the page, and which browser asks. Whoever is signed in there goes on to
//! wiki/auth/enter      ?ticket=: in that browser, and within seconds, it becomes the cookie of this host
//! ```
//!
//! Nothing is stored. The cookie of an application's host names the login host's session, sealed, and bound to that one
//! host: it lives and dies with that session (docs/decisions/gate.md).

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::server::{
    application::Site,
    clock::{System, from_millis, is_recent, to_millis},
    ids::{BrowserHash, SessionHash},
    limits,
    seal::{Keyring, Payload, Purpose, Sealed, take},
    sign_in::return_to::ReturnTo,
};

/// What an application's host asks the login host for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The page that was asked for; it says which host asks.
    pub page: ReturnTo,
    /// Which browser asks: the one with this key at the application's host.
    pub browser: BrowserHash,
    /// When.
    pub asked: OffsetDateTime,
}

/// What the login host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The page that was asked for.
    pub page: ReturnTo,
    /// The only browser that it is for.
    pub browser: BrowserHash,
    /// The login host's session.
    pub session: SessionHash,
    /// When it was issued.
    pub issued: OffsetDateTime,
    /// How often in a row, without a click, the browser has been handed over.
    pub turns: u8,
}

/// The session cookie of an application's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostSession(pub SessionHash);

impl Handover {
    /// For the address of the login host.
    #[must_use]
    pub fn seal(&self, keys: &Keyring, system: &System) -> String {
        keys.seal(&[], self, system)
    }

    /// `None` unless it is one of ours.
    #[must_use]
    pub fn open(sealed: &str, keys: &Keyring) -> Option<Self> {
        Some(keys.open(&[], sealed)?.value)
    }

    /// Whether it is still answered; else the page is asked for anew, which asks anew.
    #[must_use]
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        is_recent(self.asked, now, limits::HANDOVER_FRESH)
    }
}

impl Ticket {
    /// For the address of `site`.
    #[must_use]
    pub fn seal(&self, site: &Site, keys: &Keyring, system: &System) -> String {
        keys.seal(site.origin.as_bytes(), self, system)
    }

    /// `None` unless it is one of ours for `site`.
    #[must_use]
    pub fn open(sealed: &str, site: &Site, keys: &Keyring) -> Option<Self> {
        Some(keys.open(site.origin.as_bytes(), sealed)?.value)
    }

    /// Whether it may be used now.
    #[must_use]
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        is_recent(self.issued, now, limits::TICKET_FRESH)
    }
}

impl HostSession {
    /// The cookie's value, for `site` alone.
    #[must_use]
    pub fn seal(self, site: &Site, keys: &Keyring, system: &System) -> String {
        keys.seal(site.origin.as_bytes(), &self, system)
    }

    /// `None` unless we set it for `site`.
    #[must_use]
    pub fn open(cookie: &str, site: &Site, keys: &Keyring) -> Option<Self> {
        Some(keys.open(site.origin.as_bytes(), cookie)?.value)
    }
}

#[derive(Serialize, Deserialize)]
struct HandoverWire {
    page: ReturnTo,
    browser: [u8; 32],
    asked_ms: i64,
}

impl Sealed for Handover {
    const PURPOSE: Purpose = Purpose::Handover;

    fn write(&self) -> Payload {
        let (page, browser) = (self.page.clone(), *self.browser.as_bytes());
        Payload::marked(1, &HandoverWire { page, browser, asked_ms: to_millis(self.asked) })
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let (HandoverWire { page, browser, asked_ms }, _appended) = take(payload)?;
        Some(Self { page, browser: BrowserHash::from_bytes(browser), asked: from_millis(asked_ms)? })
    }
}

#[derive(Serialize, Deserialize)]
struct TicketWire {
    page: ReturnTo,
    browser: [u8; 32],
    session: [u8; 32],
    issued_ms: i64,
    turns: u8,
}

impl Sealed for Ticket {
    const PURPOSE: Purpose = Purpose::Ticket;

    fn write(&self) -> Payload {
        Payload::marked(
            1,
            &TicketWire {
                page: self.page.clone(),
                browser: *self.browser.as_bytes(),
                session: *self.session.as_bytes(),
                issued_ms: to_millis(self.issued),
                turns: self.turns,
            },
        )
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        let (TicketWire { page, browser, session, issued_ms, turns }, _appended) = take(payload)?;
        Some(Self {
            page,
            browser: BrowserHash::from_bytes(browser),
            session: SessionHash::from_bytes(session),
            issued: from_millis(issued_ms)?,
            turns,
        })
    }
}

impl Sealed for HostSession {
    const PURPOSE: Purpose = Purpose::HostSession;

    fn write(&self) -> Payload {
        Payload::marked(1, self.0.as_bytes())
    }

    fn read(_version: u8, payload: &[u8]) -> Option<Self> {
        take::<[u8; 32]>(payload).map(|(session, _appended)| Self(SessionHash::from_bytes(session)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server::{
        application::{Access, Application, Applications, HostPattern, IdentityRules, OriginPattern},
        settings::{PublicUrl, SecretKey},
    };

    fn keys() -> Keyring {
        let secret = SecretKey::new(Box::new(vec![1; 32]));
        Keyring::new(&secret, &[], &PublicUrl::parse("https://login.test").unwrap())
    }

    fn applications() -> Applications {
        let application = |host: &str| Application {
            origins: vec![OriginPattern { secure: true, host: HostPattern::One(host.into()), port: None }],
            access: Access::SignedIn,
            rules: Vec::new(),
            identity: IdentityRules::default(),
            preflight: false,
            prefix: "/auth".into(),
            token: false,
        };
        Applications::new(vec![application("wiki.test"), application("board.example")])
    }

    fn page(text: &str) -> ReturnTo {
        ReturnTo::sanitize(Some(text), &PublicUrl::parse("https://login.test").unwrap(), &applications()).0
    }

    #[test]
    fn a_ticket_is_for_one_host_and_some_seconds() {
        let (keys, system, applications) = (keys(), System::real(), applications());
        let [wiki, board] = ["wiki.test", "board.example"].map(|host| applications.at(host).unwrap());
        let ticket = Ticket {
            page: page("https://wiki.test/a?b=c"),
            browser: BrowserHash::from_bytes([1; 32]),
            session: SessionHash::from_bytes([2; 32]),
            issued: system.now(),
            turns: 3,
        };
        let sealed = ticket.seal(&wiki, &keys, &system);
        assert_eq!(Ticket::open(&sealed, &wiki, &keys), Some(ticket.clone()));
        assert_eq!(Ticket::open(&sealed, &board, &keys), None);
        assert_eq!(HostSession::open(&sealed, &wiki, &keys), None, "it is no cookie");
        let after = |seconds| ticket.issued + Duration::from_secs(seconds);
        assert!(ticket.is_fresh(after(30)) && !ticket.is_fresh(after(31)));
        assert!(!ticket.is_fresh(ticket.issued - Duration::from_secs(3600)));
    }

    #[test]
    fn a_cookie_is_for_one_host_and_short() {
        let (keys, system, applications) = (keys(), System::real(), applications());
        let [wiki, board] = ["wiki.test", "board.example"].map(|host| applications.at(host).unwrap());
        let session = HostSession(SessionHash::from_bytes([2; 32]));
        let cookie = session.seal(&wiki, &keys, &system);
        assert_eq!(HostSession::open(&cookie, &wiki, &keys), Some(session));
        assert_eq!(HostSession::open(&cookie, &board, &keys), None);
        assert_eq!(Ticket::open(&cookie, &wiki, &keys), None, "it is no ticket");
        assert!(cookie.len() <= 110, "{}", cookie.len());
    }

    #[test]
    fn a_request_carries_the_longest_page() {
        let (keys, system) = (keys(), System::real());
        let longest = format!("https://wiki.test/?{}", "x".repeat(limits::RETURN_TO - 19));
        let handover =
            Handover { page: page(&longest), browser: BrowserHash::from_bytes([1; 32]), asked: system.now() };
        assert_eq!(handover.page.as_str(), longest);
        let sealed = handover.seal(&keys, &system);
        assert_eq!(Handover::open(&sealed, &keys), Some(handover));
        assert!(sealed.len() <= 1_500, "{}", sealed.len());
        assert_eq!(Handover::open("junk", &keys), None);
    }
}
