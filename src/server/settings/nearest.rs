//! What an unknown name was meant to be: in the file, and in the environment.

use strsim::{normalized_damerau_levenshtein, osa_distance};

use super::schema::{At, KEYS, Table};
use crate::server::limits;

/// The variable that filters the log. It is no key, since the log begins before settings are read.
pub(crate) const LOG: &str = "VESTIBULE_LOG";
/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "VESTIBULE_";

/// A name that exists.
struct Known {
    /// With its table, as [`words`].
    path: String,
    /// Without it.
    name: String,
    /// As it is written in the file or in the environment.
    written: String,
}

impl Known {
    /// How much it is like what was written: 1 at most for the name, and as much for the path, which counts half.
    /// Nothing if the name is another one altogether.
    fn likeness(&self, name: &str, path: &str) -> Option<f64> {
        let likeness = normalized_damerau_levenshtein(name, &self.name);
        (likeness >= limits::SETTINGS_LIKENESS)
            .then(|| 2.0f64.mul_add(likeness, normalized_damerau_levenshtein(path, &self.path)))
    }
}

/// Every key with its `_file` form, written by `written`, which is told whether it is that form.
fn keys(index: usize, written: impl Fn(At, bool) -> String) -> impl Iterator<Item = Known> {
    KEYS.iter().copied().flat_map(move |key| {
        let at = At { key, index };
        let known = |file: bool| {
            let name = format!("{}{}", key.name, if file { "_file" } else { "" });
            Known { path: words(&format!("{}_{name}", key.table.name())), name, written: written(at, file) }
        };
        [Some(known(false)), key.kind.is_secret().then(|| known(true))].into_iter().flatten()
    })
}

fn most_like(known: impl Iterator<Item = Known>, name: &str, path: &str) -> Option<String> {
    // The form with a file is meant only by those who say so.
    known
        .filter(|known| path.contains("file") || !known.name.ends_with("_file"))
        .filter_map(|known| known.likeness(name, path).map(|likeness| (likeness, known.written)))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, written)| written)
}

/// How to mend an unknown `path` of the file.
pub(super) fn key(path: &str, index: usize) -> String {
    let tables = Table::NAMED.into_iter().map(|table| {
        let name = table.name().to_owned();
        Known { path: name.clone(), name: name.clone(), written: name }
    });
    let keys = keys(index, |at, file| format!("{at}{}", if file { "_file" } else { "" }));
    let name = words(path.rsplit('.').next().unwrap_or(path));
    mend(most_like(tables.chain(keys), &name, &words(path)))
}

/// How to mend an unknown variable, if it has the form of a key: `__` between levels, or a table at its beginning, or
/// one edit away from a key's variable, or at its end the name of a key that has several words (its table is missing).
/// Letters in the other case, other separators and numbers make no difference.
pub(super) fn variable(name: &str) -> Option<String> {
    let index = name.split('_').find_map(|part| part.parse().ok()).filter(|index| *index < limits::SETTINGS_TABLES);
    let all = || {
        let log = Known { path: "log".into(), name: "log".into(), written: LOG.into() };
        keys(index.unwrap_or_default(), variable_of).chain([log])
    };
    let path = words(name);
    let ours = path.strip_prefix("vestibule_");
    let edits = |known: &Known| {
        let whole = one_edit(&path, &format!("vestibule_{}", known.path));
        let count = known.name.split('_').count();
        let end = ours.filter(|_| count > 1).and_then(|ours| one_edit(last_words(ours, count), &known.name));
        whole.into_iter().chain(end).min()
    };
    let near = all().filter_map(|known| edits(&known).map(|edits| (edits, known)));
    // Of several that end the same way, the one in the table that was meant.
    let nearest = near.min_by_key(|(edits, known)| (*edits, osa_distance(ours.unwrap_or(&path), &known.path)));
    if let Some((_, known)) = nearest {
        return Some(mend(Some(known.written)));
    }
    if let Some(key) = KEYS.iter().copied().find(|key| ours == Some(key.table.name())) {
        return Some(format!("a table has a variable for each of its keys, as {}", variable_of(key.into(), false)));
    }
    let levels = name.trim().to_uppercase().replace(['.', ':'], "__");
    let levels = levels.strip_prefix("VESTIBULE").filter(|rest| rest.starts_with('_') && rest.contains("__"));
    let levels = levels.map(|levels| levels.rsplit("__").map(words).collect::<Vec<_>>());
    let meant = levels.or_else(|| ours.and_then(in_table).map(|rest| vec![rest.to_owned()]))?;
    Some(mend(meant.iter().find_map(|level| most_like(all(), level, ours.unwrap_or_default()))))
}

/// What follows the name of a table, unless Kubernetes may have written it, for a service that is called like that.
fn in_table(ours: &str) -> Option<&str> {
    let of_kubernetes = ours.split('_').any(|word| matches!(word, "service" | "port"));
    let mut tables = Table::NAMED.into_iter().filter(|_| !of_kubernetes);
    tables.find_map(|table| ours.strip_prefix(table.name())?.strip_prefix('_'))
}

fn mend(meant: Option<String>) -> String {
    meant.map_or_else(|| "docs/configuration.md lists every key".to_owned(), |meant| format!("did you mean {meant}?"))
}

/// The variable of a key, or of its `_file` form.
pub(super) fn variable_of(at: At, file: bool) -> String {
    let table = match at.key.table {
        Table::Root => String::new(),
        table if table.repeats() => format!("{}__{}__", table.name(), at.index),
        table => format!("{}__", table.name()),
    };
    format!("{PREFIX}{table}{}{}", at.key.name, if file { "_file" } else { "" }).to_uppercase()
}

/// The words of a name in small letters with `_` between them, without numbers.
fn words(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()));
    words.collect::<Vec<_>>().join("_")
}

/// How many letters make the difference, if not more than one (two that changed places are one).
fn one_edit(a: &str, b: &str) -> Option<usize> {
    // Most names are far apart, and that is seen at once.
    let near = a.len().abs_diff(b.len()) <= char::MAX.len_utf8();
    near.then(|| osa_distance(a, b)).filter(|edits| *edits <= 1)
}

/// The last `count` of `words`.
fn last_words(words: &str, count: usize) -> &str {
    words.rmatch_indices('_').nth(count - 1).and_then(|(at, _)| words.get(at + 1..)).unwrap_or(words)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(key(written, 0), format!("did you mean {meant}?"), "{written}");
        }
    }

    #[test]
    fn a_key_that_is_like_none_has_no_nearest() {
        for written in
            ["gate_listen", "app", "response_mode", "session.recheck", "provider[0].prompt", "users.x", "port"]
        {
            assert_eq!(key(written, 0), "docs/configuration.md lists every key", "{written}");
        }
    }

    #[test]
    fn a_variable_with_the_form_of_a_key_is_a_mistake() {
        for (written, meant) in [
            ("VESTIBULE_USERS__ALLOWED_GROUP", "VESTIBULE_USERS__ALLOWED_GROUPS"),
            ("VESTIBULE_USERS_ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
            ("VESTIBULE_USERS___ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
            ("VESTIBULE__USERS__ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
            ("VESTIBULE_USER_ALLOWED_GROUP", "VESTIBULE_USERS__ALLOWED_GROUPS"),
            ("VESTIBULE_ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
            ("VESTIBULE_OIDC__ALLOWED_GROUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
            ("VESTIBULE_USERS__ALLOWED_GROUPS_FILE", "VESTIBULE_USERS__ALLOWED_GROUPS"),
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
            ("VESTIBULE_PROVIDER__9999999999999__ID", "VESTIBULE_PROVIDER__0__ID"),
            ("VESTIBULE_CLIENT_SECRET", "VESTIBULE_PROVIDER__0__CLIENT_SECRET"),
            ("VESTIBULE_OIDC_CLIENT_SECRET_FILE", "VESTIBULE_PROVIDER__0__CLIENT_SECRET_FILE"),
            ("VESTIBULE_SESSION_IDLE", "VESTIBULE_SESSION__IDLE"),
            ("VESTIBULE_USERS_ALOWED_GRUPS", "VESTIBULE_USERS__ALLOWED_GROUPS"),
            ("VESTIBULE_SECRET_KEY", "VESTIBULE_SECRET_KEYS"),
            ("VESTIBULE_LOGS", "VESTIBULE_LOG"),
        ] {
            assert_eq!(variable(written), Some(format!("did you mean {meant}?")), "{written}");
        }
        let unclear = Some("docs/configuration.md lists every key".to_owned());
        for written in [
            "VESTIBULE_UNKNOWN__KEY",
            "VESTIBULE__",
            "VESTIBULE_USERS__X",
            "VESTIBULE_USERS_GROUPS",
            "VESTIBULE_OIDC__0",
        ] {
            assert_eq!(variable(written), unclear, "{written}");
        }
        for written in ["VESTIBULE_USERS", "VESTIBULE_USERS__", "vestibule_users"] {
            assert!(variable(written).unwrap().ends_with("as VESTIBULE_USERS__AUTO_CREATE"), "{written}");
        }
    }

    #[test]
    fn a_variable_with_a_letter_missing_twice_or_in_the_wrong_place_is_a_mistake() {
        for known in keys(0, variable_of) {
            for at in 0..known.written.len() {
                let (before, after) = known.written.split_at(at);
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
            "VESTIBULE",
            "VESTIBULE_TOOLS",
            "VESTIBULE_BEFORE",
            "VESTIBULE_BIN",
            "VESTIBULE_JUNK_SECONDS",
            "VESTIBULE_VERSION",
            "VESTIBULE_NAME",
            "VESTIBULE_HOME",
            // Kubernetes, for a service by the name of `vestibule`, or `vestibule-database`.
            "VESTIBULE_SERVICE_HOST",
            "VESTIBULE_SERVICE_PORT",
            "VESTIBULE_SERVICE_PORT_HTTP",
            "VESTIBULE_PORT",
            "VESTIBULE_PORT_3000_TCP",
            "VESTIBULE_PORT_3000_TCP_PROTO",
            "VESTIBULE_PORT_3000_TCP_PORT",
            "VESTIBULE_PORT_3000_TCP_ADDR",
            "VESTIBULE_DATABASE_SERVICE_HOST",
            "VESTIBULE_DATABASE_PORT_27017_TCP_ADDR",
            "VESTIBULE_PROVIDER_SERVICE_HOST",
            "VESTIBULE_PROVIDER_PORT_443_TCP",
        ] {
            assert_eq!(variable(written), None, "{written}");
        }
    }
}
