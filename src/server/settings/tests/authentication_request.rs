//! What an operator may ask of each authentication request.

use super::*;

fn given(provider: &str) -> AuthenticationRequestSettings {
    load(&file("", provider), &[]).unwrap().providers.remove(0).request
}

#[test]
fn nothing_is_asked_unless_it_is_said() {
    assert_eq!(format!("{:?}", given("")), format!("{:?}", AuthenticationRequestSettings::default()));
}

#[test]
fn everything_that_can_be_asked() {
    let request = given(
        "response_mode = \"form_post\"\nprompt = [\"login\", \"consent\"]\nmax_age = \"12h\"\nacr_values = [\"phr\", \"urn:a/b\"]\n\
         ui_locales = [\"de\", \"zh-Hant-TW\"]\nclaims = '{ \"id_token\": {\"email\": null}, \"userinfo\": {\"groups\": {\"essential\": true, \"x\": 1}} }'",
    );
    assert_eq!(request.response_mode, ResponseMode::FormPost);
    assert_eq!(
        (request.prompt.join(" "), request.max_age),
        ("login consent".into(), Some(Duration::from_secs(43_200)))
    );
    assert_eq!(request.acr_values, ["phr", "urn:a/b"]);
    assert_eq!(request.ui_locales, ["de", "zh-Hant-TW"]);
    let claims = r#"{"id_token":{"email":null},"userinfo":{"groups":{"essential":true,"x":1}}}"#;
    assert_eq!(request.claims.as_deref(), Some(claims));
}

#[test]
fn the_environment_says_the_same() {
    let env = [
        ("VESTIBULE_PROVIDER__0__RESPONSE_MODE", "form_post"),
        ("VESTIBULE_PROVIDER__0__PROMPT", "login,consent"),
        ("VESTIBULE_PROVIDER__0__MAX_AGE", "90s"),
        ("VESTIBULE_PROVIDER__0__ACR_VALUES__0", "phr"),
        ("VESTIBULE_PROVIDER__0__UI_LOCALES", "[\"de\"]"),
        ("VESTIBULE_PROVIDER__0__CLAIMS", "{\"userinfo\": {\"groups\": null}}"),
    ];
    let request = load(&file("", ""), &env).unwrap().providers.remove(0).request;
    assert_eq!(request.response_mode, ResponseMode::FormPost);
    assert_eq!((request.prompt, request.acr_values), (vec!["login".into(), "consent".into()], vec!["phr".to_owned()]));
    assert_eq!((request.max_age, request.ui_locales), (Some(Duration::from_secs(90)), vec!["de".to_owned()]));
    assert_eq!(request.claims.as_deref(), Some(r#"{"userinfo":{"groups":null}}"#));
}

#[test]
fn what_cannot_be_asked_is_named_with_its_mend() {
    let long = format!("claims = '{{\"userinfo\": {{\"{}\": null}}}}'", "x".repeat(1_000));
    for (line, words) in [
        (
            "response_mode = \"fragment\"",
            "provider[0].response_mode: is \"fragment\", which is not known; write one of: query, form_post",
        ),
        (
            "prompt = [\"none\"]",
            "provider[0].prompt[0]: is \"none\", which is not known; write one of: login, consent, select_account",
        ),
        ("prompt = \"login\"", "provider[0].prompt: is the text \"login\", a list of texts is wanted"),
        ("prompt = [\"login\", \"login\"]", "provider[0].prompt: has \"login\" twice"),
        (
            "max_age = \"0s\"",
            "provider[0].max_age: is \"0s\", which is out of bounds; write at least 1s and at most 365d",
        ),
        ("max_age = 3600", "provider[0].max_age: is the number 3600, text is wanted"),
        ("acr_values = [\"a b\"]", "provider[0].acr_values[0]: is \"a b\", which is not one value"),
        ("ui_locales = [\"de_DE\"]", "provider[0].ui_locales[0]: is \"de_DE\", which is not a language tag"),
        ("claims = '{'", "provider[0].claims: is not JSON (line 1, column 1)"),
        ("claims = '[]'", "provider[0].claims: is not a JSON object"),
        ("claims = '{}'", "provider[0].claims: asks for nothing"),
        (
            "claims = '{\"idtoken\": {}}'",
            "provider[0].claims: has \"idtoken\", which is neither \"userinfo\" nor \"id_token\"",
        ),
        ("claims = '{\"userinfo\": []}'", "provider[0].claims: has a \"userinfo\" that is not an object"),
        ("claims = '{\"userinfo\": {\"a\": 1}}'", "provider[0].claims: has userinfo.a as neither null nor an object"),
        ("claims = '{\"userinfo\": {\"a\": {\"essential\": 1}}}'", "userinfo.a.essential as neither true nor false"),
        ("claims = '{\"userinfo\": {\"a\": {\"values\": 1}}}'", "userinfo.a.values as something else than a list"),
        (
            "claims = '{\"id_token\": {\"acr\": {\"values\": [\"1\"]}}}'",
            "values of id_token.acr, which belong into acr_values",
        ),
        (&long, "together with prompt, acr_values and ui_locales, 900 at most"),
    ] {
        let fault = fault(&file("", line));
        assert!(fault.contains(words), "{line}: {fault}");
    }
}
