//! One connection: reads requests, asks the rules, and sends what they make of the response.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tower::ServiceExt as _;

use super::message::{Head, Reply};
use crate::{endpoint::Endpoint, log::Arrival, provider::Provider, rules::Fault, tls::Stream};

/// More than any token of the test people needs.
const HEAD_CAP: usize = 256 * 1024;
const BODY_CAP: usize = 1024 * 1024;
/// Bytes of a chunk of the body without end, and how long after the one before it comes.
const ENDLESS_CHUNK: usize = 16 * 1024;
const ENDLESS_PAUSE: Duration = Duration::from_millis(5);

/// The connection is over; everything has been sent.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

/// One connection, until either side closes it.
pub(crate) struct Connection<S> {
    stream: S,
    peer: SocketAddr,
    read: Vec<u8>,
    provider: Arc<Provider>,
    router: Router,
}

impl<S: Stream> Connection<S> {
    pub(crate) fn new(stream: S, peer: SocketAddr, provider: Arc<Provider>, router: Router) -> Self {
        Self { stream, peer, read: Vec::new(), provider, router }
    }

    pub(crate) async fn serve(mut self) {
        loop {
            match self.request().await {
                Ok(true) => {}
                Ok(false) => return drop(self.stream.shutdown().await),
                Err(Over) => return,
            }
        }
    }

    /// Serves one request. `Ok(true)`: another may come.
    async fn request(&mut self) -> Result<bool, Over> {
        let head = self.head().await?;
        let endpoint = self.provider.issuer.endpoint(head.uri.path());
        let plan = self.provider.rules.plan(endpoint);
        let unread = matches!(plan.fault, Some(Fault::CloseBeforeReading));
        let body = if unread { Vec::new() } else { self.body(&head).await? };
        let number = self.log(endpoint, &head, &body);
        if let Some(delay) = plan.delay {
            tokio::time::sleep(delay).await;
        }
        if let Some(hold) = plan.hold {
            hold.released().await;
        }
        if let Some(fault) = &plan.fault {
            self.break_off(fault).await?;
        }
        let mut reply = match plan.fault.as_ref().and_then(Reply::of_fault) {
            Some(reply) => reply,
            None => self.route(&head, body).await,
        };
        for edit in &plan.head {
            reply.edit(edit);
        }
        if matches!(plan.fault, Some(Fault::CloseProcessed)) {
            return Err(Over);
        }
        self.provider.log.answered(number, reply.status.as_u16());
        self.send(&head, &reply, plan.fault.as_ref()).await?;
        Ok(head.keep_alive)
    }

    fn log(&self, endpoint: Endpoint, head: &Head, body: &[u8]) -> u64 {
        self.provider.log.arrived(
            endpoint,
            &Arrival {
                at: self.provider.now(),
                peer: self.peer,
                method: &head.method,
                path: head.uri.path(),
                query: head.uri.query().unwrap_or_default(),
                headers: &head.headers,
                head_bytes: head.bytes,
                body,
            },
        )
    }

    async fn head(&mut self) -> Result<Head, Over> {
        let limit = self.provider.config.head_limit;
        let end = loop {
            // No method begins otherwise: this is TLS, or no HTTP at all, and an end of the head might never come.
            if self.read.first().is_some_and(|byte| !byte.is_ascii_alphabetic()) {
                return Err(self.refuse(StatusCode::BAD_REQUEST).await);
            }
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if self.read.len() > HEAD_CAP {
                return Err(self.refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).await);
            }
            self.fill().await?;
        };
        let text: Vec<u8> = self.read.drain(..end).collect();
        let Some(head) = Head::parse(&text) else { return Err(self.refuse(StatusCode::BAD_REQUEST).await) };
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
        let reply = Reply::plain(status);
        let _ = self.stream.write_all(&reply.head(false)).await;
        let _ = self.stream.write_all(&reply.body).await;
        let _ = self.stream.shutdown().await;
        // What is still coming has to be read, or the peer may see a reset before the response.
        let mut rest = [0; 4096];
        let _ =
            timeout(Duration::from_secs(1), async { while let Ok(1..) = self.stream.read(&mut rest).await {} }).await;
        Over
    }

    /// `Err` for the faults after which there is nothing more to send.
    async fn break_off(&mut self, fault: &Fault) -> Result<(), Over> {
        match fault {
            Fault::Wire { base64 } => {
                self.stream.write_all(&STANDARD.decode(base64).unwrap_or_default()).await?;
                self.stream.shutdown().await?;
            }
            Fault::EndlessBody => self.endless().await?,
            Fault::NeverAnswer => {
                let mut ignored = [0; 256];
                while let Ok(1..) = self.stream.read(&mut ignored).await {}
            }
            Fault::CloseBeforeReading | Fault::CloseUnprocessed => {}
            Fault::Reset => self.stream.reset_on_drop()?,
            _ => return Ok(()),
        }
        Err(Over)
    }

    async fn route(&self, head: &Head, body: Vec<u8>) -> Reply {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        request.extensions_mut().insert(self.peer);
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    async fn send(&mut self, head: &Head, reply: &Reply, fault: Option<&Fault>) -> Result<(), Over> {
        let start = reply.head(head.keep_alive);
        let body = if head.method == Method::HEAD { &[][..] } else { &reply.body };
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
        Ok(self.stream.flush().await?)
    }

    async fn trickle(&mut self, bytes: &[u8], ms: u64) -> Result<(), Over> {
        for byte in bytes {
            self.stream.write_all(&[*byte]).await?;
            self.stream.flush().await?;
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        Ok(())
    }

    async fn endless(&mut self) -> Result<(), Over> {
        let start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        self.stream.write_all(start).await?;
        let chunk = format!("{ENDLESS_CHUNK:x}\r\n{}\r\n", " ".repeat(ENDLESS_CHUNK));
        loop {
            tokio::time::sleep(ENDLESS_PAUSE).await;
            self.stream.write_all(chunk.as_bytes()).await?;
        }
    }
}
