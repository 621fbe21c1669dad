use super::*;

#[test]
fn what_is_asked_about_is_in_four_headers() {
    let applications = wiki();
    let headers = said("/page?a=b");
    let asked = ask(&headers, &applications).unwrap();
    assert_eq!((&*asked.site.host, asked.site.index), ("wiki.example.com", 0));
    assert_eq!((asked.method, asked.uri), ("GET", "/page?a=b"));
    assert_eq!(asked.client(), Some([203, 0, 113, 9].into()));
    assert!(!asked.overridden && !asked.preflight);
    assert_eq!(asked.path.unwrap().iter().collect::<Vec<_>>(), ["/page"]);
}

#[test]
fn missing_is_never_a_slash_and_twice_is_not_once() {
    for (name, what) in [
        ("X-Forwarded-Method", Said::Method),
        ("X-Forwarded-Proto", Said::Proto),
        ("X-Forwarded-Host", Said::Host),
        ("X-Forwarded-Uri", Said::Uri),
    ] {
        for nothing in [None, Some("")] {
            assert_eq!(ask(&but(name, nothing), &wiki()).unwrap_err(), Denied::Missing(what), "{name}");
        }
        let mut twice = said("/public/");
        let value = twice.get(name).unwrap().clone();
        twice.append(name.parse::<HeaderName>().unwrap(), value);
        assert_eq!(ask(&twice, &wiki()).unwrap_err(), Denied::Doubled(what), "{name}");
        let denied = Denied::Missing(what);
        assert!(Denied::Malformed(what).to_string().contains("the proxy has to set it to "), "{name}");
        assert!(denied.to_string().contains(name) && denied.problem().code() == "proxy_misconfigured", "{denied}");
    }
}

#[test]
fn what_a_proxy_cannot_mean_is_denied() {
    for (name, what, values) in [
        ("X-Forwarded-Method", Said::Method, &["get", "Get", "GET, POST", "GET ", "G\u{c9}T", "(GET)"][..]),
        ("X-Forwarded-Proto", Said::Proto, &["HTTPS", "https,http", "https, http", "ftp", "http:"]),
        (
            "X-Forwarded-Uri",
            Said::Uri,
            &[
                "*",
                "page",
                "?page",
                "https://wiki.example.com/page",
                "/page, /public/",
                "/pa\tge",
                "/pa\u{85}ge",
                "/pa\u{2028}ge",
                "\\page",
            ],
        ),
    ] {
        for value in values {
            assert_eq!(
                ask(&but(name, Some(value)), &wiki()).unwrap_err(),
                Denied::Malformed(what),
                "{name}: {value:?}"
            );
        }
    }
    let mut latin = said("/page");
    latin.insert("x-forwarded-uri", http::HeaderValue::from_bytes(b"/caf\xe9").unwrap());
    assert_eq!(ask(&latin, &wiki()).unwrap_err(), Denied::Malformed(Said::Uri));
    for proto in ["http", "https", "ws", "wss"] {
        assert!(ask(&but("X-Forwarded-Proto", Some(proto)), &wiki()).is_ok(), "{proto}");
    }
    for method in ["GET", "PROPFIND", "M-SEARCH", "VERSION-CONTROL"] {
        assert!(ask(&but("X-Forwarded-Method", Some(method)), &wiki()).is_ok(), "{method}");
    }
}

#[test]
fn a_host_is_a_name_and_maybe_a_port() {
    for (host, name) in [
        ("wiki.example.com", "wiki.example.com"),
        ("WIKI.Example.com", "wiki.example.com"),
        ("wiki.example.com.", "wiki.example.com"),
        ("wiki.example.com.:8443", "wiki.example.com"),
        ("wiki:80", "wiki"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("127.0.0.1:80", "127.0.0.1"),
    ] {
        assert_eq!(host_name(host).as_deref(), Some(name), "{host}");
    }
    assert!(matches!(host_name("wiki.example.com:80"), Some(std::borrow::Cow::Borrowed(_))));
    for host in [
        "",
        ".",
        ":80",
        "wiki:",
        "wiki:x",
        "wiki:80:80",
        "wiki:+80",
        "a@b",
        "a:80@b",
        "[::1]",
        "::1",
        "wiki,wiki",
        "wiki wiki",
        "wiki/",
        "wiki?",
        "wiki#",
        "wiki\\",
        "wiki%2e",
        "my_wiki",
        "b\u{fc}cher.example",
        "*.apps.example.com",
        "wiki\u{ff0e}com",
    ] {
        assert_eq!(host_name(host), None, "{host}");
        let denied = ask(&but("X-Forwarded-Host", Some(host)), &wiki()).unwrap_err();
        assert!(matches!(denied, Denied::Malformed(Said::Host) | Denied::Missing(Said::Host)), "{host}: {denied}");
    }
}

#[test]
fn a_host_only_chooses_among_the_applications() {
    let host_of = |host: &str| {
        let headers = but("X-Forwarded-Host", Some(host));
        ask(&headers, &wiki()).map(|asked| asked.site.origin.to_string()).map_err(|denied| denied.problem().code())
    };
    for host in ["wiki.example.com", "wiki.example.com:8443", "WIKI.EXAMPLE.COM.", "wiki.example.com:443"] {
        assert_eq!(host_of(host), Ok("https://wiki.example.com".into()), "the port of {host} is not ours");
    }
    assert_eq!(host_of("One.apps.example.com:1"), Ok("https://one.apps.example.com".into()));
    for host in [
        "example.com",
        "a.wiki.example.com",
        "apps.example.com",
        "a.b.apps.example.com",
        ".apps.example.com",
        "wiki.example.com..",
        "..apps.example.com",
        "login.example.com",
    ] {
        assert_eq!(host_of(host), Err("unknown_application"), "{host}");
    }
}

#[test]
fn only_a_trusted_proxy_may_ask() {
    let headers = said("/public/");
    let peer = [198, 51, 100, 7].into();
    let denied = forwarded(peer, &headers, trusted(), &wiki()).unwrap_err();
    assert_eq!((denied.problem().code(), &denied), ("proxy_misconfigured", &Denied::UntrustedProxy(peer)));
    assert!(denied.to_string().contains("`trusted_proxies`"), "{denied}");
    assert!(forwarded(PROXY, &headers, &[], &wiki()).is_err(), "there is no proxy unless it is named");
    assert!(forwarded("::ffff:127.0.0.1".parse().unwrap(), &headers, trusted(), &wiki()).is_ok());
}

#[test]
fn the_client_is_who_the_proxies_name_and_never_a_proxy_itself() {
    let client = |value: Option<&str>| ask(&but("X-Forwarded-For", value), &wiki()).unwrap().client();
    assert_eq!(client(Some("203.0.113.9")), Some([203, 0, 113, 9].into()));
    assert_eq!(client(Some("127.0.0.1, 203.0.113.9, 127.0.0.2")), Some([203, 0, 113, 9].into()));
    assert_eq!(client(Some("::ffff:203.0.113.9")), Some([203, 0, 113, 9].into()));
    assert_eq!(client(Some("2001:db8::1")), Some("2001:db8::1".parse().unwrap()), "the whole address");
    assert_eq!(client(Some("127.0.0.5")), Some([127, 0, 0, 5].into()), "a client on the proxy's own machine");
    for nobody in [None, Some("unknown"), Some("203.0.113.9, unknown"), Some("")] {
        assert_eq!(client(nobody), None, "{nobody:?}");
    }
}

#[test]
fn a_header_may_override_the_method_in_any_spelling() {
    for (name, is_override) in [
        ("X-HTTP-Method-Override", true),
        ("x-http-method", true),
        ("X-Method-Override", true),
        ("X_HTTP_Method_Override", true),
        ("x-http_method-override", true),
        ("X-HTTP-Methods", false),
        ("X-Forwarded-Method", false),
    ] {
        let mut headers = said("/");
        headers.insert(name.parse::<HeaderName>().unwrap(), "DELETE".parse().unwrap());
        headers.insert("x-forwarded-method", "GET".parse().unwrap());
        assert_eq!(ask(&headers, &wiki()).unwrap().overridden, is_override, "{name}");
    }
}

fn request(method: &str, uri: &str, all: &[(&str, &str)]) -> http::request::Parts {
    let mut request = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0;
    request.headers = headers(all);
    request
}

fn ask_itself(request: &http::request::Parts) -> Result<(String, String, String), Denied> {
    let asked = itself(PROXY, request, "/auth/ext-authz", trusted(), &wiki())?;
    Ok((asked.site.host.to_string(), asked.method.into(), asked.uri.into()))
}

#[test]
fn envoy_asks_with_the_request_itself() {
    let host = ("host", "wiki.example.com:8443");
    let ours = |uri: &str| Ok(("wiki.example.com".to_owned(), "PUT".to_owned(), uri.to_owned()));
    for uri in ["/", "/public/x?y=1", "//a", "/a/%2e%2E/b;c", "/%2Fx"] {
        let uri_there = format!("/auth/ext-authz{uri}");
        assert_eq!(ask_itself(&request("PUT", &uri_there, &[host])), ours(uri));
    }
    let all = [host, ("x-forwarded-proto", "https"), ("x-forwarded-uri", "/public/"), ("x-forwarded-method", "GET")];
    let said = request("PUT", "/auth/ext-authz/a", &all);
    assert_eq!(ask_itself(&said), ours("/a"), "what a client forwards is not read");
    let untrusted = itself([198, 51, 100, 7].into(), &said, "/auth/ext-authz", trusted(), &wiki());
    assert_eq!(untrusted.unwrap_err().problem().code(), "proxy_misconfigured");

    let http2 = request("PUT", "https://wiki.example.com/auth/ext-authz/a", &[]);
    assert_eq!(ask_itself(&http2), ours("/a"), "`:authority`");
}

#[test]
fn envoy_has_to_say_everything_once() {
    let host = ("host", "wiki.example.com");
    for (method, uri, all, denied) in [
        ("GET", "/auth/ext-authz", &[host][..], Denied::Missing(Said::OwnUri)),
        ("GET", "/auth/ext-authz?x", &[host], Denied::Malformed(Said::OwnUri)),
        ("GET", "/auth/ext-authzx/", &[host], Denied::Malformed(Said::OwnUri)),
        ("GET", "/public/", &[host], Denied::Missing(Said::OwnUri)),
        ("OPTIONS", "*", &[host], Denied::Missing(Said::OwnUri)),
        ("get", "/auth/ext-authz/", &[host], Denied::Malformed(Said::OwnMethod)),
        ("GET", "/auth/ext-authz/", &[], Denied::Missing(Said::OwnHost)),
        ("GET", "/auth/ext-authz/", &[host, host], Denied::Doubled(Said::OwnHost)),
        ("GET", "/auth/ext-authz/", &[("host", "a:80@wiki.example.com")], Denied::Malformed(Said::OwnHost)),
        ("GET", "https://open.example.org/auth/ext-authz/", &[host], Denied::Doubled(Said::OwnHost)),
        ("GET", "/auth/ext-authz/", &[host, ("x-forwarded-proto", "gopher")], Denied::Malformed(Said::Proto)),
        ("GET", "/auth/ext-authz/", &[host, ("x-forwarded-proto", "http"), ("x-forwarded-proto", "https")], {
            Denied::Doubled(Said::Proto)
        }),
    ] {
        assert_eq!(ask_itself(&request(method, uri, all)), Err(denied), "{method} {uri} {all:?}");
    }
}

#[test]
fn a_url_can_be_asked_about_on_the_command_line() {
    let applications = wiki();
    let at = |url| {
        Asked::at(url, "GET", None, &applications).map(|asked| (asked.site.host.to_string(), asked.uri.to_owned()))
    };
    let wiki = |uri: &str| Ok(("wiki.example.com".to_owned(), uri.to_owned()));
    assert_eq!(at("https://wiki.example.com"), wiki("/"));
    assert_eq!(at("https://Wiki.example.com:8443/a?b#c"), wiki("/a?b#c"));
    assert_eq!(at("wiki.example.com/a"), Err(Denied::Malformed(Said::Url)));
    assert_eq!(at("ftp://wiki.example.com/a"), Err(Denied::Malformed(Said::Url)));
    assert_eq!(at("https://wiki.example.com?a"), Err(Denied::Malformed(Said::OwnUri)));
    assert_eq!(at("https://user@wiki.example.com/"), Err(Denied::Malformed(Said::OwnHost)));
    assert_eq!(at("https://other.example.com/"), Err(Denied::UnknownApplication("other.example.com".into())));
    assert_eq!(
        Asked::at("https://wiki.example.com/", "get", None, &applications).unwrap_err(),
        Denied::Malformed(Said::OwnMethod)
    );
}
