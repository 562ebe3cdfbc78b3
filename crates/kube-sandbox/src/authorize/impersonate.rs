//! `kubectl --as`: one user in the name of another, where that is allowed.

use std::collections::BTreeMap;

use http::HeaderMap;

use super::{Attributes, check};
use crate::objects::Objects;
use crate::status::ApiError;
use crate::user::User;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
const ANONYMOUS: &str = "system:anonymous";

/// Who the request is to count as.
pub async fn impersonated(objects: &Objects, user: User, headers: &HeaderMap) -> Result<User, ApiError> {
    if !headers.keys().any(|name| name.as_str().starts_with("impersonate-")) {
        return Ok(user);
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (name, uid) = (text(USER), text(UID));
    let mut groups: Vec<String> = headers
        .get_all(GROUP)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter(|group| !group.is_empty())
        .map(str::to_owned)
        .collect();
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (header, value) in headers {
        if let (Some(key), Ok(value)) = (header.as_str().strip_prefix(EXTRA), value.to_str()) {
            extra.entry(key.to_owned()).or_default().push(value.to_owned());
        }
    }
    if name.is_empty() {
        if groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return Ok(user);
        }
        return Err(ApiError::internal("requested groups, a uid or extras without impersonating a user"));
    }
    let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let wish = |group: &str, resource: &str, namespace: &str, name: &str| Attributes {
        verb: "impersonate".into(),
        group: group.into(),
        resource: resource.into(),
        namespace: namespace.into(),
        name: name.into(),
        ..Attributes::default()
    };
    let mut wishes = vec![match account {
        Some((namespace, account)) => wish("", "serviceaccounts", namespace, account),
        None => wish("", "users", "", &name),
    }];
    wishes.extend(groups.iter().map(|group| wish("", "groups", "", group)));
    if !uid.is_empty() {
        wishes.push(wish("authentication.k8s.io", "uids", "", &uid));
    }
    for (key, values) in &extra {
        wishes.extend(values.iter().map(|value| Attributes {
            subresource: key.clone(),
            ..wish("authentication.k8s.io", "userextras", "", value)
        }));
    }
    for wish in wishes {
        check(objects, &user, || wish).await?;
    }
    if let (Some((namespace, _)), true) = (account, groups.is_empty()) {
        groups = vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")];
    }
    if name == ANONYMOUS {
        groups.push("system:unauthenticated".into());
    } else if !groups.iter().any(|group| group == "system:authenticated") {
        groups.push("system:authenticated".into());
    }
    Ok(User { name, groups, uid, extra })
}
