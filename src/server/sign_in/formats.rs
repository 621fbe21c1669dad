//! What processes of 0.1.0 (November 2026, up to dec42a7) write and read, copied from there: during a rolling update they
//! open our sealed values and we open theirs (docs/decisions/formats.md).

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::macros::datetime;

use super::{
    authorization_response::{AuthorizationResponse, Received},
    browser_cookie::Browser,
    return_to::ReturnTo,
    start::Prompt,
    state::State,
};
use crate::server::{
    application::Applications,
    clock::{System, to_millis},
    ids::{AttemptId, BrowserHash, ProviderId, UserId},
    provider::RawIdToken,
    seal::Sealed,
    session::Delivery,
    settings::{PublicUrl, ResponseMode},
    store::SessionFacts,
};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct OldState {
    attempt: [u8; 16],
    provider: String,
    fingerprint: [u8; 16],
    return_to: String,
    started_ms: i64,
    browser: [u8; 32],
    login_page_expired: bool,
    other_account: bool,
    restarts: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct OldBrowser {
    key: [u8; 32],
    signed_out: Option<i64>,
    circle: Option<(i64, [u8; 8], u8, u8)>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum OldAnswer {
    Code { code: String, iss: Option<String> },
    Error { error: String, iss: Option<String> },
    Malformed,
}

/// As an old process opens it: it takes the fields it knows, from the first byte on.
fn opened_by_old<T: DeserializeOwned>(value: &impl Sealed) -> T {
    let payload = value.write();
    postcard::from_bytes(payload.as_unmarked().expect("an old process cannot open a marked payload")).unwrap()
}

/// As we open what an old process has sealed.
fn opened_by_us<T: Sealed>(old: &impl Serialize) -> T {
    T::read(0, &postcard::to_allocvec(old).unwrap()).unwrap()
}

#[test]
fn states_go_both_ways() {
    let started = datetime!(2026-11-26 12:00 UTC);
    let state = State {
        attempt: AttemptId::new([1; 16]),
        provider: ProviderId::new("op"),
        fingerprint: [2; 16],
        return_to: ReturnTo::sanitize(
            Some("/a?b=c"),
            &PublicUrl::parse("https://rp.test").unwrap(),
            &Applications::default(),
        )
        .0,
        started,
        browser: BrowserHash::from_bytes([3; 32]),
        prompt: Prompt::AnotherAccount,
        login_page_expired: true,
        restarts: 4,
    };
    let old = OldState {
        attempt: [1; 16],
        provider: "op".into(),
        fingerprint: [2; 16],
        return_to: "/a?b=c".into(),
        started_ms: to_millis(started),
        browser: [3; 32],
        login_page_expired: true,
        other_account: true,
        restarts: 4,
    };
    assert_eq!(opened_by_old::<OldState>(&state), old);
    assert_eq!(format!("{:?}", opened_by_us::<State>(&old)), format!("{state:?}"));
    for prompt in [Prompt::Usual, Prompt::Silent] {
        let state = State { prompt, ..state.clone() };
        assert!(!opened_by_old::<OldState>(&state).other_account);
        assert_eq!(State::read(0, state.write().as_unmarked().unwrap()).unwrap().prompt, prompt);
    }
}

#[test]
fn flow_cookies_go_both_ways() {
    let system = System::real();
    let page = ReturnTo::default();
    let mut browser = Browser::signed_out(None, &system);
    browser.signed_in(&page, system.now(), postcard::from_bytes(&[7; 16]).unwrap(), &system);
    assert!(browser.device.is_some());
    let old: OldBrowser = opened_by_old(&browser);
    assert_eq!(&old.key, browser.key.as_bytes());
    assert!(old.signed_out.is_some() && old.circle.is_some_and(|(_, at, ..)| at == page.fingerprint()));
    // The old process does not know the device, nor that the next sign-in asks; all else comes back.
    let back: Browser = opened_by_us(&old);
    browser.device = None;
    assert_eq!(back, browser);
    let asks = Browser::signed_out(None, &system);
    assert!(asks.asks && !opened_by_us::<Browser>(&opened_by_old::<OldBrowser>(&asks)).asks);
}

#[test]
fn responses_go_both_ways() {
    let came = datetime!(2026-11-26 12:00 UTC);
    let iss = || Some("https://op.test".to_owned());
    let received = |response| Received { response, came, mode: ResponseMode::Query };
    for (new, old, back) in [
        (
            AuthorizationResponse::Code { code: "c".into(), iss: iss() },
            OldAnswer::Code { code: "c".into(), iss: iss() },
            AuthorizationResponse::Code { code: "c".into(), iss: iss() },
        ),
        (
            AuthorizationResponse::Error { error: "e".into(), description: Some("why".into()), iss: None },
            OldAnswer::Error { error: "e".into(), iss: None },
            AuthorizationResponse::Error { error: "e".into(), description: None, iss: None },
        ),
        (AuthorizationResponse::Malformed, OldAnswer::Malformed, AuthorizationResponse::Malformed),
    ] {
        let old = (old, to_millis(came));
        assert_eq!(opened_by_old::<(OldAnswer, i64)>(&received(new.clone())), old);
        assert_eq!(opened_by_us::<Received>(&old), received(back));
        let payload = received(new.clone()).write();
        assert_eq!(Received::read(0, payload.as_unmarked().unwrap()), Some(received(new.clone())));
        let posted = Received { mode: ResponseMode::FormPost, ..received(new) };
        assert_eq!(opened_by_old::<(OldAnswer, i64)>(&posted), old);
        assert_eq!(Received::read(0, posted.write().as_unmarked().unwrap()), Some(posted));
    }
}

#[test]
fn deliveries_go_both_ways() {
    let user = UserId::new("0123456789abcdef01234567");
    let delivery = opened_by_us::<Delivery>(&user);
    assert_eq!(delivery.user, user);
    assert_eq!(opened_by_old::<UserId>(&delivery), user);
}

#[test]
fn a_delivery_with_a_fact_more_or_less_keeps_the_others() {
    let facts = SessionFacts {
        sid: Some("sid".into()),
        groups: vec!["staff".into()],
        amr: vec!["pwd".into()],
        ..SessionFacts::default()
    };
    let id_token = Some(RawIdToken::new("e30.e30.signature".into()));
    let delivery = Delivery { user: UserId::new("u"), facts: facts.clone(), id_token };
    let payload = delivery.write();
    let bytes = payload.as_unmarked().unwrap();
    let with_all = [Delivery::read(0, bytes), Delivery::read(0, &[bytes, &[1, b'x']].concat())];
    for read in with_all.map(Option::unwrap) {
        assert_eq!(read.facts, facts);
        assert_eq!(read.id_token.as_ref().map(RawIdToken::expose), Some("e30.e30.signature"));
    }
    // Without the ID token (17 letters, their number, and that it is there), and without what comes before: when it was
    // issued (it says nothing) and `amr`, a list of one text of three.
    let without_id_token = &bytes[..bytes.len() - 19];
    let read = Delivery::read(0, without_id_token).unwrap();
    assert!(read.facts == facts && read.id_token.is_none());
    let shorter = Delivery::read(0, &without_id_token[..without_id_token.len() - 6]).unwrap().facts;
    assert_eq!(shorter, SessionFacts { amr: Vec::new(), ..facts });
}
