//! Real processes for tests: the program as it is shipped to people, and nginx. Each has a shell between it and us that
//! ends it when the shell's standard input closes, that is when the test is gone, in whatever way it went.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use mongodb::bson::{Document, doc};
use test_provider::RunningProvider;

use crate::support::{
    port::Port,
    scene::{CLIENT_ID, CLIENT_SECRET},
    wait::eventually,
};

/// `$1` is the log, or nothing where standard error is given; the rest is the command line. Says the process id, and when
/// the process has ended, with what status. `$BLOCKS` bounds the files that the process writes.
const KEEPER: &str = r#"trap '' INT
log=$1; shift
[ -z "$log" ] || exec 2>>"$log"
[ -z "$BLOCKS" ] || ulimit -f "$BLOCKS"
exec 3<&0 </dev/null
"$@" >&2 3<&- & process=$!
echo $process
{ read -r word <&3; kill -KILL $process; } 2>/dev/null & guard=$!
wait $process 2>/dev/null; status=$?
kill $guard 2>/dev/null
echo $status"#;

/// How long a process may take to listen.
const START: Duration = Duration::from_secs(60);
/// Between two looks at whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The status of a process that ended by SIGKILL, as a shell says it.
pub const KILLED: i32 = 128 + 9;

/// The program of this build.
pub const THIS: &str = env!("CARGO_BIN_EXE_vestibule");

/// Where a process's log goes.
pub enum Stderr {
    /// To the end of this file.
    File(PathBuf),
    /// To the end of this file, none of which may have more blocks than that.
    Full(PathBuf, u32),
    /// Here.
    Given(Stdio),
}

/// A running process.
pub struct Process {
    shell: Child,
    says: Option<BufReader<ChildStdout>>,
    id: String,
}

impl Process {
    fn start(command: &Path, arguments: &[&str], log: &Path) -> Self {
        Self::start_with(command, arguments, Stderr::File(log.to_owned()))
    }

    fn start_with(command: &Path, arguments: &[&str], stderr: Stderr) -> Self {
        let mut shell = Command::new("sh");
        shell.env_clear();
        let log = match stderr {
            Stderr::File(log) => log,
            Stderr::Full(log, blocks) => {
                shell.env("BLOCKS", blocks.to_string());
                log
            }
            Stderr::Given(stdio) => {
                shell.stderr(stdio);
                PathBuf::new()
            }
        };
        let mut shell = shell
            .args(["-c", KEEPER, "sh"])
            .arg(log)
            .arg(command)
            .args(arguments)
            .env("PATH", path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let mut says = BufReader::new(shell.stdout.take().expect("piped"));
        let id = line(&mut says);
        Self { shell, says: Some(says), id }
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.id]).status().expect("kill").success());
    }

    /// Returns once it listens on `address`.
    async fn listens(&mut self, address: SocketAddr, log: &Path) {
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            let lives = self.shell.try_wait().expect("a status").is_none();
            assert!(lives && began.elapsed() < START, "nobody listens on {address}:\n{}", read(log));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Returns the status when the process has ended.
    async fn ended(mut self) -> i32 {
        let mut says = self.says.take().expect("asked once");
        let status = tokio::task::spawn_blocking(move || line(&mut says)).await.expect("a status");
        status.parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn line(says: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    says.read_line(&mut line).expect("a line of the keeper");
    line.trim().to_owned()
}

/// Debian keeps nginx where only root looks.
fn path() -> String {
    format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default())
}

/// The log, or so much of it as a test looks at: `/dev/full` never ends.
fn read(log: &Path) -> String {
    const MOST: u64 = 64 * 1024 * 1024;
    let mut text = Vec::new();
    let _ = File::open(log).map(|file| file.take(MOST).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

/// Where a program keeps what it keeps.
#[derive(Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Mongo { uri: String, name: String },
}

impl Database {
    fn setting(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Mongo { uri, name } => format!("{uri}{name}"),
        }
    }

    /// The documents of a collection, or the rows of a table.
    pub async fn count(&self, what: &str) -> u64 {
        match self {
            Self::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let pool = sqlx::SqlitePool::connect_with(options).await.expect("the database");
                let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {what}")))
                    .fetch_one(&pool)
                    .await
                    .expect("a number");
                pool.close().await;
                u64::try_from(count).expect("not negative")
            }
            Self::Mongo { uri, name } => {
                let client = mongodb::Client::with_uri_str(uri).await.expect("the database");
                let collection = client.database(name).collection::<Document>(what);
                collection.count_documents(doc! {}).await.expect("a number")
            }
        }
    }
}

/// What the settings file of a program says.
pub struct Settings<'s> {
    pub public_url: &'s str,
    pub database: &'s Database,
    pub provider: &'s RunningProvider,
    pub keys: &'s [String],
}

/// The program.
pub struct Program {
    pub address: SocketAddr,
    /// Where it listens for the administrator.
    pub admin: SocketAddr,
    /// Where proxies ask it.
    pub gate: SocketAddr,
    settings: PathBuf,
    log: PathBuf,
    process: Option<Process>,
    _ports: [Port; 3],
}

impl Program {
    /// Not yet started, at an address of its own.
    pub fn new(folder: &Path, name: &str) -> Self {
        let ports = [(); 3].map(|()| Port::reserve());
        Self {
            address: ports[0].address,
            admin: ports[1].address,
            gate: ports[2].address,
            settings: folder.join(format!("{name}.toml")),
            log: folder.join(format!("{name}.log")),
            process: None,
            _ports: ports,
        }
    }

    /// Writes the settings of the next start.
    pub fn set(&self, settings: &Settings<'_>) {
        self.set_with(settings, "");
    }

    /// The same, with more keys of the provider, and more tables.
    pub fn set_with(&self, settings: &Settings<'_>, more: &str) {
        let Settings { public_url, database, provider, keys } = settings;
        let text = format!(
            r#"
public_url = "{public_url}"
listen = "{}"
admin_listen = "{}"
gate_listen = "{}"
database = "{}"
secret_keys = {keys:?}
trusted_proxies = ["127.0.0.1/32"]

[[provider]]
id = "op"
name = "Example"
issuer = "{}"
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
{more}"#,
            self.address,
            self.admin,
            self.gate,
            database.setting(),
            provider.issuer(),
        );
        fs::write(&self.settings, text).expect("the settings file");
    }

    /// Returns once it listens, which it does with its store open.
    pub async fn start(&mut self) {
        self.start_as(Path::new(THIS)).await;
    }

    /// The same, as another build of the program.
    pub async fn start_as(&mut self, binary: &Path) {
        self.start_with(binary, Stderr::File(self.log.clone())).await;
    }

    /// The same, with another log than its file.
    pub async fn start_logging_to(&mut self, stderr: Stderr) {
        self.start_with(Path::new(THIS), stderr).await;
    }

    async fn start_with(&mut self, binary: &Path, stderr: Stderr) {
        let settings = self.settings.to_str().expect("UTF-8");
        let arguments = ["serve", "--config", settings];
        let mut process = Process::start_with(binary, &arguments, stderr);
        process.listens(self.address, &self.log).await;
        self.process = Some(process);
    }

    /// Ends it with SIGKILL; returns when it is gone.
    pub async fn kill(&mut self) {
        let process = self.process.take().expect("it runs");
        process.signal("-KILL");
        assert_eq!(process.ended().await, KILLED);
    }

    /// Whether it can write to any file: if not, its disk might as well be full, or read-only.
    pub fn may_write(&self, may: bool) {
        let most = format!("--fsize={}:", if may { "unlimited" } else { "0" });
        assert!(
            Command::new("prlimit").args(["--pid", &self.running().id, &most]).status().expect("prlimit").success()
        );
    }

    /// Asks it to end with SIGTERM; returns when it takes no connection any more.
    pub async fn ask_to_end(&self) {
        self.running().signal("-TERM");
        eventually("it takes no connection", || async { TcpStream::connect(self.address).is_err().then_some(()) })
            .await;
    }

    /// Returns the exit status once it has ended.
    pub async fn ended(&mut self) -> i32 {
        self.process.take().expect("it was not waited for before").ended().await
    }

    /// The sign-ins that it finished after it was last told to stop.
    pub fn finished_while_stopping(&self) -> usize {
        let log = read(&self.log);
        let (_, rest) = log.rsplit_once(r#""code":"stopping""#).unwrap_or_default();
        rest.matches(r#""code":"signed_in""#).count()
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// A line of `/proc/PID/status`, in bytes.
    pub fn memory(&self, what: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.running().id)).expect("the process's status");
        let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).expect("the line");
        let kilobytes = line.trim().strip_suffix(" kB").expect("kilobytes");
        kilobytes.parse::<u64>().expect("a number") * 1024
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }
}

/// A test that fails shows what the program complained of.
impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = read(&self.log);
            let complaints = log.lines().filter(|line| !line.contains("\"level\":\"INFO\""));
            eprintln!("{}:\n{}", self.log.display(), complaints.take(20).collect::<Vec<_>>().join("\n"));
        }
    }
}

/// nginx in front of programs: with the configuration that is shipped (deploy/sign-in-only/nginx.conf), word for word
/// but for the upstream, unless the test says otherwise.
pub struct Nginx {
    log: PathBuf,
    _process: Process,
}

impl Nginx {
    /// Returns once it listens on `address`.
    pub async fn start(folder: &Path, address: SocketAddr, programs: &[Program]) -> Self {
        let servers: String = programs.iter().map(|program| format!("server {}; ", program.address)).collect();
        Self::shipped(folder, address, &servers).await
    }

    /// With these servers in place of the shipped upstream.
    pub async fn shipped(folder: &Path, address: SocketAddr, servers: &str) -> Self {
        const SHIPPED: &str = include_str!("../../../deploy/sign-in-only/nginx.conf");
        const UPSTREAM: &str = "http://127.0.0.1:3000;";
        assert_eq!(SHIPPED.matches(UPSTREAM).count(), 2, "deploy/sign-in-only/nginx.conf speaks of two places");
        Self::configured(folder, address, servers, &SHIPPED.replace(UPSTREAM, "http://vestibule;")).await
    }

    /// With another configuration, which passes requests to `http://vestibule`.
    pub async fn configured(folder: &Path, address: SocketAddr, servers: &str, configuration: &str) -> Self {
        let home = folder.join("nginx");
        fs::create_dir_all(home.join("tmp")).expect("a directory for nginx");
        fs::write(home.join("vestibule.conf"), configuration).expect("a file");
        let at = home.display();
        let text = format!(
            r#"
daemon off;
master_process off;
pid {at}/nginx.pid;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    log_format upstream '$status $upstream_status $upstream_addr $request_method $uri';
    access_log {at}/access.log upstream;
    client_body_temp_path {at}/tmp/body;
    proxy_temp_path {at}/tmp/proxy;
    fastcgi_temp_path {at}/tmp/fastcgi;
    uwsgi_temp_path {at}/tmp/uwsgi;
    scgi_temp_path {at}/tmp/scgi;
    upstream vestibule {{ {servers}}}
    server {{
        listen {address};
        include {at}/vestibule.conf;
        location / {{ return 200 "the application"; }}
    }}
}}
"#
        );
        let (file, log) = (home.join("nginx.conf"), home.join("error.log"));
        fs::write(&file, text).expect("a file");
        File::create(&log).expect("a file");
        let [home, file, errors] = [&home, &file, &log].map(|path| path.to_str().expect("UTF-8"));
        let mut process = Process::start(Path::new("nginx"), &["-p", home, "-c", file, "-e", errors], &log);
        process.listens(address, &log).await;
        Self { log: folder.join("nginx/access.log"), _process: process }
    }

    /// How often nginx had to ask another program, or a program once more.
    pub fn asked_again(&self) -> usize {
        read(&self.log).lines().filter(|line| line.contains(", ") || line.contains(" : ")).count()
    }
}
