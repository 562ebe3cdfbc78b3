//! `serve`: the page, and what it needs of this machine: labs, clusters, a port, a secret.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::args::{ClusterFlags, LabArgs};
use super::error::CliError;
use super::lint::{self, Linted};
use super::{here, learn, session};
use crate::cluster::StageSink;
use crate::lab::{ClusterKind, Lab, VarDefault};
use crate::learn::Progress;
use crate::outcome::Exit;
use crate::session::{StartError, lessons, running, start};
use crate::text::did_you_mean;
use crate::web::{Entry, Library, Need, Question, Refusal, Secret, Server, Settings, Stages, Started, Wanted};
use owned_processes::{Interrupt, state_folder};

/// On a telephone's keys: KEYW, and one that is free where it is taken.
const PORT: u16 = 5399;

/// Serve labs as a web page with terminals
///
/// The page is served on 127.0.0.1, and only the printed link opens it: it holds a secret that is new at each start. Labs are
/// opened in the page; each has a cluster of its own while it is open. Ctrl-C ends all of it, and what was begun can be
/// resumed, in the page or by `keywitness learn`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keywitness serve                  the labs of labs/\n  \
    keywitness serve labs/first-look  one lab\n  \
    keywitness serve --present        with a second link, by which others look on\n\n\
    docs/page.md: what is safe and what is not, and `serve` behind JupyterHub's and Kubernetes' proxies")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    labs: LabArgs,
    /// The port [default: 5399, or a free one where that is taken; 0: a free one]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The address to listen on; with one that is not loopback, anyone who reaches this machine can try the link
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// The path under which a proxy serves the page: /user/ann/
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = base_path)]
    base_path: String,
    /// An origin under which a proxy serves the page, such as `https://hub.example.org`
    #[arg(long, value_name = "URL", value_parser = origin)]
    origin: Vec<String>,
    /// Another name of this server in `Host` headers, with its port, for proxies that set their own
    #[arg(long, value_name = "NAME", value_parser = host)]
    host: Vec<String>,
    /// Read the secret from a file instead of generating one
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Also print a view-only link: the text, the terminals, what etcd sees; no answers
    #[arg(long)]
    present: bool,
    /// The title of the course [default: the folder's name]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Your name in what you hand in
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Close a session that no page has used for this long; it can be resumed
    #[arg(long, value_name = "DURATION", default_value = "60m", value_parser = crate::parse::duration_flag)]
    idle: Duration,
    #[command(flatten)]
    cluster: ClusterFlags,
}

fn base_path(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~@%+/".contains(c);
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    if !text.starts_with('/') || !text.chars().all(plain) || parts.iter().any(|part| matches!(*part, "." | "..")) {
        return Err("write it as /user/ann/".to_owned());
    }
    Ok(if parts.is_empty() { "/".to_owned() } else { format!("/{}/", parts.join("/")) })
}

fn origin(text: &str) -> Result<String, String> {
    let wrong = || "write it as the browser shows it: https://hub.example.org or http://localhost:8000".to_owned();
    let (scheme, name) = text.trim_end_matches('/').split_once("://").ok_or_else(wrong)?;
    if !matches!(scheme, "http" | "https") {
        return Err(wrong());
    }
    host(name).map(|name| format!("{scheme}://{name}")).map_err(|_| wrong())
}

fn host(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
    if text.is_empty() || !text.chars().all(plain) {
        return Err("write it as a `Host` header has it: hub.example.org, or 10.0.0.5:8000".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

pub(super) fn main(args: &ServeArgs) -> Result<Exit, CliError> {
    let is_somebodys = matches!(args.cluster.on, Some(ClusterKind::Attach)) || args.cluster.context.is_some();
    if is_somebodys && !args.cluster.yes {
        return Err(CliError::wrong_call(
            "labs would change a cluster that keywitness did not make, and a page cannot ask for that",
            "add --yes if that is intended",
        ));
    }
    let course = Course::of(args);
    // What is wrong with the labs is better said before anybody opens the page.
    let count = course.read()?.len();
    let runtime = super::runtime()
        .map_err(|error| CliError::unavailable(format!("no threads to run on: {error}"), "try again"))?;
    let done = runtime.block_on(serve(args, course, count));
    runtime.shutdown_background();
    done
}

async fn serve(args: &ServeArgs, course: Course, count: usize) -> Result<Exit, CliError> {
    let unusable = |error: std::io::Error| CliError::unavailable(error.to_string(), "try again");
    let secret = match &args.secret_file {
        Some(file) => Secret::read(file).map_err(|error| {
            CliError::wrong_call(
                format!("the secret of {} cannot be used: {error}", file.display()),
                "a good one: head -c 32 /dev/urandom | base64 | tr +/ -_ | tr -d =",
            )
        })?,
        None => Secret::random().map_err(unusable)?,
    };
    let present = if args.present { Some(Secret::random().map_err(unusable)?) } else { None };
    let cancel = Interrupt::listen().map_err(unusable)?.token();
    let title = course.title();
    let settings = |port: u16| Settings {
        listen: SocketAddr::new(args.listen, port),
        base: args.base_path.clone(),
        hosts: args.host.clone(),
        origins: args.origin.clone(),
        secret: secret.clone(),
        present: present.clone(),
        library: Arc::new(course.clone()),
        program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("keywitness")),
        idle: args.idle,
    };
    let bound = Server::bind(settings(args.port.unwrap_or(PORT)), cancel.clone()).await;
    let bound = match bound {
        Err(error) if args.port.is_none() && error.kind() == std::io::ErrorKind::AddrInUse => {
            Server::bind(settings(0), cancel.clone()).await
        }
        bound => bound,
    };
    let server = bound.map_err(|error| {
        let port = args.port.unwrap_or(PORT);
        CliError::wrong_call(
            format!("cannot listen on {}: {error}", SocketAddr::new(args.listen, port)),
            "--port 0 takes a free one",
        )
    })?;
    let labs = if count == 1 { "1 lab".to_owned() } else { format!("{count} labs") };
    let mut lines = vec![format!("{title}: {labs}. Open it in a browser:")];
    for link in server.links() {
        lines.push(match &args.secret_file {
            // A log is read by more people than a file.
            Some(file) => format!("  {link}#  and behind the # what {} holds", file.display()),
            None => format!("  {link}#{}", secret.text()),
        });
        if let Some(present) = &present {
            lines.push(format!("To look on only:\n  {link}#{}", present.text()));
        }
    }
    let address = server.address().map_err(unusable)?;
    if !args.listen.is_loopback() {
        lines.push(format!(
            "It listens on {address}: whoever reaches this machine and has the link can type into your shells.\nNothing is \
             encrypted: put a proxy with TLS before it."
        ));
    } else if !args.origin.is_empty() {
        lines.push(format!("It listens on {address}."));
    }
    lines.push("Ctrl-C ends it; what is begun can be resumed.".to_owned());
    say(&lines)?;
    let left = server.run().await;
    for line in &left {
        super::screen::note(&format!("could not be cleaned up: {line}"));
    }
    Ok(Exit::Passed)
}

/// The secret is in it, which nothing else writes.
fn say(lines: &[String]) -> Result<(), CliError> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{}", lines.join("\n")).and_then(|()| stdout.flush());
    written.map_err(|source| CliError::Output { what: "standard output".to_owned(), source })
}

/// The labs of some folders, and how a session of one begins.
#[derive(Clone)]
struct Course {
    paths: Vec<PathBuf>,
    title: Option<String>,
    learner: Option<String>,
    cluster: ClusterFlags,
}

impl Course {
    fn of(args: &ServeArgs) -> Self {
        // A lab's name in `labs/` is as good as its path.
        let paths: Vec<PathBuf> = args.labs.paths.iter().map(|path| learn::in_labs(path)).collect();
        Self { paths, title: args.title.clone(), learner: args.name.clone(), cluster: args.cluster.clone() }
    }

    /// Each with an id of its own: two labs of different folders may have one name.
    fn read(&self) -> Result<Vec<(String, Linted)>, CliError> {
        let (labs, _) = lint::read(&LabArgs { paths: self.paths.clone() })?;
        let mut named: Vec<(String, Linted)> = Vec::with_capacity(labs.len());
        for linted in labs {
            let own = match &linted.parsed.lab {
                Some(lab) => lab.id.clone(),
                None => file_name(linted.file.source.path()),
            };
            let is_taken = |id: &str| named.iter().any(|(known, _)| known == id);
            let numbered = (2..).map(|number: usize| format!("{own}-{number}"));
            let id = std::iter::once(own.clone()).chain(numbered).find(|id| !is_taken(id)).unwrap_or(own);
            named.push((id, linted));
        }
        Ok(named)
    }
}

/// A folder's name for its `README.md`.
fn file_name(path: &Path) -> String {
    let is_readme = path.file_name().is_some_and(|name| name == "README.md");
    let named = if is_readme { path.parent().and_then(Path::file_name) } else { path.file_stem() };
    named.map_or_else(|| "lab".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[async_trait::async_trait]
impl Library for Course {
    fn title(&self) -> String {
        self.title.clone().unwrap_or_else(|| match self.paths.as_slice() {
            [path] => std::fs::canonicalize(path).map_or_else(|_| file_name(path), |path| file_name(&path)),
            _ => "Labs".to_owned(),
        })
    }

    fn labs(&self) -> Vec<Entry> {
        let Ok(labs) = self.read() else { return Vec::new() };
        let (begun, live) = (lessons(&state_folder()), running(&state_folder()));
        labs.iter().map(|(id, linted)| entry(id, linted, &labs, &begun, &live)).collect()
    }

    async fn start(&self, wanted: Wanted, stages: Stages) -> Result<Started, Refusal> {
        let course = self.clone();
        let id = wanted.lab.clone();
        let read = tokio::task::spawn_blocking(move || course.find(&id)).await;
        let lab = Arc::new(read.map_err(|error| Refusal::new(error.to_string(), "try again"))??);
        stages("looking for a cluster");
        self.begin(wanted, lab, stages).await
    }
}

impl Course {
    fn find(&self, id: &str) -> Result<Lab, Refusal> {
        let labs = self.read().map_err(|error| refusal(&error))?;
        let ids: Vec<String> = labs.iter().map(|(id, _)| id.clone()).collect();
        let Some((_, linted)) = labs.into_iter().find(|(known, _)| known == id) else {
            let hint = did_you_mean(id, ids.iter().map(String::as_str));
            return Err(Refusal { reason: format!("there is no lab {id} here"), hint });
        };
        linted
            .parsed
            .lab
            .ok_or_else(|| Refusal::new(format!("{id} has errors"), "`keywitness lint` shows where they are"))
    }

    async fn begin(&self, wanted: Wanted, lab: Arc<Lab>, stages: Stages) -> Result<Started, Refusal> {
        let given: Vec<(String, String)> = wanted.vars.into_iter().collect();
        let begins = session::Wanted {
            lab: Arc::clone(&lab),
            cluster: &self.cluster,
            seed: None,
            vars: &given,
            asks: false,
            fresh: wanted.fresh,
            learner: self.learner.clone(),
        };
        let request = session::request(begins, || Ok(wanted.interrupt)).await.map_err(|error| refusal(&error))?;
        let guard = request.guard.clone();
        match start(request, &Passed(stages)).await {
            Ok(session) => Ok(Started { lab, session, guard }),
            Err(error) => {
                guard.end().await;
                Err(match error {
                    StartError::Running { .. } => Refusal::new(
                        error.to_string(),
                        format!(
                            "it goes on in a terminal: leave it there (`lab quit`), or join it: keywitness shell {}",
                            lab.id
                        ),
                    ),
                    error => refusal(&session::not_started(error, &lab)),
                })
            }
        }
    }
}

fn refusal(error: &CliError) -> Refusal {
    let detail = error.detail().join("; ");
    let hint = error.hint().map(str::to_owned).or((!detail.is_empty()).then_some(detail));
    Refusal { reason: error.to_string(), hint }
}

struct Passed(Stages);

impl StageSink for Passed {
    fn passed(&self, stage: &str, _: Option<&str>, _: Duration) {
        (self.0)(stage);
    }

    fn note(&self, text: &str) {
        (self.0)(text);
    }
}

fn entry(
    id: &str,
    linted: &Linted,
    all: &[(String, Linted)],
    begun: &[Progress],
    live: &[crate::session::Found],
) -> Entry {
    let path = linted.file.source.name().to_owned();
    let errors: Vec<String> = linted
        .parsed
        .findings
        .iter()
        .filter(|finding| finding.severity == crate::text::Severity::Error)
        .map(|finding| finding.message.clone())
        .collect();
    let Some(lab) = &linted.parsed.lab else {
        return Entry {
            id: id.to_owned(),
            title: id.to_owned(),
            summary: None,
            path,
            level: None,
            minutes: None,
            clusters: Vec::new(),
            needs: Vec::new(),
            state: "new".to_owned(),
            step: 0,
            of: 0,
            points: 0,
            max_points: 0,
            running: false,
            asks: Vec::new(),
            errors,
        };
    };
    let progress = here::of(begun, lab.source.path());
    let is_finished = |progress: &Progress| progress.finished.is_some();
    let needs = lab.needs.iter().map(|need| {
        let known = all.iter().filter_map(|(_, linted)| linted.parsed.lab.as_ref()).find(|lab| lab.id == need.value);
        Need {
            id: need.value.clone(),
            title: known.map_or_else(|| need.value.clone(), |lab| lab.title.clone()),
            met: known.and_then(|lab| here::of(begun, lab.source.path())).is_some_and(is_finished),
        }
    });
    let asks = lab.vars.iter().filter_map(|var| {
        let default = match &var.default {
            VarDefault::Text(text) if !var.secret => text.clone(),
            _ => String::new(),
        };
        let question = var.ask.clone()?;
        Some(Question { name: var.name.value.clone(), question, default })
    });
    Entry {
        id: id.to_owned(),
        title: lab.title.clone(),
        summary: lab.summary.clone(),
        path,
        level: lab.level.map(|level| level.name().to_owned()),
        minutes: lab.minutes,
        clusters: lab.clusters.iter().map(|kind| kind.value.name().to_owned()).collect(),
        needs: needs.collect(),
        state: match progress {
            None => "new",
            Some(progress) if is_finished(progress) => "finished",
            Some(_) => "started",
        }
        .to_owned(),
        step: progress.map_or(0, |progress| progress.open + 1),
        of: lab.steps.len(),
        points: progress.map_or(0, |progress| progress.points),
        max_points: progress.map_or(0, |progress| progress.max_points),
        running: live.iter().any(|found| same(&found.file, lab.source.path())),
        asks: asks.collect(),
        errors,
    }
}

fn same(file: &str, path: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(Path::new(file)).is_some_and(|file| real(path) == Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_names_are_taken_as_browsers_have_them() {
        assert_eq!(base_path("/user/ann").as_deref(), Ok("/user/ann/"));
        assert_eq!(base_path("/").as_deref(), Ok("/"));
        for wrong in ["user", "/a/../b", "/a b", "/a?b", "https://x/"] {
            assert!(base_path(wrong).is_err(), "{wrong}");
        }
        assert_eq!(origin("https://Hub.example.org/").as_deref(), Ok("https://hub.example.org"));
        for wrong in ["hub.example.org", "ftp://x", "https://x/y", "https://a@b", "*", "https://*.x"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
        assert!(host("10.0.0.5:8000").is_ok() && host("*").is_err() && host("a/b").is_err());
    }
}
