//! Why an expression has no value, in the words of Kubernetes' API server.

use std::fmt;

/// Why evaluating failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// A map has no such key, an object no such field.
    NoSuchKey(String),
    /// A list has no element there.
    IndexOutOfBounds(String),
    /// A function does not take these arguments.
    NoSuchOverload(Box<Mismatch>),
    /// The regular expression that a text was to be matched by does not compile.
    BadRegex(Box<str>),
    /// It went over its limit, see [`crate::Budget`].
    CostExceeded,
    /// It was told to stop.
    Interrupted,
    /// Another failure, in cel-go's words.
    Other(Box<str>),
}

/// A function that was called with values of other types than it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The function that was called.
    pub function: String,
    /// Whether it was called on a value, `x.f()`.
    pub member: bool,
    /// The types of what it was given.
    pub arguments: Vec<String>,
}

impl Error {
    pub(crate) fn other(text: impl Into<String>) -> Self {
        Error::Other(text.into().into_boxed_str())
    }

    /// Whether the evaluation has to end at once: no `||` may turn it into a value.
    pub fn ends_all(&self) -> bool {
        matches!(self, Error::CostExceeded | Error::Interrupted)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoSuchKey(key) => write!(f, "no such key: {key}"),
            Error::IndexOutOfBounds(index) => write!(f, "index out of bounds: {index}"),
            Error::NoSuchOverload(_) => f.write_str("no such overload"),
            Error::BadRegex(why) => write!(f, "error parsing regexp: {why}"),
            Error::CostExceeded => f.write_str("operation cancelled: actual cost limit exceeded"),
            Error::Interrupted => f.write_str("operation interrupted"),
            Error::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found no matching overload for '{}' applied to '{}'", self.function, self.signature())
    }
}

impl Mismatch {
    fn signature(&self) -> String {
        match self.arguments.split_first() {
            Some((receiver, rest)) if self.member => format!("{receiver}.({})", rest.join(", ")),
            _ => format!("({})", self.arguments.join(", ")),
        }
    }
}
