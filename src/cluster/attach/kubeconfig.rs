//! The learner's kubeconfig: read, never written; one context of it becomes a file of this run's own.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cluster::ClusterError;

/// One context with everything that it needs, and nothing else.
#[derive(Debug, Clone)]
pub(in crate::cluster) struct Pinned {
    pub(super) context: String,
    pub(super) server: String,
    document: Value,
}

/// The files of `--kubeconfig`, else of KUBECONFIG, else the usual one.
pub(super) fn files(named: Option<&Path>) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![named.to_owned()];
    }
    match std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()) {
        Some(list) => std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
    }
}

/// Reads a context out of the files; as kubectl does, the first file that has a name decides.
pub(super) fn pin(files: &[PathBuf], wanted: Option<&str>) -> Result<Pinned, ClusterError> {
    let shown = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut documents = Vec::new();
    for file in files {
        match std::fs::read_to_string(file) {
            Ok(text) => documents.push((file, read(file, &text)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && files.len() > 1 => {}
            Err(error) => {
                return Err(ClusterError::new(format!("{}: {error}", file.display()))
                    .hint("--kubeconfig names the file of the cluster to attach to; `--on sandbox` needs none"));
            }
        }
    }
    let entry = |list: &str, name: &str| {
        documents.iter().find_map(|(file, document)| {
            let entry = document[list].as_array()?.iter().find(|entry| entry["name"] == name)?;
            Some((*file, entry.clone()))
        })
    };
    let contexts = || documents.iter().flat_map(|(_, document)| document["contexts"].as_array().into_iter().flatten());
    let names: Vec<&str> = contexts().filter_map(|context| context["name"].as_str()).collect();
    let current =
        documents.iter().find_map(|(_, document)| document["current-context"].as_str().filter(|name| !name.is_empty()));
    let known = match names[..] {
        [] => format!("{shown} has no contexts"),
        _ => format!("it has {}", names.join(", ")),
    };
    let Some(context) = wanted.or(current) else {
        return Err(
            ClusterError::new(format!("{shown} has no current context")).hint(format!("--context names one: {known}"))
        );
    };
    let Some((_, context_entry)) = entry("contexts", context) else {
        let like = crate::text::did_you_mean(context, names.iter().copied());
        return Err(ClusterError::new(format!("{shown} has no context {context}")).hint(like.unwrap_or(known)));
    };
    let part = |list: &str, field: &str| {
        let name = context_entry["context"][field].as_str().unwrap_or_default();
        entry(list, name).map(|(file, entry)| absolute(file, entry)).ok_or_else(|| {
            ClusterError::new(format!("the context {context} names the {field} {name:?}, which {shown} does not have"))
        })
    };
    let cluster = part("clusters", "cluster")?;
    let server = cluster["cluster"]["server"].as_str().unwrap_or_default().to_owned();
    // A context without a user is valid: the API decides what nobody may do.
    let users = if context_entry["context"]["user"].is_string() { vec![part("users", "user")?] } else { Vec::new() };
    let document = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": context,
        "clusters": [cluster], "users": users, "contexts": [context_entry],
    });
    Ok(Pinned { context: context.to_owned(), server, document })
}

fn read(file: &Path, text: &str) -> Result<Value, ClusterError> {
    let document: Value = serde_saphyr::from_str(text)
        .map_err(|error| ClusterError::new(format!("{} is not a kubeconfig: {error}", file.display())))?;
    // An empty file is a kubeconfig with nothing in it.
    Ok(if document.is_null() { json!({}) } else { document })
}

/// Paths in a kubeconfig are relative to it, and ours lies elsewhere.
fn absolute(file: &Path, mut entry: Value) -> Value {
    let folder = std::path::absolute(file).ok().and_then(|file| file.parent().map(PathBuf::from)).unwrap_or_default();
    for (part, field) in [
        ("cluster", "certificate-authority"),
        ("user", "client-certificate"),
        ("user", "client-key"),
        ("user", "tokenFile"),
    ] {
        if let Some(path) = entry[part][field].as_str().filter(|path| !path.is_empty()) {
            entry[part][field] = folder.join(path).to_string_lossy().into_owned().into();
        }
    }
    // kubectl looks a plugin up on PATH where it has no slash, and else from the kubeconfig's folder.
    if let Some(command) = entry["user"]["exec"]["command"].as_str().filter(|command| command.contains('/')) {
        entry["user"]["exec"]["command"] = folder.join(command).to_string_lossy().into_owned().into();
    }
    // A lab's commands have a HOME of the run's own; what logs the person in has theirs.
    if let (Some(exec), Some(home)) = (entry["user"]["exec"].as_object_mut(), std::env::var_os("HOME")) {
        let known = exec.entry("env").or_insert_with(|| json!([]));
        if known.is_null() {
            *known = json!([]);
        }
        if let Some(known) = known.as_array_mut()
            && !known.iter().any(|variable| variable["name"] == "HOME")
        {
            known.push(json!({"name": "HOME", "value": home.to_string_lossy()}));
        }
    }
    // Indexing a missing part by name has made it null.
    if let Some(object) = entry.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    entry
}

impl Pinned {
    pub(super) fn write(&self, path: &Path) -> Result<(), ClusterError> {
        let text = serde_json::to_vec(&self.document).map_err(|error| ClusterError::new(error.to_string()))?;
        crate::cluster::reach::write_private(path, &text)
    }

    /// Whether the names suggest a cluster that people depend on.
    pub(super) fn looks_like_production(&self) -> bool {
        let pattern = regex::Regex::new(r"(?i)(^|[^a-z])(prod|production|prd|live)([^a-z]|$)").expect("a valid regex");
        let cluster = self.document["contexts"][0]["context"]["cluster"].as_str().unwrap_or_default();
        [self.context.as_str(), cluster, self.server.as_str()].iter().any(|name| pattern.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "apiVersion: v1
kind: Config
current-context: mini
contexts:
- {name: mini, context: {cluster: minikube, user: minikube, namespace: work}}
- {name: eks-prod-1, context: {cluster: other, user: other}}
- {name: broken, context: {cluster: gone, user: minikube}}
clusters:
- {name: minikube, cluster: {server: 'https://127.0.0.1:32771', certificate-authority: certs/ca.crt}}
- {name: other, cluster: {server: 'https://example.com', certificate-authority-data: QQ==}}
users:
- {name: minikube, user: {client-certificate: /abs/client.crt, client-key: client.key}}
- {name: other, user: {exec: {command: ./bin/login, apiVersion: v1}}}
";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("config"), CONFIG).expect("written");
        folder
    }

    #[test]
    fn one_context_is_taken_with_paths_that_hold_everywhere() {
        let folder = folder();
        let pinned = pin(&[folder.path().join("config")], None).expect("the current one");
        assert_eq!((pinned.context.as_str(), pinned.server.as_str()), ("mini", "https://127.0.0.1:32771"));
        let out = folder.path().join("own");
        pinned.write(&out).expect("written");
        let own: Value = serde_json::from_slice(&std::fs::read(&out).expect("there")).expect("JSON");
        assert_eq!(
            own["clusters"][0]["cluster"]["certificate-authority"],
            folder.path().join("certs/ca.crt").to_str().expect("text")
        );
        assert_eq!(own["users"][0]["user"]["client-certificate"], "/abs/client.crt");
        assert_eq!(own["contexts"].as_array().map(Vec::len), Some(1));
        assert_eq!(own["contexts"][0]["context"]["namespace"], "work");
        assert_eq!(own["users"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let folder = folder();
        let files = [folder.path().join("config")];
        let error = pin(&files, Some("minii")).expect_err("no such context");
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("mini")), "{error:?}");
        assert!(pin(&files, Some("broken")).expect_err("no such cluster").message.contains("\"gone\""));
        assert!(pin(&[folder.path().join("none")], None).is_err());
    }

    #[test]
    fn the_first_file_with_a_name_decides() {
        let folder = folder();
        let first = folder.path().join("first");
        std::fs::write(
            &first,
            "current-context: eks-prod-1\nclusters: [{name: other, cluster: {server: 'https://first'}}]\n",
        )
        .expect("written");
        let pinned = pin(&[first, folder.path().join("absent"), folder.path().join("config")], None).expect("merged");
        assert_eq!(pinned.server, "https://first");
        let exec = &pinned.document["users"][0]["user"]["exec"];
        assert!(exec["command"].as_str().is_some_and(|c| c.starts_with('/')));
        let home = std::env::var("HOME").unwrap_or_default();
        assert!(home.is_empty() || exec["env"] == json!([{"name": "HOME", "value": home}]), "{exec}");
    }

    #[test]
    fn production_is_seen_in_words_not_in_parts_of_them() {
        let like = |context: &str, server: &str| {
            let document = json!({"contexts": [{"context": {"cluster": "c"}}]});
            Pinned { context: context.to_owned(), server: server.to_owned(), document }.looks_like_production()
        };
        assert!(like("eks-prod-1", "https://a"));
        assert!(like("a", "https://api.production.example.com"));
        assert!(!like("products", "https://delivery.example.com"));
        assert!(!like("minikube", "https://192.168.49.2:8443"));
    }
}
