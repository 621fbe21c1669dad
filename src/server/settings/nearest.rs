//! What an unknown name was meant to be: in the file, and in the environment.

use strsim::{normalized_damerau_levenshtein, osa_distance};

use super::schema::{At, Index, KEYS, Key, Table, prefix};
use crate::server::limits;

/// The variable that filters the log. It is no key, since the log begins before settings are read.
pub(crate) const LOG: &str = "VESTIBULE_LOG";
/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "VESTIBULE_";
/// The same as a word.
const PROGRAM: &str = "vestibule";

/// What a name may have been meant to be.
#[derive(Clone, Copy)]
pub(super) enum Meant {
    Key(At),
    /// A table, in the one with these numbers.
    Table(Table, Index),
    Log,
}

impl Meant {
    /// The words before its name.
    fn table(self) -> String {
        match self {
            Self::Key(at) => at.key.table.names().join("_"),
            Self::Table(table, _) => table.parent().map(|parent| parent.names().join("_")).unwrap_or_default(),
            Self::Log => String::new(),
        }
    }
}

/// An unknown name: how to mend it, and what it was meant to be, if it is like anything.
pub(super) struct Unknown {
    pub(super) fix: String,
    pub(super) meant: Option<Meant>,
}

/// An unknown `name` in a table of the file.
pub(super) fn key(name: &str, table: Table, index: Index) -> Unknown {
    let path = format!("{}{name}", prefix(table, index));
    let tables = table.tables().map(|inner| (inner.name(), Meant::Table(inner, index)));
    let meant = most_like(tables.chain(keys(&words(&path), index)), &path, &words(&path));
    let written = |meant, file| match meant {
        Meant::Key(at) => format!("{at}{}", if file { "_file" } else { "" }),
        Meant::Table(inner, index) => format!("{}{}", prefix(table, index), inner.name()),
        Meant::Log => LOG.to_owned(),
    };
    Unknown { fix: mend(meant, &path, written), meant }
}

/// An unknown variable; nothing if it is none of ours. Ours are all that begin with `VESTIBULE_`, in whatever letters, with
/// a few of them wrong, or without the `_`.
pub(super) fn variable(name: &str) -> Option<Unknown> {
    let path = words(name);
    let (first, rest) = path.split_once('_').unwrap_or((&path, ""));
    let is_ours = osa_distance(first, PROGRAM) <= limits::SETTINGS_PREFIX_EDITS;
    let rest = if is_ours { rest } else { path.strip_prefix(PROGRAM)? };
    if rest.is_empty() && !name.starts_with(PREFIX) {
        return None;
    }
    let mut numbers = name.split('_').filter_map(|part| part.parse().ok());
    let index = Index::default().map(|zero| numbers.next().unwrap_or(zero));
    let log = ["log", "log_level"].map(|name| (name, Meant::Log));
    let meant = most_like(keys(rest, index).chain(log), &name.to_uppercase().replace("__", "."), rest);
    let written = |meant, file| match meant {
        Meant::Key(at) => variable_of(at, file),
        Meant::Table(..) | Meant::Log => LOG.to_owned(),
    };
    Some(Unknown { fix: mend(meant, rest, written), meant })
}

/// The keys that an unknown name of these words may have been meant to be.
fn keys(words: &str, index: Index) -> impl Iterator<Item = (&'static str, Meant)> {
    // Most keys of an application are common words, such as `groups`, and meant where an application is spoken of.
    let of_application = words.starts_with(Table::App.name());
    let is_spoken_of = move |key: &&Key| match key.table {
        Table::App | Table::Rule => of_application || key.name.contains('_'),
        _ => true,
    };
    KEYS.iter().copied().filter(is_spoken_of).map(move |key| {
        let index = key.table.own(index);
        (key.name, Meant::Key(At { key, index }))
    })
}

/// Of `known`, what is most like one of the levels of `path` (between dots), or the `whole` of its words, or what follows the
/// name of a table, or as many of the last words as the name has. Among equals it is the one in the table that was meant.
fn most_like(known: impl Iterator<Item = (&'static str, Meant)>, path: &str, whole: &str) -> Option<Meant> {
    let levels: Vec<_> = path.split('.').map(words).collect();
    let likeness = |name: &str, table: String| {
        let count = name.split('_').count();
        let in_table = whole.strip_prefix(&table).map(|rest| without_file(rest.trim_start_matches('_')));
        let forms = levels.iter().map(String::as_str).chain([whole]).flat_map(|form| [form, without_file(form)]);
        let ends = [whole, without_file(whole)].into_iter().filter(|_| count > 1).map(|form| last_words(form, count));
        forms.chain(ends).chain(in_table).map(|form| normalized_damerau_levenshtein(form, name)).max_by(f64::total_cmp)
    };
    known
        .filter_map(|(name, meant)| Some((likeness(name, meant.table())?, name, meant)))
        .filter(|(likeness, ..)| *likeness >= limits::SETTINGS_LIKENESS)
        .map(|(likeness, name, meant)| {
            let path =
                normalized_damerau_levenshtein(without_file(whole), &words(&format!("{}_{name}", meant.table())));
            (2.0f64.mul_add(likeness, path), meant)
        })
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, meant)| meant)
}

/// How to mend what was written, which was meant as a key's `_file` form if it ends so.
fn mend(meant: Option<Meant>, written: &str, name: impl Fn(Meant, bool) -> String) -> String {
    let Some(meant) = meant else { return "remove it, or write a key of docs/configuration.md".to_owned() };
    let (file, secret) = match meant {
        Meant::Key(at) => (is_file(written) && !at.key.name.ends_with("_file"), at.key.kind.is_secret()),
        Meant::Table(..) | Meant::Log => (false, true),
    };
    let only_secrets = if file && !secret { " (only a secret can stand in a file of its own)" } else { "" };
    format!("did you mean {}?{only_secrets}", name(meant, file && secret))
}

fn is_file(written: &str) -> bool {
    words(written).ends_with("_file")
}

fn without_file(words: &str) -> &str {
    words.strip_suffix("_file").unwrap_or(words)
}

/// The variable of a key, or of its `_file` form.
pub(super) fn variable_of(at: At, file: bool) -> String {
    // As in the file, `app[0].rule[1].path`.
    let table = prefix(at.key.table, at.index).replace(['[', '.'], "__").replace(']', "");
    format!("{PREFIX}{table}{}{}", at.key.name, if file { "_file" } else { "" }).to_uppercase()
}

/// The words of a name in small letters with `_` between them, without numbers.
fn words(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()));
    words.collect::<Vec<_>>().join("_")
}

/// The last `count` of `words`.
fn last_words(words: &str, count: usize) -> &str {
    words.rmatch_indices('_').nth(count - 1).and_then(|(at, _)| words.get(at + 1..)).unwrap_or(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_IDEA: &str = "remove it, or write a key of docs/configuration.md";

    fn fix(name: &str) -> Option<String> {
        variable(name).map(|unknown| unknown.fix)
    }

    /// What is said about a path in the file.
    fn fix_in_file(path: &str) -> String {
        let (before, name) = path.rsplit_once('.').unwrap_or(("", path));
        let names: Vec<_> = before.split('.').map(|level| level.split('[').next().unwrap()).collect();
        let mut numbers = before.split(['[', ']']).filter_map(|part| part.parse().ok());
        let index = Index::default().map(|_| numbers.next().unwrap_or_default());
        let table = Table::ALL.into_iter().find(|table| table.names() == names).unwrap_or(Table::Root);
        key(name, table, index).fix
    }

    #[test]
    fn the_nearest_key_is_the_one_meant() {
        for (written, meant) in [
            ("session.idel", "session.idle"),
            ("publicurl", "public_url"),
            ("public-url", "public_url"),
            ("PUBLIC_URL", "public_url"),
            ("providers", "provider"),
            ("signin", "sign_in"),
            ("sigin_in", "sign_in"),
            ("patience", "sign_in.patience"),
            ("client_secret_file", "provider[0].client_secret_file"),
            ("provider[0].clientid", "provider[0].client_id"),
            ("provider[0].clientSecret", "provider[0].client_secret"),
            ("secret_key", "secret_keys"),
            ("users.admin_group", "users.admin_groups"),
            ("session.allowed_groups", "users.allowed_groups"),
            ("database_url", "database"),
            ("apps", "app"),
            ("app[1].rules", "app[1].rule"),
            ("app[1].ulr", "app[1].url"),
            ("app[1].groups", "app[1].rule[0].groups"),
            ("app[1].claudelens_key_file", "app[1].claudelens_secret_key_file"),
            ("app[1].rule[2].group", "app[1].rule[2].groups"),
            ("app[1].rule[2].header", "app[1].headers"),
            ("claudelens_secret_key", "app[0].claudelens_secret_key"),
            ("gate_lisen", "gate_listen"),
        ] {
            assert_eq!(fix_in_file(written), format!("did you mean {meant}?"), "{written}");
        }
    }

    #[test]
    fn a_key_that_is_like_none_has_no_nearest() {
        for written in ["groups", "path", "users.groups", "provider[0].display", "users.x", "port", "cookie_secret"] {
            assert_eq!(fix_in_file(written), NO_IDEA, "{written}");
        }
    }

    /// Variables, and which is meant.
    const NEAR: &[(&str, &str)] = &[
        ("VESTIBULE_USERS__ALLOWED_GROUP", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USERS_ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USERS___ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE__USERS__ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USER_ALLOWED_GROUP", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_OIDC__ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USERS__ALLOWED_GROUPS__", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USERS__ALLOWED_GROUPS_0", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USERS__ALLOWED_GROUPS__X", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USERS__ALOWED_GRUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_Users__Allowed_Groups", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USERS.ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USERS__ALLOWED-GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        (" VESTIBULE_USERS__ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USERS__ALLOWED_GROUPS ", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBLE_USERS__ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("vestibule_listen", "VESTIBULE_LISTEN"),
        ("VESTIBULE_LISTENS", "VESTIBULE_LISTEN"),
        ("VESTIBULE_PROVIDER_0_ISSUER", "VESTIBULE_PROVIDER__0__ISSUER"),
        ("VESTIBULE_PROVIDER_2_ISSUER", "VESTIBULE_PROVIDER__2__ISSUER"),
        ("VESTIBULE_PROVIDER__ISSUER", "VESTIBULE_PROVIDER__0__ISSUER"),
        ("VESTIBULE_PROVIDERS__1__ISSUER", "VESTIBULE_PROVIDER__1__ISSUER"),
        ("VESTIBULE_PROVIDER__00__ID", "VESTIBULE_PROVIDER__0__ID"),
        ("VESTIBULE_CLIENT_SECRET", "VESTIBULE_PROVIDER__0__CLIENT_SECRET"),
        ("VESTIBULE_OIDC_CLIENT_SECRET_FILE", "VESTIBULE_PROVIDER__0__CLIENT_SECRET_FILE"),
        ("VESTIBULE_SESSION_IDLE", "VESTIBULE_SESSION__IDLE"),
        ("VESTIBULE_USERS_ALOWED_GRUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_SECRET_KEY", "VESTIBULE_SECRET_KEYS"),
        ("VESTIBULE_LOGS", "VESTIBULE_LOG"),
        ("VESTIBULE_LOG_LEVEL", "VESTIBULE_LOG"),
        ("VESTIBULE_USERSALLOWEDGROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_USER_ALLOWEDGROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_ALLOW_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_ALOWED_GRUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_ALLOWED_GROUP_NAMES", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULE_DATABASE_URL", "VESTIBULE_DATABASE"),
        ("VESTIBULE_TRUSTED_PROXY", "VESTIBULE_TRUSTED_PROXIES"),
        ("VESTIBULE_SCOPES", "VESTIBULE_PROVIDER__0__SCOPES"),
        ("VESTIBULE_ISSUER", "VESTIBULE_PROVIDER__0__ISSUER"),
        ("VESTIBULE_IDLE", "VESTIBULE_SESSION__IDLE"),
        ("VESTIBULLE_ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTBIULE_ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESIBLE_USERS_ALLOWED_GROUP", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("VESTIBULEALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
        ("V\u{415}STIBULE_LISTEN", "VESTIBULE_LISTEN"),
        ("VESTIBULE_APP_1_URL", "VESTIBULE_APP__1__URL"),
        ("VESTIBULE_APPS__1__URL", "VESTIBULE_APP__1__URL"),
        ("VESTIBULE_APP__URL", "VESTIBULE_APP__0__URL"),
        ("VESTIBULE_APP__1__HEADERS__X_WEBAUTH_USER", "VESTIBULE_APP__1__HEADERS"),
        ("VESTIBULE_APP__1__RULE__2__GROUP", "VESTIBULE_APP__1__RULE__2__GROUPS"),
        ("VESTIBULE_APP_1_RULE_2_PATH", "VESTIBULE_APP__1__RULE__2__PATH"),
        ("VESTIBULE_APP__1__RULES__2__METHODS", "VESTIBULE_APP__1__RULE__2__METHODS"),
        ("VESTIBULE_APP__1__GROUPS", "VESTIBULE_APP__1__RULE__0__GROUPS"),
        ("VESTIBULE_CLAUDELENS_SECRET_KEY_FILE", "VESTIBULE_APP__0__CLAUDELENS_SECRET_KEY_FILE"),
        ("VESTIBULE_PROVIDER__1__CLIENTSECRETFILE", "VESTIBULE_PROVIDER__1__CLIENT_SECRET"),
    ];

    /// Variables that are like none.
    const FAR: &[&str] = &[
        "VESTIBULE_",
        "VESTIBULE__",
        "VESTIBULE_U",
        "VESTIBULE_USERS",
        "vestibule_users",
        "VESTIBULE_UNKNOWN__KEY",
        "VESTIBULE_USERS__X",
        "VESTIBULE_USERS_GROUPS",
        "VESTIBULE_USER_GROUPS",
        "VESTIBULE_GROUPS",
        "VESTIBULE_GROUPS_ALLOWED",
        "VESTIBULE_USER_DOMAINS",
        "VESTIBULE_EMAILS",
        "VESTIBULE_EMAIL_DOMAINS",
        "VESTIBULE_COOKIE_SECRET",
        "VESTIBULE_REDIRECT_URL",
        "VESTIBULE_OIDC__0",
        "VESTIBULE_VERSION",
        "VESTIBULE_HOME",
        "VESTIBLE_WHATEVER__KEY",
        "VESTIBULLE_GROUPS",
        "VESTIBLE_EMAIL_DOMAINS",
        "VESTIBULEGROUPS",
    ];

    #[test]
    fn a_variable_is_told_from_its_beginning_and_the_nearest_key_is_the_one_meant() {
        for (written, meant) in NEAR {
            assert_eq!(fix(written), Some(format!("did you mean {meant}?")), "{written}");
        }
        for written in FAR {
            assert_eq!(fix(written).as_deref(), Some(NO_IDEA), "{written}");
        }
        for written in ["VESTIBULE_ALLOWED_ROLES", "VESTIBULE_ALLOWED_USERS", "VESTIBULE_NAME"] {
            assert!(fix(written).is_some(), "{written}");
        }
    }

    #[test]
    fn only_a_secret_can_stand_in_a_file() {
        for (written, meant) in [
            ("PROVIDER__0__CLIENT_ID_FILE", "PROVIDER__0__CLIENT_ID"),
            ("PROVIDER__0__NAME_FILE", "PROVIDER__0__NAME"),
            ("PROVIDER__1__ISSUER_FILE", "PROVIDER__1__ISSUER"),
            ("USERS__ALLOWED_GROUPS_FILE", "USERS__ALLOWED_GROUPS"),
            ("PUBLIC_URL_FILE", "PUBLIC_URL"),
        ] {
            let expected = format!("did you mean VESTIBULE_{meant}? (only a secret can stand in a file of its own)");
            assert_eq!(fix(&format!("VESTIBULE_{written}")), Some(expected), "{written}");
        }
        assert!(fix_in_file("provider[0].client_id_file").starts_with("did you mean provider[0].client_id? (only"));
        assert_eq!(
            fix("VESTIBULE_PROVIDER__0__CA__FILE").as_deref(),
            Some("did you mean VESTIBULE_PROVIDER__0__CA_FILE?")
        );
    }

    #[test]
    fn a_variable_with_a_letter_missing_twice_or_in_the_wrong_place_is_a_mistake() {
        for key in Table::ALL.into_iter().filter_map(|table| table.keys().next()) {
            let written = variable_of(At::from(key), false);
            for at in 0..written.len() {
                let (before, after) = written.split_at(at);
                let (letter, rest) = after.split_at(1);
                for wrong in [format!("{before}{rest}"), format!("{before}{letter}{after}"), format!("{before}x{rest}")]
                {
                    assert!(variable(&wrong).is_some(), "{wrong}");
                }
                if let Some(next) = rest.get(..1) {
                    let wrong = format!("{before}{next}{letter}{}", &rest[1..]);
                    assert!(variable(&wrong).is_some(), "{wrong}");
                }
            }
        }
    }

    #[test]
    fn other_variables_are_none_of_ours() {
        for written in [
            "PATH",
            "RUST_LOG",
            "LISTEN",
            "DATABASE",
            "CLIENT_SECRET",
            "USERS__ALLOWED_GROUPS",
            "MY_VESTIBULE_LISTEN",
            "VESTIBULE",
            "VESTIBULES",
            "VESTIGE_HOME",
        ] {
            assert_eq!(fix(written), None, "{written}");
        }
    }
}
