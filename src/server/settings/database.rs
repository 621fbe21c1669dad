//! `database`: which store, and where.

use mongodb::options::ConnectionString;

use crate::server::store::Database;

/// What is wrong with a text, and how to fix it.
type Wrong = (String, &'static str);

/// Reads a connection string.
///
/// # Errors
/// What is wrong with it, without what may be a password.
pub(super) fn parse(text: &str) -> Result<Database, Wrong> {
    let wrong = |what: &str, fix| Err((what.to_owned(), fix));
    if let Some(path) = text.strip_prefix("sqlite://") {
        return match path {
            "" => wrong("names no file", "write it as sqlite://vestibule.db"),
            ":memory:" => wrong("would be lost at the end", "name a file, as sqlite://vestibule.db"),
            path if path.contains(['?', '#']) => {
                wrong("has options after its path", "write the path alone, as sqlite://vestibule.db")
            }
            path if path.ends_with('/') => {
                wrong("names a directory", "name a file in it, as sqlite:///var/lib/vestibule/vestibule.db")
            }
            // In full, so that every later word about it says where it is.
            path => Ok(Database::Sqlite { path: std::path::absolute(path).unwrap_or_else(|_| path.into()) }),
        };
    }
    if !text.starts_with("mongodb://") && !text.starts_with("mongodb+srv://") {
        return Err((
            format!("begins with none of sqlite://, mongodb:// and mongodb+srv://{}", scheme(text)),
            "write it as sqlite://vestibule.db or mongodb://…/vestibule",
        ));
    }
    // The driver's words may quote the password.
    let Ok(parsed) = ConnectionString::parse(text) else {
        let fix = "write it as mongodb://user:password@host/name, with %-escapes in user and password";
        return wrong("is not a MongoDB connection string", fix);
    };
    match parsed.default_database {
        Some(name) if !name.is_empty() => Ok(Database::Mongo { uri: text.into(), name }),
        _ => wrong("names no database", "add its name after the hosts, as mongodb://…/vestibule"),
    }
}

/// What `text` begins with instead, if that is all letters before a `://`, and so no password.
fn scheme(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphabetic()) => format!(", but with {scheme}://"),
        _ => String::new(),
    }
}
