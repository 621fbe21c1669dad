//! Redirect loops: an application that sends people to sign in again and again, though they have just signed in. How
//! often in a row, and for which page, is remembered in the flow cookie.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::return_to::ReturnTo;
use crate::server::{
    clock::{from_millis, to_millis},
    limits,
};

/// The last turns without a click on a button of ours; none where a person has just clicked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns(Option<Last>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    ended: OffsetDateTime,
    page: [u8; 8],
    /// Sign-ins through the provider for that page, in a row.
    sign_ins: u8,
    /// Sign-ins and starts of a signed-in person, in a row, whatever the page.
    turns: u8,
}

/// How the browser is sent on when a start finds the person signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// By a redirect.
    Redirect,
    /// By a page that continues automatically, which resets the browser's redirect count.
    Page,
}

impl Turns {
    /// A sign-in that began at `started` has ended at its page.
    pub fn signed_in(&mut self, page: &ReturnTo, started: OffsetDateTime, now: OffsetDateTime) {
        let page = page.fingerprint();
        let last = self.0.filter(|last| started <= last.ended + limits::TURN_WITHIN);
        // One begun before the last one ended is a parallel tab, not another turn.
        let another = |last: Last| u8::from(started > last.ended);
        let same_page = last.filter(|last| last.page == page);
        let sign_ins = same_page.map_or(1, |last| last.sign_ins.saturating_add(another(last)));
        let turns = last.map_or(1, |last| last.turns.saturating_add(another(last)));
        self.0 = Some(Last { ended: now, page, sign_ins, turns });
    }

    /// A start found the person signed in and sends them on. `None`: it is a loop.
    pub fn sent_on(&mut self, page: &ReturnTo, now: OffsetDateTime) -> Option<Onward> {
        let page = page.fingerprint();
        let last = self.recent(now);
        let sign_ins = last.filter(|last| last.page == page).map_or(0, |last| last.sign_ins);
        let turns = last.map_or(0, |last| last.turns).saturating_add(1);
        self.0 = Some(Last { ended: now, page, sign_ins, turns });
        let onward = if turns <= limits::REDIRECTS_IN_A_ROW { Onward::Redirect } else { Onward::Page };
        (turns <= limits::TURNS_IN_A_ROW).then_some(onward)
    }

    /// How many turns there have been in a row.
    #[must_use]
    pub fn in_a_row(&self) -> u8 {
        self.0.map_or(0, |last| last.turns)
    }

    /// Whether going to the provider for `page` would be one turn too many.
    #[must_use]
    pub fn is_loop(&self, page: &ReturnTo, now: OffsetDateTime) -> bool {
        self.recent(now).is_some_and(|last| {
            let same_page = last.page == page.fingerprint();
            same_page && last.sign_ins >= limits::SIGN_INS_IN_A_ROW || last.turns >= limits::TURNS_IN_A_ROW
        })
    }

    fn recent(&self, now: OffsetDateTime) -> Option<Last> {
        self.0.filter(|last| now <= last.ended + limits::TURN_WITHIN)
    }
}

/// As the flow cookie carries it: milliseconds, page, sign-ins, turns.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Wire(Option<(i64, [u8; 8], u8, u8)>);

impl From<Turns> for Wire {
    fn from(turns: Turns) -> Self {
        Self(turns.0.map(|last| (to_millis(last.ended), last.page, last.sign_ins, last.turns)))
    }
}

impl From<Wire> for Turns {
    fn from(wire: Wire) -> Self {
        Self(wire.0.and_then(|(ended, page, sign_ins, turns)| {
            Some(Last { ended: from_millis(ended)?, page, sign_ins, turns })
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;
    use crate::server::{application::Applications, settings::PublicUrl};

    const NOON: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

    fn page(path: &str) -> ReturnTo {
        ReturnTo::sanitize(Some(path), &PublicUrl::parse("https://rp.test").unwrap(), &Applications::default()).0
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_second_sign_in_in_a_row_is_the_last() {
        let mut turns = Turns::default();
        assert!(!turns.is_loop(&page("/a"), NOON));
        turns.signed_in(&page("/a"), NOON, NOON + seconds(2));
        assert!(!turns.is_loop(&page("/a"), NOON + seconds(3)));
        turns.signed_in(&page("/a"), NOON + seconds(3), NOON + seconds(4));
        assert!(turns.is_loop(&page("/a"), NOON + seconds(5)));
        assert!(!turns.is_loop(&page("/b"), NOON + seconds(5)), "another page");
        assert!(!turns.is_loop(&page("/a"), NOON + seconds(60)), "later");
    }

    #[test]
    fn tabs_side_by_side_are_no_loop() {
        let mut turns = Turns::default();
        for tab in 0..20 {
            turns.signed_in(&page("/a"), NOON, NOON + seconds(tab));
        }
        assert!(!turns.is_loop(&page("/a"), NOON + seconds(20)));
    }

    #[test]
    fn an_application_that_sends_a_signed_in_person_back_is_a_loop_whatever_the_page() {
        for path in [|_| "/a".to_owned(), |n| format!("/a?n={n}")] {
            let mut turns = Turns::default();
            let mut starts = (0..50).map(|n| turns.sent_on(&page(&path(n)), NOON + seconds(n)));
            assert!(starts.by_ref().take(5).all(|start| start == Some(Onward::Redirect)));
            assert!(starts.by_ref().take(35).all(|start| start == Some(Onward::Page)));
            assert!(starts.all(|start| start.is_none()));
        }
    }

    #[test]
    fn sign_ins_for_another_page_each_time_are_a_loop() {
        let mut turns = Turns::default();
        let sign_ins = (0..50).take_while(|n| {
            let (page, start) = (page(&format!("/a?n={n}")), NOON + seconds(*n * 5));
            let may = !turns.is_loop(&page, start);
            turns.signed_in(&page, start, start + seconds(2));
            may
        });
        assert_eq!(sign_ins.count(), usize::from(limits::TURNS_IN_A_ROW));
    }

    #[test]
    fn a_sign_in_and_the_starts_after_it_count_together() {
        let mut turns = Turns::default();
        turns.signed_in(&page("/a"), NOON, NOON);
        let starts = (1..9).map(|n| turns.sent_on(&page("/a"), NOON + seconds(n)));
        assert_eq!(starts.take_while(|start| *start == Some(Onward::Redirect)).count(), 4);
    }

    #[test]
    fn someone_who_comes_now_and_then_is_redirected_at_once() {
        let mut turns = Turns::default();
        let mut starts = (0..50).map(|n| turns.sent_on(&page("/a"), NOON + seconds(n * 31)));
        assert!(starts.all(|start| start == Some(Onward::Redirect)));
    }
}
