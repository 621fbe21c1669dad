//! Content codings of a provider's answers (RFC 9110 8.4): what we ask for, and how it is taken off within the limit on
//! bytes. The HTTP client could do it, but takes `GZIP` for something else than `gzip`, and says of a body that is broken
//! that the provider cannot be reached.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};

/// What is said in each request.
pub(super) const ACCEPTED: &str = "gzip, br";

/// The most that is unpacked at a time.
const STEP: usize = 8 * 1024;

/// Why a body cannot be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packed {
    /// By a coding that we did not ask for.
    Unknown(String),
    /// It is not what its coding says.
    Broken(&'static str),
    /// It is larger than it may be once unpacked.
    TooLarge,
}

/// `body` without its codings, at most `most` bytes of it.
pub(super) fn unpack(headers: &HeaderMap, body: &[u8], most: usize) -> Result<Vec<u8>, Packed> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let codings = headers.get_all(header::CONTENT_ENCODING).into_iter();
    let codings = codings.map(|codings| String::from_utf8_lossy(codings.as_bytes()).to_ascii_lowercase());
    let codings = codings.collect::<Vec<_>>().join(",");
    let codings = codings.split(',').map(str::trim).filter(|coding| !matches!(*coding, "" | "identity"));
    // The last one was put on last.
    codings.rev().try_fold(body.to_vec(), |body, coding| match coding {
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(body.as_slice()), most, "gzip"),
        "br" => read(brotli_decompressor::Decompressor::new(body.as_slice(), STEP), most, "br"),
        other => Err(Packed::Unknown(other.to_owned())),
    })
}

fn read(decoder: impl Read, most: usize, coding: &'static str) -> Result<Vec<u8>, Packed> {
    let mut unpacked = Vec::new();
    let bounded = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read: io::Result<usize> = decoder.take(bounded).read_to_end(&mut unpacked);
    match read {
        Ok(_) if unpacked.len() > most => Err(Packed::TooLarge),
        Ok(_) => Ok(unpacked),
        Err(_) => Err(Packed::Broken(coding)),
    }
}
