//! Sign-in to sign-out: sessions as the program uses them, over both stores.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tower_sessions::{
    Session, SessionStore,
    session::{Id, Record},
};
use tracing::instrument::WithSubscriber as _;
use vestibule::server::{
    attempt::{Next, Verdict},
    clock::{Clock, System},
    ids::{Issuer, ProviderId, SessionHash},
    session::{Delivery, Found, NewSession, SessionId, Sessions, TowerSessionStore},
    settings::SessionRules,
    store::NewClaim,
};

use super::fixtures::{ISSUER, claim_of, claimed, created, new_user, now, on_both, session_of, state};
use crate::support::bench::Bench;

on_both! {
    a_session_begins_once_and_ends,
    sign_out_wins_over_a_delivery_under_way,
    sign_out_wins_over_a_session_that_was_never_used,
    cookies_of_ended_sessions_are_ordinary,
    an_application_reads_who_is_signed_in,
}

fn sessions(bench: &Bench) -> Sessions {
    Sessions::new(Arc::clone(&bench.store), SessionRules::default(), System::real())
}

const ID: SessionId = SessionId::new([9; 16]);

/// The claim of the attempt that delivers that session.
fn claim() -> NewClaim {
    NewClaim { session: SessionHash::of(&[9; 16]), ..claim_of(1, 1) }
}

/// A user, and the session that the attempt is about to deliver to them.
async fn verified(bench: &Bench) -> NewSession {
    let user = created(&*bench.store, &new_user("s-1", "ada")).await;
    let claim = claim();
    claimed(&*bench.store, &claim).await;
    let verdict = Verdict::Verified { at: now(), delivery: b"sealed".to_vec() };
    assert!(bench.store.settle(claim.id, claim.owner, &verdict, &[]).await.unwrap());
    assert!(matches!(state(&*bench.store, claim.id).await.next(now()), Next::Deliver(_)));
    new_session(Delivery { user: user.id, facts: session_of(b"").facts, id_token: None })
}

fn new_session(delivery: Delivery) -> NewSession {
    let NewClaim { id: attempt, browser, provider, .. } = claim();
    NewSession {
        id: ID,
        browser,
        delivery,
        issuer: Issuer::new(ISSUER),
        provider,
        attempt,
        begun: now(),
        id_token: Some(b"sealed".to_vec()),
    }
}

async fn a_session_begins_once_and_ends(bench: &Bench) {
    let sessions = sessions(bench);
    let new = verified(bench).await;
    assert!(sessions.begin(new.clone(), None).await.unwrap());
    assert!(sessions.begin(new.clone(), None).await.unwrap(), "delivered again it is the same");
    let record = bench.store.session(ID.hash()).await.unwrap().unwrap();
    assert_eq!((record.user, record.facts), (new.delivery.user.clone(), new.delivery.facts.clone()));
    let Found::SignedIn(person) = sessions.find(ID).await.unwrap() else { panic!("not signed in") };
    assert_eq!((person.user.id, person.provider), (new.delivery.user.clone(), new.provider.clone()));
    // Its first use closes delivery.
    assert_eq!(bench.store.session(ID.hash()).await.unwrap().unwrap().delivered_by, None);
    assert_eq!(state(&*bench.store, new.attempt).await.next(now()), Next::Over);
    let ended = sessions.sign_out(Some(ID), None).await.unwrap().unwrap();
    assert_eq!((ended.id, ended.provider, ended.issuer.as_str()), (ID.hash(), ProviderId::new("authelia"), ISSUER));
    assert_eq!(ended.id_token.as_deref(), Some(&b"sealed"[..]));
    assert_eq!(bench.store.session(ID.hash()).await.unwrap().unwrap().id_token, None, "it is wiped");
    assert!(matches!(sessions.find(ID).await.unwrap(), Found::Ended));
    assert!(!sessions.begin(new, None).await.unwrap(), "it does not begin again");
}

/// The delivery has read that it may deliver; then the browser signs out; then the delivery begins the session.
async fn sign_out_wins_over_a_delivery_under_way(bench: &Bench) {
    let sessions = sessions(bench);
    let new = verified(bench).await;
    sessions.sign_out(None, Some(new.browser)).await.unwrap();
    assert!(!sessions.begin(new, None).await.unwrap(), "the session begins after the sign-out");
    assert!(matches!(sessions.find(ID).await.unwrap(), Found::Ended));
}

async fn sign_out_wins_over_a_session_that_was_never_used(bench: &Bench) {
    let sessions = sessions(bench);
    let new = verified(bench).await;
    assert!(sessions.begin(new.clone(), None).await.unwrap());
    sessions.sign_out(None, Some(new.browser)).await.unwrap();
    assert!(matches!(sessions.find(ID).await.unwrap(), Found::Ended));
    assert!(!sessions.begin(new, None).await.unwrap());
}

/// Browsers keep cookies longer than sessions live: nothing to warn of, and the cookie is to be removed.
async fn cookies_of_ended_sessions_are_ordinary(bench: &Bench) {
    let new = verified(bench).await;
    assert!(sessions(bench).begin(new, None).await.unwrap());
    let later = System { clock: Arc::new(Later), ..System::real() };
    let later = Sessions::new(Arc::clone(&bench.store), SessionRules::default(), later);
    let log = Log::default();
    async {
        assert!(matches!(later.find(SessionId::new([1; 16])).await.unwrap(), Found::Ended), "unknown");
        assert!(matches!(later.find(ID).await.unwrap(), Found::Ended), "unused for eight days");
        assert!(later.sign_out(Some(ID), None).await.unwrap().is_none());
    }
    .with_subscriber(log.subscriber())
    .await;
    assert_eq!(log.text(), "");
    // What the lookup by tower-sessions says of the same cookie, and that this test would have seen it.
    let store = Arc::new(TowerSessionStore::new(Arc::new(later)));
    let id: Id = ID.expose().parse().unwrap();
    let session = Session::new(Some(id), store, None);
    assert_eq!(session.get::<String>("user").with_subscriber(log.subscriber()).await.unwrap(), None);
    assert!(log.text().contains("possibly suspicious activity"), "{}", log.text());
}

/// Eight days from now.
struct Later;

impl Clock for Later {
    fn now(&self) -> time::OffsetDateTime {
        now() + Duration::from_secs(8 * 24 * 60 * 60)
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn subscriber(&self) -> impl tracing::Subscriber + use<> {
        let writer = self.clone();
        tracing_subscriber::fmt().with_writer(move || writer.clone()).finish()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Through `tower_sessions::Session`, which is what an axum handler gets from tower-sessions' own layer.
async fn an_application_reads_who_is_signed_in(bench: &Bench) {
    let new = verified(bench).await;
    let user = new.delivery.user.clone();
    let sessions = Arc::new(sessions(bench));
    assert!(sessions.begin(new, None).await.unwrap());
    let store = Arc::new(TowerSessionStore::new(Arc::clone(&sessions)));
    let id: Id = ID.expose().parse().unwrap();
    let session = Session::new(Some(id), store.clone(), None);
    let text = async |key: &str| session.get::<String>(key).await.unwrap();
    assert_eq!(text("user").await.as_deref(), Some(user.as_str()));
    assert_eq!(text("username").await.as_deref(), Some("ada"));
    assert_eq!(text("role").await.as_deref(), Some("user"));
    assert_eq!(text("provider").await.as_deref(), Some("authelia"));
    assert_eq!(text("sid").await, None);
    // Nothing else is stored in it, and no session begins but by a sign-in.
    session.insert("cart", 1).await.unwrap();
    assert!(session.save().await.is_err());
    let mut anonymous = Record { id, data: Default::default(), expiry_date: now() };
    assert!(store.create(&mut anonymous).await.is_err());
    session.flush().await.unwrap();
    assert!(matches!(sessions.find(ID).await.unwrap(), Found::Ended));
}
