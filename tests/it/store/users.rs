//! What both stores do with users.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bson::{Bson, Document, doc, oid::ObjectId};
use vestibule::server::{
    ids::{Issuer, UserId},
    store::{Created, Person, Profile, Role, User},
};

use super::fixtures::{
    DISCOVERY, ISSUER, NOW, created, new_user, on_both, person, sign_in_or_create, signed_in, together,
};
use crate::support::bench::{Bench, Raw};

on_both! {
    new_user_has_what_claudelens_reads,
    sign_in_refreshes_what_is_claimed,
    many_first_sign_ins_make_one_user,
    one_username_for_one_of_many,
    username_is_taken_without_regard_to_case,
    same_subject_at_two_issuers_is_two_users,
    older_user_is_adopted_by_discovery_url,
    older_user_is_adopted_by_issuer,
    older_user_is_adopted_once_by_many,
    older_user_of_another_provider_is_not_adopted,
    of_two_older_users_the_first_is_adopted,
    inactive_user_is_left_alone,
    inactive_older_user_is_left_alone,
    unknown_role_gives_no_power,
    an_address_is_verified_only_where_that_is_stored,
    an_address_that_only_stands_in_for_one_is_none,
    a_username_is_shared_by_active_users_alone,
}

async fn new_user_has_what_claudelens_reads(bench: &Bench) {
    let profile = Profile {
        email: Some("ada@example.com".into()),
        email_verified: Some(true),
        full_name: Some("Ada Example".into()),
    };
    let mut user = new_user("s-1", "Ada");
    user.person.profile = profile;
    user.role = Role::Admin;
    let user = created(&*bench.store, &user).await;
    assert_eq!(user.id.as_str().len(), 24);
    let expected = User {
        id: user.id.clone(),
        username: "Ada".into(),
        email: Some("ada@example.com".into()),
        email_verified: true,
        full_name: Some("Ada Example".into()),
        role: Role::Admin,
        active: true,
    };
    assert_eq!(user, expected);
    assert_eq!(bench.store.user(&user.id).await.unwrap(), Some(expected.clone()));
    assert_eq!(signed_in(&*bench.store, &person("s-1")).await, expected);
    let fields = bench.raw.fields(&user.id).await;
    for (name, text) in [
        ("username", "Ada"),
        ("email", "ada@example.com"),
        ("full_name", "Ada Example"),
        ("role", "admin"),
        ("auth_method", "oidc"),
        ("oidc_sub", "s-1"),
        ("oidc_provider", DISCOVERY),
        ("issuer", ISSUER),
        ("subject", "s-1"),
    ] {
        assert_eq!(fields[name].as_str(), Some(text), "{name}");
    }
    for name in ["is_active", "email_verified", "created_at", "updated_at", "last_login"] {
        let value = &fields[name];
        match name {
            "is_active" | "email_verified" => {
                assert!(matches!(value, Bson::Boolean(true) | Bson::Int64(1)), "{name}: {value}");
            }
            _ => {
                let millis = value.as_datetime().map_or_else(|| value.as_i64(), |date| Some(date.timestamp_millis()));
                assert_eq!(millis, Some(1_795_428_000_123), "{name}: {value}");
            }
        }
    }
    assert!(bench.store.user(&UserId::new("not an id")).await.unwrap().is_none());
    assert!(bench.store.user(&UserId::new(ObjectId::new().to_hex())).await.unwrap().is_none());
}

async fn sign_in_refreshes_what_is_claimed(bench: &Bench) {
    let store = &*bench.store;
    assert!(store.sign_in_user(&person("s-1")).await.unwrap().is_none());
    let id = created(store, &new_user("s-1", "ada")).await.id;
    let mut claims = person("s-1");
    claims.profile.email = Some("ada@example.com".into());
    claims.profile.email_verified = Some(true);
    claims.profile.full_name = Some("Ada".into());
    claims.role = Some(Role::Admin);
    claims.now = NOW + Duration::from_secs(60);
    let user = signed_in(store, &claims).await;
    assert_eq!((user.email.as_deref(), user.full_name.as_deref()), (Some("ada@example.com"), Some("Ada")));
    assert_eq!(user.role, Role::Admin);
    let before = bench.raw.fields(&id).await;
    // Nothing claimed, nothing changed but the times.
    let again = signed_in(store, &Person { now: NOW + Duration::from_secs(120), ..person("s-1") }).await;
    assert_eq!(again, user);
    let mut after = bench.raw.fields(&id).await;
    for time in ["last_login", "updated_at"] {
        assert_ne!(after.insert(time.to_owned(), before[time].clone()).as_ref(), Some(&before[time]), "{time}");
    }
    assert_eq!(after, before);
}

async fn many_first_sign_ins_make_one_user(bench: &Bench) {
    let users = together((0..20).map(|_| {
        let store = Arc::clone(&bench.store);
        async move { sign_in_or_create(&*store, "s-1", "ada").await }
    }))
    .await;
    assert!(users.iter().all(|user| user.id == users[0].id));
    assert_eq!(bench.raw.count_users().await, 1);
}

async fn one_username_for_one_of_many(bench: &Bench) {
    let users = together((0..8).map(|number| {
        let store = Arc::clone(&bench.store);
        // In turn "ada" and "Ada": one name.
        let name = if number % 2 == 0 { "ada" } else { "Ada" };
        async move { sign_in_or_create(&*store, &format!("s-{number}"), name).await }
    }))
    .await;
    let names: BTreeSet<_> = users.iter().map(|user| user.username.to_lowercase()).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(bench.raw.count_users().await, 8);
}

async fn username_is_taken_without_regard_to_case(bench: &Bench) {
    let store = &*bench.store;
    bench.raw.insert_user(doc! { "username": "Ada.L" }).await;
    bench.raw.insert_user(doc! { "username": "ÉMILE" }).await;
    created(store, &new_user("s-1", "Grace")).await;
    for taken in ["ada.l", "ADA.L", "grace", "émile"] {
        let outcome = store.create_user(&new_user("s-2", taken)).await.unwrap();
        assert!(matches!(outcome, Created::UsernameTaken), "{taken}");
    }
    // A name is not a pattern, and who is known is told so first.
    created(store, &new_user("s-2", "ada_l")).await;
    created(store, &new_user("s-3", ".*")).await;
    assert!(matches!(store.create_user(&new_user("s-1", "grace")).await.unwrap(), Created::Exists));
    assert!(matches!(store.create_user(&new_user("s-1", "free")).await.unwrap(), Created::Exists));
}

async fn same_subject_at_two_issuers_is_two_users(bench: &Bench) {
    let store = &*bench.store;
    let first = created(store, &new_user("s-1", "ada")).await;
    for (number, issuer) in
        ["https://other.example.com", "https://id.example.com/", "https://ID.example.com"].iter().enumerate()
    {
        let mut elsewhere = new_user("s-1", &format!("other-{number}"));
        elsewhere.person.issuer = Issuer::new(*issuer);
        elsewhere.person.discovery_url = format!("{issuer}#{number}");
        assert!(store.sign_in_user(&elsewhere.person).await.unwrap().is_none(), "{issuer}");
        assert_ne!(created(store, &elsewhere).await.id, first.id);
    }
    assert_eq!(signed_in(store, &person("s-1")).await.id, first.id);
    assert!(store.sign_in_user(&person("S-1")).await.unwrap().is_none(), "subjects are compared byte for byte");
}

/// As ClaudeLens writes a user, with what we know nothing of.
fn older_user(provider: &str) -> Document {
    doc! {
        "username": "Ada",
        "email": "old@example.com",
        "role": "admin",
        "auth_method": "oidc",
        "oidc_sub": "s-1",
        "oidc_provider": provider,
        "api_keys": [{ "key_hash": "00ff", "name": "laptop", "active": true }],
        "message_count": 12_i64,
        "nested": { "a.b": 1, "list": [1, "$x"] },
    }
}

async fn adopt(bench: &Bench, provider: &str) {
    let store = &*bench.store;
    let id = bench.raw.insert_user(older_user(provider)).await;
    let mut before = bench.raw.fields(&id).await;
    let mut claims = person("s-1");
    claims.profile.full_name = Some("Ada Example".into());
    for _ in 0..2 {
        let user = signed_in(store, &claims).await;
        assert_eq!(user.id, id);
        assert_eq!(user.username, "Ada");
        assert_eq!(user.email.as_deref(), Some("old@example.com"));
        assert_eq!(user.role, Role::Admin);
    }
    let mut after = bench.raw.fields(&id).await;
    assert_eq!(after.remove("issuer").unwrap().as_str(), Some(ISSUER));
    assert_eq!(after.remove("subject").unwrap().as_str(), Some("s-1"));
    assert_eq!(after.remove("full_name").unwrap().as_str(), Some("Ada Example"));
    for time in ["last_login", "updated_at"] {
        assert!(after.remove(time).is_some(), "{time}");
        before.remove(time);
    }
    assert_eq!(after, before, "all else as it was");
    assert_eq!(bench.raw.count_users().await, 1);
}

async fn older_user_is_adopted_by_discovery_url(bench: &Bench) {
    adopt(bench, DISCOVERY).await;
}

async fn older_user_is_adopted_by_issuer(bench: &Bench) {
    adopt(bench, ISSUER).await;
}

async fn older_user_is_adopted_once_by_many(bench: &Bench) {
    let id = bench.raw.insert_user(older_user(DISCOVERY)).await;
    let users = together((0..20).map(|_| {
        let store = Arc::clone(&bench.store);
        async move { sign_in_or_create(&*store, "s-1", "ada").await }
    }))
    .await;
    assert!(users.iter().all(|user| user.id == id));
    assert_eq!(bench.raw.count_users().await, 1);
}

async fn older_user_of_another_provider_is_not_adopted(bench: &Bench) {
    bench.raw.insert_user(older_user("https://other.example.com/.well-known/openid-configuration")).await;
    assert!(bench.store.sign_in_user(&person("s-1")).await.unwrap().is_none());
    assert!(bench.store.sign_in_user(&person("s-2")).await.unwrap().is_none());
}

async fn of_two_older_users_the_first_is_adopted(bench: &Bench) {
    let first = bench.raw.insert_user(older_user(DISCOVERY)).await;
    let second =
        bench.raw.insert_user(doc! { "username": "ada-2", "oidc_sub": "s-1", "oidc_provider": DISCOVERY }).await;
    let users = together((0..10).map(|_| {
        let store = Arc::clone(&bench.store);
        async move { signed_in(&*store, &person("s-1")).await }
    }))
    .await;
    assert!(users.iter().all(|user| user.id == first));
    assert!(!bench.raw.fields(&second).await.contains_key("issuer"));
}

async fn inactive_user_is_left_alone(bench: &Bench) {
    let store = &*bench.store;
    let id = created(store, &new_user("s-1", "ada")).await.id;
    match &bench.raw {
        Raw::Mongo { .. } => {
            bench.raw.users().update_one(doc! {}, doc! { "$set": { "is_active": false } }).await.unwrap();
        }
        Raw::Sqlite { pool, .. } => {
            sqlx::query("UPDATE users SET is_active = 0").execute(pool).await.unwrap();
        }
    }
    left_alone(bench, &id).await;
    assert!(matches!(store.create_user(&new_user("s-1", "free")).await.unwrap(), Created::Exists));
}

async fn inactive_older_user_is_left_alone(bench: &Bench) {
    let mut user = older_user(DISCOVERY);
    user.insert("is_active", false);
    let id = bench.raw.insert_user(user).await;
    left_alone(bench, &id).await;
}

async fn left_alone(bench: &Bench, id: &UserId) {
    let before = bench.raw.fields(id).await;
    let mut claims = person("s-1");
    claims.profile.email = Some("new@example.com".into());
    claims.role = Some(Role::Admin);
    claims.now = NOW + Duration::from_secs(60);
    let user = signed_in(&*bench.store, &claims).await;
    assert_eq!((&user.id, user.active), (id, false));
    assert_eq!(bench.raw.fields(id).await, before);
    assert!(!bench.store.user(id).await.unwrap().unwrap().active);
}

async fn unknown_role_gives_no_power(bench: &Bench) {
    for (number, role) in ["superuser", "Admin", ""].iter().enumerate() {
        let id = bench.raw.insert_user(doc! { "username": format!("u{number}"), "role": *role }).await;
        assert_eq!(bench.store.user(&id).await.unwrap().unwrap().role, Role::User);
    }
    let id = bench.raw.insert_user(doc! { "username": "none" }).await;
    let user = bench.store.user(&id).await.unwrap().unwrap();
    assert_eq!((user.role, user.active), (Role::User, true));
}

async fn an_address_is_verified_only_where_that_is_stored(bench: &Bench) {
    let store = &*bench.store;
    let id = bench.raw.insert_user(doc! { "username": "older", "email": "older@example.com" }).await;
    assert!(!store.user(&id).await.unwrap().unwrap().email_verified);
    let mut user = new_user("s-1", "ada");
    let claims =
        |email: &str, verified| Profile { email: Some(email.into()), email_verified: Some(verified), full_name: None };
    user.person.profile = claims("ada@example.com", true);
    let id = created(store, &user).await.id;
    for (email, verified) in [("ada@example.com", true), ("new@example.com", false), ("new@example.com", true)] {
        let user = signed_in(store, &Person { profile: claims(email, verified), ..person("s-1") }).await;
        assert_eq!((user.email.as_deref(), user.email_verified), (Some(email), verified));
        assert_eq!(store.user(&id).await.unwrap(), Some(user));
    }
}

async fn an_address_that_only_stands_in_for_one_is_none(bench: &Bench) {
    let store = &*bench.store;
    let mut user = new_user("s-1", "ada");
    user.person.profile.email = Some("ada@oidc.local".into());
    user.person.profile.email_verified = Some(true);
    let ada = created(store, &user).await;
    assert_eq!((ada.email.as_deref(), ada.email_verified), (None, false));
    let older = bench.raw.insert_user(doc! { "username": "a@b", "email": "a@b@OIDC.Local" }).await;
    for id in [&ada.id, &older] {
        let user = store.user(id).await.unwrap().unwrap();
        assert_eq!((user.email.as_deref(), user.email_verified), (None, false));
        assert!(bench.raw.fields(id).await["email"].as_str().is_some(), "it is kept");
    }
    assert_eq!(signed_in(store, &person("s-1")).await.email, None);
}

async fn a_username_is_shared_by_active_users_alone(bench: &Bench) {
    let store = &*bench.store;
    let ada = created(store, &new_user("s-1", "ada")).await;
    let grace = created(store, &new_user("s-2", "grace")).await;
    assert!(!store.username_is_shared(&ada).await.unwrap(), "with nobody but themselves");
    rename(bench, &grace.id, "ADA").await;
    let grace = store.user(&grace.id).await.unwrap().unwrap();
    assert!(store.username_is_shared(&grace).await.unwrap());
    for hostile in ["a.*", "$username", "", "ad"] {
        let other = User { username: hostile.into(), ..grace.clone() };
        assert!(!store.username_is_shared(&other).await.unwrap(), "{hostile}");
    }
    match &bench.raw {
        Raw::Mongo { .. } => {
            assert!(store.username_is_shared(&ada).await.unwrap());
            bench
                .raw
                .users()
                .update_one(doc! { "username": "ada" }, doc! { "$set": { "is_active": false } })
                .await
                .unwrap();
        }
        Raw::Sqlite { pool, .. } => {
            sqlx::query("UPDATE users SET is_active = 0 WHERE username = 'ada'").execute(pool).await.unwrap();
        }
    }
    assert!(!store.username_is_shared(&grace).await.unwrap(), "the other is not active");
}

/// As an operator does it who looks at `username` alone.
async fn rename(bench: &Bench, id: &UserId, username: &str) {
    match &bench.raw {
        Raw::Mongo { .. } => {
            let filter = doc! { "_id": ObjectId::parse_str(id.as_str()).unwrap() };
            bench.raw.users().update_one(filter, doc! { "$set": { "username": username } }).await.unwrap();
        }
        Raw::Sqlite { pool, .. } => {
            sqlx::query("UPDATE users SET username = ? WHERE id = ?")
                .bind(username)
                .bind(id.as_str())
                .execute(pool)
                .await
                .unwrap();
        }
    }
}
