//! `database`: which store, and where.

use mongodb::options::ConnectionString;

use crate::server::store::Database;

/// What is wrong with a text, and how to fix it.
type Wrong = (&'static str, &'static str);

/// Reads a connection string.
///
/// # Errors
/// What is wrong with it, without any of it: it may carry a password.
pub(super) fn parse(text: &str) -> Result<Database, Wrong> {
    if let Some(path) = text.strip_prefix("sqlite://") {
        return match path {
            "" => Err(("names no file", "write it as sqlite://vestibule.db")),
            ":memory:" => Err(("would be lost at the end", "name a file, as sqlite://vestibule.db")),
            path if path.contains(['?', '#']) => {
                Err(("has options after its path", "write the path alone, as sqlite://vestibule.db"))
            }
            path if path.ends_with('/') => {
                Err(("names a directory", "name a file in it, as sqlite:///var/lib/vestibule/vestibule.db"))
            }
            path => Ok(Database::Sqlite { path: path.into() }),
        };
    }
    if !text.starts_with("mongodb://") && !text.starts_with("mongodb+srv://") {
        return Err((
            "begins with none of sqlite://, mongodb:// and mongodb+srv://",
            "write it as sqlite://vestibule.db or mongodb://…/vestibule",
        ));
    }
    // The driver's words may quote the password.
    let parsed = ConnectionString::parse(text).map_err(|_| {
        (
            "is not a MongoDB connection string",
            "write it as mongodb://user:password@host/name, with %-escapes in user and password",
        )
    })?;
    match parsed.default_database {
        Some(name) if !name.is_empty() => Ok(Database::Mongo { uri: text.into(), name }),
        _ => Err(("names no database", "add its name after the hosts, as mongodb://…/vestibule")),
    }
}
