//! Every number that decides how the program behaves, with its unit and why it is what it is. What an operator can set
//! stands in the settings (`settings/schema.rs`) and only its bounds are theirs; nothing here can be set.

use std::time::Duration;

// --- What is read of a request ---

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

// --- One sign-in ---

/// How far another process's clock may be ahead of ours.
pub const CLOCKS_APART: Duration = Duration::from_secs(60);
/// A code lives about a minute (Authelia: exactly): one that came longer ago is not sent, since a dead code would only
/// count as a failure of everybody who signs in through us.
pub const CODE_LIFE: Duration = Duration::from_secs(55);
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

// --- Redirect loops ---

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

// --- Failed sign-ins (docs/decisions/rate-limit.md) ---

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
/// A client that has not come back for this long is forgotten.
pub const CLIENT_FORGOTTEN: Duration = Duration::from_secs(10 * 60);

// --- The browser's cookie ---

/// How long the flow cookie lives; browsers allow no more.
pub const FLOW_COOKIE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

// --- (provider side: merged from its branch) ---
/// x
pub const EXCHANGES_PER_PROVIDER: usize = 128;
/// x
pub const EXCHANGE_QUEUE: usize = 2_048;
