//! What holds for every page.

use super::*;
use crate::remedy::{Kind, WayOn, Who};

const HOSTILE: &str = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&\u{202e}\u{200b}";

fn assets() -> AssetUrls {
    AssetUrls {
        stylesheet: "/auth/assets/pkg/vestibule.1.css".into(),
        favicon: "/auth/assets/favicon.svg".into(),
        again: "/auth/assets/again.js".into(),
        submit: "/auth/assets/submit.js".into(),
        boot: "/auth/assets/boot.js".into(),
        script: "/auth/assets/pkg/vestibule.1.js".into(),
        wasm: "/auth/assets/pkg/vestibule.1.wasm".into(),
    }
}

/// The page of the problem `code`. Which kind it is, and who can fix it, is up to the server.
fn problem_of(code: &'static str) -> ProblemPage {
    ProblemPage {
        code,
        reference: "7Q4M-X2KD".into(),
        kind: Kind::Failed,
        who: Who::You,
        action: Action { way_on: WayOn::StartAgain, href: "/auth/oidc/login?provider=a&return_to=%2F".into() },
        second: None,
        person: None,
        retry_in: None,
        refresh: None,
        script: true,
    }
}

fn leaving(there: There, provider: &str) -> SigningOut {
    SigningOut { provider: provider.into(), available: true, there }
}

fn signed_out_of(there: AtProvider, name: &str) -> SignedOut {
    SignedOut {
        there,
        provider: Some(name.into()),
        asks: there != AtProvider::Unknown,
        again: name.into(),
        other_account: Some(name.into()),
    }
}

/// Every page, with `name` in every place that holds foreign text, and whether it may load script.
fn every_page(lang: Lang, name: &str) -> Vec<(&'static str, bool, String)> {
    let assets = assets();
    let shell = Shell { lang, assets: &assets };
    let choice = |works| Choice { name: name.into(), start: name.into(), works };
    let mut hostile = problem_of("too_many_failures");
    hostile.reference = name.into();
    hostile.action = Action { way_on: WayOn::TryAgain, href: name.into() };
    hostile.second = Some(Action { way_on: WayOn::UseAnotherAccount, href: name.into() });
    hostile.person = Some(name.into());
    hostile.retry_in = Some(30);
    hostile.refresh = Some(name.into());
    let silent = ProblemPage { script: false, ..hostile.clone() };
    let page = Waiting { provider: name.into(), again: name.into(), query: name.into(), reference: name.into() };
    vec![
        ("login", false, {
            let choices = vec![choice(Works::Yes), choice(Works::NotNow)];
            login(&shell, &Login { choices, account: Some(name.into()), onward: Some(name.into()) })
        }),
        ("login, one", false, {
            login(&shell, &Login { choices: vec![choice(Works::Misconfigured)], account: None, onward: None })
        }),
        ("signed in", false, signed_in(&shell, name)),
        ("waiting", true, waiting(&shell, &page)),
        ("problem", true, problem(&shell, &hostile)),
        ("problem, silent", false, problem(&shell, &silent)),
        ("account", false, {
            account(
                &shell,
                &Account {
                    name: name.into(),
                    username: name.into(),
                    email: Some(name.into()),
                    provider: name.into(),
                    signed_in_at: Moment { rfc3339: "2026-11-23T10:00:00Z".into(), human: "10:00".into() },
                    applications: vec![Application { host: name.into(), url: "/auth/x".into() }],
                    logout: name.into(),
                },
            )
        }),
        ("sign out", false, sign_out(&shell, &SignOut { name: Some(name.into()), logout: name.into() })),
        ("signed out", false, { signed_out(&shell, &signed_out_of(AtProvider::Remains, name)) }),
        ("signing out", false, signing_out(&shell, &leaving(There::Link(name.into()), name))),
        ("signing out, by a form", false, {
            signing_out(
                &shell,
                &leaving(There::Form { action: name.into(), fields: vec![("state", name.into())] }, name),
            )
        }),
    ]
}

#[test]
fn hostile_names_stay_text() {
    for (page, _, html) in every_page(Lang::En, HOSTILE) {
        assert!(!html.contains("<script>") && !html.contains("<img src=x"), "{page}: {html}");
        assert!(!html.contains("\"'>"), "{page}: {html}");
        // What is posted is not shown, and keeps its characters.
        if page != "waiting" && page != "signing out, by a form" {
            assert!(!html.contains(['\u{202e}', '\u{200b}']), "{page}: {html}");
        }
    }
}

/// Where these pages go, the server has judged: to an application, or to the provider.
fn is_judged(page: &str, foreign: &str) -> bool {
    (page == "signed in" || page.starts_with("signing out")) && foreign.starts_with("https://")
}

#[test]
fn links_lead_to_our_own_origin() {
    for foreign in ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)"] {
        for (page, _, html) in every_page(Lang::De, foreign) {
            for attribute in ["href", "action", "src", "data-otherwise"] {
                for (_, rest) in
                    html.match_indices(&format!(" {attribute}=\"")).map(|(at, m)| html.split_at(at + m.len()))
                {
                    let own = rest.starts_with("/auth/") || is_judged(page, foreign) && rest.starts_with(foreign);
                    assert!(own, "{page}: {attribute} {}", &rest[..30]);
                }
            }
            assert!(is_judged(page, foreign) || !html.contains(&format!("url={foreign}")), "{page}: {html}");
        }
    }
}

#[test]
fn no_page_needs_more_than_the_policy_allows() {
    for lang in Lang::ALL {
        for (page, script, html) in every_page(*lang, "Example & Söhne") {
            assert!(html.starts_with("<!DOCTYPE html><html lang="), "{page}: {html}");
            assert!(!html.contains("{}"), "{page}: {html}");
            assert!(!html.contains("<style") && !html.contains(" style="), "{page}: {html}");
            assert!(!html.contains(" onclick") && !html.contains("javascript:"), "{page}: {html}");
            // No script has a text of its own; the panel is loaded by one page or not, and some look again.
            let scripts: Vec<&str> = html.split("<script").skip(1).collect();
            assert_eq!(scripts.iter().filter(|loader| loader.contains(&assets().boot)).count(), usize::from(script));
            let other: usize = [assets().again, assets().submit].map(|url| html.matches(&url).count()).iter().sum();
            assert_eq!(scripts.len(), usize::from(script) + other, "{page}: {html}");
            assert!(other <= 1, "{page}: {html}");
            assert!(scripts.iter().all(|script| script.contains(" src=\"/auth/") && script.contains("\"></script>")));
            assert_eq!(html.contains("modulepreload"), script, "{page}");
            assert_eq!(html.matches("<h1").count(), 1, "{page}");
            assert_eq!(html.matches("<main").count(), 1, "{page}");
        }
    }
}

#[test]
fn every_problem_is_explained_in_every_language() {
    let assets = assets();
    for lang in Lang::ALL {
        for code in texts::CODES {
            let html = problem(&Shell { lang: *lang, assets: &assets }, &problem_of(code));
            let words = texts::explanation(*lang, code);
            let to_do = words.to_do.replace("{}", &texts::time(*lang, 3));
            let (who, way_on) = (texts::who(*lang, Who::You), texts::way_on(*lang, WayOn::StartAgain));
            for part in [*code, "7Q4M-X2KD", words.title, words.happened, &to_do, who, way_on] {
                assert!(html.contains(&format!(">{part}<")), "{code}: {part}\n{html}");
            }
            assert!(!html.contains("{}"), "{code}: {html}");
            assert!(html.contains(&format!("<html lang=\"{}\"", lang.tag())));
            assert!(html.contains(" href=\"/auth/oidc/login?provider=a&amp;return_to=%2F\""), "{html}");
        }
    }
}

#[test]
fn a_page_that_goes_on_says_when_and_does_so_with_and_without_script() {
    let assets = assets();
    let mut page = problem_of("too_many_failures");
    page.retry_in = Some(8);
    page.refresh = Some("/auth/oidc/callback?state=abc".into());
    let html = problem(&Shell { lang: Lang::En, assets: &assets }, &page);
    assert!(html.contains("the next try is made in 8 seconds, and this page continues automatically."), "{html}");
    assert!(html.contains("content=\"8;url=/auth/oidc/callback?state=abc\""), "{html}");
    assert!(html.contains(" data-seconds=\"8\" data-path=\"/auth/oidc/callback?state=abc\""), "{html}");
    // It says the time once, not a second time in the panel.
    assert!(!html.contains("data-retry"), "{html}");
}

#[test]
fn the_waiting_page_goes_on_without_script() {
    let assets = assets();
    let page = Waiting {
        provider: "Example".into(),
        again: "/auth/oidc/callback?state=abc".into(),
        query: "state=abc".into(),
        reference: "7Q4M-X2KD".into(),
    };
    let html = waiting(&Shell { lang: Lang::En, assets: &assets }, &page);
    assert!(html.contains("<title>Completing Sign In</title>"), "{html}");
    assert!(
        html.contains(
            "<noscript><meta http-equiv=\"refresh\" content=\"0;url=/auth/oidc/callback?state=abc\"></noscript>"
        ),
        "{html}"
    );
    assert!(html.contains("<a href=\"/auth/oidc/callback?state=abc\">Continue</a>"), "{html}");
    assert!(html.contains(">Still signing you in…</p>"), "{html}");
}

#[test]
fn an_only_provider_without_a_name_is_sso() {
    let assets = assets();
    let shell = Shell { lang: Lang::En, assets: &assets };
    let page = |names: &[&str]| {
        let choices = names
            .iter()
            .map(|name| Choice { name: (*name).into(), start: "/auth/oidc/login".into(), works: Works::Yes })
            .collect();
        login(&shell, &Login { choices, account: None, onward: None })
    };
    assert!(page(&["SSO"]).contains(">Login with SSO</a>"));
    assert!(page(&["Example"]).contains(">Continue with <bdi>Example</bdi>"), "{}", page(&["Example"]));
    assert!(!page(&["SSO", "Example"]).contains("Login with SSO"));
}

/// Who is away is looked after; where the operator has to correct something, waiting does not help.
#[test]
fn a_provider_that_does_not_work_says_so_before_its_button() {
    let assets = assets();
    for (works, words, is_looked_after) in [
        (Works::NotNow, "cannot be reached at the moment", true),
        (Works::Misconfigured, "is not set up correctly. Please tell the administrator", false),
    ] {
        let choices = vec![Choice { name: "Example".into(), start: "/auth/oidc/login".into(), works }];
        let shell = Shell { lang: Lang::En, assets: &assets };
        let html = login(&shell, &Login { choices, account: None, onward: None });
        let note = html.find("id=\"unavailable-0\"").unwrap();
        let button = html.find("aria-describedby=\"unavailable-0\"").unwrap();
        assert!(note < button && html.contains(words), "{html}");
        assert_eq!(html.contains("<meta http-equiv=\"refresh\" content=\"10\">"), is_looked_after, "{html}");
    }
}

/// LO-05: by the URL, or by a form that goes by itself and has a button; where the provider is away, by a click alone.
#[test]
fn the_way_to_sign_out_at_the_provider_is_taken_by_itself_and_has_a_button() {
    let assets = assets();
    let shell = Shell { lang: Lang::En, assets: &assets };
    let url = "https://op.example.com/end?id_token_hint=a&state=b";
    let html = signing_out(&shell, &leaving(There::Link(url.into()), "Example"));
    let escaped = url.replace('&', "&amp;");
    assert!(html.contains(&format!("<meta http-equiv=\"refresh\" content=\"0;url={escaped}\">")), "{html}");
    assert!(!html.contains("<noscript") && html.contains(&format!("href=\"{escaped}\"")), "{html}");
    let fields = vec![("id_token_hint", "a\"b".to_owned())];
    let form = There::Form { action: "https://op.example.com/end".into(), fields };
    let html = signing_out(&shell, &leaving(form, "Example"));
    assert!(html.contains(" method=\"post\" action=\"https://op.example.com/end\""), "{html}");
    assert!(html.contains("name=\"id_token_hint\" value=\"a&quot;b\"") && html.contains("submit.js"), "{html}");
    let away = SigningOut { available: false, ..leaving(There::Link(url.into()), "Example") };
    let html = signing_out(&shell, &away);
    assert!(!html.contains("http-equiv=\"refresh\"") && html.contains("cannot be reached"), "{html}");
    assert!(html.contains(&format!("href=\"{escaped}\"")), "{html}");
}

/// Writes the pages to `target/pages`, where a person can look at them. `tests/it/problem_pages.rs` adds the problems.
#[test]
fn write_every_page() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    std::fs::create_dir_all(&root).unwrap();
    let assets = AssetUrls { stylesheet: "/auth/assets/main.css".into(), ..assets() };
    for lang in Lang::ALL {
        let shell = Shell { lang: *lang, assets: &assets };
        let write = |name: &str, html: String| {
            std::fs::write(root.join(format!("{name}-{}.html", lang.tag())), html).unwrap();
        };
        let choice = |name: &str, works| Choice { name: name.into(), start: "/auth/oidc/login".into(), works };
        let onward = Some("wiki.example.com".into());
        let one = Login { choices: vec![choice("SSO", Works::Yes)], account: None, onward: None };
        write("login-one", login(&shell, &one));
        let choices = vec![
            choice("Example", Works::Yes),
            choice("Northwind Identity", Works::NotNow),
            choice("Fabrikam", Works::Misconfigured),
            choice(HOSTILE, Works::Yes),
        ];
        let many = Login { choices, account: Some("Ada Lovelace".into()), onward };
        write("login-many", login(&shell, &many));
        let page = Waiting {
            provider: "Example".into(),
            again: "/auth/oidc/callback?state=abc".into(),
            query: "state=abc".into(),
            reference: "7Q4M-X2KD".into(),
        };
        write("waiting", waiting(&shell, &page));
        write(
            "account",
            account(
                &shell,
                &Account {
                    name: "Ada Lovelace".into(),
                    username: "ada".into(),
                    email: Some("ada.lovelace@example.com".into()),
                    provider: "Example".into(),
                    signed_in_at: Moment {
                        rfc3339: "2026-11-23T10:00:00Z".into(),
                        human: "2026-11-23, 10:00 UTC".into(),
                    },
                    applications: ["wiki.example.com", "board.example.org"]
                        .map(|host| Application { host: host.into(), url: format!("https://{host}/") })
                        .to_vec(),
                    logout: "/auth/logout".into(),
                },
            ),
        );
        let name = Some("Ada Lovelace".into());
        write("sign-out", sign_out(&shell, &SignOut { name, logout: "/auth/logout".into() }));
        write("signed-in", signed_in(&shell, "/reports/42"));
        write_pages_of_sign_out(&shell, write);
    }
}

fn write_pages_of_sign_out(shell: &Shell<'_>, write: impl Fn(&str, String)) {
    let there = || There::Link("https://op.example.com/end?state=abc".into());
    write("signing-out", signing_out(shell, &leaving(there(), "Example")));
    write("signing-out-away", signing_out(shell, &SigningOut { available: false, ..leaving(there(), "Example") }));
    for (name, there, provider) in [
        ("signed-out", AtProvider::Unknown, None),
        ("signed-out-remains", AtProvider::Remains, Some("Example".into())),
        ("signed-out-somewhere", AtProvider::Remains, None),
        ("signed-out-asked", AtProvider::Asked, Some("Example".into())),
    ] {
        let other_account = Some("/auth/oidc/login?prompt=login".into());
        let page = SignedOut { provider, again: "/auth/login".into(), other_account, ..signed_out_of(there, "") };
        write(name, signed_out(shell, &page));
    }
}
