//! The HTTP client for providers. What a provider sends is bounded in time and size, and nothing about us leaks: no
//! redirects (a 307 would post code and secret to anywhere), no referer, no cookies, no proxy from the environment.

use std::{error::Error as _, io};

use http::{HeaderMap, StatusCode, header};
use openidconnect::url::{Position, Url};
use reqwest::{Client, ClientBuilder, Request, Response, redirect};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use super::{
    content_coding::{self, Packed},
    fault::ProviderFault,
    parameter::Parameter,
    refusal_words, retry_after,
    strict_json::{self, Object},
    tls,
};
use crate::server::{
    limits,
    log_text::{causes, clip},
};

/// Where a request goes, and what may come back from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Discovery,
    Keys,
    Pushed,
    Token,
    Userinfo,
}

impl Endpoint {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Keys => "keys",
            Self::Pushed => "pushed_authorization_request",
            Self::Token => "token",
            Self::Userinfo => "userinfo",
        }
    }

    /// Bytes of a body that are read.
    const fn max_bytes(self) -> usize {
        match self {
            Self::Discovery | Self::Keys => limits::PROVIDER_DOCUMENT_BYTES,
            Self::Pushed | Self::Token | Self::Userinfo => limits::PROVIDER_RESPONSE_BYTES,
        }
    }

    /// The media types that mean JSON here; a missing Content-Type does too (TK-23, UI-05, JW-20).
    const fn json_types(self) -> &'static [&'static str] {
        match self {
            Self::Keys => &["application/json", "application/jwk-set+json"],
            Self::Discovery | Self::Pushed | Self::Token | Self::Userinfo => &["application/json"],
        }
    }

    fn bad_answer(self, detail: &str) -> ProviderFault {
        ProviderFault::BadAnswer { endpoint: self.name(), detail: clip(detail) }
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There was no connection: the request has certainly not been sent.
    #[error("{0}")]
    NotSent(ProviderFault),
    /// It may have been sent.
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

/// A complete response, whatever its status.
pub(super) struct ProviderResponse {
    pub(super) status: StatusCode,
    /// Lower case and without parameters; `None` where the header is missing.
    pub(super) media_type: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    endpoint: Endpoint,
}

impl ProviderResponse {
    /// Whether it says that it is JSON, or says nothing.
    pub(super) fn is_json(&self) -> bool {
        self.media_type.as_deref().is_none_or(|media_type| self.endpoint.json_types().contains(&media_type))
    }

    /// The body as one JSON object of the right media type. A byte order mark before it is skipped (RFC 8259 8.1).
    pub(super) fn object(&self) -> Result<Object, ProviderFault> {
        if let Some(media_type) = self.media_type.as_deref().filter(|_| !self.is_json()) {
            return Err(self.bad(&format!("`{media_type}` instead of JSON")));
        }
        let body = strict_json::without_mark(&self.body);
        strict_json::object(body).map_err(|what| self.bad(&format!("{what}{}", looks_like(body))))
    }

    /// What the provider says about a refusal: `error` and `error_description` of the body (RFC 6749 5.2), or what stands
    /// in their place, and the challenge (RFC 6750 3).
    pub(super) fn words(&self) -> Option<String> {
        let challenges = self.headers.get_all(header::WWW_AUTHENTICATE).into_iter();
        let challenges = challenges.map(|challenge| String::from_utf8_lossy(challenge.as_bytes()).into_owned());
        let words: Vec<_> = refusal_words::of(&self.body).into_iter().chain(challenges).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What a status other than 200 means where nothing more is known than what the provider said.
    pub(super) fn refusal(&self, said: Option<String>, now: OffsetDateTime) -> ProviderFault {
        let said = said.map(|said| clip(&said));
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => {
                ProviderFault::Busy { retry_after: retry_after::read(&self.headers, now), said }
            }
            status if status.is_server_error() => {
                ProviderFault::ServerError { endpoint: self.endpoint.name(), status: status.as_u16(), said }
            }
            status if status.is_redirection() => self.bad("redirects are not followed"),
            status => match said {
                Some(said) => self.bad(&said),
                None => self.endpoint.bad_answer(&format!("status {}", status.as_u16())),
            },
        }
    }

    /// It cannot be used, and why.
    pub(super) fn bad(&self, what: &str) -> ProviderFault {
        self.endpoint.bad_answer(&format!("status {}, {what}", self.status.as_u16()))
    }
}

/// What a body that is not JSON is instead, as far as its first bytes tell.
fn looks_like(body: &[u8]) -> &'static str {
    match body.trim_ascii_start() {
        [] => ": it is empty",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ": it begins with a UTF-16 byte order mark",
        [0, _, ..] | [_, 0, ..] => ": it is UTF-16",
        [0xef, 0xbb, 0xbf, ..] => ": it begins with two byte order marks",
        [0x1f, 0x8b, ..] => ": it is compressed with gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ": it is compressed with zstd",
        [0xe2, 0x80, 0x8b, ..] | [0xc2, 0xa0, ..] | [0xe2, 0x81, 0xa0, ..] => {
            ": it begins with a character that is not seen"
        }
        [b'<', ..] => ": it looks like HTML or XML",
        [b'e', b'y', b'J', ..] => ": it looks like a JWT",
        _ => "",
    }
}

/// The client for one provider.
pub(super) struct Http {
    /// For GET: connections are reused.
    pooled: Client,
    /// For POST. A reused connection may be closed by the server while we write to it; then nobody knows
    /// whether the code arrived, and hyper would send it again by itself if it thinks that it did not (it does so for
    /// reused connections only, hyper-util `client/legacy/client.rs`). On a connection of its own, a failure to
    /// connect is certain and everything after it counts as sent.
    unpooled: Client,
}

impl Http {
    /// # Errors
    /// Why the certificates in `ca_file` cannot be used.
    pub(super) fn new(plain_http: bool, ca_file: Option<&[u8]>) -> Result<Self, String> {
        let tls = tls::client_config(ca_file)?;
        let build = |idle: usize| {
            let builder = builder().https_only(!plain_http).pool_max_idle_per_host(idle);
            // One configuration for both, so that a token request resumes an earlier TLS session.
            builder.tls_backend_preconfigured(tls.clone()).build().map_err(|error| causes(&error))
        };
        Ok(Self { pooled: build(limits::PROVIDER_IDLE_CONNECTIONS)?, unpooled: build(0)? })
    }

    /// Fetches a document.
    pub(super) async fn document(
        &self,
        endpoint: Endpoint,
        url: &Url,
        now: OffsetDateTime,
    ) -> Result<ProviderResponse, ProviderFault> {
        let request = get(url, "application/json");
        let response = call(&self.pooled, endpoint, request, Instant::now() + limits::PROVIDER_DOCUMENT_TIMEOUT)
            .await
            .map_err(CallError::into_fault)?;
        match response.status {
            StatusCode::OK => Ok(response),
            // Where nothing is served, it is the setting that is wrong.
            StatusCode::NOT_FOUND if endpoint == Endpoint::Discovery => {
                Err(ProviderFault::Metadata(clip(&format!("{url} answers 404; is `issuer` the provider's?"))))
            }
            _ => Err(response.refusal(response.words(), now)),
        }
    }

    /// Asks for userinfo with `access_token`, in the header only (RFC 6750 2.1).
    pub(super) async fn userinfo(
        &self,
        url: &Url,
        access_token: &str,
        deadline: Instant,
    ) -> Result<ProviderResponse, CallError> {
        let mut request = get(url, "application/json, application/jwt");
        let mut value = header::HeaderValue::from_str(&format!("Bearer {access_token}")).map_err(|_| {
            CallError::NotSent(ProviderFault::TokenResponse("access_token cannot be sent in a header".into()))
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
        call(&self.pooled, Endpoint::Userinfo, request, deadline).await
    }

    /// Posts a form, once.
    pub(super) async fn post(
        &self,
        endpoint: Endpoint,
        url: &Url,
        form: &[Parameter],
        authorization: Option<header::HeaderValue>,
        deadline: Instant,
    ) -> Result<ProviderResponse, CallError> {
        let mut request = Request::new(reqwest::Method::POST, url.clone());
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
        let form_type = header::HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form_type);
        headers.extend(authorization.map(|value| (header::AUTHORIZATION, value)));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        *request.body_mut() = Some(body.into());
        call(&self.unpooled, endpoint, request, deadline).await
    }
}

/// What both clients have in common. They unpack nothing: [`content_coding`] does.
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
        .connect_timeout(limits::PROVIDER_CONNECT_TIMEOUT)
        .pool_idle_timeout(limits::PROVIDER_IDLE_TIMEOUT)
}

fn get(url: &Url, accept: &'static str) -> Request {
    let mut request = Request::new(reqwest::Method::GET, url.clone());
    request.headers_mut().insert(header::ACCEPT, header::HeaderValue::from_static(accept));
    request
}

async fn call(
    client: &Client,
    endpoint: Endpoint,
    request: Request,
    deadline: Instant,
) -> Result<ProviderResponse, CallError> {
    timeout_at(deadline, exchange(client, endpoint, request))
        .await
        .unwrap_or_else(|_| Err(CallError::Sent(ProviderFault::Slow(format!("{} endpoint", endpoint.name())))))
}

async fn exchange(client: &Client, endpoint: Endpoint, mut request: Request) -> Result<ProviderResponse, CallError> {
    let codings = header::HeaderValue::from_static(content_coding::ACCEPTED);
    request.headers_mut().insert(header::ACCEPT_ENCODING, codings);
    let mut response = client.execute(request).await.map_err(|error| classify(endpoint, error))?;
    let body = read(&mut response, endpoint).await.map_err(CallError::Sent)?;
    let media_type = response.headers().get(header::CONTENT_TYPE).map(|value| {
        let text = value.to_str().unwrap_or("unreadable");
        text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    });
    let media_type = media_type.filter(|media_type| !media_type.is_empty());
    let headers = std::mem::take(response.headers_mut());
    let status = response.status();
    let body = match content_coding::unpack(&headers, &body, endpoint.max_bytes()) {
        Ok(unpacked) => unpacked,
        Err(packed) if status == StatusCode::OK => return Err(CallError::Sent(wrongly_packed(endpoint, &packed))),
        // Of a refusal the status decides, and it costs the words at most.
        Err(_) => body,
    };
    Ok(ProviderResponse { status, media_type, headers, body, endpoint })
}

fn wrongly_packed(endpoint: Endpoint, packed: &Packed) -> ProviderFault {
    match packed {
        Packed::Unknown(coding) => {
            endpoint.bad_answer(&format!("status 200, in content coding `{coding}`, which we did not ask for"))
        }
        Packed::Broken(coding) => {
            endpoint.bad_answer(&format!("status 200, not what its content coding `{coding}` says"))
        }
        Packed::TooLarge => too_large(endpoint, StatusCode::OK.as_u16()),
    }
}

async fn read(response: &mut Response, endpoint: Endpoint) -> Result<Vec<u8>, ProviderFault> {
    let status = response.status().as_u16();
    let max = endpoint.max_bytes();
    let too_large = || too_large(endpoint, status);
    if response.content_length().is_some_and(|length| length > max as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(endpoint, error).into_fault())? {
        if body.len() + chunk.len() > max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_large(endpoint: Endpoint, status: u16) -> ProviderFault {
    endpoint.bad_answer(&format!("status {status}, more than {} bytes", endpoint.max_bytes()))
}

fn classify(endpoint: Endpoint, error: reqwest::Error) -> CallError {
    // Where it is, without the rest of the URL: it may have a query.
    let at = error.url().map(|url| url[Position::BeforeHost..Position::AfterPort].to_owned()).unwrap_or_default();
    let error = error.without_url();
    let detail = clip(&format!("{} endpoint at {at}, {}", endpoint.name(), causes(&error)));
    if !error.is_connect() {
        return CallError::Sent(ProviderFault::Unreachable(detail));
    }
    CallError::NotSent(if is_tls(&error) {
        ProviderFault::Tls(detail)
    } else if lacks_descriptors(&error) {
        ProviderFault::NoDescriptor(detail)
    } else {
        ProviderFault::Unreachable(detail)
    })
}

/// Whether a connection failed in the TLS handshake: rustls's own errors travel as `InvalidData`, which connecting a
/// socket never yields.
fn is_tls(error: &reqwest::Error) -> bool {
    is_caused_by(error, |cause| cause.kind() == io::ErrorKind::InvalidData)
}

/// Whether there is no descriptor for a socket: `ENFILE`, `EMFILE`.
fn lacks_descriptors(error: &reqwest::Error) -> bool {
    is_caused_by(error, |cause| matches!(cause.raw_os_error(), Some(23 | 24)))
}

/// (`io::Error` hides what it wraps from `source`, hence the second loop.)
fn is_caused_by(error: &reqwest::Error, is_it: impl Fn(&io::Error) -> bool) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        let mut io = cause.downcast_ref::<io::Error>();
        while let Some(inner) = io {
            if is_it(inner) {
                return true;
            }
            io = inner.get_ref().and_then(|wrapped| wrapped.downcast_ref());
        }
        next = cause.source();
    }
    false
}
