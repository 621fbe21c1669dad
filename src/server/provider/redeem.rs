//! From the code to a verified person: token request, ID token, userinfo; each of them a step of the attempt's trace.

use std::sync::Arc;

use openidconnect::core::CoreJsonWebKeySet;
use tokio::time::{Instant, timeout_at};

use super::{
    cache::{Asker, Cache},
    claims::VerifiedClaims,
    client_auth::redact,
    discovery::Metadata,
    end_session::RawIdToken,
    fault::ProviderFault,
    id_token::{self, Attempt, IdTokenClaims},
    jwt::{Expected, Rejection},
    openid_provider::Provider,
    requests::Redemption,
    source::Source,
    token_request::{TokenRequest, Tokens},
    userinfo,
};
use crate::server::{log_text::clip, trace::Trace};

impl Provider {
    /// Exchanges the code for tokens and the tokens for a verified person. Sends the code at most once, unless the
    /// request was certainly not sent, or was answered 429 with time left.
    ///
    /// # Errors
    /// See [`ProviderFault`].
    pub async fn redeem(&self, redemption: Redemption, trace: &mut Trace) -> Result<VerifiedClaims, ProviderFault> {
        let deadline = redemption.deadline;
        let metadata = fetched(&self.metadata, deadline, trace).await?;
        // Before the code is sent: without keys it would be wasted.
        let keys = fetched(&self.keys, deadline, trace).await?;

        let tokens = self.request_tokens(&metadata, &redemption, trace).await?;
        let (person, keys) = self.check_id_token(&tokens, &metadata, keys, &redemption, trace).await?;

        let mut userinfo = None;
        if let Some(url) = &metadata.userinfo_endpoint {
            let since = Instant::now();
            let mut expected = self.expected(&metadata, &keys);
            // A provider that says nothing of it uses the same as for ID tokens.
            if !metadata.userinfo_algorithms.is_empty() {
                expected.algorithms = &metadata.userinfo_algorithms;
            }
            let answer =
                userinfo::request(&self.http, url, &tokens.access_token, &person.subject, &expected, deadline).await;
            let answer = answer.map_err(|fault| fault.hiding(|words| redact(words, tokens.access_token.secret())));
            record(trace, "userinfo", since, &answer);
            userinfo = Some(answer?);
        }
        let person = VerifiedClaims::new(self.issuer.clone(), person.subject, &person.all, userinfo.as_ref());
        self.name_unreadable(&person);
        // What is not used is not kept.
        let wanted = metadata.end_session.url().map(|_| RawIdToken::new(tokens.id_token));
        Ok(person.with_id_token(wanted))
    }

    /// One line that names the claims of this person that cannot be read, each of which counts as missing.
    fn name_unreadable(&self, person: &VerifiedClaims) {
        let unreadable: Vec<_> = person.claims().unreadable.iter().copied().collect();
        if !unreadable.is_empty() {
            tracing::info!(
                code = "claims_unreadable", provider = %self.id(), claims = unreadable.join(" "),
                "these claims of the ID token or userinfo are of a type that they cannot have, and count as missing"
            );
        }
    }

    async fn request_tokens(
        &self,
        metadata: &Metadata,
        redemption: &Redemption,
        trace: &mut Trace,
    ) -> Result<Tokens, ProviderFault> {
        let request = TokenRequest {
            http: &self.http,
            metadata,
            registration: &self.registration,
            redemption,
            system: &self.system,
        };
        let since = Instant::now();
        let tokens = request.send().await;
        record(trace, "token", since, &tokens);
        tokens
    }

    /// Checks the ID token; where no key fits, once more with the latest keys (Core 10.1.1).
    async fn check_id_token(
        &self,
        tokens: &Tokens,
        metadata: &Metadata,
        mut keys: Arc<CoreJsonWebKeySet>,
        redemption: &Redemption,
        trace: &mut Trace,
    ) -> Result<(IdTokenClaims, Arc<CoreJsonWebKeySet>), ProviderFault> {
        let since = Instant::now();
        let attempt = Attempt {
            nonce: &redemption.nonce,
            started: redemption.started,
            code: &redemption.code,
            access_token: &tokens.access_token,
        };
        let check =
            |keys: &CoreJsonWebKeySet| id_token::verify(&tokens.id_token, &attempt, &self.expected(metadata, keys));
        let mut checked = check(&keys);
        // `None` where they were fetched a moment ago: the token's key is not the provider's.
        if let Err(Rejection::UnknownKey(why)) = &checked
            && let Some(newer) = self.newer_keys(&keys, why, redemption.deadline, trace).await?
        {
            keys = newer;
            checked = check(&keys);
        }
        let checked = checked.map_err(|rejection| match rejection {
            Rejection::TooWeak(what) => ProviderFault::TooWeak(clip(&what)),
            Rejection::UnknownKey(what) | Rejection::Final(what) => ProviderFault::IdToken(clip(&what)),
        });
        record(trace, "id_token", since, &checked);
        Ok((checked?, keys))
    }

    /// `why`: what the known ones lack.
    async fn newer_keys(
        &self,
        known: &Arc<CoreJsonWebKeySet>,
        why: &str,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Result<Option<Arc<CoreJsonWebKeySet>>, ProviderFault> {
        let since = Instant::now();
        let newer = timeout_at(deadline, self.keys.newer_than(known, Asker::Provider))
            .await
            .unwrap_or_else(|_| Err(slow("keys")));
        match &newer {
            Ok(None) => {}
            Ok(Some(_)) => trace.record("keys", since, "ok", Some(clip(why))),
            Err(_) => record(trace, "keys", since, &newer),
        }
        newer
    }

    pub(super) fn expected<'e>(&'e self, metadata: &'e Metadata, keys: &'e CoreJsonWebKeySet) -> Expected<'e> {
        Expected { registration: &self.registration, algorithms: &metadata.algorithms, keys, now: self.system.now() }
    }
}

/// The document; waiting for it is a step of the attempt.
async fn fetched<S: Source>(
    cache: &Arc<Cache<S>>,
    deadline: Instant,
    trace: &mut Trace,
) -> Result<Arc<S::Document>, ProviderFault> {
    if let Some(document) = cache.ready() {
        return Ok(document);
    }
    let since = Instant::now();
    let document = timeout_at(deadline, cache.get()).await.unwrap_or_else(|_| Err(slow(S::NAME)));
    record(trace, S::NAME, since, &document);
    document
}

fn slow(what: &str) -> ProviderFault {
    ProviderFault::Slow(format!("{what} endpoint"))
}

fn record<T>(trace: &mut Trace, step: &str, since: Instant, outcome: &Result<T, ProviderFault>) {
    match outcome {
        Ok(_) => trace.record(step, since, "ok", None),
        Err(fault) => trace.record(step, since, fault.code(), Some(fault.detail())),
    }
}
