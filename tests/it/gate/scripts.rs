//! What an application's scripts are told: who is signed in, and a token.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use vestibule::server::{
    application::{Access, IdentityRules, Preset, RuleAccess, RulePath},
    settings::Settings,
};

use super::rig::{self, BOARD, BOARD_PREFIX, Endpoint, Question, WIKI, applications, scene};
use crate::support::{
    browser::Browser,
    page::Page,
    scene::{LOGIN_HOST, Scene},
};

const SCRIPT: [(&str, &str); 4] =
    [("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("sec-fetch-site", "same-origin")];

async fn alice(scene: &Scene) -> Browser {
    let alice = Browser::default();
    for host in [WIKI, BOARD] {
        alice.opens(scene, &scene.page(host, "/page"), "alice").await;
    }
    alice
}

async fn token(browser: &Browser, scene: &Scene, headers: &[(&str, &str)]) -> Page {
    browser.request(Method::POST, &scene.page(WIKI, "/auth/token"), headers, None).await
}

/// The claims, verified by a library that is not ours, as applications do it.
async fn claims(scene: &Scene, assertion: &str, host: &str) -> Value {
    let jwks = Browser::default().get(&scene.page(host, "/auth/jwks.json")).await;
    assert_eq!(jwks.header("content-type"), "application/jwk-set+json");
    let keys: JwkSet = serde_json::from_str(&jwks.body).unwrap();
    let kid = decode_header(assertion).unwrap().kid.unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[scene.page(host, "")]);
    validation.set_issuer(&[&scene.origin]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    decode(assertion, &DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap(), &validation).unwrap().claims
}

#[tokio::test]
async fn scripts_learn_who_is_signed_in() {
    let scene = scene().await;
    let alice = alice(&scene).await;
    for (host, prefix) in [(WIKI, "/auth"), (BOARD, BOARD_PREFIX)] {
        let url = scene.page(host, &format!("{prefix}/userinfo"));
        let page = alice.get_as(&url, &SCRIPT).await;
        let told = rig::json(&page);
        assert_eq!(page.header("cache-control"), "no-store");
        let expected = json!({
            "sub": told["sub"],
            "name": "Alice Example",
            "preferred_username": "alice",
            "email": "alice@example.com",
            "email_verified": true,
            "groups": ["staff"],
            "role": "user",
        });
        assert_eq!(told, expected);
        assert!(!told["sub"].as_str().unwrap().is_empty());
        let page = Browser::default().get_as(&url, &SCRIPT).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
        assert_eq!(page.header("www-authenticate"), "Cookie");
        let login = scene.page(host, &format!("{prefix}/login"));
        assert_eq!(rig::json(&page), json!({ "error": "login_required", "login_url": login }));
        assert_eq!(page.header("x-vestibule-login"), login);
    }
    // The login host is no application here, and where the board's are, the wiki has nothing.
    for url in
        [scene.url("/auth/userinfo"), scene.page(WIKI, "/.vestibule/userinfo"), scene.page(BOARD, "/auth/userinfo")]
    {
        assert_eq!(alice.get_as(&url, &SCRIPT).await.status, StatusCode::NOT_FOUND, "{url}");
    }
}

#[tokio::test]
async fn assertion_and_token_are_verified_by_a_library_that_is_not_ours() {
    let scene = scene().await;
    let alice = alice(&scene).await;
    let page = alice.asks(&scene, Question::about(Endpoint::Verify, "/page")).await;
    let assertion = claims(&scene, page.header("x-vestibule-assertion"), WIKI).await;
    let page = token(&alice, &scene, &SCRIPT).await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"), "{page:#?}");
    let answer = rig::json(&page);
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(300)));
    let token = claims(&scene, answer["access_token"].as_str().unwrap(), WIKI).await;
    let userinfo = rig::json(&alice.get_as(&scene.page(WIKI, "/auth/userinfo"), &SCRIPT).await);
    for claims in [&assertion, &token] {
        for (claim, value) in userinfo.as_object().unwrap() {
            assert_eq!(&claims[claim], value, "{claim}");
        }
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!((1..=300).contains(&life), "{life}");
        assert_eq!(claims["idp"]["issuer"], scene.provider.issuer());
    }
    // It is made anew before it ages, and is the same until then.
    let asked = async || {
        let page = alice.asks(&scene, Question::about(Endpoint::Verify, "/page")).await;
        page.header("x-vestibule-assertion").to_owned()
    };
    let first = asked().await;
    assert_eq!(asked().await, first);
    scene.later(151);
    let second = asked().await;
    assert_ne!(second, first);
    assert!(claims(&scene, &second, WIKI).await["exp"].as_i64() > assertion["exp"].as_i64());
}

/// A refusal as machines are told it: by a code and a reference, and for this one request.
fn is_explained(page: &Page, code: &str) {
    let said = rig::json(page);
    assert_eq!(said["error"], code, "{page:#?}");
    assert!(said["reference"].is_string(), "{page:#?}");
    assert_eq!((page.header("cache-control"), page.header("vary")), ("no-store", "Cookie"));
}

#[tokio::test]
async fn a_token_is_for_scripts_of_the_same_origin() {
    let scene = scene().await;
    let alice = alice(&scene).await;
    let [wiki, board] = [WIKI, BOARD].map(|host| scene.page(host, ""));
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", &*board)],
        &[("origin", &*scene.origin)],
        &[("origin", "null")],
        &[],
    ] {
        let page = token(&alice, &scene, headers).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{headers:?}: {page:#?}");
        is_explained(&page, "cross_site");
    }
    assert_eq!(token(&alice, &scene, &[("origin", &*wiki)]).await.status, StatusCode::OK);
    let page = alice.get_as(&scene.page(WIKI, "/auth/token"), &SCRIPT).await;
    assert_eq!((page.status, page.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    is_explained(&page, "method_not_allowed");
    // Only where the operator has opted in.
    for url in [scene.page(BOARD, "/.vestibule/token"), scene.url("/auth/token")] {
        let page = alice.request(Method::POST, &url, &SCRIPT, None).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{url}");
        is_explained(&page, "not_found");
    }
    let page = token(&Browser::default(), &scene, &SCRIPT).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert_eq!(rig::json(&page)["error"], "login_required");
    for name in ["remote-user", "remote_user"] {
        let page = token(&alice, &scene, &[SCRIPT[3], (name, "root")]).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        is_explained(&page, "identity_forged");
    }
}

/// The rules of the application decide about its path, as about any other.
#[tokio::test]
async fn rules_decide_about_the_token() {
    fn closed(settings: &mut Settings) {
        applications(settings);
        let rules = &mut settings.applications[0].rules;
        rules[2].path = RulePath::Below("/auth/token/".to_owned());
    }
    fn nobody(settings: &mut Settings) {
        applications(settings);
        settings.applications[0].access = Access::Nobody;
        let rules = &mut settings.applications[0].rules;
        rules[3].access = RuleAccess::All(Access::SignedIn);
        rules[3].path = RulePath::Below("/page/".to_owned());
    }
    fn anyone(settings: &mut Settings) {
        applications(settings);
        settings.applications[0].access = Access::Anyone;
        let rules = &mut settings.applications[0].rules;
        rules[3].access = RuleAccess::All(Access::SignedIn);
        rules[3].path = RulePath::Below("/page/".to_owned());
    }
    let mut scene = scene().await;
    let alice = alice(&scene).await;
    for (tweak, status) in [
        (closed as fn(&mut Settings), StatusCode::FORBIDDEN),
        (nobody, StatusCode::FORBIDDEN),
        (anyone, StatusCode::OK),
    ] {
        scene.set_tweak(tweak);
        scene.kill().await;
        scene.start().await;
        assert!(alice.is_known_at(&scene, WIKI).await);
        let page = token(&alice, &scene, &SCRIPT).await;
        assert_eq!(page.status, status, "{page:#?}");
    }
    // Open to all is not a token for all.
    assert_eq!(token(&Browser::default(), &scene, &SCRIPT).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_store_away_is_no_sign_out_to_a_script() {
    let mut scene = scene().await;
    let alice = alice(&scene).await;
    scene.kill().await;
    scene.start().await;
    scene.damage("login_sessions").await;
    let userinfo = alice.get_as(&scene.page(WIKI, "/auth/userinfo"), &SCRIPT).await;
    for page in [userinfo, token(&alice, &scene, &SCRIPT).await] {
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{page:#?}");
        is_explained(&page, "store_unavailable");
        assert!(!page.header("retry-after").is_empty(), "{page:#?}");
    }
    scene.repair("login_sessions").await;
    assert_eq!(token(&alice, &scene, &SCRIPT).await.status, StatusCode::OK);
}

const SECRET_KEY: &str = "the secret key of ClaudeLens";

#[tokio::test]
async fn claudelens_gets_its_own_token() {
    fn claudelens(settings: &mut Settings) {
        applications(settings);
        let presets = vec![Preset::ClaudeLens(SECRET_KEY.into())];
        settings.applications[0].identity = IdentityRules { presets, ..IdentityRules::default() };
    }
    let scene = Scene::with_applications(claudelens).await;
    let alice = Browser::default();
    let (_, page) = alice.goes(&scene, &scene.page(WIKI, "/page")).await;
    assert_eq!(page.status, StatusCode::OK);
    let bearer = page.header("authorization").strip_prefix("Bearer ").unwrap().to_owned();
    let own = rig::json(&token(&alice, &scene, &SCRIPT).await)["access_token"].as_str().unwrap().to_owned();
    for token in [bearer, own] {
        let key = DecodingKey::from_secret(SECRET_KEY.as_bytes());
        let claims: Value = decode(&token, &key, &Validation::new(Algorithm::HS256)).unwrap().claims;
        let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["exp", "role", "sub", "user_id"]);
        assert_eq!((&claims["sub"], &claims["role"]), (&json!("alice"), &json!("user")));
    }
}

/// Only ever a redirect, and never to anywhere but the login host.
#[tokio::test]
async fn login_of_an_application_leads_through_the_login_host() {
    let scene = scene().await;
    for (host, query, page) in [
        (WIKI, "", scene.page(WIKI, "/")),
        (WIKI, "?return_to=/page%3Fa%3Db", scene.page(WIKI, "/page?a=b")),
        (BOARD, "?return_to=/auth/theirs", scene.page(BOARD, "/auth/theirs")),
        // Another application's page, and nobody's.
        (WIKI, &format!("?return_to={}", scene.page(BOARD, "/page")), scene.page(WIKI, "/")),
        (WIKI, "?return_to=https://elsewhere.example/", scene.page(WIKI, "/")),
        (WIKI, "?return_to=//elsewhere.example/", scene.page(WIKI, "//elsewhere.example/")),
        (WIKI, "?return_to=/auth/token", scene.page(WIKI, "/")),
    ] {
        let alice = Browser::default();
        let prefix = if host == BOARD { BOARD_PREFIX } else { "/auth" };
        let answer = alice.get(&scene.page(host, &format!("{prefix}/login{query}"))).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert!(answer.location().starts_with(&scene.page(LOGIN_HOST, "/auth/oidc/login?return_to=")), "{answer:#?}");
        let (there, answer) = alice.goes(&scene, answer.location()).await;
        assert_eq!((there.as_str(), rig::user(&answer)), (&*page, Some("alice")), "{query}");
    }
}
