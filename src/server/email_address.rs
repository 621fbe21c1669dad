//! Addresses and domains in the form in which they are compared. What is written in two ways is the same, and what only
//! looks the same is not: whatever is doubtful is no address at all.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization as _;

use crate::visible::{is_blank, is_hidden};

/// An address, without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    local: String,
    /// The part after the one `@`.
    pub(crate) domain: Domain,
}

impl EmailAddress {
    /// Reads an address as in RFC 5321 and 6531, without quotation marks, a display name or `*`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if is_stand_in(text) {
            return None;
        }
        let (local, domain) = text.split_once('@')?;
        let fits = !local.is_empty() && local.chars().all(is_of_local_part);
        Some(Self { local: caseless(local).filter(|_| fits)?, domain: Domain::parse(domain)? })
    }
}

/// The domain of addresses that are none: ClaudeLens needs an address of everybody, and had this one written for those whose
/// provider gives none.
const STAND_IN: &str = "oidc.local";

/// What ClaudeLens reads where there is no address. We neither show, send nor compare it.
#[must_use]
pub fn stand_in(username: &str) -> String {
    format!("{username}@{STAND_IN}")
}

/// Whether that only stands in for an address, whoever wrote it.
#[must_use]
pub fn is_stand_in(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(_, domain)| domain.eq_ignore_ascii_case(STAND_IN))
}

/// A domain, in ASCII and small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    /// In ASCII and small letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a domain in Unicode or in its ASCII form (`bücher.example`, `xn--bcher-kva.example`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = caseless(text)?;
        let idna = Uts46::new();
        let ascii =
            idna.to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify).ok()?;
        // Only what says it without detours: IDNA would read `example。com` as `example.com`, too, and drop what is not seen.
        let (unicode, _) = idna.to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
        let written = |label: &str, (ascii, unicode): (&str, &str)| label == ascii || label == unicode;
        let labels = ascii.split('.').zip(unicode.split('.'));
        let is_written = text.split('.').count() == ascii.split('.').count()
            && text.split('.').zip(labels).all(|(label, forms)| written(label, forms));
        is_written.then(|| Self(ascii.clone().into_owned()))
    }
}

/// RFC 5321 `atext` and dots, and what is not ASCII (RFC 6531), unless it is not seen or is read as an `@`.
fn is_of_local_part(c: char) -> bool {
    match c {
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "!#$%&'+-/=?^_`{|}~.".contains(c),
        '\u{fe6b}' | '\u{ff20}' => false,
        c => !is_hidden(c) && !is_blank(c),
    }
}

/// Composed, and in small letters, unless a letter would turn into another that is ASCII: neither the Kelvin sign is a `k`
/// nor `İ` an `i`.
fn caseless(text: &str) -> Option<String> {
    let small = |c: char| {
        let turns = !c.is_ascii() && c.to_lowercase().any(|small| small.is_ascii());
        let letters: Vec<_> = match c {
            c if turns => vec![c],
            // The form that a sigma has at the end of a word.
            'ς' => vec!['σ'],
            c => c.to_lowercase().collect(),
        };
        letters
    };
    Some(composed(text)?.chars().flat_map(small).nfc().collect())
}

/// In normal form C; nothing if a character would turn into another that is ASCII, such as the Kelvin sign into a `K`.
pub(crate) fn composed(text: &str) -> Option<String> {
    let turns = |c: char| !c.is_ascii() && std::iter::once(c).nfc().any(|one| one.is_ascii());
    (!text.chars().any(turns)).then(|| text.nfc().collect())
}

/// Texts with the same key are the same: exactly, however their letters are composed, since a provider may write `é` in one
/// character or in two. What cannot be composed is no other's key, which is.
pub(crate) fn composed_key(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { text.into() } else { composed(text).map_or(text.into(), Cow::from) }
}

/// Whether two texts are the same by [`composed_key`].
pub(crate) fn is_same_composed(one: &str, other: &str) -> bool {
    one == other || composed_key(one) == composed_key(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_two_ways_is_the_same() {
        for (one, other) in [
            ("Ada@Example.COM", "ada@example.com"),
            ("JÜRGEN@example.com", "jürgen@example.com"),
            ("ju\u{308}rgen@example.com", "jürgen@example.com"),
            ("JU\u{308}RGEN@example.com", "jürgen@example.com"),
            ("I\u{307}@example.com", "İ@example.com"),
            ("ΑΔΑ@example.com", "αδα@example.com"),
            ("АДА@example.com", "ада@example.com"),
            ("ΝΙΚΟΣ@example.com", "νικος@example.com"),
            ("a@bücher.xn--p1ai", "a@bücher.рф"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("a@BÜCHER.example", "a@XN--BCHER-KVA.EXAMPLE"),
            ("a@bu\u{308}cher.example", "a@bücher.example"),
            ("a@straße.example", "a@xn--strae-oqa.example"),
            ("a@日本.example", "a@xn--wgv71a.example"),
        ] {
            let read = |text| EmailAddress::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read(one), read(other));
        }
    }

    #[test]
    fn what_looks_the_same_is_not() {
        for (one, other) in [
            ("аda@example.com", "ada@example.com"),
            ("ada@exаmple.com", "ada@example.com"),
            ("ıda@example.com", "ida@example.com"),
            ("İda@example.com", "ida@example.com"),
            ("a@ı.example", "a@i.example"),
            ("straße@example.com", "strasse@example.com"),
            ("a@straße.example", "a@strasse.example"),
            ("ſam@example.com", "sam@example.com"),
            ("ﬁn@example.com", "fin@example.com"),
            ("ada@example.com", "ada@example.co"),
            ("ａda@example.com", "ada@example.com"),
            ("jürgen@example.com", "jurgen@example.com"),
        ] {
            let read = |text| EmailAddress::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_ne!(read(one), read(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_doubtful_is_no_address() {
        for text in [
            "",
            "@",
            "a",
            "a@",
            "@example.com",
            "a@evil@example.com",
            "a＠evil.com@example.com",
            "a@example.com.",
            "a@.example.com",
            "a@example..com",
            "a@example。com",
            "a@example．com",
            "a@ｅxample.com",
            "a@exam\u{200b}ple.com",
            "a@exam\u{ad}ple.com",
            "a@exam\u{200d}ple.com",
            "a@example.com\u{3002}",
            "a\u{200b}@example.com",
            "é\u{200d}@example.com",
            "\u{212a}im@example.com",
            "a@\u{212a}.example",
            "a@İ.example",
            "a@ſ.example",
            "a@K℡.example",
            "a@xn--99999999999.example",
            "a@xn--.example",
            "a@-x.example",
            "a@my_domain.example",
            "a@[127.0.0.1]",
            "a@example.com\0",
            "a@example.com ",
            " a@example.com",
            "a b@example.com",
            "*@example.com",
            "mailto:ada@example.com",
            "Ada <ada@example.com>",
            "\"a\"@example.com",
            "a,b@example.com",
            "a@ex%61mple.com",
            "a@*.example.com",
            "a@exa mple.com",
        ] {
            assert_eq!(EmailAddress::parse(text), None, "{text:?}");
        }
        let long = format!("{}.example", "a".repeat(64));
        assert_eq!(Domain::parse(&long), None);
    }

    #[test]
    fn no_other_character_is_taken_for_one_of_ascii() {
        for c in ('\u{80}'..='\u{323af}').chain('\u{e0000}'..='\u{e01ef}') {
            if let Some(address) = EmailAddress::parse(&format!("a{c}b@example.com")) {
                assert!(!address.local.is_ascii(), "{c:?}");
            }
            if let Some(Domain(domain)) = Domain::parse(&format!("a{c}b.example")) {
                assert!(domain.starts_with("xn--"), "{c:?}: {domain}");
            }
        }
    }
}
