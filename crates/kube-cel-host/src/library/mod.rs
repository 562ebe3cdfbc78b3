//! The functions of expressions: what each does with its values, and what a call of it costs.

mod authorizer;
pub(crate) mod convert;
mod format;
mod lists;
mod named;
mod net;
mod numbers;
mod operators;
mod optional;
mod quantity;
mod semver;
mod strings;
pub(crate) mod time;
mod url;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::{Error, Mismatch};
use crate::value::Value;

pub(crate) use authorizer::CHECK;
pub use authorizer::{Asked, Authorizer, Check, Decision};
pub(crate) use named::pattern_size;
pub(crate) use optional::some;
pub use strings::{compiled, complaint};

pub(crate) type Given<'a> = Result<Value<'a>, Error>;

/// What a function does with its values, the receiver first.
pub(crate) type Function = for<'a> fn(&[Value<'a>], &mut Budget) -> Given<'a>;

/// A value of a type that Kubernetes adds.
#[derive(Debug, PartialEq)]
pub enum Opaque {
    Ip(std::net::IpAddr),
    Cidr(net::Cidr),
    Url(url::Url),
    Quantity(quantity::Quantity),
    Semver(semver::Semver),
    /// By its name in [`crate::signatures::FORMATS`].
    Format(&'static str),
    Authorizer(Asked),
    PathCheck(Asked),
    GroupCheck(Asked),
    ResourceCheck(Asked),
    Decision(Decision),
}

impl Opaque {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Opaque::Ip(_) => "net.IP",
            Opaque::Cidr(_) => "net.CIDR",
            Opaque::Url(_) => "kubernetes.URL",
            Opaque::Quantity(_) => "kubernetes.Quantity",
            Opaque::Semver(_) => "kubernetes.Semver",
            Opaque::Format(_) => "kubernetes.NamedFormat",
            Opaque::Authorizer(_) => "kubernetes.authorization.Authorizer",
            Opaque::PathCheck(_) => "kubernetes.authorization.PathCheck",
            Opaque::GroupCheck(_) => "kubernetes.authorization.GroupCheck",
            Opaque::ResourceCheck(_) => "kubernetes.authorization.ResourceCheck",
            Opaque::Decision(_) => "kubernetes.authorization.Decision",
        }
    }

    /// As the measure of costs.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Opaque::Ip(ip) | Opaque::Cidr(net::Cidr { ip, .. }) => {
                if ip.is_ipv4() {
                    4
                } else {
                    16
                }
            }
            _ => 1,
        }
    }
}

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Opaque::Ip(ip) => write!(f, "{ip}"),
            Opaque::Cidr(cidr) => write!(f, "{cidr}"),
            Opaque::Url(url) => write!(f, "{url}"),
            Opaque::Quantity(quantity) => write!(f, "{quantity}"),
            Opaque::Semver(semver) => write!(f, "{semver}"),
            Opaque::Format(name) => f.write_str(name),
            other => f.write_str(other.type_name()),
        }
    }
}

impl From<Opaque> for Value<'_> {
    fn from(opaque: Opaque) -> Self {
        Value::Opaque(opaque.into())
    }
}

/// The values are of types for which the function has no overload; who called it adds which.
pub(crate) fn mismatch() -> Error {
    Error::NoSuchOverload(Box::new(Mismatch { function: String::new(), member: false, arguments: Vec::new() }))
}

/// Base64 with or without padding, as Kubernetes' formats take it.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The functions that read a text, and fail where it is not what they read.
const READERS: [&str; 10] =
    ["cidr", "double", "duration", "int", "ip", "quantity", "semver", "timestamp", "uint", "url"];

/// Whether one of the functions that read a text fails for this text, so that a call with it as a literal never gives
/// a value.
pub fn refuses(function: &str, text: &str) -> bool {
    let entry = find(function).filter(|_| READERS.contains(&function));
    entry.is_some_and(|entry| (entry.call)(&[Value::from(text)], &mut Budget::of(u64::MAX)).is_err())
}

/// What a function's name stands for.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) call: Function,
    pub(crate) cost: Cost,
}

pub(crate) fn find(name: &str) -> Option<Entry> {
    TABLE.get(name).copied()
}

static TABLE: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| {
    let parts: [&[(&'static str, Function, Cost)]; 12] = [
        operators::TABLE,
        convert::TABLE,
        optional::TABLE,
        strings::TABLE,
        lists::TABLE,
        time::TABLE,
        net::TABLE,
        url::TABLE,
        quantity::TABLE,
        semver::TABLE,
        named::TABLE,
        authorizer::TABLE,
    ];
    parts.iter().flat_map(|part| part.iter()).map(|&(name, call, cost)| (name, Entry { call, cost })).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signatures::{Library, names};

    #[test]
    fn what_a_function_cannot_read_is_refused() {
        for (function, good, bad) in [
            ("cidr", "10.0.0.0/8", "10.0.0.0"),
            ("double", "1.5", "1,5"),
            ("duration", "1h30m", "90"),
            ("int", "-7", "7.0"),
            ("ip", "::1", "10.0.0"),
            ("quantity", "100m", "1GB"),
            ("semver", "1.2.3", "1.2"),
            ("timestamp", "2026-01-31T10:00:00Z", "2026-01-31 10:00:00Z"),
            ("uint", "7", "-7"),
            ("url", "https://example.org/", "example.org:80:80"),
        ] {
            assert_eq!((refuses(function, good), refuses(function, bad)), (false, true), "{function}");
        }
        assert!(!refuses("size", "x") && !refuses("no-such-function", "x"));
    }

    #[test]
    fn every_signature_has_a_function() {
        let all = [Library::Standard, Library::Authorizer, Library::Patches, Library::Encoders];
        let missing: Vec<&str> = [true, false]
            .into_iter()
            .flat_map(|member| names(&all, member))
            .filter(|name| find(name).is_none())
            .collect();
        assert_eq!(missing, Vec::<&str>::new());
    }
}
