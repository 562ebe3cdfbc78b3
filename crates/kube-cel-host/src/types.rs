//! The types of expressions, as the type checker of Kubernetes knows and writes them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A type. Names such as `net.IP` are types of Kubernetes' libraries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Any value; not checked until it is evaluated.
    Dyn,
    /// `null`.
    Null,
    /// `bool`.
    Bool,
    /// `int`, 64 bits with a sign.
    Int,
    /// `uint`, 64 bits without a sign.
    UInt,
    /// `double`.
    Double,
    /// `string`.
    String,
    /// `bytes`.
    Bytes,
    /// `google.protobuf.Timestamp`.
    Timestamp,
    /// `google.protobuf.Duration`.
    Duration,
    /// A list and what it holds.
    List(Arc<Items>),
    /// A map: its keys and its values.
    Map(Arc<(Type, Type)>),
    /// An object with declared fields.
    Object(Arc<Object>),
    /// An optional value.
    Optional(Arc<Type>),
    /// The type of a type: `type(int)`.
    Type(Arc<Type>),
    /// A type of a library, by its name.
    Named(Arc<str>),
    /// A parameter of a function's signature, or one that inference has still to find.
    Param(Arc<str>),
}

/// What a list holds.
#[derive(Debug)]
pub struct Items {
    /// The type of the elements.
    pub of: Type,
    /// How its elements are told apart.
    pub kind: ListKind,
}

/// How the items of a list are told apart, which says when two lists are the same and what their sum is.
#[derive(Debug)]
pub enum ListKind {
    /// By their place.
    Plain,
    /// By themselves, in no order.
    Set,
    /// By these fields, as expressions spell them.
    Keyed(Vec<String>),
}

/// For the checker it matters what a list holds, not how it is told apart.
impl PartialEq for Items {
    fn eq(&self, other: &Self) -> bool {
        self.of == other.of
    }
}

impl Eq for Items {}

impl std::ops::Deref for Items {
    type Target = Type;

    fn deref(&self) -> &Type {
        &self.of
    }
}

/// A type with declared fields.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    /// The type's name, as messages have it.
    pub name: String,
    /// By the name that expressions use, which is escaped where CEL cannot spell the field's own.
    pub fields: BTreeMap<String, Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
/// A field of an object.
pub struct Field {
    /// The name in the object.
    pub name: String,
    /// The type of its value.
    pub of: Type,
}

/// What is known of a value of which nothing is declared.
pub(crate) static DYN: Type = Type::Dyn;
pub(crate) static DYN_ITEMS: Items = Items { of: Type::Dyn, kind: ListKind::Plain };

impl Type {
    /// A list of this type.
    pub fn list(of: Type) -> Self {
        Self::items(of, ListKind::Plain)
    }

    /// A list whose elements are told apart so.
    pub fn items(of: Type, kind: ListKind) -> Self {
        Type::List(Arc::new(Items { of, kind }))
    }

    /// A map from keys to values of these types.
    pub fn map(key: Type, value: Type) -> Self {
        Type::Map(Arc::new((key, value)))
    }

    /// An optional value of this type.
    pub fn optional(of: Type) -> Self {
        Type::Optional(Arc::new(of))
    }

    /// A type of a library.
    pub fn named(name: &str) -> Self {
        Type::Named(name.into())
    }

    /// An object with these fields, none of whose names need an escape.
    pub fn object(name: &str, fields: impl IntoIterator<Item = (&'static str, Type)>) -> Self {
        let fields = fields.into_iter().map(|(name, of)| (name.to_owned(), Field { name: name.to_owned(), of }));
        Type::Object(Arc::new(Object { name: name.to_owned(), fields: fields.collect() }))
    }

    /// Whether a value's size is always one.
    pub(crate) fn is_scalar(&self) -> bool {
        match self {
            Type::Bool | Type::Int | Type::UInt | Type::Double | Type::Timestamp | Type::Duration => true,
            Type::Optional(of) => of.is_scalar(),
            _ => false,
        }
    }

    /// The type under a name that an expression uses as a value, such as `int`.
    pub fn of_name(name: &str) -> Option<Type> {
        Some(match name {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "uint" => Type::UInt,
            "double" => Type::Double,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "null_type" => Type::Null,
            "list" => Type::list(Type::Dyn),
            "map" => Type::map(Type::Dyn, Type::Dyn),
            "type" => Type::Type(Arc::new(Type::Dyn)),
            "google.protobuf.Timestamp" => Type::Timestamp,
            "google.protobuf.Duration" => Type::Duration,
            "optional_type" => Type::optional(Type::Dyn),
            "net.IP" | "net.CIDR" => Type::named(name),
            _ => return None,
        })
    }

    /// Reads a type as the table of functions writes it.
    pub(crate) fn parse(text: &str) -> Type {
        let text = text.trim();
        if let Some((name, rest)) = text.split_once('(') {
            let inner = rest.strip_suffix(')').expect("a type's brackets close");
            return match name {
                "list" => Type::list(Type::parse(inner)),
                "optional_type" => Type::optional(Type::parse(inner)),
                "type" => Type::Type(Arc::new(Type::parse(inner))),
                "map" => {
                    let (key, value) = inner.split_once(", ").expect("a map has a key and a value");
                    Type::map(Type::parse(key), Type::parse(value))
                }
                _ => panic!("there is no type {name}(…)"),
            };
        }
        match text {
            "dyn" => Type::Dyn,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            _ if text.len() == 1 => Type::Param(text.into()),
            _ => Type::of_name(text).unwrap_or_else(|| Type::named(text)),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn => f.write_str("dyn"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::UInt => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::List(items) => write!(f, "list({})", items.of),
            Type::Map(of) => write!(f, "map({}, {})", of.0, of.1),
            Type::Object(object) => f.write_str(&object.name),
            Type::Optional(of) => write!(f, "optional_type({of})"),
            Type::Type(of) => write!(f, "type({of})"),
            Type::Named(name) | Type::Param(name) => f.write_str(name),
        }
    }
}

/// The name by which CEL spells a field, as Kubernetes escapes it; `None` where it cannot.
pub fn escape(name: &str) -> Option<String> {
    const RESERVED: &[&str] = &[
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let (part, length) = match c {
            _ if rest.starts_with("__") => ("__underscores__", 2),
            '.' => ("__dot__", 1),
            '-' => ("__dash__", 1),
            '/' => ("__slash__", 1),
            c if c.is_ascii_alphanumeric() || c == '_' => (&rest[..1], 1),
            _ => return None,
        };
        out.push_str(part);
        rest = &rest[length..];
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_written_as_it_is_read() {
        for text in ["int", "list(map(string, dyn))", "optional_type(list(T))", "net.IP", "timestamp", "type(A)"] {
            assert_eq!(Type::parse(text).to_string(), text);
        }
    }

    #[test]
    fn names_that_cel_cannot_spell_are_escaped() {
        let escaped = |name: &str| escape(name).unwrap_or_else(|| "-".to_owned());
        let seen: Vec<_> = ["plain", "my-field", "a.b/c", "a__b", "namespace", "1st", "a b", "_x"].map(escaped).into();
        let right =
            ["plain", "my__dash__field", "a__dot__b__slash__c", "a__underscores__b", "__namespace__", "-", "-", "_x"];
        assert_eq!(seen, right);
    }
}
