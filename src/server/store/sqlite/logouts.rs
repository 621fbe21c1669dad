//! Tables `seen_logout_tokens` and `signed_out_browsers`, and what a logout ends in `login_sessions`.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::store::SqliteStore;
use crate::server::{
    clock::to_millis,
    ids::{BrowserHash, Subject},
    limits,
    store::{
        error::StoreError,
        logouts::{LoggedOut, Logout, LogoutStore},
        sessions::SessionRecord,
    },
};

/// SQL: the rows of the other table that belong to `?1` (issuer), `?2` (`sid`) and `?3` (subject). The first line finds them
/// by the indexes; then the `sid` decides where both name one, and the subject is no other where both name one.
macro_rules! belongs {
    () => {
        "issuer = ?1 AND (sid = ?2 OR subject = ?3) \
         AND coalesce(sid = ?2, subject = ?3) AND coalesce(subject = ?3, TRUE)"
    };
}

#[async_trait]
impl LogoutStore for SqliteStore {
    async fn log_out(&self, logout: &Logout) -> Result<LoggedOut, StoreError> {
        let Logout { id, issuer, sid, subject, issued, received } = logout;
        let insert = sqlx::query(
            "INSERT INTO seen_logout_tokens (issuer, sid, subject, issued_at, received_at, id, expires_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        );
        // As when a session is saved that is nobody's.
        let end = sqlx::query(concat!(
            "UPDATE login_sessions SET expires_at = min(expires_at, ?5), delivered_by = NULL, user_id = '', id_token = NULL \
             WHERE user_id <> '' AND ",
            belongs!(),
            " AND coalesce(issued_at <= ?4, TRUE) AND coalesce(begun_at, created_at) < ?5"
        ));
        let named = |query: sqlx::query::Query<'static, sqlx::Sqlite, _>| {
            query
                .bind(issuer.as_str().to_owned())
                .bind(sid.clone())
                .bind(subject.as_ref().map(|subject| subject.as_str().to_owned()))
                .bind(issued.unix_timestamp())
                .bind(to_millis(*received))
        };
        let (insert, end) = (named(insert), named(end));
        self.health
            .bounded(async {
                let mut transaction = self.connections.write().await?;
                let remembered = insert
                    .bind(id.as_bytes().to_vec())
                    .bind(to_millis(*received + limits::LOGOUT_REMEMBERED))
                    .execute(&mut *transaction)
                    .await?;
                if remembered.rows_affected() == 0 {
                    return Ok(LoggedOut::Replayed);
                }
                let ended = end.execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(LoggedOut::Ended(ended.rows_affected()))
            })
            .await
    }

    async fn remember_sign_out(&self, browser: BrowserHash, at: OffsetDateTime) -> Result<(), StoreError> {
        self.health
            .bounded(async {
                sqlx::query(
                    "INSERT INTO signed_out_browsers (browser, at, expires_at) VALUES (?, ?, ?) ON CONFLICT (browser) \
                     DO UPDATE SET at = max(at, excluded.at), expires_at = max(expires_at, excluded.expires_at)",
                )
                .bind(browser.as_bytes().to_vec())
                .bind(to_millis(at))
                .bind(to_millis(at + limits::LOGOUT_REMEMBERED))
                .execute(&self.connections.writer)
                .await?;
                Ok(())
            })
            .await
    }

    async fn is_logged_out(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        self.health
            .bounded(async {
                let found = sqlx::query(concat!(
                    "SELECT 1 FROM seen_logout_tokens WHERE ",
                    belongs!(),
                    " AND coalesce(issued_at >= ?4, TRUE) AND received_at > ?5 ",
                    "UNION ALL SELECT 1 FROM signed_out_browsers WHERE browser = ?6 AND at >= ?5 LIMIT 1"
                ))
                .bind(session.issuer.as_str())
                .bind(session.facts.sid.as_deref())
                .bind(session.facts.subject.as_ref().map(Subject::as_str))
                .bind(session.facts.issued.map(OffsetDateTime::unix_timestamp))
                .bind(to_millis(session.begun))
                .bind(session.browser.map(|browser| browser.as_bytes().to_vec()))
                .fetch_optional(&self.connections.readers)
                .await?;
                Ok(found.is_some())
            })
            .await
    }
}
