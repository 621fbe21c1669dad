//! `[[app]]`: what is read, and each fault.

use secrecy::ExposeSecret as _;

use super::{Settings, file, load};
use crate::server::application::{Access, Application, Field, Preset};

/// Settings with a proxy that is believed, and these tables behind them.
pub(super) fn with(tables: &str) -> String {
    file("trusted_proxies = [\"127.0.0.1\"]", tables)
}

/// An application at `wiki.example.com`, with these keys.
fn wiki(keys: &str) -> String {
    with(&format!("[[app]]\nurl = \"https://wiki.example.com\"\n{keys}\n"))
}

pub(super) fn applications(text: &str) -> Vec<Application> {
    load(text, &[]).unwrap_or_else(|faults| panic!("{text}: {faults:?}")).applications
}

/// Each of the texts has one fault, which begins and is mended like this.
pub(super) fn each_has_one_fault(cases: &[(String, &str, &str)]) {
    for (text, begins, fix) in cases {
        let faults = load(text, &[]).map(|_| ()).expect_err(text);
        let [line] = &faults[..] else { panic!("{begins}: {faults:?}") };
        assert!(line.starts_with(begins) && line.contains(fix), "{begins} … {fix}: {line}");
    }
}

fn origins(application: &Application) -> Vec<String> {
    application.origins.iter().map(ToString::to_string).collect()
}

#[test]
fn without_any_there_is_one_at_public_url() {
    for (public_url, origin) in [
        ("https://auth.example.com", "https://auth.example.com"),
        ("https://auth.example.com:8443", "https://auth.example.com:8443"),
        ("https://Bücher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://localhost", "http://localhost"),
    ] {
        let all = applications(&file("", "").replace("https://auth.example.com", public_url));
        let [only] = &all[..] else { panic!("{all:?}") };
        assert_eq!(origins(only), [origin]);
        assert_eq!((only.access, only.prefix.as_str()), (Access::SignedIn, "/auth"));
        assert!(only.rules.is_empty() && !only.preflight && !only.token);
        assert!(matches!(only.identity.presets[..], [Preset::Remote, Preset::Assertion]));
        assert!(only.identity.headers.is_empty() && only.identity.groups_sent.is_none());
    }
}

#[test]
fn every_key_of_an_application() {
    let all = applications(&with(
        "[[app]]\nurl = [\"https://Wiki.example.com/\", \"https://*.Bücher.example:443\"]\naccess = \"nobody\"\n\
         identity = [\"x-auth-request\", \"claudelens\"]\nclaudelens_secret_key = \"hunter2\"\n\
         headers = { X-WEBAUTH-USER = \"username\", x-issuer = \"issuer\" }\ngroups_sent = []\npreflight = true\n\
         prefix = \"/.vestibule\"\ntoken = true\n[[app]]\nurl = \"https://other.test:8443\"\nidentity = []\n\
         [app.headers]\nX-Groups = \"groups\"\n",
    ));
    let [wiki, other] = &all[..] else { panic!("{all:?}") };
    assert_eq!(origins(wiki), ["https://wiki.example.com", "https://*.xn--bcher-kva.example"]);
    assert_eq!((wiki.access, wiki.prefix.as_str()), (Access::Nobody, "/.vestibule"));
    let [Preset::XAuthRequest, Preset::ClaudeLens(key)] = &wiki.identity.presets[..] else { panic!("{wiki:?}") };
    assert_eq!(key.expose_secret(), "hunter2");
    assert_eq!(
        wiki.identity.headers,
        [("x-webauth-user".to_owned(), Field::Username), ("x-issuer".to_owned(), Field::Issuer)]
    );
    assert_eq!(wiki.identity.groups_sent.as_deref(), Some(&[][..]));
    assert!(wiki.preflight && wiki.token);
    assert_eq!(origins(other), ["https://other.test:8443"]);
    assert!(other.identity.presets.is_empty());
    assert_eq!(other.identity.headers, [("x-groups".to_owned(), Field::Groups)]);
    assert!(!format!("{all:?}").contains("hunter2"));
}

#[test]
fn origins_that_are_none() {
    let url = |url: &str| with(&format!("[[app]]\nurl = \"{url}\"\n"));
    each_has_one_fault(&[
        (with("[[app]]\nidentity = []\n"), "app[0].url: is missing", "add url = "),
        (with("[[app]]\nurl = []\n"), "app[0].url: is empty", "write an origin"),
        (with("[[app]]\nurl = 1\n"), "app[0].url: is the number 1, a list of texts is wanted", "write it as \"https"),
        (with("[[app]]\nurl = [1]\n"), "app[0].url[0]: is the number 1, text is wanted", "write it as \"https"),
        (url("wiki.example.com"), "app[0].url: does not begin with https://: \"wiki", "https://wiki.example.com"),
        (url("ftp://wiki.example.com"), "app[0].url: does not begin with https://", "write an origin"),
        (url("https://wiki.example.com/x"), "app[0].url: is more than an origin", "write an origin"),
        (url("https://wiki.example.com//"), "app[0].url: is more than an origin", "write an origin"),
        (url("https://wiki.example.com?"), "app[0].url: is more than an origin", "write an origin"),
        (url("https://u:hunter2@wiki.example.com"), "app[0].url: carries a user name or password;", "write an origin"),
        (url("https://wiki.example.com:0"), "app[0].url: has a port that is none", "write an origin"),
        (url("https://wiki.example.com:"), "app[0].url: has a port that is none", "write an origin"),
        (url("https://wiki.example.com."), "app[0].url: has no host name", "write an origin"),
        (url("https://wiki_.example.com"), "app[0].url: has no host name", "write an origin"),
        (url("https://[::2]"), "app[0].url: has no host name", "write an origin"),
        (url("https://"), "app[0].url: has no host name", "write an origin"),
        (url("https://*.*.example.com"), "app[0].url: has no host name", "write an origin"),
        (url("https://w*.example.com"), "app[0].url: has no host name", "write an origin"),
        (url("https://0x7f.1"), "app[0].url: has neither a host name nor an IPv4 address", "write an origin"),
        (url("https://*.com"), "app[0].url: is for all hosts of a whole top-level domain", "write an origin"),
        (url("http://wiki.example.com"), "app[0].url: is http, which is for loopback alone", "write an origin"),
        (url("http://localhost:8080"), "app[0].url: is http, while public_url is https", "write an origin"),
    ]);
    let development = |url: &str| {
        with(&format!("[[app]]\nurl = \"{url}\"\n")).replace("https://auth.example.com", "http://127.0.0.1:3000")
    };
    each_has_one_fault(&[(
        development("https://wiki.test"),
        "app[0].url: is https, while public_url is http",
        "write",
    )]);
    for good in ["http://localhost:8080", "http://*.localhost:8080", "http://127.0.0.2"] {
        assert_eq!(origins(&applications(&development(good))[0]), [good]);
    }
}

#[test]
fn a_host_is_one_applications_and_not_the_login_hosts() {
    let two = |one: &str, other: &str| with(&format!("[[app]]\nurl = \"{one}\"\n[[app]]\nurl = \"{other}\"\n"));
    let own = "give public_url a host of its own";
    each_has_one_fault(&[
        (
            two("https://wiki.test", "https://WIKI.test:8443"),
            "app[1].url: is a host of app[0].url as well (https://wiki.test), and ports make no difference",
            "give each host to one application",
        ),
        (two("https://*.a.test", "https://*.a.test:8443"), "app[1].url: is a host of app[0].url as well", "once"),
        (
            with("[[app]]\nurl = [\"https://a.test\", \"https://a.test:8443\"]\n"),
            "app[0].url[1]: is a host of app[0].url[0] as well",
            "once",
        ),
        (two("https://auth.example.com", "https://wiki.test"), "app[0].url: is the host of public_url, so", own),
        (two("https://wiki.test", "https://auth.example.com:8443"), "app[1].url: is the host of public_url, so", own),
        (with("[[app]]\nurl = \"https://auth.example.com:8443\"\n"), "app[0].url: is the host of public_url, so", own),
        (with("[[app]]\nurl = \"https://*.example.com\"\n"), "app[0].url: is the host of public_url, so", own),
    ]);
    for (one, other) in [
        ("https://a.test", "https://*.a.test"),
        ("https://x.y.a.test", "https://*.a.test"),
        ("https://*.y.a.test", "https://*.a.test"),
    ] {
        assert_eq!(applications(&two(one, other)).len(), 2);
    }
    let alone = "[[app]]\nurl = \"https://auth.example.com\"\n";
    assert_eq!(applications(&with(alone)).len(), 1);
    let elsewhere = with(&format!("{alone}prefix = \"/.vestibule\"\n"));
    each_has_one_fault(&[(elsewhere, "app[0].prefix: is \"/.vestibule\", but at public_url itself", "remove it")]);
}

#[test]
fn what_an_application_cannot_be_told() {
    each_has_one_fault(&[
        (
            wiki("identity = [\"authelia\"]"),
            "app[0].identity[0]: is \"authelia\", which is not known",
            "x-auth-request",
        ),
        (wiki("identity = \"remote\""), "app[0].identity: is the text \"remote\", a list", "write it as"),
        (wiki("identity = [\"remote\", \"remote\"]"), "app[0].identity: has \"remote\" twice", "keep one"),
        (
            wiki("identity = [\"claudelens\"]"),
            "app[0].claudelens_secret_key: is missing, and identity has claudelens",
            "add claudelens_secret_key_file",
        ),
        (
            wiki("claudelens_secret_key = \"hunter2\""),
            "app[0].claudelens_secret_key: is given, but identity has no claudelens",
            "remove the key",
        ),
        (
            wiki("identity = [\"remote\"]\ntoken = true"),
            "app[0].token: is true, but identity has neither assertion nor claudelens",
            "remove token",
        ),
    ]);
}

#[test]
fn headers_that_are_none_or_not_free() {
    let headers = |headers: &str| wiki(&format!("headers = {{ {headers} }}"));
    let taken = "is a header that means something else already";
    let many: Vec<_> = (0..17).map(|number| format!("X-{number} = \"name\"")).collect();
    let long = format!("X-{} = \"name\"", "a".repeat(63));
    each_has_one_fault(&[
        (wiki("headers = [\"x\"]"), "app[0].headers: is a list, a table of texts is wanted", "X-WEBAUTH-USER"),
        (headers("X-A = 1"), "app[0].headers.X-A: is the number 1, text is wanted", "X-WEBAUTH-USER"),
        (headers("X-A = \"groupz\""), "app[0].headers.X-A: is \"groupz\", which is not known", "username, name, email"),
        (headers("X_A = \"name\""), "app[0].headers.X_A: has a _ in its name", "write - in its place"),
        (headers("\"X A\" = \"name\""), "app[0].headers.X A: is no name of a header", "use letters"),
        (headers("\"\" = \"name\""), "app[0].headers.: is no name of a header", "use letters"),
        (headers("X-a = \"name\", x-A = \"name\""), "app[0].headers.x-A: is there a second time", "keep one"),
        (headers("remote-USER = \"name\""), "app[0].headers.remote-USER: is a header that identity sends", "choose"),
        (headers(&many.join(", ")), "app[0].headers: has 17 headers", "16 at most"),
        (headers(&long), "app[0].headers.X-aaa", "use 64 characters at most"),
    ]);
    for name in [
        "Host",
        "Cookie",
        "Set-Cookie",
        "Connection",
        "Content-Length",
        "content-type",
        "Authorization",
        "TE",
        "X-Forwarded-Uri",
        "x-vestibule-truncated",
        "Accept",
        "accept-language",
        "X-Original-URL",
        "Sec-Fetch-Mode",
        "X-HTTP-Method-Override",
        "X-Accel-Redirect",
        "Proxy-Authorization",
    ] {
        let key = format!("app[0].headers.{name}: {taken}");
        each_has_one_fault(&[(headers(&format!("{name} = \"name\"")), &key, "choose another name")]);
    }
    assert_eq!(applications(&wiki("identity = []\nheaders = { Remote-User = \"email\" }")).len(), 1);
}

#[test]
fn prefixes_and_words() {
    let plain = "which is not a path of plain words";
    for prefix in ["auth", "/", "/auth/", "//auth", "/a/../b", "/./a", "/a b", "/ä", "/a%20", "/a;b", "/a?b", "/a\\\\b"]
    {
        let faults = load(&wiki(&format!("prefix = \"{prefix}\"")), &[]).unwrap_err();
        assert!(faults.len() == 1 && faults[0].contains(plain), "{prefix}: {faults:?}");
    }
    for prefix in ["/auth", "/.vestibule", "/a/b-c_d~e.f"] {
        assert_eq!(applications(&wiki(&format!("prefix = \"{prefix}\"")))[0].prefix, prefix);
    }
    each_has_one_fault(&[
        (wiki("access = \"all\""), "app[0].access: is \"all\", which is not known", "signed_in, anyone, nobody"),
        (wiki("preflight = 1"), "app[0].preflight: is the number 1", "write true or false"),
        (wiki("tokens = true"), "app[0].tokens: is not a key", "did you mean app[0].token?"),
        (wiki("listen = \"127.0.0.1:1\""), "app[0].listen: is not a key", "move it above the first table"),
        (wiki("groups = [\"a\"]"), "app[0].groups: is not a key", "did you mean app[0].rule[0].groups?"),
        (with("[app]\nurl = \"https://a.test\"\n"), "app: is not a list of tables", "write [[app]]"),
        (with("[[apps]]\nurl = \"https://a.test\"\n"), "apps: is not a key", "did you mean app?"),
        (
            file("", "[[app]]\nurl = \"https://a.test\"\n"),
            "trusted_proxies: is empty, so that no proxy may ask",
            "add the proxies' addresses",
        ),
    ]);
}

#[test]
fn applications_in_the_environment() {
    let env = [
        ("VESTIBULE_TRUSTED_PROXIES", "127.0.0.1"),
        ("VESTIBULE_GATE_LISTEN", "127.0.0.1:4004"),
        ("VESTIBULE_USERS__UNVERIFIED_EMAIL", "true"),
        ("VESTIBULE_APP__0__URL", "https://a.test, https://b.test"),
        ("VESTIBULE_APP__0__HEADERS", "{\"X-WEBAUTH-USER\": \"username\"}"),
        ("VESTIBULE_APP__0__RULE__0__PATH", "/public/"),
        ("VESTIBULE_APP__0__RULE__0__ACCESS", "anyone"),
        ("VESTIBULE_APP__0__RULE__1__PATH", "/admin/"),
        ("VESTIBULE_APP__0__RULE__1__GROUPS__0", "Sales, Europe"),
        ("VESTIBULE_APP__1__URL", "https://c.test"),
        ("VESTIBULE_APP__1__HEADERS", "{ X-Name = \"name\" }"),
        ("VESTIBULE_APP__1__PREFLIGHT", "true"),
    ];
    let settings = load(&file("", ""), &env).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(settings.gate_listen.port(), 4004);
    assert!(settings.users.unverified_email);
    let [one, other] = &settings.applications[..] else { panic!("{settings:?}") };
    assert_eq!(origins(one), ["https://a.test", "https://b.test"]);
    assert_eq!(one.identity.headers, [("x-webauth-user".to_owned(), Field::Username)]);
    assert_eq!(one.rules.len(), 2);
    assert!(other.preflight && other.identity.headers == [("x-name".to_owned(), Field::Name)]);

    // Over the file, a key at a time.
    let text = wiki("access = \"anyone\"\n[[app.rule]]\npath = \"/x/\"\naccess = \"nobody\"\n");
    let settings = load(&text, &[("VESTIBULE_APP__0__ACCESS", "nobody"), ("VESTIBULE_APP__0__RULE__0__PATH", "/y/")]);
    let Settings { applications, .. } = settings.unwrap();
    assert_eq!(applications[0].access, Access::Nobody);
    assert!(format!("{:?}", applications[0].rules).contains("/y/"));

    for (name, value, line) in [
        ("VESTIBULE_APP__0__HEADERS", "X-A=name", "app[0].headers: is \"X-A=name\", which is not a table as in JSON"),
        ("VESTIBULE_APP__0__HEADERS", "[\"a\"]", "app[0].headers: is \"[\\\"a\\\"]\", which is not a table"),
        ("VESTIBULE_APP__2__ACCESS", "nobody", "app[2]: is given, but app[1] is not; number the tables from 0"),
        ("VESTIBULE_APP__0__RULE__2__PATH", "/x/", "app[0].rule[2]: is given, but app[0].rule[1] is not; number"),
        ("VESTIBULE_APP__0__HEADERS__X_A", "name", "VESTIBULE_APP__0__HEADERS__X_A: is not a key; did you mean VESTI"),
        (
            "VESTIBULE_APP_0_URL",
            "https://b.test",
            "VESTIBULE_APP_0_URL: is not a key; did you mean VESTIBULE_APP__0__U",
        ),
        ("VESTIBULE_APP__0__RULE__0__GROUP", "a", "VESTIBULE_APP__0__RULE__0__GROUP: is not a key; did you mean VES"),
    ] {
        let faults = load(&text, &[(name, value)]).map(|_| ()).expect_err(name);
        assert!(faults.len() == 1 && faults[0].starts_with(line), "{name}: {faults:?}");
    }
}
