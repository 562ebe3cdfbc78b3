//! What checks look at besides the journal.

use super::command::{self, CommandSeen};
use super::runner::{Output, Runner};
use crate::grade::{Need, Observation, Seen};
use crate::journal::Clock;
use crate::lab::PartId;

impl Runner<'_> {
    /// One look. `nearest` is the block that an `output` check without a name speaks of.
    pub(super) async fn observe(&self, need: &Need, nearest: Option<PartId>) -> Observation {
        let at = Clock::now();
        let seen = match need {
            Need::Output { action } => self.printed(action.as_deref(), nearest),
            need => self.ground.look(need).await,
        };
        Observation { need: need.clone(), at, seen }
    }

    fn printed(&self, action: Option<&str>, nearest: Option<PartId>) -> Seen {
        let (id, who) = match action {
            Some(name) => (self.action_named(name).map(|action| action.id), format!("the block `{name}`")),
            None => (nearest, "the block above".to_owned()),
        };
        let Some(id) = id else {
            return Seen::Nothing(format!("{who} does not run here"));
        };
        let running = self.backgrounds.iter().find(|running| running.action.id == id && !running.stopped);
        if let Some(running) = running {
            let printed = running.handle.since(running.mark);
            return Seen::Output { printed, exit: running.handle.ended().and_then(|result| result.exit) };
        }
        match self.outputs.get(&id) {
            Some(Output { printed, exit }) => {
                Seen::Output { printed: printed.clone(), exit: Some(exit.unwrap_or_default()) }
            }
            None => Seen::Nothing(format!("{who} has not run")),
        }
    }

    /// `bash -c` in `LAB_WORK`, with the lab's environment.
    pub(super) async fn command(&self, text: &str) -> Result<CommandSeen, String> {
        command::run(&self.ground.environment, &self.ground.guard, &self.interrupt, text).await
    }
}
