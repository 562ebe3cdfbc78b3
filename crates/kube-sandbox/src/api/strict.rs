//! JSON and YAML to a value, with the keys that a map holds twice named, and with bounds: both formats nest, and
//! YAML's aliases repeat what they name.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::options::DuplicateKeyPolicy;

use super::limits::LARGEST_BODY;
use super::syntax;

/// As deep as `serde_json` reads.
pub const DEEPEST: usize = 128;
/// Its reader takes more of the stack for each level.
const DEEPEST_YAML: usize = 64;
/// As many as Kubernetes' own reader names.
const MOST_NAMED: usize = 100;

#[derive(Debug, Default, PartialEq)]
pub struct Read {
    pub value: Value,
    /// `duplicate field "spec.replicas"`, each once; the last of the two values is in `value`.
    pub duplicates: Vec<String>,
}

pub fn json(bytes: &[u8]) -> Result<Read, String> {
    let mut reader = Reader::default();
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let value = Seed(&mut reader).deserialize(&mut from).and_then(|value| from.end().map(|()| value));
    value.map(|value| reader.read(value)).map_err(|error| syntax::error(bytes).unwrap_or_else(|| error.to_string()))
}

pub fn yaml(bytes: &[u8]) -> Result<Read, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: DEEPEST_YAML },
    };
    let mut reader = Reader::default();
    let value = serde_saphyr::with_deserializer_from_str_with_options(text, options, |from| {
        Seed(&mut reader).deserialize(from)
    })
    .map_err(|error| error.to_string())?;
    let mut read = reader.read(value);
    if !read.duplicates.is_empty() {
        read.duplicates = vec![set_already(text, &read.duplicates)];
    }
    Ok(read)
}

/// Go's YAML library says it with a line.
fn set_already(text: &str, duplicates: &[String]) -> String {
    let strict = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::Error, with_snippet: false };
    let first = serde_saphyr::from_str_with_options::<serde::de::IgnoredAny>(text, strict).err();
    let line = first.and_then(|error| error.location()).map_or(1, |location| location.line());
    let named = duplicates.first().map(String::as_str).unwrap_or_default().trim_end_matches('"');
    let key = named.rsplit(['.', '"']).next().unwrap_or_default();
    format!("yaml: unmarshal errors:\n  line {line}: key \"{key}\" already set in map")
}

#[derive(Default)]
struct Reader {
    depth: usize,
    text: usize,
    /// Paths below the value that is read just now.
    duplicates: Vec<String>,
}

impl Reader {
    fn read(self, value: Value) -> Read {
        let mut duplicates: Vec<String> = Vec::new();
        for path in self.duplicates {
            let said = format!("duplicate field \"{}\"", path.trim_start_matches('.'));
            if !duplicates.contains(&said) {
                duplicates.push(said);
            }
        }
        Read { value, duplicates }
    }

    fn takes<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        self.text += bytes;
        if self.text > LARGEST_BODY {
            return Err(E::custom(format_args!("it expands to more than {LARGEST_BODY} bytes")));
        }
        Ok(())
    }

    fn below<T, E: Error>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(E::custom(format_args!("it is nested deeper than {DEEPEST} levels")));
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// What was found since `from` lies in `within`.
    fn within(&mut self, from: usize, within: &str) {
        for path in &mut self.duplicates[from..] {
            path.insert_str(0, within);
        }
    }
}

struct Seed<'a>(&'a mut Reader);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, is: bool) -> Result<Value, E> {
        Ok(Value::Bool(is))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        // Neither format's numbers say "not a number" in JSON.
        if number.is_finite() { Ok(number.into()) } else { Err(E::custom("a number that JSON cannot hold")) }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.0.takes(text.len())?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        self.0.takes(text.len())?;
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.0.below(|reader| {
            let mut list = Vec::new();
            loop {
                let before = reader.duplicates.len();
                let Some(item) = from.next_element_seed(Seed(reader))? else { return Ok(Value::Array(list)) };
                reader.takes(1)?;
                if reader.duplicates.len() > before {
                    reader.within(before, &format!("[{}]", list.len()));
                }
                list.push(item);
            }
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.0.below(|reader| {
            let mut map = Map::new();
            while let Some(key) = from.next_key::<String>()? {
                let before = reader.duplicates.len();
                let value = from.next_value_seed(Seed(reader))?;
                reader.takes(key.len() + 1)?;
                if reader.duplicates.len() > before {
                    reader.within(before, &format!(".{key}"));
                }
                if map.contains_key(&key) && reader.duplicates.len() < MOST_NAMED {
                    reader.duplicates.push(format!(".{key}"));
                }
                map.insert(key, value);
            }
            Ok(Value::Object(map))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_named_with_its_path_and_the_last_counts() {
        let read =
            json(br#"{"spec":{"replicas":1,"list":[{"a":1},{"b":{"c":1,"c":2},"b":3}],"replicas":2},"spec2":{}}"#);
        let read = read.expect("it is JSON");
        assert_eq!(read.value, json!({"spec": {"replicas": 2, "list": [{"a": 1}, {"b": 3}]}, "spec2": {}}));
        assert_eq!(
            read.duplicates,
            [
                "duplicate field \"spec.list[1].b.c\"",
                "duplicate field \"spec.list[1].b\"",
                "duplicate field \"spec.replicas\""
            ]
        );
        assert!(json(br#"{"a":{"x":1},"b":{"x":1}}"#).expect("it is JSON").duplicates.is_empty());
    }

    #[test]
    fn yaml_names_the_line() {
        let read = yaml(b"spec:\n  replicas: 1\n  other: x\n  replicas: 2\n").expect("it is YAML");
        assert_eq!(read.value, json!({"spec": {"replicas": 2, "other": "x"}}));
        assert_eq!(read.duplicates, ["yaml: unmarshal errors:\n  line 4: key \"replicas\" already set in map"]);
    }

    #[test]
    fn what_nests_too_deep_or_grows_too_large_is_refused() {
        let deep = |open: &str, depth: usize| open.repeat(depth);
        assert!(json(deep("[", 100_000).as_bytes()).is_err());
        assert!(yaml(deep("[", 100_000).as_bytes()).is_err());
        assert!(yaml(deep("{a: ", 200).as_bytes()).is_err());
        let blocks = |depth| {
            let lines: Vec<String> = (0..depth).map(|depth| format!("{}a:", " ".repeat(depth))).collect();
            lines.join("\n")
        };
        assert!(yaml(blocks(200).as_bytes()).is_err());
        assert!(yaml(blocks(60).as_bytes()).is_ok());
        // Nine lines that stand for 10^9 values.
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..9 {
            let below = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(","));
        }
        assert!(yaml(bomb.as_bytes()).is_err());
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(10_000), vec!["*a"; 1000].join(","));
        assert!(yaml(long.as_bytes()).is_err());
    }

    #[test]
    fn scalars_are_what_they_are_in_json() {
        // As Go's library reads YAML 1.1, where `yes` is true.
        let read = yaml(
            b"a: 1\nb: 1.5\nc: yes\nd: null\ne: \"1\"\nf: -9223372036854775808\ng: true\nh: 18446744073709551615\n",
        );
        let expected =
            json!({"a": 1, "b": 1.5, "c": true, "d": null, "e": "1", "f": i64::MIN, "g": true, "h": u64::MAX});
        assert_eq!(read.expect("it is YAML").value, expected);
        assert!(yaml(b"a: .nan").is_err());
        assert!(json(b"{\"a\": 1e400}").is_err());
        assert!(json(b"{} {}").is_err());
    }
}
