//! A store that says what has changed.

use super::*;
use crate::server::{ids::UserId, store::Changed};

impl Scene {
    /// With the first session known, and the store followed since before.
    async fn followed() -> Self {
        let store = Arc::new(Fake::default());
        store.can_be_followed();
        let scene = Self::with(store);
        tokio::task::yield_now().await;
        assert_eq!(scene.store.was_followed(), 1);
        scene.store.sign_in(hash(1), 1);
        scene.is_signed_in(1).await;
        scene.reads_changes().await;
        scene
    }

    async fn reads_changes(&self) {
        advance(limits::CHANGES_READ_EVERY).await;
        tokio::task::yield_now().await;
    }

    /// Nobody waits, for so long.
    async fn goes_on(&self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            let known = self.known.find(hash(1)).now_or_never();
            assert!(matches!(known, Some(Known::SignedIn(_))), "{known:?} after {:?}", began.elapsed());
            self.reads_changes().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_asked_again_only_to_note_the_visit() {
    let scene = Scene::followed().await;
    scene.goes_on(limits::SESSION_TOUCH_EVERY - SECOND).await;
    assert_eq!(scene.store.asked(), 1);
    scene.goes_on(limits::SESSION_TOUCH_EVERY / 2).await;
    assert_eq!((scene.store.asked(), scene.store.touched.load(Ordering::Relaxed)), (2, 1));
}

/// In whatever process.
#[tokio::test(start_paused = true)]
async fn what_has_changed_is_forgotten_as_soon_as_it_is_told() {
    let (session, user) = (Changed::Session(hash(1)), Changed::User(UserId::new("1")));
    for changed in [session, user] {
        let scene = Scene::followed().await;
        scene.store.sign_in(hash(2), 2);
        scene.is_signed_in(2).await;
        scene.goes_on(SECOND * 10).await;
        scene.store.sign_out(hash(1));
        scene.store.sign_out(hash(2));
        scene.store.tell(Ok(changed));
        scene.reads_changes().await;
        scene.is_nobody(1).await;
        scene.is_signed_in(2).await;
    }
}

/// The answer to a question from before comes after it.
#[tokio::test(start_paused = true)]
async fn what_was_asked_before_it_changed_is_not_remembered() {
    let scene = Scene::followed().await;
    scene.store.sign_in(hash(2), 2);
    scene.reads(Mood::Slow(SECOND));
    let known = Arc::clone(&scene.known);
    let asking = tokio::spawn(async move { known.find(hash(2)).await });
    tokio::task::yield_now().await;
    scene.store.sign_out(hash(2));
    scene.store.tell(Ok(Changed::Session(hash(2))));
    scene.reads_changes().await;
    assert!(matches!(asking.await.unwrap(), Known::SignedIn(_)), "it was asked before");
    scene.reads(Mood::Well);
    scene.is_nobody(2).await;
}

/// What was known before it can be told of may have changed unnoticed; and so may all, once it cannot be told of any more.
#[tokio::test(start_paused = true)]
async fn what_is_not_followed_is_as_old_as_the_question() {
    let store = Arc::new(Fake::default());
    store.can_be_followed();
    *store.reads.lock().unwrap() = Mood::Fails;
    let scene = Scene::with(store);
    tokio::task::yield_now().await;
    scene.reads(Mood::Well);
    advance(limits::CHANGES_FOLLOWED_AGAIN - SECOND).await;
    scene.store.sign_in(hash(1), 1);
    scene.is_signed_in(1).await;
    scene.store.sign_out(hash(1));
    advance(SECOND).await;
    tokio::task::yield_now().await;
    assert_eq!(scene.store.was_followed(), 1);
    advance(limits::SESSION_KNOWN_FRESH - SECOND).await;
    scene.reads_changes().await;
    scene.is_nobody(1).await;

    let scene = Scene::followed().await;
    scene.goes_on(SECOND * 10).await;
    scene.store.tell(Err(StoreError::late()));
    scene.reads_changes().await;
    scene.store.sign_out(hash(1));
    advance(limits::SESSION_KNOWN_FRESH).await;
    scene.is_nobody(1).await;

    // Until it is followed anew.
    advance(limits::CHANGES_FOLLOWED_AGAIN).await;
    tokio::task::yield_now().await;
    assert_eq!(scene.store.was_followed(), 2);
    scene.store.sign_in(hash(1), 1);
    scene.is_signed_in(1).await;
    let asked = scene.store.asked();
    scene.goes_on(SECOND * 10).await;
    assert_eq!(scene.store.asked(), asked);
}

/// The store says that nothing changes, and cannot be asked: a feed alone keeps nobody in for ever.
#[tokio::test(start_paused = true)]
async fn what_is_followed_is_asked_for_in_the_end() {
    let scene = Scene::followed().await;
    scene.goes_on(SECOND * 30).await;
    *scene.store.questions_fail.lock().unwrap() = true;
    let began = Instant::now();
    while began.elapsed() < limits::SESSION_FOLLOWED {
        advance(SECOND).await;
        scene.reads_changes().await;
        let _ = scene.known.find(hash(1)).await;
    }
    scene.is_unknown(1).await;
}

/// A store that was followed and is away: what was known then holds for a minute more.
#[tokio::test(start_paused = true)]
async fn an_outage_is_as_long_as_it_is_not_followed() {
    let scene = Scene::followed().await;
    scene.goes_on(limits::SESSION_TOUCH_EVERY).await;
    scene.reads(Mood::Fails);
    scene.store.tell(Err(StoreError::late()));
    scene.reads_changes().await;
    let began = Instant::now();
    while began.elapsed() < limits::SESSION_KNOWN_UNANSWERED {
        scene.is_signed_in(1).await;
        advance(SECOND).await;
    }
    advance(limits::SESSION_KNOWN_FRESH).await;
    scene.is_unknown(1).await;
}
