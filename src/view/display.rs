//! Names and addresses that others have chosen, made fit to be shown.

use leptos::prelude::*;

use super::texts::around;
use crate::paths;

/// The most characters of a foreign text that are shown.
const SHOWN: usize = 80;

/// A foreign text (a name, an e-mail address, a provider's label) as it may be shown: one line, no characters that
/// hide or reorder what stands beside them, at most 80 characters. An empty one becomes a dash. Escaping is left to
/// the rendering.
#[must_use]
pub fn display_name(text: &str) -> String {
    let mut shown = String::new();
    let mut count = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if deceives(c) {
            continue;
        }
        let room = if gap && count > 0 { 2 } else { 1 };
        if count + room > SHOWN {
            let keep = shown.char_indices().nth(SHOWN - 1).map_or(shown.len(), |(at, _)| at);
            shown.truncate(keep);
            shown.push('…');
            return shown;
        }
        if room == 2 {
            shown.push(' ');
        }
        shown.push(c);
        count += room;
        gap = false;
    }
    if shown.is_empty() { "–".to_owned() } else { shown }
}

/// Controls, bidirectional marks and what has no width (Unicode UTS #39, UAX #9).
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// `template` with a foreign `name` in the place of `{}`, which cannot change the direction of the text around it.
pub(super) fn naming(template: &'static str, name: &str) -> impl IntoView + use<> {
    let (before, after) = around(template);
    // Leptos renders an empty text as a space.
    let text = |text: &'static str| (!text.is_empty()).then_some(text);
    view! { {text(before)}<bdi>{display_name(name)}</bdi>{text(after)} }
}

/// `href` if it leads to our own origin, else the login page: a page must never become an open redirect.
pub(super) fn own_path(href: &str) -> &str {
    let own = href.starts_with('/')
        && !href.starts_with("//")
        && !href.starts_with("/\\")
        && !href.contains(|c: char| c.is_control() || c.is_whitespace());
    if own { href } else { paths::LOGIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_one_short_honest_line() {
        for (name, shown) in [
            ("Ada Lovelace", "Ada Lovelace"),
            ("  Ada\t\r\n Lovelace ", "Ada Lovelace"),
            ("Ad\u{200b}a\u{202e}ecalevoL\u{0}\u{1b}[31m", "AdaecalevoL[31m"),
            ("\u{2066}\u{feff}\u{e0041}", "–"),
            ("", "–"),
            ("Müller-Lüdenscheidt 李", "Müller-Lüdenscheidt 李"),
        ] {
            assert_eq!(display_name(name), shown);
        }
    }

    #[test]
    fn long_names_end_at_eighty_characters() {
        assert_eq!(display_name(&"ä".repeat(80)), "ä".repeat(80));
        for long in ["ä".repeat(81), "ä".repeat(100_000), format!("{} b", "ä".repeat(79))] {
            assert_eq!(display_name(&long), format!("{}…", "ä".repeat(79)));
        }
    }

    #[test]
    fn only_own_paths_are_linked() {
        assert_eq!(own_path("/auth/oidc/login?a=b%20c"), "/auth/oidc/login?a=b%20c");
        for foreign in ["", "//x.test", "/\\x.test", "https://x.test/", "javascript:alert(1)", "/\t/x.test", "/a b"] {
            assert_eq!(own_path(foreign), paths::LOGIN, "{foreign:?}");
        }
    }
}
