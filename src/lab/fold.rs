/// What a `<details>` fold is, by the first word of its summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldKind {
    /// Given one at a time.
    Hint,
    /// Shown when it is asked for.
    Solution,
    /// Shown after a try to answer the question above it.
    Answer,
    /// Read by everyone.
    Other,
}

impl FoldKind {
    pub fn of(summary: &str) -> Self {
        let first = summary.trim_start().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        match first.to_lowercase().as_str() {
            "hint" | "hints" => FoldKind::Hint,
            "solution" | "solutions" => FoldKind::Solution,
            "answer" | "answers" => FoldKind::Answer,
            _ => FoldKind::Other,
        }
    }
}
