//! Table `login_sessions`.

use async_trait::async_trait;
use sqlx::{
    Executor, Row as _, Sqlite,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use time::OffsetDateTime;

use super::{attempts, connection::json_list, store::SqliteStore};
use crate::server::{
    clock::to_millis,
    ids::{AttemptId, BrowserHash, Issuer, ProviderId, SessionHash, Subject, UserId},
    limits,
    store::{
        encoding::{array, from_millis},
        error::StoreError,
        sessions::{SessionFacts, SessionRecord, SessionStore},
    },
};

/// Named rather than `*`: a newer version that shares the file may add columns while this process runs.
macro_rules! columns {
    () => {
        "id, browser, user_id, issuer, provider, begun_at, created_at, confirmed_at, rechecked_at, last_seen_at, expires_at, \
         delivered_by, subject, issued_at, sid, \"groups\", auth_time, acr, amr"
    };
}

/// Those of [`keys`].
macro_rules! among {
    () => {
        "id IN (SELECT unhex(value) FROM json_each(?))"
    };
}

/// What [`insert`] writes.
fn read(row: &SqliteRow) -> Result<SessionRecord, StoreError> {
    let bytes = |column| row.try_get::<Option<Vec<u8>>, _>(column);
    let text = |column| row.try_get::<String, _>(column);
    let moment = |column| from_millis(row.try_get(column)?);
    let maybe = |column| row.try_get::<Option<_>, _>(column)?.map(from_millis).transpose();
    let list = |column| serde_json::from_str(row.try_get(column)?).map_err(StoreError::unreadable);
    let seconds = |column| {
        let at = row.try_get::<Option<_>, _>(column)?;
        at.map(|at| OffsetDateTime::from_unix_timestamp(at).map_err(StoreError::unreadable)).transpose()
    };
    let created = moment("created_at")?;
    Ok(SessionRecord {
        id: SessionHash::from_bytes(array(row.try_get("id")?)?),
        browser: bytes("browser")?.map(|hash| array(&hash).map(BrowserHash::from_bytes)).transpose()?,
        user: UserId::new(text("user_id")?),
        issuer: Issuer::new(text("issuer")?),
        provider: ProviderId::new(text("provider")?),
        begun: maybe("begun_at")?.unwrap_or(created),
        created,
        confirmed: maybe("confirmed_at")?.unwrap_or(created),
        rechecked: maybe("rechecked_at")?,
        last_seen: moment("last_seen_at")?,
        expires: moment("expires_at")?,
        delivered_by: bytes("delivered_by")?.map(|id| array(&id).map(AttemptId::new)).transpose()?,
        facts: SessionFacts {
            subject: row.try_get::<Option<&str>, _>("subject")?.and_then(Subject::new),
            issued: seconds("issued_at")?,
            sid: row.try_get("sid")?,
            groups: list("groups")?,
            auth_time: seconds("auth_time")?,
            acr: row.try_get("acr")?,
            amr: list("amr")?,
        },
        id_token: None,
    })
}

/// What [`read`] reads. `false`: the id is taken.
async fn insert(executor: impl Executor<'_, Database = Sqlite>, session: &SessionRecord) -> Result<bool, StoreError> {
    let SessionRecord { id, browser, user, issuer, provider, begun, .. } = session;
    let SessionRecord { created, confirmed, rechecked, last_seen, expires, delivered_by, facts, id_token, .. } =
        session;
    let insert = sqlx::query(concat!(
        "INSERT INTO login_sessions (",
        columns!(),
        ", id_token) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
    ))
    .bind(key(*id))
    .bind(browser.map(|browser| browser.as_bytes().to_vec()))
    .bind(user.as_str())
    .bind(issuer.as_str())
    .bind(provider.as_str())
    .bind(to_millis(*begun))
    .bind(to_millis(*created))
    .bind(to_millis(*confirmed))
    .bind(rechecked.map(to_millis))
    .bind(to_millis(*last_seen))
    .bind(to_millis(*expires))
    .bind(delivered_by.map(|attempt| attempt.as_bytes().to_vec()));
    let inserted = with_facts(insert, facts)?.bind(id_token.as_deref()).execute(executor).await?;
    Ok(inserted.rows_affected() == 1)
}

/// A statement in progress.
type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds the facts, in the order of [`columns`].
fn with_facts<'q>(statement: Statement<'q>, facts: &'q SessionFacts) -> Result<Statement<'q>, StoreError> {
    let SessionFacts { subject, issued, sid, groups, auth_time, acr, amr } = facts;
    let list = |texts: &[String]| serde_json::to_string(texts).map_err(StoreError::unreadable);
    Ok(statement
        .bind(subject.as_ref().map(Subject::as_str))
        .bind(issued.map(OffsetDateTime::unix_timestamp))
        .bind(sid.as_deref())
        .bind(list(groups)?)
        .bind(auth_time.map(OffsetDateTime::unix_timestamp))
        .bind(acr.as_deref())
        .bind(list(amr)?))
}

fn key(id: SessionHash) -> Vec<u8> {
    id.as_bytes().to_vec()
}

fn keys(ids: &[SessionHash]) -> String {
    json_list(ids.iter().map(|id| hex::encode(id.as_bytes())))
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        self.health.bounded(insert(&self.connections.writer, session)).await
    }

    async fn session(&self, id: SessionHash) -> Result<Option<SessionRecord>, StoreError> {
        self.health
            .bounded(async {
                // A file that was replaced would go on telling, to the last who has it open.
                self.place.check().await?;
                let found = sqlx::query(concat!("SELECT ", columns!(), ", id_token FROM login_sessions WHERE id = ?"))
                    .bind(key(id))
                    .fetch_optional(&self.connections.readers)
                    .await?;
                let with_id_token =
                    |row: &SqliteRow| Ok(SessionRecord { id_token: row.try_get("id_token")?, ..read(row)? });
                found.as_ref().map(with_id_token).transpose()
            })
            .await
    }

    async fn sessions(&self, ids: &[SessionHash]) -> Result<Vec<SessionRecord>, StoreError> {
        self.health
            .bounded(async {
                self.place.check().await?;
                let rows = sqlx::query(concat!("SELECT ", columns!(), " FROM login_sessions WHERE ", among!()))
                    .bind(keys(ids))
                    .fetch_all(&self.connections.readers)
                    .await?;
                Ok(rows.iter().filter_map(|row| read(row).ok()).collect())
            })
            .await
    }

    async fn touch_sessions(&self, ids: &[SessionHash], at: OffsetDateTime) -> Result<(), StoreError> {
        self.health
            .bounded(async {
                sqlx::query(concat!("UPDATE login_sessions SET last_seen_at = max(last_seen_at, ?) WHERE ", among!()))
                    .bind(to_millis(at))
                    .bind(keys(ids))
                    .execute(&self.connections.writer)
                    .await?;
                Ok(())
            })
            .await
    }

    /// Each column moves one way only, so that of two saves at once neither undoes the other.
    async fn save_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        self.health
            .bounded(async {
                let saved = sqlx::query(
                    "UPDATE login_sessions SET last_seen_at = max(last_seen_at, ?1), expires_at = min(expires_at, ?2), \
                 delivered_by = iif(?3, NULL, delivered_by), user_id = iif(?5, '', user_id), \
                 id_token = iif(?5, NULL, id_token) WHERE id = ?4",
                )
                .bind(to_millis(session.last_seen))
                .bind(to_millis(session.expires))
                .bind(session.delivered_by.is_none())
                .bind(key(session.id))
                .bind(session.user == SessionRecord::nobody())
                .execute(&self.connections.writer)
                .await?;
                Ok(saved.rows_affected() == 1)
            })
            .await
    }

    async fn begin_recheck(
        &self,
        id: SessionHash,
        now: OffsetDateTime,
        unless_since: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        self.health
            .bounded(async {
                let begun = sqlx::query(
                    "UPDATE login_sessions SET rechecked_at = ? \
                     WHERE id = ? AND user_id <> '' AND (rechecked_at IS NULL OR rechecked_at < ?)",
                )
                .bind(to_millis(now))
                .bind(key(id))
                .bind(to_millis(unless_since))
                .execute(&self.connections.writer)
                .await?;
                Ok(begun.rows_affected() == 1)
            })
            .await
    }

    async fn confirm_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        let SessionRecord { id, user, confirmed, facts, id_token, .. } = session;
        self.health
            .bounded(async {
                let confirm = sqlx::query(
                    "UPDATE login_sessions SET confirmed_at = ?, rechecked_at = NULL, subject = ?, issued_at = ?, sid = ?, \
                     \"groups\" = ?, auth_time = ?, acr = ?, amr = ?, id_token = ? WHERE id = ? AND user_id = ?",
                )
                .bind(to_millis(*confirmed));
                let confirm = with_facts(confirm, facts)?.bind(id_token.as_deref()).bind(key(*id)).bind(user.as_str());
                let confirmed = confirm.execute(&self.connections.writer).await?;
                Ok(confirmed.rows_affected() == 1)
            })
            .await
    }

    async fn delete_session(&self, id: SessionHash) -> Result<(), StoreError> {
        self.health
            .bounded(async {
                let delete = sqlx::query("DELETE FROM login_sessions WHERE id = ?").bind(key(id));
                delete.execute(&self.connections.writer).await?;
                Ok(())
            })
            .await
    }

    async fn end_browser(&self, browser: BrowserHash, now: OffsetDateTime) -> Result<bool, StoreError> {
        self.health
            .bounded(async {
                let mut transaction = self.connections.write().await?;
                attempts::end_of_browser(&mut transaction, browser).await?;
                // Whoever has read a delivery before it was closed finds the id of its session taken.
                for (id, provider) in
                    attempts::sessions_delivered(&mut transaction, browser, now - limits::DELIVERY_OVER).await?
                {
                    insert(&mut *transaction, &SessionRecord::ended(id, browser, provider, now)).await?;
                }
                let ended = sqlx::query(
                    "UPDATE login_sessions SET expires_at = min(expires_at, ?), delivered_by = NULL, user_id = '', id_token = NULL \
                     WHERE browser = ? AND user_id <> ''",
                )
                .bind(to_millis(now))
                .bind(browser.as_bytes().to_vec())
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(ended.rows_affected() > 0)
            })
            .await
    }
}
