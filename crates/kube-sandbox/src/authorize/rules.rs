//! Whether one rule of a role covers a wish.

use serde_json::Value;

use super::Attributes;

pub(super) fn allows(rule: &Value, wanted: &Attributes) -> bool {
    if !has(rule, "verbs", &wanted.verb) {
        return false;
    }
    if let Some(path) = &wanted.path {
        return texts(rule, "nonResourceURLs").any(|url| covers_path(url, path));
    }
    let names = || texts(rule, "resourceNames");
    has(rule, "apiGroups", &wanted.group)
        && texts(rule, "resources").any(|resource| covers(resource, wanted))
        && (names().next().is_none() || names().any(|name| name == wanted.name))
}

/// Whether one rule gives all that another does; `one` is of one verb and one resource or path.
pub(super) fn covers_rule(rule: &Value, one: &Value) -> bool {
    let first = |field: &str| texts(one, field).next().unwrap_or_default().to_owned();
    if !has(rule, "verbs", &first("verbs")) {
        return false;
    }
    if one.get("nonResourceURLs").is_some() {
        let wanted = first("nonResourceURLs");
        return texts(rule, "nonResourceURLs").any(|url| covers_path(url, &wanted));
    }
    let resource = first("resources");
    let (kind, part) = resource.split_once('/').unwrap_or((&resource, ""));
    let wanted = Attributes { resource: kind.to_owned(), subresource: part.to_owned(), ..Attributes::default() };
    let resources = texts(rule, "resources").any(|held| held == resource || covers(held, &wanted));
    let names = || texts(rule, "resourceNames");
    // A rule for some names does not cover one for all.
    let named = names().next().is_none() || texts(one, "resourceNames").any(|name| names().any(|held| held == name));
    has(rule, "apiGroups", &first("apiGroups")) && resources && named
}

fn texts<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    rule.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn has(rule: &Value, field: &str, wanted: &str) -> bool {
    texts(rule, field).any(|one| one == "*" || one == wanted)
}

fn covers(resource: &str, wanted: &Attributes) -> bool {
    if resource == "*" {
        return true;
    }
    match (resource.split_once('/'), wanted.subresource.as_str()) {
        (None, sub) => sub.is_empty() && resource == wanted.resource,
        (Some(_), "") => false,
        (Some((of, part)), sub) => part == sub && (of == "*" || of == wanted.resource),
    }
}

fn covers_path(url: &str, path: &str) -> bool {
    url == "*" || url == path || url.strip_suffix('*').is_some_and(|start| path.starts_with(start))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wish(verb: &str, resource: &str, subresource: &str, name: &str) -> Attributes {
        Attributes {
            verb: verb.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            name: name.into(),
            ..Attributes::default()
        }
    }

    #[test]
    fn a_rule_covers_what_it_names_and_no_more() {
        let rule = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "*/status"]});
        assert!(allows(&rule, &wish("get", "pods", "", "a")));
        assert!(allows(&rule, &wish("get", "nodes", "status", "a")));
        assert!(!allows(&rule, &wish("get", "pods", "log", "a")), "a subresource has to be named");
        assert!(!allows(&rule, &wish("list", "pods", "", "")));
        assert!(!allows(&rule, &Attributes { group: "apps".into(), ..wish("get", "pods", "", "") }));
    }

    #[test]
    fn names_limit_a_rule() {
        let rule = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["one"]});
        assert!(allows(&rule, &wish("get", "pods", "", "one")));
        assert!(!allows(&rule, &wish("get", "pods", "", "two")));
        assert!(!allows(&rule, &wish("list", "pods", "", "")));
    }

    #[test]
    fn paths_end_in_a_star() {
        let rule = json!({"verbs": ["get"], "nonResourceURLs": ["/api/*", "/version"]});
        let path = |path: &str| Attributes::path(&http::Method::GET, path);
        assert!(allows(&rule, &path("/api/v1")));
        assert!(allows(&rule, &path("/version")));
        assert!(!allows(&rule, &path("/version/x")));
        assert!(!allows(&rule, &path("/metrics")));
    }
}
