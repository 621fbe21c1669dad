//! The log: that it stops nothing, and what stands in it.

mod lines;
mod sinks;

use std::path::Path;

use test_provider::{ProviderConfig, RunningProvider};

use crate::support::{
    people::Site,
    process::{Database, Program, Settings},
};

/// A program that somebody can sign in at, not yet started. Its log is `program.log` in `folder`.
async fn prepared(folder: &Path, config: ProviderConfig) -> (Program, Site, RunningProvider) {
    prepared_with(folder, config, "").await
}

/// The same, with more keys of the provider.
async fn prepared_with(folder: &Path, config: ProviderConfig, more: &str) -> (Program, Site, RunningProvider) {
    let program = Program::new(folder, "program");
    let origin = format!("http://{}", program.address);
    let (site, provider) = Site::open_at(&origin, 1, config).await;
    let database = Database::Sqlite(folder.join("program.db"));
    let keys = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned()];
    program.set_with(&Settings { public_url: &origin, database: &database, provider: &provider, keys: &keys }, more);
    (program, site, provider)
}
