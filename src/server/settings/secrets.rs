//! Sealing keys: their form, and the one that a first start on SQLite makes for itself.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use secrecy::SecretBox;

use super::{
    Fault, SecretKey,
    source::{read, reason},
};
use crate::server::clock::Entropy;

/// What a sealing key must have, in bytes.
const SHORTEST_KEY: usize = 32;
/// How a person makes one.
pub(super) const MAKE_ONE: &str = "make one with: openssl rand -base64 32 | tr '+/' '-_'";

/// base64url as people write it, with or without padding.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads one key.
///
/// # Errors
/// What is wrong with it, without any of it.
pub(super) fn key(text: &str) -> Result<SecretKey, String> {
    let bytes = BASE64URL.decode(text).map_err(|_| "is not base64url")?;
    if bytes.len() < SHORTEST_KEY {
        return Err(format!("has {} bytes, at least {SHORTEST_KEY} are needed", bytes.len()));
    }
    Ok(SecretBox::new(Box::new(bytes)))
}

/// The keys in a file's text: one a line, or by comma; one newline at the end is no part of them.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    without_newline(text).split(['\n', ','])
}

/// `text` without the one newline that editors and `echo` put at the end of a file.
pub(super) fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Where the keys are kept beside an SQLite database.
fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

/// The keys kept beside `database`, made first if there are none.
///
/// # Errors
/// One fault, of `secret_keys`.
pub(super) fn kept_beside(database: &Path, entropy: &dyn Entropy) -> Result<Vec<SecretKey>, Fault> {
    let path = beside(database);
    let fault = |what: String, mend: &str| Fault::new("secret_keys", what, mend);
    if !path.exists() {
        make(&path, entropy).map_err(|error| {
            fault(
                format!("cannot be made and kept in {path:?} ({})", reason(&error)),
                "make its directory writable, or set secret_keys",
            )
        })?;
    }
    warn_if_readable_by_others(&path);
    let text = read(&path).map_err(|what| fault(what, "make it readable, or set secret_keys"))?;
    lines(&text)
        .map(|line| {
            key(line).map_err(|what| fault(format!("{path:?}: {what}"), "restore the file, or set secret_keys"))
        })
        .collect()
}

/// Makes a key file. It appears complete or not at all, and whoever comes second keeps the first one's.
fn make(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
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

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn warn_if_readable_by_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), code = "key_file_readable_by_others", "other users can read the key file: set its mode to 0600");
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_others(_: &Path) {}
