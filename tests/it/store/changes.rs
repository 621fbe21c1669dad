//! What both stores say has changed, to a process that goes by what it has read.

use std::{sync::Arc, time::Duration};

use bson::doc;
use vestibule::server::{
    ids::BrowserHash,
    limits,
    store::{Changed, Changes, Profile, Role, SessionRecord, Store},
};

use super::fixtures::{created, new_user, now, person, session_of, signed_in};
use crate::support::{
    bench::{Bench, Raw, binary},
    mongo,
    wait::eventually,
};

/// One test for each case and store that can be followed.
macro_rules! on_both_followed {
    ($($case:ident),* $(,)?) => { $(
        mod $case {
            use crate::support::{bench::Bench, mongo};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mongo() {
                let server = mongo::Server::start_replica_set().await;
                Bench::mongo_at(server.uri()).await.run(super::$case).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                Bench::sqlite().await.run(super::$case).await;
            }
        }
    )* };
}

on_both_followed! {
    what_a_check_goes_by_is_told,
    what_no_check_goes_by_is_not,
    what_is_changed_behind_our_back_is_told,
}

/// A server to be troubled, and a database there.
async fn replica_set() -> (mongo::Server, Bench) {
    let server = mongo::Server::start_replica_set().await;
    let bench = Bench::mongo_at(server.uri()).await;
    (server, bench)
}

/// All that has changed until now.
async fn told(changes: &mut dyn Changes) -> Vec<Changed> {
    let mut changed = Vec::new();
    changes.next(&mut changed).await.unwrap();
    changed
}

/// A session that has been used, and the other process, which follows.
async fn scene(bench: &Bench) -> (SessionRecord, Arc<dyn Store>, Box<dyn Changes>) {
    let session = SessionRecord { delivered_by: None, ..session_of(b"a") };
    assert!(bench.store.create_session(&session).await.unwrap());
    let other = bench.raw.open().await;
    let changes = other.follow().await.unwrap().expect("a store that can be followed");
    (session, other, changes)
}

async fn what_a_check_goes_by_is_told(bench: &Bench) {
    let store = &*bench.store;
    let (session, _other, mut changes) = scene(bench).await;
    let of_it = vec![Changed::Session(session.id)];
    let user = created(store, &new_user("s-1", "ada")).await;
    let of_user = vec![Changed::User(user.id.clone())];
    assert_eq!(told(&mut *changes).await, [], "nobody knows who is new");

    let confirmed = SessionRecord { confirmed: now() + Duration::from_secs(9), ..session.clone() };
    assert!(store.confirm_session(&confirmed).await.unwrap());
    assert_eq!(told(&mut *changes).await, of_it);
    let later = now() + Duration::from_secs(60);
    assert!(store.begin_recheck(session.id, later, later).await.unwrap());
    assert_eq!(told(&mut *changes).await, of_it);
    let shorter = SessionRecord { expires: session.expires - Duration::from_secs(60), ..session.clone() };
    assert!(store.save_session(&shorter).await.unwrap());
    assert_eq!(told(&mut *changes).await, of_it);
    store.end_browser(BrowserHash::of(b"browser"), now()).await.unwrap();
    assert_eq!(told(&mut *changes).await, of_it);

    let mut as_admin = person("s-1");
    as_admin.role = Some(Role::Admin);
    signed_in(store, &as_admin).await;
    assert_eq!(told(&mut *changes).await, of_user);
    let email = Some("ada@example.com".to_owned());
    let renamed = Profile { email, email_verified: Some(true), full_name: Some("Ada Lovelace".to_owned()) };
    signed_in(store, &vestibule::server::store::Person { profile: renamed, ..as_admin }).await;
    assert_eq!(told(&mut *changes).await, of_user);
}

async fn what_no_check_goes_by_is_not(bench: &Bench) {
    let store = &*bench.store;
    created(store, &new_user("s-1", "ada")).await;
    let unused = session_of(b"b");
    assert!(store.create_session(&unused).await.unwrap());
    let (session, _other, mut changes) = scene(bench).await;
    store.ready().await.unwrap();
    let later = now() + Duration::from_secs(60);
    store.touch_sessions(&[session.id], later).await.unwrap();
    let used = SessionRecord { last_seen: later, delivered_by: None, ..unused };
    assert!(store.save_session(&used).await.unwrap(), "its first use");
    let mut again = person("s-1");
    again.now += Duration::from_secs(60);
    signed_in(store, &again).await;
    assert_eq!(told(&mut *changes).await, []);
}

/// Whatever column a later version adds: it is told, or stands here.
#[tokio::test]
async fn sqlite_each_column_is_told_or_of_no_concern() {
    let of_no_concern = [
        ("login_sessions", vec!["id", "last_seen_at", "delivered_by", "id_token", "begun_at", "issued_at"]),
        (
            "users",
            vec![
                "id",
                "username_key",
                "auth_method",
                "created_at",
                "updated_at",
                "last_login",
                "oidc_sub",
                "oidc_provider",
                "issuer",
                "subject",
            ],
        ),
    ];
    let bench = Bench::sqlite().await;
    created(&*bench.store, &new_user("s-1", "ada")).await;
    let (_, _other, mut changes) = scene(&bench).await;
    for (table, of_none) in of_no_concern {
        let columns: Vec<(String, String)> = sqlx::query_as("SELECT name, type FROM pragma_table_info(?)")
            .bind(table)
            .fetch_all(bench.raw.pool())
            .await
            .unwrap();
        assert!(columns.len() > of_none.len(), "{columns:?}");
        for (column, kind) in columns.iter().filter(|(column, _)| column != "id") {
            let value = match kind.as_str() {
                "INTEGER" => format!("coalesce(\"{column}\", 0) + 7"),
                "TEXT" => format!("coalesce(\"{column}\", '') || 'x'"),
                _ => "x'07'".to_owned(),
            };
            let update = format!("UPDATE {table} SET \"{column}\" = {value}");
            sqlx::query(sqlx::AssertSqlSafe(update)).execute(bench.raw.pool()).await.unwrap();
            let is_told = !told(&mut *changes).await.is_empty();
            assert_eq!(is_told, !of_none.contains(&column.as_str()), "{table}.{column}");
        }
    }
}

/// By `mongosh` or `sqlite3`.
async fn what_is_changed_behind_our_back_is_told(bench: &Bench) {
    let user = created(&*bench.store, &new_user("s-1", "ada")).await;
    let (session, _other, mut changes) = scene(bench).await;
    match &bench.raw {
        Raw::Mongo { database, .. } => {
            let ada = doc! { "_id": bson::oid::ObjectId::parse_str(user.id.as_str()).unwrap() };
            let inactive = doc! { "$set": { "is_active": false } };
            bench.raw.users().update_one(ada.clone(), inactive).await.unwrap();
            let sessions = database.collection::<bson::Document>("login_sessions");
            let id = doc! { "_id": binary(session.id.as_bytes()) };
            let groups = doc! { "$set": { "facts.groups": ["others"] } };
            sessions.update_one(id.clone(), groups).await.unwrap();
            sessions.delete_one(id).await.unwrap();
            bench.raw.users().delete_one(ada).await.unwrap();
        }
        Raw::Sqlite { pool, .. } => {
            let id = session.id.as_bytes().to_vec();
            sqlx::query("UPDATE users SET is_active = 0 WHERE username = 'ada'").execute(pool).await.unwrap();
            let groups = "UPDATE login_sessions SET \"groups\" = '[\"others\"]' WHERE id = ?";
            sqlx::query(groups).bind(id.clone()).execute(pool).await.unwrap();
            sqlx::query("DELETE FROM login_sessions WHERE id = ?").bind(id).execute(pool).await.unwrap();
            sqlx::query("DELETE FROM users WHERE username = 'ada'").execute(pool).await.unwrap();
        }
    }
    let (of_session, of_user) = (Changed::Session(session.id), Changed::User(user.id));
    assert_eq!(told(&mut *changes).await, [of_user.clone(), of_session.clone(), of_session, of_user]);
}

#[tokio::test]
async fn sqlite_does_not_tell_what_expired_anyway() {
    let bench = Bench::sqlite().await;
    let (_, _other, mut changes) = scene(&bench).await;
    let gone = SessionRecord { expires: now() - Duration::from_secs(90), ..session_of(b"b") };
    assert!(bench.store.create_session(&gone).await.unwrap());
    bench.store.delete_session(gone.id).await.unwrap();
    assert_eq!(told(&mut *changes).await, []);
}

/// What is missing from what one is told would go on for ever: so one is told that something is.
#[tokio::test]
async fn sqlite_that_has_lost_a_change_says_so() {
    let lost = ["DELETE FROM changes WHERE number <= 2", "DELETE FROM changes"];
    for lose in lost {
        let bench = Bench::sqlite().await;
        let (session, other, mut changes) = scene(&bench).await;
        for round in 1..=3 {
            let expires = session.expires - Duration::from_secs(round);
            assert!(bench.store.save_session(&SessionRecord { expires, ..session.clone() }).await.unwrap());
        }
        sqlx::query(lose).execute(bench.raw.pool()).await.unwrap();
        assert!(changes.next(&mut Vec::new()).await.is_err(), "{lose}");
        // From then on it can be followed again, once something has changed.
        let expires = session.expires - Duration::from_secs(9);
        assert!(bench.store.save_session(&SessionRecord { expires, ..session.clone() }).await.unwrap());
        let mut changes = other.follow().await.unwrap().unwrap();
        assert_eq!(told(&mut *changes).await, []);
        bench.store.delete_session(session.id).await.unwrap();
        assert_eq!(told(&mut *changes).await, [Changed::Session(session.id)]);
    }
}

/// An operator who changes all accounts at once.
#[tokio::test]
async fn sqlite_in_which_too_much_has_changed_says_so_and_keeps_little() {
    let bench = Bench::sqlite().await;
    let (_, other, mut changes) = scene(&bench).await;
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) \
                INSERT INTO changes (user_id) SELECT i FROM n";
    let insert = async |number: i64| sqlx::query(many).bind(number).execute(bench.raw.pool()).await.unwrap();
    insert(i64::try_from(limits::CHANGES_AT_ONCE).unwrap()).await;
    assert_eq!(told(&mut *changes).await.len(), limits::CHANGES_AT_ONCE);
    insert(limits::CHANGES_KEPT * 2).await;
    assert!(changes.next(&mut Vec::new()).await.is_err());
    assert_eq!(told(&mut *other.follow().await.unwrap().unwrap()).await, []);
    // What is old is removed when a store is opened, and once a minute.
    let _again = bench.raw.open().await;
    eventually("removed", || async {
        let count = sqlx::query_scalar("SELECT count(*) FROM changes");
        let left: i64 = count.fetch_one(bench.raw.pool()).await.unwrap();
        (left == limits::CHANGES_KEPT).then_some(())
    })
    .await;
}

/// Hence it is asked.
#[tokio::test]
async fn a_mongodb_server_by_itself_cannot_be_followed() {
    let bench = Bench::mongo().await;
    assert!(bench.store.follow().await.unwrap().is_none());
    bench.raw.database().drop().await.unwrap();
}

#[tokio::test]
async fn a_mongodb_server_that_is_gone_is_followed_no_more() {
    let (server, bench) = replica_set().await;
    let (session, _other, mut changes) = scene(&bench).await;
    server.stop();
    assert!(changes.next(&mut Vec::new()).await.is_err());
    server.start().await;
    server.primary().await;
    let mut changes = eventually("followed", || async { bench.store.follow().await.ok()? }).await;
    bench.store.delete_session(session.id).await.unwrap();
    assert_eq!(told(&mut *changes).await, [Changed::Session(session.id)]);
}

/// It says nothing, and must not be taken for one in which nothing has changed.
#[tokio::test]
async fn a_mongodb_primary_without_a_majority_is_followed_no_more() {
    let (server, bench) = replica_set().await;
    let (_, _other, mut changes) = scene(&bench).await;
    assert_eq!(told(&mut *changes).await, []);
    let late =
        doc! { "failCommands": ["update"], "writeConcernError": { "code": 64, "errmsg": "waiting for replication" } };
    server.fail(late, None).await;
    assert!(changes.next(&mut Vec::new()).await.is_err());
}

/// SecantusDB breaks the stream off itself; `election` has one that goes on.
#[tokio::test]
async fn a_mongodb_primary_that_steps_down_is_followed_no_more() {
    let (server, bench) = replica_set().await;
    let (_, other, mut changes) = scene(&bench).await;
    assert_eq!(told(&mut *changes).await, []);
    server.step_down(1).await;
    server.primary().await;
    assert!(changes.next(&mut Vec::new()).await.is_err());
    let mut changes = eventually("followed", || async { other.follow().await.ok()? }).await;
    assert_eq!(told(&mut *changes).await, []);
}

#[tokio::test]
async fn a_mongodb_change_stream_that_lags_behind_is_followed_no_more() {
    let (server, bench) = replica_set().await;
    let (_, _other, mut changes) = scene(&bench).await;
    assert_eq!(told(&mut *changes).await, []);
    let slow = doc! { "failCommands": ["getMore"], "blockConnection": true, "blockTimeMS": 60_000 };
    server.fail(slow, None).await;
    assert!(changes.next(&mut Vec::new()).await.is_err());
}

/// As the server does with what has expired.
#[tokio::test]
async fn a_mark_that_is_removed_is_left_anew() {
    let (_server, bench) = replica_set().await;
    let (session, _other, mut changes) = scene(&bench).await;
    let attempts = bench.raw.database().collection::<bson::Document>("login_attempts");
    for _ in 0..2 {
        assert_eq!(attempts.delete_many(doc! { "mark": { "$exists": true } }).await.unwrap().deleted_count, 1);
        assert_eq!(told(&mut *changes).await, []);
    }
    bench.store.delete_session(session.id).await.unwrap();
    assert_eq!(told(&mut *changes).await, [Changed::Session(session.id)]);
}

#[tokio::test]
async fn mongodb_in_which_too_much_has_changed_says_so_and_what_it_has_read() {
    let (_server, bench) = replica_set().await;
    let (session, _other, mut changes) = scene(&bench).await;
    let sessions = bench.raw.database().collection::<bson::Document>("login_sessions");
    let many = (0..=limits::CHANGES_AT_ONCE).map(|number| {
        let id = vestibule::server::ids::SessionHash::of(&number.to_be_bytes());
        doc! { "_id": binary(id.as_bytes()) }
    });
    sessions.insert_many(many).await.unwrap();
    bench.store.delete_session(session.id).await.unwrap();
    sessions.delete_many(doc! {}).await.unwrap();
    let mut changed = Vec::new();
    assert!(changes.next(&mut changed).await.is_err());
    assert_eq!(changed.first(), Some(&Changed::Session(session.id)));
}

/// All of it has changed at once.
#[tokio::test]
async fn a_mongodb_collection_that_is_dropped_or_replaced_is_followed_no_more() {
    let server = mongo::Server::start_replica_set().await;
    for replace in [false, true] {
        let bench = Bench::mongo_at(server.uri()).await;
        let (_, _other, mut changes) = scene(&bench).await;
        assert_eq!(told(&mut *changes).await, []);
        let database = bench.raw.database();
        if replace {
            let [from, to] = ["restored", "login_sessions"].map(|name| format!("{}.{name}", database.name()));
            database.collection("restored").insert_one(doc! {}).await.unwrap();
            let rename = doc! { "renameCollection": from, "to": to, "dropTarget": true };
            database.client().database("admin").run_command(rename).await.unwrap();
        } else {
            database.collection::<bson::Document>("login_sessions").drop().await.unwrap();
        }
        assert!(changes.next(&mut Vec::new()).await.is_err(), "replaced: {replace}");
    }
}

/// The driver asks on from where it was.
#[tokio::test]
async fn a_mongodb_change_stream_that_breaks_off_goes_on_without_a_gap() {
    let (server, bench) = replica_set().await;
    let (session, _other, mut changes) = scene(&bench).await;
    assert_eq!(told(&mut *changes).await, []);
    let broken = doc! { "failCommands": ["getMore"], "errorCode": 262, "errorLabels": ["ResumableChangeStreamError"] };
    server.fail(broken, Some(1)).await;
    bench.store.delete_session(session.id).await.unwrap();
    assert_eq!(told(&mut *changes).await, [Changed::Session(session.id)]);
}
