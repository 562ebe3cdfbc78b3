//! Splits, compiles, evaluates and explains CEL expressions.

/// A compiled expression of a check.
#[derive(Debug, Clone)]
pub struct Expr {
    /// The slice of the check as written, `${VAR}` and all.
    pub text: String,
    pub span: crate::text::Span,
}
