//! Which kinds the API serves now, custom ones included.

use serde_json::Value;

use crate::runtime::{ApiResource, Error, Rest};

/// Every kind that can be listed and deleted, in its preferred version.
pub(crate) async fn deletable(rest: &Rest) -> Result<Vec<ApiResource>, Error> {
    let mut found = resources(&rest.read("/api/v1").await?, "", "v1");
    let groups = rest.read("/apis").await?;
    for group in groups["groups"].as_array().into_iter().flatten() {
        let name = group["name"].as_str().unwrap_or_default();
        let version = group["preferredVersion"]["version"].as_str().unwrap_or_default();
        match rest.read(&format!("/apis/{name}/{version}")).await {
            Ok(list) => found.extend(resources(&list, name, version)),
            // A group that was removed between the two requests.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    // The same Event is served under two groups.
    found.retain(|resource| !(resource.group == "events.k8s.io" && resource.plural == "events"));
    Ok(found)
}

fn resources(list: &Value, group: &str, version: &str) -> Vec<ApiResource> {
    let served = list["resources"].as_array().into_iter().flatten();
    served
        .filter(|resource| {
            let verbs = resource["verbs"].as_array();
            let has = |verb: &str| verbs.is_some_and(|verbs| verbs.iter().any(|held| held == verb));
            has("delete") && has("list") && has("watch") && !resource["name"].as_str().unwrap_or("/").contains('/')
        })
        .map(|resource| ApiResource {
            group: group.to_owned().into(),
            version: version.to_owned().into(),
            plural: resource["name"].as_str().unwrap_or_default().to_owned().into(),
            kind: resource["kind"].as_str().unwrap_or_default().to_owned().into(),
            namespaced: resource["namespaced"] == true,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn subresources_and_read_only_kinds_are_left_out() {
        let verbs = ["delete", "list", "watch"];
        let list = json!({"resources": [
            {"name": "widgets", "kind": "Widget", "namespaced": true, "verbs": verbs},
            {"name": "widgets/status", "kind": "Widget", "namespaced": true, "verbs": verbs},
            {"name": "reviews", "kind": "Review", "namespaced": false, "verbs": ["create"]},
        ]});
        let found = resources(&list, "example.com", "v1");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path("team"), "/apis/example.com/v1/namespaces/team/widgets");
    }
}
