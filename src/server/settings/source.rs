//! What the file and the environment say, side by side, with only its form checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs::File,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use toml::Value;

use super::{
    fault::Fault,
    schema::{At, KEYS, Key, Kind, Table, nearest, prefix},
};
use crate::server::limits;

/// Read when `--config` names no file, if it exists.
const DEFAULT_FILE: &str = "vestibule.toml";

/// What one key was given. It may be a secret, so it cannot be printed.
pub(super) enum Raw {
    /// The value itself.
    Value(Value),
    /// `<key>_file`: the value is in this file.
    InFile(PathBuf),
}

/// Everything that was given.
#[derive(Default)]
pub(super) struct Given {
    values: BTreeMap<(Table, usize, &'static str), Raw>,
    providers: BTreeSet<usize>,
}

impl Given {
    /// What was given for the key.
    pub(super) fn get(&self, at: At) -> Option<&Raw> {
        self.values.get(&(at.key.table, at.index, at.key.name))
    }

    /// The numbers of the `[[provider]]` tables, ascending.
    pub(super) fn providers(&self) -> impl Iterator<Item = usize> {
        self.providers.iter().copied()
    }

    fn put(&mut self, at: At, raw: Raw) {
        if at.key.table == Table::Provider {
            self.providers.insert(at.index);
        }
        self.values.insert((at.key.table, at.index, at.key.name), raw);
    }
}

/// Reads the file and then the environment over it, with what is wrong in their form.
///
/// # Errors
/// The file cannot be read at all: then nothing else can be checked, since any key might be in it.
pub(super) fn gather(
    config: Option<&Path>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Given, Vec<Fault>), Fault> {
    let mut given = Given::default();
    let mut faults = Vec::new();
    from_file(file(config)?, &mut given, &mut faults);
    from_environment(env, &mut given, &mut faults);
    Ok((given, faults))
}

/// The text of a file, unless it is larger than any we expect.
///
/// # Errors
/// What went wrong, in words; nothing of the content.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limits::SETTINGS_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {path:?} ({})", reason(&error)))?;
    if bytes.len() as u64 > limits::SETTINGS_FILE_BYTES {
        return Err(format!("{path:?} is larger than {} MiB", limits::SETTINGS_FILE_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| format!("{path:?} is not UTF-8"))
}

/// An I/O error in a few words.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

fn file(config: Option<&Path>) -> Result<toml::Table, Fault> {
    let path = match config {
        Some(path) => path,
        None if Path::new(DEFAULT_FILE).exists() => Path::new(DEFAULT_FILE),
        None => return Ok(toml::Table::new()),
    };
    let text = read(path).map_err(|what| Fault::new("--config", what, "name a settings file that can be read"))?;
    // The parser's own report quotes the line, which may hold a secret: only its words and the place are shown.
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let words: Vec<_> = error.message().split_whitespace().collect();
        let what = format!("is not TOML ({})", words.join(" "));
        Fault::new(path.display(), what, format!("look at line {line}, column {column}"))
    })
}

fn from_file(file: toml::Table, given: &mut Given, faults: &mut Vec<Fault>) {
    let mut root = toml::Table::new();
    for (name, value) in file {
        let Some(table) = Table::NAMED.into_iter().find(|table| table.name() == name) else {
            root.insert(name, value);
            continue;
        };
        match value {
            Value::Table(keys) if !table.repeats() => from_table(keys, table, 0, given, faults),
            Value::Array(tables) if table.repeats() => {
                for (index, entry) in tables.into_iter().enumerate() {
                    given.providers.insert(index);
                    match entry {
                        Value::Table(keys) => from_table(keys, table, index, given, faults),
                        _ => {
                            faults.push(Fault::new(format!("{name}[{index}]"), "is not a table", "write [[provider]]"))
                        }
                    }
                }
            }
            _ if table.repeats() => {
                faults.push(Fault::new(&name, "is not a list of tables", format!("write [[{name}]]")));
            }
            _ => faults.push(Fault::new(&name, "is not a table", format!("write [{name}]"))),
        }
    }
    from_table(root, Table::Root, 0, given, faults);
}

fn from_table(keys: toml::Table, table: Table, index: usize, given: &mut Given, faults: &mut Vec<Fault>) {
    let mut seen = Seen::default();
    for (name, value) in keys {
        let Some((key, in_file)) = table.keys().find_map(|key| spelling(key, &name).map(|in_file| (key, in_file)))
        else {
            let path = format!("{}{name}", prefix(table, index));
            let fix = format!("did you mean {}?", nearest(&path, index));
            faults.push(Fault::new(path, "is not a key", fix));
            continue;
        };
        let at = At { key, index };
        let raw = match (in_file, value) {
            (false, value) => Raw::Value(value),
            (true, Value::String(path)) => Raw::InFile(path.into()),
            (true, _) => {
                faults.push(Fault::new(format!("{at}_file"), "is not text", "write the path of a file in quotes"));
                continue;
            }
        };
        seen.put(at, raw, given, faults);
    }
}

/// Whether `name` is the key itself (`false`), its `_file` form (`true`), or neither.
fn spelling(key: &Key, name: &str) -> Option<bool> {
    match name.strip_prefix(key.name)? {
        "" => Some(false),
        "_file" if key.kind.is_secret() => Some(true),
        _ => None,
    }
}

/// Notices a key given twice in one source, as itself and as a file.
#[derive(Default)]
struct Seen(BTreeSet<(Table, usize, &'static str)>);

impl Seen {
    fn put(&mut self, at: At, raw: Raw, given: &mut Given, faults: &mut Vec<Fault>) {
        if self.0.insert((at.key.table, at.index, at.key.name)) {
            given.put(at, raw);
        } else {
            faults.push(Fault::new(at, format!("is given together with {at}_file"), "keep one of the two"));
        }
    }
}

fn from_environment(env: impl IntoIterator<Item = (OsString, OsString)>, given: &mut Given, faults: &mut Vec<Fault>) {
    let mut seen = Seen::default();
    // Sorted, so that faults come in the same order each time.
    for (name, value) in env.into_iter().collect::<BTreeMap<_, _>>() {
        let Some((at, in_file)) = name.to_str().and_then(variable) else { continue };
        let raw = if in_file {
            Raw::InFile(value.into())
        } else if let Ok(text) = value.into_string() {
            Raw::Value(typed(&text, at.key.kind))
        } else {
            faults.push(Fault::new(at, "is not UTF-8 in the environment", "write it in UTF-8"));
            continue;
        };
        seen.put(at, raw, given, faults);
    }
}

/// The key a variable names, and whether in its `_file` form.
fn variable(name: &str) -> Option<(At, bool)> {
    let path = name.strip_prefix("VESTIBULE_")?;
    KEYS.iter().copied().find_map(|key| {
        let rest = match key.table {
            Table::Root => path,
            table => path.strip_prefix(&table.name().to_uppercase())?.strip_prefix("__")?,
        };
        let (index, rest) = if key.table.repeats() {
            let (number, rest) = rest.split_once("__")?;
            (number.parse().ok().filter(|index| *index < limits::SETTINGS_TABLES)?, rest)
        } else {
            (0, rest)
        };
        // Only the names as documented: `vestibule_Listen` is not ours.
        let in_file = spelling(key, &rest.to_lowercase()).filter(|_| rest == rest.to_uppercase())?;
        Some((At { key, index }, in_file))
    })
}

/// Text of the environment as the value the file would have held.
fn typed(text: &str, kind: Kind) -> Value {
    match (kind, text) {
        (Kind::Boolean, "true") => Value::Boolean(true),
        (Kind::Boolean, "false") => Value::Boolean(false),
        (kind, "") if kind.is_list() => Value::Array(Vec::new()),
        // Space about a secret is a fault further on, not something to drop in silence.
        (Kind::Secrets, text) => Value::Array(text.split(',').map(Value::from).collect()),
        (Kind::List, text) => Value::Array(text.split(',').map(str::trim).map(Value::from).collect()),
        (_, text) => Value::from(text),
    }
}
