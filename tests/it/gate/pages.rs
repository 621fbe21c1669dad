//! What people see of ours where there are applications: on the login host, on the applications' hosts, and through a proxy.

use reqwest::{Method, StatusCode};
use test_provider::Profile;
use vestibule::server::{
    application::{
        Access, Application, HostPattern, IdentityRules, Members, OriginPattern, Preset, Rule, RuleAccess, RulePath,
    },
    settings::Settings,
};

use super::rig::{Endpoint, Question, Visitor, json, user};
use crate::support::{browser::Browser, page::Page, scene::Scene};

/// The application that everybody may open who is signed in.
const WIKI: &str = "wiki.localhost";
/// That nobody may open.
const CLOSED: &str = "closed.localhost";

fn application(settings: &Settings, host: HostPattern, rules: Vec<Rule>) -> Application {
    let authority = settings.public_url.origin().rsplit_once(':').unwrap();
    Application {
        origins: vec![OriginPattern { secure: false, host, port: Some(authority.1.parse().unwrap()) }],
        access: Access::SignedIn,
        rules,
        identity: IdentityRules { presets: vec![Preset::Remote], ..IdentityRules::default() },
        preflight: false,
        prefix: "/.vestibule".into(),
        token: false,
    }
}

fn at(settings: &Settings, host: &str, rules: Vec<Rule>) -> Application {
    application(settings, HostPattern::One(host.into()), rules)
}

fn below(path: &str, access: RuleAccess) -> Rule {
    Rule { path: RulePath::Below(path.into()), methods: Vec::new(), access, addresses: Vec::new() }
}

fn only(user: &str) -> RuleAccess {
    RuleAccess::Members(Members { users: vec![user.into()], ..Members::default() })
}

/// One application for each way in which a rule can decide about its first page.
fn several(settings: &mut Settings) {
    let from_elsewhere = Rule { addresses: vec!["203.0.113.0/24".parse().unwrap()], ..below("/", only("alice")) };
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    settings.sign_in.patience = std::time::Duration::from_secs(20);
    settings.applications = vec![
        at(settings, WIKI, vec![below("/admin/", only("bob"))]),
        at(settings, CLOSED, vec![below("/", RuleAccess::All(Access::Nobody))]),
        at(settings, "bobs.localhost", vec![below("/", only("bob"))]),
        at(settings, "alices.localhost", vec![below("/", only("alice"))]),
        at(settings, "elsewhere.localhost", vec![from_elsewhere]),
        at(settings, "open.localhost", vec![below("/", RuleAccess::All(Access::Anyone))]),
        application(settings, HostPattern::Below("apps.localhost".into()), Vec::new()),
    ];
}

/// The login host alone, which has an application of its own beside ours.
fn login_host_alone(settings: &mut Settings) {
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    settings.sign_in.patience = std::time::Duration::from_secs(20);
    settings.applications[0].rules = vec![below("/admin/", only("bob"))];
}

async fn alice(scene: &Scene) -> Browser {
    let browser = scene.browser();
    browser.sign_in(scene).await;
    browser
}

/// A page of ours on the wiki's host.
async fn on_wiki(browser: &Browser, scene: &Scene, method: Method, path: &str) -> Page {
    browser.request(method, &scene.page(WIKI, &format!("/.vestibule{path}")), &[], None).await
}

const fn question<'a>(host: &'a str, uri: &'a str) -> Question<'a> {
    Question::about(Endpoint::Forward, uri).at(host)
}

/// alice at the wiki, too: comes back from its page, of which the application was told.
async fn enter(browser: &Browser, scene: &Scene) {
    let asked = browser.asks(scene, question(WIKI, "/page")).await;
    let ticket = browser.get(asked.location()).await;
    assert_eq!(browser.get(ticket.location()).await.location(), scene.page(WIKI, "/page"));
    assert_eq!(user(&browser.asks(scene, question(WIKI, "/page")).await), Some("alice"));
}

#[tokio::test]
async fn the_account_lists_the_applications_that_the_person_may_open() {
    let scene = Scene::with_applications(several).await;
    let browser = alice(&scene).await;
    let page = browser.get(&scene.url("/auth/account")).await;
    let links: Vec<_> = page.body.split("href=\"http://").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    let expected = [WIKI, "alices.localhost", "open.localhost"].map(|host| format!("{}/", scene.authority(host)));
    assert_eq!(links, expected, "in the order of the settings");
    assert!(page.body.contains(&format!("<bdi>{}</bdi>", scene.authority(WIKI))), "{page:#?}");
    let from_there = browser.get_as(&scene.url("/auth/account"), &[("x-forwarded-for", "203.0.113.9")]).await;
    assert!(from_there.body.contains("//elsewhere.localhost"), "rules go by the person's address: {from_there:#?}");
}

#[tokio::test]
async fn the_account_lists_nothing_where_there_is_only_the_login_host() {
    let scene = Scene::with(Profile::Standard, login_host_alone).await;
    let page = alice(&scene).await.get(&scene.url("/auth/account")).await;
    assert!(page.status == StatusCode::OK && !page.body.contains("<h2>"), "{page:#?}");
}

#[tokio::test]
async fn the_login_page_names_the_application_that_the_person_goes_on_to() {
    let scene = Scene::with_applications(several).await;
    let login = async |return_to: &str| scene.browser().get(&scene.url(&format!("/auth/login?{return_to}"))).await;
    let page = login(&format!("return_to={}", scene.page(WIKI, "/a?b=c"))).await;
    let said = format!("After that you go on to <bdi>{}</bdi>.", scene.authority(WIKI));
    assert!(page.body.contains(&said), "{page:#?}");
    for own in ["", "return_to=/a", "return_to=http://evil.example/"] {
        let page = login(own).await;
        assert!(!page.body.contains("After that"), "{page:#?}");
    }
}

#[tokio::test]
async fn with_several_providers_each_button_still_asks_for_another_account() {
    let scene = Scene::beside_a_neighbour(|_| {}).await;
    let page = scene.browser().get(&scene.url("/auth/oidc/login?prompt=login&return_to=/a")).await;
    let page = scene.browser().get(&scene.url(page.location())).await;
    assert_eq!(page.body.matches("&amp;prompt=login&amp;again=1").count(), 2, "{page:#?}");
    let page = scene.browser().get(&scene.url("/auth/login?return_to=/a")).await;
    assert!(!page.body.contains("prompt=login"), "{page:#?}");
}

/// Every address that a page of ours links, loads or goes on to.
fn addresses(page: &Page) -> Vec<String> {
    let begins = ["href", "src", "action", "data-js", "data-wasm", "data-path"].map(|name| format!(" {name}=\""));
    let begins = begins.iter().map(String::as_str).chain([";url="]);
    let found = begins.flat_map(|begin| page.body.split(begin).skip(1));
    found.map(|rest| rest.split_once('"').unwrap().0.replace("&amp;", "&")).collect()
}

#[tokio::test]
async fn problems_on_an_applications_host_link_only_what_is_ours_there() {
    let mut scene = Scene::with_applications(several).await;
    let (browser, nobody) = (alice(&scene).await, Browser::default());
    enter(&browser, &scene).await;
    let forged = [("remote-user", "root")];
    let mut pages = vec![
        ("not_found", on_wiki(&browser, &scene, Method::GET, "/nothing").await),
        ("not_found", browser.get(&scene.page(WIKI, "/auth/account")).await),
        ("handover_invalid", on_wiki(&browser, &scene, Method::GET, "/enter?ticket=x").await),
        ("method_not_allowed", on_wiki(&browser, &scene, Method::PUT, "/login").await),
        ("form_not_sent", nobody.asks(&scene, question(WIKI, "/a").by(Visitor::Form)).await),
        ("not_admitted", browser.asks(&scene, question(WIKI, "/admin/")).await),
        ("not_admitted", nobody.asks(&scene, question(CLOSED, "/a")).await),
        ("identity_forged", browser.asks_at(&scene, scene.at(), question(WIKI, "/a"), &forged).await),
    ];
    // Nothing is known of her any more.
    scene.kill().await;
    scene.start().await;
    scene.damage("login_sessions").await;
    pages.push(("store_unavailable", browser.asks(&scene, question(WIKI, "/a?b=c")).await));
    for (code, page) in pages {
        page.explains(code);
        let ours = |address: &String| address.starts_with("/.vestibule/") || address == "/" || address == "/a?b=c";
        assert!(addresses(&page).iter().all(ours), "{code}: {:?}", addresses(&page));
        assert!(addresses(&page).iter().any(|address| address.starts_with("/.vestibule/assets/pkg/")), "{code}");
        // A page that the store keeps back is asked for again as it was.
        assert_eq!(code == "store_unavailable", page.button() == "/a?b=c", "{code}: {}", page.button());
        assert_eq!(code == "form_not_sent", page.body.contains("target=\"_blank\""), "{code}");
    }
}

#[tokio::test]
async fn who_may_not_open_a_page_is_named_and_offered_another_account() {
    let scene = Scene::with_applications(several).await;
    let browser = alice(&scene).await;
    enter(&browser, &scene).await;
    let page = browser.asks(&scene, question(WIKI, "/admin/?a=b&c=d")).await;
    page.explains("not_admitted");
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("You are signed in as <bdi>Alice Example</bdi>."), "{page:#?}");
    let login = browser.get(&scene.page(WIKI, &page.button())).await;
    // Each time anew, though it is for the same page: it is a click, and no loop.
    for _ in 0..5 {
        let start = browser.get(login.location()).await;
        assert!(start.location().starts_with(scene.provider.issuer()), "{start:#?}");
        assert!(start.location().contains("prompt=login"), "{start:#?}");
        let callback = browser.get(start.location()).await;
        let done = browser.get(callback.location()).await;
        assert_eq!(done.location(), scene.page(WIKI, "/admin/?a=b&c=d"));
    }
}

#[tokio::test]
async fn on_the_login_host_as_an_application_another_account_is_offered_too() {
    let scene = Scene::with(Profile::Standard, login_host_alone).await;
    let browser = alice(&scene).await;
    let page = browser.asks(&scene, question("127.0.0.1", "/admin/?a=b")).await;
    page.explains("not_admitted");
    let start = browser.get(&scene.url(&page.button())).await;
    assert!(start.location().contains("prompt=login"), "{} {start:#?}", page.button());
}

#[tokio::test]
async fn on_the_login_host_as_an_application_a_scripts_page_is_come_back_to() {
    let scene = Scene::with(Profile::Standard, login_host_alone).await;
    let question = question("127.0.0.1", "/api").by(Visitor::Script);
    let referer = [("referer", &*scene.url("/a?b=c"))];
    let page = Browser::default().asks_at(&scene, scene.at(), question, &referer).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert_eq!(json(&page)["login_url"], scene.url("/auth/login?return_to=/a%3Fb%3Dc"));
}
