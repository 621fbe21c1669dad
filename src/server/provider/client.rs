//! The HTTP client for providers. What a provider sends is bounded in time and size, and nothing about us leaks: no
//! redirects (a 307 would re-post code and secret anywhere), no referer, no cookies, no proxy from the environment.

use std::{error::Error as _, io, time::Duration};

use http::{HeaderMap, StatusCode, header};
use openidconnect::{HttpRequest, url::Url};
use reqwest::{Certificate, Client, ClientBuilder, Request, Response, redirect};
use serde_json::{Map, Value};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    ProviderFault,
    fault::{causes, clip},
    strict,
};

/// A connection that takes longer will not come.
const CONNECT: Duration = Duration::from_secs(3);
/// Authelia closes idle connections after 30 s; one that we close first is never found dead.
const IDLE: Duration = Duration::from_secs(20);
/// Sign-ins talking to one provider at the same time; the others wait their turn within their own deadline.
const SLOTS: usize = 32;

/// Where a request goes, and what may come back from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Discovery,
    Keys,
    Token,
    Userinfo,
}

impl Endpoint {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Keys => "keys",
            Self::Token => "token",
            Self::Userinfo => "userinfo",
        }
    }

    /// Bytes of a body that are read; access tokens of 128 kB and 500 groups must fit (TK-12).
    const fn cap(self) -> usize {
        match self {
            Self::Discovery | Self::Keys => 256 * 1024,
            Self::Token | Self::Userinfo => 512 * 1024,
        }
    }

    /// The media types that mean JSON here; a missing Content-Type does too (TK-23, UI-05, JW-20).
    const fn json_types(self) -> &'static [&'static str] {
        match self {
            Self::Keys => &["application/json", "application/jwk-set+json"],
            Self::Discovery | Self::Token | Self::Userinfo => &["application/json"],
        }
    }

    pub(super) fn bad_answer(self, detail: &str) -> ProviderFault {
        ProviderFault::BadAnswer { endpoint: self.name(), detail: clip(detail) }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There was no connection: the request surely never left.
    #[error("{0}")]
    NotSent(ProviderFault),
    /// It may have left.
    #[error("{0}")]
    Sent(ProviderFault),
}

impl CallError {
    pub(super) fn into_fault(self) -> ProviderFault {
        match self {
            Self::NotSent(fault) | Self::Sent(fault) => fault,
        }
    }
}

/// A complete answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Lower case and without parameters; `None` where the header is missing.
    pub(super) media_type: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    endpoint: Endpoint,
}

impl Answer {
    /// The body as one JSON object of the right media type.
    pub(super) fn object(&self) -> Result<Map<String, Value>, ProviderFault> {
        if let Some(media_type) = self.media_type.as_deref()
            && !self.endpoint.json_types().contains(&media_type)
        {
            return Err(self.endpoint.bad_answer(&format!("status {}, `{media_type}`", self.status.as_u16())));
        }
        strict::object(&self.body)
            .map_err(|what| self.endpoint.bad_answer(&format!("status {}, {what}", self.status.as_u16())))
    }

    /// What a status other than 200 means where nothing more is known.
    pub(super) fn refusal(&self, now: time::OffsetDateTime) -> ProviderFault {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => {
                ProviderFault::Busy { retry_after: super::retry_after::read(&self.headers, now) }
            }
            status if status.is_server_error() => {
                ProviderFault::ServerError { endpoint: self.endpoint.name(), status: status.as_u16() }
            }
            status if status.is_redirection() => {
                self.endpoint.bad_answer(&format!("status {}: redirects are not followed", status.as_u16()))
            }
            status => self.endpoint.bad_answer(&format!("status {}", status.as_u16())),
        }
    }
}

/// The client for one provider.
pub(super) struct Http {
    /// For GET: connections are kept for a while.
    keeping: Client,
    /// For the token request. A kept connection may be closed by the server while we write to it; then nobody knows
    /// whether the code arrived, and hyper would send it again by itself if it thinks that it did not (it does so for
    /// reused connections only, hyper-util `client/legacy/client.rs`). On a connection of its own, a failure to
    /// connect is certain and everything after it counts as sent.
    fresh: Client,
    slots: Semaphore,
}

impl Http {
    /// # Errors
    /// Why the roots in `ca` cannot be used.
    pub(super) fn new(plain_http: bool, ca: Option<&[u8]>) -> Result<Self, String> {
        let roots = match ca {
            Some(pem) => Certificate::from_pem_bundle(pem).map_err(|error| causes(&error))?,
            None => Vec::new(),
        };
        if ca.is_some() && roots.is_empty() {
            return Err("holds no certificate".into());
        }
        let build = |idle: usize| {
            let builder = builder().https_only(!plain_http).pool_max_idle_per_host(idle);
            let builder = roots.iter().cloned().fold(builder, ClientBuilder::add_root_certificate);
            builder.build().map_err(|error| causes(&error))
        };
        Ok(Self { keeping: build(4)?, fresh: build(0)?, slots: Semaphore::new(SLOTS) })
    }

    /// Fetches a JSON document.
    pub(super) async fn document(
        &self,
        endpoint: Endpoint,
        url: &Url,
        deadline: Instant,
        now: time::OffsetDateTime,
    ) -> Result<Map<String, Value>, ProviderFault> {
        let request = get(url, "application/json");
        let answer = timed(endpoint, deadline, exchange(&self.keeping, endpoint, request))
            .await
            .map_err(CallError::into_fault)?;
        if answer.status == StatusCode::OK { answer.object() } else { Err(answer.refusal(now)) }
    }

    /// Asks for userinfo with `access_token`, in the header only (RFC 6750 2.1).
    pub(super) async fn userinfo(&self, url: &Url, access_token: &str, deadline: Instant) -> Result<Answer, CallError> {
        let mut request = get(url, "application/json, application/jwt");
        let mut value = header::HeaderValue::from_str(&format!("Bearer {access_token}")).map_err(|_| {
            CallError::NotSent(ProviderFault::TokenResponse("access_token cannot be sent in a header".into()))
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
        timed(Endpoint::Userinfo, deadline, self.in_turn(&self.keeping, Endpoint::Userinfo, request)).await
    }

    /// Sends the token request, once.
    pub(super) async fn token(&self, request: HttpRequest, deadline: Instant) -> Result<Answer, CallError> {
        let request = Request::try_from(request)
            .map_err(|error| CallError::NotSent(ProviderFault::TokenRefused(causes(&error.without_url()))))?;
        timed(Endpoint::Token, deadline, self.in_turn(&self.fresh, Endpoint::Token, request)).await
    }

    async fn in_turn(&self, client: &Client, endpoint: Endpoint, request: Request) -> Result<Answer, CallError> {
        let _slot = self.slots.acquire().await;
        exchange(client, endpoint, request).await
    }
}

/// What all our clients have in common; decompression is off, so that a cap on bytes is one.
#[expect(clippy::disallowed_methods, reason = "the one place where an HTTP client is made")]
fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .http1_only()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
}

fn get(url: &Url, accept: &'static str) -> Request {
    let mut request = Request::new(reqwest::Method::GET, url.clone());
    request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static(accept));
    request
}

async fn timed(
    endpoint: Endpoint,
    deadline: Instant,
    call: impl Future<Output = Result<Answer, CallError>>,
) -> Result<Answer, CallError> {
    timeout_at(deadline, call)
        .await
        .unwrap_or_else(|_| Err(CallError::Sent(ProviderFault::Slow(format!("{} endpoint", endpoint.name())))))
}

async fn exchange(client: &Client, endpoint: Endpoint, request: Request) -> Result<Answer, CallError> {
    let mut response = client.execute(request).await.map_err(classify)?;
    let body = read(&mut response, endpoint).await.map_err(CallError::Sent)?;
    let media_type = response.headers().get(header::CONTENT_TYPE).map(|value| {
        let text = value.to_str().unwrap_or("unreadable");
        text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    });
    Ok(Answer {
        status: response.status(),
        media_type,
        headers: std::mem::take(response.headers_mut()),
        body,
        endpoint,
    })
}

async fn read(response: &mut Response, endpoint: Endpoint) -> Result<Vec<u8>, ProviderFault> {
    let too_large = || endpoint.bad_answer(&format!("more than {} bytes", endpoint.cap()));
    if response.content_length().is_some_and(|length| length > endpoint.cap() as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(error).into_fault())? {
        if body.len() + chunk.len() > endpoint.cap() {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn classify(error: reqwest::Error) -> CallError {
    let error = error.without_url();
    let detail = causes(&error);
    if !error.is_connect() {
        return CallError::Sent(ProviderFault::Unreachable(detail));
    }
    CallError::NotSent(if is_tls(&error) { ProviderFault::Tls(detail) } else { ProviderFault::Unreachable(detail) })
}

/// Whether a connection failed in the TLS handshake: rustls's own faults travel as `InvalidData`, which connecting a
/// socket never yields. (`io::Error` hides what it wraps from `source`, hence the second loop.)
fn is_tls(error: &reqwest::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        let mut io = cause.downcast_ref::<io::Error>();
        while let Some(inner) = io {
            if inner.kind() == io::ErrorKind::InvalidData {
                return true;
            }
            io = inner.get_ref().and_then(|wrapped| wrapped.downcast_ref());
        }
        next = cause.source();
    }
    false
}
