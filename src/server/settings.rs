//! Typed settings, read and validated before the socket opens; secrets cannot print themselves, and nothing is written.
//!
//! `schema` names every key once, with its default; `source` gathers what the file and the environment say into `given`,
//! and `nearest` says what an unknown name was meant to be; `reader` turns what was given into typed values and collects
//! every fault. There is a file for each table, with its type and how it is read. A new key is a line in `schema`, and a
//! field in the type of its table.

pub use self::{
    authentication_request::{AuthenticationRequestSettings, ResponseMode},
    client_auth::{AssertionKey, Audience, ClientAuth},
    fault::Fault,
    provider::ProviderSettings,
    root::{SecretKeys, Settings},
    session::SessionRules,
    sign_in::SignInRules,
    users::UserRules,
};
pub use super::{
    public_url::{PublicUrl, is_loopback},
    seal::SecretKey,
    store::Database,
};

pub(crate) use self::nearest::LOG;
#[cfg(test)]
pub(crate) use self::schema::ALGORITHMS;

mod application;
mod authentication_request;
mod client_auth;
mod database;
mod fault;
mod given;
mod nearest;
mod network;
mod origin;
mod provider;
mod reader;
mod root;
mod rule;
mod schema;
pub(crate) mod secrets;
mod session;
mod sign_in;
pub(crate) mod small_file;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod users;
