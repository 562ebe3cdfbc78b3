//! Label selectors: as text (`a=b, c!=d, e in (f, g), h notin (i), j, !k, l>1`), as objects of the API
//! (`matchLabels`, `matchExpressions`), and as plain maps.

use serde_json::Value;

use crate::object::names::{label_value, qualified_name};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    In,
    NotIn,
    Exists,
    Absent,
    More,
    Less,
}

impl Operator {
    /// As label selectors and node affinity write it.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "In" => Self::In,
            "NotIn" => Self::NotIn,
            "Exists" => Self::Exists,
            "DoesNotExist" => Self::Absent,
            "Gt" => Self::More,
            "Lt" => Self::Less,
            _ => return None,
        })
    }

    fn holds<'a>(self, held: Option<&str>, mut values: impl Iterator<Item = &'a str>) -> bool {
        let number = |text: &str| text.parse::<i64>().ok();
        match self {
            Self::In => held.is_some_and(|held| values.any(|value| value == held)),
            Self::NotIn => held.is_none_or(|held| values.all(|value| value != held)),
            Self::Exists => held.is_some(),
            Self::Absent => held.is_none(),
            Self::More | Self::Less => match (held.and_then(number), values.next().and_then(number)) {
                (Some(held), Some(than)) => (self == Self::More && held > than) || (self == Self::Less && held < than),
                _ => false,
            },
        }
    }
}

/// One part of a selector that was read from text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

impl Requirement {
    pub(crate) fn holds<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.operator.holds(label(&self.key), self.values.iter().map(String::as_str))
    }
}

/// A label selector of the API against labels. One that has nothing selects everything.
pub(crate) fn selects<'a>(selector: &Value, label: impl Fn(&str) -> Option<&'a str>) -> bool {
    let equal =
        selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| label(key) == value.as_str());
    equal && selector["matchExpressions"].as_array().into_iter().flatten().all(|rule| matches(rule, &label))
}

/// A plain map of labels, as Services and `ReplicationControllers` have, against labels.
pub(crate) fn selects_map<'a>(selector: &Value, label: impl Fn(&str) -> Option<&'a str>) -> bool {
    selector.as_object().is_some_and(|selector| {
        !selector.is_empty() && selector.iter().all(|(key, value)| label(key) == value.as_str())
    })
}

/// One expression of a label selector or of node affinity.
pub(crate) fn matches<'a>(rule: &Value, label: &impl Fn(&str) -> Option<&'a str>) -> bool {
    let Some(operator) = Operator::named(rule["operator"].as_str().unwrap_or_default()) else { return false };
    let values = rule["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
    operator.holds(label(rule["key"].as_str().unwrap_or_default()), values)
}

/// A selector in one line: of the API, a plain map, or text already. Sorted by key.
pub(crate) fn text(selector: &Value) -> String {
    if let Some(text) = selector.as_str() {
        return text.to_owned();
    }
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let whole = selector.get("matchLabels").is_some_and(Value::is_object)
        || selector.get("matchExpressions").is_some_and(Value::is_array);
    let labels = if whole { &selector["matchLabels"] } else { selector };
    let mut parts: Vec<(String, String)> = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        parts.push((key.clone(), format!("{key}={}", plain(value))));
    }
    for one in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = plain(&one["key"]);
        let mut values: Vec<_> = one["values"].as_array().into_iter().flatten().map(plain).collect();
        values.sort();
        let text = match one["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.clone(),
            "DoesNotExist" => format!("!{key}"),
            _ => "<error>".to_owned(),
        };
        parts.push((key, text));
    }
    parts.sort();
    parts.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(",")
}

/// What is wrong is reported in the words of Kubernetes' own parser.
pub(crate) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            "" => return Ok(requirements),
            first if first == "!" || is_word(first) => {
                let one = parser.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?;
                requirements.push(one);
                match parser.next() {
                    "" => return Ok(requirements),
                    "," => {
                        let next = parser.peek();
                        if next != "!" && !is_word(next) {
                            return Err(format!("found '{next}', expected: identifier after ','"));
                        }
                    }
                    other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
                }
            }
            other => return Err(format!("found '{other}', expected: !, identifier, or 'end of string'")),
        }
    }
}

fn is_special(letter: char) -> bool {
    matches!(letter, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn is_word(token: &str) -> bool {
    token.chars().next().is_some_and(|first| !is_special(first))
}

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_special(first) {
            ["==", "!="].iter().find(|two| rest.starts_with(**two)).map_or(1, |two| two.len())
        } else {
            rest.find(|letter: char| is_special(letter) || letter.is_whitespace()).unwrap_or(rest.len())
        };
        let (token, more) = rest.split_at(length);
        tokens.push(token);
        rest = more.trim_start();
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    /// Empty at the end.
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or_default()
    }

    fn next(&mut self) -> &'a str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == "!";
        if absent {
            self.next();
        }
        let key = self.next();
        if !is_word(key) {
            return Err(format!("found '{key}', expected: identifier"));
        }
        if let Some(wrong) = joined(qualified_name(key)) {
            return Err(format!("<nil>: Invalid value: \"{key}\": {wrong}"));
        }
        let key = key.to_owned();
        let (operator, values) = if absent {
            (Operator::Absent, Vec::new())
        } else if matches!(self.peek(), "" | ",") {
            (Operator::Exists, Vec::new())
        } else {
            match self.next() {
                "in" => (Operator::In, self.values()?),
                "notin" => (Operator::NotIn, self.values()?),
                "=" | "==" => (Operator::In, vec![self.value()?]),
                "!=" => (Operator::NotIn, vec![self.value()?]),
                ">" => (Operator::More, vec![self.number()?]),
                "<" => (Operator::Less, vec![self.number()?]),
                other => return Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
            }
        };
        Ok(Requirement { key, operator, values })
    }

    fn value(&mut self) -> Result<String, String> {
        if matches!(self.peek(), "" | ",") {
            return Ok(String::new());
        }
        let value = self.next();
        if !is_word(value) {
            return Err(format!("found '{value}', expected: identifier"));
        }
        checked(value)
    }

    fn number(&mut self) -> Result<String, String> {
        let value = self.value()?;
        match value.parse::<i64>() {
            Ok(_) => Ok(value),
            Err(_) => Err(format!(
                "values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != "(" {
            return Err(format!("found '{open}' expected: '('"));
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                ")" => break,
                "," if matches!(self.peek(), "," | ")") => values.push(String::new()),
                "," => {}
                word if is_word(word) => {
                    values.push(checked(word)?);
                    let next = self.peek();
                    if !matches!(next, "," | ")") {
                        return Err(format!("found '{next}', expected: ',' or ')'"));
                    }
                }
                other => return Err(format!("found '{other}', expected: ',', ')' or identifier")),
            }
        }
        if values.is_empty() {
            return Err("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty".to_owned());
        }
        Ok(values)
    }
}

fn checked(value: &str) -> Result<String, String> {
    match joined(label_value(value)) {
        Some(wrong) => Err(format!("values[0]: Invalid value: \"{value}\": {wrong}")),
        None => Ok(value.to_owned()),
    }
}

fn joined(wrong: Vec<String>) -> Option<String> {
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_as_kubernetes_tells_it() {
        for (text, why) in [
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("app in web", "unable to parse requirement: found 'web' expected: '('"),
            ("app=bad value", "found 'value', expected: ',' or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
            ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn all_operators_are_read() {
        let all = parse("a, !b, c=d, e==f, g!=h, i in (j,k), l notin (m), n>1, o<2, p=").expect("a selector");
        assert_eq!(all.len(), 10);
        let one = |key: &str, operator, values: &[&str]| Requirement {
            key: key.into(),
            operator,
            values: values.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(all[5], one("i", Operator::In, &["j", "k"]));
        assert_eq!(all[7], one("n", Operator::More, &["1"]));
        assert_eq!(all[9], one("p", Operator::In, &[""]));
    }

    #[test]
    fn selectors_are_sorted_by_key() {
        let one = json!({"matchLabels": {"b": "1"}, "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["y", "x"]}, {"key": "c", "operator": "DoesNotExist"}]});
        assert_eq!(text(&one), "a in (x,y),b=1,!c");
        assert_eq!(text(&json!({"b": "1", "a": "2"})), "a=2,b=1");
        assert_eq!(text(&json!("x=y")), "x=y");
        assert_eq!(text(&json!({})), "");
    }

    #[test]
    fn selectors_select_as_kubernetes_does() {
        let labels = HashMap::from([("app", "web"), ("tier", "front")]);
        let label = |key: &str| labels.get(key).copied();
        let rule = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        assert!(selects(&json!({"matchLabels": {"app": "web"}}), label));
        assert!(!selects(&json!({"matchLabels": {"app": "db"}}), label));
        assert!(selects(&rule("app", "In", &["web", "db"]), label));
        assert!(selects(&rule("zone", "NotIn", &["a"]), label));
        assert!(selects(&rule("zone", "DoesNotExist", &[]), label));
        assert!(!selects(&rule("app", "DoesNotExist", &[]), label));
        assert!(!selects_map(&json!({}), label));
    }
}
