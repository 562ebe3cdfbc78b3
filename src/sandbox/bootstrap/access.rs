//! Roles, bindings and service accounts.

use serde_json::Value;

pub(super) fn objects() -> Vec<Value> {
    Vec::new()
}
