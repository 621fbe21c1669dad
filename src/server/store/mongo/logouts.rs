//! Collection `seen_logout_tokens`: `_id` is the SHA-256 of issuer, provider and `jti`; collection
//! `signed_out_browsers`; and what a logout ends in `login_sessions`.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use mongodb::{Collection, Database};
use time::OffsetDateTime;

use super::{
    collections::{BROWSERS, LOGOUTS, SESSIONS, binary, date},
    connection::is_duplicate,
    sessions,
    store::MongoStore,
};
use crate::server::{
    ids::{BrowserHash, Issuer, Subject},
    limits,
    store::{
        error::StoreError,
        logouts::{LoggedOut, Logout, LogoutStore},
        sessions::SessionRecord,
    },
};

/// Which documents of the other collection belong to this `sid` and this subject, where those stand in `sid_field` and
/// `subject_field`: the `sid` decides where both name one, and the subject is no other where both name one. `None`: none
/// does. (Without a value, `null` also finds what has no such field.)
fn belongs(
    issuer: &Issuer,
    (sid_field, sid): (&str, Option<&str>),
    (subject_field, subject): (&str, Option<&Subject>),
) -> Option<Document> {
    let subject = subject.map(Subject::as_str);
    let issuer = issuer.as_str();
    let by_sid = sid.map(|sid| match subject {
        Some(subject) => doc! { "issuer": issuer, sid_field: sid, subject_field: { "$in": [subject, Bson::Null] } },
        None => doc! { "issuer": issuer, sid_field: sid },
    });
    let by_subject = subject.map(|subject| match sid {
        Some(_) => doc! { "issuer": issuer, subject_field: subject, sid_field: Bson::Null },
        None => doc! { "issuer": issuer, subject_field: subject },
    });
    let either: Vec<_> = by_sid.into_iter().chain(by_subject).collect();
    (!either.is_empty()).then(|| doc! { "$or": either })
}

fn logouts(database: &Database) -> Collection<Document> {
    database.collection(LOGOUTS)
}

/// Whether the logout is to be carried out: it is new, or the store has failed before it was done.
async fn remember(database: &Database, logout: &Logout) -> Result<bool, StoreError> {
    let id = binary(logout.id.as_bytes());
    let document = doc! {
        "_id": id.clone(),
        "issuer": logout.issuer.as_str(),
        "sid": logout.sid.as_deref(),
        "subject": logout.subject.as_ref().map(Subject::as_str),
        "issued_at": logout.issued.unix_timestamp(),
        "received_at": date(logout.received),
        "done": false,
        "expires_at": date(logout.received + limits::LOGOUT_REMEMBERED),
    };
    match logouts(database).insert_one(document).await {
        Ok(_) => Ok(true),
        Err(error) if is_duplicate(&error) => {
            let done = doc! { "_id": id, "done": true };
            Ok(logouts(database).find_one(done).await?.is_none())
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends the sessions that belong to the logout and are no newer; how many.
async fn end_sessions(database: &Database, logout: &Logout) -> Result<u64, StoreError> {
    let (sid, subject) = (("facts.sid", logout.sid.as_deref()), ("facts.subject", logout.subject.as_ref()));
    let Some(mut theirs) = belongs(&logout.issuer, sid, subject) else { return Ok(0) };
    theirs.extend(doc! {
        "user_id": { "$ne": SessionRecord::nobody().as_str() },
        // What an earlier version wrote has neither field, and is older.
        "facts.issued": { "$not": { "$gt": logout.issued.unix_timestamp() } },
        "begun_at": { "$not": { "$gte": date(logout.received) } },
    });
    let sessions: Collection<Document> = database.collection(SESSIONS);
    Ok(sessions.update_many(theirs, sessions::end(logout.received)).await?.matched_count)
}

/// Whether the session's browser has signed out since the person set out.
async fn has_signed_out(database: &Database, session: &SessionRecord) -> Result<bool, StoreError> {
    let Some(browser) = session.browser else { return Ok(false) };
    let browsers: Collection<Document> = database.collection(BROWSERS);
    let since = doc! { "_id": binary(browser.as_bytes()), "at": { "$gte": date(session.begun) } };
    Ok(browsers.find_one(since).await?.is_some())
}

#[async_trait]
impl LogoutStore for MongoStore {
    async fn log_out(&self, logout: &Logout) -> Result<LoggedOut, StoreError> {
        self.health
            .bounded(async {
                let database = self.database().await?;
                if !remember(database, logout).await? {
                    return Ok(LoggedOut::Replayed);
                }
                let ended = end_sessions(database, logout).await?;
                let done = doc! { "$set": { "done": true } };
                logouts(database).update_one(doc! { "_id": binary(logout.id.as_bytes()) }, done).await?;
                Ok(LoggedOut::Ended(ended))
            })
            .await
    }

    async fn remember_sign_out(&self, browser: BrowserHash, at: OffsetDateTime) -> Result<(), StoreError> {
        let signed_out = doc! { "$max": { "at": date(at), "expires_at": date(at + limits::LOGOUT_REMEMBERED) } };
        self.health
            .bounded(async {
                let browsers: Collection<Document> = self.database().await?.collection(BROWSERS);
                for _ in 0..limits::RACE_ROUNDS {
                    let browser = doc! { "_id": binary(browser.as_bytes()) };
                    match browsers.update_one(browser, signed_out.clone()).upsert(true).await {
                        // Another process was the first to write it.
                        Err(error) if is_duplicate(&error) => {}
                        done => return Ok(done.map(drop)?),
                    }
                }
                Err(StoreError::contended())
            })
            .await
    }

    async fn is_logged_out(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        let (sid, subject) = (("sid", session.facts.sid.as_deref()), ("subject", session.facts.subject.as_ref()));
        let theirs = belongs(&session.issuer, sid, subject).map(|mut theirs| {
            theirs.insert("received_at", doc! { "$gt": date(session.begun) });
            if let Some(issued) = session.facts.issued.map(OffsetDateTime::unix_timestamp) {
                theirs.insert("issued_at", doc! { "$gte": issued });
            }
            theirs
        });
        self.health
            .bounded(async {
                let database = self.database().await?;
                let by_provider = async {
                    match theirs {
                        Some(theirs) => Ok(logouts(database).find_one(theirs).await?.is_some()),
                        None => Ok(false),
                    }
                };
                let (by_provider, here) = tokio::try_join!(by_provider, has_signed_out(database, session))?;
                Ok(by_provider || here)
            })
            .await
    }
}
