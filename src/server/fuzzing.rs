//! What `make fuzz` does with whatever it makes up, and a test with the seeds: each function takes what a stranger sends,
//! and asserts what holds of any answer. What has to hold is written without regard to the code that is tried.
//! (The gate's has a file of its own, `fuzz/fuzz_targets/asked.rs`; what a provider sends is in `provider/fuzzing.rs`.)

#![expect(clippy::expect_used, reason = "what panics here is found")]

use std::{sync::LazyLock, time::Duration};

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    application::{Access, Application, Applications, HostPattern, IdentityRules, OriginPattern},
    clock::System,
    cookie_headers::{Cookie, Cookies},
    limits,
    public_url::PublicUrl,
    seal::{Keyring, Sealed as _, SecretKey},
    settings::ResponseMode,
    sign_in::{
        authorization_response::{AuthorizationResponse, Received, problem_of},
        browser_cookie::Browser,
        callback_query::{CallbackQuery, Carried},
        return_to::ReturnTo,
        state::{OpenedState, State},
    },
};

pub use super::provider::fuzzing::{discovery, id_token, jwks, logout_token};

struct World {
    own: Url,
    public_url: PublicUrl,
    applications: Applications,
    keys: Keyring,
    system: System,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let public_url = PublicUrl::parse("https://rp.example").expect("an origin");
    World {
        own: url("https://rp.example"),
        applications: Applications::new(vec![
            application(HostPattern::One("app.example".into()), None, "/auth"),
            application(HostPattern::One("other.example".into()), Some(8443), "/door"),
            application(HostPattern::Below("apps.example".into()), None, "/Sign/In"),
        ]),
        keys: Keyring::new(&SecretKey::new(Box::new(vec![7; 32])), &[], &public_url),
        public_url,
        system: System::real(),
    }
});

fn application(host: HostPattern, port: Option<u16>, prefix: &str) -> Application {
    Application {
        origins: vec![OriginPattern { secure: true, host, port }],
        access: Access::SignedIn,
        rules: Vec::new(),
        identity: IdentityRules::default(),
        preflight: false,
        prefix: prefix.into(),
        token: false,
    }
}

/// Those that pages to return to may belong to.
#[cfg(test)]
pub(super) fn applications() -> &'static Applications {
    &WORLD.applications
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

/// The query of a callback: what is taken of it stands in it once and for all, and what we write of it holds no answer.
pub fn callback_query(bytes: &[u8]) {
    let Ok(raw) = std::str::from_utf8(bytes) else { return };
    let all = |name: &str| -> Vec<String> {
        parameters(raw).into_iter().filter(|(this, _)| this == name).map(|(_, value)| value).collect()
    };
    let query = match CallbackQuery::parse(raw) {
        Ok(query) => query,
        Err(problem) => {
            let explained = CallbackQuery::that_explains(problem);
            assert_eq!(CallbackQuery::parse(&explained), Err(problem));
            return assert!(!CallbackQuery::brings_an_answer(&explained));
        }
    };
    assert_eq!(all("state"), [query.state.as_str()]);
    assert!(is_base64url(&query.state));
    match &query.response {
        Carried::Nothing => assert!(all("code").is_empty() && all("error").is_empty()),
        Carried::Sealed(sealed) => {
            assert_eq!(all("answer"), [sealed.as_str()]);
            assert!(all("code").is_empty() && all("error").is_empty() && all("iss").is_empty());
        }
        Carried::Plain(AuthorizationResponse::Code { code, iss }) => {
            assert_eq!(all("code"), [code.as_str()]);
            assert!(!code.is_empty() && code.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            assert!(all("error").is_empty() && all("iss") == iss.as_slice());
        }
        Carried::Plain(AuthorizationResponse::Error { error, iss, .. }) => {
            assert!(all("error").len() == 1 && all("iss") == iss.as_slice() && all("code").len() < 2);
            assert!(!error.is_empty() && error.chars().count() <= limits::ERROR_CODE + 1);
            let _ = problem_of(error);
        }
        Carried::Plain(AuthorizationResponse::Malformed) => {}
    }
    // It may become a `Location`, where a header, and a query in it, hold no more than this.
    let written = query.to_string();
    assert!(written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=&".contains(&byte)), "{written}");
    assert!(!CallbackQuery::brings_an_answer(&written));
    let again = CallbackQuery::parse(&written);
    let response = if query.is_plain() { Carried::Nothing } else { query.response.clone() };
    assert_eq!(again, Ok(CallbackQuery { response, ..query }));
}

/// A form post to the callback: the same, and what is sealed of it is what comes out.
pub fn callback_form(bytes: &[u8]) {
    callback_query(bytes);
    let World { keys, system, .. } = &*WORLD;
    let Ok(raw) = std::str::from_utf8(bytes) else { return };
    let Ok(CallbackQuery { response: Carried::Plain(response), .. }) = CallbackQuery::parse(raw) else { return };
    let came = super::clock::whole_milliseconds(system.now());
    let received = Received { response, came, mode: ResponseMode::FormPost };
    let sealed = keys.seal(b"attempt", &received, system);
    assert!(is_base64url(&sealed));
    assert_eq!(keys.open::<Received>(b"attempt", &sealed).map(|opened| opened.value), Some(received));
    assert!(keys.open::<Received>(b"another", &sealed).is_none());
}

/// `Cookie` headers, a line each: ours is the only one of its name, and no application gets it.
pub fn cookies(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, value);
        }
    }
    let names = [(Cookie::Session, "vestibule"), (Cookie::Flow, "vestibule-flow")];
    for (public_url, prefix) in [("https://rp.example", "__Host-"), ("http://127.0.0.1:3000", "")] {
        let cookies = Cookies::new(&PublicUrl::parse(public_url).expect("an origin"));
        let others = cookies.others(&headers);
        for (cookie, name) in names {
            let name = format!("{prefix}{name}");
            let values: Vec<_> =
                headers.get_all(COOKIE).iter().flat_map(|line| named(line.as_bytes(), &name)).collect();
            let alone = match values.as_slice() {
                [value] if !value.is_empty() && value.len() <= limits::COOKIE_VALUE => std::str::from_utf8(value).ok(),
                _ => None,
            };
            assert_eq!(cookies.get(&headers, cookie), alone, "{name}");
            assert!(named(others.as_bytes(), &name).is_empty(), "{name} goes on to an application");
        }
        if let Some(flow) = cookies.get(&headers, Cookie::Flow) {
            let _ = Browser::open(flow, &WORLD.keys);
        }
    }
}

/// The values of all cookies with that name in a header.
fn named<'h>(header: &'h [u8], name: &str) -> Vec<&'h [u8]> {
    let pairs = header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    pairs.filter_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")).collect()
}

/// A `state`, as it comes back: only what we have sealed opens. What is inside, however old, reads as it was written.
pub fn state(bytes: &[u8]) {
    let World { keys, system, applications, .. } = &*WORLD;
    if let Some(opened) = std::str::from_utf8(bytes).ok().and_then(|text| OpenedState::open(text, keys)) {
        // The one in the seeds. Nobody else has the key.
        assert_eq!(opened.state.attempt.as_bytes(), &[1; 16]);
        assert!(is_base64url(opened.text()));
    }
    let Some(state) = State::read(0, bytes) else { return };
    let _ = state.is_expired(system.now(), Duration::from_secs(600));
    let _ = (state.return_to.is_configured(applications), state.return_to.fingerprint());
    let again = OpenedState::open(&state.seal(keys, system), keys).map(|opened| format!("{:?}", opened.state));
    assert_eq!(again, Some(format!("{state:?}")));
}

/// A `return_to`: whatever is asked for, a browser ends on our own origin or an application's, and on no page of ours
/// that signs in or out. Where it is not refused, it is the page that a browser would have gone to.
pub fn return_to(bytes: &[u8]) {
    if let Ok(asked) = std::str::from_utf8(bytes) {
        judge_return_to(asked);
    }
}

/// The same; returns what became of it.
pub(super) fn judge_return_to(asked: &str) -> String {
    let World { own, public_url, applications, .. } = &*WORLD;
    let (judged, dropped) = ReturnTo::sanitize(Some(asked), public_url, applications);
    let emitted = judged.as_str();
    // What we emit, at whatever page of ours it is emitted.
    let lands = own.join(emitted).expect("a URL");
    let from_a_page = url("https://rp.example/auth/oidc/callback?a#b").join(emitted);
    assert_eq!(from_a_page.as_ref(), Ok(&lands), "{asked:?}");
    assert!(emitted.bytes().all(|byte| byte.is_ascii_graphic()), "{asked:?} became {emitted:?}");
    assert!(emitted.len() <= limits::RETURN_TO, "{asked:?}");
    // Where a browser goes from there.
    let origin = lands.origin().ascii_serialization();
    let prefix = match origin.as_str() {
        "https://rp.example" => "/auth",
        "https://app.example" => "/auth",
        "https://other.example:8443" => "/door",
        other => {
            let label = other.strip_prefix("https://").and_then(|host| host.strip_suffix(".apps.example"));
            assert!(label.is_some_and(|label| !label.contains('.')), "{asked:?} leads to {other}");
            "/sign/in"
        }
    };
    assert!(lands.username().is_empty() && lands.password().is_none(), "{asked:?} has credentials");
    assert!(!signs_in_or_out(lands.path(), prefix, origin == own.origin().ascii_serialization()), "{asked:?}: {lands}");
    assert!(judged.is_configured(applications), "{asked:?}");
    // It is not read in another way than a browser does.
    if dropped.is_none() && !asked.is_empty() {
        let meant = own.join(asked).expect("what is kept is a URL");
        assert_eq!((meant.origin(), meant.path()), (lands.origin(), lands.path()), "{asked:?}");
    }
    // Judged again, it stays what it is.
    assert_eq!(ReturnTo::sanitize(Some(emitted), public_url, applications), (judged.clone(), None), "{asked:?}");
    emitted.to_owned()
}

/// Whether the path may be one of ours for signing in, as somebody may read it who decodes it and takes several slashes for
/// one.
fn signs_in_or_out(path: &str, prefix: &str, own: bool) -> bool {
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_lowercase();
    let mut plain = String::new();
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        plain = format!("{plain}/{segment}");
    }
    if own && plain == "/auth/account" {
        return false;
    }
    plain == prefix || plain.starts_with(&format!("{prefix}/")) || own && (plain == "/login" || plain == "/healthz")
}

/// The parameters of a query, decoded once.
fn parameters(raw: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(a, b)| (decoded(a), decoded(b))).collect()
}

fn is_base64url(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// Each seed of `make fuzz`, and all that it has found so far.
    #[test]
    fn no_seed_is_a_finding() {
        type Target = fn(&[u8]);
        let targets: [(&str, Target); 9] = [
            ("callback_query", callback_query),
            ("callback_form", callback_form),
            ("cookies", cookies),
            ("state", state),
            ("return_to", return_to),
            ("id_token", id_token),
            ("logout_token", logout_token),
            ("discovery", discovery),
            ("jwks", jwks),
        ];
        for (name, target) in targets {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
            let seeds: Vec<_> = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")).collect();
            assert!(seeds.len() > 3, "{name} has seeds");
            for seed in seeds {
                target(&fs::read(seed.unwrap().path()).unwrap());
            }
        }
    }
}
