//! While a lab is recorded: what a block brings about is over before the next block begins.

use std::time::Duration;

use super::runner::Runner;
use crate::journal::KeyGlob;

/// A cluster whose own keys never rest is not waited for.
const LIMIT: Duration = Duration::from_secs(5);

impl Runner<'_> {
    pub(super) async fn settle(&mut self) {
        let Some(rest) = self.settle else { return };
        let all = [KeyGlob::new("**")];
        tokio::select! {
            // Whether all was at rest or not, the run goes on.
            _ = self.witness.rest(&all, rest, LIMIT) => {}
            () = self.interrupt.cancelled() => {}
        }
        self.hide_secrets().await;
    }
}
