//! Whether a sign-in and a sign-out could be written now: the tables that they need are written, and nothing is left of it.

use super::connection::Connections;
use crate::server::store::error::StoreError;

/// Rows that no sign-in can have, put in and taken out again. Both are committed: what is rolled back never reaches the
/// disk, which may be full.
const WRITES: [&str; 12] = [
    "INSERT INTO login_attempts (id, reference, owner, provider, browser, code, started_at, claimed_at, expires_at, \
     state, lease) VALUES (x'00', '', x'', '', x'', x'', 0, 0, 0, 'failed', 0)",
    "DELETE FROM login_attempts WHERE id = x'00'",
    "INSERT INTO users (id, username, username_key) VALUES ('.probe', '.probe', ' .probe')",
    "DELETE FROM users WHERE id = '.probe'",
    "INSERT INTO login_sessions (id, user_id, issuer, provider, created_at, last_seen_at, expires_at) \
     VALUES (x'00', '', '', '', 0, 0, 0)",
    "DELETE FROM login_sessions WHERE id = x'00'",
    "INSERT INTO seen_logout_tokens (id, issuer, issued_at, received_at, expires_at) VALUES (x'00', '', 0, 0, 0)",
    "DELETE FROM seen_logout_tokens WHERE id = x'00'",
    "INSERT INTO signed_out_browsers (browser, at, expires_at) VALUES (x'00', 0, 0)",
    "DELETE FROM signed_out_browsers WHERE browser = x'00'",
    "INSERT INTO changes (user_id) VALUES ('.probe')",
    "DELETE FROM changes WHERE number = (SELECT max(number) FROM changes) AND user_id = '.probe'",
];

pub(super) async fn write(connections: &Connections) -> Result<(), StoreError> {
    let mut transaction = connections.write().await?;
    for write in WRITES {
        sqlx::query(write).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

/// Reads. From then on a reader has the file and its log open, so that the log stays where a writer has to be closed.
pub(super) async fn read(connections: &Connections) -> Result<(), StoreError> {
    sqlx::query("SELECT 1 FROM login_sessions LIMIT 1").fetch_optional(&connections.readers).await?;
    Ok(())
}
