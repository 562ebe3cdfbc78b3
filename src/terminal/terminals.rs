use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, watch};

use super::background::{Background, Final, Inner};
use super::block::{Block, BlockResult};
use super::runner::{Finished, interrupted, run_block};
use super::settings::{Place, TerminalError, TerminalId, TerminalSettings};
use super::shell::{Shell, Stop, Ways};

/// The terminals of one lab. Shells start when they are first used.
pub struct Terminals {
    settings: TerminalSettings,
    shells: Mutex<HashMap<TerminalId, Slot>>,
    backgrounds: Mutex<BTreeMap<String, (TerminalId, Background)>>,
}

/// Empty before the first use, and after a shell had to go.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Shell>>>;

impl Terminals {
    pub fn new(settings: TerminalSettings) -> Self {
        Self { settings, shells: Mutex::default(), backgrounds: Mutex::default() }
    }

    /// Runs a block to its end.
    pub async fn run(&self, terminal: &TerminalId, block: &Block) -> Result<BlockResult, TerminalError> {
        let endless = |_| std::future::pending::<()>();
        self.run_unless(terminal, block, Duration::ZERO, endless).await.map(|(result, _)| result)
    }

    /// Runs a block until it ends, or until what is given the command that runs comes to its end: then the block is
    /// stopped as a background block is.
    pub async fn run_unless<T, F: Future<Output = T>>(
        &self,
        terminal: &TerminalId,
        block: &Block,
        patience: Duration,
        unless: impl FnOnce(watch::Receiver<String>) -> F,
    ) -> Result<(BlockResult, Option<T>), TerminalError> {
        let Some(mut slot) = self.claim(terminal).await? else {
            return Ok((interrupted(), None));
        };
        // Out of its slot while it runs: a block that is dropped half-way takes its shell with it.
        let Some(mut shell) = slot.take() else {
            return Ok((interrupted(), None));
        };
        let (stop, stopped) = watch::channel(None);
        let (runs, running) = watch::channel(String::new());
        let ways = Ways { cancel: self.settings.cancel.clone(), stop: stopped };
        let (finished, given_up) = {
            let mut work = std::pin::pin!(run_block(&mut shell, block, &ways, false, &runs));
            tokio::select! {
                finished = &mut work => (finished, None),
                why = unless(running) => {
                    stop.send_replace(Some(Stop { kill: false, patience }));
                    (work.await, Some(why))
                }
            }
        };
        let Finished { result, is_usable } = finished;
        if is_usable {
            *slot = Some(shell);
        } else {
            shell.kill().await;
        }
        Ok((result, given_up))
    }

    /// Starts a block whose last command keeps running. Whether it is ready takes what is returned.
    pub async fn start_background(
        &self,
        terminal: &TerminalId,
        name: &str,
        block: &Block,
    ) -> Result<Background, TerminalError> {
        if self.background(name).is_some_and(|running| running.ended().is_none()) {
            return Err(TerminalError::StillRuns(name.to_owned()));
        }
        let interrupted = || TerminalError::NoShell { terminal: terminal.clone(), reason: "interrupted".to_owned() };
        let mut slot = self.claim(terminal).await?.ok_or_else(interrupted)?;
        let mut shell = slot.take().ok_or_else(interrupted)?;
        let (stop, stopped) = watch::channel(None);
        let (told, result) = watch::channel(None);
        let cancel = self.settings.cancel.clone();
        let ways = Ways { cancel: cancel.clone(), stop: stopped };
        let tape = Arc::clone(shell.tape());
        tape.recorder().restart();
        let began = tape.recorder().screen().start();
        let block = block.clone();
        let inner = Inner { block: block.clone(), tape, dir: shell.dir().to_owned(), began, stop, result, cancel };
        let background = Background { inner: Arc::new(inner) };
        self.backgrounds().insert(name.to_owned(), (terminal.clone(), background.clone()));
        tokio::spawn(async move {
            let Finished { result, is_usable } =
                run_block(&mut shell, &block, &ways, true, &watch::channel(String::new()).0).await;
            let tape = Arc::new(shell.tape().recorder().restart());
            if is_usable {
                *slot = Some(shell);
            } else {
                shell.kill().await;
            }
            // Free before it is known to have ended: who waits for the end may want the terminal.
            drop(slot);
            told.send_replace(Some(Final { result, tape }));
        });
        Ok(background)
    }

    /// The background block of that name, running or ended.
    pub fn background(&self, name: &str) -> Option<Background> {
        self.backgrounds().get(name).map(|(_, background)| background.clone())
    }

    /// Ctrl-C (or SIGKILL) to what runs in the foreground there, and its end. Where Ctrl-C does not end it
    /// within `patience`, it is killed. For a block that ended by itself before, that is what is returned.
    pub async fn stop(&self, name: &str, kill: bool, patience: Duration) -> Result<BlockResult, TerminalError> {
        let background = self.background(name).ok_or_else(|| TerminalError::NoBackground(name.to_owned()))?;
        background.inner.stop.send_replace(Some(Stop { kill, patience }));
        Ok(background.wait_ended().await)
    }

    /// Ends every shell with all that runs in it; terminals used later start fresh.
    pub async fn close_all(&self) {
        let running: Vec<Background> = self.backgrounds().values().map(|(_, background)| background.clone()).collect();
        futures::future::join_all(running.iter().filter(|background| background.ended().is_none()).map(|background| {
            background.inner.stop.send_replace(Some(Stop { kill: true, patience: Duration::ZERO }));
            background.wait_ended()
        }))
        .await;
        let slots: Vec<Slot> =
            std::mem::take(&mut *self.shells.lock().unwrap_or_else(PoisonError::into_inner)).into_values().collect();
        futures::future::join_all(slots.iter().map(|slot| async {
            if let Some(mut shell) = slot.lock().await.take() {
                shell.kill().await;
            }
        }))
        .await;
    }

    /// A background block that has not ended.
    pub(super) fn running(&self) -> Option<String> {
        let backgrounds = self.backgrounds();
        let mut running = backgrounds.iter().filter(|(_, (_, background))| background.ended().is_none());
        running.next().map(|(name, _)| name.clone())
    }

    pub(super) fn slots(&self) -> Vec<(TerminalId, Slot)> {
        let shells = self.shells.lock().unwrap_or_else(PoisonError::into_inner);
        shells.iter().map(|(terminal, slot)| (terminal.clone(), Arc::clone(slot))).collect()
    }

    /// The processes of the shells themselves.
    pub async fn shells(&self) -> Vec<i32> {
        let mut shells = Vec::new();
        for (_, slot) in self.slots() {
            shells.extend(slot.lock().await.as_ref().and_then(Shell::process));
        }
        shells
    }

    pub(super) fn private(&self) -> &std::path::Path {
        &self.settings.private_dir
    }

    fn backgrounds(&self) -> MutexGuard<'_, BTreeMap<String, (TerminalId, Background)>> {
        self.backgrounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The terminal with a live shell in it; nothing where the run was interrupted meanwhile.
    pub(super) async fn claim(
        &self,
        terminal: &TerminalId,
    ) -> Result<Option<OwnedMutexGuard<Option<Shell>>>, TerminalError> {
        let taken = self.backgrounds().iter().find_map(|(name, (at, background))| {
            (at == terminal && background.ended().is_none()).then(|| name.clone())
        });
        if let Some(name) = taken {
            return Err(TerminalError::Busy { terminal: terminal.clone(), name });
        }
        let slot =
            Arc::clone(self.shells.lock().unwrap_or_else(PoisonError::into_inner).entry(terminal.clone()).or_default());
        let mut slot = slot.lock_owned().await;
        if self.settings.cancel.is_cancelled() {
            return Ok(None);
        }
        if slot.is_none() {
            match self.start(terminal).await {
                Ok(shell) => *slot = Some(shell),
                Err(_) if self.settings.cancel.is_cancelled() => return Ok(None),
                Err(reason) => return Err(TerminalError::NoShell { terminal: terminal.clone(), reason }),
            }
        }
        Ok(Some(slot))
    }

    async fn start(&self, terminal: &TerminalId) -> Result<Shell, String> {
        let shell = self.fresh(terminal).await?;
        let TerminalSettings { rows, columns, casts, .. } = &self.settings;
        let cast = casts.as_ref().map(|casts| casts.of(terminal.clone(), *rows, *columns));
        shell.tape().recorder().record_on(cast);
        Ok(shell)
    }

    async fn fresh(&self, terminal: &TerminalId) -> Result<Shell, String> {
        match (terminal.place, &self.settings.node) {
            (Place::Host, _) => {
                let dir = self.shell_dir().map_err(|error| error.to_string())?;
                Shell::local(&self.settings, &dir).await
            }
            (Place::Node, Some(node)) => Shell::on_node(&self.settings, node).await,
            (Place::Node, None) => Err("this cluster has no shell on its node".to_owned()),
        }
    }

    /// Fresh for each shell, those of the clean-up too, and nowhere that a block could know.
    fn shell_dir(&self) -> std::io::Result<PathBuf> {
        let dir = self.settings.private_dir.join(format!("shell-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&dir)?;
        Ok(dir)
    }
}
