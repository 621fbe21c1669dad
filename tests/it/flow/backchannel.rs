//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): what a provider posts, and what has ended afterwards. The ids
//! are rows of docs/conformance.md.

mod request;
mod token;
mod trouble;
mod whom;

use reqwest::{Method, StatusCode};
use test_provider::{Behaviour, DemoPerson, Edit, JwtEdit, Rule};

use crate::support::{
    browser::Browser,
    page::Page,
    scene::{CLIENT_ID, Scene},
};

const ENDPOINT: &str = "/auth/oidc/backchannel-logout";

/// One test for each store.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => { $(
        mod $case {
            use crate::support::{mongo, scene::Scene};

            #[tokio::test]
            async fn mongo() {
                let server = mongo::server().await;
                super::$case(&Scene::on_mongo(server.uri(), "", super::super::patient).await).await;
            }

            #[tokio::test]
            async fn sqlite() {
                super::$case(&Scene::patient().await).await;
            }
        }
    )* };
}

use on_both;

fn patient(settings: &mut vestibule::server::settings::Settings) {
    settings.sign_in.patience = std::time::Duration::from_secs(20);
}

fn alice() -> String {
    DemoPerson::alice().sub
}

/// Signs somebody in, in a browser of their own; the provider has a session `sid` of theirs, if it names any.
async fn signs_in(scene: &Scene, username: &str, sid: Option<&str>) -> Browser {
    let browser = scene.browser();
    scene.provider.behave_well();
    scene.provider.log_in_as(username);
    if let Some(sid) = sid {
        scene.provider.behave(Rule::standing(Behaviour::IdToken(JwtEdit::claims(Edit::set("sid", sid)))));
    }
    browser.sign_in(scene).await;
    browser
}

/// Alice's logout token, and these changes.
fn token(scene: &Scene, edits: &[JwtEdit]) -> String {
    let whose = [JwtEdit::claims(Edit::set("sub", alice()))];
    scene.provider.logout_token(CLIENT_ID, &[&whose, edits].concat())
}

fn claims(edit: Edit) -> JwtEdit {
    JwtEdit::claims(edit)
}

fn form(token: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", token).finish()
}

/// As a provider posts it: without cookies, `Origin` or fetch metadata (BC-23).
async fn post(scene: &Scene, token: &str) -> Page {
    Browser::default().request(Method::POST, &scene.url(ENDPOINT), &[], Some(form(token))).await
}

/// BC-23, CT-42: 200, and nothing else.
#[track_caller]
fn is_done(page: &Page, what: &str) {
    assert_eq!(page.status, StatusCode::OK, "{what}: {page:#?}");
    assert_eq!((page.header("cache-control"), &*page.body), ("no-store", ""), "{what}");
    assert!(!page.headers.contains_key("set-cookie"), "{what}");
}

#[track_caller]
fn is_refused(page: &Page, what: &str) {
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{what}: {page:#?}");
    says(page, "invalid_request", what);
}

/// The store or the provider's keys are away: the provider may try again.
#[track_caller]
fn has_failed(page: &Page) {
    assert_eq!(page.status, StatusCode::NOT_IMPLEMENTED, "{page:#?}");
    says(page, "temporarily_unavailable", "");
}

#[track_caller]
fn says(page: &Page, error: &str, what: &str) {
    assert_eq!(page.header("cache-control"), "no-store", "{what}");
    assert_eq!(page.header("content-type"), "application/json", "{what}");
    assert_eq!(page.body, format!(r#"{{"error":"{error}"}}"#), "{what}");
    assert!(!page.headers.contains_key("set-cookie"), "{what}");
}
