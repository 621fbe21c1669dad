//! Changes to a JSON object on its way out: first to its members, then to its text, so that any defect can be written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The members of a JSON object.
pub type Members = Map<String, Value>;

/// A change to one JSON object. Members are changed in the order of the fields, then the text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edit {
    /// Members given this value, new or not.
    pub set: Members,
    /// Members taken away.
    pub remove: Vec<String>,
    /// Numeric members moved by so much, for instance `exp` by -3600 seconds.
    pub shift: BTreeMap<String, i64>,
    /// `(from, to)`: the first `from` in the text becomes `to`. Duplicated members are made like this.
    pub replace: Vec<(String, String)>,
    /// Put after the text.
    pub append: String,
    /// The whole text, whatever it would have been.
    pub whole: Option<String>,
}

impl Edit {
    /// `name` becomes `value`.
    #[must_use]
    pub fn set(name: &str, value: impl Into<Value>) -> Self {
        Self { set: Members::from_iter([(name.to_owned(), value.into())]), ..Self::default() }
    }

    /// `name` is missing.
    #[must_use]
    pub fn remove(name: &str) -> Self {
        Self { remove: vec![name.to_owned()], ..Self::default() }
    }

    /// The number `name` is moved by `by`.
    #[must_use]
    pub fn shift(name: &str, by: i64) -> Self {
        Self { shift: BTreeMap::from([(name.to_owned(), by)]), ..Self::default() }
    }

    /// The first `from` in the text becomes `to`.
    #[must_use]
    pub fn replace(from: &str, to: &str) -> Self {
        Self { replace: vec![(from.to_owned(), to.to_owned())], ..Self::default() }
    }

    /// A second `name`, in front of the right one.
    #[must_use]
    pub fn duplicate(name: &str, value: impl Into<Value>) -> Self {
        Self::replace("{", &format!("{{{}:{},", Value::from(name), value.into()))
    }

    /// `text` follows the object.
    #[must_use]
    pub fn append(text: &str) -> Self {
        Self { append: text.to_owned(), ..Self::default() }
    }

    /// `text` is sent in place of the object.
    #[must_use]
    pub fn whole(text: &str) -> Self {
        Self { whole: Some(text.to_owned()), ..Self::default() }
    }

    fn members(&self, members: &mut Members) {
        members.extend(self.set.clone());
        for name in &self.remove {
            members.remove(name);
        }
        for (name, by) in &self.shift {
            if let Some(value) = members.get_mut(name)
                && let Some(number) = value.as_i64()
            {
                *value = number.saturating_add(*by).into();
            }
        }
    }

    fn text(&self, mut text: String) -> String {
        if let Some(whole) = &self.whole {
            text.clone_from(whole);
        }
        for (from, to) in &self.replace {
            text = text.replacen(from, to, 1);
        }
        text + &self.append
    }
}

/// `members` as text, after all `edits`.
pub(crate) fn render<'e>(mut members: Members, edits: impl IntoIterator<Item = &'e Edit> + Clone) -> String {
    for edit in edits.clone() {
        edit.members(&mut members);
    }
    edits.into_iter().fold(Value::Object(members).to_string(), |text, edit| edit.text(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_change_before_the_text() {
        let Value::Object(members) = json!({ "exp": 10, "iss": "a", "sub": "s" }) else { unreachable!() };
        let edits = [Edit::shift("exp", -4), Edit::duplicate("iss", "b"), Edit::remove("sub"), Edit::append("x")];
        assert_eq!(render(members, &edits), r#"{"iss":"b","exp":6,"iss":"a"}x"#);
    }
}
