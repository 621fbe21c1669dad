//! Names and addresses that others have chosen, made fit to be shown.

use leptos::prelude::*;

use super::texts::around;
use crate::{
    paths,
    visible::{is_hidden, visible},
};

/// The most characters of a foreign text that are shown.
const SHOWN: usize = 80;

/// A foreign text (a name, an e-mail address, a provider's label) as it may be shown: one line, no characters that
/// hide or reorder what stands beside them, at most 80 characters. An empty one becomes a dash. Escaping is left to
/// the rendering.
#[must_use]
pub fn display_name(text: &str) -> String {
    let mut shown = visible(text);
    if shown.is_empty() {
        return "–".to_owned();
    }
    if shown.chars().count() > SHOWN {
        let keep = shown.char_indices().nth(SHOWN - 1).map_or(shown.len(), |(at, _)| at);
        shown.truncate(shown.get(..keep).map_or(0, |kept| kept.trim_end_matches(is_hidden).trim_end().len()));
        shown.push('…');
    }
    shown
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

/// `href` if it is a path of our own or the absolute URL of an application, which the server has judged.
pub(super) fn landing(href: &str) -> &str {
    let is_absolute = href.starts_with("https://") || href.starts_with("http://");
    let is_plain = !href.contains(|c: char| c.is_control() || c.is_whitespace());
    if is_absolute && is_plain { href } else { own_path(href) }
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
