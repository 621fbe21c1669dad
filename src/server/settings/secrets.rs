//! Secrets in files, and the form of sealing keys.

use std::path::{Path, PathBuf};

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::SecretBox;

use super::text::unseen;
use crate::server::seal::SecretKey;

/// What a sealing key must have, in bytes.
pub(crate) const SHORTEST_KEY: usize = 32;
/// How a person makes one.
pub(crate) const MAKE_ONE: &str = "make one with: openssl rand -base64 32 | tr '+/' '-_'";

/// base64url as people write it, with or without padding.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads one key.
///
/// # Errors
/// What is wrong with it, without any of it.
pub(crate) fn key(text: &str) -> Result<SecretKey, String> {
    if let Some(what) = unseen(text, true) {
        return Err(what);
    }
    let bytes = BASE64URL.decode(text).map_err(|_| "is not base64url")?;
    if bytes.len() < SHORTEST_KEY {
        return Err(format!("has {} bytes, at least {SHORTEST_KEY} are needed", bytes.len()));
    }
    Ok(SecretBox::new(Box::new(bytes)))
}

/// The keys in a file's text: one a line, or by comma; the line end behind the last is no part of them.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    without_line_end(text)
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .flat_map(|line| line.split(','))
}

/// `text` without the one line end that editors and `echo` put at the end of a file.
pub(crate) fn without_line_end(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

/// The key file beside an SQLite database, which a first start makes.
pub(super) fn key_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".key");
    name.into()
}
