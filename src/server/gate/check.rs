//! The check: whether a request may pass, and what its application is told. Of a session that was seen a moment ago it
//! costs one look into memory.

use std::{net::IpAddr, sync::Arc};

use http::HeaderMap;
use moka::{policy::EvictionPolicy, sync::Cache as Brief};
use quick_cache::{DefaultHashBuilder, sync::Cache};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout_at};

use super::{
    asked::Asked,
    handover::{Handover, HostSession, Ticket},
    identity::{self, Identities, Names},
    pass::{Bytes, Kept, Pass, Renewal, Told},
    rules::{self, Decision},
};
use crate::paths;
use crate::server::{
    application::{Access, Applications, Site},
    clock::System,
    cookie_headers::{Cookie, Cookies},
    ids::{BrowserHash, SessionHash},
    limits,
    public_url::PublicUrl,
    seal::Keyring,
    session::{Known, KnownSessions, SessionId, SignedIn},
    store::{Store, StoreError},
};

/// What the gate is made of.
pub struct Parts {
    /// The login host.
    pub public_url: PublicUrl,
    /// The applications behind the proxy.
    pub applications: Arc<Applications>,
    /// Whether applications are told an address that is not verified.
    pub unverified_email: bool,
    /// Keys to seal with, from which those are derived that sign.
    pub keys: Arc<Keyring>,
    /// Who is signed in.
    pub sessions: Arc<KnownSessions>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Time and randomness.
    pub system: System,
}

/// The gate with everything it needs.
pub struct Gate {
    pub(super) public_url: PublicUrl,
    /// The applications behind the proxy.
    pub applications: Arc<Applications>,
    pub(super) keys: Arc<Keyring>,
    pub(super) system: System,
    cookies: Cookies,
    identities: Identities,
    /// Of each application, by its place in the settings.
    told: Vec<Told>,
    sessions: Arc<KnownSessions>,
    store: Arc<dyn Store>,
    /// What is told about the person whom a cookie stands for, by a hash of that: a number can be compared without another
    /// look into memory.
    passes: Cache<u64, Kept, Bytes>,
    cookie_hash: DefaultHashBuilder,
    /// Who was sent to which page once more.
    sent_again: Brief<(Who, [u8; 32]), ()>,
}

/// Who was sent somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The browser with this key.
    Browser(BrowserHash),
    /// Whoever has this address, if the proxies say it.
    Address(Option<IpAddr>),
}

/// Whether a request may pass.
pub enum Verdict<'g> {
    /// To everybody: here is the identity of nobody.
    Anyone(&'g HeaderMap),
    /// Here is what the application is told about the person.
    Person(Arc<Pass>),
    /// Nobody is signed in there.
    Nobody,
    /// The rules keep the person out, or everybody.
    NotAdmitted {
        /// Who is signed in, where that was asked.
        person: Option<Arc<SignedIn>>,
        /// Which rule, as an operator finds it in the settings.
        by: String,
    },
    /// The request brings a header of this name, which is for us alone to set.
    Forged(String),
    /// The store cannot tell, which is never treated as "nobody".
    Unknown(StoreError),
}

impl Gate {
    /// A gate for these applications.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let identities = Identities::new(&parts.keys, &parts.public_url, parts.unverified_email);
        let told = parts.applications.all();
        let told = told.iter().map(|application| Told::new(Names::new(&application.identity), &identities)).collect();
        Self {
            cookies: Cookies::new(&parts.public_url),
            public_url: parts.public_url,
            applications: parts.applications,
            keys: parts.keys,
            system: parts.system,
            identities,
            told,
            sessions: parts.sessions,
            store: parts.store,
            passes: Cache::with_weighter(limits::CACHED, limits::PASSES_BYTES, Bytes),
            cookie_hash: DefaultHashBuilder::default(),
            sent_again: Brief::builder()
                .eviction_policy(EvictionPolicy::lru())
                .max_capacity(limits::FAILURES_REMEMBERED)
                .time_to_live(limits::SENT_AGAIN_WITHIN)
                .build(),
        }
    }

    /// Whether the request that `asked` is about may pass. `headers` are those that it brought.
    pub async fn check(&self, asked: &Asked<'_>, headers: &HeaderMap) -> Verdict<'_> {
        let Some(told) = self.told.get(asked.site.index) else {
            return Verdict::NotAdmitted { person: None, by: String::new() };
        };
        if let Some(name) = headers.keys().find(|name| told.names.is_forged(name.as_str())) {
            return Verdict::Forged(name.to_string());
        }
        let decision = rules::decide(asked);
        match decision.access {
            Access::Anyone => Verdict::Anyone(&told.anyone),
            Access::Nobody => Verdict::NotAdmitted { person: None, by: decision.by.named(&asked.site) },
            Access::SignedIn => self.check_person(&asked.site, &decision, headers).await,
        }
    }

    async fn check_person(&self, site: &Site, decision: &Decision<'_>, headers: &HeaderMap) -> Verdict<'_> {
        match self.pass(site, headers).await {
            Ok(Some(pass)) => match decision.admits(|| pass.as_rules_see_it()) {
                Ok(()) => Verdict::Person(pass),
                Err(by) => Verdict::NotAdmitted { person: Some(Arc::clone(pass.person())), by: by.named(site) },
            },
            Ok(None) => Verdict::Nobody,
            Err(error) => Verdict::Unknown(error),
        }
    }

    /// Who is signed in at `site` by the session cookie in `headers`, and what the application there is told.
    ///
    /// # Errors
    /// The store cannot tell.
    pub async fn pass(&self, site: &Site, headers: &HeaderMap) -> Result<Option<Arc<Pass>>, StoreError> {
        let Some(cookie) = self.cookies.get(headers, Cookie::Session) else { return Ok(None) };
        let kept = self
            .passes
            .get(&self.cookie_hash.hash_one(cookie))
            .map(|kept| kept.0)
            .filter(|pass| pass.is_of(cookie, site));
        let now = self.system.now();
        let renewal = kept.as_ref().and_then(|pass| pass.claim_renewal(now));
        if let Some(pass) = &kept
            && renewal.is_none()
            && pass.is_good(now)
            && self.sessions.is_fresh(&pass.session, now)
        {
            return Ok(kept);
        }
        // Apart, so that the many requests in between do not carry what it needs.
        Box::pin(self.pass_anew(site, cookie, kept, renewal)).await
    }

    /// Whether providers are asked again about people at all.
    #[must_use]
    pub fn rechecks(&self) -> bool {
        self.sessions.rechecks()
    }

    /// Whether the provider is to be asked again about the person before they are shown a page. Another process may have
    /// done it a moment ago; and a store that cannot tell is no reason to do it.
    pub async fn is_recheck_due(&self, pass: &Pass) -> bool {
        // By the login host's clock, which decides, it may not be due yet.
        let now = self.system.now() - limits::CLOCKS_APART;
        if !pass.person().is_recheck_due(now) {
            return false;
        }
        let person = self.sessions.find_now(pass.session.id).await;
        person.is_ok_and(|person| person.is_none_or(|person| person.is_recheck_due(now)))
    }

    async fn pass_anew(
        &self,
        site: &Site,
        cookie: &str,
        kept: Option<Arc<Pass>>,
        renewal: Option<Renewal>,
    ) -> Result<Option<Arc<Pass>>, StoreError> {
        let until = Instant::now() + limits::SESSION_ASK_WAIT;
        let id = kept.as_ref().map(|pass| pass.session.id).or_else(|| self.session(site, cookie));
        let Some(id) = id else { return Ok(None) };
        let session = match self.sessions.find(id).await {
            Known::SignedIn(session) => session,
            Known::Nobody => {
                self.passes.remove(&self.cookie_hash.hash_one(cookie));
                return Ok(None);
            }
            Known::Unknown(error) => return Err(error),
        };
        let now = self.system.now();
        if let Some(pass) = &kept
            && renewal.is_none()
            && pass.is_good(now)
            && pass.session.is_same(&session)
        {
            return Ok(kept);
        }
        let Some(told) = self.told.get(site.index) else { return Ok(None) };
        let shared = self.username_is_shared(&session.person, kept.as_deref(), until).await?;
        let pass = Arc::new(told.pass(&self.identities, site, session, cookie, shared, now));
        self.passes.insert(self.cookie_hash.hash_one(cookie), Kept(Arc::clone(&pass)));
        Ok(Some(pass))
    }

    /// The login host's session that the cookie stands for. Nothing is asked of the store for a cookie that we did not set.
    fn session(&self, site: &Site, cookie: &str) -> Option<SessionHash> {
        if *site.origin == *self.public_url.origin() {
            SessionId::parse(cookie).map(|id| id.hash())
        } else {
            HostSession::open(cookie, site, &self.keys).map(|session| session.0)
        }
    }

    /// Asked whenever the identity is made anew; while the store cannot tell, what it said before holds. Nobody waits longer than
    /// `until`, and not as long for what they could do without.
    pub(super) async fn username_is_shared(
        &self,
        person: &SignedIn,
        before: Option<&Pass>,
        until: Instant,
    ) -> Result<bool, StoreError> {
        let until = before.map_or(until, |_| until.min(Instant::now() + limits::SESSION_ASK_AGAIN_WAIT));
        let asked = async {
            if self.sessions.is_away() {
                Err(StoreError::late())
            } else {
                self.store.username_is_shared(&person.user).await
            }
        };
        let said = timeout_at(until, asked).await.unwrap_or_else(|_| Err(StoreError::late()));
        said.or_else(|error| before.map(|pass| pass.username_is_shared).ok_or(error))
    }

    /// Where a browser is sent that nobody is signed in with.
    #[must_use]
    pub fn handover_url(&self, handover: &Handover) -> String {
        let request = handover.seal(&self.keys, &self.system);
        self.public_url.join(&format!("{}?request={request}", paths::HANDOVER))
    }

    /// Reads what [`handover_url`](Self::handover_url) carries. `None` unless it is ours.
    #[must_use]
    pub fn open_handover(&self, request: &str) -> Option<Handover> {
        Handover::open(request, &self.keys)
    }

    /// Where a signed-in person goes on to at `site`.
    #[must_use]
    pub fn enter_url(&self, site: &Site, ticket: &Ticket) -> String {
        let ticket = ticket.seal(site, &self.keys, &self.system);
        site.join(&format!("{}?ticket={ticket}", site.own(paths::ENTER)))
    }

    /// Reads what [`enter_url`](Self::enter_url) carries. `None` unless it is ours, for `site`.
    #[must_use]
    pub fn open_ticket(&self, site: &Site, ticket: &str) -> Option<Ticket> {
        Ticket::open(ticket, site, &self.keys)
    }

    /// The session cookie of `site`.
    #[must_use]
    pub fn seal_host_session(&self, site: &Site, session: HostSession) -> String {
        session.seal(site, &self.keys, &self.system)
    }

    /// What the application at `site` is told: ready, but for the client's own cookies.
    #[must_use]
    pub fn headers(&self, site: &Site, pass: &Pass) -> HeaderMap {
        self.told.get(site.index).map(|told| told.about(pass)).unwrap_or_default()
    }

    /// Who is signed in, for the scripts of the application at `site`.
    #[must_use]
    pub fn userinfo(&self, site: &Site, pass: &Pass) -> serde_json::Value {
        let person = identity::Person { signed_in: pass.person(), username_is_shared: pass.username_is_shared };
        self.told.get(site.index).map(|Told { names, .. }| self.identities.userinfo(names, &person)).unwrap_or_default()
    }

    /// Whether they may be sent to that page once more: not if that was a moment ago.
    #[must_use]
    pub fn may_be_sent_again(&self, who: Who, uri: &str) -> bool {
        let mut is_first = false;
        self.sent_again.get_with((who, Sha256::digest(uri).into()), || is_first = true);
        is_first
    }

    /// The public keys by which assertions are verified.
    #[must_use]
    pub fn jwks(&self) -> &str {
        self.identities.jwks()
    }

    /// A fresh token for the scripts of the application at `site`.
    #[must_use]
    pub fn token(&self, site: &Site, pass: &Pass) -> Option<identity::Token> {
        let person = identity::Person { signed_in: pass.person(), username_is_shared: pass.username_is_shared };
        self.identities.token(&self.told.get(site.index)?.names, site, &person, self.system.now())
    }
}
