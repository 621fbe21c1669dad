//! What people see of ours where there are applications: on the login host, on the applications' hosts, and through a proxy.

use reqwest::{Method, StatusCode};
use test_provider::Profile;
use vestibule::server::{
    application::{
        Access, Application, HostPattern, IdentityRules, Members, OriginPattern, Preset, Rule, RuleAccess, RulePath,
    },
    settings::Settings,
};

use crate::support::{browser::Browser, page::Page, scene::Scene};

/// On `HOST.localhost`, with our own paths below `/.vestibule`.
fn application(settings: &Settings, host: HostPattern, rules: Vec<Rule>) -> Application {
    Application {
        origins: vec![OriginPattern { secure: false, host, port: Some(settings.listen.port()) }],
        access: Access::SignedIn,
        rules,
        identity: IdentityRules { presets: vec![Preset::Remote], ..IdentityRules::default() },
        preflight: false,
        prefix: "/.vestibule".into(),
        token: false,
    }
}

fn at(settings: &Settings, host: &str, rules: Vec<Rule>) -> Application {
    application(settings, HostPattern::One(format!("{host}.localhost")), rules)
}

fn below(path: &str, access: RuleAccess) -> Rule {
    Rule { path: RulePath::Below(path.into()), methods: Vec::new(), access, addresses: Vec::new() }
}

fn only(user: &str) -> RuleAccess {
    RuleAccess::Members(Members { users: vec![user.into()], ..Members::default() })
}

/// One application for each way in which a rule can decide about its first page.
fn several(settings: &mut Settings) {
    let nobody = RuleAccess::All(Access::Nobody);
    let from_elsewhere = Rule { addresses: vec!["203.0.113.0/24".parse().unwrap()], ..below("/", only("alice")) };
    let pattern = HostPattern::Below("apps.localhost".into());
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    settings.applications = vec![
        at(settings, "wiki", vec![below("/admin/", only("bob"))]),
        at(settings, "closed", vec![below("/", nobody)]),
        at(settings, "bobs", vec![below("/", only("bob"))]),
        at(settings, "alices", vec![below("/", only("alice"))]),
        at(settings, "elsewhere", vec![from_elsewhere]),
        at(settings, "open", vec![below("/", RuleAccess::All(Access::Anyone))]),
        application(settings, pattern, Vec::new()),
    ];
}

/// The login host alone, whose own paths have a rule.
fn guarded(settings: &mut Settings) {
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    settings.applications[0].rules = vec![below("/admin/", only("bob"))];
}

async fn on_host(scene: &Scene, host: &str, path: &str, cookies: &str) -> Page {
    let host = format!("{host}.localhost:{}", scene.address.port());
    scene.browser().get_as(&scene.url(path), &[("host", &host), ("cookie", cookies)]).await
}

/// Asks as a proxy does. `cookies` are those of that host.
async fn through_proxy(
    scene: &Scene,
    cookies: &str,
    host: &str,
    asked: (Method, &str),
    more: &[(&str, &str)],
) -> Page {
    let headers = [
        ("x-forwarded-method", asked.0.as_str()),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", host),
        ("x-forwarded-uri", asked.1),
        ("x-forwarded-for", "192.0.2.1"),
        ("cookie", cookies),
    ];
    let headers: Vec<_> = headers.iter().chain(more).copied().collect();
    scene.browser().get_as(&format!("http://{}/auth/forward", scene.gate), &headers).await
}

/// The cookie of wiki.localhost, for the person who is signed in with `browser`.
async fn handed_over(scene: &Scene, browser: &Browser) -> String {
    let cookie = |page: &Page| page.header("set-cookie").split(';').next().unwrap().to_owned();
    let asked = through_proxy(scene, "", "wiki.localhost", (Method::GET, "/"), NAVIGATION).await;
    let ticket = browser.get(asked.location()).await;
    let (_, enter) = ticket.location().split_once(&format!(":{}", scene.address.port())).unwrap();
    let entered = on_host(scene, "wiki", enter, &cookie(&asked)).await;
    cookie(&entered)
}

const NAVIGATION: &[(&str, &str)] =
    &[("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];

#[tokio::test]
async fn the_account_lists_the_applications_that_the_person_may_open() {
    let scene = Scene::with(Profile::Standard, several).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let page = browser.get(&scene.url("/auth/account")).await;
    let links: Vec<_> = page.body.split("href=\"http://").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    let port = scene.address.port();
    let expected = ["wiki", "alices", "open"].map(|host| format!("{host}.localhost:{port}/"));
    assert_eq!(links, expected, "in the order of the settings");
    assert!(page.body.contains(&format!("<bdi>wiki.localhost:{port}</bdi>")), "{page:#?}");
    let from_there = browser.get_as(&scene.url("/auth/account"), &[("x-forwarded-for", "203.0.113.9")]).await;
    assert!(from_there.body.contains("//elsewhere.localhost"), "rules go by the person's address: {from_there:#?}");
}

#[tokio::test]
async fn the_account_lists_nothing_where_there_is_only_the_login_host() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let page = browser.get(&scene.url("/auth/account")).await;
    assert!(page.status == StatusCode::OK && !page.body.contains("<h2>"), "{page:#?}");
}

#[tokio::test]
async fn the_login_page_names_the_application_that_the_person_goes_on_to() {
    let scene = Scene::with(Profile::Standard, several).await;
    let wiki = format!("wiki.localhost:{}", scene.address.port());
    let page = scene.browser().get(&scene.url(&format!("/auth/login?return_to=http://{wiki}/a?b=c"))).await;
    assert!(page.body.contains(&format!("After that you go on to <bdi>{wiki}</bdi>.")), "{page:#?}");
    for own in ["/auth/login", "/auth/login?return_to=/a", "/auth/login?return_to=http://evil.example/"] {
        let page = scene.browser().get(&scene.url(own)).await;
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

/// Every address that a page of ours links or loads.
fn addresses(page: &Page) -> Vec<String> {
    let attributes = ["href", "src", "action", "data-js", "data-wasm", "data-path"];
    let all = attributes.iter().flat_map(|name| page.body.split(&format!(" {name}=\"")).skip(1).collect::<Vec<_>>());
    let mut all: Vec<_> = all.map(|rest| rest.split_once('"').unwrap().0.replace("&amp;", "&")).collect();
    all.extend(page.body.split("url=").skip(1).map(|rest| rest.split_once('"').unwrap().0.replace("&amp;", "&")));
    all
}

#[tokio::test]
async fn problems_on_an_applications_host_link_only_what_is_ours_there() {
    let scene = Scene::with(Profile::Standard, several).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let wiki = "wiki.localhost";
    let cookie = handed_over(&scene, &browser).await;
    let forged = [NAVIGATION, &[("remote-user", "root")]].concat();
    let host = format!("{wiki}:{}", scene.address.port());
    let put = browser.request(Method::PUT, &scene.url("/.vestibule/login"), &[("host", &host)], None).await;
    let mut pages = vec![
        ("not_found", on_host(&scene, "wiki", "/.vestibule/nothing", &cookie).await),
        ("not_found", on_host(&scene, "wiki", "/auth/account", &cookie).await),
        ("handover_invalid", on_host(&scene, "wiki", "/.vestibule/enter?ticket=x", &cookie).await),
        ("method_not_allowed", put),
        ("form_not_sent", through_proxy(&scene, "", wiki, (Method::POST, "/a"), NAVIGATION).await),
        ("not_admitted", through_proxy(&scene, &cookie, wiki, (Method::GET, "/admin/"), NAVIGATION).await),
        ("not_admitted", through_proxy(&scene, "", "closed.localhost", (Method::GET, "/a"), NAVIGATION).await),
        ("identity_forged", through_proxy(&scene, &cookie, wiki, (Method::GET, "/a"), &forged).await),
    ];
    let no_longer_known = handed_over(&scene, &another(&scene).await).await;
    scene.damage("login_sessions").await;
    pages.push((
        "store_unavailable",
        through_proxy(&scene, &no_longer_known, wiki, (Method::GET, "/a?b=c"), NAVIGATION).await,
    ));
    for (code, page) in pages {
        page.explains(code);
        let ours = |address: &String| address.starts_with("/.vestibule/") || address == "/" || address == "/a?b=c";
        assert!(addresses(&page).iter().all(ours), "{code}: {:?}", addresses(&page));
        assert!(addresses(&page).iter().any(|address| address.starts_with("/.vestibule/assets/pkg/")), "{code}");
        // A page that the store keeps back is asked for again as it was.
        assert_eq!(code == "store_unavailable", page.button() == "/a?b=c", "{code}: {}", page.button());
    }
}

/// Another person's browser.
async fn another(scene: &Scene) -> Browser {
    let browser = scene.browser();
    browser.sign_in(scene).await;
    browser
}

#[tokio::test]
async fn who_may_not_open_a_page_is_named_and_offered_another_account() {
    let scene = Scene::with(Profile::Standard, several).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let cookie = handed_over(&scene, &browser).await;
    let asked = (Method::GET, "/admin/?a=b&c=d");
    let page = through_proxy(&scene, &cookie, "wiki.localhost", asked, NAVIGATION).await;
    page.explains("not_admitted");
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("You are signed in as <bdi>Alice Example</bdi>."), "{page:#?}");
    let login = on_host(&scene, "wiki", &page.button(), &cookie).await;
    let start = browser.get(login.location()).await;
    assert!(start.location().starts_with(scene.provider.issuer()), "{start:#?}");
    assert!(start.location().contains("prompt=login"), "{start:#?}");
    // Each time anew, however often in a row: it is a click.
    for _ in 0..50 {
        assert!(browser.get(login.location()).await.location().contains("prompt=login"));
    }
}

#[tokio::test]
async fn on_the_login_host_as_an_application_another_account_is_offered_too() {
    let scene = Scene::with(Profile::Standard, guarded).await;
    let browser = scene.browser();
    browser.sign_in(&scene).await;
    let cookie = format!("vestibule={}", browser.cookie(&scene, "vestibule").unwrap());
    let page = through_proxy(&scene, &cookie, "127.0.0.1", (Method::GET, "/admin/?a=b"), NAVIGATION).await;
    page.explains("not_admitted");
    let start = browser.get(&scene.url(&page.button())).await;
    assert!(start.location().contains("prompt=login"), "{} {start:#?}", page.button());
}

#[tokio::test]
async fn a_script_learns_where_to_sign_in_and_its_page_is_come_back_to() {
    for (tweak, host, login) in [
        (several as fn(&mut Settings), "wiki.localhost", "/.vestibule/login"),
        (guarded as fn(&mut Settings), "127.0.0.1", "/auth/login"),
    ] {
        let scene = Scene::with(Profile::Standard, tweak).await;
        let origin = format!("http://{host}:{}", scene.address.port());
        let referer = format!("{origin}/a?b=c");
        let headers = [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("referer", &referer)];
        let page = through_proxy(&scene, "", host, (Method::GET, "/api"), &headers).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
        let body: serde_json::Value = serde_json::from_str(&page.body).unwrap();
        assert_eq!(body["error"], "login_required");
        assert_eq!(body["login_url"], format!("{origin}{login}?return_to=/a%3Fb%3Dc"));
    }
}
