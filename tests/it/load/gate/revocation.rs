//! Signed out, disabled, demoted: at once in the process that does it, and within five seconds in the others.

use std::{net::Ipv4Addr, path::Path, time::Instant};

use mongodb::bson::{Document, doc};
use vestibule::server::limits;

use super::{Gated, Known, Load};
use crate::{
    load::TURN,
    support::{mongo, process::Database, wait::eventually, wire::Wire},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_an_end_in_three_processes_on_one_file() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("gate.db"));
    an_end_is_an_end("SQLite", folder.path(), database, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_an_end_in_three_processes_on_mongodb() {
    let _turn = TURN.lock().await;
    an_end_is_an_end_on("MongoDB", mongo::Server::start_own().await, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_an_end_in_three_processes_that_follow_a_replica_set() {
    let _turn = TURN.lock().await;
    an_end_is_an_end_on("MongoDB, followed", mongo::Server::start_replica_set().await, true).await;
}

async fn an_end_is_an_end_on(name: &str, server: mongo::Server, is_followed: bool) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Mongo { uri: server.uri().to_owned(), name: mongo::database_name() };
    an_end_is_an_end(name, folder.path(), database, is_followed).await;
    tokio::task::block_in_place(|| drop(server));
}

/// The columns, or fields, of one person's account, changed behind the program's back.
async fn change(database: &Database, username: &str, role: &str, is_active: bool) {
    match database {
        Database::Sqlite(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
            let changed = sqlx::query("UPDATE users SET role = ?, is_active = ? WHERE username = ?")
                .bind(role)
                .bind(is_active)
                .bind(username)
                .execute(&pool)
                .await
                .unwrap();
            assert_eq!(changed.rows_affected(), 1);
            pool.close().await;
        }
        Database::Mongo { uri, name } => {
            let client = mongodb::Client::with_uri_str(uri).await.unwrap();
            let users = client.database(name).collection::<Document>("users");
            let fields = doc! { "$set": { "role": role, "is_active": is_active } };
            let changed = users.update_one(doc! { "username": username }, fields).await.unwrap();
            assert_eq!(changed.matched_count, 1);
        }
    }
}

/// `is_followed`: the store says what has changed; else it is asked.
async fn an_end_is_an_end(name: &str, folder: &Path, database: Database, is_followed: bool) {
    let gated = Gated::start(folder, database, 3, 4).await;
    if is_followed {
        all_follow(&gated).await;
    }
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(gated.signs_in(number).await);
    }
    let [signs_out, disabled, demoted, stays]: &[Known; 4] = people.as_slice().try_into().unwrap();
    change(&gated.database, "person-00002", "admin", true).await;
    let questions = [
        gated.check("/page", signs_out),
        gated.check("/page", disabled),
        gated.check("/admin/x", demoted),
        gated.check("/page", stays),
    ];
    for program in 0..3 {
        for question in &questions {
            eventually("everybody is let in everywhere", || async {
                (gated.ask(program, question).await.status == 200).then_some(())
            })
            .await;
        }
    }

    let gates: Vec<_> = gated.programs.iter().map(|program| program.gate).collect();
    let load = Load::of(&gates, &questions);
    // Each is asked for ahead of time, too, so that there is always an answer under way.
    tokio::time::sleep(limits::SESSION_KNOWN_FRESH).await;
    signs_out.person.sign_out().await;
    let signed_out = Instant::now();
    change(&gated.database, "person-00001", "user", false).await;
    let was_disabled = Instant::now();
    change(&gated.database, "person-00002", "user", true).await;
    let was_demoted = Instant::now();
    tokio::time::sleep(limits::SESSION_KNOWN_FRESH * 2).await;
    let seen = load.ends().await;

    for (program, seen) in seen.iter().enumerate() {
        for (number, (ended, status)) in
            [(signed_out, 401), (was_disabled, 401), (was_demoted, 403)].into_iter().enumerate()
        {
            let Some(last_yes) = seen[number].last_yes else {
                panic!("nobody was let in: {:?}", seen[number].statuses)
            };
            let held = last_yes.saturating_duration_since(ended);
            println!("{name}: {program}: {number}: yes for {held:?} after the end; {:?}", seen[number].statuses);
            // A question that begins later than that is answered by what the store has said since.
            assert!(held < limits::SESSION_KNOWN_FRESH, "program {program}, {number}: {held:?}");
            if (program, number) == (0, 0) {
                assert!(last_yes <= signed_out, "at once, where it was done: {held:?}");
            }
            assert!(seen[number].statuses.keys().eq(&[200, status]), "{:?}", seen[number].statuses);
        }
        assert!(seen[3].statuses.keys().eq(&[200]), "who stays: {:?}", seen[3].statuses);
        println!("{name}: {program}: the slowest check took {:?}", seen.iter().map(|seen| seen.slowest).max().unwrap());
    }
}

async fn all_follow(gated: &Gated) {
    for program in &gated.programs {
        eventually("each goes by what it is told", || async {
            let metrics = Wire::open(Ipv4Addr::LOCALHOST, program.admin).await.get("/metrics", None).await;
            String::from_utf8(metrics.body).unwrap().contains("vestibule_store_followed 1\n").then_some(())
        })
        .await;
    }
}
