use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::journal::Look;
use crate::lab::ClusterKind;
use crate::lab::keywords::{CLUSTERS, word};

/// Runs and grades hands-on Kubernetes and etcd labs by what etcd itself witnessed.
#[derive(Debug, Parser)]
#[command(name = "keywitness", version, max_term_width = 100)]
#[command(after_help = "Exit status: 0 all passed · 1 a check failed · 2 the lab or the call is wrong, or a \
    proof failed · 3 cannot judge (the cluster, etcd or a tool failed) · 130 interrupted")]
pub(super) struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,
    #[command(flatten)]
    pub(super) log: super::log::LogArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run labs: actions but no solutions; evaluate every check
    Run(RunCommand),
    /// Test labs: run solutions too; each check must fail before its step and pass after it
    Test(TestArgs),
    Grade(super::grade::GradeArgs),
    Verify(super::verify::VerifyArgs),
    /// Do a lab in your own shell; its checks are judged as etcd sees the changes
    Learn(super::learn::LearnArgs),
    Serve(super::serve::ServeArgs),
    /// Open one more terminal of a lab that is being learned
    Shell(super::learn::ShellArgs),
    /// Merge the reports of the parts of a course
    Merge(super::merge::MergeArgs),
    Record(super::record::RecordArgs),
    /// Judge a saved run again, by the checks that the lab has now
    Replay(super::replay::ReplayArgs),
    /// Look at a lab each time it is saved: findings and verdicts at once, a run where its commands have changed
    Watch(super::watch::WatchArgs),
    /// Take texts out of saved runs that must not be in them
    Scrub(super::scrub::ScrubArgs),
    /// Create a small lab that passes its own test, with comments that explain the format
    New(super::new::NewArgs),
    /// Find mistakes in labs without running anything
    Lint(super::lint::LintArgs),
    /// Write a lab without its solutions, or as a hand-out; Markdown or one HTML page
    Export(super::export::ExportArgs),
    /// Serve an editor: findings as you write, completion, what a word means (see docs/editors.md)
    Lsp(super::lsp::LspArgs),
    /// List labs
    List(super::list::ListArgs),
    Decode(super::decode::DecodeArgs),
    Events(super::events::EventsArgs),
    Get(super::get::GetArgs),
    /// Check what this machine has: tools, container engine, limits, space
    Doctor(super::doctor::DoctorArgs),
    /// Print completions for a shell: `keywitness completions bash > /etc/bash_completion.d/keywitness`
    Completions(super::packaged::CompletionsArgs),
    /// Write manual pages
    #[command(hide = true)]
    Man(super::packaged::ManArgs),
    /// Create, list, inspect or remove a cluster that outlives a run: a sandbox or a kind cluster
    Cluster(super::cluster::ClusterArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Human,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) labs: LabArgs,
    #[command(flatten)]
    pub(super) cluster: ClusterFlags,
    #[command(flatten)]
    pub(super) report: ReportArgs,
    #[command(flatten)]
    pub(super) settings: SettingArgs,
    #[command(flatten)]
    pub(super) saving: super::saving::SaveArgs,
    /// Wait for no check longer than this, while the lab is being written
    #[arg(long, value_name = "D", help_heading = "Run", value_parser = crate::parse::duration_flag)]
    pub(super) max_wait: Option<Duration>,
    /// After a step that failed, run the others that do not build on it
    #[arg(long, help_heading = "Run")]
    pub(super) keep_going: bool,
}

#[derive(Debug, Args)]
pub(super) struct RunCommand {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Run solutions too
    #[arg(long)]
    pub(super) solve: bool,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Run N labs at once, each on its own cluster
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) jobs: u16,
    /// Run each lab N times, each with a seed of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) repeat: u16,
    /// Run a lab that has not passed up to N times more
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) retries: u16,
    /// Let labs pass that passed sometimes and sometimes not; else they fail
    #[arg(long)]
    pub(super) allow_flaky: bool,
    /// Begin no further lab once one has not passed
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Stop a lab that takes longer; it fails
    #[arg(long, value_name = "D", value_parser = crate::parse::duration_flag, conflicts_with = "keep")]
    pub(super) timeout: Option<Duration>,
    /// Test that the checks check something: each lab without one command, for each command, must fail. Commands that
    /// no check looks at are reported, unless `survivors.txt` in the folder of labs gives a reason
    #[arg(long, conflicts_with_all = ["repeat", "retries", "fail_fast", "keep"])]
    pub(super) mutate: bool,
    #[command(flatten)]
    pub(super) choice: ChoiceArgs,
}

/// Which of the labs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choice of labs")]
pub(super) struct ChoiceArgs {
    /// Only labs of which this CEL expression is true: `level == "beginner" && "kind" in clusters`, of `id`, `file`,
    /// `title`, `level`, `minutes`, `needs`, `clusters`, `requires`, `steps` and `checks`
    #[arg(long, value_name = "EXPR")]
    pub(super) filter: Option<String>,
    /// Only labs of which a file has changed since this git revision, changes that are not committed included
    #[arg(long, value_name = "REV")]
    pub(super) changed_since: Option<String>,
    /// Only the I-th of N parts of the labs: `--shard 1/4`; each lab is in one of them
    #[arg(long, value_name = "I/N", value_parser = super::shard::spec)]
    pub(super) shard: Option<super::shard::Spec>,
    /// How long the labs took, as `--write-durations` writes it: the parts then take equally long [default:
    /// `durations.json` in the folder of labs, if it is there; else labs are dealt by their ids]
    #[arg(long, value_name = "FILE", requires = "shard")]
    pub(super) durations: Option<PathBuf>,
}

/// Which labs.
#[derive(Debug, Args)]
pub(super) struct LabArgs {
    /// Lab files, folders with a README.md, or folders of labs; `LAB#STEP` is one step with what it needs [default: labs/]
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
}

/// What of a decoded value is shown.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct DecodedFlags {
    /// Show the text of Secrets instead of its size
    #[arg(long)]
    pub(super) show_secrets: bool,
    /// Hide the managed fields
    #[arg(long)]
    hide_managed_fields: bool,
}

impl From<DecodedFlags> for Look {
    fn from(flags: DecodedFlags) -> Self {
        Self { show_secrets: flags.show_secrets, hide_managed_fields: flags.hide_managed_fields }
    }
}

/// Which cluster is looked at, and how it is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct LookFlags {
    /// Kind of cluster [default: by the other flags; in a lab's shell, the lab's; else the only kept sandbox]
    #[arg(long, value_name = "KIND", value_parser = cluster_kind(OF_KUBERNETES))]
    on: Option<ClusterKind>,
    /// The kept sandbox or the kind cluster of this name
    #[arg(long = "cluster", value_name = "NAME")]
    cluster_name: Option<String>,
    /// The kubeconfig context to attach to
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig file with the context; read only
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The container engine [default: the one that answers]
    #[arg(long, value_name = "NAME", value_parser = ["docker", "podman"])]
    engine: Option<String>,
    /// etcd's address, if it cannot be detected
    #[arg(long, value_name = "URL")]
    etcd_endpoint: Vec<String>,
    /// The CA that signed etcd's certificate
    #[arg(long, value_name = "FILE")]
    etcd_cacert: Option<PathBuf>,
    /// The client certificate for etcd
    #[arg(long, value_name = "FILE", requires = "etcd_key")]
    etcd_cert: Option<PathBuf>,
    /// The client certificate's key
    #[arg(long, value_name = "FILE", requires = "etcd_cert")]
    etcd_key: Option<PathBuf>,
}

impl LookFlags {
    /// As those of a run.
    pub(super) fn flags(&self) -> ClusterFlags {
        ClusterFlags {
            on: self.on,
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            cluster_name: self.cluster_name.clone(),
            engine: self.engine.clone(),
            etcd_endpoint: self.etcd_endpoint.clone(),
            etcd_cacert: self.etcd_cacert.clone(),
            etcd_cert: self.etcd_cert.clone(),
            etcd_key: self.etcd_key.clone(),
            ..ClusterFlags::default()
        }
    }
}

/// Which cluster, and how it is reached.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterFlags {
    /// Kind of cluster [default: the first of the lab's clusters that this machine can create]
    #[arg(long, value_name = "KIND", value_parser = cluster_kind(&ClusterKind::ALL))]
    pub(super) on: Option<ClusterKind>,
    /// The kubeconfig context to attach to
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
    /// The kubeconfig file with the context; read only
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Use the running cluster of this name, a kept sandbox or a kind cluster, and keep it
    #[arg(long = "cluster", value_name = "NAME")]
    pub(super) cluster_name: Option<String>,
    /// A kind configuration file to start from
    #[arg(long, value_name = "FILE")]
    pub(super) kind_config: Option<PathBuf>,
    /// The container engine [default: the one that answers]
    #[arg(long, value_name = "NAME", value_parser = ["docker", "podman"])]
    pub(super) engine: Option<String>,
    /// A kube-apiserver to run in place of the sandbox's own API [default: that of KUBEBUILDER_ASSETS, if it has one]
    #[arg(long, value_name = "PATH")]
    pub(super) apiserver: Option<PathBuf>,
    /// etcd's address, if it cannot be detected
    #[arg(long, value_name = "URL")]
    pub(super) etcd_endpoint: Vec<String>,
    /// The CA that signed etcd's certificate
    #[arg(long, value_name = "FILE")]
    pub(super) etcd_cacert: Option<PathBuf>,
    /// The client certificate for etcd
    #[arg(long, value_name = "FILE", requires = "etcd_key")]
    pub(super) etcd_cert: Option<PathBuf>,
    /// The client certificate's key
    #[arg(long, value_name = "FILE", requires = "etcd_cert")]
    pub(super) etcd_key: Option<PathBuf>,
    /// Do not ask before using a cluster that keywitness did not create
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Keep the cluster as the steps left it: nothing is cleaned up
    #[arg(long)]
    pub(super) keep: bool,
}

/// What is printed, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct ReportArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) files: FileArgs,
    /// Write how long each lab took, for `test --shard`
    #[arg(long, value_name = "FILE")]
    pub(super) write_durations: Option<PathBuf>,
    /// Print every block and check, and where the time went; twice: what each block printed too
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

/// Reports beside the one on standard output.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Reports, written whatever the outcome")]
pub(super) struct FileArgs {
    /// Write the JSON report
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Write a TAP 14 report
    #[arg(long, value_name = "FILE")]
    pub(super) tap: Option<PathBuf>,
    /// Write findings and failures as SARIF 2.1.0
    #[arg(long, value_name = "FILE")]
    pub(super) sarif: Option<PathBuf>,
    /// Write findings and failures as `GitLab`'s code quality report
    #[arg(long, value_name = "FILE")]
    pub(super) gitlab: Option<PathBuf>,
    /// Write a summary in Markdown [default: what `GITHUB_STEP_SUMMARY` names]
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Write one page for a browser, with time lines
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

/// What random values are drawn from, and what the user sets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(super) struct SettingArgs {
    /// Seed for random values, to repeat a run
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Set a lab's variable
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub(super) vars: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

pub(super) fn cluster_kind(
    allowed: &'static [ClusterKind],
) -> impl clap::builder::TypedValueParser<Value = ClusterKind> {
    use clap::builder::TypedValueParser;
    let names = allowed.iter().map(|kind| kind.name());
    clap::builder::PossibleValuesParser::new(names)
        .try_map(|name| word(CLUSTERS, &name).ok_or("there is no such kind of cluster"))
}

/// Those that hold a Kubernetes.
pub(super) const OF_KUBERNETES: &[ClusterKind] = &[ClusterKind::Sandbox, ClusterKind::Kind, ClusterKind::Attach];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
