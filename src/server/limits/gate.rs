//! The gate's numbers.

use std::{ops::Range, time::Duration};

const MINUTE: u64 = 60;
const KIB: usize = 1024;

// ---- What is asked

/// A proxy's connection that has been idle for this long is looked after by the system (TCP keepalive): it stays for as long
/// as the proxy wants it, so that none finds one closed while it asks, and ends where the proxy is gone.
pub const GATE_KEEPALIVE: Duration = Duration::from_secs(5 * MINUTE);

/// The most bytes of all readings of a path together: a dozen readings of a path of 2 kB.
pub const READINGS_BYTES: usize = 32 * KIB;
/// A shorter reading counts as this long, so that there are 128 at most: an ordinary path has one, `projects/a%2Fb` two, and
/// what has hundreds is nobody's page.
pub const READING_BYTES_LEAST: usize = 256;

/// What every request of a client meets behind the gate has one line in the log for this long.
pub const GATE_FAILURE_REMEMBERED: Duration = Duration::from_secs(MINUTE);

// ---- Who is signed in

/// What is known of a session holds this long in a check of the gate, from the time on of which it is known: the bound within
/// which a sign-out, a disabled account or a changed role takes effect in every process.
pub const SESSION_KNOWN_FRESH: Duration = Duration::from_secs(5);
/// A session in use is asked for again before that, at an age between these, so that nobody has to wait for it. Each has an age of
/// its own: those that came together, after a restart, would otherwise be asked for together for ever, and checks would have to
/// wait for the processor meanwhile.
pub const SESSION_ASKED_AHEAD: Range<Duration> = Duration::from_secs(3)..Duration::from_secs(4);
/// Where the store says what changes, what it has said of a session is true for as long as it says nothing else, but no longer
/// than this after it was asked: the use of a session is noted before that, which is when it is asked for again.
pub const SESSION_FOLLOWED: Duration = Duration::from_secs(2 * MINUTE);
/// While the store cannot tell, a check goes on with what it knows for this long …
pub const SESSION_KNOWN_UNANSWERED: Duration = Duration::from_secs(60);
/// … which makes this the oldest that is ever believed.
pub const SESSION_KNOWN_AT_MOST: Duration = SESSION_KNOWN_FRESH.saturating_add(SESSION_KNOWN_UNANSWERED);
/// A check of a session that nothing is known about waits this long for the store: less than any proxy waits for us, and HAProxy's
/// script (deploy/haproxy/vestibule.lua) for 1.5 s.
pub const SESSION_ASK_WAIT: Duration = Duration::from_millis(1_250);
/// One of a session that is known, but no longer fresh, waits this long before it goes on with what it knows.
pub const SESSION_ASK_AGAIN_WAIT: Duration = Duration::from_millis(500);
/// What is asked ahead of time is gathered this long: so many together cost the store little more than one, and not so much that
/// checks have to wait for their turn at the processor.
pub const SESSIONS_GATHERED: Duration = Duration::from_millis(5);
/// What has ended, here or elsewhere, is remembered longer than any question to the store takes, so that an answer from before
/// does not bring it back.
pub const FORGOTTEN_KEPT: Duration = Duration::from_secs(30);
/// Sessions that the store is asked for at once.
pub const SESSIONS_ASKED_AT_ONCE: usize = 500;
/// So many wait for the store at most: a flood of made-up cookies is refused past that, while those of sessions that are known
/// go on.
pub const SESSIONS_WAITING: usize = 20_000;
/// What is known of sessions takes no more memory than this: over 100,000 of them, with a kilobyte for each.
pub const KNOWN_SESSIONS_BYTES: u64 = 128 << 20;
/// What applications are told about people takes no more memory than this, themselves included: over 100,000 people at one host
/// each, or fewer with many groups.
pub const PASSES_BYTES: u64 = 256 << 20;
/// So many entries a cache of sessions or of people is laid out for; the bytes above bound it.
pub const CACHED: usize = 100_000;
/// What an entry of a cache takes beside its value, by measurement.
pub const CACHE_ENTRY_BYTES: usize = 256;

// ---- From host to host

/// A question of an application's host for the person is answered this long; a later one, of a page restored from last
/// week, is asked anew.
pub const HANDOVER_FRESH: Duration = Duration::from_secs(10 * MINUTE);
/// The answer is a redirect that the browser follows at once.
pub const TICKET_FRESH: Duration = Duration::from_secs(30);
/// A browser that has been handed over this often in a row and still brings no cookie does not keep them.
pub const HANDOVERS_WITHOUT_COOKIE: u8 = 3;

/// Whom a proxy refuses although they may pass is sent to the same page once; again within this time it is no chance.
pub const SENT_AGAIN_WITHIN: Duration = Duration::from_secs(10);

// ---- What applications are told

/// The most header bytes of an answer with an identity, whatever the person (`Cookie` aside). nginx gives up at 4,096, and
/// what it adds to its own answer comes on top.
pub const IDENTITY_ANSWER_BYTES: usize = 3_500;
/// What of it is not the identity: the status line, `content-length`, `date`, `cache-control`, `vary`, `connection` and the
/// empty line are about 140 bytes.
pub const IDENTITY_OTHER_BYTES: usize = 256;
/// A longer name, address, username, issuer or subject is not told: an address has at most 254 bytes, a subject 255, and a
/// username that we make 64 characters.
pub const IDENTITY_VALUE_BYTES: usize = 256;
/// How long an assertion or a token for an application lives. It is made anew after half of it.
pub const ASSERTION_LIFE: Duration = Duration::from_secs(5 * MINUTE);
