//! Who asks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Who asks, as the certificate, the token or the process says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
    pub uid: String,
    /// What else whoever vouched for the user says.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    pub fn admin() -> Self {
        Self {
            name: "kubernetes-admin".into(),
            groups: vec!["kubeadm:cluster-admins".into(), "system:authenticated".into()],
            ..Self::default()
        }
    }

    /// Whoever shows neither a certificate nor a token.
    pub fn anonymous() -> Self {
        Self { name: "system:anonymous".into(), groups: vec!["system:unauthenticated".into()], ..Self::default() }
    }

    /// A service account of whom nothing but its name is known.
    pub fn of_account(namespace: &str, name: &str) -> Self {
        let groups = ["system:serviceaccounts", &format!("system:serviceaccounts:{namespace}"), "system:authenticated"];
        Self {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: groups.map(str::to_owned).into(),
            ..Self::default()
        }
    }

    /// Namespace and name, where the user is a service account.
    pub fn service_account(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix("system:serviceaccount:")?.split_once(':')
    }

    /// `userInfo`, as reviews tell it.
    pub fn info(&self) -> Value {
        let mut info = json!({"username": self.name, "groups": self.groups});
        if !self.uid.is_empty() {
            info["uid"] = json!(self.uid);
        }
        if !self.extra.is_empty() {
            info["extra"] = json!(self.extra);
        }
        info
    }
}

/// How Kubernetes names the credential that a user showed.
pub fn credential(id: String) -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([("authentication.kubernetes.io/credential-id".to_owned(), vec![id])])
}
