//! `[[app.rule]]`: what is read, each fault, and the warning.

use super::{
    applications::{applications, each_has_one_fault, with},
    load,
};
use crate::server::{
    application::{Access, Rule, RuleAccess, RulePath},
    store::Role,
    telemetry::captured::Log,
};

/// The second of two providers.
const SECOND: &str =
    "[[provider]]\nid = \"second\"\nissuer = \"https://second.test\"\nclient_id = \"app\"\nclient_auth = \"none\"\n";

/// Settings with an application that has these rules.
fn ruled(rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("[[app.rule]]\n{rule}\n")).collect();
    with(&format!("[[app]]\nurl = \"https://wiki.example.com\"\n{rules}"))
}

fn rules(text: &str) -> Vec<Rule> {
    applications(text).remove(0).rules
}

#[test]
fn every_key_of_a_rule() {
    let text = ruled(&[
        "path = \"/public/\"\nmethods = [\"GET\", \"HEAD\"]\naccess = \"anyone\"",
        "path = \"=/robots.txt\"\naccess = \"anyone\"",
        "path = \"/admin/\"\ngroups = [\"admins\"]\nroles = [\"admin\"]\nemails = [\"Ada@example.com\"]\n\
         domains = [\"example.com\"]\nusers = [\"ada\"]\nproviders = [\"op\"]\naddresses = [\"192.0.2.7/24\", \"::1\"]",
        "path = \"/\"\naccess = \"signed_in\"",
    ]);
    let rules = rules(&text);
    let [public, robots, admin, rest] = &rules[..] else { panic!("{rules:?}") };
    assert_eq!(
        (&public.path, &public.methods[..]),
        (&RulePath::Below("/public/".into()), &["GET".into(), "HEAD".into()][..])
    );
    assert!(public.access.opens() && public.addresses.is_empty());
    assert_eq!(robots.path, RulePath::Exactly("/robots.txt".into()));
    let RuleAccess::Members(members) = &admin.access else { panic!("{admin:?}") };
    assert_eq!((&members.groups[..], &members.roles[..]), (&["admins".to_owned()][..], &[Role::Admin][..]));
    assert_eq!((members.emails.len(), members.domains.len(), &members.users[..]), (1, 1, &["ada".to_owned()][..]));
    assert_eq!(members.providers[0].as_str(), "op");
    let addresses: Vec<_> = admin.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["192.0.2.0/24", "::1/128"]);
    assert!(matches!(rest.access, RuleAccess::All(Access::SignedIn)) && admin.methods.is_empty());
}

#[test]
fn paths_and_methods_that_nobody_sends() {
    let path = |path: &str| ruled(&[&format!("path = \"{path}\"\naccess = \"anyone\"")]);
    let neither = "app[0].rule[0].path: is neither /x/ nor =/x";
    let odd = "app[0].rule[0].path: has one of % \\ ; ? # * in it";
    let dots = "app[0].rule[0].path: has // or dots for a segment in it";
    let either = "write \"/x/\" for this path and everything below, or \"=/x\"";
    each_has_one_fault(&[
        (ruled(&["access = \"anyone\""]), "app[0].rule[0].path: is missing", "add path = "),
        (path("/admin"), neither, either),
        (path("admin/"), neither, either),
        (path("=admin"), neither, either),
        (path("^/admin/"), neither, either),
        (path("https://wiki.example.com/admin/"), neither, either),
        (path("="), neither, either),
        (path("/a%20b/"), odd, "once it is decoded"),
        (path("/a\\\\b/"), odd, "once it is decoded"),
        (path("/a;b/"), odd, "once it is decoded"),
        (path("=/a?b"), odd, "without a pattern or a query"),
        (path("=/a#b"), odd, "without a pattern or a query"),
        (path("/a/*/"), odd, "without a pattern or a query"),
        (path("//"), dots, "the path that is meant"),
        (path("/a//b/"), dots, "the path that is meant"),
        (path("/a/../b/"), dots, "the path that is meant"),
        (path("/./"), dots, "the path that is meant"),
        (path("=/a/.."), dots, "the path that is meant"),
        (path("/a\\u0007/"), "app[0].rule[0].path: has a control character in it", "type the value anew"),
        (
            ruled(&["path = \"=/x\"\ngroups = [\"a\"]"]),
            "app[0].rule[0].path: is one exact path, which is only for a rule with access = \"anyone\"",
            "write it as \"/x/\"",
        ),
        (
            ruled(&["path = \"=/\"\naccess = \"anyone\"\naddresses = [\"192.0.2.0/24\"]"]),
            "app[0].rule[0].addresses: is given for path = \"=/\", which would close the whole application",
            "remove addresses",
        ),
    ]);
    for path in ["/", "/a/", "/a.b/", "/..a/", "/a b/", "/ä/"] {
        assert_eq!(
            rules(&ruled(&[&format!("path = \"{path}\"\naccess = \"nobody\"")]))[0].path,
            RulePath::Below(path.into())
        );
    }
    for method in ["get", "Get", "GET POST", "GET,POST", ""] {
        let rule = format!("path = \"/x/\"\naccess = \"anyone\"\nmethods = [\"{method}\"]");
        let faults = load(&ruled(&[&rule]), &[]).unwrap_err();
        assert!(faults.len() == 1 && faults[0].starts_with("app[0].rule[0].methods[0]: is "), "{faults:?}");
    }
}

#[test]
fn rules_that_contradict_themselves() {
    let rule = |rule: &str| ruled(&[&format!("path = \"/x/\"\n{rule}")]);
    let mut cases = vec![
        (rule(""), "app[0].rule[0]: does not say who gets in", "add access, or one of groups, roles"),
        (rule("addresses = [\"::1\"]"), "app[0].rule[0]: does not say who gets in", "add access"),
        (
            rule("access = \"nobody\"\naddresses = [\"::1\"]"),
            "app[0].rule[0].addresses: is given, but access = \"nobody\"",
            "remove one of the two",
        ),
        (
            rule("access = \"anyone\"\nproviders = [\"op\"]"),
            "app[0].rule[0].providers: is given, but it counts for groups, emails, domains and users",
            "remove it",
        ),
        (
            rule("groups = [\"a\"]\nproviders = [\"oq\"]"),
            "app[0].rule[0].providers[0]: is \"oq\", which is no provider's id",
            "write one of: op",
        ),
        (rule("roles = [\"root\"]"), "app[0].rule[0].roles[0]: is \"root\", which is not known", "user, admin"),
        (rule("emails = [\"ada\"]"), "app[0].rule[0].emails[0]: is \"ada\", which is not one", "write it as ada@"),
        (rule("domains = [\"*.a.test\"]"), "app[0].rule[0].domains[0]: is \"*.a.test\", which is not", "example.com"),
        (
            rule("access = \"anyone\"\naddresses = [\"localhost\"]"),
            "app[0].rule[0].addresses[0]: is \"localhost\", neither an address nor a network",
            "write it as 10.0.0.7",
        ),
    ];
    for list in ["groups", "roles", "emails", "domains", "users", "methods", "addresses"] {
        let text = rule(&format!("{list} = []\naccess = \"anyone\""));
        let faults = load(&text, &[]).unwrap_err();
        let line = format!("app[0].rule[0].{list}: is empty; write what it is for, or remove it");
        assert!(faults.iter().any(|fault| fault.starts_with(&line)), "{faults:?}");
    }
    for access in ["anyone", "nobody", "signed_in"] {
        cases.push((
            rule(&format!("access = \"{access}\"\ngroups = [\"a\"]\nusers = [\"ada\"]")),
            "app[0].rule[0].access: is ",
            "keep access alone, or remove it",
        ));
    }
    each_has_one_fault(&cases);
}

#[test]
fn keys_and_tables_in_the_wrong_place() {
    let rule = |rule: &str| ruled(&[&format!("path = \"/x/\"\n{rule}")]);
    each_has_one_fault(&[
        (
            rule("path_ = 1\naccess = \"anyone\""),
            "app[0].rule[0].path_: is not a key",
            "did you mean app[0].rule[0].path?",
        ),
        (rule("acces = \"nobody\""), "app[0].rule[0].acces: is not a key", "did you mean app[0].rule[0].access?"),
        (rule("group = [\"a\"]"), "app[0].rule[0].group: is not a key", "did you mean app[0].rule[0].groups?"),
        (
            rule("access = \"anyone\"\nidentity = []"),
            "app[0].rule[0].identity: is not a key; it stands below [[app.rule]]",
            "move it above the first [[app.rule]] of its [[app]]",
        ),
        (
            rule("access = \"anyone\"").replace("[[app.rule]]", "[[app.rules]]"),
            "app[0].rules: is not a key",
            "did you mean app[0].rule?",
        ),
        (
            rule("access = \"anyone\"").replace("[[app.rule]]", "[app.rule]"),
            "app[0].rule: is not a list of tables",
            "write [[app.rule]]",
        ),
    ]);
}

#[test]
fn with_two_providers_a_rule_says_whose_word_counts() {
    let rule = |rule: &str| ruled(&[&format!("path = \"/x/\"\n{rule}")]) + SECOND;
    let missing = "app[0].rule[0].providers: is missing, and each of the providers op, second could say these";
    each_has_one_fault(&[
        (rule("groups = [\"a\"]"), missing, "as providers = [\"op\"]"),
        (rule("emails = [\"a@b.test\"]\nusers = [\"a\"]"), missing, "name those whose word counts"),
        (rule("domains = [\"b.test\"]"), missing, "name those whose word counts"),
    ]);
    for good in ["groups = [\"a\"]\nproviders = [\"op\", \"second\"]", "roles = [\"admin\"]"] {
        assert_eq!(rules(&rule(good)).len(), 1);
    }
    // What is wrong with a provider is said once.
    let faults = load(&rule("groups = [\"a\"]\nproviders = [\"second\"]").replace("https://second", "second"), &[]);
    assert_eq!(faults.unwrap_err().len(), 1);
}

#[test]
fn a_rule_that_never_decides_is_a_fault() {
    let rule = |path: &str, rest: &str| format!("path = \"{path}\"\n{rest}");
    let (open, close, nobody) = ("access = \"anyone\"", "users = [\"ada\"]", "access = \"nobody\"");
    let get = "access = \"anyone\"\nmethods = [\"GET\", \"HEAD\"]";
    let get_close = "users = [\"ada\"]\nmethods = [\"GET\"]";
    let post_close = "users = [\"ada\"]\nmethods = [\"POST\"]";
    for (rules, covered) in [
        (vec![rule("/x/", open), rule("/x/", close)], true),
        (vec![rule("/x/", open), rule("/x/y/", close)], true),
        (vec![rule("/", close), rule("/x/", open)], true),
        (vec![rule("/x/", close), rule("=/x", open)], true),
        (vec![rule("/X/", close), rule("/x/", open)], true),
        (vec![rule("=/x", open), rule("=/x", get)], true),
        (vec![rule("/x/", close), rule("/x/", get)], true),
        (vec![rule("/x/", get), rule("/x/y/", get_close)], true),
        (
            vec![
                rule("/x/", get_close),
                rule("/x/", post_close),
                rule("/x/", "access = \"nobody\"\nmethods = [\"POST\", \"GET\"]"),
            ],
            true,
        ),
        (vec![rule("/x/y/", close), rule("/x/", open)], false),
        (vec![rule("/x/", open), rule("=/x", open)], false),
        (vec![rule("=/x", open), rule("/x/", close)], false),
        (vec![rule("=/x/", open), rule("/x/", close)], false),
        (vec![rule("/x/", get), rule("/x/", nobody)], false),
        (vec![rule("/x/", get_close), rule("/x/", post_close), rule("/x/", nobody)], false),
        (vec![rule("/x/", get_close), rule("/x/", get)], false),
        (vec![rule("/x/", close), rule("/xy/", open)], false),
    ] {
        let number = rules.len() - 1;
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        match load(&ruled(&rules), &[]) {
            Ok(_) => assert!(!covered, "{rules:?}"),
            Err(faults) => {
                let line = format!("app[0].rule[{number}]: would never decide, since app[0].rule[0] comes first");
                assert!(covered && faults.len() == 1 && faults[0].starts_with(&line), "{rules:?}: {faults:?}");
            }
        }
    }
}

#[test]
fn groups_that_nobody_is_asked_for_are_a_warning() {
    let warned = |text: &str| {
        let (log, _guard) = Log::json();
        load(text, &[]).unwrap_or_else(|faults| panic!("{faults:?}"));
        log.text()
    };
    let both = ruled(&["path = \"/x/\"\nusers = [\"ada\"]", "path = \"/y/\"\ngroups = [\"a\"]"]);
    let log = warned(&both);
    assert_eq!(log.matches("groups_not_asked_for").count(), 1, "{log}");
    assert!(log.contains("\"WARN\"") && log.contains("app[0].rule[1].groups"), "{log}");
    let asked = "client_secret = \"s3cr3t\"\nscopes = [\"openid\", \"groups\"]";
    assert_eq!(warned(&both.replace("client_secret = \"s3cr3t\"", asked)), "");
    // Asked of another provider than the one whose word counts.
    let text = ruled(&["path = \"/y/\"\ngroups = [\"a\"]\nproviders = [\"second\"]"]) + SECOND;
    assert!(warned(&text.replace("client_secret = \"s3cr3t\"", asked)).contains("groups_not_asked_for"));
}
