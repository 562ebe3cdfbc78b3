//! The controllers as a learner meets them: through the real kubectl, each test in a sandbox of its own.

mod jobs;
mod nodes;
mod ownership;
mod rollouts;

use serde_json::Value;

/// The items of a list, each by what `of` takes from it, in order.
fn each(list: &Value, of: impl Fn(&Value) -> String) -> Vec<String> {
    let mut all: Vec<String> = list["items"].as_array().expect("a list").iter().map(of).collect();
    all.sort();
    all
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn name(object: &Value) -> String {
    text(&object["metadata"]["name"])
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.and_then(|all| all.iter().find(|one| one["type"] == kind)).unwrap_or(&Value::Null)
}

fn pods_of(app: &str, image: &str, kind: &str, more: &Value) -> Value {
    let mut object = serde_json::json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": app},
        "spec": {
            "selector": {"matchLabels": {"app": app}},
            "template": {
                "metadata": {"labels": {"app": app}},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": image}]},
            },
        },
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        object["spec"][field] = value.clone();
    }
    object
}
