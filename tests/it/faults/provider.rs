//! The provider's faults.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use test_provider::{
    Behaviour, CallbackEdit, Document, Edit, Endpoint, Fault, HeadEdit, JwksFault, JwtEdit, KeyName, Profile,
    PublicKeyForm, Rule, SignatureFault,
};
use vestibule::server::settings::Settings;

use crate::{
    faults::{
        person::Person,
        row::{Ends, Ends::SignedIn, Played, Row},
        steps::back_from_the_provider,
    },
    support::scene::Scene,
};

const UNREACHABLE: Ends = Ends::Explained(&["provider_unreachable"]);
const SLOW: Ends = Ends::Explained(&["provider_slow"]);
const SERVER_ERROR: Ends = Ends::Explained(&["provider_server_error"]);
const BAD_ANSWER: Ends = Ends::Explained(&["provider_bad_answer"]);
/// Whichever comes first, the limit of bytes or the deadline.
const TOO_LONG: Ends = Ends::Explained(&["provider_bad_answer", "provider_slow"]);
const BUSY: Ends = Ends::Explained(&["provider_busy"]);
const CLIENT_REFUSED: Ends = Ends::Explained(&["client_refused"]);
const CODE_REFUSED: Ends = Ends::Explained(&["code_refused"]);
const TOKEN_REFUSED: Ends = Ends::Explained(&["token_refused"]);
const TOKEN_RESPONSE: Ends = Ends::Explained(&["token_response_invalid"]);
const ID_TOKEN: Ends = Ends::Explained(&["id_token_invalid"]);
const KEYS: Ends = Ends::Explained(&["provider_keys"]);
const UNAVAILABLE: Ends = Ends::Explained(&["sign_in_unavailable"]);
/// It answers, but only the operator can mend it.
const METADATA: Ends = Ends::Explained(&["provider_metadata"]);
const NO_USERINFO: Ends = Ends::Explained(&["userinfo_unavailable"]);
const BAD_USERINFO: Ends = Ends::Explained(&["userinfo_invalid"]);

/// Short enough to wait for, long enough for an honest sign-in on a busy machine.
fn short(settings: &mut Settings) {
    settings.sign_in.deadline = Duration::from_secs(5);
}

fn usual(_: &mut Settings) {}

/// A fault on the wire, and how it ends at the token endpoint, at userinfo, and at the keys of a program just started.
struct Wire {
    name: &'static str,
    of: fn(Endpoint) -> Behaviour,
    token: Ends,
    userinfo: Ends,
    keys: Ends,
    /// It lasts until a deadline.
    hangs: bool,
}

macro_rules! wire {
    ($name:literal, $fault:expr, $token:expr, $userinfo:expr, $keys:expr) => {
        wire!($name, $fault, $token, $userinfo, $keys, false)
    };
    ($name:literal, $fault:expr, $token:expr, $userinfo:expr, $keys:expr, $hangs:literal) => {
        Wire {
            name: $name,
            of: |at| Behaviour::Fault { at, fault: $fault },
            token: $token,
            userinfo: $userinfo,
            keys: $keys,
            hangs: $hangs,
        }
    };
}

fn answer(status: u16, content_type: &str, body: &str) -> Fault {
    Fault::Answer { status, headers: vec![("content-type".to_owned(), content_type.to_owned())], body: body.to_owned() }
}

fn wire() -> Vec<Wire> {
    vec![
        wire!("closes before it reads", Fault::CloseBeforeReading, UNREACHABLE, NO_USERINFO, UNREACHABLE),
        wire!("reads, then closes", Fault::CloseUnprocessed, UNREACHABLE, NO_USERINFO, UNREACHABLE),
        wire!("acts, then closes without an answer", Fault::CloseProcessed, UNREACHABLE, NO_USERINFO, UNREACHABLE),
        wire!("resets the connection", Fault::Reset, UNREACHABLE, NO_USERINFO, UNREACHABLE),
        wire!("never answers", Fault::NeverAnswer, SLOW, NO_USERINFO, SLOW, true),
        wire!("a head without end", Fault::SlowHead { ms: 300 }, SLOW, NO_USERINFO, SLOW, true),
        wire!("a body that trickles", Fault::SlowBody { ms: 300 }, SLOW, NO_USERINFO, SLOW, true),
        wire!("a body without end", Fault::EndlessBody, TOO_LONG, BAD_ANSWER, TOO_LONG),
        wire!("a body cut short", Fault::Truncated { keep: 20 }, UNREACHABLE, NO_USERINFO, UNREACHABLE),
        wire!("two megabytes", Fault::Oversized { bytes: 2_000_000 }, BAD_ANSWER, BAD_ANSWER, BAD_ANSWER),
        wire!("64 MB, packed (gzip)", Fault::GzipBomb { megabytes: 64 }, BAD_ANSWER, BAD_ANSWER, BAD_ANSWER),
        wire!(
            "bytes that are no HTTP",
            Fault::Wire { base64: STANDARD.encode(b"\x16\x03\x01\0\xffno HTTP at all\r\n\r\n") },
            UNREACHABLE,
            NO_USERINFO,
            UNREACHABLE
        ),
        wire!("HTML with 200", Fault::html(200), BAD_ANSWER, BAD_ANSWER, BAD_ANSWER),
        wire!("HTML with 502", Fault::html(502), SERVER_ERROR, NO_USERINFO, SERVER_ERROR),
        wire!("500", Fault::status(500), SERVER_ERROR, NO_USERINFO, SERVER_ERROR),
        wire!("503", Fault::status(503), SERVER_ERROR, NO_USERINFO, SERVER_ERROR),
        wire!("503, Retry-After 60", Fault::retry_after(503, 60), SERVER_ERROR, NO_USERINFO, SERVER_ERROR),
        wire!("429", Fault::status(429), BUSY, NO_USERINFO, BUSY),
        wire!("429, Retry-After 600", Fault::retry_after(429, 600), BUSY, NO_USERINFO, BUSY),
        wire!("404", Fault::status(404), BAD_ANSWER, NO_USERINFO, BAD_ANSWER),
        wire!("401", Fault::status(401), CLIENT_REFUSED, NO_USERINFO, BAD_ANSWER),
        wire!("403", Fault::status(403), BAD_ANSWER, NO_USERINFO, BAD_ANSWER),
        wire!("204", Fault::status(204), BAD_ANSWER, NO_USERINFO, BAD_ANSWER),
        wire!("redirect (302)", Fault::redirect(302, "http://127.0.0.1:1/"), BAD_ANSWER, NO_USERINFO, BAD_ANSWER),
        wire!("redirect (307)", Fault::redirect(307, "http://127.0.0.1:1/"), BAD_ANSWER, NO_USERINFO, BAD_ANSWER),
        Wire {
            name: "the right answer as text/plain",
            of: |at| Behaviour::Head { at, edit: HeadEdit::content_type("text/plain") },
            token: BAD_ANSWER,
            userinfo: BAD_ANSWER,
            keys: BAD_ANSWER,
            hangs: false,
        },
        wire!("nothing, as JSON", answer(200, "application/json", ""), BAD_ANSWER, BAD_ANSWER, BAD_ANSWER),
        wire!("half an object", answer(200, "application/json", "{\"a\":"), BAD_ANSWER, BAD_ANSWER, BAD_ANSWER),
        wire!("a list", answer(200, "application/json", "[]"), BAD_ANSWER, BAD_ANSWER, BAD_ANSWER),
        wire!("an empty object", answer(200, "application/json", "{}"), TOKEN_RESPONSE, BAD_USERINFO, KEYS),
    ]
}

/// The provider misbehaves; the program and its documents are as they should be.
struct Warm {
    profile: Profile,
    tweak: fn(&mut Settings),
    rules: Vec<Rule>,
}

impl Warm {
    fn new(rule: Rule) -> Self {
        Self { profile: Profile::Standard, tweak: usual, rules: vec![rule] }
    }

    async fn play(self, script: bool) -> Played {
        let scene = Scene::with(self.profile, self.tweak).await;
        scene.provider.wait_for(Endpoint::Jwks, 1).await;
        for rule in self.rules {
            scene.provider.behave(rule);
        }
        play(scene, script).await
    }
}

async fn play(scene: Scene, script: bool) -> Played {
    let browser = scene.browser();
    let stop = Person { scene: &scene, browser: &browser, script }.begin().await;
    scene.provider.behave_well();
    Played::new(stop, scene, browser, script)
}

/// The program is started while the provider misbehaves.
async fn cold(tweak: fn(&mut Settings), rule: Rule, script: bool) -> Played {
    let mut scene = Scene::with(Profile::Standard, tweak).await;
    scene.kill().await;
    scene.provider.behave(rule);
    scene.start().await;
    play(scene, script).await
}

fn warm_row(fault: &str, step: &'static str, ends: Ends, rule: Rule) -> Row {
    Row::new(fault, step, ends, move |script| Warm::new(rule).play(script))
}

fn cold_row(fault: &str, step: &'static str, ends: Ends, tweak: fn(&mut Settings), rule: Rule) -> Row {
    Row::new(fault, step, ends, move |script| cold(tweak, rule, script)).with_pauses()
}

/// Every fault on the wire at the token endpoint.
pub fn token() -> Vec<Row> {
    let mut rows: Vec<_> = wire()
        .into_iter()
        .map(|wire| {
            let warm = Warm {
                tweak: if wire.hangs { short } else { usual },
                ..Warm::new(Rule::standing((wire.of)(Endpoint::Token)))
            };
            Row::new(wire.name, "token", wire.token, move |script| warm.play(script))
        })
        .collect();
    let fault = |fault| Rule::standing(Behaviour::Fault { at: Endpoint::Token, fault });
    let edit = |edit| Rule::standing(Behaviour::Edit { of: Document::Token, edit });
    let error = |status, error: &str| fault(Fault::json(status, &json!({ "error": error })));
    rows.extend([
        warm_row("429, Retry-After 1, each time", "token", BUSY, fault(Fault::retry_after(429, 1))).sent(2),
        warm_row(
            "429, Retry-After 1, once",
            "token",
            SignedIn,
            Rule::once(Behaviour::Fault { at: Endpoint::Token, fault: Fault::retry_after(429, 1) }),
        )
        .sent(2),
        warm_row("400 `invalid_grant`", "token", CODE_REFUSED, error(400, "invalid_grant")),
        warm_row("200 `invalid_grant`", "token", CODE_REFUSED, error(200, "invalid_grant")),
        warm_row("401 `invalid_client`", "token", CLIENT_REFUSED, error(401, "invalid_client")),
        warm_row("400 `unauthorized_client`", "token", TOKEN_REFUSED, error(400, "unauthorized_client")),
        warm_row("400 with an unknown error", "token", TOKEN_REFUSED, error(400, "<b>no</b>")),
        warm_row("no `id_token`", "token", TOKEN_RESPONSE, edit(Edit::remove("id_token"))),
        warm_row("no `access_token`", "token", TOKEN_RESPONSE, edit(Edit::remove("access_token"))),
        warm_row("no `token_type`", "token", TOKEN_RESPONSE, edit(Edit::remove("token_type"))),
        warm_row("`token_type` is `mac`", "token", TOKEN_RESPONSE, edit(Edit::set("token_type", "mac"))),
        warm_row("`access_token` is a number", "token", TOKEN_RESPONSE, edit(Edit::set("access_token", 1))),
        warm_row("`id_token` twice", "token", BAD_ANSWER, edit(Edit::duplicate("id_token", "x"))),
        warm_row("text after the object", "token", BAD_ANSWER, edit(Edit::append("x"))),
    ]);
    rows
}

/// Every fault on the wire at userinfo, for good and for once.
pub fn userinfo() -> Vec<Row> {
    let mut rows: Vec<_> = wire()
        .into_iter()
        .map(|wire| {
            let warm = Warm {
                tweak: if wire.hangs { short } else { usual },
                ..Warm::new(Rule::standing((wire.of)(Endpoint::Userinfo)))
            };
            Row::new(wire.name, "userinfo", wire.userinfo, move |script| warm.play(script))
        })
        .collect();
    for (name, fault) in [
        ("closes before it reads, once", Fault::CloseBeforeReading),
        ("reads, then closes, once", Fault::CloseUnprocessed),
        ("resets the connection, once", Fault::Reset),
        ("a body cut short, once", Fault::Truncated { keep: 5 }),
        ("500, once", Fault::status(500)),
        ("HTML with 502, once", Fault::html(502)),
    ] {
        let rule = Rule::once(Behaviour::Fault { at: Endpoint::Userinfo, fault });
        rows.push(warm_row(name, "userinfo", SignedIn, rule));
    }
    let edit = |edit| Rule::standing(Behaviour::Edit { of: Document::Userinfo, edit });
    let signed = |key| Rule::standing(Behaviour::SignedUserinfo(JwtEdit::key(key)));
    rows.extend([
        warm_row("another `sub`", "userinfo", BAD_USERINFO, edit(Edit::set("sub", "somebody-else"))),
        warm_row("no `sub`", "userinfo", BAD_USERINFO, edit(Edit::remove("sub"))),
        warm_row("`sub` twice", "userinfo", BAD_ANSWER, edit(Edit::duplicate("sub", "somebody-else"))),
        warm_row("signed (a JWT)", "userinfo", SignedIn, signed(KeyName::Rsa2048)),
        warm_row("signed by a stranger", "userinfo", BAD_USERINFO, signed(KeyName::Stranger)),
        warm_row(
            "only `sub`",
            "userinfo",
            SignedIn,
            edit(Edit {
                remove: ["name", "preferred_username", "nickname", "email", "email_verified", "groups"]
                    .map(str::to_owned)
                    .to_vec(),
                ..Edit::default()
            }),
        ),
    ]);
    rows
}

/// What no waiting mends: nothing is there, or JSON that is no such document.
const MISCONFIGURED: [&str; 5] = ["404", "nothing, as JSON", "half an object", "a list", "an empty object"];

/// Every fault on the wire at the discovery document, when the program has just started.
pub fn discovery() -> Vec<Row> {
    let mut rows: Vec<_> = wire()
        .into_iter()
        .map(|wire| {
            cold_row(
                wire.name,
                "discovery, at the start",
                if MISCONFIGURED.contains(&wire.name) { METADATA } else { UNAVAILABLE },
                usual,
                Rule::standing((wire.of)(Endpoint::Discovery)),
            )
        })
        .collect();
    for (name, edit) in [
        ("another `issuer`", Edit::set("issuer", "https://evil.example")),
        ("no `issuer`", Edit::remove("issuer")),
        ("no `authorization_endpoint`", Edit::remove("authorization_endpoint")),
        ("no `token_endpoint`", Edit::remove("token_endpoint")),
        ("no `jwks_uri`", Edit::remove("jwks_uri")),
        ("`token_endpoint` is no URL", Edit::set("token_endpoint", "token")),
        ("`issuer` twice", Edit::duplicate("issuer", "https://evil.example")),
    ] {
        let rule = Rule::standing(Behaviour::Edit { of: Document::Discovery, edit });
        rows.push(cold_row(name, "discovery, at the start", METADATA, usual, rule));
    }
    rows
}

/// Every fault on the wire at the key set, when the program has just started; and key sets of little use.
pub fn keys() -> Vec<Row> {
    let step = "keys, at the start";
    let mut rows: Vec<_> = wire()
        .into_iter()
        .map(|wire| {
            let tweak = if wire.hangs { short } else { usual };
            cold_row(wire.name, step, wire.keys, tweak, Rule::standing((wire.of)(Endpoint::Jwks)))
        })
        .collect();
    let set = |fault| Rule::standing(Behaviour::Jwks(fault));
    rows.extend([
        cold_row("no keys", step, KEYS, usual, set(JwksFault::Empty)),
        cold_row("thousands of keys", step, BAD_ANSWER, usual, set(JwksFault::Huge)),
        cold_row("unknown keys beside the right ones", step, SignedIn, usual, set(JwksFault::Extra)),
        // What is believed for up to an hour is asked for again at most once a minute.
        cold_row(
            "rotated since the program started",
            "keys, later",
            SignedIn,
            usual,
            Rule::once(Behaviour::IdToken(JwtEdit { rotate_first: true, ..JwtEdit::default() })),
        ),
    ]);
    rows
}

/// Defects of the authorization response.
pub fn response() -> Vec<Row> {
    let row = |name: &str, code: &'static [&'static str], edit| {
        let warm = Warm { profile: Profile::Authelia, ..Warm::new(Rule::once(Behaviour::Callback(edit))) };
        Row::new(name, "authorization response", Ends::Explained(code), move |script| warm.play(script))
    };
    let error = |code: &str| CallbackEdit::Error { code: code.to_owned(), description: None };
    let set = |name: &str, value: &str| CallbackEdit::Set(name.to_owned(), value.to_owned());
    let mut rows = vec![
        row("`code` twice", &["answer_malformed"], CallbackEdit::Repeat("code".into())),
        row("two codes", &["answer_malformed"], CallbackEdit::Add("code".into(), "other".into())),
        row("no `code`", &["answer_malformed"], CallbackEdit::Remove("code".into())),
        row("an empty `code`", &["answer_malformed"], set("code", "")),
        row("control characters in `code`", &["answer_malformed"], set("code", "a\u{7}b")),
        row("`code` of somebody else", &["code_refused"], set("code", "not-a-code-of-ours")),
        row("another `iss`", &["issuer_mismatch"], set("iss", "https://evil.example")),
        row("no `iss` though promised", &["issuer_mismatch"], CallbackEdit::Remove("iss".into())),
        row("`iss` twice", &["answer_malformed"], CallbackEdit::Repeat("iss".into())),
        row("`state` changed", &["state_invalid"], set("state", "abc")),
        row("no `state`", &["state_missing"], CallbackEdit::Remove("state".into())),
        row("nothing at all", &["state_missing"], CallbackEdit::Raw(String::new())),
        row("`code` and `error`", &["provider_error"], CallbackEdit::Add("error".into(), "server_error".into())),
        row("`error` twice", &["answer_malformed"], CallbackEdit::Raw("error=a&error=b".into())),
    ];
    // Without a state nobody can tell whose response it is.
    if let Some(last) = rows.last_mut() {
        last.ends = Ends::Explained(&["state_missing"]);
    }
    for (code, explained) in [
        ("access_denied", &["access_denied"][..]),
        ("login_required", &["provider_interaction"]),
        ("interaction_required", &["provider_interaction"]),
        ("consent_required", &["provider_interaction"]),
        ("account_selection_required", &["provider_interaction"]),
        ("server_error", &["provider_error"]),
        ("temporarily_unavailable", &["provider_error"]),
        ("invalid_request", &["provider_refused_request"]),
        ("unauthorized_client", &["provider_refused_request"]),
        ("unsupported_response_type", &["provider_refused_request"]),
        ("invalid_scope", &["provider_refused_request"]),
        ("request_not_supported", &["provider_refused_request"]),
    ] {
        rows.push(row(&format!("`error={code}`"), explained, error(code)));
    }
    let long = Warm::new(Rule::once(Behaviour::Callback(CallbackEdit::LongCode(4096))));
    rows.push(Row::new("`code` of 4096 bytes", "authorization response", SignedIn, move |script| long.play(script)));
    rows
}

/// Defects of the ID token.
pub fn id_token() -> Vec<Row> {
    let claim = |name: &str, value: serde_json::Value| JwtEdit::claims(Edit::set(name, value));
    let without = |name: &str| JwtEdit::claims(Edit::remove(name));
    let shift = |name: &str, by| JwtEdit::claims(Edit::shift(name, by));
    let header = |name: &str, value: &str| JwtEdit::header(Edit::set(name, value));
    let whole = |text: &str| JwtEdit { whole: Some(text.to_owned()), ..JwtEdit::default() };
    let signature = JwtEdit::signature;
    [
        ("another `iss`", claim("iss", json!("https://evil.example"))),
        ("`iss` with a slash more", JwtEdit::claims(Edit::replace("\"iss\":\"http://127", "\"iss\":\"http:///127"))),
        ("no `iss`", without("iss")),
        ("`aud` is another client", claim("aud", json!("another"))),
        ("`aud` names another client too", claim("aud", json!([crate::support::scene::CLIENT_ID, "another"]))),
        ("an empty `aud`", claim("aud", json!([]))),
        ("no `aud`", without("aud")),
        ("`azp` is another client", claim("azp", json!("another"))),
        ("another `nonce`", claim("nonce", json!("another"))),
        ("no `nonce`", without("nonce")),
        ("expired (`exp`)", shift("exp", -7200)),
        ("no `exp`", without("exp")),
        ("`exp` is text", claim("exp", json!("soon"))),
        ("older than the sign-in (`iat`)", shift("iat", -3600)),
        ("from the future (`iat`)", shift("iat", 3600)),
        ("no `iat`", without("iat")),
        ("no `sub`", without("sub")),
        ("an empty `sub`", claim("sub", json!(""))),
        ("`sub` of 300 characters", claim("sub", json!("s".repeat(300)))),
        ("`sub` twice", JwtEdit::claims(Edit::duplicate("sub", "somebody-else"))),
        ("another `at_hash`", claim("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"))),
        ("unsigned (`alg: none`)", signature(SignatureFault::Unsigned)),
        ("HS256 with the client secret", signature(SignatureFault::ClientSecret)),
        ("HS256 with the public key (PEM)", signature(SignatureFault::PublicKey(PublicKeyForm::Pem))),
        ("HS256 with the public key (DER)", signature(SignatureFault::PublicKey(PublicKeyForm::Der))),
        ("HS256 with the public key (modulus)", signature(SignatureFault::PublicKey(PublicKeyForm::Modulus))),
        ("a bit of the signature", signature(SignatureFault::FlippedBit)),
        ("half a signature", signature(SignatureFault::Truncated)),
        ("an empty signature", signature(SignatureFault::Empty)),
        ("a signature of zeros", signature(SignatureFault::Zeroed)),
        ("the signature of another token", signature(SignatureFault::OtherPayload)),
        ("signed by a stranger", JwtEdit::key(KeyName::Stranger)),
        ("an unknown `kid`", header("kid", "unknown")),
        ("an unknown `alg`", header("alg", "XX999")),
        ("no JWT", whole("not a token")),
        ("two parts", whole("e30.e30")),
        ("empty", whole("")),
    ]
    .into_iter()
    .map(|(name, edit)| warm_row(name, "ID token", ID_TOKEN, Rule::standing(Behaviour::IdToken(edit))))
    .collect()
}

/// The provider is gone: nothing listens.
pub fn down() -> Vec<Row> {
    let held = |at: Endpoint, cold: bool| {
        move |script| async move {
            let mut scene = Scene::new().await;
            if cold {
                scene.kill().await;
                scene.provider.hold(at);
                scene.start().await;
            }
            let browser = scene.browser();
            let callback = back_from_the_provider(&scene, &browser).await;
            scene.provider.hold(at);
            let before = scene.provider.count(at);
            let pending = browser.get(&callback).await;
            scene.provider.wait_for(at, before.max(1)).await;
            scene.provider.down().await;
            let person = Person { scene: &scene, browser: &browser, script };
            let stop = person.go(&scene.url(pending.location())).await;
            scene.provider.release(at);
            scene.provider.up().await.unwrap();
            Played::new(stop, scene, browser, script)
        }
    };
    vec![
        Row::new("down", "discovery, at the start", UNAVAILABLE, |script| async move {
            let mut scene = Scene::new().await;
            scene.kill().await;
            scene.provider.down().await;
            scene.start().await;
            let browser = scene.browser();
            let stop = Person { scene: &scene, browser: &browser, script }.begin().await;
            scene.provider.up().await.unwrap();
            Played::new(stop, scene, browser, script)
        })
        .with_pauses(),
        Row::new("goes down", "keys, at the start", UNREACHABLE, held(Endpoint::Jwks, true)).with_pauses(),
        Row::new("goes down", "token, while it is asked", UNREACHABLE, held(Endpoint::Token, false)),
        Row::new("goes down", "userinfo, while it is asked", NO_USERINFO, held(Endpoint::Userinfo, false)),
        Row::new("down", "token", UNREACHABLE, |script| down_at_the_token(script, false)),
        Row::new("down, and back in a moment", "token", SignedIn, |script| down_at_the_token(script, true)),
    ]
}

async fn down_at_the_token(script: bool, back: bool) -> Played {
    let scene = Scene::new().await;
    scene.provider.wait_for(Endpoint::Jwks, 1).await;
    let browser = scene.browser();
    let callback = back_from_the_provider(&scene, &browser).await;
    scene.provider.down().await;
    let person = Person { scene: &scene, browser: &browser, script };
    let up = async {
        if back {
            // Into the first pauses of the program, or before: the end is the same.
            tokio::time::sleep(Duration::from_millis(250)).await;
            scene.provider.up().await.unwrap();
        }
    };
    let (stop, ()) = tokio::join!(person.go(&callback), up);
    scene.provider.up().await.unwrap();
    Played::new(stop, scene, browser, script)
}
