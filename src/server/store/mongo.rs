//! MongoDB: the official driver, majority writes, the primary only. Each claim, lease and verdict is one atomic
//! operation on one document, so neither transactions nor a replica set are needed.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use bson::{Binary, DateTime, doc, spec::BinarySubtype};
use mongodb::{
    Client, Database,
    error::{Error, ErrorKind, WriteFailure},
    options::{
        Acknowledgment, ClientOptions, ConnectionString, DatabaseOptions, ReadPreference, SelectionCriteria,
        WriteConcern,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Attempt, Claimed, Created, NewClaim, NewUser, Person, SessionRecord, Store, StoreError, User, Verdict, bounded,
    from_millis, to_millis,
};
use crate::server::{
    ids::{AttemptId, BrowserHash, OwnerToken, Reference, SessionHash, UserId},
    trace::Step,
};
use indexes::Indexes;

mod attempts;
mod indexes;
mod sessions;
mod users;

/// How long an operation waits for a server that can take it.
const SELECTION: Duration = Duration::from_millis(1_500);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the server may wait for the majority: less than the method's own bound, so that it can still say so.
const MAJORITY: Duration = Duration::from_secs(4);

/// A store in MongoDB.
pub struct MongoStore {
    connection: Arc<Connection>,
    indexes: Arc<Indexes>,
    _index_making: AbortOnDropHandle<()>,
}

impl MongoStore {
    /// Takes the connection string, and never waits for the server (nor for the DNS of a `mongodb+srv` name): the
    /// indexes are made in the background as soon as it is there.
    ///
    /// # Errors
    /// The connection string cannot be read.
    pub async fn open(uri: &SecretString, name: &str) -> Result<Self, StoreError> {
        // The driver's own message would repeat parts of the string, which may carry a password.
        ConnectionString::parse(uri.expose_secret())
            .map_err(|_| StoreError::Unavailable("the MongoDB connection string cannot be read".into()))?;
        let connection = Arc::new(Connection { uri: uri.clone(), name: name.to_owned(), database: OnceCell::new() });
        let indexes = Arc::new(Indexes::default());
        let making = {
            let (connection, indexes) = (Arc::clone(&connection), Arc::clone(&indexes));
            async move { indexes.keep_making(&connection).await }
        };
        Ok(Self { connection, indexes, _index_making: AbortOnDropHandle::new(tokio::spawn(making)) })
    }

    /// Runs one method on the database. Everything goes through here, and so is bounded.
    async fn with<T, F>(&self, method: impl FnOnce(Database) -> F + Send) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        bounded(async { method(self.connection.database().await?).await }).await
    }
}

/// The way to the database, made when it is first needed.
struct Connection {
    uri: SecretString,
    name: String,
    database: OnceCell<Database>,
}

impl Connection {
    async fn database(&self) -> Result<Database, StoreError> {
        self.database.get_or_try_init(|| self.prepare()).await.cloned()
    }

    /// Waits for nothing but the DNS, and only for `mongodb+srv`.
    async fn prepare(&self) -> Result<Database, StoreError> {
        let mut options = ClientOptions::parse(self.uri.expose_secret()).await?;
        options.app_name.get_or_insert_with(|| "vestibule".into());
        options.server_selection_timeout = Some(SELECTION);
        options.connect_timeout = Some(CONNECT);
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).w_timeout(MAJORITY).build();
        // Stated here, so that no connection string weakens it.
        let options_of_database = DatabaseOptions::builder()
            .write_concern(majority)
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            .build();
        Ok(Client::with_options(options)?.database_with_options(&self.name, options_of_database))
    }
}

#[async_trait]
impl Store for MongoStore {
    async fn ready(&self) -> Result<Vec<String>, StoreError> {
        self.with(|database| async move { Ok(database.run_command(doc! { "ping": 1 }).await?) }).await?;
        Ok(self.indexes.problems())
    }

    async fn claim(&self, claim: &NewClaim) -> Result<Claimed, StoreError> {
        self.with(|database| attempts::claim(database, claim)).await
    }

    async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
        self.with(|database| attempts::by_id(database, id)).await
    }

    async fn attempt_by_reference(&self, reference: &Reference) -> Result<Option<Attempt>, StoreError> {
        self.with(|database| attempts::by_reference(database, reference)).await
    }

    async fn renew(&self, id: AttemptId, owner: OwnerToken) -> Result<bool, StoreError> {
        self.with(|database| attempts::renew(database, id, owner)).await
    }

    async fn settle(
        &self,
        id: AttemptId,
        owner: OwnerToken,
        verdict: &Verdict,
        steps: &[Step],
    ) -> Result<bool, StoreError> {
        self.with(|database| attempts::settle(database, id, owner, verdict, steps)).await
    }

    async fn interrupt(&self, id: AttemptId) -> Result<bool, StoreError> {
        self.with(|database| attempts::interrupt(database, id)).await
    }

    async fn close_delivery(&self, id: AttemptId) -> Result<(), StoreError> {
        self.with(|database| attempts::close_delivery(database, id)).await
    }

    async fn sign_in_user(&self, person: &Person) -> Result<Option<User>, StoreError> {
        self.with(|database| users::sign_in(database, person)).await
    }

    async fn create_user(&self, user: &NewUser) -> Result<Created, StoreError> {
        self.with(|database| async move {
            // Only the unique indexes make two first sign-ins at once one user.
            self.indexes.tried().await;
            users::create(database, user).await
        })
        .await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.with(|database| users::by_id(database, id)).await
    }

    async fn create_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        self.with(|database| sessions::create(database, session)).await
    }

    async fn session(&self, id: SessionHash) -> Result<Option<SessionRecord>, StoreError> {
        self.with(|database| sessions::by_id(database, id)).await
    }

    async fn save_session(&self, session: &SessionRecord) -> Result<bool, StoreError> {
        self.with(|database| sessions::save(database, session)).await
    }

    async fn delete_session(&self, id: SessionHash) -> Result<(), StoreError> {
        self.with(|database| sessions::delete(database, id)).await
    }

    async fn end_browser(&self, browser: BrowserHash, now: OffsetDateTime) -> Result<(), StoreError> {
        self.with(|database| sessions::end_of_browser(database, browser, now)).await
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error.kind.as_ref() {
            ErrorKind::Bson(error) => Self::unreadable(error),
            ErrorKind::Command(error) => {
                Self::unavailable(format_args!("{} ({}): {}", error.code_name, error.code, error.message))
            }
            ErrorKind::Write(WriteFailure::WriteError(error)) => {
                Self::unavailable(format_args!("write ({}): {}", error.code, error.message))
            }
            ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
                Self::unavailable(format_args!("write concern ({}): {}", error.code, error.message))
            }
            // The driver says which hosts it tried and why each failed; of the credentials it says nothing.
            kind => Self::unavailable(kind),
        }
    }
}

const DUPLICATE_KEY: i32 = 11_000;

/// The code the server gave, if it answered at all.
fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        _ => None,
    }
}

fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

fn date(moment: OffsetDateTime) -> DateTime {
    DateTime::from_millis(to_millis(moment))
}

fn moment(date: DateTime) -> Result<OffsetDateTime, StoreError> {
    from_millis(date.timestamp_millis())
}
