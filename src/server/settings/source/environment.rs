//! What the variables say that begin with `VESTIBULE_`. An empty one is as good as none.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    net::IpAddr,
};

use toml::Value;

use crate::server::settings::{
    fault::Fault,
    given::{Given, Raw},
    nearest::{self, PREFIX, variable_of},
    schema::{At, Index, KEYS, Kind},
    text,
};

/// How a variable gives its key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `KEY`: the value, or a whole list.
    Whole,
    /// `KEY_FILE`: the path of a file with the value in it.
    File,
    /// `KEY__0`: one entry of a list, as it is.
    Entry(usize),
}

/// A variable that is set.
struct Set {
    name: String,
    form: Form,
    value: OsString,
}

/// What is wrong with a value, and how to fix it.
type Wrong = (String, String);

/// Puts what the environment says into `given`, over what is there.
pub(super) fn gather(env: impl IntoIterator<Item = (OsString, OsString)>, given: &mut Given, faults: &mut Vec<Fault>) {
    let mut keys: BTreeMap<_, (At, Vec<Set>)> = BTreeMap::new();
    // Sorted, so that faults come in the same order each time.
    let env: BTreeMap<_, _> = env.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    for (name, value) in env {
        let name = name.to_string_lossy().into_owned();
        if let Some((at, form)) = named(&name) {
            let key = (at.key.table, at.index, at.key.name);
            keys.entry(key).or_insert_with(|| (at, Vec::new())).1.push(Set { name, form, value });
        } else if !is_of_others(&name, &value)
            && let Some(unknown) = nearest::variable(&name)
        {
            given.misname(unknown.meant);
            let odd = name.contains(|c: char| !c.is_ascii_graphic());
            let name = if odd { format!("{name:?}") } else { name };
            faults.push(Fault::new(name, "is not a key", unknown.fix).at("in the environment"));
        }
    }
    for (at, set) in keys.into_values() {
        let names: Vec<_> = set.iter().map(|one| one.name.as_str()).collect();
        let place = format!("in {}", names.join(", "));
        given.put(at, raw(at, &set).unwrap_or_else(|(what, fix)| Raw::Wrong(what, fix)), place);
    }
}

/// Variables that begin like ours and are for someone else: the log's filter, which is read before settings are, what
/// builds and tries this program, and what Kubernetes sets for a service that is called `vestibule` or `vestibule-…`.
fn is_of_others(name: &str, value: &OsStr) -> bool {
    const TOOLS: [&str; 6] = [
        nearest::LOG,
        "VESTIBULE_TOOLS",
        "VESTIBULE_BIN",
        "VESTIBULE_BEFORE",
        "VESTIBULE_JUNK_SECONDS",
        "VESTIBULE_SOAK_SECONDS",
    ];
    let said = value.to_str().unwrap_or_default();
    let words: Vec<_> = name.split('_').collect();
    let of_kubernetes = |end: &[&str]| match end {
        ["SERVICE", "HOST"] => said.parse::<IpAddr>().is_ok(),
        ["SERVICE", "PORT", ..] => said.parse::<u16>().is_ok(),
        ["PORT"] => ["tcp://", "udp://", "sctp://"].iter().any(|scheme| said.starts_with(scheme)),
        ["PORT", number, "TCP" | "UDP" | "SCTP", what @ ..] => {
            number.bytes().all(|byte| byte.is_ascii_digit()) && matches!(what, [] | ["PROTO" | "PORT" | "ADDR"])
        }
        _ => false,
    };
    // No name of a service has an empty word, and every key in a table has one.
    let no_gap = words.iter().all(|word| !word.is_empty());
    TOOLS.contains(&name) || no_gap && (1..words.len()).filter_map(|at| words.get(at..)).any(of_kubernetes)
}

/// The key that a variable names. Only the names as documented: `vestibule_Listen` is a mistake.
fn named(name: &str) -> Option<(At, Form)> {
    let path = name.strip_prefix(PREFIX)?;
    KEYS.iter().copied().find_map(|key| {
        let (mut rest, mut index) = (path, Index::default());
        for (name, own) in key.table.names().iter().zip(&mut index) {
            rest = rest.strip_prefix(&name.to_uppercase())?.strip_prefix("__")?;
            if key.table.repeats() {
                let (digits, behind) = rest.split_once("__")?;
                (*own, rest) = (number(digits)?, behind);
            }
        }
        let form = match rest.strip_prefix(&key.name.to_uppercase())? {
            "" => Form::Whole,
            "_FILE" if key.kind.is_secret() => Form::File,
            entry if key.kind.is_list() => Form::Entry(number(entry.strip_prefix("__")?)?),
            _ => return None,
        };
        Some((At { key, index }, form))
    })
}

/// A number as it is counted with: `0`, but neither `00` nor `+0`.
fn number(text: &str) -> Option<usize> {
    text.parse().ok().filter(|number: &usize| number.to_string() == text)
}

/// The value that the variables of one key give.
fn raw(at: At, set: &[Set]) -> Result<Raw, Wrong> {
    match set {
        [Set { form: Form::File, value, .. }] => Ok(Raw::InFile(value.into())),
        [Set { form: Form::Whole, value, .. }] => typed(at, utf8(value)?).map(Raw::Value),
        set => entries(set).map(Raw::Value),
    }
}

/// A list by its numbered entries.
fn entries(set: &[Set]) -> Result<Value, Wrong> {
    // By number, not by name: 2 comes before 10.
    let mut numbered = BTreeMap::new();
    for one in set {
        let Form::Entry(number) = one.form else {
            return Err(("is given in more than one form".into(), "keep one of them".into()));
        };
        numbered.insert(number, utf8(&one.value)?);
    }
    match numbered.keys().enumerate().find(|(place, number)| place != *number) {
        Some((place, number)) => {
            Err((format!("has no entry {place}, but an entry {number}"), "number them from 0 without a gap".into()))
        }
        None => Ok(Value::Array(numbered.into_values().map(Value::from).collect())),
    }
}

fn utf8(value: &OsStr) -> Result<&str, Wrong> {
    value.to_str().ok_or_else(|| ("is not UTF-8 in the environment".into(), "write it in UTF-8".into()))
}

/// Text of the environment as the value that the file would have held.
fn typed(at: At, text: &str) -> Result<Value, Wrong> {
    match (at.key.kind, text) {
        (Kind::Boolean, "true") => Ok(Value::Boolean(true)),
        (Kind::Boolean, "false") => Ok(Value::Boolean(false)),
        (Kind::Map, text) => map(text),
        (kind, text) if kind.is_list() => list(at, text),
        (_, text) => Ok(Value::from(text)),
    }
}

/// A list as in JSON or TOML, or its entries with commas between them.
fn list(at: At, text: &str) -> Result<Value, Wrong> {
    let variable = variable_of(at, false);
    let fix = || format!("write it as [\"…\", \"…\"], or an entry each in {variable}__0, {variable}__1 and so on");
    if text.trim_start().starts_with('[') {
        let parsed = serde_json::from_str(text).ok().or_else(|| text.parse().ok());
        return parsed
            .filter(Value::is_array)
            .ok_or_else(|| ("begins with [, but is not a list as in JSON or TOML".into(), fix()));
    }
    // Space about a secret is a fault further on, not something to drop in silence.
    if at.key.kind == Kind::Secrets {
        return Ok(Value::Array(text.split(',').map(Value::from).collect()));
    }
    let entries: Vec<_> = text.split(',').map(|entry| entry.trim_matches(|c: char| c.is_ascii_whitespace())).collect();
    match entries.iter().find(|entry| entries.len() > 1 && is_part(entry)) {
        Some(part) => {
            Err((format!("has commas, and between them {part:?}, which looks like a part of an entry"), fix()))
        }
        None => Ok(Value::Array(entries.into_iter().map(Value::from).collect())),
    }
}

/// A table as in JSON or TOML.
fn map(text: &str) -> Result<Value, Wrong> {
    let parsed: Option<Value> = serde_json::from_str(text).ok().or_else(|| text.parse().ok());
    parsed.filter(Value::is_table).ok_or_else(|| {
        let fix = "write it as { NAME = \"…\", NAME = \"…\" }, or as {\"NAME\": \"…\"}";
        (format!("is {text:?}, which is not a table as in JSON or TOML"), fix.to_owned())
    })
}

/// Whether what stands between two commas looks as if they were meant as part of an entry: an LDAP name
/// (`CN=Staff,OU=Groups`), a quotation, what is in brackets, or an escaped comma.
fn is_part(entry: &str) -> bool {
    let is_attribute = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.trim_end().bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    };
    let is_open = |(open, close): (char, char)| entry.matches(open).count() != entry.matches(close).count();
    entry.split_once('=').is_some_and(|(name, _)| is_attribute(name))
        || entry.starts_with(text::QUOTES)
        || entry.ends_with(text::QUOTES)
        // An apostrophe within is part of many names.
        || entry.contains(|c| !matches!(c, '\'' | '’') && text::QUOTES.contains(&c))
        || [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>')].into_iter().any(is_open)
        || entry.ends_with('\\')
}
