//! The terminal face of a session: the lab's pages, the learner's own shell with the session's news between its
//! commands, and the word `lab`.
//!
//! Everything goes through the session's door: the first terminal is connected to it as each further one is.

mod edges;
mod face;
mod flow;
mod link;
mod look;
mod markdown;
mod outfit;
mod page;
mod raw_text;
mod said;
mod table;
mod word;
mod words;

#[cfg(test)]
mod tests;

pub use face::{FaceSettings, Left, face};
pub use look::Look;
pub use outfit::{Outfit, TERMINAL_VARIABLE, WordStyle, label, to_type};
pub use word::{Setting, lab};
pub use words::completions;
