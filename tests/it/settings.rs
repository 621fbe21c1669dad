//! Wrong settings on the real program: exit 2, every fault at once, a line each with its key and how to fix it, no
//! secret shown.

use std::{
    ffi::OsString,
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    sync::Barrier,
    thread,
};

use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use vestibule::server::{
    clock::RealEntropy,
    key_file,
    settings::{ClientAuth, Database, SecretKeys, Settings},
};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
/// Stands for every secret; no output may hold it.
const SECRET: &str = "hunter2hunter2";

const GOOD: &str = r#"
public_url = "https://auth.example.com"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
gate_listen = "127.0.0.1:0"

[[provider]]
id = "op"
issuer = "https://op.test"
client_id = "app"
client_secret = "hunter2hunter2"
"#;

/// Runs the program in an empty folder with `vestibule.toml` (if any) and nothing but `env` in its environment.
fn run(file: Option<&str>, env: &[(&str, &str)], arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    if let Some(text) = file {
        fs::write(folder.path().join("vestibule.toml"), text).unwrap();
    }
    run_in(folder.path(), env, arguments)
}

fn run_in(folder: &Path, env: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

/// The fault lines of a run that must end with 2.
fn faults(file: Option<&str>, env: &[(&str, &str)]) -> Vec<String> {
    lines(&run(file, env, &[]))
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(output.stdout.is_empty());
    assert!(!text.contains("hunter2"), "a secret is shown: {text}");
    text.lines()
        .map(|line| {
            let line = line.strip_prefix("vestibule: ").unwrap_or_else(|| panic!("not a fault: {line}"));
            assert!(line.contains(": ") && line.contains("; "), "neither key nor fix: {line}");
            line.to_owned()
        })
        .collect()
}

fn changed(from: &str, to: &str) -> String {
    GOOD.replacen(from, to, 1)
}

fn above(line: &str) -> String {
    format!("{line}\n{GOOD}")
}

fn below(text: &str) -> String {
    format!("{GOOD}\n{text}\n")
}

/// Each file has one fault, which begins and is fixed like this.
fn each_is_one_line(cases: &[(String, &str, &str)]) {
    for (file, begins, fix) in cases {
        let found = faults(Some(file), &[]);
        assert_eq!(found.len(), 1, "{begins}: {found:?}");
        assert!(found[0].starts_with(begins) && found[0].contains(fix), "{begins} … {fix}: {found:?}");
    }
}

#[test]
fn each_kind_of_wrong_settings_is_one_line() {
    each_is_one_line(&[
        (changed("public_url = \"https://auth.example.com\"", ""), "public_url: is missing", "add public_url"),
        (changed("auth.example.com", "auth.example.com/app"), "public_url: must be an origin", "write an origin"),
        (changed("https://auth", "http://auth"), "public_url: must be https", "write an origin"),
        (changed("listen = \"127.0.0.1:0\"", "listen = true"), "listen: is true, text is wanted", "write it"),
        (above("secret_keys = [\"hunter2hunter2\"]"), "secret_keys[0]: is not base64url", "openssl"),
        (above("secret_keys = [\"hunter2hunter2AA\"]"), "secret_keys[0]: has 12 bytes, at least 32", "openssl"),
        (above("secret_keys = []"), "secret_keys: is empty", "openssl"),
        (above("database = \"postgres://u:hunter2@db/v\""), "database: begins with none of", "sqlite://"),
        (above("database = \"mongodb://u:hunter2@db.test/v\""), "secret_keys: is missing", "openssl"),
        (
            above(&format!("secret_keys = [\"{KEY}\"]\ndatabase = \"mongodb://u:hunter2@db.test\"")),
            "database: names no database",
            "add its name",
        ),
        (below("[sign_in]\npatience = \"2s\""), "sign_in.patience: is \"2s\", which is out of bounds", "at most 1.8s"),
        (below("[session]\nidle = 7"), "session.idle: is the number 7", "write it"),
        (below("[session]\nidle = \"40d\""), "session.idle: is 40d, longer than", "raise session.absolute"),
        (below("[session]\nidel = \"1d\""), "session.idel: is not a key", "did you mean session.idle?"),
        (above("public-url = 1"), "public-url: is not a key", "did you mean public_url?"),
    ]);
}

#[test]
fn each_kind_of_wrong_provider_is_one_line() {
    let twice = below(&GOOD[GOOD.find("[[provider]]").unwrap()..].replace("app", "app2"));
    each_is_one_line(&[
        (changed("https://op.test", "http://op.test"), "provider[0].issuer: is not https", "copy it"),
        (changed("https://op.test", "https://op.test?x"), "provider[0].issuer: has a query", "copy it"),
        (changed("id = \"op\"", "id = \"o p\""), "provider[0].id: is \"o p\"", "use letters"),
        (twice, "provider[1].id: is \"op\" a second time", "give each provider"),
        (
            below("client_auth = \"basic\""),
            "provider[0].client_auth: is \"basic\"",
            "client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, none",
        ),
        (
            changed("client_secret = \"hunter2hunter2\"", ""),
            "provider[0].client_secret: is missing",
            "client_secret_file",
        ),
        (
            changed("hunter2hunter2\"", "hunter2hunter2 \""),
            "provider[0].client_secret: begins or ends with white space",
            "remove it",
        ),
        (below("scopes = [\"email\"]"), "provider[0].scopes: lacks openid", "write it"),
        (
            below("client_secert_file = \"x\""),
            "provider[0].client_secert_file: is not a key",
            "did you mean provider[0].client_secret_file?",
        ),
        (below("client_secret_file = \"x\""), "provider[0].client_secret: is given together with", "keep one"),
        (
            changed("client_secret = \"hunter2hunter2\"", "client_secret_file = \"missing\""),
            "provider[0].client_secret_file: cannot read",
            "name a file",
        ),
        (changed("[[provider]]", "[provider]"), "provider: is not a list of tables", "write [[provider]]"),
    ]);
}

#[test]
fn all_faults_are_reported_at_once() {
    let found = faults(
        Some(
            "listen = \"x\"\nsession = 1\nsecret_keys = [\"hunter2\"]\n[[provider]]\nid = \"/\"\n[users]\ngroups = []\n",
        ),
        &[("VESTIBULE_SIGN_IN__DEADLINE", "1h")],
    );
    let keys: Vec<_> = found.iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        keys,
        [
            "session",
            "users.groups",
            "public_url",
            "listen",
            "secret_keys[0]",
            "provider[0].id",
            "provider[0].issuer",
            "provider[0].client_id",
            "provider[0].client_secret",
            "sign_in.deadline"
        ]
    );
}

#[test]
fn nothing_at_all_says_what_is_needed() {
    let found = faults(None, &[]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("public_url: is missing") && found[1].starts_with("provider: is missing"));
    assert!(found.iter().all(|line| line.contains("(there is no vestibule.toml in /")), "{found:?}");
}

#[test]
fn a_broken_file_is_named_with_its_line_and_not_quoted() {
    let found = faults(Some("public_url = \"https://a.test\"\n[[provider]]\nclient_secret = \"hunter2\" oops\n"), &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("vestibule.toml: is not TOML") && found[0].contains("line 3"), "{found:?}");
}

#[test]
fn a_named_file_must_exist_and_the_default_one_need_not() {
    let missing = lines(&run(Some(GOOD), &[], &["--config", "other.toml"]));
    assert!(missing[0].starts_with("--config: cannot read \"other.toml\" (no such file)"), "{missing:?}");

    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("vestibule.toml"), "nonsense").unwrap();
    fs::write(folder.path().join("other.toml"), GOOD.replace("https://op", "http://op")).unwrap();
    for arguments in
        [&["--config", "other.toml"][..], &["serve", "--config", "other.toml"], &["--config", "other.toml", "serve"]]
    {
        let found = lines(&run_in(folder.path(), &[], arguments));
        assert!(found.len() == 1 && found[0].starts_with("provider[0].issuer: is not https"), "{found:?}");
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let wrong = GOOD.replace("listen = \"127.0.0.1:0\"", "listen = \"wrong\"").replace("https://op.test", "wrong");
    // Right over wrong: only the fault put in to end the run is left.
    let found = faults(
        Some(&wrong.replace("admin_listen = \"wrong\"", "").replace("gate_listen = \"wrong\"", "")),
        &[
            ("VESTIBULE_LISTEN", "127.0.0.1:0"),
            ("VESTIBULE_PROVIDER__0__ISSUER", "https://op.test"),
            ("VESTIBULE_SESSION__IDLE", "never"),
        ],
    );
    assert!(found.len() == 1 && found[0].starts_with("session.idle: is \"never\""), "{found:?}");
    // Wrong over right, also where the two are spelled differently.
    let found = faults(Some(GOOD), &[("VESTIBULE_PROVIDER__0__CLIENT_SECRET_FILE", "missing")]);
    assert!(found.len() == 1 && found[0].starts_with("provider[0].client_secret_file: cannot read"), "{found:?}");
}

#[test]
fn a_variable_that_is_nearly_a_key_stops_the_program() {
    let found =
        faults(Some(GOOD), &[("VESTIBULE_USERS__ALLOWED_GROUP", "staff"), ("VESTIBULE_PORT", "tcp://10.0.0.1:80")]);
    let line = "VESTIBULE_USERS__ALLOWED_GROUP: is not a key; did you mean VESTIBULE_USERS__ALLOWED_GROUPS?";
    assert!(found.len() == 1 && found[0].starts_with(line), "{found:?}");
    let found =
        faults(Some(GOOD), &[("VESTIBULE_EMAIL_DOMAINS", "example.com"), ("VESTIBULLE_ALLOWED_GROUPS", "staff")]);
    assert!(found.len() == 2 && found.iter().all(|line| line.contains(": is not a key; ")), "{found:?}");
    let found = faults(Some(GOOD), &[("VESTIBULE_USERS__ALLOWED_GROUPS", "CN=Staff,OU=Groups,DC=example,DC=com")]);
    assert!(found.len() == 1 && found[0].starts_with("users.allowed_groups: has commas"), "{found:?}");
}

#[test]
fn an_address_of_another_machine_is_said_to_be_one() {
    // TEST-NET-1 (RFC 5737): on no machine.
    let output = run(Some(GOOD), &[("VESTIBULE_LISTEN", "192.0.2.1:3000"), ("VESTIBULE_LOG", "off")], &[]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("listen: cannot listen on 192.0.2.1:3000") && text.contains("use an address of this machine"),
        "{text}"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(Some(GOOD), &[("VESTIBULE_LISTEN", &address), ("VESTIBULE_LOG", "off")], &[]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains(&format!("cannot listen on {address}")) && text.contains("stop what listens there"),
        "{text}"
    );
}

#[test]
fn a_secret_twice_in_the_environment_is_a_fault() {
    let both = [("VESTIBULE_DATABASE", SECRET), ("VESTIBULE_DATABASE_FILE", "x")];
    let found = faults(Some(GOOD), &both);
    let what =
        "database: is given in more than one form; keep one of them (in VESTIBULE_DATABASE, VESTIBULE_DATABASE_FILE)";
    assert!(found.len() == 1 && found[0].starts_with(what), "{found:?}");
}

#[test]
fn usage() {
    let help = run(None, &[], &["--help"]);
    let text = String::from_utf8(help.stdout).unwrap();
    assert_eq!(help.status.code(), Some(0));
    assert!(text.contains("serve") && text.contains("--config <FILE>"), "{text}");
    assert_eq!(text.contains("demo"), cfg!(feature = "demo"), "{text}");

    let version = run(None, &[], &["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), concat!("vestibule ", env!("CARGO_PKG_VERSION"), "\n"));

    for wrong in [
        &["frobnicate"][..],
        &["--frobnicate"],
        &["--config"],
        &["demo", "--config", "x"],
        &["--config", "x", "demo"],
        &["--config", "x", "serve", "--config", "y"],
    ] {
        assert_eq!(run(None, &[], wrong).status.code(), Some(2), "{wrong:?}");
    }
    let filter = lines(&run(Some(GOOD), &[("VESTIBULE_LOG", "a=b=c")], &[]));
    assert!(filter.len() == 1 && filter[0].starts_with("VESTIBULE_LOG: is \"a=b=c\""), "{filter:?}");
}

fn load(folder: &Path, file: &str, env: &[(&str, &str)]) -> Settings {
    let path = folder.join("settings.toml");
    fs::write(&path, file).unwrap();
    let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Settings::load(Some(&path), env).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// The keys that a start with these settings has.
fn keys(settings: &Settings) -> Vec<Vec<u8>> {
    let made;
    let keys = match &settings.secret_keys {
        SecretKeys::Given(keys) => keys,
        SecretKeys::InFile(path) => {
            made = key_file::read_or_create(path, &RealEntropy).unwrap_or_else(|fault| panic!("{fault}"));
            &made
        }
    };
    keys.iter().map(|key| key.expose_secret().clone()).collect()
}

#[test]
fn secrets_come_from_files_and_one_newline_is_dropped() {
    let folder = TempDir::new().unwrap();
    let kept = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let secret = kept("secret", "hunter2\n");
    let key_file = kept("keys", &format!("{KEY}\n{OTHER_KEY}\n"));
    let database = kept("database", "mongodb://u:hunter2@db.test/people\n");
    let file = GOOD.replace("client_secret = \"hunter2hunter2\"", &format!("client_secret_file = \"{secret}\""));
    let env = [("VESTIBULE_SECRET_KEYS_FILE", key_file.as_str()), ("VESTIBULE_DATABASE_FILE", database.as_str())];
    let settings = load(folder.path(), &file, &env);

    assert!(
        matches!(&settings.providers[0].client_auth, ClientAuth::Basic(secret) if secret.expose_secret() == "hunter2")
    );
    assert!(matches!(&settings.database, Database::Mongo { name, .. } if name == "people"));
    let first: Vec<_> = keys(&settings).iter().map(|key| key[0]).collect();
    assert_eq!(first, [0, 32], "in order: the first seals");

    let two_newlines = kept("secret", "hunter2\n\n");
    let found = faults(
        Some(&GOOD.replace("client_secret = \"hunter2hunter2\"", &format!("client_secret_file = \"{two_newlines}\""))),
        &[],
    );
    assert!(found[0].starts_with("provider[0].client_secret: begins or ends with white space"), "{found:?}");
}

#[test]
fn a_first_start_on_sqlite_makes_one_key_that_stays() {
    let folder = TempDir::new().unwrap();
    let settings = TempDir::new().unwrap();
    let database = format!("sqlite://{}", folder.path().join("people.db").display());
    let load = |env: &[(&str, &str)]| {
        load(settings.path(), GOOD, &[&[("VESTIBULE_DATABASE", database.as_str())], env].concat())
    };
    let first = load(&[]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "loading settings writes nothing");

    let together = Barrier::new(8);
    let started: Vec<_> = thread::scope(|scope| {
        let start = || {
            together.wait();
            keys(&first)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!((started[0].len(), started[0][0].len()), (1, 32));
    assert!(started.iter().all(|keys| *keys == started[0]), "processes that start together have the same key");

    let path = folder.path().join("people.db.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left but the key");
    assert_eq!(keys(&load(&[])), started[0]);
    assert_ne!(keys(&load(&[("VESTIBULE_SECRET_KEYS", KEY)])), started[0]);
}

#[test]
fn settings_with_a_fault_make_no_key() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("vestibule.toml"), GOOD.replace("https://op", "http://op")).unwrap();
    lines(&run_in(folder.path(), &[], &[]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_or_homeless_key_file_is_a_fault() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("vestibule.toml"), GOOD).unwrap();
    fs::write(folder.path().join("vestibule.db.key"), "hunter2").unwrap();
    let found = lines(&run_in(folder.path(), &[("VESTIBULE_LOG", "off")], &[]));
    let file = folder.path().canonicalize().unwrap().join("vestibule.db.key");
    assert!(found.len() == 1 && found[0].starts_with(&format!("secret_keys: {file:?}: ")), "{found:?}");

    // The database has the same home, and comes first: with a key set, it would still have none.
    let found = faults(Some(GOOD), &[("VESTIBULE_DATABASE", "sqlite://nowhere/people.db")]);
    let (found, what) = (&found[0], "/nowhere/people.db\": cannot be made");
    assert!(found.starts_with("database: \"/") && found.contains(what), "{found}");
}

/// To open a pipe would wait for whoever writes into it, and nobody does.
#[test]
fn a_pipe_or_a_directory_in_place_of_a_file_is_a_fault() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    fs::create_dir(at("directory")).unwrap();
    for (name, what) in [("pipe", "is a pipe or a device, a file is wanted"), ("directory", "is a directory, a file")] {
        let named = at(name).to_str().unwrap().to_owned();
        for (variable, key) in [
            ("VESTIBULE_PROVIDER__0__CLIENT_SECRET_FILE", "provider[0].client_secret_file"),
            ("VESTIBULE_PROVIDER__0__CA_FILE", "provider[0].ca_file"),
        ] {
            let found = faults(Some(GOOD), &[(variable, &named)]);
            assert!(
                found.len() == 1 && found[0].starts_with(&format!("{key}: ")) && found[0].contains(what),
                "{found:?}"
            );
        }
        fs::write(at("vestibule.toml"), GOOD).unwrap();
        fs::rename(at(name), at("vestibule.db.key")).unwrap();
        let found = lines(&run_in(folder.path(), &[], &[]));
        assert!(found.len() == 1 && found[0].starts_with("secret_keys: \"") && found[0].contains(what), "{found:?}");
        fs::rename(at("vestibule.db.key"), at(name)).unwrap();
    }
}

/// What operators copy works as it stands.
#[test]
fn the_shipped_settings_are_good() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("vestibule-keys"), KEY).unwrap();
    fs::write(folder.path().join("vestibule-client"), SECRET).unwrap();
    let file = fs::read_to_string(deploy.join("vestibule.toml")).unwrap();
    let file = file.replace("/run/secrets", folder.path().to_str().unwrap());
    load(folder.path(), &file, &[]);

    // What stands as a comment is a key with a value that it may have; only the certificate is not there.
    let all: Vec<_> = file
        .lines()
        .map(|line| {
            let key = line
                .strip_prefix("# ")
                .filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')));
            key.filter(|key| !key.starts_with("ca_file")).unwrap_or(line)
        })
        .collect();
    load(folder.path(), &all.join("\n"), &[]);

    // In the container the proxy comes from the network's gateway, and from there only.
    let compose = fs::read_to_string(deploy.join("compose.yml")).unwrap();
    let value = |key: &str| {
        let line =
            compose.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {key}")).to_owned()
    };
    let (gateway, subnet) = (value("gateway"), value("subnet"));
    let settings = load(
        folder.path(),
        &file,
        &[
            ("VESTIBULE_TRUSTED_PROXIES", &value("VESTIBULE_TRUSTED_PROXIES")),
            ("VESTIBULE_ADMIN_LISTEN", &value("VESTIBULE_ADMIN_LISTEN")),
            ("VESTIBULE_GATE_LISTEN", &value("VESTIBULE_GATE_LISTEN")),
            ("VESTIBULE_DATABASE", &value("VESTIBULE_DATABASE")),
        ],
    );
    assert_eq!(settings.trusted_proxies, [ipnet::IpNet::from(gateway.parse::<std::net::IpAddr>().unwrap())]);
    assert!(subnet.parse::<ipnet::IpNet>().unwrap().contains(&settings.trusted_proxies[0]));
    let published = compose.lines().filter_map(|line| line.trim().strip_prefix("- \"")?.strip_suffix('"'));
    let published: Vec<_> = published.filter(|port| port.contains(":30")).collect();
    let on_loopback = ["127.0.0.1:3000:3000", "127.0.0.1:3004:3004", "127.0.0.1:3002:3002"];
    assert_eq!(published, on_loopback, "on loopback only");
    // In the network of the proxy alone.
    let own = value("ipv4_address");
    assert_eq!(
        [settings.gate_listen, settings.admin_listen].map(|one| one.to_string()),
        [3004, 3002].map(|port| format!("{own}:{port}"))
    );
}
