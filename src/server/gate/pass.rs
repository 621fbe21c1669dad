//! What an application is told: made once for a person, and kept until it ages.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, VARY},
};
use quick_cache::Weighter;
use time::OffsetDateTime;

use super::{
    identity::{self, Identities, Names},
    rules,
};
use crate::server::{
    application::Site,
    email_address::EmailAddress,
    limits,
    session::{LiveSession, SignedIn},
};

/// What an application is told, as far as it does not depend on a person.
pub(super) struct Told {
    pub(super) names: Names,
    /// The whole answer, where anyone gets in.
    pub(super) anyone: HeaderMap,
}

impl Told {
    pub(super) fn new(names: Names, identities: &Identities) -> Self {
        let mut anyone = identities.of_anyone(&names);
        // A yes is for this one request.
        anyone.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        anyone.insert(VARY, HeaderValue::from_static("Cookie"));
        Self { names, anyone }
    }

    /// For a person whose session at `site` that is, by that cookie.
    pub(super) fn pass(
        &self,
        identities: &Identities,
        site: &Site,
        session: LiveSession,
        cookie: &str,
        username_is_shared: bool,
        now: OffsetDateTime,
    ) -> Pass {
        let person = identity::Person { signed_in: &session.person, username_is_shared };
        let mut identity = identities.of(&self.names, site, &person, now);
        let values =
            self.anyone.iter().map(|(name, value)| identity.headers.remove(name).unwrap_or_else(|| value.clone()));
        // Also without a token: another account may have the username by then.
        let renew_at = identity.renew_at.unwrap_or(now + limits::ASSERTION_LIFE / 2);
        Pass {
            values: values.collect(),
            text: identity.text,
            email: session.person.verified_email(),
            session,
            cookie: cookie.into(),
            host: Arc::clone(&site.host),
            username_is_shared,
            renew_at,
            good_until: renew_at + limits::ASSERTION_LIFE / 4,
            renewed: AtomicBool::new(false),
        }
    }

    /// The whole answer, but for the client's own cookies.
    pub(super) fn about(&self, pass: &Pass) -> HeaderMap {
        let mut headers = self.anyone.clone();
        headers.values_mut().zip(&pass.values).for_each(|(header, value)| header.clone_from(value));
        headers
    }
}

/// A signed-in person at one host, and what its application is told.
pub struct Pass {
    pub(super) session: LiveSession,
    cookie: Box<str>,
    host: Arc<str>,
    pub(super) username_is_shared: bool,
    email: Option<EmailAddress>,
    /// In the order of [`Told::anyone`]. Its names are the same for all; that leaves less to read for each person.
    values: Box<[HeaderValue]>,
    /// All that these point at.
    text: bytes::Bytes,
    renew_at: OffsetDateTime,
    good_until: OffsetDateTime,
    /// Somebody makes it anew; meanwhile it is good for all others, since its token lives as long again.
    renewed: AtomicBool,
}

impl Pass {
    /// Who it is.
    #[must_use]
    pub fn person(&self) -> &Arc<SignedIn> {
        &self.session.person
    }

    /// Reads a little of each piece that an answer needs, so that the processor has it near.
    fn look(&self) {
        const CACHE_LINE: usize = 64;
        let lines = |bytes: &[u8]| bytes.iter().step_by(CACHE_LINE).fold(0, |seen, byte| seen ^ byte);
        let values = self.values.iter().filter(|value| value.is_sensitive()).count();
        // Whether it is unique is what stands where its references are counted.
        black_box((lines(&self.text), lines(self.cookie.as_bytes()), values, self.text.is_unique()));
        self.session.look();
    }

    /// Whether it is of whoever brings that cookie to `site`. A cookie is for one host; another host's is nothing here.
    pub(super) fn is_of(&self, cookie: &str, site: &Site) -> bool {
        *self.cookie == *cookie && self.host == site.host
    }

    pub(super) fn as_rules_see_it(&self) -> rules::Person<'_> {
        rules::Person::of(self.person(), self.email.as_ref(), self.username_is_shared)
    }

    /// The caller is the one to make it anew, ahead of time, for as long as they hold what they get.
    pub(super) fn claim_renewal(self: &Arc<Self>, now: OffsetDateTime) -> Option<Renewal> {
        let is_mine = now >= self.renew_at && !self.renewed.swap(true, Ordering::Relaxed);
        is_mine.then(|| Renewal(Arc::clone(self)))
    }

    /// Whether it can still be used. (Whoever was to make it anew may have failed.)
    pub(super) fn is_good(&self, now: OffsetDateTime) -> bool {
        now < self.good_until
    }
}

/// Somebody makes that pass anew. Whoever is cut off leaves it to the next.
pub(super) struct Renewal(Arc<Pass>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.renewed.store(false, Ordering::Relaxed);
    }
}

/// A pass as it is kept, and as it is found: each time a clone.
pub(super) struct Kept(pub(super) Arc<Pass>);

impl Clone for Kept {
    /// With many people in turn nothing of a pass is in a cache near the processor. What it may read at the same time it waits for
    /// once; but while it counts a reference, it reads nothing else. So it is to look at everything, and count afterwards.
    fn clone(&self) -> Self {
        self.0.look();
        Self(Arc::clone(&self.0))
    }
}

/// How much memory a pass takes.
#[derive(Clone)]
pub(super) struct Bytes;

impl Weighter<u64, Kept> for Bytes {
    fn weight(&self, _: &u64, Kept(pass): &Kept) -> u64 {
        let values = pass.values.iter().map(|value| size_of::<HeaderValue>() + value.len()).sum::<usize>();
        // The person, too: a pass holds them after their session was put out of what is known, for want of room.
        (pass.cookie.len() + size_of::<Pass>() + values + pass.person().bytes() + limits::CACHE_ENTRY_BYTES) as u64
    }
}
