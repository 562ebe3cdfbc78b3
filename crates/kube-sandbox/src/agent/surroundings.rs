//! What a container finds around it when it starts: variables, files of its volumes, the cluster's names.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::run::Run;
use super::shell::{self, Change, Files, What, World, absolute};
use super::{Agent, Work, image, written};
use crate::runtime::{ApiResource, CONFIGMAPS, Error, SECRETS, meta};

/// Objects that were asked for already.
#[derive(Default)]
struct Held(HashMap<(&'static str, String), Option<Value>>);

/// The text of a volume's file.
fn file(path: String, text: Option<&str>) -> Change {
    Change { at: 0, path, what: text.map_or(What::There, |text| What::Text(text.to_owned())) }
}

fn texts(object: &Value, secret: bool) -> BTreeMap<String, Option<String>> {
    use base64::Engine as _;
    let data = object["data"].as_object().into_iter().flatten();
    let plain = data.map(|(key, value)| {
        let text = value.as_str().unwrap_or_default();
        let text = if secret {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
            String::from_utf8(bytes).ok()
        } else {
            Some(text.to_owned())
        };
        (key.clone(), text)
    });
    let binary = object["binaryData"].as_object().into_iter().flatten().map(|(key, _)| (key.clone(), None));
    plain.chain(binary).collect()
}

impl Agent {
    async fn texts(
        &self,
        held: &mut Held,
        namespace: &str,
        secret: bool,
        name: &str,
    ) -> Result<BTreeMap<String, Option<String>>, Error> {
        let (resource, kind): (ApiResource, _) = if secret { (SECRETS, "secret") } else { (CONFIGMAPS, "configmap") };
        let key = (kind, name.to_owned());
        if !held.0.contains_key(&key) {
            held.0.insert(key.clone(), self.rest.get(&resource, namespace, name).await?);
        }
        Ok(held.0.get(&key).and_then(Option::as_ref).map(|object| texts(object, secret)).unwrap_or_default())
    }

    /// The run that a container begins now.
    pub(super) async fn begun(&self, work: &Work<'_>, spec: &Value, once: bool) -> Result<Run, Error> {
        let mut held = Held::default();
        let now = jiff::Timestamp::now().as_millisecond();
        // A status holds its start in whole seconds.
        let start = now / 1000 * 1000;
        let facts = image::facts(meta::text(spec, "/image"));
        let pod = &work.pod;
        let env = self.environment(work, spec, &mut held).await?;
        let mut files = Files { known: facts.is_some(), ..Files::default() };
        let mut shares = Vec::new();
        let mut own_files = false;
        for mount in spec["volumeMounts"].as_array().into_iter().flatten() {
            let path = absolute(meta::text(mount, "/mountPath"), "/");
            own_files |= !path.starts_with("/var/run/secrets/");
            self.mounted(work, spec, mount, &path, &mut files, &mut shares, &mut held).await?;
        }
        let host = match pod["spec"]["hostname"].as_str().filter(|host| !host.is_empty()) {
            _ if pod["spec"]["hostNetwork"] == true => meta::text(pod, "/spec/nodeName"),
            Some(host) => host,
            None => meta::text(pod, "/metadata/name"),
        };
        if pod["spec"]["hostNetwork"] != true {
            let namespace = &work.object.key.namespace;
            for (path, text) in [
                ("/etc/hostname", format!("{host}\n")),
                ("/etc/hosts", written::hosts(pod, namespace, host, &self.address(work))),
                ("/etc/resolv.conf", written::resolver(pod, namespace)),
            ] {
                // One that is mounted there goes before.
                if !files.changes.iter().any(|change| change.path == path) {
                    files.changes.push(file(path.to_owned(), Some(&text)));
                }
            }
        }
        let mut seed = DefaultHasher::new();
        (meta::text(pod, "/metadata/uid"), meta::text(spec, "/name"), start).hash(&mut seed);
        let security = [&spec["securityContext"], &pod["spec"]["securityContext"]];
        let user = security.iter().find_map(|context| context["runAsUser"].as_i64());
        let group = security.iter().find_map(|context| context["runAsGroup"].as_i64());
        let shared = &pod["spec"]["securityContext"];
        let more = shared["supplementalGroups"].as_array().into_iter().flatten().chain([&shared["fsGroup"]]);
        let world = World {
            host: host.chars().take(63).collect(),
            programs: facts.as_ref().map(|facts| facts.programs.clone()).unwrap_or_default(),
            folder: meta::text(spec, "/workingDir").to_owned(),
            user: user.or(facts.as_ref().map(|facts| facts.user)).unwrap_or_default(),
            group: group.unwrap_or_default(),
            groups: more.filter_map(Value::as_i64).collect(),
            image: meta::text(spec, "/image").to_owned(),
            cluster: Some(self.map.seen_from(&work.object.key)),
            start,
            now,
            seed: seed.finish() | 1,
            once,
            open: spec["stdin"] == true,
            memory: amount(&spec["resources"]["limits"]["memory"]).map(|milli| milli / 1000),
            stopped: None,
            env,
            files,
        };
        let line = super::line::line(spec, facts.as_deref(), &world.env);
        let mut run = Run::new(line, world, facts);
        run.shares = shares;
        run.own_files = own_files;
        Ok(run)
    }

    /// The same run, as it goes on with what is known by now.
    pub(super) fn followed(&self, work: &Work<'_>, name: &str, id: &str) -> Option<Run> {
        let uid = &work.object.uid;
        let mut run = self.runs.current(uid, name, id)?;
        let now = jiff::Timestamp::now().as_millisecond();
        if matches!(run.end(), shell::End::Open { at } if *at <= now) {
            for (volume, mount) in &run.shares {
                let known = self.runs.shared(uid, id, volume);
                for change in known {
                    let change = Change { path: format!("{}{}", mount.trim_end_matches('/'), change.path), ..change };
                    if !run.world.files.changes.contains(&change) {
                        run.world.files.changes.push(change);
                    }
                }
            }
            run.world.files.changes.sort_by_key(|change| change.at);
            run.follow(now);
            let found = run.clone();
            self.runs.change(uid, name, id, |held| *held = found);
        }
        Some(run)
    }

    async fn environment(
        &self,
        work: &Work<'_>,
        spec: &Value,
        held: &mut Held,
    ) -> Result<BTreeMap<String, String>, Error> {
        let namespace = &work.object.key.namespace;
        let mut env = self.map.variables(namespace, work.pod["spec"]["enableServiceLinks"] != false);
        for from in spec["envFrom"].as_array().into_iter().flatten() {
            let prefix = from["prefix"].as_str().unwrap_or_default();
            for (field, secret) in [("configMapRef", false), ("secretRef", true)] {
                if let Some(name) = from[field]["name"].as_str() {
                    let found = self.texts(held, namespace, secret, name).await?;
                    env.extend(found.into_iter().filter_map(|(key, text)| Some((format!("{prefix}{key}"), text?))));
                }
            }
        }
        for variable in spec["env"].as_array().into_iter().flatten() {
            let name = meta::text(variable, "/name").to_owned();
            let from = &variable["valueFrom"];
            let mut value = variable["value"].as_str().map(|text| super::line::filled(text, &env));
            for (field, secret) in [("configMapKeyRef", false), ("secretKeyRef", true)] {
                if let (Some(object), Some(key)) = (from[field]["name"].as_str(), from[field]["key"].as_str()) {
                    value = self.texts(held, namespace, secret, object).await?.remove(key).flatten();
                }
            }
            if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
                value = Some(self.field(work, path));
            }
            if let Some(resource) = from["resourceFieldRef"]["resource"].as_str() {
                value = resource_field(&work.pod, spec, &from["resourceFieldRef"], resource);
            }
            if let Some(value) = value {
                env.insert(name, value);
            }
        }
        Ok(env)
    }

    /// What the downward API gives of a pod.
    fn field(&self, work: &Work<'_>, path: &str) -> String {
        let pod = &work.pod;
        if let Some((list, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
            let list = list.replace('.', "/");
            return pod
                .pointer(&format!("/{list}"))
                .map_or("", |list| list[key].as_str().unwrap_or_default())
                .to_owned();
        }
        match path {
            "metadata.labels" | "metadata.annotations" => {
                let map = pod.pointer(&format!("/{}", path.replace('.', "/"))).and_then(Value::as_object);
                map.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
            }
            "status.podIP" | "status.podIPs" => self.address(work),
            "status.hostIP" | "status.hostIPs" => self.host.to_string(),
            path => meta::text(pod, &format!("/{}", path.replace('.', "/"))).to_owned(),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a mount is put together from all of these")]
    async fn mounted(
        &self,
        work: &Work<'_>,
        spec: &Value,
        mount: &Value,
        path: &str,
        files: &mut Files,
        shares: &mut Vec<(String, String)>,
        held: &mut Held,
    ) -> Result<(), Error> {
        let namespace = &work.object.key.namespace;
        let name = meta::text(mount, "/name");
        let volumes = work.pod["spec"]["volumes"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(volume) = volumes.iter().find(|volume| volume["name"] == name) else {
            // The account's token, of which the cache keeps nothing.
            files.whole.push(path.to_owned());
            for (name, text) in [("token", None), ("ca.crt", None), ("namespace", Some(&**namespace))] {
                files.changes.push(file(format!("{path}/{name}"), text));
            }
            return Ok(());
        };
        let sub = mount["subPath"].as_str().filter(|sub| !sub.is_empty());
        if volume.get("emptyDir").is_some() && sub.is_none() {
            files.whole.push(path.to_owned());
            let own = meta::text(spec, "/name");
            let lists = ["containers", "initContainers", "ephemeralContainers"];
            let others = lists.iter().flat_map(|list| work.pod["spec"][*list].as_array().into_iter().flatten());
            let used = |other: &Value| {
                other["volumeMounts"].as_array().into_iter().flatten().any(|mount| mount["name"] == name)
            };
            if others.filter(|other| other["name"] != own).any(used) {
                files.shared.push(path.to_owned());
            }
            shares.push((name.to_owned(), path.to_owned()));
            let known = self.runs.shared(&work.object.uid, "", name);
            let place = path.trim_end_matches('/');
            files
                .changes
                .extend(known.into_iter().map(|change| Change { path: format!("{place}{}", change.path), ..change }));
            return Ok(());
        }
        // What others have put there is found there. All that is in it is known only where it began as an empty folder.
        let host = volume["hostPath"]["path"].as_str().map(|host| format!("{}:{host}", self.name));
        let claim = volume["persistentVolumeClaim"]["claimName"].as_str().map(|claim| format!("{namespace}/:{claim}"));
        if let (Some(volume_name), None) = (host.or(claim), sub) {
            let begun = volume["hostPath"]["type"] == "DirectoryOrCreate";
            if begun { &mut files.whole } else { &mut files.foreign }.push(path.to_owned());
            files.shared.push(path.to_owned());
            let known = self.runs.shared(&work.object.uid, "", &volume_name);
            let place = path.trim_end_matches('/');
            files
                .changes
                .extend(known.into_iter().map(|change| Change { path: format!("{place}{}", change.path), ..change }));
            shares.push((volume_name, path.to_owned()));
            return Ok(());
        }
        let single = vec![volume.clone()];
        let sources = volume["projected"]["sources"].as_array().unwrap_or(&single);
        let mut found = Vec::new();
        for source in sources {
            let reference = [
                ("configMap", false, "name"),
                ("secret", true, if volume.get("projected").is_some() { "name" } else { "secretName" }),
            ];
            let mut known = false;
            for (field, secret, named) in reference {
                let Some(object) = source[field][named].as_str() else { continue };
                known = true;
                let texts = self.texts(held, namespace, secret, object).await?;
                let items = source[field]["items"].as_array();
                for (key, text) in texts {
                    let item = items.map(|items| items.iter().find(|item| item["key"] == key.as_str()));
                    match item {
                        None => found.push((key, text)),
                        Some(Some(item)) => found.push((meta::text(item, "/path").to_owned(), text)),
                        Some(None) => {}
                    }
                }
            }
            for item in source["downwardAPI"]["items"].as_array().into_iter().flatten() {
                known = true;
                let text = item["fieldRef"]["fieldPath"].as_str().map(|path| self.field(work, path));
                found.push((meta::text(item, "/path").to_owned(), text));
            }
            if !known {
                files.foreign.push(path.to_owned());
                return Ok(());
            }
        }
        if let Some(sub) = sub {
            match found.into_iter().find(|(name, _)| name == sub) {
                Some((_, text)) => files.changes.push(file(path.to_owned(), text.as_deref())),
                None => files.changes.push(Change { at: 0, path: path.to_owned(), what: What::Folder }),
            }
            return Ok(());
        }
        files.whole.push(path.to_owned());
        files.changes.extend(found.into_iter().map(|(name, text)| file(format!("{path}/{name}"), text.as_deref())));
        Ok(())
    }
}

/// A request or a limit, in whole units of its divisor.
fn resource_field(pod: &Value, own: &Value, reference: &Value, resource: &str) -> Option<String> {
    let spec = match reference["containerName"].as_str().filter(|name| !name.is_empty()) {
        Some(name) => pod["spec"]["containers"].as_array()?.iter().find(|container| container["name"] == name)?,
        None => own,
    };
    let (kind, name) = resource.split_once('.')?;
    let held = amount(&spec["resources"][kind][name])?;
    // Whole cores and bytes, unless something else is asked for.
    let divisor = amount(&reference["divisor"]).filter(|divisor| *divisor != 0).unwrap_or(1000);
    Some(held.checked_add(divisor - 1)?.checked_div(divisor)?.to_string())
}

fn amount(value: &Value) -> Option<i64> {
    kube_etcd_codec::thousandths(value).and_then(|milli| i64::try_from(milli).ok())
}
