//! What stands in the log: one fault is one line (docs/decisions/log.md). Nobody's address does.

use std::{collections::BTreeMap, net::Ipv4Addr, path::Path};

use futures_util::future::join_all;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use test_provider::{Behaviour, Document, Edit, Endpoint, Fault, Profile, ProviderConfig, Rule, RunningProvider};

use super::{prepared, prepared_with};
use crate::support::{
    browser::Browser,
    page::Page,
    people::{Person, Site},
    process::Program,
    wait::eventually,
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 5, 6, 7);

async fn started(folder: &Path) -> (Program, Site, RunningProvider) {
    let (mut program, site, provider) = prepared(folder, ProviderConfig::new(Profile::Standard)).await;
    provider.log_in_as("person-00000");
    program.start().await;
    (program, site, provider)
}

/// Ends the program; returns the lines between its first and its last.
async fn lines(mut program: Program) -> Vec<Value> {
    program.ask_to_end().await;
    assert_eq!(program.ended().await, 0);
    let lines: Vec<Value> = program.log().lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let [first, between @ .., last] = &*lines else { panic!("{lines:?}") };
    assert_eq!((code(first), code(last)), ("started", "stopping"));
    between.to_vec()
}

fn code(line: &Value) -> &str {
    line["code"].as_str().unwrap_or_else(|| panic!("no code: {line}"))
}

/// How many lines have each code.
fn codes(lines: &[Value]) -> BTreeMap<&str, usize> {
    let mut codes = BTreeMap::new();
    lines.iter().for_each(|line| *codes.entry(code(line)).or_default() += 1);
    codes
}

/// Follows redirects from `url` to a page.
async fn follow(browser: &Browser, url: &str) -> Page {
    let mut url = Url::parse(url).unwrap();
    loop {
        let page = browser.get(url.as_str()).await;
        if !page.status.is_redirection() {
            return page;
        }
        url = url.join(page.location()).unwrap();
    }
}

/// A new browser's way through the provider; returns it with the callback's URL.
async fn at_callback(site: &Site) -> (Browser, String) {
    let browser = Browser::default();
    let start = browser.get(&format!("{}/auth/oidc/login", site.origin)).await;
    let back = browser.get(start.location()).await;
    let callback = back.location().to_owned();
    (browser, callback)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_goes_well_is_three_lines_without_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let (program, site, _provider) = started(folder.path()).await;
    let mut person = Person::behind(&site, 0, ADDRESS);
    person.sign_in().await;
    person.sign_out().await;
    let lines = lines(program).await;
    let expected = [("delivered", 1), ("signed_in", 1), ("signed_out", 1), ("start", 1)];
    assert_eq!(codes(&lines), BTreeMap::from(expected), "{lines:#?}");
    assert!(!format!("{lines:?}").contains(&ADDRESS.to_string()), "{lines:#?}");
}

/// LO-06: signing out at the provider, too, is the same one line; the ID token that goes there is in none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lo_06_sign_out_at_the_provider_is_one_line_without_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let config = ProviderConfig { end_session: true, ..ProviderConfig::new(Profile::Standard) };
    let (mut program, site, provider) = prepared(folder.path(), config).await;
    provider.log_in_as("person-00000");
    program.start().await;
    let mut person = Person::behind(&site, 0, ADDRESS);
    person.sign_in().await;
    let out = person.browser.post(&format!("{}/auth/logout", site.origin), "").await;
    let (_, token) = out.body.split_once("id_token_hint=").expect("it goes to the provider");
    let payload = token.split(['.', '&']).nth(1).unwrap();
    let lines = lines(program).await;
    let expected = [("delivered", 1), ("signed_in", 1), ("signed_out", 1), ("start", 1)];
    assert_eq!(codes(&lines), BTreeMap::from(expected), "{lines:#?}");
    assert!(payload.len() > 100 && !format!("{lines:?}").contains(payload), "{lines:#?}");
}

/// LO-04: the operator reads why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lo_04_an_end_session_endpoint_that_is_not_used_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (mut program, site, provider) = prepared(folder.path(), ProviderConfig::new(Profile::Standard)).await;
    let edit = Edit::set("end_session_endpoint", "javascript:alert(1)");
    provider.behave(Rule::standing(Behaviour::Edit { of: Document::Discovery, edit }));
    provider.log_in_as("person-00000");
    program.start().await;
    let mut person = Person::behind(&site, 0, ADDRESS);
    for _ in 0..2 {
        person.sign_in().await;
        person.sign_out().await;
    }
    let lines = lines(program).await;
    let warned: Vec<_> = lines.iter().filter(|line| code(line) == "end_session_not_used").collect();
    let [line] = &*warned else { panic!("{lines:#?}") };
    assert_eq!((&line["level"], &line["provider"]), (&json!("WARN"), &json!("op")));
    assert_eq!(line["detail"], "end_session_endpoint is javascript, not https");
}

/// Somebody would else learn it from sign-ins that fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_request_asks_for_and_the_provider_does_not_list_is_one_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let more = "response_mode = \"form_post\"\nacr_values = [\"phr\", \"mfa\"]\n";
    let config = ProviderConfig::new(Profile::Standard);
    let (mut program, site, provider) = prepared_with(folder.path(), config, more).await;
    let listed = json!({ "response_modes_supported": ["query", "fragment"], "acr_values_supported": ["0", "1"] });
    let edit = Edit { set: listed.as_object().unwrap().clone(), ..Edit::default() };
    provider.behave(Rule::standing(Behaviour::Edit { of: Document::Discovery, edit }));
    program.start().await;
    let login = format!("{}/auth/oidc/login", site.origin);
    assert_eq!(Browser::default().get(&login).await.status, StatusCode::SEE_OTHER);
    let lines = lines(program).await;
    let warned: Vec<_> = lines.iter().filter(|line| code(line) == "request_not_listed").collect();
    let told: Vec<_> =
        warned.iter().map(|line| ["level", "provider", "setting", "listed"].map(|key| &line[key])).collect();
    assert_eq!(
        told,
        [["WARN", "op", "response_mode", "query fragment"], ["WARN", "op", "acr_values", "0 1"]],
        "{lines:#?}"
    );
}

/// Somebody waits on the login's page, which reloads by itself, until the provider is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_provider_is_one_line_and_its_outage_are_two() {
    let faults = [
        (None, "provider_unreachable"),
        (Some(Fault::html(500)), "provider_server_error"),
        (Some(Fault::html(200)), "provider_bad_answer"),
        (Some(Fault::CloseUnprocessed), "provider_unreachable"),
        (Some(Fault::NeverAnswer), "provider_slow"),
        (Some(Fault::json(200, &json!({ "issuer": "https://another.example" }))), "provider_metadata"),
    ];
    join_all(faults.map(|(fault, code)| waits_for_a_provider(fault, code))).await;
}

async fn waits_for_a_provider(fault: Option<Fault>, fails_with: &str) {
    const RELOADS: usize = 12;
    // What only the operator can mend is a page of its own, which does not reload by itself.
    let shown = if fails_with == "provider_metadata" { fails_with } else { "sign_in_unavailable" };
    let folder = tempfile::tempdir().unwrap();
    let (mut program, site, provider) = prepared(folder.path(), ProviderConfig::new(Profile::Standard)).await;
    match fault {
        None => provider.down().await,
        Some(fault) => provider.behave(Rule::standing(Behaviour::Fault { at: Endpoint::Discovery, fault })),
    }
    program.start().await;
    let (browser, login) = (Browser::default(), format!("{}/auth/oidc/login", site.origin));
    let mut references = Vec::new();
    for _ in 0..RELOADS {
        let page = browser.get(&login).await;
        page.explains(shown);
        references.push(page.data("reference").unwrap().to_owned());
    }
    references.dedup();
    eventually("the log has the outage", || async {
        program.log().contains(&format!("\"code\":\"{fails_with}\"")).then_some(())
    })
    .await;
    provider.behave_well();
    provider.up().await.unwrap();
    eventually("it recovers", || async {
        let back = browser.get(&login).await.status == StatusCode::SEE_OTHER;
        (back && program.log().contains("provider_recovered")).then_some(())
    })
    .await;
    let lines = lines(program).await;
    let [reference] = &*references else { panic!("{references:?}") };
    let mut counted = codes(&lines);
    counted.remove("start");
    let mut expected = BTreeMap::from([(fails_with, 1), ("provider_recovered", 1)]);
    *expected.entry(shown).or_default() += 1;
    assert_eq!(counted, expected, "{lines:#?}");
    for line in &lines {
        match code(line) {
            code if code == shown && line["reference"].is_string() => {
                assert_eq!((&line["reference"], &line["level"]), (&json!(reference), &json!("ERROR")));
                // On a busy machine the metadata may not come in time at first.
                assert!(line["detail"].as_str().unwrap().starts_with("op (provider_"), "{line}");
            }
            "start" => {}
            _ => assert_eq!((&line["provider"], &line["level"]), (&json!("op"), &json!("WARN")), "{line}"),
        }
    }
}

/// A sign-in that fails is one line, with its reference and what was said, however often its page is requested.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sign_in_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (program, site, provider) = started(folder.path()).await;
    let faults = [
        (Endpoint::Token, Fault::html(502), "provider_server_error"),
        (Endpoint::Token, Fault::html(200), "provider_bad_answer"),
        (Endpoint::Token, Fault::CloseUnprocessed, "provider_unreachable"),
        (Endpoint::Token, Fault::json(400, &json!({ "error": "invalid_grant" })), "code_refused"),
        (Endpoint::Token, Fault::json(401, &json!({ "error": "invalid_client" })), "client_refused"),
        (Endpoint::Token, Fault::json(400, &json!({ "error": "invalid_scope" })), "token_refused"),
        (Endpoint::Token, Fault::json(200, &json!({ "token_type": "Bearer" })), "token_response_invalid"),
        (Endpoint::Userinfo, Fault::html(500), "userinfo_unavailable"),
        (Endpoint::Userinfo, Fault::json(200, &json!({ "sub": "another" })), "userinfo_invalid"),
    ];
    let mut failed = Vec::new();
    for (at, fault, code) in faults {
        let (browser, callback) = at_callback(&site).await;
        // Userinfo is asked for once more.
        provider.behave(Rule::standing(Behaviour::Fault { at, fault }));
        for _ in 0..3 {
            let page = follow(&browser, &callback).await;
            page.explains(code);
            failed.push((page.data("reference").unwrap().to_owned(), code));
        }
        provider.behave_well();
    }
    let (browser, callback) = at_callback(&site).await;
    let mut refusal = Url::parse(&callback).unwrap();
    let answer: Vec<_> = refusal.query_pairs().into_owned().filter(|(name, _)| name != "code").collect();
    refusal.query_pairs_mut().clear().extend_pairs(answer).append_pair("error", "access_denied");
    for _ in 0..3 {
        let page = follow(&browser, refusal.as_str()).await;
        page.explains("access_denied");
        failed.push((page.data("reference").unwrap().to_owned(), "access_denied"));
    }
    failed.dedup();
    let lines = lines(program).await;
    let (starts, others): (Vec<_>, Vec<_>) = lines.iter().partition(|line| code(line) == "start");
    assert_eq!(starts.len(), failed.len(), "{lines:#?}");
    let logged: Vec<_> =
        others.iter().map(|line| (line["reference"].as_str().unwrap().to_owned(), code(line))).collect();
    assert_eq!(logged, failed, "{others:#?}");
    assert!(others.iter().all(|line| line["provider"] == "op"), "{others:#?}");
    assert!(others.iter().all(|line| line["detail"].is_string()), "{others:#?}");
}

/// What is no sign-in of ours: each its own reference, and each its line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_pass_by_itself_is_a_line_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (program, site, _provider) = started(folder.path()).await;
    let mut shown = Vec::new();
    for path in ["/auth/oidc/callback?state=x&code=y", "/auth/oidc/login?provider=nobody"].repeat(3) {
        let page = follow(&Browser::default(), &format!("{}{path}", site.origin)).await;
        shown.push(page.data("reference").unwrap().to_owned());
    }
    let lines = lines(program).await;
    let logged: Vec<_> = lines.iter().map(|line| line["reference"].as_str().unwrap().to_owned()).collect();
    assert_eq!(logged, shown, "{lines:#?}");
}

/// Signed in at a program on an SQLite file; returns the browser and another connection to the file.
async fn signed_in(site: &Site, folder: &Path) -> (Browser, SqliteConnection) {
    let (browser, callback) = at_callback(site).await;
    eventually("signed in", || async { browser.get(&callback).await.sets_session().then_some(()) }).await;
    let options = SqliteConnectOptions::new().filename(folder.join("program.db"));
    (browser, SqliteConnection::connect_with(&options).await.unwrap())
}

/// The outage of a store is one line, and whoever was shown these references for it one more.
#[track_caller]
fn one_outage(lines: &[Value], mut references: Vec<String>) {
    references.dedup();
    let mut failures: Vec<_> = lines.iter().filter(|line| code(line) == "store_unavailable").collect();
    // Either may come first: a sign-out goes on where the person is told already.
    failures.sort_by_key(|line| line["level"] != "WARN");
    let [reference] = &*references else { panic!("{references:?}") };
    let [outage, page] = &*failures else { panic!("{lines:#?}") };
    assert_eq!((&outage["level"], &outage["reference"]), (&json!("WARN"), &Value::Null), "{outage}");
    assert_eq!((&page["level"], &page["reference"]), (&json!("ERROR"), &json!(reference)), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_store_is_one_line_and_its_outage_another() {
    let folder = tempfile::tempdir().unwrap();
    let (program, site, _provider) = started(folder.path()).await;
    let (browser, mut database) = signed_in(&site, folder.path()).await;
    sqlx::query("ALTER TABLE login_sessions RENAME TO elsewhere").execute(&mut database).await.unwrap();
    let mut references = Vec::new();
    for _ in 0..10 {
        let page = browser.get(&format!("{}/auth/account", site.origin)).await;
        page.explains("store_unavailable");
        references.push(page.data("reference").unwrap().to_owned());
    }
    one_outage(&lines(program).await, references);
}

/// Nor has the driver anything to say of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_locked_is_one_outage() {
    let folder = tempfile::tempdir().unwrap();
    let (program, site, _provider) = started(folder.path()).await;
    let (browser, mut database) = signed_in(&site, folder.path()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let logout = format!("{}/auth/logout", site.origin);
    let page = || browser.post(&logout, "");
    let mut references = Vec::new();
    for page in join_all([page(), page(), page()]).await {
        page.explains("store_unavailable");
        references.push(page.data("reference").unwrap().to_owned());
    }
    // The store's own wait is longer than a person's.
    eventually("it is known", || async { program.log().contains("\"WARN\"").then_some(()) }).await;
    one_outage(&lines(program).await, references);
}

/// Whoever comes back while the file stays locked is one line, with what the store says and what mends it, until they are
/// signed in after all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_a_lock_holds_up_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (program, site, _provider) = started(folder.path()).await;
    let (_, mut database) = signed_in(&site, folder.path()).await;
    let (browser, callback) = at_callback(&site).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let told = eventually("they are told", || async {
        let page = follow(&browser, &callback).await;
        (page.data("code") == Some("store_unavailable")).then_some(page)
    })
    .await;
    let reference = told.data("reference").unwrap().to_owned();
    for _ in 0..3 {
        follow(&browser, &callback).await.explains("store_unavailable");
    }
    sqlx::query("ROLLBACK").execute(&mut database).await.unwrap();
    eventually("they are signed in", || async { browser.get(&callback).await.sets_session().then_some(()) }).await;
    let lines = lines(program).await;
    let mut theirs: Vec<_> = lines.iter().filter(|line| line["reference"] == reference).collect();
    let failed = theirs.remove(1);
    assert_eq!((code(failed), &failed["level"]), ("store_unavailable", &json!("ERROR")), "{lines:#?}");
    assert!(failed["detail"].is_string() && failed["to_do"].as_str().unwrap().contains("lock"), "{failed}");
    assert_eq!(theirs.iter().map(|line| code(line)).collect::<Vec<_>>(), ["start", "signed_in", "delivered"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_to_return_to_that_is_dropped_is_logged_without_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (program, site, _provider) = started(folder.path()).await;
    let browser = Browser::default();
    for asked in ["/reports%3Ffine", "https://evil.example/se-cret%3Fse-cret", "/auth/logout%3Fse-cret", "%5Cse-cret"] {
        browser.get(&format!("{}/auth/login?return_to={asked}", site.origin)).await;
    }
    browser.get(&format!("{}/auth/login?return_to=/reports?{}", site.origin, "se-cret".repeat(200))).await;
    let lines = lines(program).await;
    let reasons = ["https://evil.example\"", "Vestibule's own", "neither", "its query was left out"];
    assert_eq!(lines.len(), reasons.len(), "{lines:?}");
    for (line, reason) in lines.iter().zip(reasons) {
        assert_eq!(code(line), "return_to_dropped");
        assert!(line.to_string().contains(reason), "{line}");
        assert!(!line.to_string().contains("se-cret"), "{line}");
    }
}
