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
    let cannot = |error| format!("cannot read {path:?} ({})", reason(&error));
    // To open a pipe would wait for whoever writes into it. A link to a file is one, as in Kubernetes.
    match path.metadata().map_err(cannot)?.file_type() {
        kind if kind.is_file() => {}
        kind if kind.is_dir() => return Err(format!("{path:?} is a directory, a file is wanted")),
        _ => return Err(format!("{path:?} is a pipe or a device, a file is wanted")),
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limits::SETTINGS_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(cannot)?;
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

/// Says so where other users can read a key.
#[cfg(unix)]
pub(crate) fn warn_if_readable_by_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "other users can read the key file; run chmod 600 on it");
    }
}

/// Says so where other users can read a key.
#[cfg(not(unix))]
pub(crate) fn warn_if_readable_by_others(_: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_or_a_link_to_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("link", at("link of a link")).unwrap();
        for name in ["file", "link", "link of a link"] {
            assert_eq!(read(&at(name)).unwrap(), "text", "{name}");
        }
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        std::os::unix::fs::symlink("nowhere", at("lost")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (path, what) in [
            (at("pipe"), "is a pipe or a device"),
            (at("socket"), "is a pipe or a device"),
            ("/dev/zero".into(), "is a pipe or a device"),
            (folder.path().to_owned(), "is a directory"),
            (at("lost"), "no such file"),
            (at("file").join("x"), "cannot read"),
        ] {
            let found = read(&path).unwrap_err();
            assert!(found.contains(what), "{found}");
        }
    }
}
