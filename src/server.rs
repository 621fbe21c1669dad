//! Everything that runs on the server. Data flows one way: request -> page or route -> sign-in flow ->
//! provider / store -> outcome -> response. Nothing lower calls higher.

/// People: provisioning rules, claims mapping, roles.
pub mod accounts;
/// The applications behind the proxy.
pub mod application;
/// Static files.
pub mod assets;
/// The attempt as a state machine.
pub mod attempt;
/// The client address of a request.
pub mod client_address;
/// The keys that we prove with who we are at a provider.
pub mod client_key;
/// Time and randomness, handed in from outside.
pub mod clock;
/// How our two cookies are read from headers and written into them.
pub mod cookie_headers;
/// `vestibule demo`: the program with a provider and people to try it with.
#[cfg(feature = "demo")]
pub mod demo;
/// Email addresses and domains, and when two are the same.
pub mod email_address;
/// What the log says of failures: one line for each reference.
mod failure_log;
/// What `make fuzz` tries, with what holds of every answer.
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
/// Who may pass to the applications behind the proxy, and what these are told.
pub mod gate;
/// Everything about HTTP: requests, guards, headers, cookies, pages.
pub mod http;
/// Small types that carry meaning.
pub mod ids;
/// Public keys as they are published.
mod jwk;
/// JSON Web Tokens as we write them.
mod jwt;
/// The sealing keys in a file beside the SQLite database.
pub mod key_file;
/// `vestibule keys`.
pub mod keys;
/// Every number that decides how the program behaves.
pub mod limits;
/// Foreign text on its way into the log.
pub(crate) mod log_text;
/// What operators read about each problem.
mod operator_texts;
/// Everything that can go wrong, in one table.
pub mod problem;
/// The provider side: discovery, keys, client. `openidconnect` stays in here.
pub mod provider;
/// The origin that people see.
pub mod public_url;
/// One readable table of routes and layers.
pub mod router;
/// `vestibule rules check`.
pub mod rules_check;
/// Keys and sealed envelopes.
pub mod seal;
/// Typed sessions.
pub mod session;
/// Typed settings, validated before the socket opens.
pub mod settings;
/// The flow, a file per step.
pub mod sign_in;
/// Settings to running program: listeners, background work, shutdown.
pub mod startup;
/// What handlers share.
pub mod state;
/// Standard error, which may be full, slow or gone: whoever writes to it neither waits nor fails.
pub mod stderr;
/// Users, attempts and sessions, kept in MongoDB or SQLite.
pub mod store;
/// Logs and metrics.
pub mod telemetry;
/// The steps of one attempt and how long each took.
pub mod trace;
