use super::*;

/// oauth2-proxy GHSA-7x63-xv5r-3p2x (CVE-2026-40575): the path was taken from a header that anybody could send.
#[test]
fn ghsa_7x63_the_path_is_not_the_clients_to_name() {
    let peer = [198, 51, 100, 7].into();
    assert_eq!(forwarded(peer, &said("/public/"), trusted(), &wiki()).unwrap_err(), Denied::UntrustedProxy(peer));
    for (name, value) in [
        ("X-Original-URL", "https://wiki.example.com/public/"),
        ("X-Original-URI", "/public/"),
        ("X-Original-Method", "OPTIONS"),
        ("X-Rewrite-URL", "/public/"),
        ("X-Forwarded-Path", "/public/"),
        ("X-Forwarded-Prefix", "/public"),
        ("X-Forwarded-Server", "open.example.org"),
        ("X-Forwarded-Port", "80"),
        ("X-Host", "open.example.org"),
        ("Forwarded", "host=open.example.org;proto=http"),
        ("Host", "open.example.org"),
    ] {
        let mut headers = said("/admin/");
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        let asked_about = |headers: &HeaderMap| {
            let applications = wiki();
            let asked = ask(headers, &applications).unwrap();
            let decision = decide(&asked);
            (asked.site.host.to_string(), asked.method.to_owned(), decision.by.reading.to_owned(), decision.by.by)
        };
        assert_eq!(asked_about(&headers), asked_about(&said("/admin/")), "{name} beside");
        for missing in ["x-forwarded-uri", "x-forwarded-host", "x-forwarded-method"] {
            let mut headers = headers.clone();
            headers.remove(missing);
            assert_eq!(
                ask(&headers, &wiki()).unwrap_err().problem().code(),
                "proxy_misconfigured",
                "{name} for {missing}"
            );
        }
    }
}

/// oauth2-proxy GHSA-vjrc-mh2v-45x6 (CVE-2025-64484), Traefik GHSA-5m6w-wvh7-57vm (CVE-2026-39858): `_` was taken for `-`.
#[test]
fn ghsa_vjrc_an_underscore_is_no_dash_and_two_are_not_one() {
    for name in ["X_Forwarded_Uri", "X-Forwarded_Uri", "x_forwarded-uri"] {
        let mut headers = said("/admin/");
        headers.insert(name.parse::<HeaderName>().unwrap(), "/public/".parse().unwrap());
        assert_eq!(ask(&headers, &wiki()).unwrap().uri, "/admin/", "{name}");
        headers.remove("x-forwarded-uri");
        assert_eq!(ask(&headers, &wiki()).unwrap_err(), Denied::Missing(Said::Uri), "{name}");
    }
    let mut headers = said("/admin/");
    headers.append("X-FORWARDED-URI".parse::<HeaderName>().unwrap(), "/public/".parse().unwrap());
    assert_eq!(ask(&headers, &wiki()).unwrap_err(), Denied::Doubled(Said::Uri));
}

/// Fabio CVE-2025-48865: `Connection` named a header, and the proxy took it away.
#[test]
fn cve_2025_48865_what_connection_takes_away_is_missing() {
    let mut headers = said("/admin/");
    headers.insert("connection", "close, X-Forwarded-Host, X-Forwarded-Uri".parse().unwrap());
    assert_eq!(ask(&headers, &wiki()).unwrap().uri, "/admin/");
    for taken in ["x-forwarded-host", "x-forwarded-uri", "x-forwarded-method", "x-forwarded-proto"] {
        let mut headers = headers.clone();
        headers.remove(taken);
        assert_eq!(ask(&headers, &wiki()).unwrap_err().problem().code(), "proxy_misconfigured", "{taken}");
    }
    headers.remove("x-forwarded-for");
    assert_eq!(ask(&headers, &wiki()).unwrap().client(), None, "not the proxy's own address");
}

/// Traefik GHSA-6384-m2mw-rf54 and GHSA-6jwx-7vp4-9847: the proxy decided on one path and the application served another.
#[test]
fn ghsa_6384_the_path_that_is_decided_on_is_the_one_that_is_served() {
    for path in [
        "/public/../admin/",
        "/public/%2e%2e/admin/",
        "/public/%2E./admin/",
        "/public/..%2fadmin/",
        "/public%2f..%2fadmin%2f",
        "/public/..\\admin\\",
        "/public/..%5cadmin%5c",
        "/public/..;/admin/",
        "/public/..;a=b/admin/",
        "/public/..%3b/admin/",
        "/public//../../admin/",
        "/public/x/..//..//admin/",
        "/public/%61/../../%61dmin/",
        "/public/../%41DMIN/",
        "/public/..#/admin/",
        "/public/..%23/../admin/",
    ] {
        let applications = wiki();
        let headers = said(path);
        let asked = ask(&headers, &applications).unwrap();
        let decision = decide(&asked);
        assert_ne!(decision.access, Access::Anyone, "{path}");
        assert!(
            decision.admits(|| person("ada", &[])).is_err() || path.contains('#') || path.contains("%23"),
            "{path}"
        );
    }
}

/// oauth2-proxy GHSA-7rh7-c77v-6434 (query) and GHSA-pxq7-h93f-9jrg (fragment): what opens was found behind the path.
#[test]
fn ghsa_7rh7_ghsa_pxq7_neither_query_nor_fragment_opens_anything() {
    for path in [
        "/admin/?/public/",
        "/admin/?x=/public/",
        "/admin?/../public/",
        "/page?../public/",
        "/admin/#/public/",
        "/admin#/../public/",
        "/page#/public/",
        "/admin/%3f/../../public/",
        "/admin/%23/../../public/",
        "/?/public/",
    ] {
        assert_ne!(at_wiki(path), Access::Anyone, "{path}");
    }
    let exactly = only(application("x.test", Access::SignedIn, vec![rule("=/ping", "", anyone())]));
    assert_eq!(answer(&exactly, "GET", "/ping?x=/admin/").0, Access::Anyone);
    for path in
        ["/pingx", "/ping/", "/ping/x", "/x/ping", "/x?/ping", "/x#/ping", "//ping", "/ping#x", "/ping;x", "/PING"]
    {
        assert_eq!(answer(&exactly, "GET", path).0, Access::SignedIn, "{path}");
    }
}

/// oauth2-proxy GHSA-5hvv-m4w4-gf6v: whoever called themselves a health check got in.
#[test]
fn ghsa_5hvv_no_user_agent_opens_anything() {
    for agent in ["GoogleHC/1.0", "kube-probe/1.29", "ELB-HealthChecker/2.0", "Vestibule"] {
        let mut headers = said("/ping");
        headers.insert("user-agent", agent.parse().unwrap());
        let applications = wiki();
        assert_eq!(decide(&ask(&headers, &applications).unwrap()).access, Access::SignedIn, "{agent}");
    }
}

/// oauth2-proxy GHSA-c5c4-8r6x-56w3, next-auth CVE-2022-35924: addresses that two programs read in two ways.
#[test]
fn ghsa_c5c4_only_a_clean_and_verified_address_is_in_a_domain() {
    let members = Members {
        domains: vec![Domain::parse("corp.com").unwrap()],
        emails: vec![EmailAddress::parse("guest@example.com").unwrap()],
        ..Members::default()
    };
    let applications = only(application("x.test", Access::SignedIn, vec![rule("/", "", RuleAccess::Members(members))]));
    let admits = |email: Option<&str>| {
        let email = email.and_then(EmailAddress::parse);
        admitted(&applications, "/", &Person { email: email.as_ref(), ..person("ada", &[]) })
    };
    for email in ["a@corp.com", "A@CORP.com", "guest@example.com"] {
        assert!(admits(Some(email)), "{email}");
    }
    assert!(!admits(None), "not verified");
    for email in [
        "a@evil@corp.com",
        "x@evil.com,y@corp.com",
        "a@corp.com.evil.com",
        "a@sub.corp.com",
        "a@evilcorp.com",
        "a@corp.com\0",
        " a@corp.com",
        "a@corp.com ",
        "a@c\u{43e}rp.com",
        "a@corp\u{ff0e}com",
        "corp.com",
        "@corp.com",
    ] {
        assert!(!admits(Some(email)), "{email:?}");
    }
}

/// oauth2-proxy GHSA-652x-m2gr-hppm and #3365: a list of groups that was not looked at, and empty names that matched.
#[test]
fn ghsa_652x_a_rule_about_groups_holds_whatever_the_claim() {
    let at = |rule_groups: &[&str], groups: &[&str]| {
        let members =
            Members { groups: rule_groups.iter().map(|one| (*one).to_owned()).collect(), ..Members::default() };
        let all = only(application("x.test", Access::SignedIn, vec![rule("/", "", RuleAccess::Members(members))]));
        admitted(&all, "/", &person("ada", groups))
    };
    assert!(at(&["staff"], &["other", "staff"]));
    for groups in [&[][..], &[""], &["Staff"], &["staff,admins"], &["staff "], &["st"], &["staffs"]] {
        assert!(!at(&["staff"], groups), "{groups:?}");
        assert!(!at(&["staff", "", " "], groups), "{groups:?}");
    }
    assert!(!at(&[], &["staff"]), "a rule that names nobody admits nobody");
    let users = Members { users: vec![String::new()], ..Members::default() };
    let all = only(application("x.test", Access::SignedIn, vec![rule("/", "", RuleAccess::Members(users))]));
    assert!(!admitted(&all, "/", &person("", &[])), "an empty name is nobody's");
}

/// Authelia CVE-2026-48794: `a.B.example.com` was another host to the policy.
#[test]
fn cve_2026_48794_a_host_is_the_same_in_any_case() {
    for host in
        ["wiki.example.com", "wiki.Example.com", "WIKI.EXAMPLE.COM", "Wiki.example.com.", "wIki.example.com.:443"]
    {
        let mut headers = said("/admin/");
        headers.insert("x-forwarded-host", host.parse().unwrap());
        let applications = wiki();
        let asked = ask(&headers, &applications).unwrap();
        assert_eq!(decide(&asked).by.by, By::Rule(0), "{host}");
    }
}

/// `mod_auth_openidc` 07/21: what was decided for one was remembered for another.
#[test]
fn mod_auth_openidc_0721_no_decision_is_remembered_for_another() {
    let (applications, other) = (wiki(), only(application("wiki.example.com", Access::Nobody, vec![])));
    let (admin, ada) = (person("root", &["admins"]), person("ada", &[]));
    for _ in 0..3 {
        assert!(admitted(&applications, "/admin/", &admin));
        assert!(!admitted(&applications, "/admin/", &ada));
        assert!(admitted(&applications, "/page", &ada));
        assert!(!admitted(&other, "/admin/", &admin));
        assert_eq!(at_wiki("/public/"), Access::Anyone);
        assert_eq!(at_wiki("/publi"), Access::SignedIn);
    }
}

/// `mod_auth_openidc` 08/07: a CORS preflight passed, and with it the identity that the client had written into it.
#[test]
fn mod_auth_openidc_0807_a_preflight_passes_without_identity_and_not_everywhere() {
    let preflight = [("Origin", "https://other.test"), ("Access-Control-Request-Method", "PUT")];
    let rules = || vec![rule("/closed/", "", nobody()), rule("/admin/", "", group("admins"))];
    let asks = |application: Application, method: &str, path: &str, more: &[(&str, &str)]| {
        let mut all = said(path);
        all.insert("x-forwarded-host", "x.test".parse().unwrap());
        all.insert("x-forwarded-method", method.parse().unwrap());
        all.extend(headers(more));
        let applications = only(application);
        let asked = ask(&all, &applications).unwrap();
        let decision = decide(&asked);
        (decision.access, decision.by.by)
    };
    let with = |access| Application { preflight: true, ..application("x.test", access, rules()) };
    let (passes, closed) = ((Access::Anyone, By::Preflight), (Access::Nobody, By::Rule(0)));
    assert_eq!(asks(with(Access::SignedIn), "OPTIONS", "/page", &preflight), passes);
    assert_eq!(asks(with(Access::SignedIn), "OPTIONS", "/admin/", &preflight), passes);
    assert_eq!(asks(with(Access::SignedIn), "OPTIONS", "/closed/", &preflight), closed);
    assert_eq!(asks(with(Access::SignedIn), "OPTIONS", "/x/%2e%2e/closed", &preflight), closed);
    assert_eq!(asks(with(Access::Nobody), "OPTIONS", "/page", &preflight), (Access::Nobody, By::Access));
    assert_eq!(asks(with(Access::SignedIn), "OPTIONS", "/%00", &preflight).0, Access::Nobody);
    let unless = (Access::SignedIn, By::Access);
    assert_eq!(asks(with(Access::SignedIn), "GET", "/page", &preflight), unless, "another method");
    assert_eq!(asks(with(Access::SignedIn), "OPTIONS", "/page", &preflight[..1]), unless, "half of it");
    assert_eq!(asks(with(Access::SignedIn), "OPTIONS", "/page", &preflight[1..]), unless, "half of it");
    let overridden = [preflight[0], preflight[1], ("X-HTTP-Method-Override", "DELETE")];
    assert_eq!(
        asks(with(Access::SignedIn), "OPTIONS", "/page", &overridden),
        unless,
        "the application may take it for DELETE"
    );
    let without = application("x.test", Access::SignedIn, rules());
    assert_eq!(asks(without, "OPTIONS", "/page", &preflight), unless, "not asked for");
}
