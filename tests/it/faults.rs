//! Every fault at every step: each run ends signed in or on an explained page with a way on (`docs/reliability.md`).

mod failpoints;
mod mongo;
mod person;
mod process;
mod provider;
mod proxy;
mod row;
mod steps;
mod store;

use std::{fmt::Write as _, fs, path::Path};

use self::{
    person::{RETURN_TO, Stop},
    row::{Row, play},
};

/// A section of the documentation's table.
type Section = (&'static str, fn() -> Vec<Row>);

const SECTIONS: [Section; 13] = [
    ("The provider is down", provider::down),
    ("The provider's discovery document", provider::discovery),
    ("The provider's keys", provider::keys),
    ("The authorization response", provider::response),
    ("The token endpoint", provider::token),
    ("The ID token", provider::id_token),
    ("Userinfo", provider::userinfo),
    ("The program", process::rows),
    ("A proxy in front (nginx)", proxy::variants),
    ("A proxy in front (nginx), and the program goes away", proxy::away),
    ("The store (SQLite)", store::rows),
    ("The store (MongoDB)", mongo::rows),
    ("The store (MongoDB, by fail points)", failpoints::rows),
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
    provider_down: provider::down();
    discovery: provider::discovery();
    keys: provider::keys();
    authorization_response: provider::response();
    token: provider::token();
    id_token: provider::id_token();
    userinfo: provider::userinfo();
    program: process::rows();
    proxy: proxy::variants();
    proxy_and_no_program: proxy::away();
    store: store::rows();
    store_on_mongodb: mongo::rows();
    store_with_fail_points: failpoints::rows();
}

/// The panel's poll never waits: it must find that the exchange before it could not be claimed, or the page would wait
/// for ever without an explanation.
#[tokio::test]
async fn a_person_with_javascript_is_told_that_the_store_is_down() {
    let played = tokio::time::timeout(std::time::Duration::from_secs(60), store::person_with_javascript()).await;
    assert!(matches!(played.expect("still waiting").stop, Stop::Explained(_)));
}

/// A page without JavaScript reloads at once, so the server has to hold the request while it waits.
#[tokio::test]
async fn a_person_without_javascript_is_not_sent_round_for_nothing() {
    store::person_without_javascript().await;
}

/// A poll gets its response before its exchange could be claimed; the next one must find the result.
#[tokio::test]
async fn a_person_with_javascript_gets_in_when_the_store_is_back() {
    let played = tokio::time::timeout(std::time::Duration::from_secs(60), failpoints::by_questions_alone()).await;
    played.expect("still waiting").stop.landed(RETURN_TO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_out_that_nobody_waits_for_any_more_ends_the_session_all_the_same() {
    store::sign_out_without_patience().await;
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
        "docs/reliability.md is stale: UPDATE_DOCS=1 cargo test --features ssr,demo --test it faults::the_doc"
    );
}

fn documentation() -> String {
    let sections = SECTIONS.map(|(title, rows)| (title, rows()));
    let all: usize = sections.iter().map(|(_, rows)| rows.len()).sum();
    assert!(all >= 120, "{all} rows");
    let mut out = include_str!("faults/reliability.md").replace("{all}", &all.to_string());
    for (title, rows) in sections {
        write!(out, "\n## {title}\n\n| fault | at | how it ends |\n|---|---|---|\n").unwrap();
        for row in rows {
            writeln!(out, "{}", row.line()).unwrap();
        }
    }
    out
}
