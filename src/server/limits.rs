//! Every number that decides how the program behaves, in one table: its name, its value, and why it is not another.
//!
//! An operator can set none of these; what an operator can set is in `settings`, with its default. Durations are
//! durations, sizes are bytes, everything else is a count.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const KIB: usize = 1024;

// ---- The provider: exchanges in flight

/// An authorization code is sent within this time after it first reached us, or not at all. Codes live about a minute
/// (Authelia: exactly one); the browser's way to us and the request's way to the provider take some of it.
pub(crate) const CODE_LIFE: Duration = Duration::from_secs(55);
/// Exchanges that run at the same time at one provider. A thousand people at once must get in through a provider that
/// takes 3 s for each call. An exchange makes two calls, so 128 exchanges finish 128 sign-ins in 6 s, and the last of a
/// thousand starts after seven such rounds, 42 s, which is within [`CODE_LIFE`]. (32 let 586 people through if only one
/// of the calls took 3 s.) More would only queue inside a provider that is slow already.
pub(crate) const EXCHANGES_PER_PROVIDER: usize = 128;
/// Exchanges that run or wait at one provider; the next one is told at once that the site is busy. If an exchange takes
/// 3 s, about 2,300 can start within [`CODE_LIFE`]: those who come after them would wait for nothing. Each exchange may
/// hold a code of some kilobytes.
pub(crate) const EXCHANGE_QUEUE: usize = 2_048;

// ---- The provider: HTTP

/// A connection that takes longer will not be made.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Idle connections are closed after this time. Authelia closes them after 30 s; one that we close first is never found
/// to be closed while we write to it.
pub(crate) const IDLE_CONNECTION: Duration = Duration::from_secs(20);
/// Idle connections to one host.
pub(crate) const IDLE_CONNECTIONS: usize = 4;
/// One fetch of the discovery document or of the keys.
pub(crate) const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest discovery document or key set that is read.
pub(crate) const DOCUMENT_BYTES: usize = 256 * KIB;
/// The largest token or userinfo response that is read: 500 groups must fit, and an access token of
/// [`ACCESS_TOKEN_BYTES`] (TK-12).
pub(crate) const RESPONSE_BYTES: usize = 512 * KIB;
/// The longest access token. We do not read it, but it travels in a header (TK-12).
pub(crate) const ACCESS_TOKEN_BYTES: usize = 128 * KIB;
/// The longest ID token; it is parsed twice (ID-62).
pub(crate) const ID_TOKEN_BYTES: usize = 256 * KIB;
/// Pauses between attempts to connect for a token request. Together they bridge the restart of a proxy, not an outage.
pub(crate) const TOKEN_CONNECT_PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_500)];
/// A longer `Retry-After` is ignored.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(HOUR);

// ---- The provider: its documents

/// The discovery document is refreshed after this time, give or take a fifth. Endpoints change rarely.
pub(crate) const DISCOVERY_REFRESH: Duration = Duration::from_secs(45 * MINUTE);
/// After this time it is used only if a refresh has just failed.
pub(crate) const DISCOVERY_MAX_AGE: Duration = Duration::from_secs(HOUR);
/// After this time it is not used at all. While the provider is down, yesterday's endpoints are as good as any.
pub(crate) const DISCOVERY_STALE: Duration = Duration::from_secs(24 * HOUR);
/// The keys are refreshed after this time, give or take a fifth.
pub(crate) const JWKS_REFRESH: Duration = Duration::from_secs(30 * MINUTE);
/// A key that the provider has withdrawn is accepted no longer than this while the provider answers (JW-18).
pub(crate) const JWKS_MAX_AGE: Duration = Duration::from_secs(HOUR);
/// A key that the provider has withdrawn is accepted no longer than this while the provider does not answer.
pub(crate) const JWKS_STALE: Duration = Duration::from_secs(6 * HOUR);
/// The pause after a failed fetch; each further failure doubles it.
pub(crate) const FETCH_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between fetches.
pub(crate) const FETCH_PAUSE_MAX: Duration = Duration::from_secs(30);
/// If the next fetch is due within this time, a caller waits for it instead of failing at once. This covers the first
/// two pauses at their longest.
pub(crate) const FETCH_WAIT: Duration = Duration::from_millis(2_500);
/// Keys are fetched again because a token names an unknown one at most this often: anybody can name an unknown key.
pub(crate) const REFETCH_EVERY: Duration = Duration::from_secs(60);
/// Discovery is fetched because sign-ins fail at most this often (docs/decisions/provider-probe.md).
pub(crate) const PROBE_EVERY: Duration = Duration::from_secs(10);

// ---- The provider: circuit breaker

/// Token requests that fail in a row before the circuit opens.
pub(crate) const CIRCUIT_FAILURES: u32 = 5;
/// How long the circuit stays open the first time; each failed trial doubles it.
pub(crate) const CIRCUIT_PAUSE: Duration = Duration::from_secs(2);
/// The longest time that the circuit stays open, unless the provider asks for more.
pub(crate) const CIRCUIT_PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest `Retry-After` that keeps the circuit open: a provider that is back sooner must be noticed.
pub(crate) const CIRCUIT_RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// While a trial is under way, others look again after this time.
pub(crate) const CIRCUIT_TRIAL_POLL: Duration = Duration::from_millis(500);
/// A trial that has no answer after this time is joined by another: the provider may be back meanwhile.
pub(crate) const CIRCUIT_TRIAL_ALONE: Duration = Duration::from_secs(5);

// ---- The provider: tokens and log lines

/// How far our clock and the provider's may differ.
pub(crate) const CLOCK_LEEWAY: time::Duration = time::Duration::seconds(60);
/// Foreign text in a log line or a trace is cut to this many characters.
pub(crate) const LOGGED_CHARACTERS: usize = 200;
