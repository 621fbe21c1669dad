//! A store that fails, hangs, can only be read, and comes back.

use super::*;

#[tokio::test(start_paused = true)]
async fn while_the_store_cannot_tell_what_is_known_holds_for_a_minute_more() {
    for mood in [Mood::Fails, Mood::Slow(HOUR)] {
        let scene = Scene::with_one().await;
        let known_at = Instant::now();
        scene.reads(mood);
        while known_at.elapsed() < limits::SESSION_KNOWN_AT_MOST - SECOND {
            let began = Instant::now();
            scene.is_signed_in(1).await;
            assert!(began.elapsed() <= limits::SESSION_ASK_AGAIN_WAIT, "{:?}", began.elapsed());
            advance(SECOND / 2).await;
        }
        scene.is_unknown(2).await;
        advance(SECOND).await;
        scene.is_unknown(1).await;
        if mood == Mood::Fails {
            scene.reads(Mood::Well);
            scene.is_signed_in(1).await;
            scene.is_nobody(2).await;
        }
    }
}

/// Only the first waits for a store that is away: the next ones know.
#[tokio::test(start_paused = true)]
async fn nobody_waits_again_for_a_store_that_could_not_tell() {
    let scene = Scene::with_one().await;
    scene.reads(Mood::Slow(HOUR));
    advance(limits::SESSION_KNOWN_FRESH).await;
    scene.is_signed_in(1).await;
    for _ in 0..100 {
        assert!(matches!(scene.known.find(hash(1)).now_or_never(), Some(Known::SignedIn(_))));
    }
}

/// Whoever comes back after the outage is not signed in by what was known before it.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_well_again_is_asked() {
    for mood in [Mood::Fails, Mood::Slow(limits::STORE_TIMEOUT)] {
        let scene = Scene::with_one().await;
        advance(limits::SESSION_KNOWN_FRESH).await;
        scene.reads(mood);
        scene.is_signed_in(1).await;
        // What was asked then has its answer; nobody asks anything for a while.
        scene.reads(Mood::Well);
        tokio::time::sleep(SECOND * 30).await;
        scene.store.sign_out(hash(1));
        scene.is_nobody(1).await;
    }
}

/// Nor by one that stays in use all the time, through an outage so long that nobody asks any more.
#[tokio::test(start_paused = true)]
async fn a_store_that_was_away_is_asked_as_soon_as_it_is_back() {
    for mood in [Mood::Fails, Mood::Slow(limits::STORE_TIMEOUT)] {
        let scene = Scene::with_one().await;
        let goes_on = async |time: Duration| {
            let began = Instant::now();
            while began.elapsed() < time {
                scene.is_signed_in(1).await;
                advance(SECOND / 10).await;
            }
        };
        scene.reads(mood);
        goes_on(SECOND * 15).await;
        scene.store.is_away.store(true, Ordering::Relaxed);
        goes_on(SECOND * 5).await;
        scene.store.is_away.store(false, Ordering::Relaxed);
        scene.reads(Mood::Well);
        scene.store.sign_out(hash(1));
        // What was asked last has its answer.
        tokio::time::sleep(limits::STORE_TIMEOUT).await;
        scene.is_nobody(1).await;
    }
}

/// Its checks write, too: where it can be read, it tells who is signed in, whether they fail or not.
#[tokio::test(start_paused = true)]
async fn a_store_that_can_only_be_read_is_asked() {
    let scene = Scene::with_one().await;
    scene.writes(Mood::Fails);
    scene.store.is_away.store(true, Ordering::Relaxed);
    scene.store.sign_in(hash(2), 2);
    scene.is_signed_in(2).await;
    tokio::time::sleep(limits::SESSION_KNOWN_AT_MOST * 2).await;
    scene.is_signed_in(1).await;
    scene.store.sign_out(hash(2));
    scene.is_nobody(2).await;
}

/// One asks every so often, for all.
#[tokio::test(start_paused = true)]
async fn nobody_else_waits_for_a_store_that_is_away() {
    let scene = Scene::with_one().await;
    scene.store.is_away.store(true, Ordering::Relaxed);
    scene.reads(Mood::Fails);
    scene.is_unknown(2).await;
    for _ in 0..3 {
        let asked = scene.store.asked();
        for number in 3..100 {
            assert!(matches!(scene.known.find(hash(number)).now_or_never(), Some(Known::Unknown(_))));
        }
        assert_eq!(scene.store.asked(), asked);
        advance(limits::STORE_AWAY_ASKED_EVERY).await;
        scene.is_unknown(2).await;
        assert_eq!(scene.store.asked(), asked + 1);
    }
    scene.reads(Mood::Well);
    scene.store.sign_in(hash(2), 2);
    advance(limits::STORE_AWAY_ASKED_EVERY).await;
    scene.is_signed_in(2).await;
}

/// A disabled account is out as soon as the store says so, whether the end of its session can be written or not.
#[tokio::test(start_paused = true)]
async fn nobody_goes_on_because_their_end_cannot_be_written() {
    for mood in [Mood::Fails, Mood::Slow(HOUR)] {
        let scene = Scene::with_one().await;
        scene.store.disable(1);
        scene.writes(mood);
        advance(limits::SESSION_KNOWN_FRESH).await;
        let known = scene.known.find(hash(1)).await;
        assert!(!matches!(known, Known::SignedIn(_)), "{known:?}");
        scene.is_nobody(1).await;
    }
}

/// However many sessions are in use, and however often it works in between.
#[tokio::test(start_paused = true)]
async fn an_outage_is_one_line_of_the_log() {
    let (log, _guard) = Log::json();
    let scene = Scene::new();
    for number in 0..50 {
        scene.store.sign_in(hash(number), number);
    }
    for lines in 1..=2 {
        for _ in 0..10 {
            scene.reads(Mood::Well);
            for number in 0..50 {
                scene.is_signed_in(number).await;
            }
            scene.reads(Mood::Fails);
            advance(limits::SESSION_KNOWN_FRESH).await;
            for number in (0..50).chain(0..50) {
                scene.is_signed_in(number).await;
            }
            scene.reads(Mood::Well);
            // One is asked for, whoever is waiting; then all are.
            scene.is_signed_in(0).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(log.text().matches("sessions_from_memory").count(), lines, "{}", log.text());
        advance(limits::STORE_WORKS_AFTER).await;
    }
}
