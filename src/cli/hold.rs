//! `--keep` where somebody watches: a shell on what the run leaves.

use tokio_util::sync::CancellationToken;

use super::screen;
use crate::report::{hide_bars, show_bars};
use crate::run::Hold;
use crate::terminal::{TerminalSettings, environment};

/// A bash of the person's on the lab's cluster, in the lab's working folder, with what its terminals have.
pub(super) struct OwnShell {
    pub(super) interrupt: CancellationToken,
}

#[async_trait::async_trait]
impl Hold for OwnShell {
    async fn hold(&self, lab: &str, settings: TerminalSettings) {
        let mut env = environment(std::env::vars_os(), &settings.path_prefix, &settings.env);
        let own = |name: &str| std::env::var_os(name);
        // For a person this time: their terminal, and their language.
        for name in ["TERM", "LC_ALL", "COLORTERM"] {
            env.retain(|(known, _)| known != name);
            env.extend(own(name).map(|value| (name.into(), value)));
        }
        env.push(("PS1".into(), format!("({lab}, kept) \\w \\$ ").into()));
        let mut bash = tokio::process::Command::new("bash");
        bash.args(["--norc", "--noprofile", "-i"]).env_clear().envs(env).current_dir(&settings.cwd).kill_on_drop(true);
        hide_bars();
        let ended = match bash.spawn() {
            Ok(mut shell) => tokio::select! {
                ended = shell.wait() => ended.map(drop),
                () = self.interrupt.cancelled() => Ok(()),
            },
            Err(error) => Err(error),
        };
        show_bars();
        if let Err(error) = ended {
            screen::note(&format!("no shell could be opened on it: {error}"));
            self.interrupt.cancelled().await;
        }
    }
}
