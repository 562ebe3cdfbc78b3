//! Custom resources: definitions read from etcd, their schema, and the form in which they are stored.

pub mod convert;
mod definition;
mod lifecycle;
pub(crate) mod rules;
pub mod schema;

pub use definition::CustomVersion;
#[cfg(test)]
pub(crate) use definition::resources_of;
pub use lifecycle::{definition_written, follow, load, mark_terminating, prepare, prepare_update};
pub use rules::budget;
