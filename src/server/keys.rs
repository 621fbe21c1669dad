//! `vestibule keys`: makes the key of a client that proves with it who it is, and shows what providers have to know of it.

use std::{io::ErrorKind, path::PathBuf};

use super::{
    client_key::{ClientKey, NewKey, published},
    key_file::write_private,
    settings::{Settings, small_file::reason},
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

/// The public keys of every `private_key_file`, as `/auth/oidc/jwks.json` serves them.
#[must_use]
pub fn shown(settings: &Settings) -> String {
    published(settings.providers.iter().filter_map(|provider| provider.client_auth.keys())) + "\n"
}
