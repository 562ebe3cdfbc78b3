//! Source text and what is said about it: files, spans, diagnostics, their drawing, nearest names
//! and redaction. Imports nothing of ours.

mod diagnostic;
mod source;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use source::{Position, SourceFile, Span, Spanned};
