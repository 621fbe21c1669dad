//! What the eye does not see in a value, in the file, in a variable, and in a secret's own file.

use super::{ClientAuth, KEY, Settings, TempDir, file, load};
use crate::server::telemetry::captured::Log;

const ISSUER: &str = "VESTIBULE_PROVIDER__0__ISSUER";
const UNSEEN: [(char, &str); 9] = [
    ('\u{feff}', "U+FEFF, byte order mark"),
    ('\u{200b}', "U+200B, zero-width space"),
    ('\u{a0}', "U+00A0, no-break space"),
    ('\u{ad}', "U+00AD, soft hyphen"),
    ('\u{2060}', "U+2060, word joiner"),
    ('\u{200f}', "U+200F, direction mark"),
    ('\u{fe0f}', "U+FE0F, variation selector"),
    ('\r', "U+000D, carriage return"),
    ('\n', "U+000A, line feed"),
];

fn with_file(key: &str, content: &[u8]) -> Result<Settings, Vec<String>> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, content).unwrap();
    load(&file("", ""), &[(key, path.to_str().unwrap())])
}

fn lines(loaded: Result<Settings, Vec<String>>) -> Vec<String> {
    loaded.map(|_| ()).expect_err("a fault")
}

#[test]
fn invisible_characters_are_faults_that_show_no_secret() {
    for (c, name) in UNSEEN {
        for text in [format!("{c}hunter2"), format!("hun{c}ter2"), format!("hunter2{c}x")] {
            for (variable, key) in [
                ("VESTIBULE_PROVIDER__0__CLIENT_SECRET", "provider[0].client_secret"),
                ("VESTIBULE_PROVIDER__0__CLIENT_ID", "provider[0].client_id"),
                ("VESTIBULE_SECRET_KEYS", "secret_keys[0]"),
                ("VESTIBULE_DATABASE", "database"),
                ("VESTIBULE_USERS__ALLOWED_GROUPS__0", "users.allowed_groups[0]"),
                ("VESTIBULE_USERS__ALLOWED_EMAILS__0", "users.allowed_emails[0]"),
                (ISSUER, "provider[0].issuer"),
                ("VESTIBULE_PROVIDER__0__ID", "provider[0].id"),
            ] {
                let found = lines(load(&file("", ""), &[(variable, &text)]));
                let secret = ["secret", "database"].iter().any(|word| key.contains(word));
                assert!(found.len() == 1, "{variable} {text:?}: {found:?}");
                let said = found[0].contains(name) || (text.starts_with(c) && found[0].contains("white space"));
                assert!(found[0].starts_with(&format!("{key}: ")) && said, "{variable} {text:?}: {found:?}");
                assert!(!secret || !found[0].contains("ter2"), "{found:?}");
            }
        }
    }
}

#[test]
fn a_character_that_stands_for_a_lost_one_is_a_fault() {
    for c in ['\u{fffd}', '\u{ffff}', '\u{fdd0}', '\u{1fffe}'] {
        for (variable, key) in [
            ("VESTIBULE_PROVIDER__0__CLIENT_SECRET", "provider[0].client_secret"),
            ("VESTIBULE_USERS__ALLOWED_GROUPS__0", "users.allowed_groups[0]"),
        ] {
            let found = lines(load(&file("", ""), &[(variable, &format!("ab{c}"))]));
            let line = format!("{key}: has a character in it that stands for a damaged one (U+{:04X}", u32::from(c));
            assert!(found.len() == 1 && found[0].starts_with(&line), "{found:?}");
        }
    }
}

#[test]
fn a_file_of_a_secret_may_end_its_line_and_holds_nothing_unseen() {
    let secret = |content: &[u8]| with_file("VESTIBULE_PROVIDER__0__CLIENT_SECRET_FILE", content);
    for content in ["hunter2", "hunter2\n", "hunter2\r\n"] {
        let settings = secret(content.as_bytes()).unwrap();
        let ClientAuth::Basic(read) = &settings.providers[0].client_auth else { panic!("a secret") };
        assert_eq!(secrecy::ExposeSecret::expose_secret(read), "hunter2", "{content:?}");
    }
    for (content, what) in [
        (&b"\xef\xbb\xbfhunter2\n"[..], "has an invisible character in it (U+FEFF, byte order mark, character 1)"),
        (b"hunter2\r", "begins or ends with white space"),
        (b"hunter2\n\n", "begins or ends with white space"),
        (b"hunter2\r\n\r\n", "begins or ends with white space"),
        (b"\n", "is empty"),
        (b"", "is empty"),
        (b"hunter2\nhunter2\n", "has a control character in it (U+000A, line feed, character 8)"),
        (b"h\0u\0n\0t\0e\0r\x002\0", "has a control character in it (U+0000, NUL, as in UTF-16, character 2)"),
    ] {
        let found = lines(secret(content));
        assert!(found[0].starts_with(&format!("provider[0].client_secret: {what}")), "{content:?}: {found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
    let found = lines(secret(b"a\x07"));
    assert!(found[0].contains("/secret\", named in VESTIBULE_PROVIDER__0__CLIENT_SECRET_FILE)"), "{found:?}");
    for content in [&b"\xff\xfeh\0u\0n\0"[..], b"\xfe\xff\0h\0u\0n"] {
        let found = lines(secret(content));
        assert!(found[0].contains("is UTF-16, UTF-8 is wanted"), "{found:?}");
    }
    assert!(lines(secret(b"h\xffnter2"))[0].contains("is not UTF-8"));
}

#[test]
fn a_file_of_keys_may_be_written_on_any_system() {
    let keys = |content: &str| with_file("VESTIBULE_SECRET_KEYS_FILE", content.as_bytes());
    for content in [format!("{KEY}\r\n{KEY}\r\n"), format!("{KEY}\n{KEY}"), format!("{KEY},{KEY}\n")] {
        keys(&content).unwrap();
    }
    for (content, what) in [
        (format!("\u{feff}{KEY}\n"), "secret_keys[0]: has an invisible character"),
        (format!("{KEY}\n{KEY}\u{200b}\n"), "secret_keys[1]: has an invisible character"),
        (format!("\"{KEY}\"\n"), "secret_keys[0]: stands in quotes"),
        (format!("{KEY}\n\n{KEY}\n"), "secret_keys[1]: is empty"),
    ] {
        let found = lines(keys(&content));
        assert!(found[0].starts_with(what) && !found[0].contains("AAEC"), "{content:?}: {found:?}");
    }
}

#[test]
fn quotes_about_a_secret_are_a_warning_and_about_anything_else_a_fault() {
    for quoted in ["\"hunter2\"", "'hunter2'", "“hunter2”", "„hunter2“", "«hunter2»"] {
        let (log, _guard) = Log::json();
        let settings = load(&file("", ""), &[("VESTIBULE_PROVIDER__0__CLIENT_SECRET", quoted)]).unwrap();
        assert!(matches!(&settings.providers[0].client_auth, ClientAuth::Basic(_)));
        let log = log.text();
        assert_eq!(log.matches("secret_in_quotes").count(), 1, "{log}");
        assert!(
            log.contains("\"WARN\"") && log.contains("provider[0].client_secret") && !log.contains("hunter2"),
            "{log}"
        );
        for (variable, key) in [
            ("VESTIBULE_PROVIDER__0__CLIENT_ID", "provider[0].client_id"),
            ("VESTIBULE_DATABASE", "database"),
            ("VESTIBULE_USERS__ADMIN_GROUPS__0", "users.admin_groups[0]"),
            (ISSUER, "provider[0].issuer"),
        ] {
            let found = lines(load(&file("", ""), &[(variable, quoted)]));
            assert!(found.len() == 1 && found[0].starts_with(&format!("{key}: stands in quotes")), "{found:?}");
        }
    }
    let (log, _guard) = Log::json();
    load(&file("", ""), &[("VESTIBULE_PROVIDER__0__CLIENT_SECRET", "\"hunter2")]).unwrap();
    assert!(!log.text().contains("quotes"));
}

#[test]
fn a_settings_file_of_any_system_is_read() {
    for text in [file("", "").replace('\n', "\r\n"), format!("\u{feff}{}", file("", ""))] {
        load(&text, &[]).unwrap_or_else(|faults| panic!("{faults:?}"));
    }
}
