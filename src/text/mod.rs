//! Source text and what is said about it: files, spans, diagnostics, their drawing, nearest names
//! and redaction. Imports nothing of ours.

mod diagnostic;
mod digest;
mod draw;
mod edit;
mod event;
mod html;
mod joined;
mod nearest;
mod redact;
mod search;
mod source;
mod vars;
mod wrap;

pub use diagnostic::{Code, Diagnostic, Edit, Severity};
pub use digest::sha256;
pub use edit::mended;
pub use event::EventKind;
pub use html::html_escaped;
pub use joined::Joined;
pub use nearest::{did_you_mean, nearest, one_of};
pub use redact::{Redacted, Redactor, hidden_bytes, keep_secret, mask, redact};
pub use search::{Printed, Search};
pub use source::{Position, SourceFile, Span, Spanned};
pub use vars::{VarPiece, filled, is_lower_case, name_length, var_pieces};
pub use wrap::wrapped;

/// The sign of what holds or is done, and of what does not or failed.
pub const TICK: &str = "✓";
pub const CROSS: &str = "✗";
