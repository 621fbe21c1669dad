//! `cargo run -p xtask -- site [--dev]` makes `target/site`, the browser's half of Vestibule.
//!
//! cargo-leptos makes the same files, but takes longer to install than everything else takes to build
//! (docs/decisions); it stays the tool of `make dev`.

mod compress;
mod inputs;
mod site;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What every step can fail with: a sentence for a person.
type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "usage: cargo run -p xtask -- site [--dev]

  site         make target/site: wasm, glue, style and public files, each beside its compressed forms
  site --dev   the same from an unoptimized build: quicker to make, many times the size";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let build = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["site"] => site::Build::Release,
        ["site", "--dev"] => site::Build::Dev,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    // Asked for when it runs, not compiled in: clones that share a target folder share this program.
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let Some(root) = folder.as_deref().and_then(Path::parent) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match site::make(root, build) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
