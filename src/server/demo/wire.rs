//! HTTP/1.1 by hand, since most of what a provider can do wrong happens below any HTTP library.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING},
};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tower::ServiceExt as _;

use super::{
    faults::{Fault, HeadEdit},
    log::Arrival,
    server::Provider,
};

/// More than any token of the test people needs.
const HEAD_CAP: usize = 256 * 1024;
const BODY_CAP: usize = 1024 * 1024;

/// Why a connection is over; what had to be said has been said.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: usize,
    /// Whether another request may follow on the connection.
    keep_alive: bool,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn plain(status: StatusCode) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))]);
        let body = status.canonical_reason().unwrap_or_default().as_bytes().to_vec();
        Self { status, headers, body }
    }
}

/// One connection, until either side has had enough.
pub(super) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    read: Vec<u8>,
    provider: Arc<Provider>,
    router: Router,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, provider: Arc<Provider>, router: Router) -> Self {
        Self { stream, peer, read: Vec::new(), provider, router }
    }

    pub(super) async fn serve(mut self) {
        while let Ok(true) = self.request().await {}
    }

    /// Serves one request. `Ok(true)`: another may come.
    async fn request(&mut self) -> Result<bool, Over> {
        let head = self.head().await?;
        let endpoint = self.provider.issuer.endpoint(head.uri.path());
        let plan = self.provider.rules.plan(endpoint);
        let unread = matches!(plan.fault, Some(Fault::CloseBeforeReading));
        let body = if unread { Vec::new() } else { self.body(&head).await? };
        let number = self.provider.log.arrived(
            endpoint,
            &Arrival {
                at: self.provider.config.system.now(),
                method: &head.method,
                path: head.uri.path(),
                query: head.uri.query().unwrap_or_default(),
                headers: &head.headers,
                head_bytes: head.bytes,
                body: &body,
            },
        );
        if let Some(delay) = plan.delay {
            tokio::time::sleep(delay).await;
        }
        if let Some(gate) = plan.gate {
            gate.opened().await;
        }
        let replaced = match &plan.fault {
            Some(Fault::Answer { status, headers, body }) => {
                let edit = HeadEdit { status: None, set: headers.clone(), remove: Vec::new() };
                let status = StatusCode::from_u16(*status).unwrap_or_default();
                let mut answer = Answer { status, headers: HeaderMap::new(), body: body.clone().into_bytes() };
                answer.edit(&edit);
                Some(answer)
            }
            Some(Fault::Oversized { bytes }) => {
                Some(Answer::json(format!("{{\"padding\":\"{}\"}}", "p".repeat(*bytes)).into_bytes()))
            }
            Some(Fault::GzipBomb { megabytes }) => {
                let mut answer = Answer::json(gzipped_zeros(*megabytes));
                answer.edit(&HeadEdit {
                    set: vec![("content-encoding".to_owned(), "gzip".to_owned())],
                    ..HeadEdit::default()
                });
                Some(answer)
            }
            Some(Fault::Wire { base64 }) => {
                self.stream.write_all(&STANDARD.decode(base64).unwrap_or_default()).await?;
                self.stream.shutdown().await?;
                return Err(Over);
            }
            Some(Fault::EndlessBody) => return Err(self.endless().await),
            Some(Fault::NeverAnswer) => return Err(self.until_gone().await),
            Some(Fault::CloseBeforeReading | Fault::CloseUnprocessed) => return Err(Over),
            Some(Fault::Reset) => {
                self.stream.set_zero_linger()?;
                return Err(Over);
            }
            Some(Fault::CloseProcessed | Fault::Truncated { .. } | Fault::SlowHead { .. } | Fault::SlowBody { .. })
            | None => None,
        };
        let mut answer = match replaced {
            Some(answer) => answer,
            None => self.route(&head, body).await,
        };
        for edit in &plan.head {
            answer.edit(edit);
        }
        if matches!(plan.fault, Some(Fault::CloseProcessed)) {
            return Err(Over);
        }
        self.provider.log.answered(number, answer.status.as_u16());
        self.send(&head, &answer, plan.fault.as_ref()).await?;
        Ok(head.keep_alive)
    }

    async fn head(&mut self) -> Result<Head, Over> {
        let limit = self.provider.config.head_limit;
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if self.read.len() > HEAD_CAP {
                return Err(self.refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).await);
            }
            self.fill().await?;
        };
        let text: Vec<u8> = self.read.drain(..end).collect();
        let Some(head) = parse(&text) else { return Err(self.refuse(StatusCode::BAD_REQUEST).await) };
        // Authelia would refuse the incident's token at userinfo; the test wants to see what the client does with it.
        let bearer = head.headers.get(AUTHORIZATION).filter(|value| value.as_bytes().starts_with(b"Bearer "));
        if head.bytes - bearer.map_or(0, HeaderValue::len) > limit {
            return Err(self.refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).await);
        }
        let host = head.headers.get(HOST).map(HeaderValue::as_bytes);
        if self.provider.config.check_host && host != Some(self.provider.issuer.authority().as_bytes()) {
            return Err(self.refuse(StatusCode::BAD_REQUEST).await);
        }
        Ok(head)
    }

    async fn body(&mut self, head: &Head) -> Result<Vec<u8>, Over> {
        if head.headers.contains_key(TRANSFER_ENCODING) {
            return Err(self.refuse(StatusCode::LENGTH_REQUIRED).await);
        }
        let length = match head.headers.get(CONTENT_LENGTH) {
            None => 0,
            Some(length) => match length.to_str().ok().and_then(|length| length.parse().ok()) {
                Some(length) if length <= BODY_CAP => length,
                Some(_) => return Err(self.refuse(StatusCode::PAYLOAD_TOO_LARGE).await),
                None => return Err(self.refuse(StatusCode::BAD_REQUEST).await),
            },
        };
        while self.read.len() < length {
            self.fill().await?;
        }
        Ok(self.read.drain(..length).collect())
    }

    async fn fill(&mut self) -> Result<(), Over> {
        match timeout(self.provider.config.idle, self.stream.read_buf(&mut self.read)).await {
            Ok(Ok(1..)) => Ok(()),
            _ => Err(Over),
        }
    }

    async fn refuse(&mut self, status: StatusCode) -> Over {
        let text = encode(&Answer::plain(status), false);
        let _ = self.stream.write_all(&text).await;
        let _ = self.stream.write_all(status.canonical_reason().unwrap_or_default().as_bytes()).await;
        let _ = self.stream.shutdown().await;
        // What is still coming has to be read, or the peer may see a reset before the answer.
        let mut rest = [0; 4096];
        let _ =
            timeout(Duration::from_secs(1), async { while let Ok(1..) = self.stream.read(&mut rest).await {} }).await;
        Over
    }

    async fn route(&self, head: &Head, body: Vec<u8>) -> Answer {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        request.extensions_mut().insert(self.peer);
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn send(&mut self, head: &Head, answer: &Answer, fault: Option<&Fault>) -> Result<(), Over> {
        let start = encode(answer, head.keep_alive);
        let body = if head.method == Method::HEAD { &[][..] } else { &answer.body };
        match fault {
            Some(Fault::SlowHead { ms }) => self.trickle(&start, *ms).await?,
            _ => self.stream.write_all(&start).await?,
        }
        match fault {
            Some(Fault::SlowBody { ms }) => self.trickle(body, *ms).await?,
            Some(Fault::Truncated { keep }) => {
                self.stream.write_all(body.get(..*keep).unwrap_or(body)).await?;
                self.stream.shutdown().await?;
                return Err(Over);
            }
            _ => self.stream.write_all(body).await?,
        }
        Ok(())
    }

    async fn trickle(&mut self, bytes: &[u8], ms: u64) -> Result<(), Over> {
        for byte in bytes {
            self.stream.write_all(&[*byte]).await?;
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        Ok(())
    }

    async fn endless(&mut self) -> Over {
        let start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
        let mut sent = self.stream.write_all(start).await;
        while sent.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            sent = self.stream.write_all(chunk.as_bytes()).await;
        }
        Over
    }

    /// Waits for the peer to give up.
    async fn until_gone(&mut self) -> Over {
        let mut ignored = [0; 256];
        while let Ok(1..) = self.stream.read(&mut ignored).await {}
        Over
    }
}

impl Answer {
    fn json(body: Vec<u8>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Self { status: StatusCode::OK, headers, body }
    }

    fn edit(&mut self, edit: &HeadEdit) {
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
}

/// Status line and headers.
fn encode(answer: &Answer, keep_alive: bool) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {}\r\n", answer.status).into_bytes();
    for (name, value) in answer.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH && *name != CONNECTION) {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    if answer.status != StatusCode::NO_CONTENT {
        text.extend_from_slice(format!("content-length: {}\r\n", answer.body.len()).as_bytes());
    }
    text.extend_from_slice(if keep_alive { b"\r\n".as_slice() } else { b"connection: close\r\n\r\n" });
    text
}

fn parse(text: &[u8]) -> Option<Head> {
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
    let wish = headers.get(CONNECTION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let keep_alive = if version == Version::HTTP_11 { wish != "close" } else { wish == "keep-alive" };
    Some(Head { method, uri, headers, bytes: text.len(), keep_alive })
}

/// A gzip member (RFC 1952) of zeros, without its trailer: nobody should get that far.
fn gzipped_zeros(megabytes: usize) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut filled, mut byte) = (0, 0u8);
    let mut bit = |one: bool| {
        byte |= u8::from(one) << filled;
        filled += 1;
        if filled == 8 {
            bytes.push(byte);
            (filled, byte) = (0, 0);
        }
    };
    // RFC 1951 3.2.6: last block, fixed codes, the literal 0; then "258 bytes from 1 back" over and over.
    for one in [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0] {
        bit(one == 1);
    }
    for _ in 0..megabytes * 1024 * 1024 / 258 {
        for one in [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0] {
            bit(one == 1);
        }
    }
    bytes
}
