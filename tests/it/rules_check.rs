//! `vestibule rules check` on the real program: exit code, and what it says.

use std::{
    fs,
    process::{Command, Output},
};

use tempfile::TempDir;

const SETTINGS: &str = r#"
public_url = "https://login.example.com"
trusted_proxies = ["127.0.0.1"]

[[provider]]
id = "op"
issuer = "https://op.test"
client_id = "app"
client_secret = "hunter2"
scopes = ["openid", "groups"]

[users]
admin_groups = ["admins"]

[[app]]
url = "https://wiki.example.com"

[[app]]
url = ["https://shop.example.com:8443", "https://*.apps.example.com"]

[[app.rule]]
path = "/public/"
methods = ["GET", "HEAD"]
access = "anyone"

[[app.rule]]
path = "/admin/"
groups = ["staff"]
roles = ["admin"]
emails = ["ada@example.com"]
users = ["ada"]
addresses = ["192.0.2.0/24"]

[[app.rule]]
path = "/internal/"
access = "nobody"
"#;

const SECOND: &str =
    "[[provider]]\nid = \"second\"\nissuer = \"https://second.test\"\nclient_id = \"app\"\nclient_auth = \"none\"\n";

fn run(settings: &str, arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("vestibule.toml"), settings).unwrap();
    Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap()
}

/// Each question has this exit code, and this answer.
fn each_is_answered(cases: &[(&str, i32, &str)]) {
    for (question, code, answer) in cases {
        let arguments: Vec<_> = ["rules", "check"].into_iter().chain(question.split(' ')).collect();
        let output = run(SETTINGS, &arguments);
        let (said, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!((output.status.code(), said.as_str(), errors.as_str()), (Some(*code), *answer, ""), "{question}");
    }
}

#[test]
fn somebody_who_is_signed_out() {
    each_is_answered(&[
        (
            "https://wiki.example.com",
            1,
            "does not get in: has to sign in first\ndecided by: app[0].access (no rule matches)\nas the path: /\n",
        ),
        (
            "https://shop.example.com/public/a?b=/admin/",
            0,
            "gets in: everybody does, without an identity\ndecided by: app[1].rule[0] (path = \"/public/\")\n\
             as the path: /public/a\n",
        ),
        (
            "http://X.apps.example.com.:80/public/a --method POST",
            1,
            "does not get in: has to sign in first\ndecided by: app[1].access (no rule matches)\n\
             as the path: /public/a\n",
        ),
        (
            "https://shop.example.com/INTERNAL#part",
            1,
            "does not get in: nobody does\ndecided by: app[1].rule[2] (path = \"/internal/\")\n\
             as the path: /INTERNAL\n",
        ),
        (
            "https://shop.example.com/internal/../public/a",
            1,
            "does not get in: nobody does\ndecided by: app[1].rule[2] (path = \"/internal/\")\n\
             as the path: /internal/../public/a\nwhich can also be read as: /public/a\n",
        ),
        (
            "https://shop.example.com/public/%252e",
            1,
            "does not get in: nobody can say what the path means\n\
             decided by: app[1], which has rules about paths\nbecause: it would have to be decoded twice\n\
             as the path: /public/%252e\n",
        ),
        ("https://blog.example.com/", 1, "does not get in: no [[app]] has the host blog.example.com\n"),
    ]);
}

#[test]
fn somebody_who_is_signed_in() {
    const ADMIN: &str = "decided by: app[1].rule[1] (path = \"/admin/\")\nas the path: /admin/x\n";
    let url = "https://shop.example.com/admin/x --address 192.0.2.7";
    for (who, gets_in) in [
        ("--user ada", true),
        ("--user eve", false),
        ("--group staff", true),
        ("--group other --group staff", true),
        ("--group Staff", false),
        ("--group admins", true),
        ("--group admins --role user", false),
        ("--role admin", true),
        ("--email ADA@example.com", true),
        ("--email eve@example.com", false),
        ("--provider op", false),
    ] {
        let said = if gets_in { "gets in" } else { "does not get in: is none of those whom the rule lets in" };
        each_is_answered(&[(&format!("{url} {who}"), i32::from(!gets_in), &format!("{said}\n{ADMIN}"))]);
    }
    each_is_answered(&[
        (
            "https://wiki.example.com/x --user eve",
            0,
            "gets in\ndecided by: app[0].access (no rule matches)\nas the path: /x\n",
        ),
        (
            "https://shop.example.com/admin/ --user ada",
            1,
            "does not get in: only some addresses do, and there is no --address\n\
             decided by: app[1].rule[1].addresses (path = \"/admin/\")\nas the path: /admin/\n",
        ),
        (
            "https://shop.example.com/admin/ --user ada --address ::1",
            1,
            "does not get in: not from that address\n\
             decided by: app[1].rule[1].addresses (path = \"/admin/\")\nas the path: /admin/\n",
        ),
    ]);
}

#[test]
fn where_there_are_two_providers_it_matters_who_speaks() {
    let settings = format!("{SETTINGS}{SECOND}").replace("users = [\"ada\"]", "providers = [\"second\"]");
    let check = |who: &[&str]| {
        let url = ["rules", "check", "https://shop.example.com/admin/", "--address", "192.0.2.7"];
        run(&settings, &[&url[..], who].concat())
    };
    assert_eq!(check(&["--group", "staff", "--provider", "second"]).status.code(), Some(0));
    assert_eq!(check(&["--group", "staff", "--provider", "op"]).status.code(), Some(1));
    assert_eq!(check(&["--role", "admin"]).status.code(), Some(0));
    let unclear = check(&["--group", "staff"]);
    assert_eq!(unclear.status.code(), Some(2));
    let said = String::from_utf8(unclear.stderr).unwrap();
    assert!(said.contains("--provider: is missing") && said.contains("write one of: op, second"), "{said}");
}

#[test]
fn questions_that_are_none() {
    for (arguments, said) in [
        (&[][..], "<URL>"),
        (&["wiki.example.com/x"], "does not begin with https://; write the URL as https://wiki"),
        (&["https:///x"], "has no host; write the URL as https://"),
        (&["https://user@wiki.example.com/x"], "has no host; write the URL as https://"),
        (&["https://wiki.example.com?x"], "has no path, or one with white space"),
        (&["https://wiki.example.com/a b"], "or one with white space or a control character; write the URL"),
        (&["https://wiki.example.com/", "--method", "get"], "--method: is \"get\", which is no method in capitals"),
        (&["https://wiki.example.com/", "--email", "ada"], "--email: is \"ada\", which is not one address"),
        (&["https://wiki.example.com/", "--provider", "oq"], "--provider: is \"oq\", which is no provider's id"),
        (&["https://wiki.example.com/", "--role", "root"], "user, admin"),
        (&["https://wiki.example.com/", "--address", "here"], "--address"),
        (&["https://wiki.example.com/", "--config", "missing.toml"], "--config: cannot read \"missing.toml\""),
    ] {
        let output = run(SETTINGS, &[&["rules", "check"], arguments].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(said) && output.stdout.is_empty(), "{arguments:?}: {errors}");
    }
    let wrong = SETTINGS.replace("https://wiki", "http://wiki");
    let output = run(&wrong, &["rules", "check", "https://wiki.example.com/"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("vestibule: app[0].url: is http, which"));
}

#[test]
fn the_settings_file_may_be_named_before_or_behind_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("other.toml");
    fs::write(&file, SETTINGS).unwrap();
    let (file, url) = (file.to_str().unwrap(), "https://wiki.example.com/");
    for (arguments, code) in [
        (&["rules", "check", url, "--user", "ada", "--config", file][..], 0),
        (&["--config", file, "rules", "check", "--user", "ada", url], 0),
        (&["--config", file, "rules", "check", url, "--config", file], 2),
        (&["rules", "check", url], 2),
        (&["rules"], 2),
    ] {
        assert_eq!(run("", arguments).status.code(), Some(code), "{arguments:?}");
    }
}
