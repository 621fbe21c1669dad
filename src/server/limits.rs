//! Every number that decides how the program behaves, in one table: its name, its value, and why it is not another.
//!
//! An operator can set none of these; what an operator can set is in `settings`, with its default and its bounds.
//! Durations are durations, sizes are bytes, everything else is a count, unless it says otherwise. What a protocol, a
//! format or a library fixes (a status, an error code, the size of a key or of an id) is no decision of ours and stands
//! where it is used.

use std::time::Duration;

pub use self::{gate::*, store::*};

/// The gate's.
mod gate;
/// The store's.
mod store;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const KIB: usize = 1024;

// ---- The process

/// After a stop, running exchanges and logouts get this long to finish: containers are killed after ten seconds.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(8);
/// What many processes do at intervals is moved by up to this fraction, so that they do not do it at the same moment.
pub const SPREAD: f64 = 0.2;
/// Recorded samples are folded into their buckets this often, lest they pile up where nobody asks for metrics.
pub const METRICS_UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// Upper bounds of the histograms' buckets, in seconds: from a warm check to the longest exchange.
pub const METRICS_BUCKETS: [f64; 12] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 1.5, 3.0, 10.0, 30.0, 60.0];

/// What of the log may wait for whoever reads it, in bytes of its lines: about a thousand of them. What comes after that is
/// lost.
pub const LOG_WAITING_BYTES: usize = 256 * KIB;
/// A log that is full and says so at once is tried again after this.
pub const LOG_RETRY_AFTER: Duration = Duration::from_millis(100);
/// The process ends no later than this for the sake of its last lines. With [`SHUTDOWN_GRACE`] it is still less than the
/// ten seconds.
pub const LOG_LAST_LINES: Duration = Duration::from_secs(1);

/// Failures that the log has a line for, and clients that wait on a page which reloads by itself, are remembered this long
/// after their last request: what follows is a repetition. Browsers reload a page in the background once a minute.
pub const FAILURE_REMEMBERED: Duration = Duration::from_secs(2 * MINUTE);
/// How many of each are remembered; past that the oldest get another line.
pub const FAILURES_REMEMBERED: u64 = 10_000;

// ---- Settings

/// The largest settings file, key file or secret that is read: all of them are a few kilobytes.
pub const SETTINGS_FILE_BYTES: u64 = 1 << 20;
/// The longest text that is read as a duration: the parser's arithmetic is checked for any text of this length.
pub const SETTINGS_DURATION_BYTES: usize = 32;
/// How like a name must be to an unknown one to be suggested in its place: from 0 to 1, the share of letters that stay.
pub const SETTINGS_LIKENESS: f64 = 0.65;
/// How many letters may be wrong in a word that is read as `vestibule`: hardly any other word is so near.
pub const SETTINGS_PREFIX_EDITS: usize = 2;
/// The longest id of a provider: it is part of every sealed state.
pub const PROVIDER_ID_BYTES: usize = 64;
/// The longest name of a provider: no button holds more.
pub const PROVIDER_NAME_CHARACTERS: usize = 100;
/// How many headers an application may be sent besides those of its presets: with their longest names, empty, they take
/// about a third of what a response of the gate has for headers.
pub const IDENTITY_HEADERS: usize = 16;
/// The longest name of such a header.
pub const IDENTITY_HEADER_NAME: usize = 64;

// ---- Requests

/// A peer that has not sent a request's head by then is not going to; nor is one that was idle this long.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// The most that is read of a request's head before the connection is closed without a page: well above
/// [`REQUEST_HEADERS`], so that the page which says what to do is the rule.
pub const REQUEST_HEAD_BUFFER: usize = 128 * KIB;
/// Header fields that are read of a request, for the same reason far more than a browser sends.
pub const REQUEST_HEADER_FIELDS: usize = 400;
/// The most header bytes a request may bring. Browsers hold far less for one site unless something went wrong there.
pub const REQUEST_HEADERS: usize = 32 * KIB;
/// The largest body that any of our routes reads: a form post of the callback, or the panel's question.
pub const REQUEST_BODY: usize = 16 * KIB;
/// A peer that pauses this long within a body is not going to finish it.
pub const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest value of a cookie that can be ours.
pub const COOKIE_VALUE: usize = 512;
/// The longest life of a cookie that browsers allow: the flow cookie's, and the most that a session can be given.
pub const COOKIE_LIFE_MAX: Duration = Duration::from_secs(400 * DAY);

// ---- The provider: exchanges in flight

/// An authorization code is sent within this time after it first reached us, or not at all. Codes live about a minute
/// (Authelia: exactly one); the browser's way to us and the request's way to the provider take some of it.
pub const CODE_LIFE: Duration = Duration::from_secs(55);
/// Exchanges that run at the same time at one provider. A thousand people at once must get in through a provider that
/// takes 3 s for each call. An exchange makes two calls, so 128 exchanges finish 128 sign-ins in 6 s, and the last of a
/// thousand starts after seven such rounds, 42 s, which is within [`CODE_LIFE`]. (32 let 586 people through if only one
/// of the calls took 3 s.) More would only queue inside a provider that is slow already.
pub const EXCHANGES_PER_PROVIDER: usize = 128;
/// Pushed requests of one client that run at the same time at one provider, out of as many as there may be exchanges: nobody
/// has to have a code for one. A company behind one address still begins dozens of sign-ins a second.
pub const PUSHES_PER_CLIENT: usize = 8;
/// A request is pushed for nobody who is going to give up before so many times what the last push took.
pub const PUSH_MARGIN: f64 = 1.5;
/// Exchanges that run or wait at one provider; the next one is told at once that the site is busy. If an exchange takes
/// 3 s, about 2,300 can start within [`CODE_LIFE`]: those who come after them would wait for nothing. Each exchange may
/// hold a code of some kilobytes.
pub const EXCHANGE_QUEUE: usize = 2_048;

// ---- The provider: HTTP

/// A connection that takes longer will not be made.
pub const PROVIDER_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Idle connections are closed after this time. Authelia closes them after 30 s; one that we close first is never found
/// to be closed while we write to it.
pub const PROVIDER_IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Idle connections to one host.
pub const PROVIDER_IDLE_CONNECTIONS: usize = 4;
/// One fetch of the discovery document or of the keys.
pub const PROVIDER_DOCUMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest discovery document or key set that is read.
pub const PROVIDER_DOCUMENT_BYTES: usize = 256 * KIB;
/// RSA keys with fewer bits are never used (RFC 7518 3.3).
pub const RSA_BITS: usize = 2048;
/// The largest token or userinfo response that is read: 500 groups must fit, and an access token of
/// [`ACCESS_TOKEN_BYTES`] (TK-12).
pub const PROVIDER_RESPONSE_BYTES: usize = 512 * KIB;
/// The longest access token. We do not read it, but it travels in a header (TK-12).
pub const ACCESS_TOKEN_BYTES: usize = 128 * KIB;
/// The longest ID token; it is parsed twice (ID-62).
pub const ID_TOKEN_BYTES: usize = 256 * KIB;
/// How long an assertion that proves who we are is good (RFC 7523): Keycloak takes none that is longer.
pub const CLIENT_ASSERTION_LIFE: time::Duration = time::Duration::seconds(60);
/// The longest `request_uri` of a pushed request: it goes into the `Location` header, with what stands in
/// [`RETURN_TO`]'s place there.
pub const REQUEST_URI_BYTES: usize = 512;
/// Pauses between attempts to connect for a token request. Together they bridge the restart of a proxy, not an outage.
pub const TOKEN_CONNECT_PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_500)];
/// A longer `Retry-After` is ignored.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(HOUR);

// ---- The provider: its documents

/// The discovery document is refreshed after this time, give or take [`SPREAD`]. Endpoints change rarely.
pub const DISCOVERY_REFRESH: Duration = Duration::from_secs(45 * MINUTE);
/// After this time it is used only if a refresh has just failed.
pub const DISCOVERY_MAX_AGE: Duration = Duration::from_secs(HOUR);
/// After this time it is not used at all. While the provider is down, yesterday's endpoints are as good as any.
pub const DISCOVERY_STALE: Duration = Duration::from_secs(24 * HOUR);
/// The keys are refreshed after this time, give or take [`SPREAD`].
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
/// Keys are fetched again because a token names an unknown one at most this often: anybody can name an unknown key. Logout tokens,
/// which anybody can send, use up none of what sign-ins may cause.
pub const JWKS_REFETCH_EVERY: Duration = Duration::from_secs(60);
/// Discovery is fetched because sign-ins fail at most this often (docs/decisions/provider-probe.md).
pub const DISCOVERY_PROBE_EVERY: Duration = Duration::from_secs(10);

// ---- The provider: sign-out

/// The longest URL by which a browser is sent to sign out at the provider; what is longer goes there as a form. With the ID
/// token of a person in a few groups it has less; proxies' default buffers hold it beside a browser's cookies.
pub const END_SESSION_URL: usize = 1_500;
/// Whoever comes back from there later than this is not taken to have just signed out: a page of the provider's that asks may
/// have been left open, but not for longer than a sign-in may take.
pub const SIGN_OUT_RETURNS_WITHIN: Duration = Duration::from_secs(HOUR);

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
/// Foreign text in a log line or a trace (a provider's `error_description`, too) is cut to this many characters.
pub const LOGGED_CHARACTERS: usize = 200;

// ---- What is read of a request

/// The longest query or form of the callback, in bytes. nginx's default for a whole request line is 8 KiB.
pub const CALLBACK_QUERY: usize = 8 * KIB;
/// The longest value of one of its parameters, in bytes as decoded: codes of 4 KiB are legal, and seen.
pub const CALLBACK_PARAMETER: usize = 6 * KIB;
/// Characters that are kept of a provider's `error`. The registered ones have less than 30.
pub const ERROR_CODE: usize = 64;
/// The longest label of a host (RFC 1035 2.3.4): a longer one is no host below `*.NAME`, nor a page to return to.
pub const HOST_LABEL: usize = 63;
/// The longest page to return to, in bytes as sent in a `Location` header: with it, the redirect to the provider has less
/// than 3,072 bytes of headers, which every proxy's default buffer holds (docs/return-to.md).
pub const RETURN_TO: usize = 1_000;
/// The same as a parameter of ours, where some characters take three bytes: such a redirect has less than those 3,072
/// bytes, too.
pub const RETURN_TO_PARAMETER: usize = 2_600;
/// The longest `login_hint` that is passed on, in bytes as encoded: with it and the longest page to return to, the redirect
/// to the provider stays below the same 3,072 bytes.
pub const LOGIN_HINT: usize = 200;
/// The most that an operator's `prompt`, `acr_values`, `ui_locales` and `claims` add to a redirect to the provider, in bytes as
/// encoded: with those 3,072 it is less than 4 kB, which every proxy takes.
pub const OPERATORS_PARAMETERS: usize = 900;
/// The longest callback query with a provider's answer that goes into a redirect, in bytes: the budget of 1,536 bytes less
/// what other headers take. What is longer goes into the page instead.
pub const REDIRECT_QUERY: usize = 1_150;
/// Seconds within which a cookie that a redirect has set comes back with the next request, or was not kept. Long enough for
/// a slow line, too short to take the address to another browser, which would then be told what was never tested there.
pub const COOKIE_COMES_BACK: Duration = Duration::from_secs(10);

// ---- One sign-in

/// How far another process's clock may be ahead of ours.
pub const CLOCKS_APART: Duration = Duration::from_secs(60);
/// A running attempt's lease is renewed this often.
pub const RENEW_LEASE: Duration = Duration::from_secs(2);
/// After this long without a renewal, by the store's clock, the owner of an attempt is taken to be dead: two renewals
/// may fail.
pub const LEASE: Duration = RENEW_LEASE.saturating_mul(3);
/// How long a verified attempt can be delivered.
pub const DELIVERABLE: Duration = Duration::from_secs(2 * MINUTE);
/// An attempt that was verified longer ago than this delivers no session any more, even by a clock that runs behind.
pub const DELIVERY_OVER: Duration = DELIVERABLE.saturating_mul(2);
/// How long it is remembered why the session of an attempt could not be written: whoever comes back is to be told that.
pub const UNDELIVERED_KEPT: Duration = DELIVERY_OVER.saturating_mul(2);
/// A little over the patience, lest a sign-in that has just succeeded be asked for again.
pub const DELIVERY_GRACE: Duration = Duration::from_millis(100);
/// How long an attempt's record is kept: it is also the trace an administrator reads.
pub const ATTEMPT_KEPT: Duration = Duration::from_secs(7 * DAY);
/// Milliseconds between two questions of the waiting page: at first, and after each of [`ASK_SLOWER_AFTER`].
pub const ASK_EVERY: [u32; 3] = [1_000, 2_000, 3_000];
/// Seconds since the start after which the waiting page asks less often.
pub const ASK_SLOWER_AFTER: [i64; 2] = [5, 15];
/// An exchange that could not be claimed is remembered this long: a second more than the longest pause of the waiting
/// page, which would otherwise never hear why.
pub const UNCLAIMED_KEPT: Duration = Duration::from_millis(1).saturating_mul(ASK_EVERY[2] + 1_000);
/// Unclaimed exchanges that are remembered at once; past that they may be tried again at once.
pub const UNCLAIMED_MOST: usize = 4_096;
/// A question of the waiting page that begins an exchange is held this long, so that it hears at once why one cannot
/// begin: the next question may reach another process, which does not know.
pub const POLL_HOLD: Duration = Duration::from_millis(300);
/// Attempts whose first response is remembered, so that a reload does not make its code younger. Past that the oldest
/// are forgotten, and a code that is too old is refused by the provider.
pub const ATTEMPTS_REMEMBERED: u64 = 10_000;
/// How long it is remembered: twice the time after which a code is not sent any more, lest a reload find it forgotten.
pub const ARRIVAL_KEPT: Duration = CODE_LIFE.saturating_mul(2);
/// Seconds until a page tries again by itself, where nobody has said when that makes sense, or it may at any moment.
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
/// Restarts of an attempt after which a browser without a cookie is not given another: it loses them on the way. Three
/// redirects each; a browser follows 20.
pub const RESTARTS_WITHOUT_COOKIE: u8 = RESTARTS / 2;
/// How much longer each restart waits than the one before, for cookies that are still on their way to arrive.
pub const RESTART_PAUSE: Duration = Duration::from_millis(250);

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
/// Refused codes that all clients may cause at one provider, together, before those that have used up their own wait …
pub const PROVIDER_REFUSALS: u32 = 35;
/// … and then one a minute. Authelia allows 50 in ten minutes and 100 in an hour before it refuses everybody.
pub const PROVIDER_REFUSAL_EVERY: Duration = Duration::from_secs(60);
/// Codes that one client may have in flight once that many of its codes were accepted. All of them may be refused before
/// the first refusal is known, and Authelia allows 30 in a minute.
pub const IN_FLIGHT_MOST: u32 = 20;
/// Exchanges that one client may have under way, waiting or running: a quarter of what one provider's queue holds, so that
/// nobody can fill it alone.
pub const EXCHANGES_PER_CLIENT: usize = EXCHANGE_QUEUE / 4;
/// Failed attempts that a client may have recorded at once, so that nobody can fill the store …
pub const RECORDS: u32 = 64;
/// … and then one more each time this has passed.
pub const RECORD_EVERY: Duration = Duration::from_secs(10);
/// Clients remembered for each provider; past that those are forgotten who were not seen for longest.
pub const CLIENTS: u64 = 100_000;
/// A client that has used up its refusals is held to what all may cause together until this long after its last one; one
/// that has not come back for this long is forgotten.
pub const CLIENT_FORGOTTEN: Duration = Duration::from_secs(10 * MINUTE);

// ---- Accounts

/// The longest username that we make.
pub const USERNAME_CHARACTERS: usize = 64;
/// Where a name is taken, it is proposed with the numbers from 2 to this one, and then with random digits.
pub const USERNAME_NUMBER_MAX: u32 = 6;

// ---- Sessions

/// How long a browser's former session goes on after the same person has signed in anew, with the same groups, so that tabs
/// in flight do not look signed out.
pub const SESSION_FORMER_LIFE: Duration = Duration::from_secs(60);
/// When a session was last used is written at most this often …
pub const SESSION_TOUCH_EVERY: Duration = Duration::from_secs(60);
/// … but at least this many times within its idle timeout, lest a short one end a session in use.
pub const SESSION_TOUCHES_WITHIN_IDLE: u32 = 10;
/// A request waits no longer than this for it to be written.
pub const SESSION_TOUCH_WAIT: Duration = Duration::from_millis(500);
/// The longest `sid`, `acr` or method of `amr` that a session keeps.
pub const SESSION_CLAIM_BYTES: usize = 255;
/// How long after its end a session's record stays, so that its id stays taken: a delivery that is under way while the
/// person signs out must not begin the session anew.
pub const SESSION_REMOVED_AFTER: Duration = Duration::from_secs(60);
/// A session that nobody has used for this long since it was delivered has ended. The redirect that brings its cookie leads on
/// to its first use within seconds; this is what bounds how long a logout has to be remembered.
pub const SESSION_UNUSED_LIFE: Duration = Duration::from_secs(DAY);

// ---- Logouts (docs/decisions/sign-out.md)

/// The store is told of a logout until so long after it came, the wait for keys included: most providers never send it again,
/// and those that do need an answer. A stop waits as long, so that it cuts none.
pub const LOGOUT_TRIED_FOR: Duration = SHUTDOWN_GRACE;
/// A store that does not take it is asked again after this.
pub const LOGOUT_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The oldest logout token that is accepted, whatever its `exp` (BC-10, BC-11). One lives for two minutes at the most, and a
/// provider that could not reach us may send it again for a while.
pub const LOGOUT_TOKEN_AGE: Duration = Duration::from_secs(10 * MINUTE);
/// The longest `jti` of a logout token. Those in use have 20 to 60 characters.
pub const LOGOUT_TOKEN_ID_BYTES: usize = 255;
/// A provider that posts a logout token waits no longer for our answer than a few seconds; that is how long we wait for its keys.
pub const LOGOUT_TOKEN_WAIT: Duration = Duration::from_secs(5);
/// How long a logout is remembered: until the last session has been used for the first time, or has ended unused, whose ID token
/// was issued before the logout. Such a session is delivered minutes later at most. No logout token can be replayed that late.
pub const LOGOUT_REMEMBERED: Duration = SESSION_UNUSED_LIFE.saturating_add(Duration::from_secs(HOUR));
/// Logout tokens that are refused have one line in the log in this time, for each client and provider.
pub const LOGOUT_REFUSAL_REMEMBERED: Duration = Duration::from_secs(MINUTE);

/// A recheck that the provider has not answered is tried again after this long; meanwhile the session goes on.
pub const RECHECK_PAUSE: Duration = Duration::from_secs(5 * 60);
