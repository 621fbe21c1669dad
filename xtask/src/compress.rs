//! The compressed forms of a file, made once here so that the server never compresses.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};

use crate::Result;

/// Writes `file.br` and `file.gz` where they are smaller than `file`.
pub(crate) fn compress(file: &Path) -> Result<()> {
    let content = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    write_if_smaller(file, "br", &content, brotli(&content))?;
    write_if_smaller(file, "gz", &content, gzip(&content))
}

fn write_if_smaller(file: &Path, extension: &str, content: &[u8], packed: std::io::Result<Vec<u8>>) -> Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    let packed = packed.map_err(|error| format!("{}: {error}", name.display()))?;
    if packed.len() < content.len() {
        fs::write(&name, packed).map_err(|error| format!("{}: {error}", name.display()))?;
    }
    Ok(())
}

fn brotli(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    let (buffer, quality, window) = (64 * 1024, 11, 22);
    let mut writer = brotli::CompressorWriter::new(&mut packed, buffer, quality, window);
    writer.write_all(content)?;
    writer.flush()?;
    drop(writer);
    Ok(packed)
}

fn gzip(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}
