use proptest::prelude::*;

use super::{readers::assert_that_nobody_is_fooled, *};

/// What confuses somebody …
const MARKS: [&str; 25] = [
    "/", "/", "/", "//", "\\", "%2f", "%5C", "/.", "/..", "/../", "/./", "/%2e", "/%2E%2e", "/.%2e/", "/..;", "/..;/",
    ";", ";/", "%3b", "?", "%3f", "#", "%23", "", "/;",
];

/// … and what is worth hiding in it.
const WORDS: [&str; 24] = [
    "", "", "public", "public", "PUBLIC", "%70ublic", "admin", "admin", "Admin", "%61dmin", "a", "A", "%41", "x",
    "secret", "%00", "%ff", "%252f", "%25", "%", "é", "%C3%A9", "%20", "%40",
];

const PATHS: [&str; 11] = [
    "/",
    "/public/",
    "/Public/",
    "/public/x/",
    "/admin/",
    "/public/admin/",
    "/a/",
    "=/a",
    "=/public",
    "=/",
    "/secret/",
];

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"];

fn some_path() -> impl Strategy<Value = String> {
    let piece = (proptest::sample::select(&WORDS[..]), proptest::sample::select(&MARKS[..]));
    let pieces = proptest::collection::vec(piece, 1..6);
    pieces.prop_map(|pieces| pieces.iter().fold("/".to_owned(), |path, (word, mark)| path + word + mark))
}

fn some_rule() -> impl Strategy<Value = Rule> {
    let access = proptest::sample::select(vec![
        anyone(),
        anyone(),
        signed_in(),
        nobody(),
        group("admins"),
        group("staff"),
        RuleAccess::Members(Members { users: vec!["ada".into()], ..Members::default() }),
    ]);
    let methods = proptest::sample::select(vec!["", "", "", "GET", "GET|HEAD", "POST", "PUT|DELETE"]);
    let path = proptest::sample::select(&PATHS[..]);
    let addresses =
        proptest::sample::select(vec![vec![], vec![], vec!["203.0.113.0/24".parse().unwrap()], trusted().to_vec()]);
    (path, methods, access, addresses).prop_map(|(path, methods, access, addresses)| {
        let path = if access.opens() { path } else { path.trim_start_matches('=') };
        let path = if path.ends_with('/') || access.opens() { path.to_owned() } else { format!("{path}/") };
        Rule { addresses, ..rule(&path, methods, access) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// What the gate opens, and whom it admits, every program on the way would, too, on the path that it reads.
    #[test]
    fn what_is_let_in_as_one_path_is_served_as_no_other(
        path in some_path(),
        rules in proptest::collection::vec(some_rule(), 0..5),
        access in proptest::sample::select(vec![Access::Anyone, Access::SignedIn, Access::Nobody]),
        method in proptest::sample::select(&METHODS[..]),
        other in proptest::option::of(proptest::sample::select(&METHODS[..])),
    ) {
        let applications = only(application("wiki.example.com", access, rules));
        let mut headers = said(&path);
        headers.insert("x-forwarded-method", method.parse().unwrap());
        if let Some(other) = other {
            headers.insert("x-http-method-override", other.parse().unwrap());
        }
        let asked = ask(&headers, &applications).unwrap();
        // What serves a HEAD as a GET does so without a header, too.
        let get = (method == "HEAD" || other == Some("HEAD")).then_some("GET");
        let methods: Vec<_> = [method].into_iter().chain(other).chain(get).collect();
        let people = [person("ada", &[]), person("bob", &["staff"]), person("eve", &["staff", "admins"])];
        assert_that_nobody_is_fooled(&asked, &methods, &people);
    }

    /// A path without anything that confuses is decided by its letters alone.
    #[test]
    fn a_plain_path_is_borrowed_and_read_in_one_way(
        path in "(/[a-zA-Z0-9_~-][a-zA-Z0-9_.~-]{0,8}){1,5}/?",
        query in "[!-~]{0,9}",
    ) {
        let uri = format!("{path}?{query}");
        let readings = Readings::of(&uri).unwrap();
        prop_assert_eq!(readings.iter().collect::<Vec<_>>(), [path.as_str()]);
        // And costs nothing.
        prop_assert_eq!(readings.iter().next().map(str::as_ptr), Some(uri.as_ptr()));
    }

    /// Whatever is asked about, there is an answer, and only capitals, one host and one path are a question.
    #[test]
    fn any_question_is_answered(
        method in "\\PC{0,9}",
        host in "[a-zA-Z0-9.:@,\\[\\]_%*-]{0,24}",
        uri in "\\PC{0,24}",
    ) {
        let mut headers = said("/");
        for (name, value) in [("x-forwarded-method", method), ("x-forwarded-host", host), ("x-forwarded-uri", uri)] {
            if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(name, value);
            }
        }
        let applications = wiki();
        if let Ok(asked) = ask(&headers, &applications) {
            prop_assert!(asked.uri.starts_with('/'));
            let _ = decide(&asked);
        }
    }
}
