//! The store is away for half a minute while everybody works: nobody is signed out, and nobody has to do anything.

use std::time::Duration;

use super::{Gated, Load};
use crate::{
    load::TURN,
    support::{mongo, process::Database, wait::eventually},
};

/// Less than what is known holds while the store cannot tell.
const AWAY: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_signed_out_by_a_server_that_hangs() {
    nobody_is_signed_out_by(mongo::Server::pause, async |server| server.resume()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_signed_out_by_a_server_that_is_gone() {
    let stop = |server: &mongo::Server| tokio::task::block_in_place(|| server.stop());
    nobody_is_signed_out_by(stop, async |server| server.start().await).await;
}

async fn nobody_is_signed_out_by(leave: fn(&mongo::Server), come_back: impl AsyncFnOnce(&mongo::Server)) {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let server = mongo::Server::start_own().await;
    let database = Database::Mongo { uri: server.uri().to_owned(), name: mongo::database_name() };
    let gated = Gated::start(folder.path(), database, 1, 5).await;
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(gated.signs_in(number).await);
    }
    let questions: Vec<_> = people.iter().map(|known| gated.check("/page", known)).collect();
    let (unseen, known) = questions.split_last().unwrap();
    for question in known {
        assert_eq!(gated.ask(0, question).await.status, 200);
    }
    let gate = gated.programs[0].gate;

    let load = Load::of(&[gate; 4], known);
    leave(&server);
    tokio::time::sleep(AWAY / 2).await;
    // Of whom nothing is known nobody can tell, which is not "nobody".
    assert_eq!(gated.ask(0, unseen).await.status, 503);
    assert_eq!(gated.ask(0, &gated.question("/auth/verify", "/page", "")).await.status, 401, "without a cookie");
    tokio::time::sleep(AWAY / 2).await;
    let seen = load.ends().await;
    come_back(&server).await;
    let load = Load::of(&[gate; 4], known);
    eventually("it is back by itself", || async { (gated.ask(0, unseen).await.status == 200).then_some(()) }).await;
    gated.signs_in(4).await;
    let after = load.ends().await;

    for seen in seen.iter().chain(&after).flatten() {
        assert!(seen.statuses.keys().eq(&[200]), "{:?}", seen.statuses);
    }
    let slowest = seen.iter().flatten().map(|seen| seen.slowest).max().unwrap();
    let checks: usize = seen.iter().flatten().flat_map(|seen| seen.statuses.values()).sum();
    let lines = gated.programs[0].log().matches("\"sessions_from_memory\"").count();
    println!("{checks} checks while the store was away, the slowest in {slowest:?}; {lines} lines of the log");
    assert_eq!(lines, 1, "{}", gated.programs[0].log());
    tokio::task::block_in_place(|| drop(server));
}
