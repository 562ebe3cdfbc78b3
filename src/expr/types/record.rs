//! What the runner itself knows of: types that tables can be written in.

use super::{Object, Text, Type};

/// A type as a table writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Any,
    Bool,
    Int,
    Text,
    /// A text with a time.
    TextTime,
    Time,
    List(&'static Known),
    Map(&'static Known),
    Record(&'static Record),
    /// The decoded object after a write, and the one before it: the key names their kind.
    Object,
    OldObject,
}

/// A map of fixed fields.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    pub name: &'static str,
    pub fields: &'static [(&'static str, Known)],
}

impl Known {
    /// The type; what only a check knows is any.
    pub fn of(self) -> Type {
        match self {
            Known::Any | Known::Object | Known::OldObject => Type::Dyn,
            Known::Bool => Type::Bool,
            Known::Int => Type::Int,
            Known::Text => Type::text(),
            Known::TextTime => Type::Text(Text::Time),
            Known::Time => Type::Time,
            Known::List(of) => Type::list(of.of()),
            Known::Map(of) => Type::map(of.of()),
            Known::Record(record) => Type::Object(Object::Record(record)),
        }
    }
}

const TEXTS: Known = Known::List(&Known::Text);

pub static MARK: Record = Record { name: "mark", fields: &[("revision", Known::Int), ("time", Known::Time)] };

pub static MEMBER: Record = Record {
    name: "member",
    fields: &[
        ("name", Known::Text),
        ("id", Known::Text),
        ("leader", Known::Bool),
        ("learner", Known::Bool),
        ("healthy", Known::Bool),
    ],
};

// The kinds that extension API servers store as JSON have no protobuf, and so no place in the codec's schema.

static SERVICE: Record = Record {
    name: "ServiceReference",
    fields: &[("name", Known::Text), ("namespace", Known::Text), ("path", Known::Text), ("port", Known::Int)],
};

static CONDITION: Record = Record {
    name: "Condition",
    fields: &[
        ("type", Known::Text),
        ("status", Known::Text),
        ("reason", Known::Text),
        ("message", Known::Text),
        ("lastTransitionTime", Known::TextTime),
        ("observedGeneration", Known::Int),
    ],
};

static NAMES: Record = Record {
    name: "CustomResourceDefinitionNames",
    fields: &[
        ("plural", Known::Text),
        ("singular", Known::Text),
        ("shortNames", TEXTS),
        ("kind", Known::Text),
        ("listKind", Known::Text),
        ("categories", TEXTS),
    ],
};

static SCALE: Record = Record {
    name: "CustomResourceSubresourceScale",
    fields: &[
        ("specReplicasPath", Known::Text),
        ("statusReplicasPath", Known::Text),
        ("labelSelectorPath", Known::Text),
    ],
};

static SUBRESOURCES: Record = Record {
    name: "CustomResourceSubresources",
    fields: &[("status", Known::Map(&Known::Any)), ("scale", Known::Record(&SCALE))],
};

static COLUMN: Record = Record {
    name: "CustomResourceColumnDefinition",
    fields: &[
        ("name", Known::Text),
        ("type", Known::Text),
        ("format", Known::Text),
        ("description", Known::Text),
        ("priority", Known::Int),
        ("jsonPath", Known::Text),
        ("JSONPath", Known::Text),
    ],
};

static SELECTABLE: Record = Record { name: "SelectableField", fields: &[("jsonPath", Known::Text)] };

static VALIDATION: Record =
    Record { name: "CustomResourceValidation", fields: &[("openAPIV3Schema", Known::Map(&Known::Any))] };

static VERSION: Record = Record {
    name: "CustomResourceDefinitionVersion",
    fields: &[
        ("name", Known::Text),
        ("served", Known::Bool),
        ("storage", Known::Bool),
        ("deprecated", Known::Bool),
        ("deprecationWarning", Known::Text),
        ("schema", Known::Record(&VALIDATION)),
        ("subresources", Known::Record(&SUBRESOURCES)),
        ("additionalPrinterColumns", Known::List(&Known::Record(&COLUMN))),
        ("selectableFields", Known::List(&Known::Record(&SELECTABLE))),
    ],
};

static CLIENT: Record = Record {
    name: "WebhookClientConfig",
    fields: &[("url", Known::Text), ("caBundle", Known::Text), ("service", Known::Record(&SERVICE))],
};

static WEBHOOK: Record = Record {
    name: "WebhookConversion",
    fields: &[("clientConfig", Known::Record(&CLIENT)), ("conversionReviewVersions", TEXTS)],
};

static CONVERSION: Record = Record {
    name: "CustomResourceConversion",
    fields: &[
        ("strategy", Known::Text),
        ("webhook", Known::Record(&WEBHOOK)),
        ("webhookClientConfig", Known::Record(&CLIENT)),
        ("conversionReviewVersions", TEXTS),
    ],
};

// etcd holds definitions as v1beta1, the API serves v1: both are here.
static DEFINITION_SPEC: Record = Record {
    name: "CustomResourceDefinitionSpec",
    fields: &[
        ("group", Known::Text),
        ("names", Known::Record(&NAMES)),
        ("scope", Known::Text),
        ("versions", Known::List(&Known::Record(&VERSION))),
        ("conversion", Known::Record(&CONVERSION)),
        ("preserveUnknownFields", Known::Bool),
        ("version", Known::Text),
        ("validation", Known::Record(&VALIDATION)),
        ("subresources", Known::Record(&SUBRESOURCES)),
        ("additionalPrinterColumns", Known::List(&Known::Record(&COLUMN))),
        ("selectableFields", Known::List(&Known::Record(&SELECTABLE))),
    ],
};

static DEFINITION_STATUS: Record = Record {
    name: "CustomResourceDefinitionStatus",
    fields: &[
        ("conditions", Known::List(&Known::Record(&CONDITION))),
        ("acceptedNames", Known::Record(&NAMES)),
        ("storedVersions", TEXTS),
        ("observedGeneration", Known::Int),
    ],
};

static API_SERVICE_SPEC: Record = Record {
    name: "APIServiceSpec",
    fields: &[
        ("service", Known::Record(&SERVICE)),
        ("group", Known::Text),
        ("version", Known::Text),
        ("insecureSkipTLSVerify", Known::Bool),
        ("caBundle", Known::Text),
        ("groupPriorityMinimum", Known::Int),
        ("versionPriority", Known::Int),
    ],
};

static API_SERVICE_STATUS: Record =
    Record { name: "APIServiceStatus", fields: &[("conditions", Known::List(&Known::Record(&CONDITION)))] };

/// The `spec` and the `status` of a kind that the codec's schema does not have.
pub(super) fn of_kind(group: &str, kind: &str) -> Option<(Known, Known)> {
    match (group, kind) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            Some((Known::Record(&DEFINITION_SPEC), Known::Record(&DEFINITION_STATUS)))
        }
        ("apiregistration.k8s.io", "APIService") => {
            Some((Known::Record(&API_SERVICE_SPEC), Known::Record(&API_SERVICE_STATUS)))
        }
        _ => None,
    }
}
