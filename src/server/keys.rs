//! `vestibule keys`: makes the key of a client that proves with it who it is, and shows what providers have to know of it.

use std::{io::ErrorKind, path::PathBuf};

use super::{
    client_key::{ClientKey, NewKey, published},
    key_file::write_private,
    settings::{ProviderSettings, Settings, small_file::reason},
};

/// A new key.
#[derive(Debug, clap::Args)]
pub struct New {
    /// The file to make; one that is there is never overwritten.
    file: PathBuf,
    /// What the key signs with.
    #[arg(long, value_name = "ALG", value_enum, ignore_case = true, default_value = "ES256")]
    alg: NewKey,
}

impl New {
    /// Makes the key, in a file that nobody else may read. Returns what to tell the operator.
    ///
    /// # Errors
    /// Why there is no file.
    pub fn make(&self) -> Result<String, String> {
        let pem = ClientKey::new_pem(self.alg)?;
        let key = ClientKey::read(&pem).map_err(|(what, _)| what)?;
        write_private(&self.file, &pem).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("{:?} exists already and is never overwritten: name another file", self.file)
            }
            _ => format!("cannot make {:?} ({})", self.file, reason(&error)),
        })?;
        Ok(format!("{} key {} in {:?}\n", key.algorithm(), key.id(), self.file))
    }
}

/// The public keys.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The settings file [default: vestibule.toml, if it exists].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only those of this provider, by its `id`.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
}

impl Show {
    /// The public keys of every `private_key_file`, as `/auth/oidc/jwks.json` serves them, or those of one provider.
    ///
    /// # Errors
    /// There is no such provider.
    pub fn keys(&self, settings: &Settings) -> Result<String, String> {
        let is_meant =
            |provider: &&ProviderSettings| self.provider.as_deref().is_none_or(|id| provider.id.as_str() == id);
        let meant: Vec<_> = settings.providers.iter().filter(is_meant).collect();
        match &self.provider {
            Some(id) if meant.is_empty() => {
                let known: Vec<_> = settings.providers.iter().map(|provider| provider.id.as_str()).collect();
                Err(format!("no provider has the id {id:?}; there is {}", known.join(", ")))
            }
            Some(id) if meant.iter().all(|provider| provider.client_auth.keys().is_none()) => {
                Err(format!("the provider {id:?} has no private_key_file"))
            }
            _ => Ok(published(meant.iter().filter_map(|provider| provider.client_auth.keys())) + "\n"),
        }
    }
}
