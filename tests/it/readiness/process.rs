//! The real program, without the rights that let root write what nobody may; and what only it can be made to meet.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use reqwest::StatusCode;
use tempfile::TempDir;

use crate::support::{browser::Browser, port::Port, process::THIS, wait::eventually};

/// With a provider that cannot be reached: nobody signs in here.
pub const SETTINGS: &str = r#"
public_url = "http://127.0.0.1:1"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
secret_keys = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"]

[[provider]]
id = "op"
issuer = "http://127.0.0.1:1"
client_id = "app"
client_secret = "hunter2hunter2"
"#;

/// Root may write whatever it likes, but for what it is not allowed to by its capabilities: without them it is a user
/// like any other. SIGXFSZ is ignored, so that a file that grows too large is an error as a full disk is.
pub fn unprivileged(command: &[&str]) -> Command {
    const SCRIPT: &str = r#"trap '' XFSZ
if [ "$(id -u)" = 0 ]; then exec setpriv --bounding-set=-all --inh-caps=-all "$@"; else exec "$@"; fi"#;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", SCRIPT, "sh"])
        .args(command)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    shell
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// No file of the process may grow any more, as on a full disk, and then may again.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_cannot_grow_is_told_within_seconds_and_comes_back() {
    let folder = TempDir::new().unwrap();
    let (settings, database) = (folder.path().join("vestibule.toml"), folder.path().join("people.db"));
    let port = Port::reserve();
    fs::write(&settings, SETTINGS.replacen("127.0.0.1:0", &port.address.to_string(), 1)).unwrap();
    let process = unprivileged(&[THIS])
        .arg("--config")
        .arg(&settings)
        .env("VESTIBULE_DATABASE", format!("sqlite://{}", database.display()))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let process = Running(process);
    let (url, browser) = (format!("http://{}/readyz", port.address), Browser::default());
    eventually("it listens", || async { std::net::TcpStream::connect(port.address).ok() }).await;
    assert_eq!(browser.get(&url).await.status, StatusCode::OK);

    let limit = |bytes: &str| {
        let mut limit = Command::new("prlimit");
        limit.args(["--pid", &process.0.id().to_string()]).arg(format!("--fsize={bytes}:"));
        limit.status().unwrap()
    };
    let size = fs::metadata(folder.path().join("people.db-wal")).unwrap().len();
    assert!(limit(&size.to_string()).success());
    let becomes = async |status| {
        eventually("/readyz says so", || async { (browser.get(&url).await.status == status).then_some(()) }).await;
    };
    becomes(StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(limit("unlimited").success());
    becomes(StatusCode::OK).await;
}

/// It starts, and says once that nobody can sign in yet.
#[tokio::test]
async fn a_mongodb_that_is_away_at_the_start_is_said_once() {
    let folder = TempDir::new().unwrap();
    let settings = folder.path().join("vestibule.toml");
    fs::write(&settings, SETTINGS).unwrap();
    let mut process = unprivileged(&[THIS])
        .arg("--config")
        .arg(&settings)
        .env("VESTIBULE_DATABASE", "mongodb://127.0.0.1:1/people")
        .env("VESTIBULE_LOG", "vestibule=debug")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let _process = Running(process);
    let mut warned = Vec::new();
    let mut repeated = 0;
    for line in lines {
        if line.contains("store_unavailable") && line.contains("\"WARN\"") {
            warned.push(line);
        } else if line.contains("the database still fails") {
            repeated += 1;
        }
        if repeated == 2 {
            break;
        }
    }
    assert_eq!(warned.len(), 1, "{warned:?}");
}
