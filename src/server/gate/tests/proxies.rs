use super::*;

/// What each proxy says of what a client sent, and who gets in at the wiki: nginx, HAProxy and Envoy as it comes say it as it is, Caddy
/// encodes `\`, `#` and what is not ASCII, Traefik resolves and decodes.
#[test]
fn every_path_that_a_proxy_may_name_is_decided_by_what_an_application_may_serve() {
    use Access::{Anyone, Nobody, SignedIn};
    for (sent, access, by_traefik) in [
        ("//public/x", SignedIn, ("/public/x", Anyone)),
        ("/public//x", Anyone, ("/public/x", Anyone)),
        ("/x//admin/", SignedIn, ("/x/admin/", SignedIn)),
        ("/public/../page", SignedIn, ("/page", SignedIn)),
        ("/public/%2e%2e/page", SignedIn, ("/page", SignedIn)),
        ("/page/../public/", SignedIn, ("/public/", Anyone)),
        ("/%70ublic/", SignedIn, ("/public/", Anyone)),
        ("/public/%61", Anyone, ("/public/a", Anyone)),
        ("/public/a%2fb", Anyone, ("/public/a%2Fb", Anyone)),
        ("/public/..%2fb", SignedIn, ("/public/..%2Fb", SignedIn)),
        ("/public/a%5cb", Anyone, ("/public/a%5Cb", Anyone)),
        ("/public/..%5cb", SignedIn, ("/public/..%5Cb", SignedIn)),
        ("/public/%00", Nobody, ("/public/%00", Nobody)),
        ("/public;x/", SignedIn, ("/public;x/", SignedIn)),
        ("/public/x;y", Anyone, ("/public/x;y", Anyone)),
        ("/public/..;/b", SignedIn, ("/public/..;/b", SignedIn)),
        ("/public/%252fb", Nobody, ("/public/%252Fb", Nobody)),
        ("/public/%3fb", Anyone, ("/public/%3Fb", Anyone)),
        ("/public%3fb", SignedIn, ("/public%3Fb", SignedIn)),
        ("/public/%23b", Anyone, ("/public/%23b", Anyone)),
        ("/public/..%23/../b", SignedIn, ("/public/..%23/../b", SignedIn)),
        ("/public/%ff", Nobody, ("/public/%FF", Nobody)),
        ("/public/a\\b", Anyone, ("/public/a%5Cb", Anyone)),
        ("/public/..\\b", SignedIn, ("/public/..%5Cb", SignedIn)),
        ("/public/é", Anyone, ("/public/%C3%A9", Anyone)),
        ("/public/x#y", Anyone, ("/public/x", Anyone)),
        ("/public#/../admin/", SignedIn, ("/public", SignedIn)),
    ] {
        assert_eq!(at_wiki(sent), access, "{sent}");
        let by_caddy = sent.replace('\\', "%5C").replace('#', "%23").replace('é', "%C3%A9");
        assert_eq!(at_wiki(&by_caddy), access, "{sent}, by Caddy");
        assert_eq!(at_wiki(by_traefik.0), by_traefik.1, "{sent}, by Traefik");
    }
}

/// `/auth/` is routed by a path that is decoded, resolved or neither: what the gate is asked about there is a path as any.
#[test]
fn the_path_of_our_own_pages_is_as_closed_as_any_other() {
    for path in ["/auth/login", "/auth%2flogin", "/auth/../public", "/AUTH/login", "/%61uth/login", "/x/../auth/login"]
    {
        assert_eq!(at_wiki(path), Access::SignedIn, "{path}");
    }
}

#[test]
fn a_target_that_is_no_path_is_denied() {
    for (uri, denied) in [
        (Some("*"), Denied::Malformed(Said::Uri)),
        (None, Denied::Missing(Said::Uri)),
        (Some("wiki.example.com:443"), Denied::Malformed(Said::Uri)),
        (Some("https://open.example.org/public/"), Denied::Malformed(Said::Uri)),
    ] {
        assert_eq!(ask(&but("X-Forwarded-Uri", uri), &wiki()).unwrap_err(), denied, "{uri:?}");
    }
}

/// The host of the request line and `Host` differ, or `Host` is two: nginx takes `open.example.org` for its server and says both.
#[test]
fn a_host_that_two_programs_read_in_two_ways_is_denied() {
    for (host, code) in [
        ("open.example.org:80@wiki.example.com", "bad_request"),
        ("wiki.example.com:80@open.example.org", "bad_request"),
        ("wiki.example.com@open.example.org", "bad_request"),
        ("open.example.org,wiki.example.com", "bad_request"),
        ("open.example.org, wiki.example.com", "bad_request"),
        ("https://open.example.org", "bad_request"),
        ("default", "unknown_application"),
        ("127.0.0.1", "unknown_application"),
        ("unknown.example.com", "unknown_application"),
    ] {
        assert_eq!(ask(&but("X-Forwarded-Host", Some(host)), &wiki()).unwrap_err().problem().code(), code, "{host}");
    }
    for host in ["wiki.example.com:8443", "WIKI.example.com.", "wiki.example.com:80"] {
        let headers = but("X-Forwarded-Host", Some(host));
        assert_eq!(&*ask(&headers, &wiki()).unwrap().site.host, "wiki.example.com", "{host}");
    }
}

/// HAProxy, Caddy, Traefik, and Envoy over HTTP/2 let a method `get` pass, and applications take it for `GET`.
#[test]
fn a_method_in_small_letters_is_denied() {
    for method in ["get", "Get", "gET", "post"] {
        let denied = ask(&but("X-Forwarded-Method", Some(method)), &wiki()).unwrap_err();
        assert_eq!(denied, Denied::Malformed(Said::Method), "{method}");
    }
}

/// Caddy asks with the client's query, and the endpoint's own query is not read: only headers are handed over at all.
/// Traefik says `https` of a WebSocket and `wss` elsewhere.
#[test]
fn what_a_scheme_says_decides_nothing() {
    for proto in ["http", "https", "ws", "wss"] {
        let headers = but("X-Forwarded-Proto", Some(proto));
        let applications = wiki();
        let asked = ask(&headers, &applications).unwrap();
        assert_eq!(
            (&*asked.site.origin, decide(&asked).access),
            ("https://wiki.example.com", Access::SignedIn),
            "{proto}"
        );
    }
}
