//! Makes Rust of the words in `locales/`, and stops a release build of the server that would have no site in it.

use std::{env, fs, path::Path};

#[path = "build/words.rs"]
mod words;

/// Where `src/server/assets.rs` looks for the wasm.
const PKG: &str = "target/site/auth/assets/pkg";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/words.rs");
    if let Err(error) = write_words() {
        println!("cargo::error={error}");
    }
    check_site();
}

/// Writes what `src/view/texts/` and `src/server/operator_texts.rs` include.
fn write_words() -> Result<(), String> {
    println!("cargo::rerun-if-changed=locales");
    println!("cargo::rerun-if-changed=src/view");
    let (mut locales, mut views) = (Vec::new(), Vec::new());
    read_folder(Path::new("locales"), "toml", &mut locales)?;
    read_folder(Path::new("src/view"), "rs", &mut views)?;
    let generated = match words::generate(&locales, &views) {
        Ok(generated) => generated,
        Err(faults) => {
            for fault in faults {
                // A line break would end the message.
                println!("cargo::error={}", fault.replace('\n', " "));
            }
            return Ok(());
        }
    };
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let files = [("panel.rs", generated.panel), ("pages.rs", generated.pages), ("operator.rs", generated.operator)];
    for (name, text) in files {
        fs::write(Path::new(&out).join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

/// Reads every file in `folder`, and in the folders in it, whose name ends in `extension`.
fn read_folder(folder: &Path, extension: &str, sources: &mut Vec<words::Source>) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_folder(&path, extension, sources)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            sources.push(words::Source { path: path.display().to_string(), text });
        }
    }
    Ok(())
}

fn check_site() {
    let embeds = env::var_os("CARGO_FEATURE_SSR").is_some()
        && env::var_os("PROFILE").is_some_and(|profile| profile == "release");
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
