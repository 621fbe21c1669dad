//! JSON as a security protocol needs it: exactly one object, no member twice (RFC 8259 4, RFC 8725 2.4). Two parsers that
//! differ on which duplicate counts would read different things in one document.
//!
//! Damage within one member costs that member and no other, and within a list the element that has it: half of a surrogate
//! pair, bytes that are not UTF-8, a number that no type holds, a duplicate or a depth further down.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

use crate::server::log_text::clip;

/// A JSON object.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    /// The members that can be read.
    pub(super) members: Map<String, Value>,
    /// The names of the others.
    pub(super) damaged: Vec<String>,
}

/// Reads `bytes` as one JSON object.
///
/// # Errors
/// What is wrong, without any value of the document.
pub(super) fn object(bytes: &[u8]) -> Result<Object, String> {
    let text = String::from_utf8_lossy(bytes);
    let damaged_bytes = matches!(text, Cow::Owned(_));
    let members: Members<'_> = serde_json::from_str(&text).map_err(|error| {
        if error.is_data() {
            clip(&error.to_string())
        } else {
            format!("not JSON (line {}, column {})", error.line(), error.column())
        }
    })?;
    let mut object = Object::default();
    for (name, raw) in members.0 {
        // The replacement character means damage only where it has replaced something.
        // Nor does a name have a control character, which is none of JSON's where it is not escaped (RFC 8259 7).
        let damaged_name = name.contains(|c: char| c == '\u{fffd}' || c.is_control());
        match readable(raw, damaged_bytes).filter(|_| !damaged_name) {
            Some(value) => {
                object.members.insert(name, value);
            }
            None => object.damaged.push(name),
        }
    }
    Ok(object)
}

/// The value, if it can be read. In a list, an element that cannot be read is `null`, and the others count.
fn readable(raw: &RawValue, damaged_bytes: bool) -> Option<Value> {
    let read = |raw: &RawValue| {
        let replaced = damaged_bytes && raw.get().contains('\u{fffd}');
        serde_json::from_str(raw.get()).ok().filter(|_| !replaced).map(|Strict(value)| value)
    };
    read(raw).or_else(|| {
        let elements: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
        Some(elements.into_iter().map(|element| read(element).unwrap_or_default()).collect())
    })
}

/// `bytes` without a byte order mark in front (RFC 8259 8.1).
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// The members of an object, each still as it was written.
struct Members<'t>(BTreeMap<String, &'t RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(Name(name)) = map.next_key()? {
            // Two names that are damaged may look the same.
            if members.contains_key(&name) && !name.contains('\u{fffd}') {
                return Err(twice(&name));
            }
            members.insert(name, map.next_value()?);
        }
        Ok(Members(members))
    }
}

/// A member's name. What is damaged in it is replaced: no name that we look for has such a character.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, since a text with half of a surrogate pair would be refused.
        deserializer.deserialize_bytes(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Name, E> {
        Ok(Name(String::from_utf8_lossy(name).into_owned()))
    }
}

fn twice<E: serde::de::Error>(name: &str) -> E {
    E::custom(format_args!("member `{}` twice", clip(name)))
}

/// A value in which no object has a member twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(twice(&name));
            }
            let Strict(value) = map.next_value()?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Object, object};

    #[test]
    fn one_object_and_nothing_else() {
        for good in [r#"{}"#, r#" {"a":[1,-1,1.5,true,null,"x",{"b":{}}]} "#, r#"{"a":{"b":1},"b":{"b":1}}"#] {
            let Object { members, damaged } = object(good.as_bytes()).unwrap();
            assert_eq!(serde_json::Value::Object(members), serde_json::from_str::<serde_json::Value>(good).unwrap());
            assert!(damaged.is_empty());
        }
        for bad in [
            "",
            "null",
            "[]",
            "5",
            r#"{"a":1}x"#,
            r#"{"a":1}{}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":1,}"#,
            "\u{feff}{}",
        ] {
            assert!(object(bad.as_bytes()).is_err(), "{bad:.60}");
        }
        assert!(object(&"{}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).is_err());
    }

    #[test]
    fn damage_costs_the_member_that_has_it() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        for value in [r#""\ud800""#, r#"{"\ud800":1}"#, "1e400", r#"{"b":1,"b":2}"#, &deep] {
            let text = format!(r#"{{"sub":"1","odd":{value},"name":"Ada"}}"#);
            let Object { members, damaged } =
                object(text.as_bytes()).unwrap_or_else(|what| panic!("{value:.60}: {what}"));
            assert_eq!((members.len(), damaged.as_slice()), (2, ["odd".to_owned()].as_slice()), "{value:.60}");
        }
        for (list, read) in [
            (r#"["x","\udc00"]"#, json!(["x", null])),
            (r#"[1e999,["x"],"y"]"#, json!([null, ["x"], "y"])),
            (r#"[{"b":1,"b":2},"z"]"#, json!([null, "z"])),
            (r#"["\ud800"]"#, json!([null])),
        ] {
            let Object { members, damaged } = object(format!(r#"{{"list":{list}}}"#).as_bytes()).unwrap();
            assert_eq!((&members["list"], damaged.len()), (&read, 0), "{list}");
        }
        let groups = object(b"{\"groups\":[\"staff\",\"B\xfcro\"]}").unwrap();
        assert_eq!(groups.members["groups"], json!(["staff", null]));
        let latin1 = object(b"{\"sub\":\"1\",\"name\":\"J\xf6rg\",\"n\xff\":1,\"said\":\"\xef\xbf\xbd\"}").unwrap();
        assert_eq!(
            latin1.members.keys().collect::<Vec<_>>(),
            ["sub"],
            "where bytes are damaged, so is the replacement"
        );
        let names = object(b"{\"n\xe4me\":1,\"n\xf6me\":2,\"\\ud800\":1,\"\\ud801\":1,\"sub\":\"1\"}").unwrap();
        assert_eq!(names.members.keys().collect::<Vec<_>>(), ["sub"], "damaged names are not taken for one name");
        // Found by fuzzing: names are read as bytes, in which serde_json allows what it refuses in a text.
        let names = object(b"{\"na\nme\":1,\"\\u0000\":1,\"sub\":\"1\"}").unwrap();
        assert_eq!((names.members.len(), names.damaged.len()), (1, 2), "control characters");
        let replacement = object("{\"name\":\"\u{fffd}\"}".as_bytes()).unwrap();
        assert!(replacement.damaged.is_empty(), "a character like any other where nothing was replaced");
    }

    #[test]
    fn says_what_is_wrong_without_the_values() {
        assert!(object(br#"{"t":"SECRET","t":"SECRET"}"#).unwrap_err().starts_with("member `t` twice"));
        assert!(!object(br#"{"t":"SECRET" x}"#).unwrap_err().contains("SECRET"));
    }
}
