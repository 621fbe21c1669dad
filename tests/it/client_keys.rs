//! `vestibule keys`, the published keys, and sign-ins with keys and pushed requests, through the real program.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use futures_util::future::join_all;
use serde_json::Value;
use tempfile::TempDir;
use test_provider::{Behaviour, Document, Edit, Endpoint, Fault, Rule};
use vestibule::server::{
    client_key::{ClientKey, ClientKeys, NewKey},
    settings::{AssertionKey, Audience, ClientAuth},
};

use crate::support::{browser::Browser, scene::Scene};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vestibule")).args(arguments).current_dir(folder).env_clear().output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn settings(files: &str) -> String {
    format!(
        "public_url = \"https://auth.example.com\"\n[[provider]]\nid = \"op\"\nissuer = \"https://op.test\"\n\
         client_id = \"app\"\nclient_auth = \"private_key_jwt\"\nprivate_key_file = {files}\n"
    )
}

#[test]
fn a_key_is_made_for_the_operator_alone_and_never_overwritten() {
    let folder = TempDir::new().unwrap();
    for (arguments, alg) in [
        (&["keys", "new", "one.pem"][..], "ES256"),
        (&["keys", "new", "two.pem", "--alg", "ES384"], "ES384"),
        (&["keys", "new", "--alg", "eddsa", "three.pem"], "EdDSA"),
    ] {
        let made = run(folder.path(), arguments);
        assert!(made.status.success() && text(&made.stdout).starts_with(&format!("{alg} key ")), "{made:?}");
    }
    let one = folder.path().join("one.pem");
    assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&one).unwrap();
    let again = run(folder.path(), &["keys", "new", "one.pem"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).starts_with("vestibule: \"one.pem\" exists already"), "{again:?}");
    assert_eq!(fs::read(&one).unwrap(), before);
    assert_eq!(run(folder.path(), &["keys", "new", "four.pem", "--alg", "HS256"]).status.code(), Some(2));
    assert_eq!(run(folder.path(), &["keys", "new", "nowhere/five.pem"]).status.code(), Some(1));

    fs::write(folder.path().join("vestibule.toml"), settings(r#"["one.pem", "three.pem"]"#)).unwrap();
    let shown = run(folder.path(), &["keys", "show"]);
    let set: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let algorithms: Vec<_> = set["keys"].as_array().unwrap().iter().map(|key| key["alg"].as_str().unwrap()).collect();
    assert_eq!(algorithms, ["ES256", "EdDSA"]);
    assert_eq!(run(folder.path(), &["keys", "show", "--provider", "op"]).stdout, shown.stdout);
    let other = run(folder.path(), &["keys", "show", "--provider", "other"]);
    assert_eq!((other.status.code(), text(&other.stdout)), (Some(1), ""));
    assert_eq!(text(&other.stderr), "vestibule: no provider has the id \"other\"; there is op\n");
    let full = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["keys", "show"])
        .current_dir(folder.path())
        .env_clear()
        .stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert!(full.status.code() == Some(1) && text(&full.stderr).starts_with("vestibule: cannot print"), "{full:?}");
    assert!(shown.stderr.is_empty() && set["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()));
}

/// A disk that is full: nothing is left that would be in the way of the next try.
#[test]
fn a_key_that_cannot_be_written_leaves_no_file() {
    let folder = TempDir::new().unwrap();
    let command = format!("trap '' XFSZ; ulimit -f 0; exec {} keys new full.pem", env!("CARGO_BIN_EXE_vestibule"));
    let made = Command::new("sh").args(["-c", &command]).current_dir(folder.path()).output().unwrap();
    assert_eq!(made.status.code(), Some(1), "{made:?}");
    assert!(text(&made.stderr).starts_with("vestibule: cannot make \"full.pem\""), "{made:?}");
    assert!(!folder.path().join("full.pem").exists());
}

/// Settings, and the line that says what is wrong with them.
type Row = (String, Option<&'static str>);

fn keys_and_secrets() -> Vec<Row> {
    let base = settings(r#""good.pem""#);
    let secret = "client_secret = \"s3cr3t\"\n";
    let by_secret =
        base.replace("\"private_key_jwt\"", "\"client_secret_jwt\"").replace("private_key_file = \"good.pem\"\n", "");
    vec![
        (base.clone(), None),
        (
            settings(r#"["good.pem", "good.pem"]"#),
            Some(
                "provider[0].private_key_file[1]: \"good.pem\" holds a key that is listed already; keep one of the two",
            ),
        ),
        (
            settings(r#""empty.pem""#),
            Some(
                "provider[0].private_key_file: \"empty.pem\" holds no private key in PEM; make a key with `vestibule keys new FILE`",
            ),
        ),
        (
            settings(r#"["good.pem", "none.pem"]"#),
            Some("provider[0].private_key_file[1]: cannot read \"none.pem\" (no such file)"),
        ),
        (settings("[]"), Some("provider[0].private_key_file: is missing; make a key with `vestibule keys new FILE`")),
        (settings("5"), Some("provider[0].private_key_file: is the number 5, a list of texts is wanted")),
        (
            base.clone() + secret,
            Some("provider[0].client_secret: is given, but client_auth = \"private_key_jwt\" sends none"),
        ),
        (
            base.replace("client_auth = \"private_key_jwt\"", secret.trim()),
            Some(
                "provider[0].private_key_file: is given, but client_auth = \"client_secret_basic\" uses none; remove it, or set client_auth",
            ),
        ),
        (
            by_secret.clone() + secret,
            Some("provider[0].client_secret: has 6 bytes, client_secret_jwt needs at least 32"),
        ),
        (by_secret.clone(), Some("provider[0].client_secret: is missing")),
        (by_secret + "client_secret = \"a-secret-of-at-least-32-bytes-or-more\"\n", None),
    ]
}

fn what_is_signed() -> Vec<Row> {
    let base = settings(r#""good.pem""#);
    vec![
        (
            base.clone() + "client_assertion_audience = \"token\"\n",
            Some(
                "provider[0].client_assertion_audience: is \"token\", which is not known; write one of: issuer, endpoint",
            ),
        ),
        (
            base.replace("private_key_jwt", "none")
                .replace("private_key_file = \"good.pem\"\n", "client_assertion_audience = \"endpoint\"\n"),
            Some(
                "provider[0].client_assertion_audience: is given, but client_auth = \"none\" sends no assertion; remove it",
            ),
        ),
        (
            base.clone() + "id_token_signed_response_alg = [\"HS256\"]\n",
            Some(
                "provider[0].id_token_signed_response_alg[0]: is \"HS256\", which is not known; write one of: RS256, RS384,",
            ),
        ),
        (
            base.clone() + "id_token_signed_response_alg = [\"none\"]\n",
            Some("provider[0].id_token_signed_response_alg[0]: is \"none\""),
        ),
        (
            base.clone() + "userinfo_signed_response_alg = []\n",
            Some("provider[0].userinfo_signed_response_alg: is empty"),
        ),
        (
            base.clone() + "id_token_signed_response_alg = [\"ES256\", \"ES256\"]\n",
            Some("provider[0].id_token_signed_response_alg: has \"ES256\" twice"),
        ),
        (
            base + "require_pushed_authorization_requests = \"yes\"\n",
            Some("provider[0].require_pushed_authorization_requests: is the text \"yes\", true or false is wanted"),
        ),
    ]
}

#[test]
fn wrong_keys_are_named_with_the_mend() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("good.pem", &ClientKey::new_pem(NewKey::Es256).unwrap());
    write("empty.pem", "");
    for (settings, line) in keys_and_secrets().into_iter().chain(what_is_signed()) {
        write("vestibule.toml", &settings);
        let shown = run(folder.path(), &["keys", "show"]);
        let errors = text(&shown.stderr);
        match line {
            None => assert!(shown.status.success() && errors.is_empty(), "{errors}"),
            Some(line) => {
                assert_eq!(shown.status.code(), Some(2), "{settings}");
                assert!(errors.starts_with(&format!("vestibule: {line}")) && errors.lines().count() == 1, "{errors}");
            }
        }
    }
}

/// The keys of a provider's client are there for everybody, on the login host; without keys the set is empty.
#[tokio::test]
async fn the_keys_are_served() {
    let scene = Scene::with(test_provider::Profile::Standard, |settings| {
        let keys =
            [NewKey::Es256, NewKey::Es384].map(|new| ClientKey::read(&ClientKey::new_pem(new).unwrap()).unwrap());
        let keys = ClientKeys::new(keys.into()).unwrap();
        settings.providers[0].client_auth = ClientAuth::Assertion(AssertionKey::Private(keys), Audience::Issuer);
    })
    .await;
    let page = Browser::default().get(&scene.url("/auth/oidc/jwks.json")).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "application/jwk-set+json"));
    assert_eq!(page.header("cache-control"), "public, max-age=300");
    let set: Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    assert!(!page.body.contains("\"d\""));

    let none = Scene::new().await;
    assert_eq!(Browser::default().get(&none.url("/auth/oidc/jwks.json")).await.body, r#"{"keys":[]}"#);
}

/// Somebody who begins sign-ins all the time at a provider that hangs is told that they are the reason; others have the provider
/// to themselves.
#[tokio::test]
async fn pushes_of_one_client_keep_nobody_else_waiting() {
    let scene = Scene::with(test_provider::Profile::Standard, |settings| {
        settings.providers[0].pushed_requests = true;
        settings.sign_in.patience = std::time::Duration::from_secs(3);
        settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    scene.provider.hold(Endpoint::Pushed);
    let start = scene.url("/auth/oidc/login");
    let begin = async |address: &str| Browser::default().get_as(&start, &[("x-forwarded-for", address)]).await;
    let flood = async || join_all((0..30).map(|_| begin("192.0.2.1"))).await;
    let (_, other) = tokio::join!(flood(), begin("192.0.2.2"));
    other.explains("sign_in_unavailable");
    // Now it is known how long it takes: whoever finds no place is told so at once.
    let (flood, other) = tokio::join!(flood(), begin("192.0.2.2"));
    other.explains("sign_in_unavailable");
    let are = |code| flood.iter().filter(|page| page.data("code") == Some(code)).count();
    assert!(are("busy") > 0 && are("busy") + are("sign_in_unavailable") == 30, "{} are busy", are("busy"));
    // The provider is there again.
    scene.provider.release(Endpoint::Pushed);
    assert!(begin("192.0.2.1").await.location().starts_with(scene.provider.issuer()));
}

#[tokio::test]
async fn a_pushed_request_signs_in_and_one_that_is_refused_is_the_operators() {
    let scene = Scene::with(test_provider::Profile::Standard, |settings| {
        settings.providers[0].pushed_requests = true;
        settings.sign_in.patience = std::time::Duration::from_secs(20);
    })
    .await;
    let browser = Browser::default();
    browser.sign_in(&scene).await;
    assert!(browser.is_signed_in(&scene).await);
    assert_eq!(scene.provider.count(Endpoint::Pushed), 1);

    let failed = |status: u16, error: &str| {
        let body = serde_json::json!({ "error": error });
        scene.provider.behave(Rule::once(Behaviour::Fault { at: Endpoint::Pushed, fault: Fault::json(status, &body) }));
    };
    for (status, error, code, shown) in [
        (401, "invalid_client", "client_refused", 424),
        (400, "invalid_scope", "provider_refused_request", 424),
        (500, "server_error", "sign_in_unavailable", 503),
    ] {
        failed(status, error);
        let page = Browser::default().get(&scene.url("/auth/oidc/login?return_to=/x")).await;
        assert_eq!(page.status.as_u16(), shown, "{error}");
        assert!(page.body.contains(code), "{error}: {}", page.body);
    }
    scene.provider.behave(Rule::standing(Behaviour::Edit { of: Document::Pushed, edit: Edit::remove("request_uri") }));
    assert_eq!(Browser::default().get(&scene.url("/auth/oidc/login")).await.status.as_u16(), 503);
}
