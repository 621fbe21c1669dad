//! Responses that are wrong as a whole, or sent incorrectly.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What comes in place of the right response. Unless said otherwise the request is not looked at, so a code stays good.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Another response.
    Answer {
        /// The status.
        status: u16,
        /// All headers but the length.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body.
        #[serde(default)]
        body: String,
    },
    /// JSON of so many bytes.
    Oversized {
        /// How many.
        bytes: usize,
    },
    /// `Content-Encoding: gzip`, and so many megabytes of zeros in it.
    GzipBomb {
        /// How many, unpacked.
        megabytes: usize,
    },
    /// These bytes (base64) on the connection, then its end: no HTTP need be in them.
    Wire {
        /// The bytes.
        base64: String,
    },
    /// 200 and JSON, and no end of it.
    EndlessBody,
    /// Never a response; the connection stays open.
    NeverAnswer,
    /// The connection ends before the body of the request is read.
    CloseBeforeReading,
    /// The connection ends after the request was read.
    CloseUnprocessed,
    /// The request is processed (a code is used up), then the connection ends without a response.
    CloseProcessed,
    /// The connection is reset after the request was read.
    Reset,
    /// The right response, cut off after so many bytes of its body, its length announced in full.
    Truncated {
        /// How many bytes.
        keep: usize,
    },
    /// The right response, a byte of its head in so many milliseconds.
    SlowHead {
        /// For each byte.
        ms: u64,
    },
    /// The right response, a byte of its body in so many milliseconds.
    SlowBody {
        /// For each byte.
        ms: u64,
    },
}

impl Fault {
    /// A response without content type and body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: String::new() }
    }

    /// An HTML page.
    #[must_use]
    pub fn html(status: u16) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: "<!DOCTYPE html><title>A page</title><h1>Not what was asked for</h1>".to_owned(),
        }
    }

    /// These bytes on the connection, then its end.
    #[must_use]
    pub fn wire(bytes: &[u8]) -> Self {
        Self::Wire { base64: STANDARD.encode(bytes) }
    }

    /// JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    /// 429 or 503 with `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(status: u16, seconds: u32) -> Self {
        Self::Answer { status, headers: vec![("retry-after".to_owned(), seconds.to_string())], body: String::new() }
    }

    /// A redirect, for instance to another, recording provider.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::Answer { status, headers: vec![("location".to_owned(), location.to_owned())], body: String::new() }
    }
}

/// A change to status and headers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadEdit {
    /// Another status.
    pub status: Option<u16>,
    /// Headers given this value.
    pub set: Vec<(String, String)>,
    /// Headers taken away.
    pub remove: Vec<String>,
}

impl HeadEdit {
    /// Another status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// Another content type.
    #[must_use]
    pub fn content_type(value: &str) -> Self {
        Self { set: vec![("content-type".to_owned(), value.to_owned())], ..Self::default() }
    }

    /// No content type.
    #[must_use]
    pub fn no_content_type() -> Self {
        Self { remove: vec!["content-type".to_owned()], ..Self::default() }
    }
}
