//! What the plays of several stores have in common: how far a sign-in has come, and how a person goes through trouble.

use test_provider::Endpoint;

use crate::{
    faults::person::{Person, RETURN_TO, Stop, encoded, later, until_available},
    support::{browser::Browser, scene::Scene, wait::eventually},
};

/// The person is back from the provider; the callback's URL.
pub async fn back_from_the_provider(scene: &Scene, browser: &Browser) -> String {
    browser.callback_url(scene, &encoded(RETURN_TO)).await
}

/// The provider keeps the exchange waiting there, and the person is sent to the waiting page; its URL.
pub async fn held_at(endpoint: Endpoint, scene: &Scene, browser: &Browser) -> String {
    let callback = back_from_the_provider(scene, browser).await;
    let before = scene.provider.count(endpoint);
    scene.provider.hold(endpoint);
    let pending = browser.get(&callback).await;
    assert!(!pending.sets_session());
    scene.provider.wait_for(endpoint, before + 1).await;
    scene.url(pending.location())
}

/// The person is verified, and nobody has fetched the session; the callback's URL.
pub async fn undelivered(scene: &Scene, browser: &Browser) -> String {
    let callback = back_from_the_provider(scene, browser).await;
    scene.provider.hold(Endpoint::Token);
    tokio::select! {
        page = browser.get(&callback) => { assert!(!page.sets_session()); }
        () = scene.provider.wait_for(Endpoint::Token, 1) => {}
    }
    scene.provider.release(Endpoint::Token);
    verified(scene).await;
    callback
}

/// Returns once the one attempt is verified.
pub async fn verified(scene: &Scene) {
    eventually("the attempt is verified", || async {
        (scene.count("login_attempts WHERE state = 'verified'").await > 0).then_some(())
    })
    .await;
}

/// The trouble lasts until the person has waited for a while. On a slow machine that may be long enough for a page that
/// says so, which goes on by itself as the waiting page does.
pub async fn a_while(person: Person<'_>, next: &str, over: impl Future<Output = ()>) -> Stop {
    let mut stop = person.once(next).await;
    if let Stop::Waiting(query) = &stop {
        stop = person.wait(query).await;
    }
    over.await;
    person.go_on_by_itself(stop).await
}

/// Waiting does not help: the person is told, and the page of that goes on when the trouble is over.
pub async fn told(person: Person<'_>, next: &str, over: impl Future<Output = ()>) -> Stop {
    let page = person.go(next).await.explained("store_unavailable");
    later(&page);
    over.await;
    Stop::Explained(page)
}

/// The same, until the process has given up, which the page says then.
pub async fn told_and_given_up(person: Person<'_>, next: &str, over: impl Future<Output = ()>) -> Stop {
    let page = person.go(next).await.explained("store_unavailable");
    let again = person.scene.url(&page.button());
    let page = until_available(|| person.browser.get(&again)).await;
    over.await;
    Stop::Explained(page)
}

/// The trouble lasts until the process has given up. What it could not claim is explained while the trouble lasts; what
/// it had claimed only when the store can be read, and its lease looked at.
pub async fn beyond(person: Person<'_>, next: &str, claimed: bool, over: impl Future<Output = ()>) -> Stop {
    let stop = if claimed { person.go_beyond(next).await } else { person.go(next).await };
    over.await;
    person.finish(stop).await
}

/// The verdict cannot be written before its owner is gone, and neither can it be that the owner is gone: "interrupted"
/// is said by a store that has recovered.
pub async fn missed(person: Person<'_>, next: &str, over: impl Future<Output = ()>) -> Stop {
    let unavailable = person.come_back(next).await;
    later(&unavailable);
    let again = person.scene.url(&unavailable.button());
    later(&person.go(&again).await.explained("store_unavailable"));
    over.await;
    person.go(&again).await
}
