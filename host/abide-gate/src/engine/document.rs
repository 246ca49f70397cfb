//! Reads canonical JSON into a value of the engine. The engine's own reader copies each text twice and lets the last of equal keys win.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use regorus::Value;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Reads one document. Numbers that are not integers are refused: a canonical input has none.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Document.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads one document that people or other programs wrote: the same strictness, without the engine's own type.
pub(crate) fn read_plain(bytes: &[u8]) -> Result<serde_json::Value, serde_json::Error> {
    read(bytes)?;
    serde_json::from_slice(bytes)
}

#[derive(Clone, Copy)]
struct Document;

impl<'de> DeserializeSeed<'de> for Document {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without fractions")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(Arc::from(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::from(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut pairs: Vec<(Value, Value)> = Vec::with_capacity(16);
        while let Some(key) = fields.next_key_seed(self)? {
            pairs.push((key, fields.next_value_seed(self)?));
        }
        let count = pairs.len();
        // Canonical JSON is sorted already, and a map of what is sorted is built at once.
        let map: BTreeMap<Value, Value> = pairs.into_iter().collect();
        if map.len() != count {
            return Err(A::Error::custom("a key stands there twice"));
        }
        Ok(Value::from(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_as_the_engines_own() {
        let text = r#"{"a":[1,-2,"x\n\u00e9",null,true,{"":{}}],"b":18446744073709551615,"c":[]}"#;
        assert_eq!(read(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn what_is_no_canonical_input_is_refused() {
        for text in
            ["{\"a\":1,\"a\":1}", "1.5", "1e3", "{} {}", "[", "{\"a\":[{\"b\":1,\"b\":2}]}", &"[".repeat(200)]
        {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
