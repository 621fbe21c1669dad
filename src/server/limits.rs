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
pub const CODE_LIFE: Duration = Duration::from_secs(55);
/// Exchanges that run at the same time at one provider. A thousand people at once must get in through a provider that
/// takes 3 s for each call. An exchange makes two calls, so 128 exchanges finish 128 sign-ins in 6 s, and the last of a
/// thousand starts after seven such rounds, 42 s, which is within [`CODE_LIFE`]. (32 let 586 people through if only one
/// of the calls took 3 s.) More would only queue inside a provider that is slow already.
pub const EXCHANGES_PER_PROVIDER: usize = 128;
/// Exchanges that run or wait at one provider; the next one is told at once that the site is busy. If an exchange takes
/// 3 s, about 2,300 can start within [`CODE_LIFE`]: those who come after them would wait for nothing. Each exchange may
/// hold a code of some kilobytes.
pub const EXCHANGE_QUEUE: usize = 2_048;

// ---- The provider: HTTP

/// A connection that takes longer will not be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Idle connections are closed after this time. Authelia closes them after 30 s; one that we close first is never found
/// to be closed while we write to it.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(20);
/// Idle connections to one host.
pub const IDLE_CONNECTIONS: usize = 4;
/// One fetch of the discovery document or of the keys.
pub const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest discovery document or key set that is read.
pub const DOCUMENT_BYTES: usize = 256 * KIB;
/// The largest token or userinfo response that is read: 500 groups must fit, and an access token of
/// [`ACCESS_TOKEN_BYTES`] (TK-12).
pub const RESPONSE_BYTES: usize = 512 * KIB;
/// The longest access token. We do not read it, but it travels in a header (TK-12).
pub const ACCESS_TOKEN_BYTES: usize = 128 * KIB;
/// The longest ID token; it is parsed twice (ID-62).
pub const ID_TOKEN_BYTES: usize = 256 * KIB;
/// Pauses between attempts to connect for a token request. Together they bridge the restart of a proxy, not an outage.
pub const TOKEN_CONNECT_PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_500)];
/// A longer `Retry-After` is ignored.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(HOUR);

// ---- The provider: its documents

/// The discovery document is refreshed after this time, give or take a fifth. Endpoints change rarely.
pub const DISCOVERY_REFRESH: Duration = Duration::from_secs(45 * MINUTE);
/// After this time it is used only if a refresh has just failed.
pub const DISCOVERY_MAX_AGE: Duration = Duration::from_secs(HOUR);
/// After this time it is not used at all. While the provider is down, yesterday's endpoints are as good as any.
pub const DISCOVERY_STALE: Duration = Duration::from_secs(24 * HOUR);
/// The keys are refreshed after this time, give or take a fifth.
pub const JWKS_REFRESH: Duration = Duration::from_secs(30 * MINUTE);
/// A key that the provider has withdrawn is accepted no longer than this while the provider answers (JW-18).
pub const JWKS_MAX_AGE: Duration = Duration::from_secs(HOUR);
/// A key that the provider has withdrawn is accepted no longer than this while the provider does not answer.
pub const JWKS_STALE: Duration = Duration::from_secs(6 * HOUR);
/// The pause after a failed fetch; each further failure doubles it.
pub const FETCH_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between fetches.
pub const FETCH_PAUSE_MAX: Duration = Duration::from_secs(30);
/// If the next fetch is due within this time, a caller waits for it instead of failing at once. This covers the first
/// two pauses at their longest.
pub const FETCH_WAIT: Duration = Duration::from_millis(2_500);
/// Keys are fetched again because a token names an unknown one at most this often: anybody can name an unknown key.
pub const REFETCH_EVERY: Duration = Duration::from_secs(60);
/// Discovery is fetched because sign-ins fail at most this often (docs/decisions/provider-probe.md).
pub const PROBE_EVERY: Duration = Duration::from_secs(10);

// ---- The provider: circuit breaker

/// Token requests that fail in a row before the circuit opens.
pub const CIRCUIT_FAILURES: u32 = 5;
/// How long the circuit stays open the first time; each failed trial doubles it.
pub const CIRCUIT_PAUSE: Duration = Duration::from_secs(2);
/// The longest time that the circuit stays open, unless the provider asks for more.
pub const CIRCUIT_PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest `Retry-After` that keeps the circuit open: a provider that is back sooner must be noticed.
pub const CIRCUIT_RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// While a trial is under way, others look again after this time.
pub const CIRCUIT_TRIAL_POLL: Duration = Duration::from_millis(500);
/// A trial that has no answer after this time is joined by another: the provider may be back meanwhile.
pub const CIRCUIT_TRIAL_ALONE: Duration = Duration::from_secs(5);

// ---- The provider: tokens and log lines

/// How far our clock and the provider's may differ.
pub const CLOCK_LEEWAY: time::Duration = time::Duration::seconds(60);
/// Foreign text in a log line or a trace is cut to this many characters.
pub const LOGGED_CHARACTERS: usize = 200;

// ---- What is read of a request

/// The longest query or form of the callback, in bytes. nginx's default for a whole request line is 8 KiB.
pub const CALLBACK_QUERY: usize = 8 * 1024;
/// The longest value of one of its parameters, in bytes as decoded: codes of 4 KiB are legal, and seen.
pub const CALLBACK_PARAMETER: usize = 6 * 1024;
/// Characters that are kept of a provider's `error`. The registered ones have less than 30.
pub const ERROR_CODE: usize = 64;
/// Characters that are kept of its `error_description`: a line of the log.
pub const ERROR_DESCRIPTION: usize = 200;
/// The longest page to return to, in bytes as sent in a `Location` header.
pub const RETURN_TO: usize = 512;
/// The longest text that is looked at as one.
pub const RETURN_TO_READ: usize = 16 * 1024;
/// The longest callback query that goes into a redirect, in bytes: the budget of 1,536 bytes less what other headers
/// take. What is longer goes into the page instead.
pub const REDIRECT_QUERY: usize = 1_150;

// ---- One sign-in

/// How far another process's clock may be ahead of ours.
pub const CLOCKS_APART: Duration = Duration::from_secs(60);
/// After this long without a renewal, by the store's clock, the owner of an attempt is taken to be dead.
pub const LEASE: Duration = Duration::from_secs(6);
/// A running attempt's lease is renewed this often: twice may fail.
pub const RENEW_LEASE: Duration = Duration::from_secs(2);
/// How long a verified attempt can be delivered.
pub const DELIVERABLE: Duration = Duration::from_secs(2 * 60);
/// A little over the patience, lest a sign-in that has just succeeded be asked for again.
pub const DELIVERY_GRACE: Duration = Duration::from_millis(100);
/// How long an attempt's record is kept: it is also the trace an administrator reads.
pub const ATTEMPT_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// An exchange that could not be claimed is remembered this long: a little over the longest pause between two questions
/// of the waiting page, which would otherwise never hear why.
pub const UNCLAIMED_KEPT: Duration = Duration::from_secs(4);
/// Unclaimed exchanges that are remembered at once; past that they may be tried again at once.
pub const UNCLAIMED_MOST: usize = 4_096;
/// Attempts whose first response is remembered, so that a reload does not make its code younger. Past that the oldest
/// are forgotten, and a code that is too old is refused by the provider.
pub const ARRIVALS: u64 = 10_000;
/// Seconds until a page tries again by itself, where nobody has said when that makes sense.
pub const TRY_AGAIN_IN: u32 = 2;
/// A provider that is too busy and does not say for how long is asked again after this.
pub const RETRY_BUSY_AFTER: Duration = Duration::from_secs(60);
/// While a request is held for another process's exchange, the store is asked this often how it stands.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Pauses between tries of a store that does not answer; then once a second.
pub const STORE_PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1)];
/// Automatic restarts of one attempt: each tab of a browser that began without a cookie may need one, and one more for
/// each time that cookies and responses cross. Two redirects each; a browser follows 20.
pub const RESTARTS: u8 = 6;
/// How much longer each restart waits than the one before, for cookies that are still on their way to arrive.
pub const RESTART_PAUSE: Duration = Duration::from_millis(250);
/// Seconds since the start from which the waiting page asks every two, and every three seconds instead of every one.
pub const ASK_SLOWER_AFTER: [i64; 2] = [5, 15];

// ---- Redirect loops

/// Coming back sooner than this, without a click, is another turn in a row.
pub const TURN_WITHIN: Duration = Duration::from_secs(30);
/// Sign-ins through the provider in a row for the same page: the second is the last.
pub const SIGN_INS_IN_A_ROW: u8 = 2;
/// Turns in a row that are answered by a redirect. Later ones get a page that goes on by itself: a browser follows 20
/// redirects and then shows a page of its own, and the application and the provider take some, too.
pub const REDIRECTS_IN_A_ROW: u8 = 5;
/// Turns in a row, whatever the page, since an application may put something new into its address each time. Each of
/// many tabs restored together makes one.
pub const TURNS_IN_A_ROW: u8 = 40;

// ---- Failed sign-ins (docs/decisions/rate-limit.md)

/// Refused codes that a client may cause at once, and codes that a new one may have in flight at first.
pub const REFUSALS: u32 = 5;
/// … then one more each time this has passed.
pub const REFUSAL_EVERY: Duration = Duration::from_secs(10);
/// Refused codes that all clients who have failed lately may cause at one provider, together …
pub const PROVIDER_REFUSALS: u32 = 35;
/// … and then one a minute. Authelia allows 50 in ten minutes and 100 in an hour before it refuses everybody.
pub const PROVIDER_REFUSAL_EVERY: Duration = Duration::from_secs(60);
/// Codes that one client may have in flight once that many of its codes were accepted.
pub const IN_FLIGHT_MOST: u32 = 256;
/// Failed attempts that a client may have recorded at once, so that nobody can fill the store …
pub const RECORDS: u32 = 64;
/// … and then one more each time this has passed.
pub const RECORD_EVERY: Duration = Duration::from_secs(10);
/// Clients remembered for each provider; past that the least busy are forgotten.
pub const CLIENTS: u64 = 100_000;
/// A client that has not failed for this long has not failed lately; one that has not come back for this long is
/// forgotten.
pub const CLIENT_FORGOTTEN: Duration = Duration::from_secs(10 * 60);

// ---- The browser's cookie

/// How long the flow cookie lives; browsers allow no more.
pub const FLOW_COOKIE: Duration = Duration::from_secs(400 * 24 * 60 * 60);
