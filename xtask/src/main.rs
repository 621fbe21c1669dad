//! `cargo run -p xtask -- site [--dev]` makes `target/site`, the browser's half of Vestibule.
//!
//! cargo-leptos makes the same files, but takes longer to install than everything else takes to build
//! (docs/decisions); it stays the tool of `make dev`.

mod compress;
mod inputs;
mod site;

use std::{path::Path, process::ExitCode};

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
    let Some(root) = Path::new(env!("CARGO_MANIFEST_DIR")).parent() else {
        eprintln!("xtask: its folder has no parent");
        return ExitCode::FAILURE;
    };
    match site::make(root, build) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
