//! Reads typed values of what was given, and collects everything that is wrong with them.
//!
//! Reading a value that has a fault yields `None`, or the empty value of its type. The fault is recorded, so settings
//! with such a value are never used.

use std::{borrow::Cow, fmt, time::Duration};

use toml::Value;

use super::{
    fault::Fault,
    schema::{At, Kind, Unset, written},
    secrets,
    source::{Given, Raw, read},
};
use crate::server::limits;

/// Reads typed values and collects what is wrong with them.
pub(super) struct Reader<'a> {
    given: &'a Given,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// `faults` are those that were found while gathering what was given.
    pub(super) const fn new(given: &'a Given, faults: Vec<Fault>) -> Self {
        Self { given, faults }
    }

    /// What `read` makes of the written defaults alone.
    pub(super) fn defaults<T>(read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        read(&mut Reader::new(&Given::default(), Vec::new()))
    }

    /// Every fault so far.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// How many faults there are so far.
    pub(super) const fn count(&self) -> usize {
        self.faults.len()
    }

    pub(super) fn fault(&mut self, key: &dyn fmt::Display, what: impl Into<String>, fix: impl Into<String>) {
        self.faults.push(Fault::new(key, what, fix));
    }

    pub(super) fn is_given(&self, at: impl Into<At>) -> bool {
        self.given.get(at.into()).is_some()
    }

    /// The numbers of the `[[provider]]` tables, ascending.
    pub(super) fn providers(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.given.providers()
    }

    /// The value, or the key's default; `None` if there is neither, or (with a fault) it cannot be read.
    fn value(&mut self, at: At) -> Option<Cow<'a, Value>> {
        match self.given.get(at) {
            Some(Raw::Value(value)) => Some(Cow::Borrowed(value)),
            Some(Raw::InFile(path)) => match read(path) {
                Ok(text) if at.key.kind.is_list() => {
                    Some(Cow::Owned(Value::Array(secrets::lines(&text).map(Value::from).collect())))
                }
                Ok(text) => Some(Cow::Owned(Value::from(secrets::without_newline(&text)))),
                Err(what) => {
                    self.fault(&format!("{at}_file"), what, "name a file that this process can read");
                    None
                }
            },
            None => match at.key.unset {
                Unset::Default(value) => value.parse().ok().map(Cow::Owned),
                Unset::Otherwise(_) => None,
                Unset::Fault => {
                    self.fault(&at, "is missing", format!("add {} = {}", at.key.name, at.key.example));
                    None
                }
            },
        }
    }

    /// The value, if `read` finds it to be of the right type.
    fn typed<T>(&mut self, at: At, wanted: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.value(at)?;
        if let Some(typed) = read(&value) {
            return Some(typed);
        }
        let what = format!("is {}, {wanted} is wanted", of_type(&value));
        self.fault(&at, what, format!("write it as {}", at.key.example));
        None
    }

    /// Text that is not empty, on one line, and without space about it.
    pub(super) fn text(&mut self, at: impl Into<At>) -> Option<String> {
        let at = at.into();
        let text = self.typed(at, "text", |value| value.as_str().map(ToOwned::to_owned))?;
        self.plain(&at, text)
    }

    /// `text`, unless it is empty, has space about it, or invisible characters.
    fn plain(&mut self, at: &dyn fmt::Display, text: String) -> Option<String> {
        let (what, fix) = if text.is_empty() {
            ("is empty", "give it a value, or remove it")
        } else if text.trim() != text {
            ("begins or ends with white space", "remove it")
        } else if text.chars().any(char::is_control) {
            ("has a control character in it", "remove it")
        } else {
            return Some(text);
        };
        self.fault(at, what, fix);
        None
    }

    /// A list of such texts, each with its place; empty if not given.
    fn list(&mut self, at: At) -> Option<Vec<(String, String)>> {
        let texts = self.typed(at, "a list of texts", |value| {
            value.as_array()?.iter().map(|one| one.as_str().map(ToOwned::to_owned)).collect::<Option<Vec<_>>>()
        })?;
        let mut list = Vec::new();
        for (index, text) in texts.into_iter().enumerate() {
            let place = format!("{at}[{index}]");
            list.extend(self.plain(&place, text).map(|text| (place, text)));
        }
        Some(list)
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, at: impl Into<At>) -> Vec<String> {
        self.list(at.into()).unwrap_or_default().into_iter().map(|(_, text)| text).collect()
    }

    /// A list, each of it read by `read`.
    pub(super) fn each<T>(&mut self, at: impl Into<At>, read: impl Fn(&str) -> Result<T, String>, fix: &str) -> Vec<T> {
        let mut all = Vec::new();
        for (place, text) in self.list(at.into()).unwrap_or_default() {
            match read(&text) {
                Ok(one) => all.push(one),
                Err(what) => self.fault(&place, what, fix),
            }
        }
        all
    }

    pub(super) fn boolean(&mut self, at: impl Into<At>) -> Option<bool> {
        self.typed(at.into(), "true or false", Value::as_bool)
    }

    /// One of the texts that the key's kind lists.
    pub(super) fn choice(&mut self, at: impl Into<At>) -> Option<String> {
        let at = at.into();
        let text = self.text(at)?;
        match at.key.kind {
            Kind::Choice(all) if !all.contains(&text.as_str()) => {
                let fix = format!("write one of: {}", all.join(", "));
                self.fault(&at, format!("is {text:?}, which is not known"), fix);
                None
            }
            _ => Some(text),
        }
    }

    /// A duration within the bounds of the key's kind.
    pub(super) fn duration(&mut self, at: impl Into<At>) -> Option<Duration> {
        let at = at.into();
        let text = self.text(at)?;
        // The parser's arithmetic is checked for any text of this length.
        let parsed =
            if text.len() <= limits::SETTINGS_DURATION_BYTES { humantime::parse_duration(&text).ok() } else { None };
        let Some(duration) = parsed else {
            let fix = "write a number with its unit, as \"1.5s\", \"10m\" or \"30d\"";
            self.fault(&at, format!("is {text:?}, which is not a duration"), fix);
            return None;
        };
        match at.key.kind {
            Kind::Duration { least, most } if !(least..=most).contains(&duration) => {
                let fix = format!("write at least {} and at most {}", written(least), written(most));
                self.fault(&at, format!("is {text:?}, which is out of bounds"), fix);
                None
            }
            _ => Some(duration),
        }
    }
}

fn of_type(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
