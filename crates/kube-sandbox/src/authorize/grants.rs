//! Which rules a user holds, and by which bindings.

use serde_json::Value;

use crate::object::meta;
use crate::objects::Objects;
use crate::objects::selector::Selector;
use crate::status::ApiError;
use crate::user::User;

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rules that one binding gives.
pub struct Grant {
    pub because: String,
    pub rules: Vec<Value>,
}

pub struct Grants {
    pub all: Vec<Grant>,
    /// Bindings to roles that are not there.
    errors: Vec<String>,
}

impl Grants {
    /// What could not be looked at, as a refusal words it.
    pub fn failures(&self) -> String {
        match &self.errors[..] {
            [] => String::new(),
            [one] => format!("RBAC: {one}"),
            several => format!("RBAC: [{}]", several.join(", ")),
        }
    }
}

/// All that bindings of the cluster, and of the namespace if there is one, give to a user.
pub async fn grants(objects: &Objects, user: &User, namespace: &str) -> Result<Grants, ApiError> {
    let mut grants = Grants { all: Vec::new(), errors: Vec::new() };
    if user.name.starts_with("system:node:") && user.groups.iter().any(|group| group == "system:nodes") {
        node(objects, &mut grants).await?;
    }
    collect(objects, user, None, &mut grants).await?;
    if !namespace.is_empty() {
        collect(objects, user, Some(namespace), &mut grants).await?;
    }
    Ok(grants)
}

/// Nodes have their role without a binding. A real cluster also asks whether a secret or a pod is the
/// node's own; here there is one node.
async fn node(objects: &Objects, grants: &mut Grants) -> Result<(), ApiError> {
    let Some(roles) = objects.registry.served().find(GROUP, "v1", "clusterroles") else { return Ok(()) };
    if let Ok(role) = objects.get(&roles, None, "system:node").await {
        grants.all.push(Grant {
            because: "ClusterRole \"system:node\"".into(),
            rules: role.get("rules").and_then(Value::as_array).cloned().unwrap_or_default(),
        });
    }
    Ok(())
}

async fn collect(objects: &Objects, user: &User, namespace: Option<&str>, grants: &mut Grants) -> Result<(), ApiError> {
    let served = objects.registry.served();
    let (kind, plural) = match namespace {
        None => ("ClusterRoleBinding", "clusterrolebindings"),
        Some(_) => ("RoleBinding", "rolebindings"),
    };
    let Some(bindings) = served.find(GROUP, "v1", plural) else { return Ok(()) };
    let (bindings, _) = objects.list_all(&bindings, namespace, &Selector::default()).await?;
    for binding in bindings {
        let subjects = binding.get("subjects").and_then(Value::as_array).into_iter().flatten();
        let Some(subject) = { subjects }.find_map(|subject| matching(subject, user, meta::namespace(&binding))) else {
            continue;
        };
        let text = |field: &str| binding["roleRef"][field].as_str().unwrap_or_default();
        let (role_kind, role_name) = (text("kind"), text("name"));
        let (plural, place) = if role_kind == "Role" { ("roles", namespace) } else { ("clusterroles", None) };
        let Some(roles) = served.find(GROUP, "v1", plural) else { continue };
        match objects.get(&roles, place, role_name).await {
            Ok(role) => {
                let name = match namespace {
                    None => meta::name(&binding).to_owned(),
                    Some(namespace) => format!("{}/{namespace}", meta::name(&binding)),
                };
                grants.all.push(Grant {
                    because: format!("{kind} \"{name}\" of {role_kind} \"{role_name}\" to {subject}"),
                    rules: role.get("rules").and_then(Value::as_array).cloned().unwrap_or_default(),
                });
            }
            Err(error) if error.code == 404 => {
                let lower = role_kind.to_lowercase();
                grants.errors.push(format!("{lower}.{GROUP} \"{role_name}\" not found"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The subject in Kubernetes' words, if it is this user.
fn matching(subject: &Value, user: &User, namespace: &str) -> Option<String> {
    let text = |field: &str| subject.get(field).and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (text("kind"), text("name"));
    let (is, said) = match kind {
        "User" => (user.name == name, name.to_owned()),
        "Group" => (user.groups.iter().any(|group| group == name), name.to_owned()),
        "ServiceAccount" => {
            let namespace = if text("namespace").is_empty() { namespace } else { text("namespace") };
            let full = user.name.strip_prefix("system:serviceaccount:").and_then(|full| full.split_once(':'));
            (full == Some((namespace, name)), format!("{name}/{namespace}"))
        }
        _ => (false, String::new()),
    };
    is.then(|| format!("{kind} \"{said}\""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn subjects_are_users_groups_and_accounts() {
        let robot = User {
            name: "system:serviceaccount:shop:robot".into(),
            groups: vec!["system:serviceaccounts".into()],
            ..User::default()
        };
        let said = |subject: Value| matching(&subject, &robot, "shop");
        assert_eq!(
            said(json!({"kind": "ServiceAccount", "name": "robot"})).as_deref(),
            Some("ServiceAccount \"robot/shop\"")
        );
        assert_eq!(said(json!({"kind": "ServiceAccount", "name": "robot", "namespace": "other"})), None);
        assert_eq!(
            said(json!({"kind": "Group", "name": "system:serviceaccounts"})).as_deref(),
            Some("Group \"system:serviceaccounts\"")
        );
        assert_eq!(said(json!({"kind": "User", "name": "robot"})), None);
    }
}
