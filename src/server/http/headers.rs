//! What every response carries. Kept short, since proxies limit the size of response headers.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};

use crate::server::state::App;

/// Pages load nothing but our own files, run no inline script, are framed by nobody, and post to us alone. Forms do not lead
/// to a provider (Chromium checks every redirect of a form's submission against `form-action`): starts are links. One page
/// has to be let ([`let_forms_leave`]).
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
/// Tells machines where a person can sign in.
pub(super) const LOGIN: HeaderName = HeaderName::from_static("x-vestibule-login");
const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// `Strict-Transport-Security`, if it is to be sent.
#[derive(Clone, Debug)]
pub struct Hsts(pub(super) Option<HeaderValue>);

impl Hsts {
    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Only what the operator has set, and only over https (RFC 6797, 7.2): it binds every application on the host.
    #[must_use]
    pub fn of(app: &App) -> Self {
        let age = app.hsts.filter(|_| app.public_url.is_secure());
        Self(age.and_then(|age| HeaderValue::try_from(format!("max-age={}", age.as_secs())).ok()))
    }
}

/// Adds what a handler has not set itself.
pub async fn layer(State(Hsts(hsts)): State<Hsts>, request: Request, next: Next) -> Response {
    complete(next.run(request).await, hsts)
}

/// The same for a response that passes no layer.
pub(super) fn complete(mut response: Response, hsts: Option<HeaderValue>) -> Response {
    let is_redirect = response.status().is_redirection();
    let headers = response.headers_mut();
    let policy = if is_redirect { "default-src 'none'; frame-ancestors 'none'" } else { POLICY };
    default(headers, CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    default(headers, X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    default(headers, X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // A form posted from a page under `no-referrer` has `Origin: null`; redirects have nothing to post.
    let referrer = if is_redirect { "no-referrer" } else { "same-origin" };
    default(headers, REFERRER_POLICY, HeaderValue::from_static(referrer));
    default(headers, CACHE_CONTROL, HeaderValue::from_static("no-store"));
    default(headers, COOP, HeaderValue::from_static("same-origin"));
    if let Some(hsts) = hsts {
        default(headers, STRICT_TRANSPORT_SECURITY, hsts);
    }
    response
}

/// Lets the forms of this one page lead to any origin of that scheme: the provider's, and wherever it sends the browser on
/// (docs/decisions/sign-out.md).
pub(super) fn let_forms_leave(headers: &mut HeaderMap, scheme: &str) {
    if let Ok(policy) = HeaderValue::try_from(format!("{POLICY} {scheme}:")) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
}

/// The response is for this one request.
pub(super) fn depend_on_cookie(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.entry(VARY).or_insert(HeaderValue::from_static("Cookie"));
}

fn default(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}
