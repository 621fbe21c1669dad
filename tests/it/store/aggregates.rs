//! What both stores do, whatever they store.

use std::sync::Arc;

use vestibule::server::{
    attempt::AttemptState,
    ids::{Issuer, ProviderId, UserId},
    store::{Claimed, NewClaim, Profile, SessionRecord},
    trace::Step,
};

use super::fixtures::{
    ISSUER, NOW, claim_of, claimed, created, failed, new_user, on_both, person, session_of, sign_in_or_create,
    signed_in, state, steps, together, verified,
};
use crate::support::bench::Bench;

on_both! {
    hostile_text_is_text,
    reopening_keeps_everything,
    two_processes_agree,
    healthy_store_has_nothing_to_tell,
}

async fn hostile_text_is_text(bench: &Bench) {
    let store = &*bench.store;
    let long = "x".repeat(100_000);
    let hostile =
        [r#"{"$ne":1}"#, "$username", "$$ROOT", "a\0b", "'; DROP TABLE users; --", "\u{202e}%_\\", &long, "a.b", ""];
    created(store, &new_user("s-0", "first")).await;
    for (number, text) in hostile.into_iter().enumerate() {
        let subject: String = text.chars().filter(char::is_ascii_graphic).take(200).chain(['!']).collect();
        let mut user = new_user(&subject, &format!("{text}#{number}"));
        user.person.issuer = Issuer::new(format!("{ISSUER}/{text}"));
        user.person.discovery_url = text.to_owned();
        user.person.profile =
            Profile { email: Some(text.to_owned()), email_verified: Some(false), full_name: Some(text.to_owned()) };
        assert!(store.sign_in_user(&user.person).await.unwrap().is_none(), "{number}");
        let made = created(store, &user).await;
        let found = signed_in(store, &user.person).await;
        assert_eq!(found, made);
        assert_eq!(Some(&found.username), user.usernames.first());
        assert_eq!(found.email.as_deref(), Some(text));
        assert_eq!(found.full_name.as_deref(), Some(text));
        assert!(store.user(&UserId::new(text)).await.unwrap().is_none());

        let session = SessionRecord {
            user: UserId::new(text),
            issuer: Issuer::new(text),
            provider: ProviderId::new(text),
            ..session_of(text.as_bytes())
        };
        assert!(store.create_session(&session).await.unwrap());
        assert_eq!(store.session(session.id).await.unwrap(), Some(session));

        let claim = NewClaim { provider: ProviderId::new(text), ..claim_of(u8::try_from(number).unwrap(), 1) };
        claimed(store, &claim).await;
        let steps = [Step {
            name: text.to_owned(),
            after_ms: 0,
            took_ms: 0,
            result: text.to_owned(),
            detail: Some(text.to_owned()),
        }];
        assert!(store.settle(claim.id, claim.owner, &failed(text), &steps).await.unwrap());
        let attempt = store.attempt(claim.id).await.unwrap().unwrap();
        assert_eq!(attempt.provider.as_str(), text);
        assert_eq!(attempt.state, AttemptState::Failed { code: text.to_owned(), retry_at: None });
        assert_eq!(attempt.steps, steps);
    }
    assert_eq!(signed_in(store, &person("s-0")).await.username, "first");
    assert_eq!(bench.raw.count_users().await, 10);
}

async fn reopening_keeps_everything(bench: &Bench) {
    let store = &*bench.store;
    let claim = claim_of(1, 1);
    claimed(store, &claim).await;
    assert!(store.settle(claim.id, claim.owner, &verified(b"sealed"), &steps()).await.unwrap());
    let user = created(store, &new_user("s-1", "ada")).await;
    let session = session_of(b"a");
    assert!(store.create_session(&session).await.unwrap());

    let again = bench.raw.open().await;
    assert_eq!(state(&*again, claim.id).await, AttemptState::Verified { at: NOW, delivery: Some(b"sealed".to_vec()) });
    assert_eq!(signed_in(&*again, &person("s-1")).await, user);
    assert_eq!(again.session(session.id).await.unwrap(), Some(session));
}

async fn two_processes_agree(bench: &Bench) {
    let stores = [Arc::clone(&bench.store), bench.raw.open().await];
    let outcomes = together((0..40).map(|number| {
        let store = Arc::clone(&stores[number % 2]);
        async move {
            let owner = u8::try_from(number).unwrap();
            let user = sign_in_or_create(&*store, &format!("s-{}", number / 4), "ada").await;
            let ours = matches!(store.claim(&claim_of(1, owner)).await.unwrap(), Claimed::Ours);
            let inserted = store.create_session(&session_of(b"one")).await.unwrap();
            (user.id, ours, inserted)
        }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.1).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.2).count(), 1);
    assert_eq!(bench.raw.count_users().await, 10);
    // What one does the other sees at once.
    stores[0].delete_session(session_of(b"one").id).await.unwrap();
    assert_eq!(stores[1].session(session_of(b"one").id).await.unwrap(), None);
}

async fn healthy_store_has_nothing_to_tell(bench: &Bench) {
    created(&*bench.store, &new_user("s-1", "ada")).await;
    assert_eq!(bench.store.ready().await.unwrap(), Vec::<String>::new());
}
