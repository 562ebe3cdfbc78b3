use serde_json::{Value, json};

use super::*;
use crate::defaults;

/// The messages of a new object, with its defaults.
fn wrong(object: &Value) -> Vec<String> {
    let kind = object["kind"].as_str().unwrap();
    let mut object = object.clone();
    defaults::apply(kind, &mut object);
    messages(create(kind, &object))
}

fn messages(result: Result<(), Vec<FieldError>>) -> Vec<String> {
    result.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn changed(object: &Value, change: impl FnOnce(&mut Value)) -> Vec<String> {
    let kind = object["kind"].as_str().unwrap();
    let mut old = object.clone();
    defaults::apply(kind, &mut old);
    let mut new = old.clone();
    change(&mut new);
    messages(update(kind, &old, &new))
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}})
}

#[expect(clippy::needless_pass_by_value, reason = "a literal goes straight in")]
fn pod(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
}

#[test]
fn everything_recorded_is_right() {
    for line in include_str!("../../../../tests/data/values.jsonl").lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let object = &record["value"];
        let kind = object["kind"].as_str().unwrap();
        // No client makes these: they have no name of their own.
        if object["metadata"].get("name").is_none() {
            continue;
        }
        assert_eq!(messages(create(kind, object)), [""; 0], "{}", record["key"]);
        assert_eq!(messages(update(kind, object, object)), [""; 0], "{}", record["key"]);
        assert_eq!(types(object), Ok(()), "{}", record["key"]);
        assert_eq!(unknown_fields(kind, &mut object.clone()), [""; 0], "{}", record["key"]);
    }
}

/// The words of `traces/errors.json`.
#[test]
fn the_recorded_errors() {
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    assert_eq!(
        messages(create("Namespace", &namespace("Bad_Name"))),
        [
            r#"metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"#
        ]
    );
    assert_eq!(
        changed(&namespace("default"), |new| new["metadata"]["labels"]["bad key"] = json!("1")),
        [
            r#"metadata.labels: Invalid value: "bad key": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"#
        ]
    );
    let mut bad = pod(json!({"containers": [{"name": "Bad", "image": "x"}]}));
    bad["metadata"]["name"] = json!("Bad");
    assert_eq!(
        wrong(&bad),
        [
            r#"metadata.name: Invalid value: "Bad": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#,
            r#"spec.containers[0].name: Invalid value: "Bad": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"#,
        ]
    );
}

#[test]
fn deployments() {
    assert_eq!(wrong(&deployment()), [""; 0]);
    let mut other = deployment();
    other["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
    assert_eq!(
        wrong(&other),
        [
            "spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`"
        ]
    );
    let mut none = deployment();
    none["spec"].as_object_mut().unwrap().remove("selector");
    none["spec"]["replicas"] = json!(-1);
    none["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    assert_eq!(
        wrong(&none),
        [
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            "spec.selector: Required value",
            "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`",
            "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
        ]
    );
    assert_eq!(
        changed(&deployment(), |new| {
            new["spec"]["selector"]["matchLabels"]["app"] = json!("b");
            new["spec"]["template"]["metadata"]["labels"]["app"] = json!("b");
        }),
        ["spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"b\"}}: field is immutable"]
    );
    assert_eq!(changed(&deployment(), |new| new["spec"]["replicas"] = json!(3)), [""; 0]);
}

#[test]
fn pods() {
    assert_eq!(wrong(&pod(json!({}))), ["spec.containers: Required value"]);
    let spec = json!({
        "containers": [
            {"name": "a", "image": "x", "ports": [{"containerPort": 70000, "protocol": "tcp"}],
             "volumeMounts": [{"name": "none", "mountPath": "/a"}], "env": [{"value": "1"}],
             "resources": {"requests": {"cpu": "200m"}, "limits": {"cpu": "100m"}}},
            {"name": "a", "imagePullPolicy": "Sometimes"}],
        "volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]});
    assert_eq!(
        wrong(&pod(spec)),
        [
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.containers[0].ports[0].protocol: Unsupported value: \"tcp\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
            "spec.containers[0].env[0].name: Required value",
            "spec.containers[0].volumeMounts[0].name: Not found: \"none\"",
            "spec.containers[0].resources.requests: Invalid value: \"200m\": must be less than or equal to cpu limit of 100m",
            "spec.containers[1].image: Required value",
            "spec.containers[1].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
            "spec.containers[1].name: Duplicate value: \"a\"",
        ]
    );
    let one = pod(json!({"containers": [{"name": "a", "image": "x"}]}));
    assert_eq!(changed(&one, |new| new["spec"]["containers"][0]["image"] = json!("y")), [""; 0]);
    let found = changed(&one, |new| new["spec"]["containers"][0]["command"] = json!(["true"]));
    assert!(
        found[0]
            .starts_with("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`")
    );
    assert!(found[0].contains("\n-   \"Command\": null,\n+   \"Command\": [\n+    \"true\"\n+   ],\n"), "{}", found[0]);
}

#[test]
fn services() {
    let service =
        |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec});
    assert_eq!(wrong(&service(json!({}))), ["spec.ports: Required value"]);
    assert_eq!(wrong(&service(json!({"clusterIP": "None"}))), [""; 0]);
    assert_eq!(
        wrong(&service(json!({"type": "Public", "ports": [{"port": 0}, {"port": 80, "name": "a"}]}))),
        [
            "spec.ports[0].name: Required value",
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.type: Unsupported value: \"Public\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
        ]
    );
    let stored = service(json!({"clusterIP": "10.96.0.5", "clusterIPs": ["10.96.0.5"], "ports": [{"port": 80}]}));
    assert_eq!(
        changed(&stored, |new| {
            new["spec"]["clusterIP"] = json!("10.96.0.6");
            new["spec"]["clusterIPs"] = json!(["10.96.0.6"]);
        }),
        ["spec.clusterIPs[0]: Invalid value: [\"10.96.0.6\"]: may not change once set"]
    );
}

#[test]
fn data() {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"bad key": "1"}});
    assert_eq!(
        wrong(&object),
        [
            r#"data[bad key]: Invalid value: "bad key": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"#
        ]
    );
    let frozen = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "1"}, "immutable": true});
    assert_eq!(
        changed(&frozen, |new| new["data"]["k"] = json!("2")),
        ["data: Forbidden: field is immutable when `immutable` is set"]
    );
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "kubernetes.io/tls"});
    assert_eq!(wrong(&secret), ["data[tls.crt]: Required value", "data[tls.key]: Required value"]);
}

#[test]
fn jobs_and_their_schedules() {
    let template = json!({"spec": {"containers": [{"name": "c", "image": "x"}]}});
    let job =
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template}});
    assert_eq!(
        wrong(&job),
        ["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""]
    );
    let mut cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"},
        "spec": {"schedule": "daily", "jobTemplate": {"spec": {"template": template}}}});
    cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    assert_eq!(wrong(&cron), ["spec.schedule: Invalid value: \"daily\": expected exactly 5 fields, found 1: [daily]"]);
    cron["spec"]["schedule"] = json!("*/5 0-6 1,15 * mon");
    assert_eq!(wrong(&cron), [""; 0]);
    cron["spec"]["schedule"] = json!("61 * * * *");
    assert_eq!(
        wrong(&cron),
        ["spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above maximum (59): 61"]
    );
}

#[test]
fn other_kinds() {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {}});
    assert_eq!(
        wrong(&claim),
        [
            "spec.accessModes: Required value: at least 1 access mode is required",
            "spec.resources[storage]: Required value"
        ]
    );
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
        "roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "ServiceAccount", "name": "x"}]});
    assert_eq!(wrong(&binding), [""; 0]);
    let mut everywhere = binding.clone();
    everywhere["kind"] = json!("ClusterRoleBinding");
    everywhere["roleRef"]["kind"] = json!("ClusterRole");
    assert_eq!(wrong(&everywhere), ["subjects[0].namespace: Required value"]);
    assert_eq!(
        changed(&binding, |new| new["roleRef"]["name"] = json!("other")).last().unwrap(),
        "roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"Role\",\"Name\":\"other\"}: cannot change roleRef"
    );
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"}, "spec": {
        "serviceName": "a", "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
    assert!(
        changed(&set, |new| new["spec"]["serviceName"] = json!("b"))[0]
            .starts_with("spec: Forbidden: updates to statefulset spec")
    );
    assert_eq!(changed(&set, |new| new["spec"]["replicas"] = json!(5)), [""; 0]);
    let mut claims = set.clone();
    claims["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/d"}]);
    assert_eq!(wrong(&claims), ["spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"data\""]);
    claims["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
    assert_eq!(wrong(&claims), [""; 0]);
}

#[test]
fn metadata() {
    let map = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    assert_eq!(wrong(&map(json!({}))), ["metadata.name: Required value: name or generateName is required"]);
    assert_eq!(wrong(&map(json!({"generateName": "a-"}))), [""; 0]);
    assert_eq!(
        wrong(&map(json!({"name": "c", "finalizers": ["mine"]}))),
        [
            "metadata.finalizers[0]: Invalid value: \"mine\": name is neither a standard finalizer name nor is it fully qualified"
        ]
    );
    let going = map(json!({"name": "c", "deletionTimestamp": "2026-11-21T10:00:00Z", "finalizers": ["a/b"]}));
    assert_eq!(
        changed(&going, |new| new["metadata"]["finalizers"] = json!(["a/b", "c/d"])),
        [
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"c/d\"}"
        ]
    );
    assert_eq!(
        changed(&map(json!({"name": "c", "uid": "1"})), |new| new["metadata"]["uid"] = json!("2")),
        ["metadata.uid: Invalid value: \"2\": field is immutable"]
    );
}

#[test]
fn values_of_the_wrong_type() {
    for (spec, expected) in [
        (
            json!({"replicas": "two"}),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            json!({"template": {"spec": {"containers": {}}}}),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
        ),
        (
            json!({"template": {"spec": {"containers": [{"name": 1}]}}}),
            "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string",
        ),
        (
            json!({"template": {"metadata": {"labels": {"a": 1}}}}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.spec.template.metadata.labels of type string",
        ),
        (
            json!({"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ] {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec});
        assert_eq!(types(&object), Err(expected.to_owned()));
    }
}

#[test]
fn a_schema_has_types_too() {
    let of = |schema: serde_json::Value| {
        types(&json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a"},
            "spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]},
        }))
        .err()
        .unwrap_or_default()
    };
    let wrong = |what: &str| format!("json: cannot unmarshal {what}");
    let field = "Go struct field JSONSchemaProps.spec.versions.schema.openAPIV3Schema";
    for (schema, told) in [
        (json!({"type": 5}), wrong(&format!("number into {field}.type of type string"))),
        (
            json!({"properties": []}),
            wrong(&format!("array into {field}.properties of type map[string]v1.JSONSchemaProps")),
        ),
        (
            json!({"properties": {"a": {"minimum": "3"}}}),
            wrong(&format!("string into {field}.properties.minimum of type float64")),
        ),
        (
            json!({"properties": {"a": {"enum": "x"}}}),
            wrong(&format!("string into {field}.properties.enum of type []v1.JSON")),
        ),
        (
            json!({"properties": {"a": {"maxLength": 1.5}}}),
            wrong(&format!("number 1.5 into {field}.properties.maxLength of type int64")),
        ),
        (json!({"required": "a"}), wrong(&format!("string into {field}.required of type []string"))),
        (
            json!({"properties": {"a": {"x-kubernetes-validations": {"rule": "true"}}}}),
            wrong(&format!("object into {field}.properties.x-kubernetes-validations of type v1.ValidationRules")),
        ),
        (
            json!({"properties": {"a": {"x-kubernetes-validations": [{"rule": "true", "message": false}]}}}),
            wrong(
                "bool into Go struct field ValidationRule.spec.versions.schema.openAPIV3Schema.properties.x-kubernetes-validations.message of type string",
            ),
        ),
        (
            json!({"properties": {"a": "string"}}),
            wrong(&format!("string into {field}.properties of type v1.JSONSchemaProps")),
        ),
        (json!({"additionalProperties": "yes"}), "boolean or JSON schema expected".to_owned()),
        (json!({"items": [{"type": "string"}], "default": {"any": ["thing"]}, "nullable": true}), String::new()),
    ] {
        assert_eq!(of(schema.clone()), told, "{schema}");
    }
}

#[test]
fn metadata_have_their_types_whatever_the_kind() {
    let definition = |finalizers: serde_json::Value| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
               "metadata": {"name": "a", "finalizers": finalizers}})
    };
    assert_eq!(types(&definition(json!(["a/b"]))), Ok(()));
    let wrong = "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.finalizers of type string";
    assert_eq!(types(&definition(json!([0]))), Err(wrong.to_owned()));
}

#[test]
fn a_million_wrong_items_are_not_all_told() {
    let many = |count: usize| {
        let finalizers = vec!["x"; count];
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "finalizers": finalizers}})
    };
    let told = |count: usize| create("ConfigMap", &many(count)).expect_err("they are wrong").len();
    assert_eq!(told(100), 100);
    assert_eq!(told(50_000), 10_000);
}

#[test]
fn unknown_fields_are_named_and_dropped() {
    let mut object = deployment();
    object["spec"]["replcas"] = json!(3);
    object["spec"]["template"]["spec"]["containers"][0]["imagge"] = json!("x");
    object["status2"] = json!({});
    assert_eq!(
        unknown_fields("Deployment", &mut object),
        ["spec.replcas", "spec.template.spec.containers[0].imagge", "status2"]
    );
    assert_eq!(object, deployment());
}

#[test]
fn a_custom_kind_of_the_same_name_has_rules_of_its_own() {
    let object = json!({"apiVersion": "serving.example.dev/v1", "kind": "Service", "metadata": {"name": "1"}});
    assert_eq!(create("Service", &object), Ok(()));
}
