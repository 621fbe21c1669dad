//! The connection, and what its errors mean.

use std::fmt;

use mongodb::{
    Client, Database,
    error::{Error, ErrorKind, WriteFailure},
    options::{
        Acknowledgment, ClientOptions, ConnectionString, DatabaseOptions, ReadPreference, SelectionCriteria,
        WriteConcern,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use crate::server::{
    limits,
    store::error::{Refusal, StoreError},
};

/// The way to the database, made when it is first needed.
pub(super) struct Connection {
    uri: SecretString,
    name: String,
    database: OnceCell<Database>,
}

impl Connection {
    pub(super) fn new(uri: &SecretString, name: &str) -> Result<Self, StoreError> {
        // The driver's own message would repeat parts of the string, which may carry a password.
        ConnectionString::parse(uri.expose_secret())
            .map_err(|_| StoreError::refused(Refusal::Address, "the MongoDB connection string cannot be read"))?;
        Ok(Self { uri: uri.clone(), name: name.to_owned(), database: OnceCell::new() })
    }

    pub(super) async fn database(&self) -> Result<&Database, StoreError> {
        self.database.get_or_try_init(|| self.prepare()).await
    }

    /// Waits for nothing but the DNS, and only for `mongodb+srv`.
    async fn prepare(&self) -> Result<Database, StoreError> {
        let mut options = ClientOptions::parse(self.uri.expose_secret()).await?;
        options.app_name.get_or_insert_with(|| "vestibule".into());
        options.server_selection_timeout = Some(limits::MONGO_SELECTION_TIMEOUT);
        options.connect_timeout = Some(limits::MONGO_CONNECT_TIMEOUT);
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).w_timeout(limits::STORE_WAIT).build();
        // Stated here, so that no connection string weakens it.
        let options_of_database = DatabaseOptions::builder()
            .write_concern(majority)
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            .build();
        Ok(Client::with_options(options)?.database_with_options(&self.name, options_of_database))
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error.kind.as_ref() {
            ErrorKind::Bson(error) => Self::unreadable(error),
            ErrorKind::Command(error) => {
                answered(error.code, format_args!("{} ({}): {}", error.code_name, error.code, error.message))
            }
            ErrorKind::Write(WriteFailure::WriteError(error)) => {
                answered(error.code, format_args!("write ({}): {}", error.code, error.message))
            }
            ErrorKind::Authentication { message, .. } => Self::refused(Refusal::Credentials, message),
            ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
                Self::unavailable(format_args!("write concern ({}): {}", error.code, error.message))
            }
            // The driver says which hosts it tried and why each failed; of the credentials it says nothing.
            kind => Self::unavailable(kind),
        }
    }
}

/// Whether the server is changing its role or shutting down: "not primary" and "is recovering", as drivers know them
/// (Server Discovery and Monitoring specification).
fn is_changing(code: i32) -> bool {
    const CHANGING: [i32; 8] = [10_058, 10_107, 13_435, 13_436, 11_600, 11_602, 91, 189];
    CHANGING.contains(&code)
}

/// What a server's answer means. One that it would give differently in a moment is one of its state, or says that
/// something took too long or was in the way.
fn answered(code: i32, what: fmt::Arguments<'_>) -> StoreError {
    /// HostUnreachable, HostNotFound, LockTimeout, LockBusy, MaxTimeMSExpired, NetworkTimeout, WriteConflict,
    /// FailedToSatisfyReadPreference, ReadConcernMajorityNotAvailableYet, NetworkInterfaceExceededTimeLimit,
    /// ExceededTimeLimit, SocketException, Interrupted, NotYetInitialized, TemporarilyUnavailable.
    const PASSING: [i32; 15] = [6, 7, 24, 46, 50, 89, 94, 112, 133, 134, 202, 262, 365, 9_001, 11_601];
    /// UserNotFound, Unauthorized, AuthenticationFailed.
    const CREDENTIALS: [i32; 3] = [11, 13, 18];
    /// OutOfDiskSpace.
    const FULL: i32 = 14_031;
    match code {
        code if is_changing(code) || PASSING.contains(&code) || code == DUPLICATE_KEY => StoreError::unavailable(what),
        code if CREDENTIALS.contains(&code) => StoreError::refused(Refusal::Credentials, what),
        FULL => StoreError::refused(Refusal::Full, what),
        _ => StoreError::refused(Refusal::Server, what),
    }
}

pub(super) const DUPLICATE_KEY: i32 = 11_000;

/// The code the server gave, if it answered at all.
pub(super) fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        _ => None,
    }
}

pub(super) fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}
