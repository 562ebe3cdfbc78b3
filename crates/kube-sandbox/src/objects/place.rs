//! Where a webhook listens: at a URL, or behind a Service of the cluster.

use http::Uri;
use serde_json::Value;

use super::decoded;
use crate::object::meta;
use crate::resource::registry::Registry;
use crate::store::{Store, StoreError};
use kube_etcd_codec::names;

/// Where to connect to, and as whom.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// As messages show it, without the query.
    pub(super) url: String,
    /// The name that its certificate is for.
    pub(super) name: String,
    /// Of the `Host` header.
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) target: Target,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Host(String, u16),
    /// Of the cluster; it has to be looked up first.
    Service {
        namespace: String,
        name: String,
        port: u16,
    },
}

pub(super) fn of(config: &Value) -> Result<Place, String> {
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    if let Some(url) = config["url"].as_str() {
        let uri: Uri = url.parse().map_err(|error| format!("parse \"{url}\": {error}"))?;
        let host = uri.host().ok_or_else(|| format!("parse \"{url}\": no host"))?;
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let path = uri.path().to_owned();
        return Ok(Place {
            url: format!("https://{authority}{path}"),
            name: host.trim_matches(['[', ']']).to_owned(),
            target: Target::Host(host.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(443)),
            authority,
            path,
        });
    }
    let service = &config["service"];
    let (namespace, name) = (text(service, "namespace"), text(service, "name"));
    let port = service["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(443);
    let host = format!("{name}.{namespace}.svc");
    let path = format!("/{}", text(service, "path").trim_start_matches('/'));
    let authority = format!("{host}:{port}");
    let target = Target::Service { namespace, name, port };
    Ok(Place { url: format!("https://{authority}{path}"), name: host, authority, path, target })
}

/// Somewhere to connect to, and the address that a failure names.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) shown: String,
}

/// Where something of the lab listens: what the Service's endpoints name. A pod of the sandbox runs nothing; whoever
/// plays its part listens at its port of this machine.
pub(super) async fn behind(
    store: &Store,
    registry: &Registry,
    namespace: &str,
    name: &str,
    port: u16,
) -> Result<Address, String> {
    let served = registry.served();
    let (Some(services), Some(slices)) = (served.known(names::SERVICES), served.known(names::ENDPOINT_SLICES)) else {
        return Err("services are not served".to_owned());
    };
    let broken = |error: StoreError| error.to_string();
    let (found, _) = store.get(&store.key(&services.folder, Some(namespace), Some(name))).await.map_err(broken)?;
    let found = found.ok_or_else(|| format!("service \"{name}\" not found"))?;
    let service = decoded(&found).map_err(|error| error.message)?;
    if service["spec"]["type"] == "ExternalName" {
        let host = service["spec"]["externalName"].as_str().unwrap_or_default().to_owned();
        return Ok(Address { shown: format!("{host}:{port}"), host, port });
    }
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let given = ports.into_iter().find(|one| one["port"] == port);
    let given = given.ok_or_else(|| format!("no service port {port} found for service \"{name}\""))?;
    let cluster = service["spec"]["clusterIP"].as_str().unwrap_or_default();
    let shown = format!("{cluster}:{port}");
    let prefix = store.key(&slices.folder, Some(namespace), None);
    let page = store.page(&prefix, &prefix, 0, 0).await.map_err(broken)?;
    let all = page.items.iter().map(decoded).collect::<Result<Vec<Value>, _>>().map_err(|error| error.message)?;
    let of_service = |slice: &&Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == name;
    let wanted = given["name"].as_str().unwrap_or_default();
    let mut all: Vec<&Value> = all.iter().filter(of_service).collect();
    all.sort_by_key(|slice| meta::name(slice));
    for slice in all {
        let ports = slice["ports"].as_array().into_iter().flatten();
        let mut ports = ports.filter(|one| one["name"].as_str().unwrap_or_default() == wanted);
        let Some(port) = ports.next().and_then(|one| u16::try_from(one["port"].as_u64()?).ok()) else { continue };
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            if endpoint["conditions"]["ready"] == false {
                continue;
            }
            let Some(address) = endpoint["addresses"][0].as_str() else { continue };
            let host = if endpoint["targetRef"]["kind"] == "Pod" { "127.0.0.1" } else { address };
            return Ok(Address { host: host.to_owned(), port, shown });
        }
    }
    Err(format!("dial tcp {shown}: connect: connection refused"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_is_a_url_or_a_service() {
        let place = of(&json!({"url": "https://127.0.0.1:1/x"})).expect("a place");
        assert_eq!(place.url, "https://127.0.0.1:1/x");
        assert_eq!(place.target, Target::Host("127.0.0.1".into(), 1));
        let place = of(&json!({"url": "https://[::1]/x"})).expect("a place");
        assert_eq!((place.name.as_str(), place.target), ("::1", Target::Host("::1".into(), 443)));
        let service = json!({"service": {"namespace": "n", "name": "s", "path": "v", "port": 8443}});
        let place = of(&service).expect("a place");
        assert_eq!((place.url.as_str(), place.name.as_str()), ("https://s.n.svc:8443/v", "s.n.svc"));
    }
}
