//! Names for new accounts.

use unicode_normalization::{
    UnicodeNormalization as _,
    char::{canonical_combining_class, is_combining_mark},
};

use crate::{
    server::{clock::System, limits, provider::Claims},
    visible::{is_blank, is_hidden},
};

/// Names that would claim a power nobody gave.
const RESERVED: [&str; 4] = ["admin", "administrator", "root", "system"];

/// The names to propose for a new account, the best first: the one it would like, then with a number, and last with
/// random digits, which nobody has.
pub(super) fn proposals(claims: &Claims, subject: &str, system: &System) -> Vec<String> {
    let preferred = preferred(claims, subject);
    // Room for `_` and eight digits.
    let base: String = preferred.chars().take(limits::USERNAME_CHARACTERS - 9).collect();
    let numbered = (2..=limits::USERNAME_NUMBER_MAX).map(|number| format!("{base}_{number}"));
    let random = format!("{base}_{}", hex::encode(system.bytes::<4>()));
    std::iter::once(preferred).chain(numbered).chain([random]).collect()
}

/// What the provider offers, in the order that ClaudeLens had.
fn preferred(claims: &Claims, subject: &str) -> String {
    let whole_name = claims.name.as_deref().map(|name| name.split_whitespace().collect::<String>());
    let local_part = claims.email.as_deref().and_then(|email| email.split('@').next());
    [
        claims.preferred_username.as_deref(),
        claims.username.as_deref(),
        claims.nickname.as_deref(),
        whole_name.as_deref(),
        local_part,
    ]
    .into_iter()
    .flatten()
    .map(usable)
    .find(|name| name.contains(char::is_alphanumeric) && !is_reserved(name))
    .unwrap_or_else(|| format!("user_{}", usable(&subject.chars().take(8).collect::<String>())))
}

/// In one spelling (NFKC), and without what would not be seen or would deceive: control characters, spaces, marks that
/// turn text around. Letters keep their marks, and the joiners that a word of their script cannot do without.
fn usable(name: &str) -> String {
    let mut usable = String::new();
    let mut characters = name.nfkc().take(limits::USERNAME_CHARACTERS).peekable();
    while let Some(c) = characters.next() {
        let kept = match c {
            '\u{200c}' | '\u{200d}' => usable.chars().last().zip(characters.peek().copied()).is_some_and(joins(c)),
            c => {
                !is_hidden(c)
                    && !is_blank(c)
                    && (c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '.' | '_' | '-' | '+' | '@'))
            }
        };
        if kept {
            usable.push(c);
        }
    }
    usable
}

/// Where a joiner between two characters is part of the word (RFC 5892 A.1 and A.2): after a virama, and a non-joiner
/// also between Arabic letters.
fn joins(joiner: char) -> impl Fn((char, char)) -> bool {
    const VIRAMA: u8 = 9;
    let is_arabic = |c| matches!(c, '\u{620}'..='\u{6ff}');
    move |(before, after)| {
        canonical_combining_class(before) == VIRAMA && after.is_alphanumeric()
            || joiner == '\u{200c}' && is_arabic(before) && is_arabic(after)
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| look(reserved) == look(name))
}

/// Names that look the same have the same look: the skeleton of Unicode Technical Standard 39, section 4, without regard
/// to case. Upper case has look-alikes of its own (a Greek capital Nu is an N, its small letter is no n), so they are
/// replaced before and after the case is folded; a capital I becomes an l on the way, so these two count as one.
fn look(name: &str) -> String {
    let replaced = unicode_security::skeleton(name).collect::<String>().to_lowercase();
    unicode_security::skeleton(&replaced).map(|c| if c == 'l' { 'i' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_come_in_the_known_order_and_claim_no_power() {
        let mut claims = Claims {
            name: Some("Alice B. Example".into()),
            preferred_username: Some("alice".into()),
            nickname: Some("ali".into()),
            email: Some("a.b@example.com".into()),
            ..Claims::default()
        };
        assert_eq!(preferred(&claims, "0123456789"), "alice");
        claims.preferred_username = Some("Admin".into());
        assert_eq!(preferred(&claims, "0123456789"), "ali");
        claims.nickname = Some("\u{202e}\n ".into());
        assert_eq!(preferred(&claims, "0123456789"), "AliceB.Example");
        claims.name = None;
        assert_eq!(preferred(&claims, "0123456789"), "a.b");
        assert_eq!(preferred(&Claims::default(), "0123456789"), "user_01234567");
    }

    #[test]
    fn letters_keep_their_marks_and_what_shows_nothing_is_no_name() {
        for (name, username) in [
            ("jose\u{301}", "jos\u{e9}"),
            ("हिन्दी", "हिन्दी"),
            ("กุ้ง", "กุ้ง"),
            ("क्\u{200d}ष", "क्\u{200d}ष"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("ad\u{200d}a", "ada"),
            ("a\u{34f}da\u{fe0f}", "ada"),
            ("👩\u{200d}💻ada", "ada"),
        ] {
            assert_eq!(usable(name), username, "{name:?}");
        }
        for nothing in
            ["\u{3164}", "\u{200b}", "\u{2800}", "\u{301}", "...", "\u{115f}\u{1160}", "\u{ffa0}", "👩\u{200d}💻"]
        {
            let claims = Claims { preferred_username: Some(nothing.into()), ..Claims::default() };
            assert_eq!(preferred(&claims, "0123456789"), "user_01234567", "{nothing:?}");
        }
    }

    #[test]
    fn proposals_begin_with_the_preferred_name_and_end_with_one_that_nobody_has() {
        let named = |name: &str| Claims { preferred_username: Some(name.into()), ..Claims::default() };
        let proposed = |name: &str| proposals(&named(name), "0123456789", &System::real());
        let alice = proposed("alice");
        assert_eq!(alice[..3], ["alice", "alice_2", "alice_3"]);
        assert_eq!(alice.last().map(String::len), Some("alice_01234567".len()));
        assert_ne!(alice.last(), proposed("alice").last());
        assert!(proposed(&"x".repeat(100)).iter().all(|name| name.chars().count() <= limits::USERNAME_CHARACTERS));
    }

    #[test]
    fn a_reserved_name_is_reserved_however_it_is_written() {
        for name in [
            "admin",
            "Admin",
            "ADMIN",
            "\u{430}dmin", // Cyrillic a
            "adm\u{456}n", // Cyrillic i
            "ADMI\u{39d}", // Greek capital Nu
            "Admi\u{39d}",
            "\u{391}DMIN",                              // Greek capital Alpha
            "\u{ff41}\u{ff44}\u{ff4d}\u{ff49}\u{ff4e}", // full width
            "\u{1d41a}dmin",                            // mathematical bold
            "a\u{200b}dmin",                            // with a zero-width space
            "adm1n",
            "r00t",
            "r\u{3bf}ot",          // Greek omicron
            "\u{455}ystem",        // Cyrillic dze
            "Administrat\u{43e}r", // Cyrillic o
        ] {
            assert!(is_reserved(&usable(name)), "{name}");
            let claims = Claims { preferred_username: Some(name.into()), ..Claims::default() };
            assert_eq!(preferred(&claims, "0123456789"), "user_01234567", "{name}");
        }
        for name in ["admin2", "badmin", "alice", "адам", "ada.min", "rooted", "sys"] {
            assert!(!is_reserved(&usable(name)), "{name}");
        }
    }
}
