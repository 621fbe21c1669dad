use std::{ffi::OsString, net::SocketAddr, time::Duration};

use proptest::prelude::*;
use tempfile::TempDir;
use toml::Value;

use super::{
    schema::{self, Unset},
    *,
};
use crate::server::store::Role;

mod applications;
mod authentication_request;
mod environment;
mod rules;
mod unseen;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Settings without a fault, with `extra` above the first table and `provider` in the provider's.
fn file(extra: &str, provider: &str) -> String {
    format!(
        "public_url = \"https://auth.example.com\"\nsecret_keys = [\"{KEY}\"]\n{extra}\n\
         [[provider]]\nid = \"op\"\nissuer = \"https://op.test\"\nclient_id = \"app\"\nclient_secret = \"s3cr3t\"\n{provider}\n"
    )
}

fn load(text: &str, env: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, text).unwrap();
    let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Settings::load(Some(&path), env).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// The only fault of `text`.
fn fault(text: &str) -> String {
    let faults = load(text, &[]).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.into_iter().next().unwrap()
}

#[test]
fn defaults() {
    let settings = load(&file("", ""), &[]).unwrap();
    let on_loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!((settings.listen, settings.admin_listen), (on_loopback(3000), on_loopback(3002)));
    assert_eq!(settings.gate_listen, on_loopback(3004));
    assert!(
        matches!(&settings.database, Database::Sqlite { path } if *path == std::env::current_dir().unwrap().join("vestibule.db"))
    );
    let [provider] = &settings.providers[..] else { panic!("one provider") };
    assert_eq!(provider.name, "op");
    assert_eq!(provider.scopes, ["openid", "profile", "email"]);
    assert!(matches!(provider.client_auth, ClientAuth::Basic(_)));

    let users = UserRules::default();
    assert!(users.auto_create && users.default_role == Role::User);
    assert!(!users.unverified_email);
    assert!(users.admin_groups.is_empty() && users.allowed_groups.is_empty());
    assert!(users.allowed_emails.is_empty() && users.allowed_domains.is_empty());
    let (session, sign_in) = (SessionRules::default(), SignInRules::default());
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    assert_eq!((session.idle, session.absolute), (days(7), days(30)));
    assert_eq!((sign_in.patience, sign_in.deadline), (Duration::from_millis(1500), Duration::from_secs(60)));
    assert_eq!(sign_in.attempt_ttl, Duration::from_secs(600));
    // What is not given is what the rules are by default.
    assert_eq!(format!("{:?}", settings.session), format!("{session:?}"));
    assert_eq!(format!("{:?}", settings.sign_in), format!("{sign_in:?}"));
}

#[test]
fn the_demo_listens_where_the_defaults_say() {
    let provider = load(&file("", ""), &[]).unwrap().providers.remove(0);
    let demo = Settings::demo(provider, Database::Sqlite { path: "demo.db".into() }, Vec::new());
    assert_eq!(demo.public_url.origin(), "http://127.0.0.1:3000");
    assert_eq!((demo.listen.port(), demo.admin_listen.port(), demo.gate_listen.port()), (3000, 3002, 3004));
}

#[test]
fn without_keys_sqlite_has_a_file_beside_it_that_nobody_has_made_yet() {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("people.db");
    let text = file(&format!("database = \"sqlite://{}\"", database.display()), "");
    let settings = load(&text.replace(&format!("secret_keys = [\"{KEY}\"]\n"), ""), &[]).unwrap();
    assert!(matches!(&settings.secret_keys, SecretKeys::InFile(path) if *path == folder.path().join("people.db.key")));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "loading settings writes nothing");
}

#[test]
fn every_written_default_can_be_read() {
    for key in schema::KEYS {
        if let Unset::Default(value) = key.unset {
            value.parse::<Value>().unwrap_or_else(|error| panic!("{}: {error}", key.name));
        }
    }
}

#[test]
fn secrets_do_not_print_themselves() {
    let settings = load(&file("database = \"mongodb://u:hunter2@db.test/v\"", ""), &[]).unwrap();
    let text = format!("{settings:?}");
    assert!(!text.contains("hunter2") && !text.contains("s3cr3t") && !text.contains("[0, 1, 2"), "{text}");
}

#[test]
fn issuers() {
    let https = |text| fault(&file("", "").replace("https://op.test", text));
    for (text, what) in [
        ("http://op.test", "is not https"),
        ("http://127.0.0.1:9091", "is http, while public_url is https"),
        ("https://op.test/?a=b", "has a query or fragment"),
        ("https://op.test/#", "has a query or fragment"),
        ("https://user:pw@op.test", "carries a user name or password"),
        ("https:op.test", "is not a URL as a provider writes it"),
        ("https://op.test/ x", "is not a URL as a provider writes it"),
        ("https://op.test ", "begins or ends with white space"),
        ("op.test", "is not a URL"),
        ("https://op.test/.well-known/openid-configuration", "is the URL of the discovery document"),
    ] {
        let line = https(text);
        assert!(line.starts_with(&format!("provider[0].issuer: {what}")), "{text}: {line}");
    }
    let development = file("", "").replace("https://auth.example.com", "http://127.0.0.1:3000");
    for (text, good) in [("http://127.0.0.1:9091/x", true), ("http://localhost", true), ("http://op.test", false)] {
        assert_eq!(load(&development.replace("https://op.test", text), &[]).is_ok(), good, "{text}");
    }
    let kept = load(&file("", "").replace("https://op.test", "https://OP.test:443/a/"), &[]).unwrap();
    assert_eq!(kept.providers[0].issuer.as_str(), "https://OP.test:443/a/");
}

#[test]
fn databases() {
    for (text, what) in [
        ("sqlite://", "names no file"),
        ("sqlite::memory:", "begins with none of"),
        ("sqlite://:memory:", "would be lost"),
        ("sqlite://v.db?mode=ro", "has options"),
        ("sqlite:///var/lib/", "names a directory"),
        ("postgres://u:hunter2@db/v", "begins with none of"),
        ("mongo://u:hunter2@db/v", "begins with none of sqlite://, mongodb:// and mongodb+srv://, but with mongo://"),
        ("u:hunter2://db/v", "begins with none of sqlite://, mongodb:// and mongodb+srv://;"),
        ("mongodb://u:hunter2@db.test", "names no database"),
        ("mongodb://u:hunter2@db.test/", "names no database"),
        ("mongodb://u:hun/ter2@db.test/v", "is not a MongoDB connection string"),
        ("mongodb://u:hunter2@db.test/v?w=-1", "is not a MongoDB connection string"),
    ] {
        let line = fault(&file(&format!("database = \"{text}\""), ""));
        assert!(line.starts_with(&format!("database: {what}")) && !line.contains("ter2"), "{text}: {line}");
    }
    let mongo = load(&file("database = \"mongodb://u:p@a.test:1,b.test:2/people?replicaSet=rs\"", ""), &[]).unwrap();
    assert!(matches!(mongo.database, Database::Mongo { name, .. } if name == "people"));
}

#[test]
fn durations_and_their_bounds() {
    for (key, text, good) in [
        ("sign_in.patience", "1.8s", true),
        ("sign_in.patience", "1801ms", false),
        ("sign_in.patience", "0s", false),
        ("sign_in.patience", "2", false),
        ("sign_in.deadline", "1s", true),
        ("sign_in.deadline", "999ms", false),
        ("sign_in.deadline", "10m", true),
        ("sign_in.deadline", "11m", false),
        ("sign_in.attempt_ttl", "59s", false),
        ("sign_in.attempt_ttl", "1h", true),
        ("sign_in.attempt_ttl", "61m", false),
        ("session.idle", "30d", true),
        ("session.idle", "31d", false),
        ("session.absolute", "401d", false),
        ("hsts", "0s", true),
        ("hsts", "365d", true),
        ("hsts", "731d", false),
        ("hsts", "1s", true),
        ("hsts", "1ms", false),
        ("hsts", "1.5s", false),
        ("hsts", "0", false),
        ("hsts", "1y", false),
        ("hsts", "31536000", false),
        ("hsts", "max-age=31536000; includeSubDomains", false),
        ("session.absolute", "18446744073709551615s 1000000000ns", false),
    ] {
        let text = match key.split_once('.') {
            Some((table, name)) => format!("{}[{table}]\n{name} = \"{text}\"\n", file("", "")),
            None => file(&format!("{key} = \"{text}\""), ""),
        };
        match load(&text, &[]) {
            Ok(_) => assert!(good, "{text}"),
            Err(faults) => assert!(!good && faults.len() == 1 && faults[0].starts_with(key), "{faults:?}"),
        }
    }
}

#[test]
fn scopes_lists_and_networks() {
    for (extra, provider, begins) in [
        ("", "scopes = [\"profile\"]", "provider[0].scopes: lacks openid"),
        ("", "scopes = []", "provider[0].scopes: lacks openid"),
        ("", "scopes = [\"openid profile\"]", "provider[0].scopes[0]: is \"openid profile\", which is not one scope"),
        ("", "scopes = [\"openid\", \"email\", \"email\"]", "provider[0].scopes: has \"email\" twice"),
        ("", "scopes = \"openid\"", "provider[0].scopes: is the text \"openid\", a list of texts is wanted"),
        (
            "",
            "scopes = \"openid  a,b\"",
            "provider[0].scopes: is the text \"openid  a,b\", a list of texts is wanted; write it as [\"openid\", \"a\", \"b\"]",
        ),
        ("", "name = \"\"", "provider[0].name: is empty"),
        ("", "name = \"a\\nb\"", "provider[0].name: has a control character"),
        (
            "",
            "client_auth = \"tls_client_auth\"",
            "provider[0].client_auth: is \"tls_client_auth\", which is not known",
        ),
        ("", "client_auth = \"none\"", "provider[0].client_secret: is given, but"),
        ("", "ca_file = \"/nonexistent.pem\"", "provider[0].ca_file: cannot read"),
        ("trusted_proxies = [\"10.0.0.0/33\"]", "", "trusted_proxies[0]: is \"10.0.0.0/33\", neither"),
        ("listen = \"localhost:3000\"", "", "listen: is \"localhost:3000\", which is not an address"),
        ("listen = \"127.0.0.1:3002\"", "", "admin_listen: is the same address as listen"),
        ("listen = \"0.0.0.0:3004\"", "", "gate_listen: is the same address as listen"),
        ("gate_listen = \"127.0.0.1:3002\"", "", "gate_listen: is the same address as admin_listen"),
        ("listen = 3000", "", "listen: is the number 3000, text is wanted"),
    ] {
        let line = fault(&file(extra, provider));
        assert!(line.starts_with(begins), "{line}");
    }
    let settings = load(&file("trusted_proxies = [\"10.1.2.3/8\", \"::1\"]", ""), &[]).unwrap();
    let shown: Vec<_> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "::1/128"]);
}

#[test]
fn people_who_may_come_in() {
    for (list, good, bad) in [
        (
            "allowed_emails",
            "jürgen@bücher.test",
            &[
                "*@b.test",
                "mailto:a@b.test",
                "a@c@b.test",
                "a@b。test",
                "b.test",
                "a@",
                "@b.test",
                "a@b.test.",
                "Ada <a@b.test>",
                "a@b.test;c@d.test",
            ][..],
        ),
        (
            "allowed_domains",
            "xn--bcher-kva.test",
            &[
                "xn--.test",
                "b．test",
                "a_b.test",
                "@b.test",
                "*.b.test",
                ".b.test",
                "b.test.",
                "b..test",
                "https://b.test",
                "b.test;c.test",
            ],
        ),
    ] {
        for (value, is_good) in [(good, true)].into_iter().chain(bad.iter().map(|bad| (*bad, false))) {
            let text = format!("{}[users]\n{list} = [\"{value}\"]\n", file("", ""));
            assert_eq!(load(&text, &[]).is_ok(), is_good, "{text}");
        }
    }
}

/// One mistake is one line: what is given under a wrong name or in a wrong place is not said to be missing as well.
#[test]
fn what_is_misnamed_is_not_missing() {
    let url = "public_url = \"https://auth.example.com\"\n";
    let below = format!("{}[session]\n{url}", file("", "").replace(url, ""));
    for (text, line) in [
        (below.clone(), "session.public_url: is not a key; it stands below [session], move it above the first table"),
        (
            file("", "listen = \"127.0.0.1:1\""),
            "provider[0].listen: is not a key; it stands below [[provider]], move it above the first table",
        ),
        (
            file("", "database_file = \"x\""),
            "provider[0].database_file: is not a key; it stands below [[provider]], move it above",
        ),
        (file("", "").replace("[[provider]]", "[provider]"), "provider: is not a list of tables; write [[provider]]"),
        (file("", "").replace("[[provider]]", "[[providers]]"), "providers: is not a key; did you mean provider?"),
        (
            file("", "").replace("client_id", "clientid"),
            "provider[0].clientid: is not a key; did you mean provider[0].client_id?",
        ),
        (file("", "").replace("client_secret", "clientSecret"), "provider[0].clientSecret: is not a key; did you mean"),
        (file("", "").replace("public_url", "publicurl"), "publicurl: is not a key; did you mean public_url?"),
        (format!("{}[user]\nallowed_groups = [\"a\"]\n", file("", "")), "user: is not a key; did you mean users?"),
        (
            "provider = [1]\n".to_owned() + file("", "").split("[[").next().unwrap(),
            "provider[0]: is not a table; write [[provider]]",
        ),
        (
            "provider = \"op\"\n".to_owned() + file("", "").split("[[").next().unwrap(),
            "provider: is not a list of tables; write",
        ),
        (file("", "").replace("secret_keys", "secret_key"), "secret_key: is not a key; did you mean secret_keys?"),
    ] {
        let found = fault(&text);
        assert!(found.starts_with(line), "{found}");
    }
    // What is wrong besides is said as ever.
    assert_eq!(load(&below.replace("\"app\"", "1"), &[]).unwrap_err().len(), 2);
    let env = [("VESTIBULE_PUBLICURL", "https://auth.example.com")];
    assert_eq!(load(&file("", "").replace(url, ""), &env).unwrap_err().len(), 1);
}

#[test]
fn variables_override_the_file_and_number_tables() {
    let env = [
        ("VESTIBULE_LISTEN", "127.0.0.1:4000"),
        ("VESTIBULE_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("VESTIBULE_USERS__AUTO_CREATE", "false"),
        ("VESTIBULE_USERS__ADMIN_GROUPS", "a,b"),
        ("VESTIBULE_SESSION__IDLE", "1h"),
        ("VESTIBULE_PROVIDER__0__NAME", "First"),
        ("VESTIBULE_PROVIDER__1__ID", "second"),
        ("VESTIBULE_PROVIDER__1__ISSUER", "https://second.test"),
        ("VESTIBULE_PROVIDER__1__CLIENT_ID", "app"),
        ("VESTIBULE_PROVIDER__1__CLIENT_AUTH", "none"),
    ];
    let settings = load(&file("listen = \"nonsense\"", ""), &env).unwrap();
    assert_eq!(settings.listen.port(), 4000);
    assert_eq!(settings.trusted_proxies.len(), 2);
    assert!(!settings.users.auto_create);
    assert_eq!(settings.users.admin_groups, ["a", "b"]);
    assert_eq!(settings.session.idle, Duration::from_secs(3600));
    let names: Vec<_> = settings.providers.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["First", "second"]);

    for number in ["5", "9999999999999"] {
        let gap = load(&file("", ""), &[(&format!("VESTIBULE_PROVIDER__{number}__ID"), "x")]).unwrap_err();
        assert_eq!(gap.len(), 1);
        assert!(gap[0].starts_with(&format!("provider[{number}]: is given, but provider[1] is not")), "{gap:?}");
    }
}

proptest! {
    /// Whatever is in the file, loading ends with settings or faults, each on one line.
    #[test]
    fn no_text_is_too_strange(text in "[a-z_\\[\\]=\" \n.#0-9\u{0}-\u{1f}é]{0,200}") {
        if let Err(faults) = load(&text, &[]) {
            prop_assert!(!faults.is_empty());
            for line in faults {
                prop_assert!(!line.contains(char::is_control), "{line:?}");
            }
        }
    }

    /// Whatever a variable is called and holds, loading ends with settings or faults, each on one line.
    #[test]
    fn no_variable_is_too_strange(name in "(VESTIBULE_|vestibule[_.])[A-Za-z_.0-9é\u{200b} \u{1}-]{0,30}", value in "[\\[\\]\"',=a-c{}0\u{feff}]{0,12}") {
        if let Err(faults) = load(&file("", ""), &[(&name, &value)]) {
            prop_assert!(!faults.is_empty() && !faults.iter().any(|line| line.contains(char::is_control)), "{faults:?}");
        }
    }

    /// No value a key may be given makes its reader panic.
    #[test]
    fn no_value_is_too_strange(index in 0..schema::KEYS.len(), value in "\\PC{0,60}") {
        let key = schema::KEYS[index];
        let number = if key.table.repeats() { "__0__" } else { "__" };
        let table: String = key.table.names().iter().map(|name| format!("{}{number}", name.to_uppercase())).collect();
        let name = format!("VESTIBULE_{table}{}", key.name.to_uppercase());
        if let Err(faults) = load(&file("", ""), &[(&name, &value)]) {
            prop_assert!(!faults.is_empty());
        }
    }
}

/// The examples of docs/configuration.md are settings; only the files they name are not there.
#[test]
fn the_documented_examples_are_good() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let examples: Vec<_> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 2);
    for example in examples {
        let folder = TempDir::new().unwrap();
        let files = folder.path().to_str().unwrap();
        for (name, text) in [("keys", KEY), ("authelia", "s3cr3t\n"), ("database", "mongodb://v:p@db.test/vestibule\n")]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let here = example.replace("/run/secrets", files).replace("sqlite://", &format!("sqlite://{files}"));
        if let Err(faults) = load(&here, &[]) {
            panic!("{faults:?}");
        }
    }
}
