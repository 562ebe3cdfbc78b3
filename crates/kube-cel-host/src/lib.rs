#![doc = include_str!("../README.md")]
//!
//! Imports nothing of ours but the codec, for quantities.

#![warn(missing_docs)]

mod budget;
mod check;
mod cost;
mod env;
mod error;
mod estimate;
mod evaluate;
mod library;
mod parse;
mod pool;
mod program;
mod schema;
mod signatures;
#[cfg(test)]
mod tests;
mod types;
mod value;

pub use budget::{Budget, MATCH_CONDITIONS, PER_CALL, PER_REQUEST};
pub use cel::IdedExpr;
pub use cel::common::ast;
pub use cel::parser::{ParseError, ParseErrors};
pub use env::{Checked, Env, Issue, Issues};
pub use error::{Error, Mismatch};
pub use estimate::Range as CostRange;
pub use evaluate::Names;
pub use library::{Authorizer, Check, Decision};
pub use library::{compiled as compile_regex, complaint as regex_complaint, refuses};
pub use parse::{macros, on_big_stack, parse};
pub use pool::{Refused, run as run_on_pool};
pub use program::Program;
pub use schema::Declared;
pub use signatures::{Library, Overload, names as function_names, overloads};
pub use types::{Field, Items, ListKind, Object, Type, escape};
pub use value::{Key, List, Map, Text, Value};

/// The function that tells whether a value has a whole path: `@present(root, [step, …])`. No author writes it; whoever
/// wants `has()` to be false where a part before the last is missing puts it into the tree.
pub const PRESENT: &str = "@present";
