//! The API face: Kubernetes' REST verbs over the store, the same router for HTTPS and for clients in
//! this process.
//!
//! A request goes one way: `dispatch` finds its resource and asks `authorize`, a verb (`read`, `watch`, `change`,
//! `delete`, `subresource`, `reviews`) reads its `body`, has the object written (`write`, `deletion`) past `admission`,
//! or read, and gives it to `answer`. None of them calls one that stands after it here:
//!
//! ```text
//! limits syntax strict negotiate known lists state answer body
//! fields patch managed admission write deletion
//! stream read watch change delete eviction subresource reviews
//! plain dispatch
//! ```

pub mod admission;
mod answer;
mod body;
mod change;
mod delete;
mod deletion;
mod dispatch;
mod eviction;
mod fields;
pub mod known;
pub mod limits;
pub mod lists;
pub mod managed;
mod negotiate;
pub mod patch;
mod plain;
mod read;
mod reviews;
mod state;
mod stream;
mod strict;
mod subresource;
mod syntax;
mod watch;
mod write;

pub use dispatch::router;
pub use state::{Api, Counters, SharedApi};
