//! Pages of applications, which are on other origins.

use super::*;
use crate::server::fuzzing::applications;

fn judged(asked: &str) -> (ReturnTo, Option<Dropped>) {
    ReturnTo::sanitize(Some(asked), &PublicUrl::parse("https://rp.example").unwrap(), applications())
}

#[test]
fn what_cannot_be_landed_on_is_the_first_page_of_its_application() {
    let long = format!("https://other.example:8443/{}", "x".repeat(limits::RETURN_TO));
    for (asked, home, why) in [
        ("https://app.example/auth/logout", "https://app.example/", Dropped::Ours),
        ("https://other.example:8443/door/x", "https://other.example:8443/", Dropped::Ours),
        ("https://x.apps.example/SIGN/in", "https://x.apps.example/", Dropped::Ours),
        (&long, "https://other.example:8443/", Dropped::TooLong),
    ] {
        assert_eq!(judged(asked), (ReturnTo(home.into()), Some(why)), "{asked:.60}");
    }
    // Where our pages are elsewhere, these are the application's own, and its paths like ours on the login host, too.
    for kept in [
        "https://other.example:8443/auth/logout",
        "https://app.example/login",
        "https://app.example/healthz",
        "https://app.example/doors",
        "https://app.example//x",
    ] {
        assert_eq!(judged(kept), (ReturnTo(kept.into()), None));
    }
}

#[test]
fn a_page_belongs_to_the_application_at_its_origin_as_long_as_there_is_one() {
    let site = |page: &ReturnTo| page.site(applications()).map(|site| site.origin.to_string());
    for (asked, origin) in [
        ("https://app.example/x", "https://app.example"),
        ("https://other.example:8443/x", "https://other.example:8443"),
        ("https://x.apps.example/x", "https://x.apps.example"),
    ] {
        let page = judged(asked).0;
        assert_eq!(site(&page).as_deref(), Some(origin));
        assert!(page.is_configured(applications()));
        assert!(!page.is_configured(&Applications::default()), "{asked}: it is no more");
    }
    // As it may have been kept while the settings were others.
    for other in ["https://other.example/x", "http://app.example/x", "https://gone.example/x"] {
        let page = ReturnTo(other.into());
        assert!(site(&page).is_none() && !page.is_configured(applications()), "{other}");
    }
    assert!(ReturnTo("/x".into()).is_configured(&Applications::default()));
}

#[test]
fn a_page_is_named_from_its_own_host_and_from_ours() {
    let page = judged("https://app.example/a?b=c&d#e").0;
    assert_eq!(page.at("https://app.example"), "/a?b=c&d#e");
    assert_eq!(page.at("https://rp.example"), "https://app.example/a?b=c&d#e");
    assert_eq!(page.path_at("https://app.example"), "/a%3Fb%3Dc%26d%23e");
    assert_eq!(page.own_path(), "/auth/handover?page=https://app.example/a%3Fb%3Dc%26d%23e");
    assert_eq!(page.to_string(), page.as_str());
    let own = judged("/a?b=c").0;
    assert_eq!((own.own_path(), own.at("https://rp.example")), ("/a?b=c".into(), "/a?b=c"));
    assert_ne!(page.fingerprint(), own.fingerprint());
    assert_ne!(own.fingerprint(), [0; 8]);
}

#[test]
fn an_absolute_url_begins_with_its_scheme_and_two_slashes() {
    for text in ["https://x", "HTTP://x", "hTTps://"] {
        assert!(is_absolute(text), "{text}");
    }
    for text in ["", "/x", "https:/x", "http:x", "ftp://x", "xhttps://x", "htt", "https"] {
        assert!(!is_absolute(text), "{text}");
    }
}
