//! What the site depends on, as one digest: an unchanged digest means that there is nothing to do.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::Result;

/// Whatever can change a byte of the site. All of `src` and `locales` counts, the server's half excepted.
const INPUTS: [&str; 11] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "build",
    "build.rs",
    "locales",
    "public",
    "rust-toolchain.toml",
    "src",
    "style",
    "xtask",
];
/// Compiled for the server only.
const SERVER: [&str; 5] = ["locales/operator.toml", "src/server", "src/server.rs", "src/main.rs", "src/api.rs"];

/// The digest of everything under `root` that the site is made from, and of `tools`, the versions of what makes it.
pub(crate) fn digest(root: &Path, tools: &[&str]) -> Result<String> {
    let mut files = Vec::new();
    for input in INPUTS {
        collect(&root.join(input), &mut files)?;
    }
    let server = SERVER.map(|path| root.join(path));
    files.retain(|file| !server.iter().any(|path| file.starts_with(path)));
    files.sort();
    let mut hasher = Sha256::new();
    for tool in tools {
        hash_field(&mut hasher, tool.as_bytes());
    }
    hash_files(&mut hasher, root, &files)?;
    Ok(hex(&hasher.finalize()))
}

/// The digest of a folder: of every file's name and content. A missing folder has one too.
pub(crate) fn digest_folder(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let mut hasher = Sha256::new();
    hash_files(&mut hasher, folder, &files)?;
    Ok(hex(&hasher.finalize()))
}

/// The first 64 bits of the content's SHA-256: enough to name a version of a file.
pub(crate) fn short_hash(content: &[u8]) -> String {
    hex(&Sha256::digest(content)[..8])
}

/// Every file at or under `path`.
pub(crate) fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))? {
            collect(&entry.map_err(|error| format!("{}: {error}", path.display()))?.path(), files)?;
        }
    } else if path.is_file() {
        files.push(path.to_owned());
    }
    Ok(())
}

fn hash_files(hasher: &mut Sha256, base: &Path, files: &[PathBuf]) -> Result<()> {
    for file in files {
        let name = file.strip_prefix(base).unwrap_or(file);
        hash_field(hasher, name.to_string_lossy().as_bytes());
        hash_field(hasher, &fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?);
    }
    Ok(())
}

/// With its length before it, so that no two lists of fields are the same bytes.
fn hash_field(hasher: &mut Sha256, field: &[u8]) {
    hasher.update((field.len() as u64).to_le_bytes());
    hasher.update(field);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_changes_with_what_the_browser_gets_and_with_nothing_else() {
        let root = std::env::temp_dir().join(format!("vestibule-xtask-{}", std::process::id()));
        let write = |path: &str, content: &str| {
            let file = root.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        };
        let now = |tools: &[&str]| digest(&root, tools).unwrap();
        write("src/view.rs", "a");
        write("src/server/app.rs", "a");
        let first = now(&["rustc 1"]);
        write("src/server/app.rs", "b");
        write("locales/operator.toml", "b");
        write("README.md", "b");
        assert_eq!(now(&["rustc 1"]), first);
        assert_ne!(now(&["rustc 2"]), first);
        for (path, content) in [
            ("src/view.rs", "b"),
            ("locales/en.toml", ""),
            ("public/new.svg", ""),
            ("style/main.css", "b"),
            ("Cargo.lock", "b"),
        ] {
            let before = now(&[]);
            write(path, content);
            assert_ne!(now(&[]), before, "{path}");
        }
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn neighbouring_fields_do_not_run_together() {
        let nowhere = Path::new("/nonexistent");
        assert_ne!(digest(nowhere, &["a", "bc"]).unwrap(), digest(nowhere, &["ab", "c"]).unwrap());
    }
}
