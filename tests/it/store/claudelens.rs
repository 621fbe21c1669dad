//! Users that ClaudeLens has to be able to read: it answers 500 where a document has no `email`, `created_at` or
//! `updated_at`.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use vestibule::server::{
    ids::UserId,
    store::{NewUser, Person, Profile},
};

use super::fixtures::{DISCOVERY, ISSUER, NOW, created, new_user, person, signed_in};
use crate::support::bench::Bench;

fn for_claudelens(subject: &str) -> Person {
    Person { for_claudelens: true, ..person(subject) }
}

fn with_email(person: Person, email: &str) -> Person {
    Person { profile: Profile { email: Some(email.into()), email_verified: Some(true), full_name: None }, ..person }
}

async fn assert_readable(bench: &Bench, id: &UserId, email: &str) {
    let fields = bench.raw.fields(id).await;
    assert_eq!(fields["email"].as_str(), Some(email));
    for time in ["created_at", "updated_at"] {
        assert!(matches!(fields[time], Bson::DateTime(_)), "{time}: {}", fields[time]);
    }
}

#[tokio::test]
async fn a_new_user_is_written_as_claudelens_reads_one() {
    let bench = Bench::mongo().await;
    let store = &*bench.store;
    let new = NewUser { person: for_claudelens("s-1"), ..new_user("s-1", "ada") };
    let ada = created(store, &new).await;
    assert_eq!(ada.email, None, "it is no address");
    assert_readable(&bench, &ada.id, "ada@oidc.local").await;
    // The provider's own takes its place, and stays.
    let user = signed_in(store, &with_email(for_claudelens("s-1"), "ada@example.com")).await;
    assert_eq!(user.email.as_deref(), Some("ada@example.com"));
    assert_eq!(signed_in(store, &for_claudelens("s-1")).await.email.as_deref(), Some("ada@example.com"));

    let new = NewUser { person: with_email(for_claudelens("s-2"), "grace@example.com"), ..new_user("s-2", "grace") };
    let grace = created(store, &new).await;
    assert_readable(&bench, &grace.id, "grace@example.com").await;
    let other = created(store, &new_user("s-3", "bob")).await;
    assert!(!bench.raw.fields(&other.id).await.contains_key("email"), "nobody asked for it");
    bench.raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn what_a_document_lacks_is_completed_at_a_sign_in_and_nothing_else() {
    let bench = Bench::mongo().await;
    let known = doc! { "issuer": ISSUER, "subject": "s-1" };
    let older = doc! { "oidc_sub": "s-1", "oidc_provider": DISCOVERY };
    let long_ago = DateTime::from_millis(1_000);
    for identity in [known, older] {
        for (lacking, email, created_at) in [
            (doc! { "username": "$ada" }, Some("$ada@oidc.local"), None),
            (doc! { "username": "ada", "email": Bson::Null, "created_at": Bson::Null }, Some("ada@oidc.local"), None),
            (doc! { "username": 7, "created_at": long_ago }, None, Some(long_ago)),
            (doc! { "username": "ada", "email": "ada@example.com" }, Some("ada@example.com"), None),
            (doc! { "username": "ada", "email": "", "created_at": long_ago }, Some(""), Some(long_ago)),
        ] {
            let mut user = identity.clone();
            user.extend(lacking);
            user.extend(doc! { "api_keys": [{ "key_hash": "00ff" }], "nested": { "a.b": 1, "list": [1, "$x"] }, "email_verified": true });
            let id = bench.raw.insert_user(user.clone()).await;
            let now = NOW + Duration::from_secs(60);
            let ours = signed_in(&*bench.store, &Person { now, ..for_claudelens("s-1") }).await;
            assert_eq!(ours.id, id);
            assert_eq!(ours.email_verified, ours.email.is_some());
            let email = email.map_or_else(|| format!("{id}@oidc.local"), str::to_owned);
            assert_readable(&bench, &id, &email).await;
            let after: Document = bench.raw.fields(&id).await.into_iter().collect();
            let completed = created_at.unwrap_or(DateTime::from_millis(1_795_428_060_123));
            assert_eq!(after.get_datetime("created_at").unwrap(), &completed);
            for (name, value) in user.iter().filter(|(_, value)| **value != Bson::Null) {
                assert_eq!(after.get(name), Some(value), "{name}");
            }
            bench.raw.users().delete_many(doc! {}).await.unwrap();
        }
    }
    bench.raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn a_document_is_left_as_it_is_where_no_claudelens_is_or_nobody_may_sign_in() {
    let bench = Bench::mongo().await;
    let user = doc! { "issuer": ISSUER, "subject": "s-1", "username": "ada" };
    let id = bench.raw.insert_user(user.clone()).await;
    signed_in(&*bench.store, &person("s-1")).await;
    assert!(!bench.raw.fields(&id).await.contains_key("email"));
    bench.raw.users().update_one(doc! {}, doc! { "$set": { "is_active": false } }).await.unwrap();
    signed_in(&*bench.store, &for_claudelens("s-1")).await;
    assert!(!bench.raw.fields(&id).await.contains_key("email"));
    bench.raw.database().drop().await.unwrap();
}
