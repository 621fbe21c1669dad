//! What handlers share.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::HeaderMap;
use ipnet::IpNet;

use super::{
    assets::Assets, clock::System, cookie_headers::Cookies, gate::check::Gate, ids::Reference, provider::Providers,
    session::Sessions, settings::PublicUrl, sign_in::SignIn, store::Store,
};

const PROXY_NOT_TRUSTED: &str = "proxy_not_trusted: X-Forwarded-For came from a peer that is not in trusted_proxies, \
     and was ignored, so rate limits treat all clients behind that peer as one; if it is your proxy, add its address to \
     trusted_proxies";

/// What handlers share.
pub struct App {
    /// The only source of absolute links.
    pub public_url: PublicUrl,
    /// For how long browsers are told to use https for the whole host, if the operator has set it.
    pub hsts: Option<Duration>,
    /// Our cookies by their names.
    pub cookies: Cookies,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The static files.
    pub assets: Assets,
    /// The providers.
    pub providers: Arc<Providers>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The sessions.
    pub sessions: Arc<Sessions>,
    /// The flow.
    pub sign_in: Arc<SignIn>,
    /// Who may pass to the applications.
    pub gate: Gate,
    /// Time and randomness.
    pub system: System,
    pub(super) proxy_noticed: AtomicBool,
}

impl App {
    /// Warns, once, that a proxy stands in front which is not configured: rate limits then treat all clients behind it
    /// as one.
    pub fn notice_proxy(&self, peer: IpAddr, headers: &HeaderMap) {
        let trusted = self.trusted_proxies.iter().any(|net| net.contains(&peer.to_canonical()));
        if !trusted && headers.contains_key("x-forwarded-for") && !self.proxy_noticed.swap(true, Ordering::Relaxed) {
            tracing::warn!(code = "proxy_not_trusted", %peer, "{PROXY_NOT_TRUSTED}");
        }
    }

    /// A reference for a failure without an attempt: only the log has it.
    pub(crate) fn new_reference(&self) -> Reference {
        Reference::of(&self.system.bytes::<16>())
    }

    /// What the operator should know about how this program is reached.
    pub(crate) fn notices(&self) -> Vec<&'static str> {
        let noticed = self.proxy_noticed.load(Ordering::Relaxed);
        noticed.then_some(PROXY_NOT_TRUSTED).into_iter().collect()
    }
}
