//! Stops a release build of the server that would have no site in it.

use std::{fs, path::Path};

/// Where `src/server/http/assets.rs` looks for the wasm.
const PKG: &str = "target/site/auth/assets/pkg";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let embeds = std::env::var_os("CARGO_FEATURE_SSR").is_some()
        && std::env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    if !embeds {
        return;
    }
    // The macro that embeds the files does not tell cargo of an added one.
    println!("cargo::rerun-if-changed=target/site");
    let is_wasm = |path: &Path| path.extension().is_some_and(|extension| extension == "wasm");
    let has_wasm = fs::read_dir(PKG).is_ok_and(|entries| entries.flatten().any(|entry| is_wasm(&entry.path())));
    if !has_wasm {
        println!(
            "cargo::error={PKG} has no wasm to put into the program: `make build`, or `cargo run -p xtask -- site`"
        );
    }
}
