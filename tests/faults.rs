//! Every fault at every step: each run ends signed in or on an explained page with a way on (`docs/reliability.md`).
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(dead_code, unreachable_pub, reason = "the scene serves several test programs")]

#[path = "support/faults.rs"]
mod faults;
#[path = "support/faults_failpoints.rs"]
mod faults_failpoints;
#[path = "support/faults_mongo.rs"]
mod faults_mongo;
#[path = "support/faults_process.rs"]
mod faults_process;
#[path = "support/faults_provider.rs"]
mod faults_provider;
#[path = "support/faults_proxy.rs"]
mod faults_proxy;
#[path = "support/faults_store.rs"]
mod faults_store;
#[path = "support/mongo.rs"]
mod mongo;
#[path = "support/process.rs"]
mod process;
#[path = "support/scene.rs"]
mod scene;

use std::{fmt::Write as _, fs, path::Path};

use faults::{Row, play};

/// A section of the documentation's table.
type Section = (&'static str, fn() -> Vec<Row>);

const SECTIONS: [Section; 13] = [
    ("The provider is down", faults_provider::down),
    ("The provider's discovery document", faults_provider::discovery),
    ("The provider's keys", faults_provider::keys),
    ("The authorization response", faults_provider::response),
    ("The token endpoint", faults_provider::token),
    ("The ID token", faults_provider::id_token),
    ("Userinfo", faults_provider::userinfo),
    ("The program", faults_process::rows),
    ("A proxy in front (nginx)", faults_proxy::variants),
    ("A proxy in front (nginx), and the program goes away", faults_proxy::away),
    ("The store (SQLite)", faults_store::rows),
    ("The store (MongoDB)", faults_mongo::rows),
    ("The store (MongoDB, by fail points)", faults_failpoints::rows),
];

macro_rules! sections {
    ($($name:ident: $rows:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            play($rows).await;
        })*
    };
}

sections! {
    provider_down: faults_provider::down();
    discovery: faults_provider::discovery();
    keys: faults_provider::keys();
    authorization_response: faults_provider::response();
    token: faults_provider::token();
    id_token: faults_provider::id_token();
    userinfo: faults_provider::userinfo();
    program: faults_process::rows();
    proxy: faults_proxy::variants();
    proxy_and_no_program: faults_proxy::away();
    store: faults_store::rows();
    store_on_mongodb: faults_mongo::rows();
    store_with_fail_points: faults_failpoints::rows();
}

/// The panel's question never waits: it must find that the exchange before it could not be claimed, or the page would
/// wait for ever and never say why.
#[tokio::test]
async fn somebody_with_a_script_is_told_that_the_store_is_down() {
    let played = tokio::time::timeout(std::time::Duration::from_secs(60), faults_store::somebody_with_a_script()).await;
    assert!(matches!(played.expect("still waiting").stop, faults::Stop::Explained(_)));
}

/// A page without script asks again at once, so whatever keeps it waiting has to hold it.
#[tokio::test]
async fn somebody_without_a_script_is_not_sent_round_for_nothing() {
    let held = faults_store::held_for().await;
    assert!(held >= std::time::Duration::from_secs(1), "{held:?}");
}

/// A question is answered before its exchange could be claimed; the next one must find what has become of it.
#[tokio::test]
async fn somebody_with_a_script_gets_in_when_the_store_is_back() {
    let played =
        tokio::time::timeout(std::time::Duration::from_secs(60), faults_failpoints::by_questions_alone()).await;
    played.expect("still waiting").stop.landed(faults::RETURN_TO);
}

#[test]
fn the_documentation_lists_these_rows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let expected = documentation();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/reliability.md is stale: UPDATE_DOCS=1 cargo test --features ssr,demo --test faults documentation"
    );
}

fn documentation() -> String {
    let sections = SECTIONS.map(|(title, rows)| (title, rows()));
    let all: usize = sections.iter().map(|(_, rows)| rows.len()).sum();
    assert!(all >= 120, "{all} rows");
    let mut out = include_str!("support/reliability.md").replace("{all}", &all.to_string());
    for (title, rows) in sections {
        write!(out, "\n## {title}\n\n| fault | at | how it ends |\n|---|---|---|\n").unwrap();
        for row in rows {
            writeln!(out, "{}", row.line()).unwrap();
        }
    }
    out
}
