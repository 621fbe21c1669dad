//! The provider side, one request at a time, against a provider that misbehaves on request (matrix groups A, E, F, G, H,
//! I, J).

mod authorization;
mod claims;
mod client_auth;
mod content_coding;
mod discovery;
mod headers;
mod id_token;
mod keys;
mod pushed;
mod quiet;
mod rig;
mod token;
mod userinfo;
