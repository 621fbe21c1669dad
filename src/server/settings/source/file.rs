//! What the settings file says.

use std::{collections::BTreeSet, path::Path};

use toml::Value;

use crate::server::settings::{
    fault::Fault,
    given::{Given, Raw},
    nearest::{self, Meant, Unknown},
    schema::{At, Index, Key, Table, prefix},
    small_file::read,
};

/// Read when `--config` names no file, if it exists.
const DEFAULT: &str = "vestibule.toml";
/// The mark that some editors put at the beginning of a file. It is no part of its text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Puts what the file says into `given`.
///
/// # Errors
/// It cannot be read at all.
pub(super) fn gather(config: Option<&Path>, given: &mut Given, faults: &mut Vec<Fault>) -> Result<(), Fault> {
    let path = match config {
        Some(path) => path,
        None if Path::new(DEFAULT).exists() => Path::new(DEFAULT),
        None => {
            let here = std::env::current_dir().unwrap_or_default();
            given.nowhere = format!("there is no {DEFAULT} in {}, and no --config", here.display());
            return Ok(());
        }
    };
    let place = format!("in {}", path.display());
    given.nowhere = format!("not {place}, and not in the environment");
    let from = faults.len();
    keys_of(toml(path)?, (Table::Root, Index::default()), &place, given, faults);
    for fault in faults.iter_mut().skip(from) {
        *fault = fault.clone().at(&place);
    }
    Ok(())
}

fn toml(path: &Path) -> Result<toml::Table, Fault> {
    let text =
        read(path).map_err(|what| Fault::new("--config", what, "name a settings file in UTF-8 that can be read"))?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
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

/// One of the tables.
type Spot = (Table, Index);

fn is_table(value: &Value) -> bool {
    value.is_table() || value.as_array().is_some_and(|all| all.iter().any(Value::is_table))
}

/// The table or tables that `value`, at `path`, is meant to be.
fn table_of(path: &str, (table, parent): Spot, value: Value, place: &str, given: &mut Given, faults: &mut Vec<Fault>) {
    let index = |number| table.numbered(parent, number);
    match value {
        Value::Table(keys) => {
            if table.repeats() {
                faults.push(Fault::new(path, "is not a list of tables", format!("write {}", table.heading())));
            }
            keys_of(keys, (table, index(0)), place, given, faults);
        }
        Value::Array(tables) if table.repeats() => {
            for (number, entry) in tables.into_iter().enumerate() {
                match entry {
                    Value::Table(keys) => keys_of(keys, (table, index(number)), place, given, faults),
                    _ => {
                        // None of its keys can be said to be missing.
                        let index = index(number);
                        given.note(table, index);
                        table.keys().for_each(|key| given.misname(Some(Meant::Key(At { key, index }))));
                        let fix = format!("write {}", table.heading());
                        faults.push(Fault::new(format!("{path}[{number}]"), "is not a table", fix));
                    }
                }
            }
        }
        _ => {
            given.misname(Some(Meant::Table(table, parent)));
            let what = if table.repeats() { "a list of tables" } else { "a table" };
            faults.push(Fault::new(path, format!("is not {what}"), format!("write {}", table.heading())));
        }
    }
}

/// What stands in a table: keys, and the tables in it.
fn keys_of(keys: toml::Table, (table, index): Spot, place: &str, given: &mut Given, faults: &mut Vec<Fault>) {
    given.note(table, index);
    let mut seen = BTreeSet::new();
    for (name, value) in keys {
        let path = format!("{}{name}", prefix(table, index));
        if let Some(inner) = table.tables().find(|inner| inner.name() == name) {
            table_of(&path, (inner, index), value, place, given, faults);
            continue;
        }
        let Some((key, in_file)) = table.keys().find_map(|key| spelling(key, &name).map(|in_file| (key, in_file)))
        else {
            unknown(&name, (table, index), value, place, given, faults);
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
        if seen.insert(key.name) {
            given.put(at, raw, place.to_owned());
        } else {
            faults.push(Fault::new(at, format!("is given together with {at}_file"), "keep one of the two"));
        }
    }
}

/// What is neither a key nor a table.
fn unknown(name: &str, (table, index): Spot, value: Value, place: &str, given: &mut Given, faults: &mut Vec<Fault>) {
    let path = format!("{}{name}", prefix(table, index));
    let Unknown { mut fix, meant } = nearest::key(name, table, index);
    if let Some(Meant::Key(At { key, .. })) = meant
        && spelling(key, name).is_some()
        && key.table.is_around(table)
    {
        let heading = table.heading();
        fix = match key.table {
            Table::Root => format!("it stands below {heading}, move it above the first table"),
            around => {
                format!("it stands below {heading}, move it above the first {heading} of its {}", around.heading())
            }
        };
    }
    faults.push(Fault::new(&path, "is not a key", fix));
    match meant {
        // Its keys are judged in the table that was meant.
        Some(Meant::Table(inner, _)) if is_table(&value) => {
            table_of(&path, (inner, index), value, place, given, faults);
        }
        meant => given.misname(meant),
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
