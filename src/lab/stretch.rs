use super::{Action, CheckBlock, Item, Role, Step};
use crate::text::Span;

/// Consecutive actions, and the checks after them up to the next action, which judge them.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// In document order; waits, questions, hints and prose lie between.
    pub items: &'a [Item],
}

impl<'a> Stretch<'a> {
    /// The blocks that run, set-up and solutions among them; not clean-up, and not what is only shown.
    pub fn actions(self) -> impl Iterator<Item = &'a Action> {
        self.items.iter().filter_map(|item| match item {
            Item::Action(action) if is_part(action) => Some(action),
            _ => None,
        })
    }

    pub fn checks(self) -> impl Iterator<Item = &'a CheckBlock> {
        self.items.iter().filter_map(|item| match item {
            Item::Check(block) => Some(block),
            _ => None,
        })
    }

    /// How many items stand before the stretch's mark: its leading `setup` blocks.
    pub fn leading_setup(self) -> usize {
        let first =
            self.items.iter().position(|item| matches!(item, Item::Action(a) if is_part(a) && a.role != Role::Setup));
        let last_setup = |upto: usize| {
            self.items[..upto]
                .iter()
                .rposition(|item| matches!(item, Item::Action(a) if is_part(a) && a.role == Role::Setup))
                .map_or(0, |at| at + 1)
        };
        last_setup(first.unwrap_or(self.items.len()))
    }
}

impl Step {
    /// What runs, judges or asks and begins within `span`.
    pub fn item_within(&self, span: Span) -> Option<&Item> {
        let within = |part: Span| span.start <= part.start && part.start < span.end;
        self.items.iter().find(|item| match item {
            Item::Action(action) => within(action.span),
            Item::Check(block) | Item::Wait(block) => within(block.span),
            Item::Question(question) => within(question.span),
            Item::Prose(_) | Item::Shown(_) | Item::Hint(_) => false,
        })
    }

    /// A new stretch begins at the first action after a check.
    pub fn stretches(&self) -> Vec<Stretch<'_>> {
        let mut stretches = Vec::new();
        let mut from = 0;
        let mut judged = false;
        for (at, item) in self.items.iter().enumerate() {
            match item {
                Item::Check(_) => judged = true,
                Item::Action(action) if judged && is_part(action) => {
                    stretches.push(Stretch { items: &self.items[from..at] });
                    from = at;
                    judged = false;
                }
                _ => {}
            }
        }
        if from < self.items.len() {
            stretches.push(Stretch { items: &self.items[from..] });
        }
        stretches
    }
}

fn is_part(action: &Action) -> bool {
    action.role != Role::Cleanup && !action.norun
}
