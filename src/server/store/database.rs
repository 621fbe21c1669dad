//! Which store the operator chose, and how it is opened.

use std::{path::PathBuf, sync::Arc};

use secrecy::SecretString;

use super::{
    attempts::AttemptStore, changes::ChangeStore, error::StoreError, logouts::LogoutStore, mongo::MongoStore,
    readiness::Readiness, sessions::SessionStore, sqlite::SqliteStore, users::UserStore,
};

/// Where the data are stored.
#[derive(Debug)]
pub enum Database {
    /// `sqlite://path`, relative to the working directory.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// `mongodb://…/name` or `mongodb+srv://…/name`.
    Mongo {
        /// The connection string (it may carry a password).
        uri: SecretString,
        /// The database's name.
        name: String,
    },
}

/// Everything that a store does. Code that needs one aggregate takes that aggregate's trait.
pub trait Store: AttemptStore + UserStore + SessionStore + LogoutStore + ChangeStore + Readiness + 'static {}

impl<T: AttemptStore + UserStore + SessionStore + LogoutStore + ChangeStore + Readiness + 'static> Store for T {}

/// Opens the store that the operator chose. It does not wait for MongoDB: methods return [`StoreError::Unavailable`]
/// until the server is reachable. An SQLite file is opened, and made if it is missing.
///
/// # Errors
/// The SQLite file cannot be opened, or the MongoDB connection string cannot be read.
pub async fn open(database: &Database) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match database {
        Database::Sqlite { path } => Arc::new(SqliteStore::open(path).await?),
        Database::Mongo { uri, name } => Arc::new(MongoStore::open(uri, name).await?),
    })
}
