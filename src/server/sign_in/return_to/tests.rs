use super::*;

mod applications;
mod payloads;

fn judge(asked: &str) -> String {
    sanitize(asked).0.0
}

fn sanitize(asked: &str) -> (ReturnTo, Option<Dropped>) {
    ReturnTo::sanitize(Some(asked), &PublicUrl::parse("https://rp.example").unwrap(), &Applications::default())
}

#[test]
fn keeps_good_targets() {
    for good in [
        "/",
        "/a?b=c#d",
        "/a%20b",
        "/a//b",
        "/a?next=//evil.example",
        "/auth/account",
        "/auth/account/",
        "/auth-docs",
        "/a?x=%2f%2fy",
    ] {
        assert_eq!(judge(good), good);
    }
    assert_eq!(judge("/ü"), "/%C3%BC");
    assert_eq!(judge("/a b"), "/a%20b");
}

#[track_caller]
fn is_home(bad: &str) {
    let own = Url::parse("https://rp.example").unwrap();
    let judged = judge(bad);
    assert_eq!(own.join(&judged).unwrap().origin(), own.origin(), "{bad:?} left the origin");
    assert_eq!(judged, "/", "{bad:?}");
}

#[test]
fn another_host_is_home() {
    for bad in [
        "",
        "a",
        "?a",
        "#a",
        "https://evil.example",
        "https://rp.exa\tmple.evil.example/",
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "//0x7f.1",
        "/\\evil.example",
        "\\\\evil.example",
        "/\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        "/\r\nSet-Cookie:a=b",
        "/\0",
        " //evil.example",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "https:evil.example",
        "https:/evil.example",
        "http:\\\\evil.example",
        "/.//evil.example",
        "/..//evil.example",
        "/a/..//evil.example",
        "/%2e//evil.example",
        "/%2E%2e//evil.example",
        "／／evil.example",
        "〱evil",
        "%2f%2fevil.example",
    ] {
        is_home(bad);
    }
}

#[test]
fn what_only_looks_like_our_origin_is_home() {
    for bad in [
        "http://rp.example/",
        "http://rp.example/x",
        "https://rp.example:444/",
        "https://rp.example./x",
        "https://rp.example@evil",
        "https://rp.example\\@evil.example/",
        "https://user@rp.example/x",
        "https://user:pass@rp.example/x",
        "https://rp.example//evil.example",
        "https://rp.example/..//evil.example",
        "https://rp.example/\\evil.example",
        "https://rp.example/\t/evil.example",
        "https:\\\\rp.example/x",
        "https:/rp.example/x",
        "https:rp.example/x",
        "https://",
        "https://[",
        " https://rp.example/x",
        "https://rp.example/auth/logout",
        "https://rp.example.evil",
        "https://rp.example@evil.example",
    ] {
        is_home(bad);
    }
}

#[test]
fn our_own_pages_are_home() {
    for bad in [
        "/auth/logout",
        "/auth/oidc/login",
        "/auth/oidc/callback?code=1",
        "/auth",
        "/auth/",
        "/AUTH/logout",
        "/auth%2flogout",
        "/a/../auth/logout",
        "/./auth/login",
        "//auth/login",
        "/auth//logout",
        "/auth///logout/",
        "/auth/account/../logout",
        "/auth/account/x",
        "/login/",
        "/healthz/",
        "/login",
        "/healthz",
        "/%61uth/logout",
    ] {
        is_home(bad);
    }
}

#[test]
fn a_harmless_local_path_may_look_odd() {
    for (odd, kept) in [
        ("/%2f%2fevil.example", "/%2f%2fevil.example"),
        ("/%5cevil", "/%5cevil"),
        ("/%09/evil", "/%09/evil"),
        ("/%252f", "/%252f"),
    ] {
        assert_eq!(judge(odd), kept);
    }
}

#[test]
fn an_absolute_url_of_our_own_origin_is_its_path() {
    for (asked, kept) in [
        ("https://rp.example", "/"),
        ("https://rp.example/x?y=1#z", "/x?y=1#z"),
        ("https://rp.example:443/x", "/x"),
        ("HTTPS://RP.EXAMPLE/x", "/x"),
        ("https://rp.example?x=1", "/?x=1"),
        ("https://rp.example/a/../b", "/b"),
        ("https://rp.example/auth/account", "/auth/account"),
    ] {
        assert_eq!(judge(asked), kept, "{asked}");
    }
    let port = PublicUrl::parse("http://127.0.0.1:3000").unwrap();
    let at = |asked| ReturnTo::sanitize(Some(asked), &port, &Applications::default()).0.0;
    assert_eq!((at("http://127.0.0.1:3000/x"), at("http://127.0.0.1/x")), ("/x".into(), "/".into()));
    assert_eq!(at("http://localhost:3000/x"), "/");
    let idn = PublicUrl::parse("https://bücher.example").unwrap();
    assert_eq!(ReturnTo::sanitize(Some("https://b%C3%BCcher.example/x"), &idn, &Applications::default()).0.0, "/x");
}

#[test]
fn what_a_query_holds_is_data() {
    for (asked, kept) in [
        ("/a?b=\\", "/a?b=%5C"),
        ("/a?b=\\\\evil.example", "/a?b=%5C%5Cevil.example"),
        ("/a?b=c\td", "/a?b=c%09d"),
        ("/a?b=c\r\nd\n", "/a?b=c%0D%0Ad%0A"),
        ("/a?b=%0A%5C%09", "/a?b=%0A%5C%09"),
        ("/a?b=c ", "/a?b=c%20"),
        ("/a?b=\0\u{7f}\u{85}", "/a?b=%00%7F%C2%85"),
        ("/a?b=+%2B", "/a?b=+%2B"),
        ("/a?b=%zz", "/a?b=%zz"),
        ("/a?b=%", "/a?b=%"),
        ("/a;v=1?b;c", "/a;v=1?b;c"),
        ("/a#b\tc", "/a#b%09c"),
        ("/a?b=//evil.example/..//x", "/a?b=//evil.example/..//x"),
        ("/a?b=https://evil.example/", "/a?b=https://evil.example/"),
    ] {
        assert_eq!(judge(asked), kept, "{asked:?}");
    }
}

#[test]
fn a_long_target_loses_its_query_and_then_everything() {
    const MOST: usize = limits::RETURN_TO;
    let query = |length: usize| format!("/reports?{}", "x".repeat(length - "/reports?".len()));
    assert_eq!(sanitize(&query(MOST)), (ReturnTo(query(MOST)), None));
    for long in [query(MOST + 1), query(64 * 1024)] {
        assert_eq!(sanitize(&long), (ReturnTo("/reports".into()), Some(Dropped::Query)));
    }
    assert_eq!(judge(&format!("/{}", "x".repeat(MOST - 1))).len(), MOST);
    let tripled = format!("/a?{}", "=".repeat(MOST - 3));
    assert_eq!(sanitize(&tripled), (ReturnTo("/a".into()), Some(Dropped::Query)), "too long as a parameter of ours");
    for long in ["x".repeat(MOST), "ü".repeat(MOST / 6 + 1), "x".repeat(64 * 1024)] {
        let measured_as_encoded = sanitize(&format!("/{long}"));
        assert_eq!(measured_as_encoded, (ReturnTo::default(), Some(Dropped::TooLong)));
    }
}

#[test]
fn what_is_dropped_has_a_reason_and_says_nothing_secret() {
    for (asked, reason) in [
        ("/a", None),
        ("", None),
        ("/auth/logout", Some("a page of Vestibule's own that nobody should land on")),
        ("/a\\b?secret", Some("neither a path nor a URL of public_url or of an [[app]]")),
        ("secret", Some("neither a path nor a URL of public_url or of an [[app]]")),
        (
            "https://u:secret@evil.example/secret?secret",
            Some("neither the origin of public_url nor that of an [[app]]: https://evil.example"),
        ),
        ("http://rp.example/x", Some("neither the origin of public_url nor that of an [[app]]: http://rp.example")),
        ("//evil.example/x", Some("neither the origin of public_url nor that of an [[app]]: https://evil.example")),
    ] {
        assert_eq!(sanitize(asked).1.map(|reason| reason.to_string()).as_deref(), reason, "{asked}");
    }
}

#[test]
fn encodes_for_a_query_value() {
    let target = ReturnTo(String::from("/a?b=c&d=%2f+e#f"));
    assert!(!target.encoded().contains('?'));
    let query = format!("return_to={}", target.encoded());
    let decoded: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    assert_eq!(decoded, [("return_to".into(), "/a?b=c&d=%2f+e#f".into())]);
}
