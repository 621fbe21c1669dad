//! A MongoDB server for tests: `MONGODB_URI` if set; else `mongod` on the PATH; else SecantusDB, a MongoDB-compatible
//! server from PyPI, which `make` puts into `.tools/venv`. Where none can be had the tests fail and say so.
//!
//! A shell stands between us and the server and ends it when its standard input closes, that is when the test
//! process is gone, in whatever way it went.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::sync::OnceCell;

/// `$1` is the log, the rest the server's command line. Says the server's process id, then waits for our end, and tidies
/// up unless the last word was to keep the data.
const KEEPER: &str = r#"log=$1; shift
"$@" </dev/null >>"$log" 2>&1 & server=$!
echo $server
last=$(cat)
kill -CONT $server 2>/dev/null; kill $server 2>/dev/null; wait $server
[ "$last" = keep ] || rm -rf "$SCRATCH""#;

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(60);

/// A MongoDB server.
pub struct Server {
    uri: String,
    own: Option<Own>,
}

struct Own {
    port: u16,
    keeper: Mutex<Option<Keeper>>,
    files: PathBuf,
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

/// A name that no other test uses.
pub fn database_name() -> String {
    format!("vestibule_test_{}", mongodb::bson::oid::ObjectId::new().to_hex())
}

impl Server {
    /// A server of one's own, to stop, start and pause; it keeps its data from stop to start and ends when dropped.
    pub async fn start_own() -> Self {
        let files = TempDir::new().expect("a temporary directory").keep();
        let port = free_port();
        let own = Own { port, keeper: Mutex::new(None), files };
        let server = Self { uri: format!("mongodb://127.0.0.1:{port}/"), own: Some(own) };
        server.start().await;
        server
    }

    /// For a client; without a database name.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Starts it again, on the same port and with the same data.
    pub async fn start(&self) {
        let own = self.own();
        *own.keeper() = Some(Keeper::start(&own.files, own.port));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, own.port));
        let began = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            let log = || std::fs::read_to_string(own.files.join("log")).unwrap_or_default();
            assert!(began.elapsed() < START, "the MongoDB server does not listen:\n{}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the process; returns when it is gone.
    pub fn stop(&self) {
        let mut keeper = self.own().keeper().take();
        if let Some(stdin) = keeper.as_mut().and_then(|keeper| keeper.shell.stdin.as_mut()) {
            stdin.write_all(b"keep").expect("the shell listens");
        }
        drop(keeper);
    }

    /// Freezes the process: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let keeper = self.own().keeper();
        let server = &keeper.as_ref().expect("the server runs").server;
        assert!(Command::new("kill").args([signal, server]).status().expect("kill").success());
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
    fn start(files: &Path, port: u16) -> Self {
        let data = files.join("data");
        std::fs::create_dir_all(&data).expect("a directory for the data");
        let port = port.to_string();
        let (program, arguments) = if let Some(mongod) = on_path("mongod") {
            (mongod, vec!["--port", &port, "--bind_ip", "127.0.0.1", "--dbpath"])
        } else if let Some(secantus) = secantus() {
            (secantus, vec!["--port", &port, "--standalone", "--storage-path"])
        } else {
            panic!(
                "These tests need a MongoDB server: set MONGODB_URI, or put mongod on the PATH, or run `make tools` \
                 (python3 -m venv .tools/venv && .tools/venv/bin/pip install secantusdb==0.7.0b3)."
            )
        };
        let mut shell = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(files.join("log"))
            .arg(program)
            .args(arguments)
            .arg(data)
            // The shared server is never dropped: then the shell tidies up.
            .env("SCRATCH", files)
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
        drop(self.shell.stdin.take());
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

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a free port").port()
}
