//! The two kinds of the extension API servers: Debian packages no types of theirs, so the fields that a
//! learner meets are written down here.

use serde_json::{Value, json};

/// The component's name and its schema, without what every object has.
pub(super) fn schema_of(kind: &str) -> (String, Value) {
    match kind {
        "CustomResourceDefinition" => {
            let name = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition";
            (name.to_owned(), definition())
        }
        "APIService" => {
            let name = "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService";
            (name.to_owned(), api_service())
        }
        _ => (format!("io.keywitness.{kind}"), Value::Null),
    }
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn flag(description: &str) -> Value {
    json!({"type": "boolean", "description": description})
}

fn texts(description: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": description, "x-kubernetes-list-type": "atomic"})
}

#[expect(clippy::needless_pass_by_value, reason = "a literal goes straight in")]
fn object(description: &str, required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "description": description, "required": required, "properties": properties})
}

fn conditions() -> Value {
    let item = object(
        "One aspect of the current state.",
        &["type", "status"],
        json!({
            "type": text("Type is the type of the condition."),
            "status": text("Status is True, False or Unknown."),
            "reason": text("Reason is a word for why the condition last changed."),
            "message": text("Message is a sentence with the details."),
            "lastTransitionTime": {"type": "string", "format": "date-time", "description": "When the status last changed."},
            "observedGeneration": {"type": "integer", "format": "int64", "description": "The generation that was looked at."},
        }),
    );
    json!({"type": "array", "items": item, "description": "Conditions tell the current state.",
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]})
}

fn definition() -> Value {
    let names = object(
        "names specify the resource and kind names for the custom resource.",
        &["plural", "kind"],
        json!({
            "plural": text("plural is the plural name of the resource to serve; it must match the name of the CustomResourceDefinition, `<names.plural>.<group>`, and be all lowercase."),
            "singular": text("singular is the singular name of the resource. Defaults to lowercased `kind`."),
            "kind": text("kind is the serialized kind of the resource, normally CamelCase and singular."),
            "listKind": text("listKind is the serialized kind of the list for this resource. Defaults to \"`kind`List\"."),
            "shortNames": texts("shortNames are short names for the resource, such as `kubectl get <shortname>` takes."),
            "categories": texts("categories is a list of grouped resources this custom resource belongs to (e.g. 'all')."),
        }),
    );
    let column = object(
        "A column of `kubectl get`.",
        &["name", "type", "jsonPath"],
        json!({
            "name": text("name is a human readable name for the column."),
            "type": text("type is an OpenAPI type definition for this column."),
            "jsonPath": text("jsonPath is a simple JSON path which is evaluated against each custom resource."),
            "description": text("description is a human readable description of this column."),
            "format": text("format is an optional OpenAPI type definition for this column."),
            "priority": {"type": "integer", "format": "int32", "description": "priority defines the relative importance of this column; above 0 it is shown in wide output only."},
        }),
    );
    let version = object(
        "A version of the custom resource.",
        &["name", "served", "storage"],
        json!({
            "name": text("name is the version name, e.g. \"v1\" or \"v2beta1\"; the resources are served under it."),
            "served": flag("served is whether this version is served by REST APIs."),
            "storage": flag("storage is whether this version is used to persist custom resources; exactly one version must have it."),
            "deprecated": flag("deprecated is whether clients get a warning when they use this version."),
            "deprecationWarning": text("deprecationWarning overrides the default warning."),
            "schema": object("schema describes the schema used for validation, pruning and defaulting of this version.", &[], json!({
                "openAPIV3Schema": {"type": "object", "description": "openAPIV3Schema is the OpenAPI v3 schema to use for validation and pruning.", "x-kubernetes-preserve-unknown-fields": true},
            })),
            "subresources": object("subresources specify what subresources this version has.", &[], json!({
                "status": {"type": "object", "description": "status indicates that the custom resource serves a `/status` subresource."},
                "scale": object("scale indicates that the custom resource serves a `/scale` subresource.", &["specReplicasPath", "statusReplicasPath"], json!({
                    "specReplicasPath": text("specReplicasPath is the JSON path of the wanted number of replicas."),
                    "statusReplicasPath": text("statusReplicasPath is the JSON path of the counted number of replicas."),
                    "labelSelectorPath": text("labelSelectorPath is the JSON path of the selector of what is scaled."),
                })),
            })),
            "additionalPrinterColumns": {"type": "array", "items": column, "description": "additionalPrinterColumns specifies additional columns returned in Table output.", "x-kubernetes-list-type": "atomic"},
            "selectableFields": {"type": "array", "items": {"type": "object", "properties": {"jsonPath": text("jsonPath is the path of a field that field selectors may name.")}}, "description": "selectableFields specifies paths to fields that may be used as field selectors.", "x-kubernetes-list-type": "atomic"},
        }),
    );
    let client = object(
        "clientConfig is the instructions for how to call the webhook if strategy is `Webhook`.",
        &[],
        json!({
            "url": text("url gives the location of the webhook, in standard URL form (`scheme://host:port/path`). Exactly one of `url` or `service` must be specified."),
            "caBundle": {"type": "string", "format": "byte", "description": "caBundle is a PEM encoded CA bundle which will be used to validate the webhook's server certificate. If unspecified, system trust roots on the apiserver are used."},
            "service": object("service is a reference to the service for this webhook. Either service or url must be specified.", &["namespace", "name"], json!({
                "namespace": text("namespace is the namespace of the service."),
                "name": text("name is the name of the service."),
                "path": text("path is an optional URL path at which the webhook will be contacted."),
                "port": {"type": "integer", "format": "int32", "description": "port is an optional service port at which the webhook will be contacted. Defaults to 443."},
            })),
        }),
    );
    let spec = object(
        "spec describes how the user wants the resources to appear",
        &["group", "names", "scope", "versions"],
        json!({
            "group": text("group is the API group of the defined custom resource. The custom resources are served under `/apis/<group>/...`."),
            "names": names,
            "scope": text("scope indicates whether the defined custom resource is cluster- or namespace-scoped. Allowed values are `Cluster` and `Namespaced`."),
            "versions": {"type": "array", "items": version, "description": "versions is the list of all API versions of the defined custom resource.", "x-kubernetes-list-type": "atomic"},
            "conversion": object("conversion defines conversion settings for the CRD.", &["strategy"], json!({
                "strategy": text("strategy specifies how custom resources are converted between versions: `None` or `Webhook`."),
                "webhook": object("webhook describes how to call the conversion webhook. Required when `strategy` is set to `Webhook`.", &["conversionReviewVersions"], json!({
                    "clientConfig": client,
                    "conversionReviewVersions": texts("conversionReviewVersions is an ordered list of preferred `ConversionReview` versions the Webhook expects."),
                })),
            })),
            "preserveUnknownFields": flag("preserveUnknownFields indicates that object fields which are not specified in the schema should be preserved. Deprecated in favor of x-kubernetes-preserve-unknown-fields."),
        }),
    );
    object(
        "CustomResourceDefinition represents a resource that should be exposed on the API server. Its name MUST be in the format <.spec.name>.<.spec.group>.",
        &["spec"],
        json!({
            "spec": spec,
            "status": object("status indicates the actual state of the CustomResourceDefinition", &[], json!({
                "conditions": conditions(),
                "acceptedNames": {"type": "object", "description": "acceptedNames are the names that are actually being used to serve discovery.", "x-kubernetes-preserve-unknown-fields": true},
                "storedVersions": texts("storedVersions lists all versions of CustomResources that were ever persisted."),
            })),
        }),
    )
}

fn api_service() -> Value {
    let service = object(
        "service is a reference to the service for this API server. It must communicate on port 443; nothing means that this server itself handles the group.",
        &[],
        json!({
            "name": text("name is the name of the service."),
            "namespace": text("namespace is the namespace of the service."),
            "port": {"type": "integer", "format": "int32", "description": "If specified, the port on the service that is hosting the webhook. Default to 443."},
        }),
    );
    object(
        "APIService represents a server for a particular GroupVersion. Name must be \"version.group\".",
        &[],
        json!({
            "spec": object("Spec contains information for locating and communicating with a server", &["groupPriorityMinimum", "versionPriority"], json!({
                "service": service,
                "group": text("Group is the API group name this server hosts"),
                "version": text("Version is the API version this server hosts.  For example, \"v1\""),
                "insecureSkipTLSVerify": flag("InsecureSkipTLSVerify disables TLS certificate verification when communicating with this server."),
                "caBundle": {"type": "string", "format": "byte", "description": "CABundle is a PEM encoded CA bundle which will be used to validate an API server's serving certificate."},
                "groupPriorityMinimum": {"type": "integer", "format": "int32", "description": "GroupPriorityMinimum is the priority this group should have at least. Higher priority means that the group is preferred by clients."},
                "versionPriority": {"type": "integer", "format": "int32", "description": "VersionPriority controls the ordering of this API version inside of its group. Must be greater than zero."},
            })),
            "status": object("Status contains derived information about an API server", &[], json!({"conditions": conditions()})),
        }),
    )
}
