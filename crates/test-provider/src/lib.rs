//! An OpenID Provider on loopback: `vestibule demo` signs people in at it, and the tests make it misbehave on request.
//!
//! Its keys and passwords are published with the source, so it refuses to listen on anything but loopback, and no build
//! to ship contains it. Tokens are put together by hand rather than with `openidconnect`, which would refuse to make
//! bad ones. `rules` says what can go wrong; `wire` does what goes wrong below HTTP.
//!
//! A test starts a [`RunningProvider`] from a [`ProviderConfig`], adds a [`Rule`] for each thing that shall go wrong, and
//! reads the requests that arrived. A program in another language sends the same orders over HTTP ([`Order`]).

mod assertion;
mod clients;
mod config;
mod control;
mod endpoint;
mod error;
mod form;
mod handlers;
mod issuer;
mod jwt;
mod keys;
mod lock;
mod log;
mod logout;
mod people;
mod profile;
mod provider;
mod reply;
mod rules;
mod running;
mod server;
mod system;
mod tls;
mod vault;
mod wire;

pub use clients::{Algorithm, Authentication, Client};
pub use config::{ProviderConfig, RateLimit};
pub use control::{CONTROL_PATH, Order, control_router};
pub use endpoint::{Document, Endpoint};
pub use error::ProviderError;
pub use keys::{KeyName, PublicKeyForm};
pub use log::{LoggedRequest, Redemption};
pub use people::{DemoPerson, Weight};
pub use profile::Profile;
pub use rules::{
    Behaviour, CallbackEdit, Edit, EndSessionFault, Fault, HeadEdit, JwksFault, JwtEdit, Members, Rule, SignatureFault,
};
pub use running::RunningProvider;
pub use system::{RealSystem, System};
pub use tls::CA_FILE;
pub use vault::Grant;
