use crate::outcome::{CheckFact, QuestionFact};

/// What there is to do in a lab on one kind of cluster, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    pub id: String,
    pub file: String,
    pub title: String,
    /// Every step of the lab, those with nothing but prose among them.
    pub steps: Vec<StepOutline>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOutline {
    pub id: String,
    pub title: String,
    pub line: usize,
    /// Why nothing of it takes place on this cluster.
    pub elsewhere: Option<String>,
    pub stretches: Vec<StretchOutline>,
    pub questions: Vec<QuestionOutline>,
    pub hints: u32,
    pub has_solution: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StretchOutline {
    /// Those of `wait` fences too, which hold the stretch up and earn nothing.
    pub checks: Vec<CheckOutline>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOutline {
    /// As a report has it before it is judged.
    pub fact: CheckFact,
    /// The author's word for a failure.
    pub fail: Option<String>,
    /// A line of a `wait` fence.
    pub is_wait: bool,
    /// It is about what happened once: it does not turn back.
    pub lasts: bool,
    /// It forbids something, and holds only beside the others.
    pub forbids: bool,
    /// It is not judged on this cluster, and why.
    pub left: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionOutline {
    /// Its name, or its number in the step.
    pub id: String,
    pub fact: QuestionFact,
    /// It is not asked on this cluster, and why.
    pub left: Option<String>,
}

impl StepOutline {
    pub fn checks(&self) -> impl Iterator<Item = &CheckOutline> {
        self.stretches.iter().flat_map(|stretch| &stretch.checks)
    }

    /// The number in the step of the first check of a stretch.
    pub fn first_check(&self, stretch: usize) -> usize {
        self.stretches.iter().take(stretch).map(|stretch| stretch.checks.len()).sum()
    }

    /// The numbers of a stretch's checks that are judged here.
    pub fn judged(&self, stretch: usize) -> impl Iterator<Item = usize> {
        let first = self.first_check(stretch);
        let checks = self.stretches.get(stretch).map_or(&[][..], |stretch| &stretch.checks);
        checks.iter().enumerate().filter(|(_, check)| check.left.is_none()).map(move |(at, _)| first + at)
    }
}
