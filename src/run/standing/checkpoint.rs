//! The beginning of a step: what is kept of it, and how a cluster is put back to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::journal::{JournalView, Seq};
use crate::lab::Place;
use crate::run::Ground;
use crate::run::recording::{Moment, Reached};
use crate::run::runner::Runner;
use crate::run::work::{keep, put_back};
use crate::terminal::ShellState;
use owned_processes::Guard;

/// What a command has just left behind is given so long to end by itself.
const ON_ITS_WAY: Duration = Duration::from_millis(300);
/// How long the watch may take to see a store that was put back.
const SEEN_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(30);
/// Folders of the cluster itself, of which no checkpoint holds a copy, and engines that hold more than a cluster.
const BEYOND: [&str; 6] = ["LAB_ETCD_DATA", "LAB_ETCD_PKI", "LAB_ENGINE", "docker", "podman", "systemctl"];

/// A place between two blocks that a cluster can be put back to.
pub(super) struct Checkpoint {
    /// So many blocks had run.
    pub(super) position: usize,
    /// So many stretches and looks had been recorded.
    pub(super) stretches: usize,
    pub(super) looks: usize,
    /// When it was taken.
    pub(super) moment: Moment,
    seq: Seq,
    folder: PathBuf,
    shells: Vec<ShellState>,
    kubeconfig: Option<Vec<u8>>,
    /// Why nothing can be put back to it.
    pub(super) obstacle: Option<String>,
}

/// Takes checkpoints while a lab runs.
pub(in crate::run) struct Keeper<'a> {
    pub(super) folder: &'a Path,
    pub(super) guard: &'a Guard,
    /// A place that is kept already.
    pub(super) known: Option<usize>,
    pub(super) made: Vec<Checkpoint>,
}

impl Keeper<'_> {
    /// Keeps what there is now.
    pub(in crate::run) async fn keep(&mut self, runner: &Runner<'_>) {
        let position = runner.recording.position();
        if self.known == Some(position) {
            return;
        }
        let folder = self.folder.join(uuid::Uuid::new_v4().simple().to_string());
        let kept = self.all(runner, &folder).await;
        let Reached { stretches, looks } = runner.recording.reached();
        // What came until now is in the journal, and what comes later is not in the copy.
        let moment = runner.moment().await;
        let seq = runner.witness.journal().end();
        let (shells, obstacle) = match kept {
            Ok(shells) => (shells, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let kubeconfig = runner.ground.kubeconfig().and_then(|file| std::fs::read(file).ok());
        self.made.retain(|made| made.position != position);
        self.made.push(Checkpoint { position, stretches, looks, moment, seq, folder, shells, kubeconfig, obstacle });
    }

    async fn all(&self, runner: &Runner<'_>, folder: &Path) -> Result<Vec<ShellState>, String> {
        if let Some(why) = reaches_beyond(runner) {
            return Err(why);
        }
        if let Some(running) = runner.backgrounds.iter().find(|running| !running.stopped) {
            return Err(format!("the background block `{}` runs there", running.key));
        }
        let shells = runner.terminals.states().await?;
        let own = runner.terminals.shells().await;
        if !are_gone(self.guard, &own).await {
            return Err("a job that a block started runs on there".to_owned());
        }
        tokio::fs::create_dir_all(folder).await.map_err(|error| error.to_string())?;
        if !runner.ground.save(&folder.join(STORE)).await.map_err(|error| error.to_string())? {
            return Err(format!("a {} cluster cannot be put back", runner.kind.name()));
        }
        for (from, to) in files(runner.ground, folder) {
            let copy = to.clone();
            let kept = tokio::task::spawn_blocking(move || keep(&from, &copy)).await;
            kept.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            if !to.is_dir() {
                return Err("its files are too many or too large to be copied".to_owned());
            }
        }
        Ok(shells)
    }
}

const STORE: &str = "store";

/// Folders of the lab's own, and where their copies lie.
fn files(ground: &Ground, folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let home = ground.variables().iter().find(|(name, _)| name == "HOME").map(|(_, home)| PathBuf::from(home));
    let work = (ground.work().to_owned(), folder.join("work"));
    std::iter::once(work).chain(home.map(|home| (home, folder.join("home")))).collect()
}

/// A block that ran on a node, or named what lies beyond the store and the lab's own files.
fn reaches_beyond(runner: &Runner<'_>) -> Option<String> {
    let ran = runner.recording.acts.iter();
    let mut texts = ran.map(|act| (act.report.line, act.identity.as_str()));
    let node = format!("{:?}", Place::Node);
    texts.find_map(|(line, text)| {
        let last = text.lines().last().unwrap_or_default();
        if last.split(' ').any(|word| word == node) {
            return Some(format!("the block at line {line} ran on the node"));
        }
        let named = BEYOND.iter().find(|name| text.contains(*name))?;
        Some(format!("the block at line {line} may have changed more than the store and the lab's files ({named})"))
    })
}

/// Whether nothing runs of this run but its shells, once what is about to end has ended.
async fn are_gone(guard: &Guard, shells: &[i32]) -> bool {
    let until = tokio::time::Instant::now() + ON_ITS_WAY;
    loop {
        let (guard, shells) = (guard.clone(), shells.to_vec());
        let left = tokio::task::spawn_blocking(move || guard.left_running(&shells)).await;
        match left {
            Ok(left) if left.is_empty() => return true,
            _ if tokio::time::Instant::now() >= until => return false,
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

impl Checkpoint {
    /// Puts the cluster and the lab's files back; what the shells held is returned. `Err`: something is not as it was,
    /// and nothing can be judged here any more.
    pub(super) async fn put_back(&self, ground: &Ground, guard: &Guard) -> Result<Vec<ShellState>, String> {
        if !are_gone(guard, &[]).await {
            return Err("a job that a block started still runs".to_owned());
        }
        let before = ground.witness.journal().epoch();
        match ground.restore(&self.folder.join(STORE)).await {
            Ok(true) => {}
            Ok(false) => return Err("this cluster's store cannot be put back".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
        let seen = tokio::time::timeout(SEEN_WITHIN, async {
            loop {
                let view = ground.witness.journal();
                if view.epoch() > before && ground.witness.mark().await.read {
                    return ground.witness.journal();
                }
                tokio::select! {
                    () = ground.witness.grown(view.end()) => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        });
        let view = seen.await.map_err(|_| "the watch did not see the store put back".to_owned())?;
        let epoch = began(&view, self.seq).ok_or("the watch did not see the store put back")?;
        view.journal().discard(self.seq, epoch - 1);
        for (to, from) in files(ground, &self.folder) {
            let left = tokio::task::spawn_blocking(move || put_back(&from, &to)).await;
            if let Some(why) = left.map_err(|error| error.to_string())?.into_iter().next() {
                return Err(why);
            }
        }
        if let (Some(file), Some(text)) = (ground.kubeconfig(), &self.kubeconfig) {
            tokio::fs::write(file, text).await.map_err(|error| format!("the kubeconfig: {error}"))?;
        }
        Ok(self.shells.clone())
    }
}

/// The entry with which the last store began to be seen.
fn began(view: &JournalView, since: Seq) -> Option<Seq> {
    view.holes(since).into_iter().rfind(|hole| hole.new_store).map(|hole| hole.seq)
}
