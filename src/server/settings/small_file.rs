//! The text of a file that is small: settings, a secret, a certificate.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    path::Path,
};

use crate::server::limits;

/// The text of a file, unless it is larger than any we expect.
///
/// # Errors
/// What went wrong, in words; nothing of the content.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limits::SETTINGS_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {path:?} ({})", reason(&error)))?;
    if bytes.len() as u64 > limits::SETTINGS_FILE_BYTES {
        return Err(format!("{path:?} is larger than {} MiB", limits::SETTINGS_FILE_BYTES >> 20));
    }
    // What PowerShell's `>` writes.
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(format!("{path:?} is UTF-16, UTF-8 is wanted"));
    }
    String::from_utf8(bytes).map_err(|_| format!("{path:?} is not UTF-8"))
}

/// An I/O error in a few words.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}
