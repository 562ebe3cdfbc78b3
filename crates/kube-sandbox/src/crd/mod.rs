//! Custom resources: definitions read from etcd, their schema, and the form in which they are stored.

pub mod convert;
pub mod defaults;
mod definition;
pub mod scale;
pub mod schema;
mod unique;

pub use definition::resources_of;
