//! JSON as a security protocol needs it: exactly one object in UTF-8, no member twice at any depth (RFC 8259 4, RFC
//! 8725 2.4). Two parsers that differ on which duplicate counts would read different things in one document.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::server::log_text::clip;

/// Reads `bytes` as one JSON object.
///
/// # Errors
/// What is wrong, without any value of the document.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(Value::Object(members))) => Ok(members),
        Ok(_) => Err("not a JSON object".into()),
        Err(error) if error.is_data() => Err(clip(&error.to_string())),
        Err(error) => Err(format!("not JSON (line {}, column {})", error.line(), error.column())),
    }
}

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
                return Err(A::Error::custom(format_args!("member `{}` twice", clip(&name))));
            }
            let Strict(value) = map.next_value()?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn one_object_and_nothing_else() {
        for good in [r#"{}"#, r#" {"a":[1,-1,1.5,true,null,"x",{"b":{}}]} "#, r#"{"a":{"b":1},"b":{"b":1}}"#] {
            assert_eq!(
                object(good.as_bytes()).map(serde_json::Value::Object).unwrap(),
                serde_json::from_str::<serde_json::Value>(good).unwrap()
            );
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        for bad in [
            "",
            "null",
            "[]",
            "5",
            r#"{"a":1}x"#,
            r#"{"a":1}{}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e400}"#,
            r#"{"a":1,}"#,
            "\u{feff}{}",
            &deep,
        ] {
            assert!(object(bad.as_bytes()).is_err(), "{bad:.60}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
        assert!(object(&"{}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).is_err());
    }

    #[test]
    fn says_what_is_wrong_without_the_values() {
        assert!(object(br#"{"t":"SECRET","t":"SECRET"}"#).unwrap_err().starts_with("member `t` twice"));
        assert!(!object(br#"{"t":"SECRET" x}"#).unwrap_err().contains("SECRET"));
    }
}
