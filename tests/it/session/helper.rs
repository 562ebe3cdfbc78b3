//! A learner who types into a bash of their own, and hears what the session tells.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keywitness::cluster::{Attach, Bare, Consent, GivenEtcd, Kind, Provider, SandboxProvider, StageSink};
use keywitness::lab::{ClusterKind, Lab};
use keywitness::parse::parse;
use keywitness::run::resolve;
use keywitness::session::{
    Answer, Command, Environment, Events, Left, Request, Session, SessionEvent, SessionRequest, View, start,
};
use keywitness::text::SourceFile;
use kube_sandbox::Sandbox;
use owned_processes::{Guard, GuardSettings};
use tokio_util::sync::CancellationToken;

/// A debug build on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone)]
pub(super) struct Settings {
    lab: PathBuf,
    state: PathBuf,
    /// A cluster that is there: its kubeconfig, etcd's address and the folder of its certificates.
    own: Option<(PathBuf, String, PathBuf)>,
    /// The node image of a kind cluster.
    kind: Option<&'static str>,
    /// The lab starts its etcd itself.
    is_bare: bool,
    _dir: Arc<tempfile::TempDir>,
}

impl Settings {
    pub(super) fn of((dir, lab): (tempfile::TempDir, PathBuf)) -> Self {
        Self { lab, state: dir.path().join("state"), own: None, kind: None, is_bare: false, _dir: Arc::new(dir) }
    }

    pub(super) fn on_kind(mut self, image: &'static str) -> Self {
        self.kind = Some(image);
        self
    }

    pub(super) fn on(mut self, own: &Sandbox) -> Self {
        let pki = own.pki().root().join("etcd");
        self.own = Some((own.kubeconfig().to_owned(), own.etcd_url().to_owned(), pki));
        self
    }

    pub(super) fn bare(mut self) -> Self {
        self.is_bare = true;
        self
    }

    pub(super) fn lab(&self) -> &Path {
        &self.lab
    }

    fn provider(&self, guard: &Guard) -> (ClusterKind, Box<dyn Provider>) {
        if let Some(image) = self.kind {
            let kind = Kind { guard: guard.clone(), engine: None, image: Some(image.to_owned()), config: None };
            return (ClusterKind::Kind, Box::new(kind));
        }
        if self.is_bare {
            return (ClusterKind::Bare, Box::new(Bare));
        }
        let Some((kubeconfig, etcd, pki)) = &self.own else {
            return (ClusterKind::Sandbox, Box::new(SandboxProvider { guard: guard.clone(), apiserver: None }));
        };
        let agreed = Attach::agree(None, Some(kubeconfig), &Consent::Given, &[]).expect("it is agreed to");
        let given = GivenEtcd {
            endpoints: vec![etcd.clone()],
            ca: Some(pki.join("ca.crt")),
            cert: Some(pki.join("healthcheck-client.crt")),
            key: Some(pki.join("healthcheck-client.key")),
        };
        (ClusterKind::Attach, Box::new(Attach { agreed, given, engine: None }))
    }

    pub(super) fn in_folder(lab: &Path, state: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self {
            lab: lab.to_owned(),
            state: state.to_owned(),
            own: None,
            kind: None,
            is_bare: false,
            _dir: Arc::new(dir),
        }
    }
}

/// A lab file of its own.
pub(super) fn lab_text(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("label.md");
    std::fs::write(&file, text).expect("it is written");
    (dir, file)
}

/// One of the course's own, in a state folder of its own.
pub(super) fn lab_of_course(name: &str) -> (tempfile::TempDir, PathBuf) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs").join(name).join("README.md");
    (tempfile::tempdir().expect("a folder"), file)
}

pub(super) fn read(file: &Path) -> Lab {
    let text = std::fs::read_to_string(file).expect("the lab is there");
    let parsed = parse(&SourceFile::new(file.display().to_string(), file, text));
    parsed.lab.unwrap_or_else(|| panic!("{:?}", parsed.findings))
}

struct Quiet;

impl StageSink for Quiet {
    fn passed(&self, _: &str, _: Option<&str>, _: Duration) {}
}

pub(super) struct Learner {
    pub(super) lab: Arc<Lab>,
    pub(super) resumed: bool,
    session: Session,
    events: Events,
    environment: Environment,
    /// Every event that was heard.
    pub(super) heard: Vec<SessionEvent>,
    /// Whose folders stay as long as the learner.
    settings: Settings,
}

/// A process that can be stopped; it goes on at the latest when this is dropped.
pub(super) struct Etcd(u32);

impl Etcd {
    pub(super) fn stops(&self) {
        self.signal("-STOP");
    }

    pub(super) fn goes_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        drop(std::process::Command::new("kill").args([name, &self.0.to_string()]).output());
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.goes_on();
    }
}

impl Learner {
    pub(super) async fn begin(settings: Settings) -> Self {
        Self::try_begin(settings).await.expect("the session begins")
    }

    pub(super) async fn try_begin(settings: Settings) -> Result<Self, String> {
        let lab = Arc::new(read(&settings.lab));
        let watchdog = Some(PathBuf::from(env!("CARGO_BIN_EXE_keywitness")));
        let guard = Guard::start(GuardSettings { watchdog, ..GuardSettings::default() }).expect("a guard");
        let (seed, given) = match Left::of(&settings.state, &lab) {
            Left::Progress(progress) => (progress.seed.parse().expect("a number"), progress.vars.clone()),
            _ => (rand::random(), std::collections::BTreeMap::new()),
        };
        let given = given.into_iter().filter(|(name, _)| lab.vars.iter().any(|var| var.name.value == *name)).collect();
        let vars = resolve(&lab, seed, &given, None).expect("values");
        let (kind, provider) = settings.provider(&guard);
        let request = SessionRequest {
            lab: Arc::clone(&lab),
            kind,
            seed,
            vars,
            provider,
            guard,
            state: settings.state.clone(),
            learner: Some("Anna".to_owned()),
            fresh: false,
            interrupt: CancellationToken::new(),
        };
        let session = start(request, &Quiet).await.map_err(|error| error.to_string())?;
        let events = session.handle.subscribe();
        let Ok(Answer::Environment { environment }) = session.handle.request(Request::Environment).await else {
            return Err("no environment".to_owned());
        };
        Ok(Self { lab, resumed: session.resumed, session, events, environment, heard: Vec::new(), settings })
    }

    pub(super) fn var(&self, name: &str) -> String {
        let found = self.environment.vars.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no variable {name}"), |(_, value)| value.clone())
    }

    pub(super) async fn ask(&self, request: Request) -> Answer {
        let answer = tokio::time::timeout(PATIENCE, self.session.handle.request(request.clone())).await;
        answer.unwrap_or_else(|_| panic!("no answer to {request:?}")).expect("the session answers")
    }

    pub(super) async fn view(&self) -> View {
        match self.ask(Request::Show).await {
            Answer::View { view } => *view,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for an event, among those that came meanwhile too.
    pub(super) async fn until(&mut self, wanted: impl Fn(&SessionEvent) -> bool) -> SessionEvent {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let event = self.events.next().await.expect("the session goes on");
                self.heard.push(event.clone());
                if wanted(&event) {
                    return event;
                }
            }
        })
        .await;
        if let Ok(event) = waited {
            return event;
        }
        let (view, why) = (self.view().await, self.ask(Request::Why).await);
        panic!("not told: {:#?}\n{:#?}\n{why:#?}", self.heard, view.step.checks)
    }

    pub(super) async fn until_open(&mut self, step: &str) {
        self.until_view(|view| view.step.id == step && !view.step.preparing).await;
    }

    pub(super) async fn settles(&mut self, wanted: impl Fn(&View) -> bool) -> View {
        self.until_view(wanted).await
    }

    pub(super) fn vars(&self) -> keywitness::lab::Vars {
        self.environment.vars.iter().cloned().collect()
    }

    pub(super) async fn until_green(&mut self, step: &str) -> View {
        self.until_view(|view| view.step.id == step && view.step.green).await
    }

    /// An event may have been heard before: what counts is how it is now.
    async fn until_view(&mut self, wanted: impl Fn(&View) -> bool) -> View {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let view = self.view().await;
                if wanted(&view) {
                    return view;
                }
                let event = self.events.next().await.expect("the session goes on");
                self.heard.push(event);
            }
        })
        .await;
        if let Ok(view) = waited {
            return view;
        }
        panic!("{:#?}\n{:#?}", self.heard, self.ask(Request::Why).await)
    }

    /// Asks, and agrees where that is asked about.
    pub(super) async fn agrees(&self, request: Request) -> Answer {
        match self.ask(request).await {
            Answer::AskAgain { number, .. } => self.ask(Request::Agree { number }).await,
            answer => answer,
        }
    }

    /// To the next step, whatever questions are open.
    pub(super) async fn goes_on_to(&mut self, step: &str) {
        self.agrees(Request::Next).await;
        self.until_open(step).await;
    }

    fn command(&self, text: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("bash");
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(["--norc", "-c", text])
            .current_dir(&self.environment.work)
            .envs(self.environment.vars.iter().cloned())
            .env("PATH", format!("{}:{path}", self.environment.path.join(":")))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// The sandbox's etcd, where processes can be found.
    pub(super) fn etcd(&self) -> Option<Etcd> {
        let state = self.settings.state.display().to_string();
        let is_it = |process: &u32| {
            let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.split('\0').next().is_some_and(|program| program.ends_with("etcd")) && line.contains(&state)
        };
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_it).map(Etcd)
    }

    /// Runs without telling the session.
    pub(super) async fn runs(&self, text: &str) -> (i32, String) {
        // As on a terminal, stderr is where stdout is.
        let output = self.command(&format!("exec 2>&1\n{text}")).output().await.expect("bash runs");
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Types a command, which the shell reports at its end.
    pub(super) async fn types(&self, text: &str) -> (i32, String) {
        let began = Timestamp::now();
        let (status, output) = self.runs(text).await;
        self.reports_from(text, status, &output, began).await;
        (status, output)
    }

    pub(super) async fn reports(&self, text: &str, status: i32, output: &str) {
        self.reports_from(text, status, output, Timestamp::now()).await;
    }

    async fn reports_from(&self, text: &str, status: i32, output: &str, began: Timestamp) {
        let command = Command {
            terminal: "1".to_owned(),
            text: text.to_owned(),
            status,
            output: output.to_owned(),
            cut: false,
            began,
            ended: Timestamp::now(),
            kubeconfig: None,
        };
        assert_eq!(self.ask(Request::Finished { command }).await, Answer::Done);
    }

    pub(super) async fn quit(self, keep: bool) -> Vec<String> {
        self.ask(Request::Quit { keep }).await;
        tokio::time::timeout(PATIENCE, self.session.ended()).await.expect("it ends")
    }
}
