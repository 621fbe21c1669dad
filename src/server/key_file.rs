//! The sealing keys in a file beside the SQLite database. A first start makes the file, so that the program runs with
//! nothing prepared.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    clock::Entropy,
    seal::SecretKey,
    settings::{
        Fault,
        secrets::{SHORTEST_KEY, key, lines},
        small_file::{read, reason, warn_if_readable_by_others},
    },
};

/// Reads the keys in `path`, and makes one with `entropy` first if there is no such file.
///
/// # Errors
/// What is wrong with `secret_keys`.
pub fn read_or_create(path: &Path, entropy: &dyn Entropy) -> Result<Vec<SecretKey>, Fault> {
    let fault = |what: String, fix: &str| Fault::new("secret_keys", what, fix);
    if !path.exists() {
        create(path, entropy).map_err(|error| {
            let what = format!("cannot be made and kept in {path:?} ({})", reason(&error));
            fault(what, "make its directory writable, or set secret_keys")
        })?;
        tracing::info!(path = %path.display(), "made a key file, since there was none; keep a copy of it with the backups");
    }
    let text = read(path).map_err(|what| fault(what, "put a readable key file there, or set secret_keys"))?;
    warn_if_readable_by_others(path);
    lines(&text)
        .map(|line| {
            if line.is_empty() {
                let fix = "remove the line; if the file holds no key, restore it, or set secret_keys";
                return Err(fault(format!("{path:?}: has an empty line"), fix));
            }
            key(line).map_err(|what| fault(format!("{path:?}: {what}"), "restore the file, or set secret_keys"))
        })
        .collect()
}

/// Makes a key file. It appears complete or not at all, and the second of two processes uses the first one's.
fn create(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
    let mut random = [0; SHORTEST_KEY];
    let mut suffix = [0; 8];
    entropy.fill(&mut random);
    entropy.fill(&mut suffix);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", hex::encode(suffix)));
    let draft = PathBuf::from(draft);

    let made =
        write_private(&draft, &format!("{}\n", URL_SAFE_NO_PAD.encode(random))).and_then(|()| {
            match fs::hard_link(&draft, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            }
        });
    let tidied = fs::remove_file(&draft);
    made.and(tidied)
}

/// Makes a file that nobody else may read, unless there is one. What cannot be written whole is not left there.
pub(super) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // What went wrong before says more.
        let _ = fs::remove_file(path);
    }
    written
}
