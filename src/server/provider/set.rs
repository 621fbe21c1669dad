//! All configured providers.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::openid_provider::Provider;
use crate::server::{
    client_key::published,
    clock::System,
    ids::ProviderId,
    settings::{ProviderSettings, PublicUrl},
};

/// All configured providers.
pub struct Providers {
    all: Vec<Arc<Provider>>,
    client_jwks: String,
}

impl Providers {
    /// Prepares the providers; nothing is fetched yet.
    ///
    /// # Errors
    /// A sentence for the operator that names the key and how to correct it (an unreadable `ca_file`, say).
    pub fn new(settings: Vec<ProviderSettings>, public_url: &PublicUrl, system: &System) -> Result<Self, String> {
        let client_jwks = published(settings.iter().filter_map(|provider| provider.client_auth.keys()));
        let prepare = |settings: ProviderSettings| {
            let id = settings.id.clone();
            let provider = Provider::new(settings, public_url, system);
            provider.map(Arc::new).map_err(|error| format!("provider `{id}`: {error}"))
        };
        let all = settings.into_iter().map(prepare).collect::<Result<_, _>>()?;
        Ok(Self { all, client_jwks })
    }

    /// The provider with that id.
    #[must_use]
    pub fn get(&self, id: &ProviderId) -> Option<&Arc<Provider>> {
        self.all.iter().find(|provider| provider.id() == id)
    }

    /// All of them, in the operator's order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.all.iter()
    }

    /// The public keys that we prove with who we are, as a set in JSON.
    #[must_use]
    pub fn client_jwks(&self) -> &str {
        &self.client_jwks
    }

    /// Keeps the documents of every provider fresh, each in a task of its own, until the future is dropped.
    pub async fn keep_fresh(&self) {
        let mut tasks = JoinSet::new();
        for provider in self.iter() {
            let provider = Arc::clone(provider);
            tasks.spawn(async move { provider.keep_fresh().await });
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(code = "internal", %error, "a provider's documents are no longer refreshed in advance");
            }
        }
    }
}
