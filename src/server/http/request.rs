//! What a handler reads from a request.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, header::CONTENT_TYPE, request::Parts},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use super::return_to_parameter;
use crate::server::{
    client_address::{self, ClientAddress},
    cookie_headers::Cookie,
    session::SessionId,
    sign_in::{RequestContext, start::Prompt},
    state::App,
};

/// When a request arrived; `sign_in.patience` is counted from here.
#[derive(Clone, Copy, Debug)]
struct Arrived(Instant);

/// Records the arrival, before anything else takes time.
pub(crate) async fn note_arrival(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Arrived(Instant::now()));
    next.run(request).await
}

/// Whether the body is a form, as browsers and providers send one.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// What the sign-in flow needs to know about the browser that makes a request.
pub(crate) fn context(app: &App, parts: &Parts) -> RequestContext {
    if let Some(peer) = peer(parts) {
        app.notice_proxy(peer, &parts.headers);
    }
    let cookie = |cookie| app.cookies.get(&parts.headers, cookie);
    RequestContext {
        browser: cookie(Cookie::Flow).and_then(|value| app.sign_in.browser(value)),
        session: cookie(Cookie::Session).and_then(SessionId::parse),
        address: client(app, parts),
        arrived: parts.extensions.get::<Arrived>().map_or_else(Instant::now, |arrived| arrived.0),
    }
}

/// Who makes the request.
pub(crate) fn client(app: &App, parts: &Parts) -> ClientAddress {
    ClientAddress::behind(peer_of(parts), &parts.headers, &app.trusted_proxies)
}

/// The address that the rules look at, where it is known.
pub(crate) fn named_client(app: &App, parts: &Parts) -> Option<IpAddr> {
    client_address::named_client(peer_of(parts), &parts.headers, &app.trusted_proxies)
}

/// Who is at the other end of the connection.
pub(crate) fn peer_of(parts: &Parts) -> IpAddr {
    peer(parts).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

impl FromRequestParts<Arc<App>> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(context(app, parts))
    }
}

/// Our own query parameters, decoded once. Of duplicates the first counts, and nothing in a query is an error: links
/// to our pages come from anywhere.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub(crate) provider: Option<String>,
    pub(crate) return_to: Option<String>,
    pub(crate) prompt: Option<String>,
    pub(crate) again: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) login_hint: Option<String>,
    /// Core 4: that a provider, or who knows it, has sent the person here. Every value, since it must not be there twice.
    pub(crate) iss: Vec<String>,
    /// Core 4: where they are to land.
    pub(crate) target_link_uri: Option<String>,
}

impl Parameters {
    /// Whether the provider is to ask who the person is, whomever it knows.
    pub(crate) fn wants_another_account(&self) -> bool {
        self.prompt.as_deref() == Some("login")
    }

    /// The same, as a start has it.
    pub(crate) fn prompt(&self) -> Prompt {
        if self.wants_another_account() { Prompt::AnotherAccount } else { Prompt::Usual }
    }

    /// Where the person is to land; who names an issuer may call it `target_link_uri`.
    pub(crate) fn destination(&self) -> Option<&str> {
        let target = self.target_link_uri.as_ref().filter(|_| !self.iss.is_empty());
        target.or(self.return_to.as_ref()).map(String::as_str)
    }

    pub(crate) fn parse(query: &str) -> Self {
        let mut parameters = Self::default();
        let mut rest = query;
        while !rest.is_empty() {
            let (pair, behind) = rest.split_once('&').unwrap_or((rest, ""));
            let (name, raw) = rest.split_at(pair.find('=').unwrap_or(pair.len()));
            let name = decoded(name);
            if name == "return_to" && parameters.return_to.is_none() {
                let (value, behind) = return_to_parameter::split(raw.strip_prefix('=').unwrap_or(raw));
                parameters.return_to = Some(value);
                rest = behind;
                continue;
            }
            rest = behind;
            let value = || decoded(pair.split_once('=').map_or("", |(_, value)| value));
            let parameter = match &*name {
                "iss" => {
                    parameters.iss.push(value());
                    continue;
                }
                "provider" => &mut parameters.provider,
                "prompt" => &mut parameters.prompt,
                "again" => &mut parameters.again,
                "state" => &mut parameters.state,
                "login_hint" => &mut parameters.login_hint,
                "target_link_uri" => &mut parameters.target_link_uri,
                _ => continue,
            };
            parameter.get_or_insert_with(value);
        }
        parameters
    }
}

/// A name or value, decoded as those of a form are.
fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_duplicates_counts_and_nothing_is_an_error() {
        let parameters = Parameters::parse("return_to=%2Fa&provider=op&return_to=/b&x=%ff&again");
        assert_eq!(parameters.return_to.as_deref(), Some("/a"));
        assert_eq!(parameters.provider.as_deref(), Some("op"));
        assert_eq!(parameters.again.as_deref(), Some(""));
        assert_eq!(parameters.prompt, None);
        assert!(Parameters::parse("").provider.is_none());
    }
}
