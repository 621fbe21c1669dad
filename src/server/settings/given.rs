//! What was given, by the file or the environment, and where.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use toml::Value;

use super::{
    nearest::Meant,
    schema::{At, Index, Table, prefix},
};

/// What one key was given. It may be a secret, so it cannot be printed.
pub(super) enum Raw {
    /// The value itself.
    Value(Value),
    /// `<key>_file`: the value is in this file.
    InFile(PathBuf),
    /// What cannot be read as a value at all: what is wrong with it, and how to fix it.
    Wrong(String, String),
}

/// Everything that was given.
#[derive(Default)]
pub(super) struct Given {
    values: BTreeMap<(Table, Index, &'static str), (Raw, String)>,
    /// The tables that repeat, whether there is a key in them or not.
    tables: BTreeSet<(Table, Index)>,
    /// Of a key that was not given: where it is not.
    pub(super) nowhere: String,
    /// What was given under another name, so that it is not said to be missing as well.
    misnamed: BTreeSet<String>,
}

impl Given {
    /// What was given for the key.
    pub(super) fn get(&self, at: At) -> Option<&Raw> {
        self.values.get(&(at.key.table, at.index, at.key.name)).map(|(raw, _)| raw)
    }

    /// The numbers of the tables that repeat, within the table with the numbers `parent`, ascending.
    pub(super) fn tables(&self, table: Table, parent: Index) -> impl Iterator<Item = usize> {
        let within = move |index: Index| table.numbered(parent, table.number(index)) == index;
        let all = self.tables.iter().filter(move |(one, index)| *one == table && within(*index));
        all.map(move |(_, index)| table.number(*index))
    }

    /// Where the value was found that a fault with `key` is about, or that there is none.
    pub(super) fn place(&self, key: &str) -> String {
        let found = self.values.iter().find_map(|((table, index, name), (raw, place))| {
            let table = prefix(*table, *index);
            let rest = key.strip_prefix(&table).and_then(|rest| rest.strip_prefix(name));
            match (rest, raw) {
                // What is wrong with the value is to be mended in its own file, and a wrong path where it is written.
                (Some(rest), Raw::InFile(path)) if rest.is_empty() || rest.starts_with(['[', '.']) => {
                    Some(format!("in {path:?}, named {place}"))
                }
                (Some(rest), _) if rest.is_empty() || rest == "_file" || rest.starts_with(['[', '.']) => {
                    Some(place.clone())
                }
                _ => (table.strip_suffix('.') == Some(key)).then(|| place.clone()),
            }
        });
        found.unwrap_or_else(|| self.nowhere.clone())
    }

    /// Whether a fault already says that the key was given, though under a wrong name.
    pub(super) fn is_misnamed(&self, key: &str) -> bool {
        self.misnamed.contains(key)
    }

    /// Notes that a wrong name was probably meant to be this one.
    pub(super) fn misname(&mut self, meant: Option<Meant>) {
        match meant {
            Some(Meant::Key(at)) if self.get(at).is_none() => self.misnamed.insert(at.to_string()),
            Some(Meant::Table(table, _)) => self.misnamed.insert(table.name().to_owned()),
            Some(Meant::Key(_) | Meant::Log) | None => false,
        };
    }

    pub(super) fn put(&mut self, at: At, raw: Raw, place: String) {
        self.misnamed.remove(&at.to_string());
        self.note(at.key.table, at.index);
        self.values.insert((at.key.table, at.index, at.key.name), (raw, place));
    }

    /// Notes that there is this table, and those that it is in.
    pub(super) fn note(&mut self, table: Table, index: Index) {
        if let Some(parent) = table.parent() {
            self.note(parent, parent.own(index));
        }
        if table.repeats() {
            self.tables.insert((table, index));
        }
    }
}
