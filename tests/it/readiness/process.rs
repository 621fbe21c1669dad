//! The real program, without the rights that let root write what nobody may; and what only it can be made to meet.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use reqwest::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use test_provider::{Client, Profile, ProviderConfig, RunningProvider};

use crate::support::{
    browser::Browser,
    mongo::{self, Server},
    port::Port,
    process::THIS,
    wait::eventually,
};

/// With a provider that cannot be reached: nobody signs in here.
pub const SETTINGS: &str = r#"
public_url = "http://127.0.0.1:1"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
gate_listen = "127.0.0.1:0"
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

/// DI-21: a variable of the system does not decide who sees codes and secrets.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    let port = Port::reserve();
    let origin = format!("http://{}", port.address);
    let client = Client::basic("app", "hunter2hunter2", &format!("{origin}/auth/oidc/callback"));
    let provider = RunningProvider::start(ProviderConfig::new(Profile::Standard).with_client(client)).await.unwrap();
    provider.log_in_as("alice");
    let folder = TempDir::new().unwrap();
    let settings = folder.path().join("vestibule.toml");
    let text = SETTINGS
        .replacen("http://127.0.0.1:1", &origin, 1)
        .replacen("127.0.0.1:0", &port.address.to_string(), 1)
        .replace("http://127.0.0.1:1", provider.issuer());
    fs::write(&settings, text).unwrap();
    let mut program = Command::new(THIS);
    program
        .arg("--config")
        .arg(&settings)
        .env("VESTIBULE_DATABASE", format!("sqlite://{}", folder.path().join("p.db").display()));
    // Nobody listens there.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        program.env(name, "http://127.0.0.1:9");
    }
    let _program = Running(program.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    let browser = Browser::default();
    eventually("it listens", || async { std::net::TcpStream::connect(port.address).ok() }).await;
    let done = eventually("signed in", || async {
        let start = browser.get(&format!("{origin}/auth/oidc/login?return_to=/reports")).await;
        if start.status != StatusCode::SEE_OTHER {
            return None;
        }
        let callback = browser.get(start.location()).await.location().to_owned();
        Some(browser.get(&format!("{callback}&wait=1")).await)
    });
    let done = done.await;
    assert!(done.status == StatusCode::SEE_OTHER, "{done:#?}");
    eventually("userinfo was asked for", || async {
        (provider.count(test_provider::Endpoint::Userinfo) > 0).then_some(())
    })
    .await;
}

/// The program on that database, and what it logs.
struct Logging {
    process: Running,
    lines: Arc<Mutex<Vec<Value>>>,
    _folder: TempDir,
}

impl Logging {
    fn start(database: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = folder.path().join("vestibule.toml");
        fs::write(&settings, SETTINGS).unwrap();
        let mut process = unprivileged(&[THIS])
            .arg("--config")
            .arg(&settings)
            .env("VESTIBULE_DATABASE", database.replace("FOLDER", folder.path().to_str().unwrap()))
            .env("VESTIBULE_LOG", "vestibule=debug")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let read = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let heard = Arc::clone(&lines);
        // It ends with the process.
        thread::spawn(move || read.for_each(|line| heard.lock().unwrap().push(serde_json::from_str(&line).unwrap())));
        Self { process: Running(process), lines, _folder: folder }
    }

    /// How many lines have that code and that level.
    fn count(&self, code: &str, level: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line["code"] == code && line["level"] == level).count()
    }

    async fn fails_again_and_again(&self) {
        eventually("the database still fails", || async {
            (self.count("store_unavailable", "DEBUG") >= 4).then_some(())
        })
        .await;
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

/// It starts, and says once that nobody can sign in yet.
#[tokio::test]
async fn a_mongodb_that_is_away_at_the_start_is_said_once() {
    let program = Logging::start("mongodb://127.0.0.1:1/people");
    program.fails_again_and_again().await;
    let started = program.lines.lock().unwrap().iter().find(|line| line["code"] == "started").cloned().unwrap();
    let metrics = format!("http://{}/metrics", started["admin_listen"].as_str().unwrap());
    let metrics = Browser::default().get(&metrics).await.body;
    for line in ["vestibule_store_available 0\n", "vestibule_provider_available{provider=\"op\"} "] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert_eq!(program.count("store_unavailable", "WARN"), 1);
}

/// That no index can be made is the same fault, and not nine more.
#[tokio::test]
async fn a_mongodb_that_gives_no_rights_is_said_once_with_what_to_do() {
    let server = Server::start_replica_set().await;
    let commands = ["createIndexes", "insert", "update", "delete", "findAndModify"];
    server.fail(bson::doc! { "errorCode": 13, "failCommands": commands.as_slice() }, None).await;
    let program = Logging::start(&format!("{}people", server.uri()));
    program.fails_again_and_again().await;
    assert_eq!(program.count("store_unavailable", "WARN"), 1);
    for other in ["index_missing", "store_not_followed", "store_recovered"] {
        assert_eq!(program.count(other, "WARN"), 0, "{other}");
    }
    let lines = program.lines.lock().unwrap().clone();
    let said = lines.iter().find(|line| line["code"] == "store_unavailable").unwrap();
    assert!(said["to_do"].as_str().unwrap().contains("readWrite"), "{said}");
}

/// Who may not open a change stream is no reason why anybody cannot sign in, but costs a question every few seconds.
#[tokio::test]
async fn a_mongodb_that_may_not_be_followed_is_said_with_what_to_do() {
    let server = Server::start_replica_set().await;
    let uri = format!("{}people", server.uri());
    let first = Logging::start(&uri);
    mongo::indexed(&mongodb::Client::with_uri_str(&uri).await.unwrap().database("people")).await;
    drop(first);
    server.fail(bson::doc! { "errorCode": 13, "failCommands": ["aggregate"] }, None).await;
    let program = Logging::start(&uri);
    eventually("said", || async { (program.count("store_not_followed", "WARN") == 1).then_some(()) }).await;
    let lines = program.lines.lock().unwrap().clone();
    let said = lines.iter().find(|line| line["code"] == "store_not_followed").unwrap();
    assert!(said["to_do"].as_str().unwrap().contains("readWrite"), "{said}");
    assert_eq!(program.count("store_unavailable", "WARN"), 0);
}

/// As logrotate sends it after it has moved a file away.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hang_up_without_a_terminal_ends_nothing() {
    let mut program = Logging::start("sqlite://FOLDER/people.db");
    let status = format!("/proc/{}/status", program.process.0.id());
    eventually("it catches SIGHUP", || async {
        let status = fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        (u64::from_str_radix(caught.trim(), 16).unwrap() & 1 == 1).then_some(())
    })
    .await;
    for _ in 0..3 {
        program.send("-HUP");
    }
    program.send("-TERM");
    let ended = eventually("it ends", || std::future::ready(program.process.0.try_wait().unwrap())).await;
    assert_eq!(ended.code(), Some(0));
    eventually("it says so", || async { (program.count("stopping", "INFO") == 1).then_some(()) }).await;
}
