use futures_util::FutureExt as _;
use time::macros::datetime;

use super::*;

const NOON: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

fn limit() -> Arc<RateLimit> {
    Arc::new(RateLimit::new(ProviderId::new("p"), NOON))
}

fn address(last: u8) -> Client {
    Client::Address(ClientAddress::of(std::net::IpAddr::from([192, 0, 2, last])))
}

fn seconds(n: u32) -> Duration {
    Duration::from_secs(n.into())
}

fn permit(limit: &Arc<RateLimit>, client: Client, now: OffsetDateTime) -> Option<Permit> {
    match limit.admit(client, now) {
        Admission::Admitted(permit) => Some(permit),
        Admission::Wait(_) | Admission::SlowedUntil(_) => None,
    }
}

/// Codes refused of a client who sends whenever it may, for so many seconds.
fn junk(limit: &Arc<RateLimit>, client: Client, from: OffsetDateTime, lasting: u32) -> u32 {
    let mut refused = 0;
    for second in 0..lasting {
        let now = from + seconds(second);
        while let Some(permit) = permit(limit, client, now) {
            permit.refused(now);
            refused += 1;
        }
    }
    refused
}

#[test]
fn a_client_has_so_many_places_for_pushed_requests_and_others_have_their_own() {
    let limit = limit();
    let place = |client| limit.place(client, NOON).now_or_never().flatten();
    let mut taken: Vec<_> = (0..limits::PUSHES_PER_CLIENT).map(|_| place(address(1)).unwrap()).collect();
    assert!(place(address(1)).is_none());
    assert!(place(address(2)).is_some());
    taken.pop();
    assert!(place(address(1)).is_some());
}

#[test]
fn a_client_who_fails_is_slowed_down_to_one_try_every_few_seconds_and_others_are_not() {
    let limit = limit();
    for _ in 0..limits::REFUSALS {
        permit(&limit, address(1), NOON).unwrap().refused(NOON);
    }
    assert_eq!(limit.slowed(address(1), NOON), Some(NOON + limits::REFUSAL_EVERY));
    assert!(permit(&limit, address(1), NOON).is_none());
    assert!(permit(&limit, address(2), NOON).is_some());
    let later = NOON + limits::REFUSAL_EVERY;
    let one = permit(&limit, address(1), later).unwrap();
    assert!(permit(&limit, address(1), later).is_none(), "one at a time");
    one.refused(later);
    assert_eq!(limit.slowed(address(1), later), Some(later + limits::REFUSAL_EVERY));
    let much_later = later + limits::REFUSAL_EVERY * limits::REFUSALS;
    assert_eq!(limit.slowed(address(1), much_later), None);
}

#[test]
fn those_who_wait_behind_an_address_that_failed_go_one_after_the_other_and_not_one_in_ten_seconds() {
    let limit = limit();
    junk(&limit, address(1), NOON, 1);
    let later = NOON + limits::REFUSAL_EVERY;
    let first = permit(&limit, address(1), later).unwrap();
    let soon = limit.slowed(address(1), later).unwrap();
    assert!(soon < later + limits::REFUSAL_EVERY, "the first is good, as far as anyone knows");
    first.accepted();
    permit(&limit, address(1), soon).unwrap().accepted();
    assert!(permit(&limit, address(1), soon).is_some());
}

#[test]
fn a_browser_that_has_signed_in_before_is_counted_on_its_own() {
    let limit = limit();
    junk(&limit, address(1), NOON, 1);
    let device = Client::Device(postcard::from_bytes(&[7; 16]).unwrap());
    assert!(permit(&limit, device, NOON).is_some());
    junk(&limit, device, NOON, 1);
    assert!(limit.slowed(device, NOON).is_some());
}

/// A client that has had so many codes accepted that its window is as large as it gets.
fn grown(limit: &Arc<RateLimit>, client: Client) -> Vec<Permit> {
    let most = usize::try_from(limits::IN_FLIGHT_MOST).unwrap();
    for _ in 0..most {
        permit(limit, client, NOON).unwrap().accepted();
    }
    let in_flight: Vec<_> = std::iter::from_fn(|| permit(limit, client, NOON)).collect();
    assert_eq!(in_flight.len(), most);
    in_flight
}

#[test]
fn a_client_whose_codes_are_accepted_may_have_more_in_flight_until_one_is_refused() {
    let limit = limit();
    let first: Vec<_> = std::iter::from_fn(|| permit(&limit, address(1), NOON)).collect();
    assert_eq!(first.len(), limits::REFUSALS as usize);
    drop(first);
    let mut in_flight = grown(&limit, address(1));
    in_flight.pop().unwrap().refused(NOON);
    assert!(!in_flight[0].stands(NOON), "what was not sent yet waits");
    in_flight.clear();
    let after: Vec<_> = std::iter::from_fn(|| permit(&limit, address(1), NOON)).collect();
    assert_eq!(after.len(), limits::REFUSALS as usize - 1);
    assert!(after.iter().all(|permit| permit.stands(NOON)));
    assert_eq!(limit.slowed(address(1), NOON), None, "the others wait for these, and are not turned away");
}

#[test]
fn not_even_a_client_who_was_good_so_far_makes_authelia_refuse_everybody_with_one_burst() {
    for (within, allowed) in [(60, 30), (2 * 60, 40), (10 * 60, 50), (60 * 60, 100)] {
        let limit = limit();
        let burst = grown(&limit, address(1));
        let mut refused = u32::try_from(burst.len()).unwrap();
        for permit in burst {
            permit.refused(NOON);
        }
        refused += junk(&limit, address(1), NOON, within);
        assert!(refused < allowed, "{refused} in {within} s");
    }
}

#[test]
fn a_clock_that_is_set_back_makes_nobody_wait_for_it() {
    let limit = limit();
    junk(&limit, address(1), NOON, 1);
    let earlier = NOON - time::Duration::HOUR;
    assert!(limit.slowed(address(1), earlier).unwrap() <= earlier + limits::REFUSAL_EVERY);
    assert_eq!(limit.slowed(address(1), earlier + limits::REFUSAL_EVERY), None);
}

#[test]
fn a_code_that_was_neither_accepted_nor_refused_counts_for_nothing() {
    let limit = limit();
    for _ in 0..100 {
        drop(permit(&limit, address(1), NOON).unwrap());
    }
    assert_eq!(limit.slowed(address(1), NOON), None);
}

#[test]
fn no_client_makes_authelia_refuse_everyone() {
    for (within, allowed) in [(60, 30), (2 * 60, 40), (10 * 60, 50), (60 * 60, 100)] {
        let refused = junk(&limit(), address(1), NOON, within);
        assert!(refused < allowed, "{refused} in {within} s");
    }
    // Nor two of them.
    let limit = limit();
    let refused: u32 = [1, 2].map(|last| junk(&limit, address(last), NOON, 120)).iter().sum();
    assert!(refused < 40, "{refused}");
}

#[test]
fn clients_without_failures_are_not_slowed_down_by_those_with_failures() {
    let limit = limit();
    for last in 0..20 {
        junk(&limit, address(last), NOON, 1);
    }
    assert!(limit.slowed(address(1), NOON + seconds(30)).is_some(), "together they have caused too many");
    assert!(permit(&limit, address(99), NOON + seconds(30)).is_some());
}

#[test]
fn failed_attempts_are_recorded_up_to_a_bound() {
    let limit = limit();
    let recorded = (0..200).filter(|_| limit.may_record(address(1), NOON)).count();
    assert_eq!(recorded, limits::RECORDS as usize);
    assert_eq!(limit.slowed(address(1), NOON), None, "which keeps nobody from signing in");
    assert!(limit.may_record(address(1), NOON + limits::RECORD_EVERY));
}

#[tokio::test]
async fn a_waiting_client_is_woken_when_a_code_is_settled() {
    let limit = limit();
    let mut in_flight: Vec<_> = std::iter::from_fn(|| permit(&limit, address(1), NOON)).collect();
    let Admission::Wait(settled) = limit.admit(address(1), NOON) else { panic!("no place is free") };
    let waiting = settled.wait();
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    in_flight.pop();
    waiting.await;
    assert!(permit(&limit, address(1), NOON).is_some());
}
