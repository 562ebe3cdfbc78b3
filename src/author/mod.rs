//! What helps to write labs.

mod new;

pub use new::{Template, new_lab};
