//! What the log of a sign-in says, and what it does not.

use std::net::Ipv4Addr;

use crate::support::{
    people::{Person, Site},
    process::{Database, Program, Settings},
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 5, 6, 7);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_goes_well_leaves_no_address_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::new(folder.path(), "program");
    let origin = format!("http://{}", program.address);
    let (site, provider) = Site::open(&origin, 1).await;
    let database = Database::Sqlite(folder.path().join("program.db"));
    let keys = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned()];
    program.set(&Settings { public_url: &origin, database: &database, provider: &provider, keys: &keys });
    program.start().await;
    let mut person = Person::behind(&site, 0, ADDRESS);
    person.sign_in().await;
    person.sign_out().await;
    let log = program.log();
    assert!(log.contains(r#""code":"signed_in""#), "{log}");
    assert!(!log.contains(&ADDRESS.to_string()), "{log}");
}
