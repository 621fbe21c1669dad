//! Reads typed values of what was given, and collects everything that is wrong with them.
//!
//! Reading a value that has a fault yields `None`, or the empty value of its type. The fault is recorded, so settings
//! with such a value are never used.

use std::{borrow::Cow, fmt, time::Duration};

use toml::Value;

use super::{
    fault::Fault,
    given::{Given, Raw},
    schema::{At, Index, Kind, Table, Unset, prefix, written},
    secrets,
    small_file::read,
    text::{in_quotes, unseen},
};
use crate::server::limits;

/// Reads typed values and collects what is wrong with them.
pub(super) struct Reader<'a> {
    given: &'a Given,
    faults: Vec<Fault>,
    quoted: Vec<String>,
}

impl<'a> Reader<'a> {
    /// `faults` are those that were found while gathering what was given.
    pub(super) const fn new(given: &'a Given, faults: Vec<Fault>) -> Self {
        Self { given, faults, quoted: Vec::new() }
    }

    /// What `read` makes of the written defaults alone.
    pub(super) fn defaults<T>(read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        read(&mut Reader::new(&Given::default(), Vec::new()))
    }

    /// Every fault so far, each with the place that the operator has to look at.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        let given = self.given;
        let placed = self.faults.into_iter().map(|fault| {
            let place = given.place(&fault.key);
            fault.at(place)
        });
        placed.collect()
    }

    /// The keys of secrets that stand in quotes, which may be part of them or not.
    pub(super) fn quoted(&self) -> &[String] {
        &self.quoted
    }

    /// How many faults there are so far.
    pub(super) const fn count(&self) -> usize {
        self.faults.len()
    }

    /// Records a fault, unless there is one already for the name under which the key was given.
    pub(super) fn fault(&mut self, key: &dyn fmt::Display, what: impl Into<String>, fix: impl Into<String>) {
        let fault = Fault::new(key, what, fix);
        if !self.given.is_misnamed(&fault.key) {
            self.faults.push(fault);
        }
    }

    pub(super) fn is_given(&self, at: impl Into<At>) -> bool {
        self.given.get(at.into()).is_some()
    }

    /// Whether it is given, be it under a wrong name, which is a fault already.
    pub(super) fn is_meant(&self, at: impl Into<At>) -> bool {
        let at = at.into();
        self.is_given(at) || self.given.is_misnamed(&at.to_string())
    }

    /// The numbers of those tables that are in the one with the numbers `parent`, up to a gap, which is a fault.
    pub(super) fn tables(&mut self, table: Table, parent: Index) -> Vec<Index> {
        let path = |number| prefix(table, table.numbered(parent, number)).trim_end_matches('.').to_owned();
        let mut all = Vec::new();
        for (position, number) in self.given.tables(table, parent).enumerate() {
            if position != number {
                let what = format!("is given, but {} is not", path(position));
                self.fault(&path(number), what, "number the tables from 0 without a gap");
                break;
            }
            all.push(table.numbered(parent, number));
        }
        all
    }

    /// The value, or the key's default; `None` if there is neither, or (with a fault) it cannot be read.
    fn value(&mut self, at: At) -> Option<Cow<'a, Value>> {
        match self.given.get(at) {
            Some(Raw::Value(value)) => Some(Cow::Borrowed(value)),
            Some(Raw::Wrong(what, fix)) => {
                self.fault(&at, what, fix);
                None
            }
            Some(Raw::InFile(path)) => match read(path) {
                Ok(text) if at.key.kind.is_list() => {
                    Some(Cow::Owned(Value::Array(secrets::lines(&text).map(Value::from).collect())))
                }
                Ok(text) => Some(Cow::Owned(Value::from(secrets::without_line_end(&text)))),
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
        let fix = match (at.key.kind, &*value) {
            (Kind::Boolean, _) => "write true or false".to_owned(),
            // What stands there is nearer to what is meant than our example.
            (Kind::List, Value::String(text)) => {
                // A scope has no space in it; a group may.
                let ends = |c: char| c == ',' || c == ' ' && at.key.name == "scopes";
                let words = text.split(ends).map(str::trim).filter(|word| !word.is_empty());
                format!("write it as {:?}", words.collect::<Vec<_>>())
            }
            _ => format!("write it as {}", at.key.example),
        };
        self.fault(&at, format!("is {}, {wanted} is wanted", shown(&value, at.key.kind)), fix);
        None
    }

    /// Text that is not empty, on one line, without space about it, and without what cannot be seen.
    pub(super) fn text(&mut self, at: impl Into<At>) -> Option<String> {
        let at = at.into();
        let text = self.typed(at, "text", |value| value.as_str().map(ToOwned::to_owned))?;
        self.plain(&at, text, at.key.kind)
    }

    /// `text`, unless it is empty, or something that nobody meant is about it or in it.
    fn plain(&mut self, at: &dyn fmt::Display, text: String, kind: Kind) -> Option<String> {
        let value = match kind {
            Kind::Url | Kind::Urls => given_url(&text),
            kind if kind.is_secret() => String::new(),
            _ => format!(": {text:?}"),
        };
        let (what, fix) = if text.is_empty() {
            ("is empty".to_owned(), "give it a value, or remove it")
        } else if text.trim_matches(|c: char| c.is_ascii_whitespace()) != text {
            (format!("begins or ends with white space{value}"), "remove it")
        } else if let Some(what) = unseen(&text, kind.is_secret()) {
            (format!("{what}{value}"), "remove it, or type the value anew")
        } else if in_quotes(&text) && kind != Kind::Secret {
            (format!("stands in quotes{value}"), "remove them")
        } else {
            // What a provider has made up may begin and end so.
            if in_quotes(&text) {
                self.quoted.push(at.to_string());
            }
            return Some(text);
        };
        self.fault(at, what, fix);
        None
    }

    /// A list of such texts, each with its place; empty if not given. Where a text alone may stand for it, that is one.
    pub(super) fn list(&mut self, at: impl Into<At>) -> Vec<(String, String)> {
        let at = at.into();
        let is_alone = |value: &Value| matches!(at.key.kind, Kind::Urls | Kind::Files) && value.is_str();
        let Some(values) = self.typed(at, "a list of texts", |value| match value {
            Value::Array(all) => {
                Some(all.iter().cloned().enumerate().map(|(n, one)| (format!("{at}[{n}]"), one)).collect())
            }
            value => is_alone(value).then(|| vec![(at.to_string(), value.clone())]),
        }) else {
            return Vec::new();
        };
        self.plain_texts(at, values)
    }

    /// A table of texts: each with its place and its name.
    pub(super) fn map(&mut self, at: impl Into<At>) -> Vec<(String, String, String)> {
        let at = at.into();
        let Some(table) = self.typed(at, "a table of texts", |value| value.as_table().cloned()) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for (name, value) in table {
            let texts = self.plain_texts(at, vec![(format!("{at}.{name}"), value)]);
            all.extend(texts.into_iter().map(|(place, text)| (place, name.clone(), text)));
        }
        all
    }

    /// Those of the values, each with its place, that are plain texts.
    fn plain_texts(&mut self, at: At, values: Vec<(String, Value)>) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (place, value) in values {
            match value {
                Value::String(text) => all.extend(self.plain(&place, text, at.key.kind).map(|text| (place, text))),
                other => {
                    let what = format!("is {}, text is wanted", shown(&other, at.key.kind));
                    self.fault(&place, what, format!("write it as {}", at.key.example));
                }
            }
        }
        all
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, at: impl Into<At>) -> Vec<String> {
        self.list(at).into_iter().map(|(_, text)| text).collect()
    }

    /// A list, each of it read by `read`.
    pub(super) fn each<T>(&mut self, at: impl Into<At>, read: impl Fn(&str) -> Result<T, String>, fix: &str) -> Vec<T> {
        let mut all = Vec::new();
        for (place, text) in self.list(at) {
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
        known(at.key.kind, &text).map_err(|what| self.fault(&at, what, known_ones(at.key.kind))).ok()
    }

    /// Some of the texts that the key's kind lists, each once.
    pub(super) fn choices(&mut self, at: impl Into<At>) -> Vec<String> {
        let at = at.into();
        let all = self.each(at, |text| known(at.key.kind, text), &known_ones(at.key.kind));
        let twice = all.iter().enumerate().find(|(i, one)| all.iter().take(*i).any(|other| other == *one));
        if let Some((_, one)) = twice {
            self.fault(&at, format!("has {one:?} twice"), "keep one of them");
        }
        all
    }

    /// A duration within the bounds of the key's kind.
    pub(super) fn duration(&mut self, at: impl Into<At>) -> Option<Duration> {
        let at = at.into();
        let text = self.text(at)?;
        // The parser's arithmetic is checked for any text of this length, and it knows more units, such as `M` for a month.
        let mut units = text.split(|c: char| !c.is_alphabetic()).filter(|unit| !unit.is_empty()).peekable();
        let fits = text.len() <= limits::SETTINGS_DURATION_BYTES
            && units.peek().is_some()
            && units.all(|unit| matches!(unit, "ms" | "s" | "m" | "h" | "d"));
        let parsed = if fits { humantime::parse_duration(&text).ok() } else { None };
        let Some(duration) = parsed else {
            let fix = "write a number with its unit (ms, s, m, h or d), as \"1.5s\", \"10m\" or \"30d\"";
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

/// `text`, if it is one of those that `kind` lists.
fn known(kind: Kind, text: &str) -> Result<String, String> {
    let is_known = kind.choices().contains(&text);
    is_known.then(|| text.to_owned()).ok_or_else(|| format!("is {text:?}, which is not known"))
}

fn known_ones(kind: Kind) -> String {
    format!("write one of: {}", kind.choices().join(", "))
}

/// A value of the wrong type, in words; nothing of it if it may be secret.
fn shown(value: &Value, kind: Kind) -> String {
    match value {
        Value::String(text) if !kind.is_secret() => format!("the text {text:?}"),
        Value::Integer(_) | Value::Float(_) if !kind.is_secret() => format!("the number {value}"),
        Value::Boolean(value) if !kind.is_secret() => value.to_string(),
        Value::String(_) => "text".into(),
        Value::Integer(_) | Value::Float(_) => "a number".into(),
        Value::Boolean(_) => "true or false".into(),
        Value::Datetime(_) => "a date".into(),
        Value::Array(_) => "a list".into(),
        Value::Table(_) => "a table".into(),
    }
}

/// A URL that is wrong, to be put behind what is wrong with it; nothing if it may have a password in it.
pub(super) fn given_url(url: &str) -> String {
    if url.contains('@') { String::new() } else { format!(": {url:?}") }
}
