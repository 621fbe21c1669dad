//! Everything that runs on the server. Data flows one way: request -> page or route -> sign-in flow ->
//! provider / store -> outcome -> response. Nothing lower calls higher.

/// People: provisioning rules, claims mapping, roles.
pub mod accounts;
/// Time and randomness, handed in from outside.
pub mod ambient;
/// Settings to running program: listeners, background work, shutdown.
pub mod app;
/// The attempt as a state machine.
pub mod attempt;
/// `vestibule demo`: a provider and people to try the program with.
#[cfg(feature = "demo")]
pub mod demo;
/// HTTP manners: guard, headers, cookies, assets, client address.
pub mod http;
/// Small types that carry meaning.
pub mod ids;
/// The provider side: discovery, keys, client. `openidconnect` stays in here.
pub mod provider;
/// One readable table of routes and layers.
pub mod router;
/// Keys and sealed envelopes.
pub mod seal;
/// Typed sessions.
pub mod session;
/// Typed settings, validated before the socket opens.
pub mod settings;
/// The flow, a file per step.
pub mod sign_in;
/// Users, attempts and sessions, kept in MongoDB or SQLite.
pub mod store;
/// Logs and metrics.
pub mod telemetry;
/// The steps of one attempt and how long each took.
pub mod trace;
