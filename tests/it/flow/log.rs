//! What the log of a sign-in says, and what it does not.

use std::{net::Ipv4Addr, path::Path};

use test_provider::RunningProvider;

use crate::support::{
    people::{Person, Site},
    process::{Database, Program, Settings},
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 5, 6, 7);

/// A program that somebody can sign in at, and that logs to `name.log` in `folder`.
async fn started(folder: &Path, name: &str) -> (Program, Site, RunningProvider) {
    let mut program = Program::new(folder, name);
    let origin = format!("http://{}", program.address);
    let (site, provider) = Site::open(&origin, 1).await;
    let database = Database::Sqlite(folder.join("program.db"));
    let keys = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned()];
    program.set(&Settings { public_url: &origin, database: &database, provider: &provider, keys: &keys });
    program.start().await;
    (program, site, provider)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_goes_well_leaves_no_address_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (program, site, _provider) = started(folder.path(), "program").await;
    let mut person = Person::behind(&site, 0, ADDRESS);
    person.sign_in().await;
    person.sign_out().await;
    let log = program.log();
    assert!(log.contains(r#""code":"signed_in""#), "{log}");
    assert!(!log.contains(&ADDRESS.to_string()), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_to_return_to_that_is_dropped_is_logged_without_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (program, site, _provider) = started(folder.path(), "program").await;
    let browser = crate::support::browser::Browser::default();
    for asked in ["/reports%3Ffine", "https://evil.example/se-cret%3Fse-cret", "/auth/logout%3Fse-cret", "%5Cse-cret"] {
        browser.get(&format!("{}/auth/login?return_to={asked}", site.origin)).await;
    }
    browser.get(&format!("{}/auth/login?return_to=/reports?{}", site.origin, "se-cret".repeat(200))).await;
    let log = program.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(r#""code":"return_to_dropped""#)).collect();
    assert_eq!(lines.len(), 4, "{log}");
    for (line, reason) in
        lines.iter().zip(["https://evil.example\"", "Vestibule's own", "neither", "its query was left out"])
    {
        assert!(line.contains(reason), "{line}");
    }
    assert!(!log.contains("se-cret"), "{log}");
}

/// The file of the log is on a full disk, or nobody reads the pipe any more.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("full.log")).unwrap();
    let (_program, site, _provider) = started(folder.path(), "full").await;
    let mut person = Person::behind(&site, 0, ADDRESS);
    person.sign_in().await;
    person.sign_out().await;
    person.sign_in().await;
}
