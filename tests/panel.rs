//! The panel: the browser hydrates exactly what the server renders.
//!
//! Hydration does not report a difference between the two. So the server's own markup is stored in
//! `tests/fixtures` (this file on the server: `UPDATE_FIXTURES=1` writes it, anything stale fails) and fed to hydration
//! in a browser (this file on wasm).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[cfg(feature = "ssr")]
mod server {
    use std::{fs, path::Path};

    use vestibule::{
        remedy::{Kind, WayOn, Who},
        view::{self, Action, AssetUrls, Lang, ProblemPage, Shell, Waiting},
    };

    #[test]
    fn the_fixtures_are_what_the_server_renders() {
        for lang in Lang::ALL {
            compare(&format!("panel-waiting-{}.html", lang.tag()), &waiting(*lang));
            compare(&format!("panel-problem-{}.html", lang.tag()), &problem(*lang, None));
            compare(&format!("panel-retry-{}.html", lang.tag()), &problem(*lang, Some(2)));
        }
    }

    fn compare(name: &str, page: &str) {
        let (_, rest) = page.split_once("<div id=\"panel\"").unwrap();
        let panel = format!("<div id=\"panel\"{}\n", element(rest));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            fs::write(&path, &panel).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == panel, "{name} is stale: UPDATE_FIXTURES=1 cargo test --features ssr --test panel");
    }

    /// Up to the end of the element that has just been opened.
    fn element(rest: &str) -> &str {
        let (mut depth, mut at) = (1, 0);
        while depth > 0 {
            let next = at + rest[at..].find("div").unwrap();
            let open = rest[..next].ends_with('<');
            let close = rest[..next].ends_with("</");
            depth += i32::from(open) - i32::from(close);
            at = next + 3;
        }
        &rest[..=at]
    }

    fn waiting(lang: Lang) -> String {
        let page = Waiting {
            provider: "Example".into(),
            again: "/auth/oidc/callback?state=abc".into(),
            query: "state=abc&x=1 2".into(),
            reference: "7Q4M-X2KD".into(),
        };
        view::waiting(&Shell { lang, assets: &assets() }, &page)
    }

    fn problem(lang: Lang, retry_in: Option<u32>) -> String {
        let page = ProblemPage {
            code: "provider_busy",
            reference: "7Q4M-X2KD".into(),
            kind: Kind::Pause,
            who: Who::Provider,
            action: Action { way_on: WayOn::StartAgain, href: "/auth/login".into() },
            second: None,
            person: None,
            retry_in,
            refresh: None,
            script: true,
        };
        view::problem(&Shell { lang, assets: &assets() }, &page)
    }

    fn assets() -> AssetUrls {
        AssetUrls {
            stylesheet: "/main.css".into(),
            favicon: "/favicon.svg".into(),
            again: "/auth/assets/again.js".into(),
            submit: "/auth/assets/submit.js".into(),
            boot: "/boot.js".into(),
            script: "/vestibule.js".into(),
            wasm: "/vestibule.wasm".into(),
        }
    }
}

#[cfg(all(target_arch = "wasm32", feature = "hydrate"))]
mod browser {
    use js_sys::{Function, Promise, Reflect};
    use vestibule::view::panel::browser::hydrate_panel;
    use wasm_bindgen::{JsCast as _, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
    use web_sys::{Element, HtmlElement};

    wasm_bindgen_test_configure!(run_in_browser);

    /// The server's markup in the page, not yet hydrated.
    fn place(markup: &str) -> HtmlElement {
        let body = web_sys::window().unwrap().document().unwrap().body().unwrap();
        let place = web_sys::window().unwrap().document().unwrap().create_element("section").unwrap();
        place.set_inner_html(markup.trim_end());
        body.append_child(&place).unwrap();
        place.first_element_child().unwrap().unchecked_into()
    }

    fn find(panel: &HtmlElement, selector: &str) -> Element {
        panel.query_selector(selector).unwrap().unwrap()
    }

    fn text(panel: &HtmlElement, selector: &str) -> String {
        find(panel, selector).text_content().unwrap()
    }

    async fn tick() {
        let frame = Promise::new(&mut |resolve, _| {
            web_sys::window().unwrap().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, 20).unwrap();
        });
        JsFuture::from(frame).await.unwrap();
    }

    /// Waits until `selector` says `expected`.
    async fn becomes(panel: &HtmlElement, selector: &str, expected: &str) {
        for _ in 0..400 {
            if text(panel, selector) == expected {
                return;
            }
            tick().await;
        }
        panic!("{selector} says {:?}, not {expected:?}", text(panel, selector));
    }

    /// Lets the page's `fetch` run this script; the requests' bodies are kept in `window.asked`.
    fn answer(script: &str) {
        let window = web_sys::window().unwrap();
        let fetch = Function::new_with_args(
            "url, init",
            &format!(
                "(window.asked ??= []).push([url, init.method, init.headers.accept, init.body].join(' ')); {script}"
            ),
        );
        Reflect::set(&window, &JsValue::from_str("fetch"), &fetch).unwrap();
    }

    fn asked() -> Vec<String> {
        let asked = Reflect::get(&web_sys::window().unwrap(), &JsValue::from_str("asked")).unwrap();
        js_sys::Array::from(&asked).iter().filter_map(|line| line.as_string()).collect()
    }

    #[wasm_bindgen_test]
    async fn the_waiting_panel_is_hydrated_and_polls() {
        for (markup, working, lost) in [
            (include_str!("fixtures/panel-waiting-en.html"), "Still signing you in…", "Connection lost. Trying again…"),
            (
                include_str!("fixtures/panel-waiting-de.html"),
                "Sie werden angemeldet …",
                "Die Verbindung ist unterbrochen. Neuer Versuch …",
            ),
        ] {
            answer("return Promise.resolve(new Response('<html>502 Bad Gateway</html>', { status: 502 }))");
            let panel = place(markup);
            let before = panel.inner_html();
            let node = find(&panel, "p");
            assert_eq!(text(&panel, "p"), working);
            hydrate_panel(panel.clone());
            assert_eq!(panel.inner_html(), before);
            // The server's own node, not another in its place, follows the state.
            becomes(&panel, "p", lost).await;
            assert!(node.is_same_node(Some(&find(&panel, "p"))));
            answer("return Promise.resolve(new Response('{\"outcome\":\"pending\",\"ask_again_in\":20}'))");
            becomes(&panel, "p", working).await;
            answer("return Promise.reject(new TypeError('no network'))");
            becomes(&panel, "p", lost).await;
            answer("return Promise.resolve(new Response('{\"outcome\":\"done\",\"location\":\"//evil.test/\"}'))");
            for _ in 0..10 {
                tick().await;
            }
            assert_eq!(text(&panel, "p"), lost);
            assert_eq!(asked()[0], "/auth/api/complete-sign-in POST application/json query=state%3Dabc%26x%3D1%202");
            panel.remove();
        }
    }

    #[wasm_bindgen_test]
    async fn the_problem_panel_offers_to_copy() {
        for (markup, copy) in [
            (include_str!("fixtures/panel-problem-en.html"), "Copy"),
            (include_str!("fixtures/panel-problem-de.html"), "Kopieren"),
        ] {
            let panel = place(markup);
            let button = find(&panel, "button");
            assert!(button.has_attribute("hidden"));
            assert!(find(&panel, ".retry").has_attribute("hidden"));
            hydrate_panel(panel.clone());
            assert_eq!(text(&panel, ".facts > div:first-child code"), "provider_busy");
            assert_eq!(text(&panel, ".facts > div:last-child code"), "7Q4M-X2KD");
            assert_eq!(text(&panel, "button"), copy);
            for _ in 0..400 {
                if !button.has_attribute("hidden") {
                    break;
                }
                tick().await;
            }
            assert!(!button.has_attribute("hidden"));
            assert!(button.is_same_node(Some(&find(&panel, "button"))));
            assert!(find(&panel, ".retry").has_attribute("hidden"));
            panel.remove();
        }
    }

    #[wasm_bindgen_test]
    async fn the_time_to_wait_counts_down() {
        for (markup, two, one, now) in [
            (
                include_str!("fixtures/panel-retry-en.html"),
                "You can try again in 2 seconds.",
                "You can try again in 1 second.",
                "You can try again now.",
            ),
            (
                include_str!("fixtures/panel-retry-de.html"),
                "Sie können es in 2 Sekunden erneut versuchen.",
                "Sie können es in 1 Sekunde erneut versuchen.",
                "Sie können es jetzt erneut versuchen.",
            ),
        ] {
            let panel = place(markup);
            assert_eq!(text(&panel, ".retry"), two);
            hydrate_panel(panel.clone());
            assert_eq!(text(&panel, ".retry"), two);
            assert!(!find(&panel, ".retry").has_attribute("hidden"));
            becomes(&panel, ".retry", one).await;
            becomes(&panel, ".retry", now).await;
            panel.remove();
        }
    }
}
