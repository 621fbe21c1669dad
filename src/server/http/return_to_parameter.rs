//! `return_to` as it stands in a query: encoded, as the value of a parameter should be, or as a proxy has it that cannot
//! encode (`?return_to=$request_uri`). docs/return-to.md says the rule to operators.

use percent_encoding::{AsciiSet, percent_decode_str, percent_encode};

use crate::server::sign_in::return_to::is_absolute;

/// The parameters that stood behind `return_to` in links of ours whose `?` was not encoded. Those that came later
/// (`request.rs`) belong to the application there.
const OURS: [&str; 4] = ["provider", "return_to", "prompt", "again"];

/// The value at the beginning of `raw`, which is what follows `return_to=`, and what stands behind it in the query.
///
/// A value that was not encoded is everything to the end, whatever it contains, so it has to be the last parameter. It
/// begins as a path or a URL does, and has a query that no encoder has seen: with a `=` in it, or followed by what is no
/// parameter of ours. Our own links have no `?` in the value; those of releases before had one, but never a `=`.
pub(crate) fn split(raw: &str) -> (String, &str) {
    let (value, behind) = raw.split_once('&').unwrap_or((raw, ""));
    if !value.starts_with('/') && !is_absolute(value) {
        return (decoded(&value.replace('+', " ")), behind);
    }
    let query = value.split_once('?').map(|(_, query)| query);
    if query.is_some_and(|query| query.contains('=') || behind.split('&').any(is_foreign)) {
        return (raw.to_owned(), "");
    }
    // Who encodes one slash encodes the first one, too, unless it was put before what had been encoded with its query.
    let has = |escape: &str| value.to_ascii_uppercase().contains(escape);
    if query.is_none() && has("%2F") && !has("%3F") {
        return (value.to_owned(), behind);
    }
    // Who writes a space as `+` writes a slash as `%2F`: behind a slash it is what it looks like.
    (decoded(value), behind)
}

/// Decoded once. Text in another encoding than UTF-8 stays as it is.
fn decoded(value: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(value).collect();
    percent_encode(&bytes, &AsciiSet::EMPTY).to_string()
}

/// Whether `pair` is a parameter, but none of ours.
fn is_foreign(pair: &str) -> bool {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    !name.is_empty() && !OURS.contains(&name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::server::{
        application::Applications,
        http::request::Parameters,
        ids::ProviderId,
        settings::PublicUrl,
        sign_in::{
            return_to::ReturnTo,
            start::{LoginHint, Prompt, Start},
        },
    };

    fn read(query: &str) -> Parameters {
        Parameters::parse(query)
    }

    fn return_to(query: &str) -> String {
        read(query).return_to.unwrap_or_default()
    }

    #[test]
    fn what_is_not_encoded_is_everything_to_the_end() {
        for (query, meant) in [
            ("return_to=/shop/item?id=7&colour=red", "/shop/item?id=7&colour=red"),
            ("provider=op&return_to=/shop/item?id=7&colour=red", "/shop/item?id=7&colour=red"),
            ("return_to=/a?id=7&provider=acme&prompt=login&again=1", "/a?id=7&provider=acme&prompt=login&again=1"),
            ("return_to=/a?id=7&return_to=/b", "/a?id=7&return_to=/b"),
            ("return_to=/a?flag&colour=red", "/a?flag&colour=red"),
            ("return_to=/a?&x", "/a?&x"),
            ("return_to=/a?q=a%26b%2Fc%0A%5C+d%zz&e=%ff", "/a?q=a%26b%2Fc%0A%5C+d%zz&e=%ff"),
            ("return_to=/a%2Fb%20c?q=%C3%BC&&x", "/a%2Fb%20c?q=%C3%BC&&x"),
            ("return_to=https://rp.example/a?b=c&d=e", "https://rp.example/a?b=c&d=e"),
            ("return_to=HTTPS://RP.EXAMPLE/a?b=c&d=e", "HTTPS://RP.EXAMPLE/a?b=c&d=e"),
            (
                "return_to=/a?next=https%3A%2F%2Frp.example%2F%3Fx%3D1&y=2",
                "/a?next=https%3A%2F%2Frp.example%2F%3Fx%3D1&y=2",
            ),
        ] {
            let parameters = read(query);
            assert_eq!(parameters.return_to.as_deref(), Some(meant), "{query}");
            assert_eq!((parameters.prompt, parameters.again), (None, None), "{query}");
        }
        assert_eq!(read("provider=op&return_to=/a?b=c").provider.as_deref(), Some("op"));
    }

    #[test]
    fn what_is_encoded_ends_where_the_value_ends() {
        for (query, meant) in [
            // As encodeURIComponent, Python's quote and quote_plus, Go's QueryEscape and Spring's query parameters write it.
            ("return_to=%2Fshop%2Fitem%3Fid%3D7%26colour%3Dred&provider=op", "/shop/item?id=7&colour=red"),
            ("return_to=/shop/item%3Fid%3D7%26colour%3Dred&provider=op", "/shop/item?id=7&colour=red"),
            ("return_to=%2Fa%3Fq%3Da+b&provider=op", "/a?q=a b"),
            ("return_to=/a?q%3Da%26b&provider=op", "/a?q=a&b"),
            ("return_to=/a?q%3Da%2526b&provider=op", "/a?q=a%26b"),
            ("return_to=https%3A%2F%2Frp.example%2Fa%3Fb%3Dc&provider=op", "https://rp.example/a?b=c"),
            ("return_to=/a&provider=op", "/a"),
            ("return_to=/a+b%20c&provider=op", "/a+b c"),
            ("return_to=/caf%E9&provider=op", "/caf%E9"),
            ("return_to=%2Fcaf%E9%2F%C3%BC&provider=op", "/caf%E9/%C3%BC"),
            ("return_to=%252Fa&provider=op", "%2Fa"),
            ("return_to=/shop%2Fitem%3Fid%3D7&provider=op", "/shop/item?id=7"),
            // A path that was not encoded is as good as one that was.
            ("return_to=/files/a%2fb%20c&provider=op", "/files/a%2fb%20c"),
            ("return_to=https://rp.example/a%2Fb&provider=op", "https://rp.example/a%2Fb"),
            ("return_to=x?y=z&provider=op", "x?y=z"),
            ("return_to=&provider=op", ""),
            ("return_to&provider=op", ""),
            ("provider=op&return_to=%2Fa&return_to=%2Fb", "/a"),
            ("x=%ff&provider=op&return%5Fto=%2Fa", "/a"),
        ] {
            let parameters = read(query);
            assert_eq!(parameters.return_to.as_deref(), Some(meant), "{query}");
            assert_eq!(parameters.provider.as_deref(), Some("op"), "{query}");
        }
        assert_eq!(read("return_to[]=/a").return_to, None);
    }

    /// As the releases before encoded it: a `?` stayed.
    fn as_before(path: &str) -> String {
        path.replace("%3F", "?")
    }

    proptest! {
        #[test]
        fn our_own_links_mean_what_they_meant(asked in "/[ -~ü\u{85}\t]{0,60}", other_account: bool, clicked: bool, hint: bool) {
            let (page, _) = ReturnTo::sanitize(Some(&asked), &PublicUrl::parse("https://rp.example").unwrap(), &Applications::default());
            let prompt = if other_account { Prompt::AnotherAccount } else { Prompt::Usual };
            let hint = hint.then(|| LoginHint::read("ada&return_to=/x@example.com").unwrap());
            let start = Start { prompt, clicked, login_hint: hint.clone(), ..Start::new(ProviderId::new("op"), page.clone()) };
            let path = start.path();
            // Those of releases before had no hint.
            let before = hint.is_none().then(|| as_before(&path));
            for path in std::iter::once(path).chain(before) {
                let parameters = read(path.split_once('?').unwrap().1);
                prop_assert_eq!(parameters.provider.as_deref(), Some("op"));
                prop_assert_eq!(parameters.return_to.as_deref(), Some(page.as_str()));
                prop_assert_eq!((parameters.prompt.is_some(), parameters.again.is_some()), (other_account, clicked));
                prop_assert_eq!(parameters.login_hint.as_deref(), hint.as_ref().map(LoginHint::as_str));
            }
        }

        #[test]
        fn it_leads_to_our_own_origin_whatever_it_is(raw in ".{0,80}", begins in "(/|//|/%09/|%2F|https://rp.example|)") {
            let own = url::Url::parse("https://rp.example").unwrap();
            let public_url = PublicUrl::parse("https://rp.example").unwrap();
            let (page, _) = ReturnTo::sanitize(Some(&return_to(&format!("return_to={begins}{raw}"))), &public_url, &Applications::default());
            let url = own.join(page.as_str()).unwrap();
            prop_assert_eq!(url.origin(), own.origin());
            prop_assert!(page.as_str().starts_with('/') && !page.as_str().starts_with("//"));
            prop_assert!(page.as_str().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{}", page.as_str());
            // It stays what it is.
            prop_assert_eq!(ReturnTo::sanitize(Some(page.as_str()), &public_url, &Applications::default()), (page, None));
        }

        #[test]
        fn a_request_uri_arrives_as_it_is(path in "/[a-z0-9/%2]{0,20}", query in "[a-z]{1,5}=[!-~&&[^#\"<>\\\\]]{0,40}") {
            let uri = format!("{path}?{query}");
            prop_assert_eq!(return_to(&format!("return_to={uri}")), uri);
        }
    }
}
