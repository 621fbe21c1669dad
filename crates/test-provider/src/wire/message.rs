//! A request's head as it is read, and a response as it is written.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::gzip;
use crate::rules::{Fault, HeadEdit};

/// Request line and headers.
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// How long they were.
    pub(super) bytes: usize,
    /// Whether another request may follow on the connection.
    pub(super) keep_alive: bool,
}

impl Head {
    /// Reads everything up to and with the empty line.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let lines = std::str::from_utf8(text).ok()?.strip_suffix("\r\n\r\n")?;
        let mut lines = lines.split("\r\n");
        let mut request = lines.next()?.split(' ');
        let method = request.next()?.parse().ok()?;
        let uri = request.next()?.parse().ok()?;
        let version = match request.next()? {
            "HTTP/1.1" => Version::HTTP_11,
            "HTTP/1.0" => Version::HTTP_10,
            _ => return None,
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':')?;
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.trim()).ok()?);
        }
        let wish = headers.get(CONNECTION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let wish = wish.to_ascii_lowercase();
        let keep_alive = if version == Version::HTTP_11 { wish != "close" } else { wish == "keep-alive" };
        Some(Self { method, uri, headers, bytes: text.len(), keep_alive })
    }
}

/// A response, all of it.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// The status in words.
    pub(super) fn plain(status: StatusCode) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))]);
        let body = status.canonical_reason().unwrap_or_default().as_bytes().to_vec();
        Self { status, headers, body }
    }

    /// What a fault says in place of the right response, if it is one that does.
    pub(super) fn of_fault(fault: &Fault) -> Option<Self> {
        match fault {
            Fault::Answer { status, headers, body } => {
                let status = StatusCode::from_u16(*status).unwrap_or_default();
                let mut reply = Self { status, headers: HeaderMap::new(), body: body.clone().into_bytes() };
                reply.edit(&HeadEdit { set: headers.clone(), ..HeadEdit::default() });
                Some(reply)
            }
            Fault::Oversized { bytes } => {
                Some(Self::json(format!("{{\"padding\":\"{}\"}}", "p".repeat(*bytes)).into_bytes()))
            }
            Fault::GzipBomb { megabytes } => {
                let mut reply = Self::json(gzip::zeros(*megabytes));
                reply.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                Some(reply)
            }
            _ => None,
        }
    }

    fn json(body: Vec<u8>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Self { status: StatusCode::OK, headers, body }
    }

    pub(super) fn edit(&mut self, edit: &HeadEdit) {
        if let Some(status) = edit.status.and_then(|status| StatusCode::from_u16(status).ok()) {
            self.status = status;
        }
        for name in &edit.remove {
            self.headers.remove(name);
        }
        for (name, value) in &edit.set {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                self.headers.insert(name, value);
            }
        }
    }

    /// Status line and headers.
    pub(super) fn head(&self, keep_alive: bool) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        for (name, value) in self.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH && *name != CONNECTION) {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        if self.status != StatusCode::NO_CONTENT {
            text.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        text.extend_from_slice(if keep_alive { b"\r\n".as_slice() } else { b"connection: close\r\n\r\n" });
        text
    }
}
