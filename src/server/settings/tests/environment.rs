//! Variables that are nearly right, and lists in them.

use super::{Settings, Value, fault, file, load};
use crate::server::telemetry::captured::Log;

/// The only fault of good settings with `env`.
fn fault_with(env: &[(&str, &str)]) -> String {
    let faults = load(&file("", ""), env).map(|_| ()).expect_err(&format!("{env:?}"));
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.into_iter().next().unwrap()
}

fn good(env: &[(&str, &str)]) -> Settings {
    load(&file("", ""), env).unwrap_or_else(|faults| panic!("{env:?}: {faults:?}"))
}

const GROUPS: &str = "VESTIBULE_USERS__ALLOWED_GROUPS";

#[test]
fn a_misspelt_variable_lets_nobody_in() {
    for name in [
        "VESTIBULE_USERS__ALLOWED_GROUP",
        "VESTIBULE_USERSALLOWEDGROUPS",
        "VESTIBULE_ALLOW_GROUPS",
        "VESTIBULLE_ALLOWED_GROUPS",
        "VESTIBULE_USERS_ALLOWED_GROUPS",
        "VESTIBULE_ALLOWED_GROUPS",
        "vestibule_users__allowed_groups",
        "VESTIBULE_USERS__ALLOWED_GROUPS_FILE",
        "VESTIBULE_SESSION__ALLOWED_GROUPS",
    ] {
        let line = fault_with(&[(name, "staff")]);
        assert!(line.starts_with(&format!("{name}: is not a key; did you mean {GROUPS}?")), "{line}");
    }
    for name in [
        "VESTIBULE_GROUPS",
        "VESTIBULE_GROUPS_ALLOWED",
        "VESTIBULE_USER_DOMAINS",
        "VESTIBULE_EMAIL_DOMAINS",
        "VESTIBULE_COOKIE_SECRET",
        "VESTIBULE_REDIRECT_URL",
        "VESTIBULE_ANYTHING",
        "VESTIBULE_",
        "vestibule_version",
        "Vestibule_Groups",
        "VESTIBULE.GROUPS",
        "VESTIBULLE_GROUPS",
        "VESTIBULEGROUPS",
        "VESTIBULE__USERS__PORT",
        "VESTIBULE_USERS__SERVICE_HOST",
        "VESTIBULE_PORT_NUMBER",
        "VESTIBULE_PORT_3000",
        "VESTIBULE_PORT_X_TCP",
        "VESTIBULE_PORT_3000_ICMP",
        "VESTIBULE_PORT_3000_TCP_HOST",
        "VESTIBULE_SERVICE",
        "VESTIBULE_SERVICE_HOST_NAME",
    ] {
        let line = fault_with(&[(name, "staff")]);
        assert!(line.starts_with(&format!("{name}: is not a key; remove it, or write a key")), "{line}");
    }
    let line = fault_with(&[("VESTIBULE_USERS__ALLOWED_GROUPS ", "staff")]);
    assert!(line.starts_with("\"VESTIBULE_USERS__ALLOWED_GROUPS \": is not a key"), "{line}");
}

#[test]
fn a_name_with_something_unseen_is_shown_with_it() {
    let line = fault_with(&[("VESTIBULE_USERS__ALLOWED_GROUPS\u{200b}", "staff")]);
    assert!(line.contains("GROUPS\\u{200b}\": is not a key; did you mean VESTIBULE_USERS__ALLOWED_GROUPS?"), "{line}");
    let line = fault(&file("\"listen\u{202e}\" = \"127.0.0.1:1\"", ""));
    assert!(line.starts_with("listen\\u{202e}: is not a key; did you mean listen?"), "{line}");
}

#[test]
fn variables_of_others_stop_nothing_and_are_not_spoken_of() {
    let (log, _guard) = Log::json();
    for name in [
        "PATH",
        "VESTIBULE_LOG",
        "VESTIBULE_TOOLS",
        "VESTIBULE_BIN",
        "VESTIBULE_BEFORE",
        "VESTIBULE_JUNK_SECONDS",
        "VESTIBULE_SOAK_SECONDS",
        // Kubernetes, for a service by the name of `vestibule`, `vestibule-database` or `vestibules`.
        "VESTIBULE_SERVICE_HOST",
        "VESTIBULE_SERVICE_PORT",
        "VESTIBULE_SERVICE_PORT_HTTP",
        "VESTIBULE_SERVICE_PORT_ADMIN_LISTEN",
        "VESTIBULE_PORT",
        "VESTIBULE_PORT_3000_TCP",
        "VESTIBULE_PORT_3000_TCP_PROTO",
        "VESTIBULE_PORT_3000_TCP_PORT",
        "VESTIBULE_PORT_3000_TCP_ADDR",
        "VESTIBULE_PORT_53_UDP",
        "VESTIBULE_PORT_53_SCTP_ADDR",
        "VESTIBULE_DATABASE_SERVICE_HOST",
        "VESTIBULE_DATABASE_PORT",
        "VESTIBULE_DATABASE_PORT_27017_TCP_ADDR",
        "VESTIBULE_PROVIDER_SERVICE_PORT_CLIENT_ID",
        "VESTIBULE_PROVIDER_PORT_443_TCP",
        "VESTIBULE_USERS_SERVICE_HOST",
        "VESTIBULES_LISTEN_SERVICE_PORT",
        "VESTIBULE2_PORT_3000_TCP_ADDR",
    ] {
        let value = match name {
            name if name.ends_with("_SERVICE_HOST") => "10.0.0.1",
            name if name.contains("_SERVICE_PORT") => "3000",
            _ => "tcp://10.0.0.1:3000",
        };
        good(&[(name, value)]);
    }
    assert_eq!(log.text(), "");
    // Named like Kubernetes' by somebody who means a setting.
    for (name, value) in [
        ("VESTIBULE_PORT", "8080"),
        ("VESTIBULE_LISTEN_PORT", "3000"),
        ("VESTIBULE_USERS_ALLOWED_GROUPS_PORT", "staff"),
        ("VESTIBULE_ALLOWED_GROUPS_SERVICE_HOST", "staff"),
        ("VESTIBULE_SERVICE_PORT", "all"),
    ] {
        let line = fault_with(&[(name, value)]);
        assert!(line.starts_with(&format!("{name}: is not a key")), "{line}");
    }
}

#[test]
fn an_empty_variable_is_none() {
    let text = format!("{}[users]\nallowed_groups = [\"staff\"]\nauto_create = false\n", file("", ""));
    let empty = [
        (GROUPS, ""),
        ("VESTIBULE_USERS__AUTO_CREATE", ""),
        ("VESTIBULE_PUBLIC_URL", ""),
        ("VESTIBULE_SECRET_KEYS", ""),
        ("VESTIBULE_SECRET_KEYS_FILE", ""),
        ("VESTIBULE_PROVIDER__0__CLIENT_SECRET", ""),
        ("VESTIBULE_PROVIDER__0__CLIENT_SECRET_FILE", ""),
        ("VESTIBULE_PROVIDER__7__ID", ""),
        ("VESTIBULE_USERS__ALLOWED_GROUPS__0", ""),
        ("VESTIBULE_USERS__ALLOWED_GROUP", ""),
    ];
    let settings = load(&text, &empty).unwrap();
    assert_eq!(settings.users.allowed_groups, ["staff"]);
    assert!(!settings.users.auto_create);
    // One that is not quite empty is judged, and so is an empty text in the file.
    assert!(fault_with(&[(GROUPS, " ")]).starts_with("users.allowed_groups[0]: is empty"));
    assert!(fault(&file("", "name = \"\"")).starts_with("provider[0].name: is empty"));
    // To empty a list, say so.
    assert!(load(&text, &[(GROUPS, "[]")]).unwrap().users.allowed_groups.is_empty());
}

#[test]
fn a_list_can_hold_a_comma() {
    const LDAP: &str = "CN=Staff,OU=Groups,DC=example,DC=com";
    for (env, list) in [
        (&[(GROUPS, "a,b , c")][..], &["a", "b", "c"][..]),
        (&[(GROUPS, "CN=Staff")], &["CN=Staff"]),
        (&[(GROUPS, "Bob's, Sales (north), O’Brien")], &["Bob's", "Sales (north)", "O’Brien"]),
        (&[(GROUPS, r#"["CN=Staff,OU=Groups,DC=example,DC=com"]"#)], &[LDAP]),
        (&[(GROUPS, r#" [ "a\/b", "\ud83d\ude00", "c" ] "#)], &["a/b", "😀", "c"]),
        (&[(GROUPS, "['CN=Staff,OU=Groups,DC=example,DC=com', 'b',]")], &[LDAP, "b"]),
        (&[("VESTIBULE_USERS__ALLOWED_GROUPS__0", LDAP)], &[LDAP]),
        (
            &[("VESTIBULE_USERS__ALLOWED_GROUPS__1", "[b]"), ("VESTIBULE_USERS__ALLOWED_GROUPS__0", LDAP)],
            &[LDAP, "[b]"],
        ),
    ] {
        assert_eq!(good(env).users.allowed_groups, list, "{env:?}");
    }
    let many: Vec<_> = (0..1200).map(|n| (format!("{GROUPS}__{n}"), format!("g{n}"))).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(good(&many).users.allowed_groups[1100], "g1100");
    let env = [("VESTIBULE_PROVIDER__0__SCOPES__0", "openid"), ("VESTIBULE_PROVIDER__0__SCOPES__1", "email")];
    assert_eq!(good(&env).providers[0].scopes, ["openid", "email"]);
    assert_eq!(good(&[("VESTIBULE_TRUSTED_PROXIES", "[\"::1\"]")]).trusted_proxies.len(), 1);
}

#[test]
fn a_list_that_could_be_meant_in_two_ways_is_a_fault() {
    for (value, what) in [
        ("CN=Staff,OU=Groups,DC=example,DC=com", "has commas, and between them \"CN=Staff\", which looks like a part"),
        ("staff,cn=Smith\\, John", "has commas, and between them \"cn=Smith\\\\\""),
        ("\"a\",\"b\"", "has commas, and between them \"\\\"a\\\"\""),
        ("'Sales, staff, Europe',admins", "has commas, and between them \"'Sales\""),
        ("“Sales, staff, Europe”,admins", "has commas, and between them \"“Sales\""),
        ("„Sales, staff“", "has commas, and between them \"„Sales\""),
        ("«Sales, staff», b", "has commas, and between them \"«Sales\""),
        ("`Sales, staff`", "has commas, and between them \"`Sales\""),
        ("the 'Sales, staff'", "has commas, and between them \"staff'\""),
        ("all of \"Sales, staff, Europe\" here", "has commas, and between them \"all of \\\"Sales"),
        ("Sales (north, staff, south),admins", "has commas, and between them \"Sales (north\""),
        ("{Sales, staff, Europe}", "has commas, and between them \"{Sales\""),
        ("<Sales, staff>", "has commas, and between them \"<Sales\""),
        ("a, [Sales, staff]", "has commas, and between them \"[Sales\""),
        ("＇Sales, staff＇", "has commas, and between them \"＇Sales\""),
        ("a,\"Sales, Europe\"", "has commas, and between them \"\\\"Sales\""),
        ("Sales\\, Europe", "has commas, and between them \"Sales\\\\\""),
        ("[staff", "begins with [, but is not a list"),
        ("[staff]", "begins with [, but is not a list"),
        ("[\"a\"", "begins with [, but is not a list"),
        ("[\"a\"] x", "begins with [, but is not a list"),
    ] {
        let line = fault_with(&[(GROUPS, value)]);
        assert!(line.starts_with(&format!("users.allowed_groups: {what}")), "{value}: {line}");
        assert!(line.contains("__0") && line.contains("[\"…\", \"…\"]"), "{line}");
    }
    for (value, what) in [
        ("a,,b", "users.allowed_groups[1]: is empty"),
        ("a,", "users.allowed_groups[1]: is empty"),
        ("[\"a\", \"\"]", "users.allowed_groups[1]: is empty"),
        ("[1]", "users.allowed_groups[0]: is the number 1, text is wanted"),
        ("[\"a\", [\"b\"]]", "users.allowed_groups[1]: is a list, text is wanted"),
        ("[null]", "users.allowed_groups: begins with [, but is not a list"),
        ("a\u{a0}", "users.allowed_groups[0]: has an invisible"),
        ("'a", "users.allowed_groups[0]: is"),
        ("\"staff\"", "users.allowed_groups[0]: stands in quotes"),
    ] {
        match load(&file("", ""), &[(GROUPS, value)]) {
            Ok(settings) => assert_eq!(settings.users.allowed_groups, ["'a"], "{value}"),
            Err(lines) => assert!(lines.len() == 1 && lines[0].starts_with(what), "{value}: {lines:?}"),
        }
    }
}

#[test]
fn numbered_entries_have_no_gap_and_stand_alone() {
    let entry = |n: &str| format!("{GROUPS}__{n}");
    let (first, second, third) = (entry("0"), entry("1"), entry("2"));
    let line = fault_with(&[(&first, "a"), (&third, "b")]);
    assert!(line.starts_with("users.allowed_groups: has no entry 1, but an entry 2; number them from 0"), "{line}");
    // An empty one is none.
    let line = fault_with(&[(&first, ""), (&second, "b")]);
    assert!(line.starts_with("users.allowed_groups: has no entry 0, but an entry 1"), "{line}");
    let line = fault_with(&[(GROUPS, "a"), (&first, "a")]);
    assert!(
        line.contains("is given in more than one form; keep one of them (in VESTIBULE_USERS__ALLOWED_GROUPS, "),
        "{line}"
    );
    let line = fault_with(&[("VESTIBULE_SECRET_KEYS__0", "hunter2"), ("VESTIBULE_SECRET_KEYS_FILE", "hunter2")]);
    assert!(line.starts_with("secret_keys: is given in more than one form") && !line.contains("hunter2"), "{line}");
    let line = fault_with(&[("VESTIBULE_SECRET_KEYS", "[\"hunter2\"")]);
    assert!(line.starts_with("secret_keys: begins with [") && !line.contains("hunter2"), "{line}");
    for wrong in ["00", "+0", "x", "", "0__0"] {
        assert!(fault_with(&[(&entry(wrong), "a")]).contains(&format!("did you mean {GROUPS}?")), "{wrong}");
    }
    let line = fault_with(&[(&entry("100"), "a")]);
    assert!(line.starts_with("users.allowed_groups: has no entry 0, but an entry 100"), "{line}");
    good(&[("VESTIBULE_SECRET_KEYS__0", super::KEY)]);
    // The list replaces the file's as a whole.
    let text = format!("{}[users]\nallowed_groups = [\"a\", \"b\"]\n", file("", ""));
    assert_eq!(load(&text, &[(&first, "c")]).unwrap().users.allowed_groups, ["c"]);
}

#[test]
fn a_fault_says_where_its_value_was_found() {
    let line = fault_with(&[("VESTIBULE_SESSION__IDLE", "never")]);
    assert!(line.ends_with("(in VESTIBULE_SESSION__IDLE)"), "{line}");
    let line = fault_with(&[("VESTIBULE_TRUSTED_PROXIES", "10.0.0.7,nginx")]);
    assert!(line.ends_with("(in VESTIBULE_TRUSTED_PROXIES)"), "{line}");
    let line = fault_with(&[("VESTIBULE_PROVIDER__0__CLIENT_SECRET_FILE", "/missing")]);
    assert!(line.ends_with("(in VESTIBULE_PROVIDER__0__CLIENT_SECRET_FILE)"), "{line}");
    for text in [file("listen = \"x\"", ""), file("x = 1", ""), file("", "issue = 1"), file("session = 1", "")] {
        assert!(fault(&text).ends_with("settings.toml)"), "{text}");
    }
    let missing = fault(&file("", "").replace("client_id = \"app\"", ""));
    assert!(
        missing.contains("(not in /") && missing.ends_with("settings.toml, and not in the environment)"),
        "{missing}"
    );
    let gap = fault_with(&[("VESTIBULE_PROVIDER__5__ID", "x")]);
    assert!(gap.starts_with("provider[5]: is given") && gap.ends_with("(in VESTIBULE_PROVIDER__5__ID)"), "{gap}");
}

#[test]
fn what_is_judged_by_its_form_says_what_was_given_and_what_is_possible() {
    for value in ["True", "TRUE", "yes", "1", "on", "true ", "\"true\""] {
        let line = fault_with(&[("VESTIBULE_USERS__AUTO_CREATE", value)]);
        let given = Value::from(value).as_str().unwrap().to_owned();
        assert!(
            line.contains(&format!("is the text {given:?}, true or false is wanted; write true or false")),
            "{line}"
        );
    }
    for (name, value, what, fix) in [
        ("VESTIBULE_SESSION__IDLE", "30", "is \"30\", which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "0", "is \"0\", which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "30 minutes", "which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "1y", "is \"1y\", which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "1 month", "which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "2w", "which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "1h30", "which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "1m 60000000us", "which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "1M", "is \"1M\", which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "PT30M", "is \"PT30M\", which is not a duration", "(ms, s, m, h or d)"),
        ("VESTIBULE_SESSION__IDLE", "1s", "is \"1s\", which is out of bounds", "at least 1m and at most 400d"),
        ("VESTIBULE_SESSION__IDLE", "10m ", "begins or ends with white space: \"10m \"", "remove it"),
        ("VESTIBULE_SESSION__IDLE", "\"10m\"", "stands in quotes: \"\\\"10m\\\"\"", "remove them"),
        ("VESTIBULE_USERS__DEFAULT_ROLE", "Admin", "is \"Admin\", which is not known", "user, admin"),
        ("VESTIBULE_LISTEN", "localhost:4000", "is \"localhost:4000\"", "an address in numbers and a port"),
        ("VESTIBULE_LISTEN", ":4000", "is \":4000\"", "an address in numbers and a port"),
        ("VESTIBULE_LISTEN", "4000", "is \"4000\"", "an address in numbers and a port"),
        ("VESTIBULE_LISTEN", "0.0.0.0", "is \"0.0.0.0\"", "an address in numbers and a port"),
        ("VESTIBULE_LISTEN", "127.0.0.1:65536", "is \"127.0.0.1:65536\"", "an address in numbers and a port"),
        ("VESTIBULE_LISTEN", "[::]", "is \"[::]\"", "\"[::1]:3000\""),
        ("VESTIBULE_LISTEN", "http://127.0.0.1:3000", "is \"http://127.0.0.1:3000\"", "an address in numbers"),
        (
            "VESTIBULE_PUBLIC_URL",
            "auth.example.com",
            "is not a URL (relative URL without a base): \"auth",
            "write an origin",
        ),
        (
            "VESTIBULE_PUBLIC_URL",
            "https://a.test/app",
            "must be an origin, without path, query or fragment: \"https",
            "write",
        ),
        (
            "VESTIBULE_PUBLIC_URL",
            "http://a.test",
            "must be https (http is for loopback development only): \"http:",
            "write",
        ),
        ("VESTIBULE_PROVIDER__0__ISSUER", "op.test", "is not a URL: \"op.test\"", "copy it"),
        ("VESTIBULE_PROVIDER__0__SCOPES", "email", "lacks openid: [\"email\"]", "write it as"),
    ] {
        let line = fault_with(&[(name, value)]);
        assert!(line.contains(what) && line.contains(fix), "{name}={value}: {line}");
    }
}

#[test]
fn what_is_right_in_an_unusual_form_is_taken() {
    for value in ["1h30m", "1h 30m", "0.5d", "90m", "1d 2h", "5400s", "600000ms"] {
        good(&[("VESTIBULE_SESSION__IDLE", value)]);
    }
    for value in ["[::]:3000", "0.0.0.0:80", "[::1]:0"] {
        good(&[("VESTIBULE_LISTEN", value)]);
    }
    good(&[("VESTIBULE_PUBLIC_URL", "https://auth.example.com/")]);
}

#[test]
fn a_url_with_a_password_is_not_shown() {
    for value in ["https://ada:hunter2@a.test/x", "https://ada:hunter2@a.test ", "'https://ada:hunter2@a.test'"] {
        for name in ["VESTIBULE_PUBLIC_URL", "VESTIBULE_PROVIDER__0__ISSUER"] {
            let line = fault_with(&[(name, value)]);
            assert!(!line.contains("hunter2"), "{line}");
        }
    }
}

#[test]
fn networks_are_those_that_peers_come_from() {
    for (given, read) in [
        ("10.0.0.1/24", "10.0.0.0/24"),
        ("::ffff:10.0.0.7", "10.0.0.7/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("2001:db8::7/64", "2001:db8::/64"),
    ] {
        let proxies = good(&[("VESTIBULE_TRUSTED_PROXIES", given)]).trusted_proxies;
        assert_eq!(proxies.iter().map(ToString::to_string).collect::<Vec<_>>(), [read], "{given}");
    }
    for wrong in ["10.0.0.0/33", "10.0.0", "10.0.0.*", "10.0.0.7:80", "nginx", "fe80::1%eth0", "10.0.0.1-9"] {
        let line = fault_with(&[("VESTIBULE_TRUSTED_PROXIES", wrong)]);
        assert!(
            line.contains(&format!("is {wrong:?}, neither an address nor a network; write it as 10.0.0.7")),
            "{line}"
        );
    }
}

#[test]
fn a_value_that_is_no_text_is_a_fault() {
    use std::os::unix::ffi::OsStringExt as _;

    let folder = super::TempDir::new().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, file("", "")).unwrap();
    for name in ["VESTIBULE_USERS__ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS__0", "VESTIBULE_LISTEN"] {
        let env = [(name.into(), std::ffi::OsString::from_vec(vec![b'a', 0xff]))];
        let faults = Settings::load(Some(&path), env).unwrap_err();
        assert!(faults.len() == 1 && faults[0].what == "is not UTF-8 in the environment", "{faults:?}");
    }
}
