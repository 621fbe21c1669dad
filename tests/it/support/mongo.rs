//! A MongoDB server for tests: `MONGODB_URI` if set; else `mongod` on the PATH; else SecantusDB, a MongoDB-compatible
//! server from PyPI, which `make` puts into `.tools/venv`. Where none can be had the tests fail and say so.
//!
//! A shell stands between us and the server and ends it when its standard input closes, that is when the test
//! process is gone, in whatever way it went.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use mongodb::bson::{Document, doc};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::{port::Port, wait::eventually};

/// `$1` is the folder, the rest the server's command line. Says the server's process id, then waits: for the word
/// `stop`, after which the data stay, or for our end, after which nothing is left. SecantusDB sometimes hangs when it
/// is asked to end while it is busy, so it is not asked for long.
const KEEPER: &str = r#"trap '' INT; trap : TERM
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 & server=$!
echo $server
read -r word
if [ "$word" = stop ]; then
  kill -CONT $server; kill $server
  (sleep 3; kill -KILL $server) & watchdog=$!
  wait $server
  kill $watchdog
else
  kill -KILL $server; wait $server
  rm -rf "$folder"
fi >/dev/null 2>&1"#;

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(60);

/// A MongoDB server.
pub struct Server {
    uri: String,
    own: Option<Own>,
}

struct Own {
    port: Port,
    kind: Kind,
    keeper: Mutex<Option<Keeper>>,
    files: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Standalone,
    /// A replica set of one, with fail points.
    ReplicaSet,
}

/// The shell and, through it, the server.
struct Keeper {
    shell: Child,
    server: String,
}

/// The one server of this test binary. Use a database of your own: [`database_name`].
pub async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            match env::var("MONGODB_URI") {
                Ok(uri) if !uri.is_empty() => Server { uri, own: None },
                _ => Server::start_own().await,
            }
        })
        .await
}

/// Returns when a program has made the last of its indexes in `database`. SecantusDB (0.7.0b3) locks itself up, for ever, where a
/// collection is made for an index while something is written to it.
pub async fn indexed(database: &mongodb::Database) {
    let sessions = database.collection::<Document>("login_sessions");
    eventually("MongoDB has the last of the indexes", || async {
        let names = sessions.list_index_names().await.unwrap_or_default();
        names.iter().any(|name| name == "vestibule_expires_at").then_some(())
    })
    .await;
}

/// A name that no other test uses.
pub fn database_name() -> String {
    format!("vestibule_test_{}", bson::oid::ObjectId::new().to_hex())
}

impl Server {
    /// A server of one's own, to stop, start and pause; it keeps its data from stop to start and ends when dropped.
    pub async fn start_own() -> Self {
        Self::start_as(Kind::Standalone).await
    }

    /// The same as a replica set of one, to which drivers behave as to any other: it can fail over (to nobody), writes
    /// are tried again, and commands can be made to fail.
    pub async fn start_replica_set() -> Self {
        let server = Self::start_as(Kind::ReplicaSet).await;
        // A real one has to be told; SecantusDB is one from the start, and does not know the command.
        let _ = server.admin(doc! { "replSetInitiate": {} }).await;
        server.primary().await;
        server
    }

    async fn start_as(kind: Kind) -> Self {
        let files = TempDir::new().expect("a temporary directory").keep();
        let port = Port::reserve();
        let uri = format!("mongodb://{}/", port.address);
        let server = Self { uri, own: Some(Own { port, kind, keeper: Mutex::new(None), files }) };
        server.start().await;
        server
    }

    /// Makes commands of the program fail (`data` of the fail point `failCommand`) until [`Self::succeed`] or, where
    /// that is given, so many times. There is one such fail point: the last.
    pub async fn fail(&self, mut data: Document, times: Option<i32>) {
        data.insert("appName", "vestibule");
        let mode = times.map_or_else(|| "alwaysOn".into(), |times| mongodb::bson::bson!({ "times": times }));
        let point = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data };
        self.admin(point).await.expect("a server that was started with fail points");
    }

    /// Ends what [`Self::fail`] began.
    pub async fn succeed(&self) {
        self.admin(doc! { "configureFailPoint": "failCommand", "mode": "off" }).await.expect("no fail point");
    }

    /// The primary becomes a secondary, and for so many seconds there is no other.
    pub async fn step_down(&self, seconds: i32) {
        self.admin(doc! { "replSetStepDown": seconds, "force": true }).await.expect("stepped down");
    }

    /// Returns when there is a primary (again).
    pub async fn primary(&self) {
        let admin = self.itself().await.expect("a server");
        eventually("there is a primary", || async {
            let hello = admin.run_command(doc! { "hello": 1 }).await.expect("a server");
            hello.get_bool("isWritablePrimary").unwrap_or_default().then_some(())
        })
        .await;
    }

    async fn admin(&self, command: Document) -> mongodb::error::Result<Document> {
        self.itself().await?.run_command(command).await
    }

    /// Past all election: this one server, whatever its role. The client is new each time, since the server may be of
    /// another test's, and a client lives no longer than the test that made it.
    async fn itself(&self) -> mongodb::error::Result<mongodb::Database> {
        let client = mongodb::Client::with_uri_str(format!("{}?directConnection=true", self.uri)).await?;
        Ok(client.database("admin"))
    }

    /// For a client; without a database name.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Starts it again, on the same port and with the same data.
    pub async fn start(&self) {
        let own = self.own();
        let address = own.port.address;
        *own.keeper() = Some(Keeper::start(&own.files, address.port(), own.kind));
        let began = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            let log = || std::fs::read_to_string(own.files.join("log")).unwrap_or_default();
            assert!(began.elapsed() < START, "the MongoDB server does not listen:\n{}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the process; returns when it is gone.
    pub fn stop(&self) {
        drop(self.own().keeper().take());
    }

    /// Freezes the process: connections stay open and nothing responds.
    pub fn pause(&self) {
        let process = self.signal("-STOP");
        let began = Instant::now();
        while !is_stopped(&process) {
            assert!(began.elapsed() < START, "{process} does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Returns the process that got it.
    fn signal(&self, signal: &str) -> String {
        let process = self.own().keeper().as_ref().expect("the server runs").server.clone();
        assert!(Command::new("kill").args([signal, &process]).status().expect("kill").success());
        process
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("a server given by MONGODB_URI is not ours to stop")
    }
}

impl Own {
    fn keeper(&self) -> std::sync::MutexGuard<'_, Option<Keeper>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.keeper().take());
        let _ = std::fs::remove_dir_all(&self.files);
    }
}

impl Keeper {
    fn start(files: &Path, port: u16, kind: Kind) -> Self {
        let data = files.join("data");
        std::fs::create_dir_all(&data).expect("a directory for the data");
        let port = port.to_string();
        let (program, role, folder): (_, &[&str], _) = if let Some(mongod) = on_path("mongod") {
            let role: &[&str] = match kind {
                Kind::Standalone => &[],
                Kind::ReplicaSet => &["--replSet", "test", "--setParameter", "enableTestCommands=1"],
            };
            (mongod, role, ["--bind_ip", "127.0.0.1", "--dbpath"].as_slice())
        } else if let Some(secantus) = secantus() {
            let role: &[&str] = match kind {
                Kind::Standalone => &["--standalone"],
                Kind::ReplicaSet => &["--enable-test-commands"],
            };
            (secantus, role, ["--storage-path"].as_slice())
        } else {
            panic!(
                "These tests need a MongoDB server: set MONGODB_URI, or put mongod on the PATH, or run `make test`, \
                 which installs one (tools/setup)."
            )
        };
        let mut shell = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(files)
            .arg(program)
            .args(["--port", &port])
            .args(role)
            .args(folder)
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let mut server = String::new();
        BufReader::new(shell.stdout.take().expect("piped")).read_line(&mut server).expect("the server's process id");
        Self { shell, server: server.trim().to_owned() }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.shell.stdin.take().map(|mut shell| shell.write_all(b"stop\n"));
        let _ = self.shell.wait();
    }
}

fn secantus() -> Option<PathBuf> {
    const PROGRAM: &str = "secantusd-py";
    let root = env::var_os("VESTIBULE_TOOLS").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools");
    on_path(PROGRAM).or_else(|| {
        root.into_iter().chain([own]).map(|tools| tools.join("venv/bin").join(PROGRAM)).find(|p| p.is_file())
    })
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Whether every thread of the process has stopped (a signal takes its time). Where there is no `/proc`, hoped for.
fn is_stopped(process: &str) -> bool {
    std::fs::read_dir(format!("/proc/{process}/task")).map_or(true, |mut threads| {
        threads.all(|thread| {
            let status = thread.and_then(|thread| std::fs::read_to_string(thread.path().join("stat")));
            // `pid (name) state …`
            status.is_ok_and(|status| status.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
        })
    })
}
