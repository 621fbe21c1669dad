//! What is in a text that the eye does not see, or that came with it by mistake.

use crate::visible::{is_blank, is_hidden};

/// Quotation marks that people, shells and office programs put around a value.
pub(super) const QUOTES: [char; 21] =
    ['"', '\'', '`', '“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»', '‹', '›', '＂', '＇', '「', '」', '『', '』'];

/// Whether quotation marks stand at both ends of `text`.
pub(super) fn in_quotes(text: &str) -> bool {
    text.chars().count() > 1 && text.starts_with(QUOTES) && text.ends_with(QUOTES)
}

/// The first character of `text` that cannot be seen, in words that show nothing else of it.
///
/// A joiner or a variation selector is part of how some scripts and emoji are written: it is none right behind a
/// character that is not ASCII, unless `text` is `secret`.
pub(super) fn unseen(text: &str, secret: bool) -> Option<String> {
    let mut before = ' ';
    for (place, c) in (1..).zip(text.chars()) {
        let joins = matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
        if is_damage(c) {
            return Some(format!(
                "has a character in it that stands for a damaged one (U+{:04X}, character {place})",
                u32::from(c)
            ));
        }
        if is_unseen(c) && !(joins && !secret && !before.is_ascii() && !is_unseen(before)) {
            let sort = if c.is_control() { "a control character" } else { "an invisible character" };
            let name = name(c).map(|name| format!(", {name}")).unwrap_or_default();
            return Some(format!("has {sort} in it (U+{:04X}{name}, character {place})", u32::from(c)));
        }
        before = c;
    }
    None
}

/// What stands where a character was lost, and what is none (Unicode 23.7).
fn is_damage(c: char) -> bool {
    c == '\u{fffd}' || matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// What shows nothing, and spaces other than the usual one.
pub(super) fn is_unseen(c: char) -> bool {
    c != ' ' && is_blank(c) || is_hidden(c)
}

/// What those that are met most are called.
fn name(c: char) -> Option<&'static str> {
    Some(match c {
        '\0' => "NUL, as in UTF-16",
        '\t' => "tab",
        '\n' => "line feed",
        '\r' => "carriage return",
        '\u{a0}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero-width space",
        '\u{200c}' | '\u{200d}' => "zero-width joiner or non-joiner",
        '\u{200e}' | '\u{200f}' | '\u{61c}' => "direction mark",
        '\u{2060}' => "word joiner",
        '\u{3000}' => "ideographic space",
        '\u{fe00}'..='\u{fe0f}' => "variation selector",
        '\u{feff}' => "byte order mark",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_eye_does_not_see_is_found() {
        for c in [
            '\0',
            '\t',
            '\n',
            '\r',
            '\u{7f}',
            '\u{85}',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{2003}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2069}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{e0041}',
            '\u{e0100}',
        ] {
            for text in [format!("{c}abc"), format!("a{c}bc"), format!("abc{c}")] {
                let found = unseen(&text, false).unwrap_or_else(|| panic!("{c:?}"));
                assert!(found.contains(&format!("U+{:04X}", u32::from(c))), "{found}");
            }
        }
    }

    #[test]
    fn what_is_written_with_joiners_is_seen_unless_it_is_secret() {
        for text in ["a b", "Jürgen", "می\u{200c}خواهم", "क्\u{200d}ष", "❤\u{fe0f}", "👩\u{200d}👩"]
        {
            assert_eq!(unseen(text, false), None, "{text:?}");
        }
        assert!(unseen("Example\u{200d}", false).is_some());
        assert!(unseen("é\u{200d}\u{200d}", false).is_some());
        assert!(unseen("é\u{200d}a", true).is_some());
    }

    #[test]
    fn quotes_stand_at_both_ends() {
        for text in ["\"a\"", "'a'", "`a`", "“a”", "„a“", "»a«", "‘a’", "\"\""] {
            assert!(in_quotes(text), "{text}");
        }
        for text in ["a", "\"", "\"a", "a'", "a\"b", ""] {
            assert!(!in_quotes(text), "{text}");
        }
    }
}
