use super::*;

fn at(applications: &Applications, method: &str, uri: &str) -> By {
    answer(applications, method, uri).1
}

fn app(access: Access, rules: Vec<Rule>) -> Applications {
    only(application("x.test", access, rules))
}

#[test]
fn the_first_rule_that_matches_decides() {
    let all = app(
        Access::SignedIn,
        vec![
            rule("/a/open/", "", anyone()),
            rule("/a/", "", group("staff")),
            rule("/b/", "GET", group("staff")),
            rule("/b/", "", nobody()),
        ],
    );
    assert_eq!(answer(&all, "GET", "/a/open/x"), (Access::Anyone, By::Rule(0)));
    assert_eq!(answer(&all, "GET", "/a/x"), (Access::SignedIn, By::Rule(1)));
    assert_eq!(answer(&all, "GET", "/b/"), (Access::SignedIn, By::Rule(2)));
    assert_eq!(answer(&all, "POST", "/b/"), (Access::Nobody, By::Rule(3)));
    assert_eq!(answer(&all, "GET", "/c"), (Access::SignedIn, By::Access));
}

#[test]
fn what_opens_matches_exactly_what_it_says() {
    let all =
        app(Access::SignedIn, vec![rule("/a/", "", anyone()), rule("=/b", "", anyone()), rule("=/d/", "", anyone())]);
    for (uri, by) in [
        ("/a/", By::Rule(0)),
        ("/a/x?y", By::Rule(0)),
        ("/a", By::Access),
        ("/A/", By::Access),
        ("/ab/", By::Access),
        ("/b", By::Rule(1)),
        ("/b/", By::Access),
        ("/B", By::Access),
        ("/bc", By::Access),
        ("/d/", By::Rule(2)),
        ("/d", By::Access),
    ] {
        assert_eq!(at(&all, "GET", uri), by, "{uri}");
    }
}

#[test]
fn what_closes_matches_in_any_case_and_without_its_last_slash() {
    let all = app(Access::Anyone, vec![rule("/Straße/", "", nobody()), rule("/kasten/é/", "", nobody())]);
    for (uri, by) in [
        ("/Stra%C3%9Fe/x", By::Rule(0)),
        ("/Straße", By::Rule(0)),
        ("/STRASSE/", By::Rule(0)),
        ("/STRAẞE/", By::Rule(0)),
        ("/straße/", By::Rule(0)),
        ("/\u{17f}traße", By::Rule(0)),
        ("/kasten/é", By::Rule(1)),
        ("/KASTEN/%C3%89/x", By::Rule(1)),
        ("/\u{212a}asten/e\u{301}", By::Rule(1)),
        ("/Strasse1", By::Access),
        ("/kasten/", By::Access),
        ("/kasten/e", By::Access),
        ("/kasten/éa", By::Access),
        ("/", By::Access),
    ] {
        assert_eq!(at(&all, "GET", uri), by, "{uri}");
    }
}

/// An application may take `/DOCS/` for another place than `/docs/`, and then what comes later holds there.
#[test]
fn a_rule_in_another_case_admits_nobody_whom_later_ones_keep_out() {
    let all = app(Access::SignedIn, vec![rule("/Docs/", "", signed_in()), rule("/docs/secret/", "", nobody())]);
    assert_eq!(answer(&all, "GET", "/Docs/secret/"), (Access::SignedIn, By::Rule(0)));
    assert_eq!(answer(&all, "GET", "/docs/secret/"), (Access::Nobody, By::Rule(1)));
    assert_eq!(answer(&all, "GET", "/docs/x"), (Access::SignedIn, By::Rule(0)));
    let closed = app(Access::Nobody, vec![rule("/docs/", "", signed_in())]);
    assert_eq!(answer(&closed, "GET", "/docs"), (Access::SignedIn, By::Rule(0)));
    assert_eq!(answer(&closed, "GET", "/DOCS/"), (Access::Nobody, By::Access));
}

#[test]
fn of_all_readings_the_strictest_answer_holds_and_says_which_it_was() {
    let all = app(
        Access::SignedIn,
        vec![
            rule("/admin/", "", group("admins")),
            rule("/public/", "", anyone()),
            rule("/gone/", "", nobody()),
            rule("/staff/", "", group("staff")),
        ],
    );
    for (uri, access, by, reading) in [
        ("/public/a%2Fb", Access::Anyone, By::Rule(1), "/public/a%2Fb"),
        ("/public/../page", Access::SignedIn, By::Access, "/page"),
        ("/public/%2e%2e/admin/x", Access::SignedIn, By::Rule(0), "/admin/x"),
        ("/admin/../public/x", Access::SignedIn, By::Rule(0), "/admin/../public/x"),
        ("/admin/../gone;x", Access::Nobody, By::Rule(2), "/gone"),
        ("/staff/..%2fadmin/", Access::SignedIn, By::Rule(3), "/staff/..%2fadmin/"),
    ] {
        let asked = Asked::about(first(&all), "GET", uri, None).unwrap();
        let decision = decide(&asked);
        let found = (decision.access, decision.by.by, decision.by.reading);
        assert_eq!(found, (access, by, reading), "{uri}");
    }
    let both = "/staff/..%2fadmin/";
    assert!(admitted(&all, both, &person("ada", &["staff", "admins"])));
    assert!(!admitted(&all, both, &person("ada", &["staff"])) && !admitted(&all, both, &person("ada", &["admins"])));
    let asked = Asked::about(first(&all), "GET", both, None).unwrap();
    let out = decide(&asked).admits(|| person("ada", &["staff"])).unwrap_err();
    assert_eq!((out.by, out.reading), (By::Rule(0), "/admin/"), "what keeps them out");
}

#[test]
fn what_is_unreadable_is_denied_where_a_rule_has_a_path() {
    for uri in ["/%00", "/%ff", "/%252f", "/100%"] {
        assert!(matches!(answer(&wiki(), "GET", uri), (Access::Nobody, By::Unreadable(_))), "{uri}");
        let no_rules = app(Access::SignedIn, vec![]);
        assert_eq!(answer(&no_rules, "GET", uri), (Access::SignedIn, By::Access), "{uri}");
        let everywhere = app(Access::SignedIn, vec![rule("/", "POST", nobody()), rule("/", "", anyone())]);
        assert_eq!(answer(&everywhere, "GET", uri), (Access::Anyone, By::Rule(1)), "{uri}");
    }
}

fn overridden(applications: &Applications, method: &str, uri: &str) -> (Access, By) {
    let site = first(applications);
    let mut asked = Asked::about(site, method, uri, None).unwrap();
    asked.overridden = true;
    let decision = decide(&asked);
    (decision.access, decision.by.by)
}

#[test]
fn another_method_in_a_header_opens_nothing_and_passes_nothing_that_is_closed() {
    let opens = app(Access::SignedIn, vec![rule("/a/", "GET|HEAD", anyone()), rule("/b/", "", anyone())]);
    assert_eq!(answer(&opens, "GET", "/a/").0, Access::Anyone);
    assert_eq!(answer(&opens, "POST", "/a/").0, Access::SignedIn);
    assert_eq!(overridden(&opens, "GET", "/a/"), (Access::SignedIn, By::Access));
    assert_eq!(overridden(&opens, "GET", "/b/"), (Access::Anyone, By::Rule(1)), "it opens every method");

    let closes = app(Access::Anyone, vec![rule("/a/", "POST", group("editors")), rule("/a/", "DELETE", nobody())]);
    assert_eq!(answer(&closes, "POST", "/a/"), (Access::SignedIn, By::Rule(0)));
    assert_eq!(answer(&closes, "GET", "/a/"), (Access::Anyone, By::Access));
    for method in ["GET", "POST", "DELETE"] {
        assert_eq!(overridden(&closes, method, "/a/"), (Access::Nobody, By::Rule(1)), "{method}: it may be any");
    }
}

#[test]
fn head_is_closed_where_get_is() {
    let all = app(
        Access::Anyone,
        vec![rule("/a/", "GET", group("staff")), rule("/b/", "GET", anyone()), rule("/b/", "", nobody())],
    );
    assert_eq!(answer(&all, "HEAD", "/a/"), (Access::SignedIn, By::Rule(0)));
    assert_eq!(answer(&all, "POST", "/a/"), (Access::Anyone, By::Access));
    assert_eq!(answer(&all, "HEAD", "/b/"), (Access::Nobody, By::Rule(2)), "what opens GET opens GET alone");
}

#[test]
fn from_elsewhere_a_rule_with_addresses_admits_nobody() {
    let with = |access: RuleAccess| {
        let addresses =
            vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap(), "127.0.0.0/8".parse().unwrap()];
        app(Access::Anyone, vec![Rule { addresses, ..rule("/a/", "", access) }])
    };
    for (access, inside) in
        [(anyone(), Access::Anyone), (signed_in(), Access::SignedIn), (group("staff"), Access::SignedIn)]
    {
        let all = with(access);
        let from = |client: Option<&str>| {
            let client = client.map(|client| client.parse().unwrap());
            let asked = Asked::about(first(&all), "GET", "/a/x", client).unwrap();
            let decision = decide(&asked);
            (decision.access, decision.by.by)
        };
        for client in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"] {
            assert_eq!(from(Some(client)), (inside, By::Rule(0)), "{client}");
        }
        for client in [Some("198.51.100.7"), Some("2001:db9::1"), None] {
            assert_eq!(from(client), (Access::Nobody, By::Addresses(0)), "{client:?}");
        }
    }
    let open = with(anyone());
    for path in ["/A/x", "/a", "/x/../a/"] {
        let asked = Asked::about(first(&open), "GET", path, Some([198, 51, 100, 7].into())).unwrap();
        assert_eq!(decide(&asked).by.by, By::Addresses(0), "{path}: from elsewhere it closes as others do");
    }
    let all = with(signed_in());
    let mut headers = said("/a/");
    headers.insert("x-forwarded-host", "x.test".parse().unwrap());
    headers.remove("x-forwarded-for");
    let asked = ask(&headers, &all).unwrap();
    assert_eq!(decide(&asked).by.by, By::Addresses(0), "a proxy that names no client is not the client");
}

#[test]
fn any_of_groups_roles_emails_domains_and_users_admits() {
    let email = EmailAddress::parse("ada@example.com").unwrap();
    let ada = Person { role: Role::Admin, email: Some(&email), ..person("ada", &["Entwu\u{308}rfe"]) };
    let nothing = Members::default;
    let members = |members: Members| app(Access::Nobody, vec![rule("/", "", RuleAccess::Members(members))]);
    let address = |text| vec![EmailAddress::parse(text).unwrap()];
    for (is_in, given) in [
        (true, Members { groups: vec!["other".into(), "Entwürfe".into()], ..nothing() }),
        (true, Members { roles: vec![Role::Admin], ..nothing() }),
        (true, Members { emails: address("ADA@example.com"), ..nothing() }),
        (true, Members { domains: vec![Domain::parse("example.com").unwrap()], ..nothing() }),
        (true, Members { users: vec!["bob".into(), "ada".into()], ..nothing() }),
        (true, Members { users: vec!["ada".into()], groups: vec!["other".into()], ..nothing() }),
        (false, nothing()),
        (false, Members { groups: vec!["Entwurfe".into()], ..nothing() }),
        (false, Members { roles: vec![Role::User], ..nothing() }),
        (false, Members { emails: address("bob@example.com"), ..nothing() }),
        (false, Members { domains: vec![Domain::parse("example.org").unwrap()], ..nothing() }),
        (false, Members { users: vec!["Ada".into(), "ada ".into()], ..nothing() }),
    ] {
        assert_eq!(admitted(&members(given.clone()), "/", &ada), is_in, "{given:?}");
    }
}

#[test]
fn only_the_providers_that_are_named_have_a_word_about_anything_but_roles() {
    let email = EmailAddress::parse("ada@example.com").unwrap();
    let [ours, other] = ["op", "other"].map(ProviderId::new);
    let by = |provider| Person { email: Some(&email), provider, ..person("ada", &["staff"]) };
    let providers = || vec![ours.clone()];
    for (counts, members) in [
        (true, Members { groups: vec!["staff".into()], providers: providers(), ..Members::default() }),
        (true, Members { emails: vec![email.clone()], providers: providers(), ..Members::default() }),
        (true, Members { domains: vec![email.domain.clone()], providers: providers(), ..Members::default() }),
        (true, Members { users: vec!["ada".into()], providers: providers(), ..Members::default() }),
        (false, Members { roles: vec![Role::User], providers: providers(), ..Members::default() }),
    ] {
        let all = app(Access::SignedIn, vec![rule("/", "", RuleAccess::Members(members.clone()))]);
        assert!(admitted(&all, "/", &by(&ours)), "{members:?}");
        assert_eq!(admitted(&all, "/", &by(&other)), !counts, "{members:?}");
    }
}

#[test]
fn a_rule_that_can_never_decide_is_found() {
    let covered = |earlier: (&str, &str, RuleAccess), later: (&str, &str, RuleAccess)| {
        covers(&rule(earlier.0, earlier.1, earlier.2), &rule(later.0, later.1, later.2))
    };
    for (is_covered, earlier, later) in [
        (true, ("/", "", anyone()), ("/a/", "", nobody())),
        (true, ("/a/", "", anyone()), ("/a/", "", nobody())),
        (true, ("/a/", "", anyone()), ("/a/b/", "GET", nobody())),
        (true, ("/a/", "GET|HEAD", anyone()), ("/a/b/", "GET", nobody())),
        (true, ("/a/", "", nobody()), ("=/a/b", "", anyone())),
        (true, ("/a/", "", nobody()), ("=/a", "", anyone())),
        (true, ("/A/", "", nobody()), ("/a/b/", "", anyone())),
        (true, ("/A/", "", anyone()), ("/a/b/", "", nobody())),
        (true, ("=/a", "", anyone()), ("=/a", "", anyone())),
        (false, ("/a/", "", anyone()), ("=/a", "", anyone())),
        (false, ("=/a", "", anyone()), ("/a/", "", nobody())),
        (false, ("=/a", "", anyone()), ("/", "", nobody())),
        (false, ("/a/b/", "", anyone()), ("/a/", "", nobody())),
        (false, ("/a/", "", anyone()), ("/ab/", "", nobody())),
        (false, ("/a/", "GET", anyone()), ("/a/", "", nobody())),
        (false, ("/a/", "GET", anyone()), ("/a/", "GET|POST", nobody())),
        (false, ("/a/", "GET", nobody()), ("/a/", "HEAD", anyone())),
    ] {
        assert_eq!(covered(earlier.clone(), later.clone()), is_covered, "{earlier:?} {later:?}");
    }
}
