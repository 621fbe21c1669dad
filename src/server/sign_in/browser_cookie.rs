//! Which browser: one small sealed cookie that lives long. It holds the browser key that binds attempts to this
//! browser, and remembers how the last sign-ins ended, so that a loop is noticed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::return_to::ReturnTo;
use crate::server::{
    clock::{System, from_millis, to_millis},
    ids::BrowserHash,
    seal::{Keyring, Purpose},
};

/// How long the cookie lives; browsers allow no more.
pub const COOKIE_LIFE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Coming back sooner than this, without a click, is another turn in a row.
const SOON: Duration = Duration::from_secs(30);
/// Sign-ins for the same page through the provider in a row before the circle is explained: the second.
const MOST_SIGN_INS: u8 = 2;
/// What a sign-in counts for: about as many redirects as it takes.
const SIGN_IN_HOPS: u8 = 4;
/// What a start that finds the person signed in counts for.
const BOUNCE_HOPS: u8 = 2;
/// With more hops than these such a start is answered by a page: a browser follows 20 redirects in a row and then shows
/// one of its own, and the application and the provider take some, too.
const MOST_REDIRECTS: u8 = 10;
/// With more, it goes in circles, whatever the pages: an application may put something new into their addresses each
/// time. Each of many tabs restored together makes a start.
const MOST_HOPS: u8 = 80;

/// 256 random bits that one browser holds and nobody else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrowserKey([u8; 32]);

impl BrowserKey {
    /// A new one.
    #[must_use]
    pub fn mint(system: &System) -> Self {
        Self(system.bytes())
    }

    /// What may be stored of it.
    #[must_use]
    pub fn hash(&self) -> BrowserHash {
        BrowserHash::of(&self.0)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for BrowserKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrowserKey(…)")
    }
}

/// What the flow cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browser {
    /// Binds attempts to this browser. Never minted anew while a valid one is presented, except at sign-out.
    pub key: BrowserKey,
    /// When somebody last signed out here: what was begun before is not begun anew by itself.
    signed_out: Option<OffsetDateTime>,
    circle: Option<Circle>,
}

/// How the last sign-ins and starts of a signed-in person ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Circle {
    ended: OffsetDateTime,
    return_to: [u8; 8],
    /// Sign-ins for that page in a row without a click.
    sign_ins: u8,
    /// Turns in a row without a click, whatever the page, in hops.
    hops: u8,
}

/// How a start that finds the person signed in leads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// By a redirect.
    Redirect,
    /// By a page that goes on by itself, which begins the browser's count of redirects anew.
    Page,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    key: BrowserKey,
    signed_out: Option<i64>,
    circle: Option<(i64, [u8; 8], u8, u8)>,
}

impl Browser {
    /// A browser that has shown no key of ours.
    #[must_use]
    pub fn new(system: &System) -> Self {
        Self { key: BrowserKey::mint(system), signed_out: None, circle: None }
    }

    /// A browser in which somebody has just signed out: a new key, so that nothing begun before can be finished.
    #[must_use]
    pub fn signed_out(system: &System) -> Self {
        Self { signed_out: Some(system.now()), ..Self::new(system) }
    }

    /// Whether an attempt that began at `started` may be begun anew by itself: not if somebody has signed out since,
    /// or Back would sign them in again wherever the provider still knows them.
    #[must_use]
    pub fn may_restart(&self, started: OffsetDateTime) -> bool {
        self.signed_out.is_none_or(|signed_out| started > signed_out)
    }

    /// Opens the cookie's value. `None` unless it is ours.
    #[must_use]
    pub fn open(cookie: &str, keys: &Keyring) -> Option<Self> {
        let wire: Wire = keys.open(Purpose::Flow, &[], cookie)?.value;
        let circle = wire.circle.and_then(|(ended, return_to, sign_ins, hops)| {
            Some(Circle { ended: from_millis(ended)?, return_to, sign_ins, hops })
        });
        let signed_out = wire.signed_out.and_then(from_millis);
        Some(Self { key: wire.key, signed_out, circle })
    }

    /// The cookie's value.
    #[must_use]
    pub fn seal(&self, keys: &Keyring, system: &System) -> String {
        let circle = self.circle.map(|c| (to_millis(c.ended), c.return_to, c.sign_ins, c.hops));
        keys.seal(
            Purpose::Flow,
            &[],
            &Wire { key: self.key.clone(), signed_out: self.signed_out.map(to_millis), circle },
            system,
        )
    }

    /// A person clicked one of our buttons: whatever happened before is no circle.
    pub const fn clicked(&mut self) {
        self.circle = None;
    }

    /// A sign-in that began at `started` has ended at its page.
    pub fn ended(&mut self, return_to: &ReturnTo, started: OffsetDateTime, now: OffsetDateTime) {
        let page = return_to.fingerprint();
        let last = self.circle.filter(|last| started <= last.ended + SOON);
        let same_page = last.filter(|last| last.return_to == page);
        // One begun before the last one ended is a parallel tab, not another turn.
        let parallel = |last: Circle| started <= last.ended;
        let sign_ins = same_page.map_or(1, |last| last.sign_ins.saturating_add(u8::from(!parallel(last))));
        let hops =
            last.map_or(
                SIGN_IN_HOPS,
                |last| {
                    if parallel(last) { last.hops } else { last.hops.saturating_add(SIGN_IN_HOPS) }
                },
            );
        self.circle = Some(Circle { ended: now, return_to: page, sign_ins, hops });
    }

    /// A start found the person signed in and sends them straight on. `None`: they go in circles.
    pub fn bounce(&mut self, return_to: &ReturnTo, now: OffsetDateTime) -> Option<Onward> {
        let page = return_to.fingerprint();
        let last = self.circle.filter(|last| now <= last.ended + SOON);
        let sign_ins = last.filter(|last| last.return_to == page).map_or(0, |last| last.sign_ins);
        let hops = last.map_or(0, |last| last.hops).saturating_add(BOUNCE_HOPS);
        self.circle = Some(Circle { ended: now, return_to: page, sign_ins, hops });
        let onward = if hops <= MOST_REDIRECTS { Onward::Redirect } else { Onward::Page };
        (hops <= MOST_HOPS).then_some(onward)
    }

    /// Whether one may go to the provider for `return_to`, or has just done so too often without a click.
    #[must_use]
    pub fn may_start(&self, return_to: &ReturnTo, now: OffsetDateTime) -> bool {
        let last = self.circle.filter(|last| now <= last.ended + SOON);
        last.is_none_or(|last| {
            let sign_ins = if last.return_to == return_to.fingerprint() { last.sign_ins } else { 0 };
            sign_ins < MOST_SIGN_INS && last.hops < MOST_HOPS
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::settings::{PublicUrl, SecretKey};
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

    fn page(path: &str) -> ReturnTo {
        ReturnTo::judge(Some(path), &PublicUrl::parse("https://rp.test").unwrap())
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn survives_the_cookie_and_stays_small() {
        let system = System::real();
        let keys =
            Keyring::new(&SecretKey::new(Box::new(vec![1; 32])), &[], &PublicUrl::parse("https://rp.test").unwrap());
        let mut browser = Browser::new(&system);
        browser.ended(&page("/a"), NOON, NOON);
        let cookie = browser.seal(&keys, &system);
        assert_eq!(Browser::open(&cookie, &keys), Some(browser));
        assert!(cookie.len() <= 140, "{}", cookie.len());
        assert_eq!(Browser::open("junk", &keys), None);
    }

    #[test]
    fn the_second_sign_in_in_a_row_is_a_circle() {
        let mut browser = Browser::new(&System::real());
        assert!(browser.may_start(&page("/a"), NOON));
        browser.ended(&page("/a"), NOON, NOON + seconds(2));
        assert!(browser.may_start(&page("/a"), NOON + seconds(3)));
        browser.ended(&page("/a"), NOON + seconds(3), NOON + seconds(4));
        assert!(!browser.may_start(&page("/a"), NOON + seconds(5)));
        assert!(browser.may_start(&page("/b"), NOON + seconds(5)), "another page");
        assert!(browser.may_start(&page("/a"), NOON + seconds(60)), "later");
        browser.clicked();
        assert!(browser.may_start(&page("/a"), NOON + seconds(5)), "after a click");
    }

    #[test]
    fn tabs_side_by_side_are_no_circle() {
        let mut browser = Browser::new(&System::real());
        for tab in 0..20 {
            browser.ended(&page("/a"), NOON, NOON + seconds(tab));
        }
        assert!(browser.may_start(&page("/a"), NOON + seconds(20)));
    }

    #[test]
    fn an_application_that_sends_a_signed_in_person_back_is_a_circle() {
        let mut browser = Browser::new(&System::real());
        let mut bounces = (0..50).map(|n| browser.bounce(&page("/a"), NOON + seconds(n)));
        assert!(bounces.by_ref().take(5).all(|bounce| bounce == Some(Onward::Redirect)));
        assert!(bounces.by_ref().take(35).all(|bounce| bounce == Some(Onward::Page)));
        assert!(bounces.all(|bounce| bounce.is_none()));
    }

    #[test]
    fn a_circle_whose_page_changes_each_time_is_one() {
        let mut browser = Browser::new(&System::real());
        let mut bounces = (0..50).map(|n| browser.bounce(&page(&format!("/a?n={n}")), NOON + seconds(n)));
        assert!(bounces.by_ref().take(5).all(|bounce| bounce == Some(Onward::Redirect)));
        assert!(bounces.by_ref().take(35).all(|bounce| bounce == Some(Onward::Page)));
        assert!(bounces.all(|bounce| bounce.is_none()));

        let mut browser = Browser::new(&System::real());
        let sign_ins = (0..50).take_while(|n| {
            let (page, start) = (page(&format!("/a?n={n}")), NOON + seconds(*n * 5));
            let may = browser.may_start(&page, start);
            browser.ended(&page, start, start + seconds(2));
            may
        });
        assert_eq!(sign_ins.count(), 20);
    }

    #[test]
    fn redirects_of_a_sign_in_count_with_those_after_it() {
        let mut browser = Browser::new(&System::real());
        browser.ended(&page("/a"), NOON, NOON);
        let bounces = (1..9).map(|n| browser.bounce(&page("/a"), NOON + seconds(n)));
        assert_eq!(bounces.take_while(|bounce| *bounce == Some(Onward::Redirect)).count(), 3);
    }

    #[test]
    fn whoever_comes_now_and_then_is_sent_straight_on() {
        let mut browser = Browser::new(&System::real());
        let mut bounces = (0..50).map(|n| browser.bounce(&page("/a"), NOON + seconds(n * 31)));
        assert!(bounces.all(|bounce| bounce == Some(Onward::Redirect)));
    }
}
