//! Nobody may give rights that they do not hold: a role with more in it than its author has, or a binding to such
//! a role, is refused, unless they may `escalate` roles or `bind` them.

use serde_json::{Value, json};

use super::{ALL_POWERFUL, Attributes, decide, grants, rules};
use crate::object::{list, meta};
use crate::objects::Objects;
use crate::resource::Resource;
use crate::status::ApiError;
use crate::user::User;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Whether `user` may store this role or binding.
pub async fn check(
    objects: &Objects,
    user: &User,
    resource: &Resource,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), ApiError> {
    let part = match resource.plural.as_str() {
        "roles" | "clusterroles" => "rules",
        "rolebindings" | "clusterrolebindings" => "roleRef",
        _ => return Ok(()),
    };
    let same = old.is_some_and(|old| old[part] == new[part] && (part == "rules" || old["subjects"] == new["subjects"]));
    if resource.group != GROUP || same {
        return Ok(());
    }
    let namespace = meta::namespace(new);
    let given = if part == "rules" {
        if may(objects, user, "escalate", &resource.plural, namespace, meta::name(new)).await? {
            return Ok(());
        }
        list(new, "rules").to_vec()
    } else {
        let text = |field: &str| new["roleRef"][field].as_str().unwrap_or_default();
        let (plural, place) = match text("kind") {
            "Role" => ("roles", namespace),
            "ClusterRole" => ("clusterroles", ""),
            other => return Err(ApiError::plain(format!("unsupported role reference kind: \"{other}\""))),
        };
        if is_powerful(user) || may(objects, user, "bind", plural, namespace, text("name")).await? {
            return Ok(());
        }
        let Some(roles) = objects.registry.served().find(GROUP, "v1", plural) else { return Ok(()) };
        list(&objects.get(&roles, Some(place).filter(|place| !place.is_empty()), text("name")).await?, "rules").to_vec()
    };
    if is_powerful(user) {
        return Ok(());
    }
    let held: Vec<Value> =
        grants(objects, user, namespace).await?.all.into_iter().flat_map(|grant| grant.rules).collect();
    let missing = missing(&given, &held);
    if missing.is_empty() {
        return Ok(());
    }
    let groups = user.groups.iter().map(|group| format!("\"{group}\"")).collect::<Vec<_>>().join(" ");
    let why = format!(
        "user \"{}\" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        missing.join("\n")
    );
    Err(ApiError::forbidden(resource, meta::name(new), &why))
}

fn is_powerful(user: &User) -> bool {
    user.groups.iter().any(|group| ALL_POWERFUL.contains(&group.as_str()))
}

async fn may(
    objects: &Objects,
    user: &User,
    verb: &str,
    resource: &str,
    namespace: &str,
    name: &str,
) -> Result<bool, ApiError> {
    let wanted = Attributes {
        verb: verb.into(),
        group: GROUP.into(),
        resource: resource.into(),
        namespace: namespace.into(),
        name: name.into(),
        ..Attributes::default()
    };
    Ok(is_powerful(user) || decide(objects, user, &wanted).await?.allowed)
}

fn texts(rule: &Value, field: &str) -> Vec<String> {
    list(rule, field).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// One right each: a verb on one resource, of one name if names are given, or on one path.
fn single(rule: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for verb in texts(rule, "verbs") {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                let one = json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
                let names = texts(rule, "resourceNames");
                if names.is_empty() {
                    all.push(one);
                } else {
                    all.extend(names.into_iter().map(|name| {
                        let mut one = one.clone();
                        one["resourceNames"] = json!([name]);
                        one
                    }));
                }
            }
        }
        all.extend(
            texts(rule, "nonResourceURLs").into_iter().map(|url| json!({"nonResourceURLs": [url], "verbs": [verb]})),
        );
    }
    all
}

/// What is given and not held, in Kubernetes' short form, the verbs of each resource together.
fn missing(given: &[Value], held: &[Value]) -> Vec<String> {
    let mut compact: Vec<Value> = Vec::new();
    for one in given.iter().flat_map(single).filter(|one| !held.iter().any(|rule| rules::covers_rule(rule, one))) {
        let same = |other: &&mut Value| {
            ["apiGroups", "resources", "resourceNames", "nonResourceURLs"]
                .iter()
                .all(|part| other.get(part) == one.get(part))
        };
        let verb = one["verbs"][0].clone();
        match compact.iter_mut().find(same).and_then(|other| other["verbs"].as_array_mut()) {
            Some(verbs) if !verbs.contains(&verb) => verbs.push(verb),
            Some(_) => {}
            None => compact.push(one),
        }
    }
    let mut said: Vec<String> = compact.iter().map(short).collect();
    said.sort();
    said
}

fn short(rule: &Value) -> String {
    let parts = [
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("ResourceNames", "resourceNames"),
        ("Verbs", "verbs"),
    ];
    let parts = parts.iter().filter_map(|(name, field)| {
        let values = texts(rule, field);
        let values = values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(" ");
        (!list(rule, field).is_empty()).then(|| format!("{name}:[{values}]"))
    });
    format!("{{{}}}", parts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_in_short() {
        let held = [json!({"apiGroups": [""], "resources": ["pods", "pods/*"], "verbs": ["get", "list"]})];
        let given = [
            json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete", "create"]}),
            json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"], "verbs": ["get"]}),
            json!({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}),
        ];
        assert_eq!(
            missing(&given, &held),
            [
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["delete" "create"]}"#,
                r#"{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get"]}"#,
                r#"{NonResourceURLs:["/metrics"], Verbs:["get"]}"#,
            ]
        );
        let all = [json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})];
        assert!(missing(&given[..2], &all).is_empty());
    }
}
