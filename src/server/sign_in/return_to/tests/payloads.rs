//! What attackers write to lead people elsewhere, by the thousand, against a parser that reads it as browsers do (WHATWG
//! URL). `server/fuzzing.rs` says what has to hold of each; here, what leads elsewhere is also known to become `/`.

use std::collections::BTreeSet;

use url::Url;

use crate::server::fuzzing::judge_return_to;

/// RT-02, RT-03, RT-04, RT-07, RT-09: what may be taken for `//`, or hide one.
const SLASHES: [&str; 40] = [
    "//",
    "///",
    "////",
    "/\\",
    "\\\\",
    "\\/",
    "/\\/",
    "\\",
    "\\/\\/",
    "/\t/",
    "/\n/",
    "/\r/",
    "\t//",
    "\n//",
    " //",
    "//\t",
    "/\u{0}/",
    "\u{0}//",
    "/\u{b}/",
    "/\u{c}/",
    "/\u{a0}/",
    "\u{feff}//",
    "/\u{2028}/",
    "/\u{ad}/",
    "/./",
    "/.//",
    "/..//",
    "/%2e//",
    "/%2E%2e//",
    "/.%2e//",
    "/a/..//",
    "/a//..//",
    "／／",
    "/／",
    "⁄⁄",
    "∕∕",
    "＼＼",
    "〱",
    "/;/",
    "/?/../",
];

/// RT-05 and RT-06: schemes, and oddly written ones.
const SCHEMES: [&str; 40] = [
    "https://",
    "http://",
    "HTTPS://",
    "hTTp://",
    "https:",
    "http:",
    "https:/",
    "http:/",
    "https:///",
    "http:////",
    "https:\\\\",
    "http:\\\\",
    "https:/\\",
    "https:\\/",
    "h\tttps://",
    "ht\ntps://",
    "https\t://",
    "https:\t//",
    "https:/\n/",
    " https://",
    "\thttps://",
    "\u{1}https://",
    "https ://",
    "ftp://",
    "ws://",
    "wss://",
    "file://",
    "file:",
    "blob:https://",
    "data:text/html,",
    "javascript:",
    "JaVaScRiPt:",
    "java\nscript:",
    "java\tscript://",
    "\u{1}javascript:",
    "vbscript:",
    "view-source:https://",
    "about:",
    "intent://",
    "x:",
];

/// RT-01, RT-02, RT-09: other hosts, and those that only look like ours.
const HOSTS: [&str; 32] = [
    "evil.example",
    "evil.example:443",
    "rp.example.evil.example",
    "rp.example@evil.example",
    "rp.example:x@evil.example",
    "rp.example%40evil.example",
    "rp.example%2f@evil.example",
    "rp.example\\@evil.example",
    "rp.example#@evil.example",
    "rp.example?@evil.example",
    "rp.example;@evil.example",
    "evil.example\\rp.example",
    "evil.example%00rp.example",
    "evil.example/rp.example",
    "rp.example:444",
    "rp.example.",
    "rp.example..",
    "rp.example:0",
    "xn--rp-example",
    "ｒｐ．ｅｘａｍｐｌｅ.evil.example",
    "evil。example",
    "evil%E3%80%82example",
    "0x7f.1",
    "2130706433",
    "017700000001",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "127.0.0.1",
    "localhost",
    "apps.example",
    "a.b.apps.example",
    "app.example:444",
];

/// RT-08, RT-10, RT-12: what follows.
const TAILS: [&str; 8] = [
    "",
    "/",
    "/x?y#z",
    "/%0d%0aSet-Cookie:a=b",
    "/\r\nSet-Cookie:a=b",
    "?return_to=//evil.example",
    "#https://rp.example",
    "/%2e%2e/",
];

/// Our own pages, and an application's, that nobody is to land on.
const OURS: [&str; 14] = [
    "auth/logout",
    "auth/oidc/login",
    "auth/oidc/callback?code=1",
    "auth/login",
    "AUTH/logout",
    "%61uth/logout",
    "auth%2flogout",
    "auth//logout",
    "./auth/logout",
    "a/../auth/logout",
    "%2e/auth/logout",
    "login",
    "healthz",
    "auth/account/../logout",
];

fn payloads() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for host in HOSTS {
        for start in SLASHES.into_iter().chain(SCHEMES) {
            all.extend(TAILS.map(|tail| format!("{start}{host}{tail}")));
        }
        // Encoded once more than anybody decodes.
        for start in [
            "%2f%2f",
            "/%2f",
            "/%2f%2f",
            "%5c%5c",
            "/%5c",
            "%252f%252f",
            "/%252f",
            "/%09/",
            "/%00/",
            "%2f\\",
            "/%u002f",
        ] {
            all.insert(format!("{start}{host}"));
        }
        // RT-12: nested, and long.
        for depth in [1, 5, 100] {
            all.insert(format!("/a{}//{host}", "?return_to=/a".repeat(depth)));
        }
        all.insert(format!("//{host}/{}", "x".repeat(64 * 1024)));
        all.insert(format!("/{}//{host}", "x".repeat(64 * 1024)));
    }
    for page in OURS {
        let origins =
            ["", "https://rp.example", "HTTPS://RP.example:443", "https://app.example", "https://x.apps.example"];
        let slashes = ["/", "//", "/./", "/%2e/", "/x/../", "/\\", "\\"];
        all.extend(origins.into_iter().flat_map(|origin| slashes.map(|slash| format!("{origin}{slash}{page}"))));
    }
    for number in 0..=0xff_u8 {
        let one = char::from(number);
        all.extend([
            format!("/{one}/evil.example"),
            format!("{one}//evil.example"),
            format!("/%{number:02x}/evil.example"),
        ]);
        all.extend([format!("https://rp.example{one}.evil.example/"), format!("https://rp.example{one}evil.example/")]);
    }
    all
}

#[test]
fn no_payload_leads_anywhere_else() {
    let own = Url::parse("https://rp.example").unwrap();
    let payloads = payloads();
    assert!(payloads.len() >= 800, "{} payloads", payloads.len());
    let mut elsewhere = 0;
    for payload in &payloads {
        let judged = judge_return_to(payload);
        let is_ours = |url: Url| {
            ["https://rp.example", "https://app.example"].contains(&url.origin().ascii_serialization().as_str())
                || url.host_str().is_some_and(|host| host.ends_with(".apps.example"))
        };
        if !own.join(payload).is_ok_and(is_ours) {
            assert_eq!(judged, "/", "{payload:?}");
            elsewhere += 1;
        }
    }
    assert!(elsewhere >= 800, "{elsewhere} of them lead elsewhere in a browser");
}

/// Found by fuzzing: the first page of such a host was longer than any page to return to may be.
#[test]
fn a_label_that_no_host_has_is_no_application() {
    let page = |length| format!("https://{}.apps.example/x", "l".repeat(length));
    assert_eq!(judge_return_to(&page(63)), page(63));
    for length in [64, 1_000, 4_000] {
        assert_eq!(judge_return_to(&page(length)), "/");
    }
}

/// RT-14: what is good is kept, whatever stands in it.
#[test]
fn good_pages_are_kept_as_they_are() {
    for path in [
        "/",
        "/a",
        "/a/b/",
        "/a//b",
        "/%C3%BC",
        "/a%20b",
        "/a;v=1",
        "/%2f%2fevil.example",
        "/~x/(y)",
        "/:80",
        "/@x",
        "/http://x",
    ] {
        for query in ["", "?", "?b=c", "?next=//evil.example", "?a=%2F&b=+", "?x=https://evil.example"] {
            for fragment in ["", "#", "#d", "#/../x", "#//evil.example"] {
                let page = format!("{path}{query}{fragment}");
                assert_eq!(judge_return_to(&page), page);
            }
        }
    }
}
