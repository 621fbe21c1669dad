/// A store that says what has changed.
mod followed;
/// A store that is away, or fails.
mod outage;
/// The store.
pub(in crate::server::session) mod store;

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use tokio::time::advance;

use self::store::{Fake, Mood, Paused, browser, hash};
use super::*;
use crate::server::{clock::System, session::SessionId, settings::SessionRules, telemetry::captured::Log};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// The sessions of a store, with their questions asked.
struct Scene {
    store: Arc<Fake>,
    sessions: Arc<Sessions>,
    known: Arc<KnownSessions>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Arc::default())
    }

    fn with(store: Arc<Fake>) -> Self {
        let system = System { clock: Arc::new(Paused::from_now_on()), ..System::real() };
        let sessions = Arc::new(Sessions::new(store.clone(), SessionRules::default(), system));
        let known = Arc::new(KnownSessions::new(Arc::clone(&sessions)));
        let running = Arc::clone(&known);
        tokio::spawn(async move { running.run().await });
        Self { store, sessions, known }
    }

    /// With the first session known, from now on.
    async fn with_one() -> Self {
        let scene = Self::new();
        scene.store.sign_in(hash(1), 1);
        scene.is_signed_in(1).await;
        scene
    }

    async fn is_signed_in(&self, number: u8) {
        let known = self.known.find(hash(number)).await;
        assert!(matches!(known, Known::SignedIn(_)), "{known:?}");
    }

    async fn is_unknown(&self, number: u8) {
        let known = self.known.find(hash(number)).await;
        assert!(matches!(known, Known::Unknown(_)), "{known:?}");
    }

    async fn is_nobody(&self, number: u8) {
        let known = self.known.find(hash(number)).await;
        assert!(matches!(known, Known::Nobody), "{known:?}");
    }

    fn reads(&self, mood: Mood) {
        *self.store.reads.lock().unwrap() = mood;
    }

    fn writes(&self, mood: Mood) {
        *self.store.writes.lock().unwrap() = mood;
    }
}

#[tokio::test(start_paused = true)]
async fn any_number_of_questions_for_one_session_are_one_to_the_store() {
    let scene = Scene::new();
    scene.store.sign_in(hash(1), 1);
    scene.reads(Mood::Slow(SECOND / 2));
    let found = join_all((0..1_000).map(|_| scene.known.find(hash(1)))).await;
    assert!(found.iter().all(|known| matches!(known, Known::SignedIn(_))));
    assert_eq!(*scene.store.questions.lock().unwrap(), [1]);
    // What nobody is signed in by is asked once, too, at a time.
    let found = join_all((0..1_000).map(|_| scene.known.find(hash(2)))).await;
    assert!(found.iter().all(|known| matches!(known, Known::Nobody)));
    assert_eq!(*scene.store.questions.lock().unwrap(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn many_sessions_are_asked_for_at_once() {
    let scene = Scene::new();
    let ids: Vec<_> = (0..1_200_u16).map(|n| SessionHash::of(&n.to_be_bytes())).collect();
    ids.iter().for_each(|id| scene.store.sign_in(*id, 1));
    let found = join_all(ids.iter().map(|id| scene.known.find(*id))).await;
    assert!(found.iter().all(|known| matches!(known, Known::SignedIn(_))));
    let questions = scene.store.questions.lock().unwrap();
    assert_eq!(questions.iter().sum::<usize>(), 1_200);
    assert_eq!((questions.len(), questions.iter().max()), (3, Some(&limits::SESSIONS_ASKED_AT_ONCE)));
}

/// After a restart all come at once, and stay in use.
#[tokio::test(start_paused = true)]
async fn sessions_that_came_together_are_asked_for_apart() {
    const SESSIONS: usize = 400;
    let scene = Scene::new();
    let ids: Vec<_> = (0..SESSIONS as u16).map(|n| SessionHash::of(&n.to_be_bytes())).collect();
    ids.iter().for_each(|id| scene.store.sign_in(*id, 1));
    join_all(ids.iter().map(|id| scene.known.find(*id))).await;
    scene.store.questions.lock().unwrap().clear();
    for _ in 0..45 {
        advance(SECOND / 10).await;
        for id in &ids {
            assert!(scene.known.find(*id).now_or_never().is_some(), "nobody waits");
        }
        advance(limits::SESSIONS_GATHERED).await;
        tokio::task::yield_now().await;
    }
    let questions = scene.store.questions.lock().unwrap();
    let most = questions.iter().max().copied().unwrap_or_default();
    assert!(questions.iter().sum::<usize>() >= SESSIONS && most <= SESSIONS / 5, "{questions:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_in_use_is_asked_for_ahead_of_time_and_nobody_waits() {
    let scene = Scene::with_one().await;
    let ahead = limits::SESSION_ASKED_AHEAD;
    advance(ahead.start - SECOND / 10).await;
    scene.is_signed_in(1).await;
    assert_eq!(scene.store.asked(), 1, "it is fresh");
    advance(ahead.end - ahead.start + SECOND / 10).await;
    scene.reads(Mood::Slow(SECOND / 2));
    for _ in 0..100 {
        let at_once = scene.known.find(hash(1)).now_or_never();
        assert!(matches!(at_once, Some(Known::SignedIn(_))));
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.store.asked(), 1, "more may come");
    advance(limits::SESSIONS_GATHERED).await;
    tokio::task::yield_now().await;
    assert_eq!(scene.store.asked(), 2, "by one of them");
    advance(SECOND).await;
    tokio::task::yield_now().await;
    // Long after the first answer would be too old; nobody has waited yet.
    advance(limits::SESSION_KNOWN_FRESH - SECOND * 2).await;
    let at_once = scene.known.find(hash(1)).now_or_never();
    assert!(matches!(at_once, Some(Known::SignedIn(_))));
}

/// Sign-out, elsewhere: with a store that is slow, too.
#[tokio::test(start_paused = true)]
async fn what_the_store_said_holds_for_five_seconds_from_the_question_on() {
    for late in [Duration::ZERO, SECOND / 2] {
        let scene = Scene::new();
        scene.store.sign_in(hash(1), 1);
        scene.reads(Mood::Slow(late));
        let asked = Instant::now();
        scene.is_signed_in(1).await;
        scene.store.sign_out(hash(1));
        scene.reads(Mood::Well);
        advance((asked + limits::SESSION_KNOWN_FRESH).saturating_duration_since(Instant::now())).await;
        scene.is_nobody(1).await;
    }
}

/// One whose first use cannot be written, and one of a disabled account whose end cannot.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_of_one_session_keeps_nobody_else_waiting() {
    for mood in [Mood::Fails, Mood::Slow(HOUR)] {
        let scene = Scene::with_one().await;
        scene.store.sign_in(hash(2), 2);
        scene.store.deliver(hash(3), 3);
        scene.store.sign_in(hash(4), 4);
        scene.store.disable(4);
        scene.writes(mood);
        advance(limits::SESSION_KNOWN_FRESH).await;
        let began = Instant::now();
        let [one, two, first_use, disabled] = [1, 2, 3, 4].map(|number| scene.known.find(hash(number)));
        let others = async {
            let known = tokio::join!(one, two);
            assert!(matches!(known, (Known::SignedIn(_), Known::SignedIn(_))), "{known:?}");
            assert_eq!(began.elapsed(), Duration::ZERO);
        };
        let ((), first_use, disabled) = tokio::join!(others, first_use, disabled);
        assert!(matches!(first_use, Known::Unknown(_)), "{first_use:?}");
        assert!(matches!(disabled, Known::Nobody), "the store has said so: {disabled:?}");
        scene.writes(Mood::Well);
        scene.is_signed_in(3).await;
        scene.is_nobody(4).await;
    }
}

/// The answer of a question from before a sign-out comes after it.
#[tokio::test(start_paused = true)]
async fn a_sign_out_in_this_process_holds_for_every_question_after_it() {
    let ends = [(Some(SessionId::new([1; 16])), None), (None, Some(browser(1)))];
    for (end, is_known) in ends.into_iter().flat_map(|end| [(end, false), (end, true)]) {
        let scene = Scene::new();
        scene.store.sign_in(hash(1), 1);
        if is_known {
            scene.is_signed_in(1).await;
            advance(limits::SESSION_KNOWN_FRESH).await;
        }
        scene.reads(Mood::Slow(SECOND / 4));
        let known = Arc::clone(&scene.known);
        let in_flight = tokio::spawn(async move { known.find(hash(1)).await });
        while scene.store.asked() < 1 + usize::from(is_known) {
            tokio::task::yield_now().await;
        }
        let (session, browser) = end;
        scene.sessions.sign_out(session, browser).await.unwrap();
        scene.is_nobody(1).await;
        // It began before; whatever it is told, nothing of it stays.
        in_flight.await.unwrap();
        scene.is_nobody(1).await;
    }
}

/// Another process has done it, and its answer was lost.
#[tokio::test(start_paused = true)]
async fn a_sign_out_of_what_has_ended_is_one_here_too() {
    let scene = Scene::with_one().await;
    scene.store.sign_out(hash(1));
    scene.is_signed_in(1).await;
    assert!(scene.sessions.sign_out(Some(SessionId::new([1; 16])), Some(browser(1))).await.unwrap().is_none());
    scene.is_nobody(1).await;
}

/// Visits are noted, beside the answers.
#[tokio::test(start_paused = true)]
async fn visits_are_noted_and_nobody_waits_for_it() {
    let scene = Scene::with_one().await;
    assert_eq!(scene.store.touched.load(Ordering::Relaxed), 0, "it has just been seen");
    scene.store.seen_long_ago(hash(1));
    scene.writes(Mood::Slow(HOUR));
    advance(limits::SESSION_KNOWN_FRESH).await;
    let began = Instant::now();
    scene.is_signed_in(1).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    tokio::task::yield_now().await;
    assert_eq!(scene.store.touched.load(Ordering::Relaxed), 1);
    // What comes while that is being written is written afterwards.
    scene.store.sign_in(hash(2), 2);
    scene.store.seen_long_ago(hash(2));
    scene.is_signed_in(2).await;
    tokio::task::yield_now().await;
    assert_eq!(scene.store.touched.load(Ordering::Relaxed), 1);
    scene.writes(Mood::Well);
    tokio::time::sleep(HOUR + SECOND).await;
    assert_eq!(scene.store.touched.load(Ordering::Relaxed), 2);
}

/// A visit that is written late, after a weekend with a full disk, was no later for that.
#[tokio::test(start_paused = true)]
async fn a_visit_that_is_written_late_is_noted_as_of_when_it_was() {
    let scene = Scene::with_one().await;
    scene.writes(Mood::Fails);
    scene.store.seen_long_ago(hash(1));
    advance(limits::SESSION_KNOWN_FRESH).await;
    let visited = scene.sessions.now();
    scene.is_signed_in(1).await;
    tokio::task::yield_now().await;
    tokio::time::sleep(HOUR).await;
    scene.writes(Mood::Well);
    scene.store.sign_in(hash(2), 2);
    scene.store.seen_long_ago(hash(2));
    scene.is_signed_in(2).await;
    tokio::task::yield_now().await;
    let (first, second) = (visited, scene.sessions.now());
    assert_eq!(*scene.store.touched_at.lock().unwrap(), [first, first, second], "each by itself");
}
