//! What the settings file says.

use std::{collections::BTreeSet, path::Path};

use toml::Value;

use crate::server::settings::{
    fault::Fault,
    given::{Given, Raw},
    nearest::{self, Meant, Unknown},
    schema::{At, Key, Table, prefix},
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
    tables(toml(path)?, &place, given, faults);
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

fn tables(file: toml::Table, place: &str, given: &mut Given, faults: &mut Vec<Fault>) {
    let mut root = toml::Table::new();
    for (name, value) in file {
        let table = match Table::NAMED.into_iter().find(|table| table.name() == name) {
            Some(table) => table,
            // Its keys are judged in the table that was meant.
            None => match nearest::key(&name, 0) {
                Unknown { meant: Some(Meant::Table(table)), fix } if is_table(&value) => {
                    faults.push(Fault::new(&name, "is not a key", fix));
                    table
                }
                _ => {
                    root.insert(name, value);
                    continue;
                }
            },
        };
        table_of(&name, table, value, place, given, faults);
    }
    keys_of(root, (Table::Root, 0), place, given, faults);
}

fn is_table(value: &Value) -> bool {
    value.is_table() || value.as_array().is_some_and(|all| all.iter().any(Value::is_table))
}

fn table_of(name: &str, table: Table, value: Value, place: &str, given: &mut Given, faults: &mut Vec<Fault>) {
    match value {
        Value::Table(keys) => {
            if table.repeats() {
                faults.push(Fault::new(name, "is not a list of tables", format!("write {}", table.heading())));
                given.providers.insert(0);
            }
            keys_of(keys, (table, 0), place, given, faults);
        }
        Value::Array(tables) if table.repeats() => {
            for (index, entry) in tables.into_iter().enumerate() {
                given.providers.insert(index);
                match entry {
                    Value::Table(keys) => keys_of(keys, (table, index), place, given, faults),
                    _ => {
                        // None of its keys can be said to be missing.
                        table.keys().for_each(|key| given.misname(Some(Meant::Key(At { key, index }))));
                        let fix = format!("write {}", table.heading());
                        faults.push(Fault::new(format!("{name}[{index}]"), "is not a table", fix));
                    }
                }
            }
        }
        _ => {
            given.misname(Some(Meant::Table(table)));
            let what = if table.repeats() { "a list of tables" } else { "a table" };
            faults.push(Fault::new(name, format!("is not {what}"), format!("write {}", table.heading())));
        }
    }
}

fn keys_of(keys: toml::Table, (table, index): (Table, usize), place: &str, given: &mut Given, faults: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    for (name, value) in keys {
        let Some((key, in_file)) = table.keys().find_map(|key| spelling(key, &name).map(|in_file| (key, in_file)))
        else {
            let path = format!("{}{name}", prefix(table, index));
            let Unknown { mut fix, meant } = nearest::key(&path, index);
            if let Some(Meant::Key(At { key, .. })) = meant
                && (key.table, spelling(key, &name).is_some()) == (Table::Root, true)
            {
                fix = format!("it stands below {}, move it above the first table", table.heading());
            }
            given.misname(meant);
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
        if seen.insert(key.name) {
            given.put(at, raw, place.to_owned());
        } else {
            faults.push(Fault::new(at, format!("is given together with {at}_file"), "keep one of the two"));
        }
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
