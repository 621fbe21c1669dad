//! What is in the way of the database at the start: exit code 2, and one line that names the key and the mend.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use vestibule::server::{settings::Database, store};

use super::process::{SETTINGS, unprivileged};
use crate::support::{process::THIS, wait::eventually};

/// A database that a stopped program has left, in one file.
struct Left {
    file: PathBuf,
    folder: TempDir,
}

impl Left {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("people.db");
        drop(store::open(&Database::Sqlite { path: file.clone() }).await.unwrap());
        let left = Self { file, folder };
        // Waits for the store's own connections to end.
        eventually("the log is folded in", || async {
            left.execute("PRAGMA journal_mode = DELETE").await;
            (!left.beside("-wal").exists()).then_some(())
        })
        .await;
        left
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", self.file.display()))
    }

    async fn execute(&self, sql: &str) {
        let mut connection = connect(&self.file).await;
        let _ = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        connection.close().await.unwrap();
    }

    fn start(&self) -> Output {
        start(self.folder.path(), &self.file)
    }
}

async fn connect(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

fn start(folder: &Path, database: &Path) -> Output {
    let settings = folder.join("vestibule.toml");
    if fs::metadata(folder).unwrap().permissions().mode() & 0o200 != 0 {
        fs::write(&settings, SETTINGS).unwrap();
    }
    let database = format!("sqlite://{}", database.display());
    // One that serves all the same is ended.
    unprivileged(&["timeout", "60", THIS])
        .arg("--config")
        .arg(settings)
        .env("VESTIBULE_DATABASE", database)
        .output()
        .unwrap()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Ended with 2 and one line: the key, what is wrong, and how to mend it.
#[track_caller]
fn refused(output: &Output, what: &str, mend: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    let line = text.lines().last().unwrap();
    assert!(line.starts_with("vestibule: database: \""), "{text}");
    assert!(line.contains(what) && line.contains(mend), "neither {what:?} nor {mend:?}: {text}");
}

const WRITABLE: &str = "writable for the user";
const NAME: &str = "name a file";
const RESTORE: &str = "restore a backup";

#[tokio::test]
async fn a_file_that_cannot_be_written() {
    let left = Left::new().await;
    mode(&left.file, 0o444);
    refused(&left.start(), "readonly", WRITABLE);
    mode(&left.file, 0o000);
    refused(&left.start(), "unable to open", WRITABLE);
    mode(&left.file, 0o600);
    for suffix in ["-wal", "-shm"] {
        let left = Left::new().await;
        fs::write(left.beside(suffix), "").unwrap();
        mode(&left.beside(suffix), 0o000);
        refused(&left.start(), "unable to open", WRITABLE);
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written() {
    let left = Left::new().await;
    fs::write(left.folder.path().join("vestibule.toml"), SETTINGS).unwrap();
    mode(left.folder.path(), 0o555);
    refused(&left.start(), "readonly", WRITABLE);
    refused(&start(left.folder.path(), &left.folder.path().join("new.db")), "Permission denied", WRITABLE);
    mode(left.folder.path(), 0o755);
}

#[tokio::test]
async fn what_is_no_file() {
    let left = Left::new().await;
    let at = |name: &str| left.folder.path().join(name);
    refused(&start(left.folder.path(), &at("missing/people.db")), "No such file", NAME);
    fs::create_dir(at("directory")).unwrap();
    refused(&start(left.folder.path(), &at("directory")), "is a directory", NAME);
    symlink(at("circle"), at("circle")).unwrap();
    refused(&start(left.folder.path(), &at("circle")), "symbolic links", NAME);
    symlink("/nowhere/people.db", at("link")).unwrap();
    refused(&start(left.folder.path(), &at("link")), "a link to a file that does not exist", NAME);
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    refused(&start(left.folder.path(), &at("pipe")), "is not a file", NAME);
    refused(&start(left.folder.path(), Path::new("/dev/null")), "is not a file", NAME);
    refused(&start(left.folder.path(), &at("people.db/people.db")), "Not a directory", NAME);
    // Another name of the file is as good.
    symlink(&left.file, at("other")).unwrap();
    let path = at("other");
    drop(store::open(&Database::Sqlite { path }).await.unwrap());
}

#[tokio::test]
async fn what_is_no_database_of_ours() {
    let left = Left::new().await;
    let other = left.folder.path().join("other.db");
    fs::write(&other, "This is no database, but it is long enough to be looked at as one. ".repeat(100)).unwrap();
    refused(&start(left.folder.path(), &other), "not a database", RESTORE);

    let foreign = left.folder.path().join("foreign.db");
    let mut connection = connect(&foreign).await;
    sqlx::query("CREATE TABLE users (name)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    refused(&start(left.folder.path(), &foreign), "users already exists", "name another file");

    left.execute("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1").await;
    refused(&left.start(), "newer version", "a newer one");
}

#[tokio::test]
async fn a_damaged_file() {
    for table in ["login_attempts", "login_sessions", "users"] {
        let left = Left::new().await;
        let mut connection = connect(&left.file).await;
        let root = "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = ?";
        let (root, size): (i64, i64) = sqlx::query_as(root).bind(table).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let mut bytes = fs::read(&left.file).unwrap();
        let (root, size) = (usize::try_from(root).unwrap(), usize::try_from(size).unwrap());
        bytes[(root - 1) * size..root * size].fill(0xff);
        fs::write(&left.file, bytes).unwrap();
        refused(&left.start(), "malformed", RESTORE);
    }
    let left = Left::new().await;
    left.execute("DROP TABLE login_sessions").await;
    refused(&left.start(), "no such table", RESTORE);
}
