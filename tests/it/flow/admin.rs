//! What the administrator's listener says of a sign-in.

use reqwest::StatusCode;
use test_provider::{Behaviour, Endpoint, Fault, Rule};

use crate::support::scene::Scene;

#[tokio::test]
async fn a_reference_finds_the_steps_of_its_sign_in() {
    let scene = Scene::patient().await;
    let browser = scene.browser();
    // Else the sign-in may have to wait for the keys, which is a step, too.
    scene.provider.wait_for(Endpoint::Jwks, 1).await;
    scene.browser().sign_in(&scene).await;
    scene.provider.behave(Rule::once(Behaviour::Fault { at: Endpoint::Userinfo, fault: Fault::status(403) }));
    let callback = browser.callback_url(&scene, "/").await;
    let page = browser.follow(&scene, &callback).await.unwrap();
    page.explains("userinfo_unavailable");
    let (_, rest) = page.body.split_once("data-reference=\"").unwrap();
    let reference = rest.split('"').next().unwrap();
    let admin = |path: &str| format!("http://{}/attempts/{path}", scene.admin);
    // As a person reads it out.
    let spoken = reference.to_ascii_lowercase().replace('-', "");
    for asked in [reference, &spoken] {
        let found = browser.get(&admin(asked)).await;
        assert_eq!(found.status, StatusCode::OK, "{found:#?}");
        let trace: serde_json::Value = serde_json::from_str(&found.body).unwrap();
        assert_eq!(trace["reference"], reference);
        assert_eq!((&trace["state"], &trace["code"]), (&"failed".into(), &"userinfo_unavailable".into()));
        let steps: Vec<_> =
            trace["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
        assert_eq!(steps, ["claim", "token", "id_token", "userinfo"]);
        assert_eq!(trace["steps"][3]["result"], "userinfo_unavailable");
        assert!(trace["to_do"].as_str().unwrap().contains("userinfo"));
        assert!(!found.body.contains("alice") && !found.body.contains("code="), "{}", found.body);
    }
    assert_eq!(browser.get(&admin("0000-0000")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get(&admin("what")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.get(&scene.url(&format!("/attempts/{reference}"))).await.status, StatusCode::NOT_FOUND);
}
