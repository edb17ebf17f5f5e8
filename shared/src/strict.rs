//! JSON in which no object names a member twice.
//!
//! Which of the two was meant nobody can say; the usual reader takes the last and passes over the others.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The value that is written in `text`.
///
/// # Errors
/// It is not JSON, or has a member twice, which is an error of its data.
pub(crate) fn parse(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(text).map(|Strict(value)| value)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("\"{name}\" is written twice")));
            }
            let Strict(value) = map.next_value()?;
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_member_twice_is_read_as_ever() {
        for text in [
            r#"{"a":[null,true,-1,18446744073709551615,1.5,"\u00e9\n"],"b":{"a":{}},"c":[]}"#,
            "1e20",
            r#""x""#,
            " [ ] ",
        ] {
            let usual: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap(), usual);
        }
        for bad in ["", "{", "[1,]", "1e999", "{} {}", "\u{0}"] {
            assert!(!parse(bad.as_bytes()).unwrap_err().is_data(), "{bad}");
        }
        assert!(parse("[".repeat(1000).as_bytes()).is_err());
    }

    #[test]
    fn a_member_that_is_written_twice_is_refused_wherever_it_stands() {
        for text in [
            r#"{"a":1,"b":2,"a":1}"#,
            r#"[{"x":{"a":1,"a":2}}]"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.is_data(), "{error}");
            let message = error.to_string();
            assert!(
                message.starts_with(r#""a" is written twice at line 1"#),
                "{message}"
            );
        }
    }
}
