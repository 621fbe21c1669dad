//! The compressed forms of a file, made once here so that the server never compresses.

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};

use crate::Result;

/// Writes `file.br` and `file.gz`, for the smallest file too: `cargo leptos build --precompress` does the same.
pub(crate) fn compress(file: &Path) -> Result<()> {
    let forms = || {
        let content = fs::read(file)?;
        fs::write(beside(file, "br"), brotli(&content)?)?;
        fs::write(beside(file, "gz"), gzip(&content)?)
    };
    forms().map_err(|error: io::Error| format!("{}: {error}", file.display()))
}

/// The name of `file`'s form with this extension.
pub(crate) fn beside(file: &Path, extension: &str) -> OsString {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    let (buffer, quality, window) = (64 * 1024, 11, 22);
    brotli::CompressorWriter::new(&mut packed, buffer, quality, window).write_all(content)?;
    Ok(packed)
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}
