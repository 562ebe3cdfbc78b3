//! What the values of an expression can be: CEL's types, and what JSON and Kubernetes' schema add to
//! them. Lint checks with them, and an editor can ask them what stands behind a dot.

mod declared;
mod object;
mod record;
mod subject;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use declared::{Definition, definition};
pub use object::{Field, Object};
pub use record::{Known, MARK, MEMBER, Record};
pub(super) use subject::Fact;
pub use subject::{Piece, Subject, Writes};

/// The type of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Anything: JSON that no schema describes.
    Dyn,
    /// Nothing yet: what an empty list holds.
    Never,
    Null,
    Bool,
    Int,
    /// A number of JSON, whole or not.
    Number,
    Text(Text),
    Bytes,
    /// CEL's own time; those of Kubernetes are texts.
    Time,
    /// CEL's own duration; those of Kubernetes are texts.
    Duration,
    /// What `type(x)` gives.
    TypeName,
    IntOrText,
    List(Box<Type>),
    /// Any keys, texts all of them.
    Map(Box<Type>),
    Object(Object),
    /// What `list.first()` and `x.?y` give.
    Optional(Box<Type>),
    /// A type of Kubernetes' libraries, such as `kubernetes.Quantity`.
    Named(Arc<str>),
    /// One of these: a glob over several kinds, a choice.
    OneOf(Vec<Type>),
}

/// What a text is written as.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    Plain,
    /// One of a few words.
    Words(Words),
    /// RFC 3339 in UTC.
    Time,
    /// Such as `5m0s`.
    Duration,
    Quantity,
    /// Of bytes.
    Base64,
}

/// The words that a text can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    pub words: Arc<BTreeSet<String>>,
    pub others: Others,
}

/// Whether a text can be another word than those that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Others {
    Never,
    /// A kind that the cluster was taught: its name is no slip of another's.
    Kinds,
    /// A later version of Kubernetes may add some.
    Later,
}

impl Words {
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>, others: Others) -> Self {
        Self { words: Arc::new(words.into_iter().map(str::to_owned).collect()), others }
    }
}

impl Type {
    pub fn text() -> Self {
        Type::Text(Text::Plain)
    }

    pub fn list(of: Type) -> Self {
        Type::List(Box::new(of))
    }

    pub fn map(of: Type) -> Self {
        Type::Map(Box::new(of))
    }

    pub fn optional(of: Type) -> Self {
        Type::Optional(Box::new(of))
    }

    /// The type that a signature writes; `param` says what its parameters stand for.
    pub fn of_cel(kind: &kube_cel::Type, param: &impl Fn(&str) -> Type) -> Self {
        use kube_cel::Type as Cel;
        match kind {
            Cel::Dyn | Cel::Object(_) => Type::Dyn,
            Cel::Null => Type::Null,
            Cel::Bool => Type::Bool,
            Cel::Int => Type::Int,
            Cel::UInt | Cel::Double => Type::Number,
            Cel::String => Type::text(),
            Cel::Bytes => Type::Bytes,
            Cel::Timestamp => Type::Time,
            Cel::Duration => Type::Duration,
            Cel::List(of) => Type::list(Type::of_cel(of, param)),
            Cel::Map(of) => Type::map(Type::of_cel(&of.1, param)),
            Cel::Optional(of) => Type::optional(Type::of_cel(of, param)),
            Cel::Type(_) => Type::TypeName,
            Cel::Named(name) => Type::Named(Arc::clone(name)),
            Cel::Param(name) => param(name),
        }
    }

    /// The function that makes a value of a library's type of a text.
    pub fn maker(named: &str) -> Option<&'static str> {
        Some(match named {
            "kubernetes.Quantity" => "quantity",
            "kubernetes.Semver" => "semver",
            "kubernetes.URL" => "url",
            "net.IP" => "ip",
            "net.CIDR" => "cidr",
            _ => return None,
        })
    }

    pub fn is_dyn(&self) -> bool {
        match self {
            Type::Dyn => true,
            Type::OneOf(types) => types.iter().any(Type::is_dyn),
            _ => false,
        }
    }

    /// Each of the types that it can be.
    pub fn alternatives(&self) -> &[Type] {
        match self {
            Type::OneOf(types) => types,
            one => std::slice::from_ref(one),
        }
    }

    /// The fields of an object, in their order; of several kinds, each that one of them has.
    pub fn fields(&self) -> Vec<(String, Type)> {
        let mut fields: Vec<(String, Type)> = Vec::new();
        for object in self.objects() {
            for name in object.names() {
                if !fields.iter().any(|(known, _)| known == name)
                    && let Some(field) = object.field(name)
                {
                    fields.push((name.to_owned(), field.kind));
                }
            }
        }
        fields
    }

    /// The objects that it can be.
    pub fn objects(&self) -> Vec<&Object> {
        let mut objects = Vec::new();
        for kind in self.alternatives() {
            match kind {
                Type::Object(object) => objects.push(object),
                Type::Optional(of) => objects.extend(of.objects()),
                _ => {}
            }
        }
        objects
    }

    /// The words that a text can be, where they are few.
    pub fn words(&self) -> Vec<String> {
        let words = |kind: &Type| match kind {
            Type::Text(Text::Words(words)) => words.words.iter().cloned().collect(),
            _ => Vec::new(),
        };
        self.alternatives().iter().flat_map(words).collect()
    }

    /// The one or the other.
    #[must_use]
    pub fn or(self, other: Type) -> Type {
        match (self, other) {
            (one, other) if one == other => one,
            (Type::Dyn, _) | (_, Type::Dyn) => Type::Dyn,
            (Type::Never, one) | (one, Type::Never) => one,
            (Type::Text(one), Type::Text(other)) => Type::Text(one.or(other)),
            (Type::List(one), Type::List(other)) => Type::list(one.or(*other)),
            (Type::Map(one), Type::Map(other)) => Type::map(one.or(*other)),
            (one, other) => {
                let mut types = one.alternatives().to_vec();
                for other in other.alternatives() {
                    match types.iter().position(|one| one.merges(other)) {
                        Some(at) => types[at] = types[at].clone().or(other.clone()),
                        None => types.push(other.clone()),
                    }
                }
                if types.len() == 1 { types.remove(0) } else { Type::OneOf(types) }
            }
        }
    }

    /// Whether `or` makes one type of the two.
    fn merges(&self, other: &Type) -> bool {
        self == other
            || matches!(
                (self, other),
                (Type::Text(_), Type::Text(_)) | (Type::List(_), Type::List(_)) | (Type::Map(_), Type::Map(_))
            )
    }

    /// As a message says it: `a whole number`.
    pub fn noun(&self) -> String {
        match self {
            Type::Dyn => "of any type".to_owned(),
            Type::Never => "nothing".to_owned(),
            Type::Null => "null".to_owned(),
            Type::Bool => "a bool".to_owned(),
            Type::Int => "a whole number".to_owned(),
            Type::Number => "a number".to_owned(),
            Type::Text(Text::Plain | Text::Words(_)) => "a text".to_owned(),
            Type::Text(Text::Time) => "a text with a time, such as \"2026-01-31T10:00:00Z\"".to_owned(),
            Type::Text(Text::Duration) => "a text with a duration, such as \"1m30s\"".to_owned(),
            Type::Text(Text::Quantity) => "a text with a quantity, such as \"100m\" or \"1Gi\"".to_owned(),
            Type::Text(Text::Base64) => "a text in base64".to_owned(),
            Type::Bytes => "a byte string".to_owned(),
            Type::Time => "a time".to_owned(),
            Type::Duration => "a duration".to_owned(),
            Type::TypeName => "a type".to_owned(),
            Type::IntOrText => "a whole number or a text".to_owned(),
            Type::List(of) => format!("a list{}", of.of_many()),
            Type::Map(of) => format!("a map{}", of.of_many()),
            Type::Object(object) => format!("an object ({})", object.title()),
            Type::Optional(_) => "an optional value".to_owned(),
            Type::Named(name) => match &**name {
                "kubernetes.Quantity" => "a quantity".to_owned(),
                "kubernetes.Semver" => "a version".to_owned(),
                "kubernetes.URL" => "a URL".to_owned(),
                "kubernetes.NamedFormat" => "a format".to_owned(),
                "net.IP" => "an IP address".to_owned(),
                "net.CIDR" => "a range of IP addresses".to_owned(),
                name => format!("of type {name}"),
            },
            Type::OneOf(types) => {
                let mut nouns: Vec<String> = types.iter().map(Type::noun).collect();
                nouns.dedup();
                nouns.truncate(3);
                nouns.join(" or ")
            }
        }
    }

    fn of_many(&self) -> String {
        match self {
            Type::Int => " of whole numbers".to_owned(),
            Type::Number => " of numbers".to_owned(),
            Type::Bool => " of bools".to_owned(),
            Type::Text(Text::Base64) => " of texts in base64".to_owned(),
            Type::Text(Text::Quantity) => " of quantities".to_owned(),
            Type::Text(_) => " of texts".to_owned(),
            Type::Object(object) => format!(" of objects ({})", object.title()),
            _ => String::new(),
        }
    }
}

impl Text {
    fn or(self, other: Text) -> Text {
        match (self, other) {
            (one, other) if one == other => one,
            (Text::Words(one), Text::Words(other)) => Text::Words(Words {
                words: Arc::new(one.words.union(&other.words).cloned().collect()),
                others: one.others.max(other.others),
            }),
            _ => Text::Plain,
        }
    }
}
