//! The part of Kubernetes' `JSONPath` that printer columns use: fields, indexes, `[*]`, and filters
//! such as `[?(@.type=="Ready")]`.

use serde_json::Value;

/// Every value that the path finds; none where it is wrong or finds nothing.
pub(super) fn find<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut rest = path.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    let mut found = vec![object];
    while !rest.is_empty() {
        let Some((step, left)) = step(rest) else { return Vec::new() };
        found = found.into_iter().flat_map(|value| step.apply(value)).collect();
        rest = left;
    }
    found
}

enum Step {
    Field(String),
    Index(i64),
    All,
    Filter { path: String, equal: bool, wanted: Option<String> },
}

impl Step {
    fn apply<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(at) => {
                let list = value.as_array().map_or(&[][..], Vec::as_slice);
                let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
                let at = if *at < 0 { length + at } else { *at };
                usize::try_from(at).ok().and_then(|at| list.get(at)).into_iter().collect()
            }
            Self::All => match value {
                Value::Array(list) => list.iter().collect(),
                Value::Object(map) => map.values().collect(),
                _ => Vec::new(),
            },
            Self::Filter { path, equal, wanted } => {
                let list = value.as_array().into_iter().flatten();
                list.filter(|item| {
                    let found = find(item, path);
                    match wanted {
                        None => !found.is_empty(),
                        Some(wanted) => found.iter().any(|one| super::text::plain(one) == *wanted) == *equal,
                    }
                })
                .collect()
            }
        }
    }
}

fn step(path: &str) -> Option<(Step, &str)> {
    if let Some(rest) = path.strip_prefix('[') {
        let end = closing(rest)?;
        let (inside, left) = (rest[..end].trim(), &rest[end + 1..]);
        let step = if inside == "*" {
            Step::All
        } else if let Some(filter) = inside.strip_prefix("?(") {
            filter_step(filter.strip_suffix(')')?.trim())
        } else if inside.starts_with(['\'', '"']) {
            Step::Field(inside.trim_matches(['\'', '"']).replace("\\.", "."))
        } else {
            Step::Index(inside.parse().ok()?)
        };
        return Some((step, left));
    }
    let rest = path.strip_prefix('.').unwrap_or(path);
    if rest.starts_with('[') {
        return step(rest);
    }
    let (mut name, mut end, mut escaped) = (String::new(), rest.len(), false);
    for (at, c) in rest.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => {
                end = at;
                break;
            }
            c => {
                name.push(c);
                escaped = false;
            }
        }
    }
    let left = &rest[end..];
    match name.as_str() {
        "" => None,
        "*" => Some((Step::All, left)),
        _ => Some((Step::Field(name), left)),
    }
}

/// The bracket that closes, past those in quotes and those nested.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn filter_step(filter: &str) -> Step {
    let (left, equal, right) = match (filter.split_once("=="), filter.split_once("!=")) {
        (Some((left, right)), _) => (left, true, Some(right)),
        (None, Some((left, right))) => (left, false, Some(right)),
        (None, None) => (filter, true, None),
    };
    let wanted = right.map(|right| right.trim().trim_matches(['\'', '"']).to_owned());
    Step::Filter { path: left.trim().trim_start_matches('@').to_owned(), equal, wanted }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_of_printer_columns() {
        let object = json!({
            "spec": {"a": [{"n": 1}, {"n": 2}], "cronSpec": "* * *"},
            "metadata": {"labels": {"app.kubernetes.io/name": "x"}},
            "status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        for (path, expected) in [
            (".spec.cronSpec", vec![json!("* * *")]),
            ("{.spec.cronSpec}", vec![json!("* * *")]),
            (".spec.a[0].n", vec![json!(1)]),
            (".spec.a[-1].n", vec![json!(2)]),
            (".spec.a[*].n", vec![json!(1), json!(2)]),
            (r".metadata.labels.app\.kubernetes\.io/name", vec![json!("x")]),
            (".metadata.labels['app.kubernetes.io/name']", vec![json!("x")]),
            (r#".status.conditions[?(@.type=="Ready")].status"#, vec![json!("True")]),
            (".status.conditions[?(@.type!='Ready')].status", vec![json!("False")]),
            (".spec.none.deeper", vec![]),
            (".spec.a[", vec![]),
        ] {
            assert_eq!(find(&object, path).into_iter().cloned().collect::<Vec<_>>(), expected, "{path}");
        }
    }
}
