//! What a package has beside the binary: completions, manual pages, and where a binary comes from.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::args::Cli;
use super::error::CliError;
use crate::outcome::Exit;

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell that reads them
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder for the pages; it is made
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

const TOOLS: &[&str] = &["etcd", "etcdctl", "etcdutl", "kubectl", "kind", "docker", "podman", "bash", "git"];

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, CliError> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "keywitness", &mut out);
    let written = std::io::stdout().lock().write_all(&out);
    written.map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
    Ok(Exit::Passed)
}

/// A page for the program and one for each command.
pub(super) fn man(args: &ManArgs) -> Result<Exit, CliError> {
    let unwritten = |path: &Path| {
        let what = path.display().to_string();
        move |source| CliError::Output { what, source }
    };
    std::fs::create_dir_all(&args.folder).map_err(unwritten(&args.folder))?;
    clap_mangen::generate_to(Cli::command(), &args.folder).map_err(unwritten(&args.folder))?;
    Ok(Exit::Passed)
}

/// `--version --verbose`, in any order and shortened: what clap has no form for.
pub(super) fn asks_for_origin(args: &[OsString]) -> bool {
    let words: Vec<&str> = args.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let is_version = |word: &&str| matches!(*word, "--version" | "-V");
    let is_verbose = |word: &&str| matches!(*word, "--verbose" | "-v");
    words.len() == 2 && words.iter().any(is_version) && words.iter().any(is_verbose)
}

/// Which binary this is, and which tools it would start.
pub(super) fn origin() -> ExitCode {
    let mut out = format!("keywitness {}\n", env!("CARGO_PKG_VERSION"));
    let commit = option_env!("KEYWITNESS_COMMIT").unwrap_or("not known: built without KEYWITNESS_COMMIT");
    out.push_str(&format!("commit    {commit}\n"));
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    out.push_str(&format!("build     {build}, {} {}", std::env::consts::OS, std::env::consts::ARCH));
    out.push_str(if cfg!(target_env = "musl") { ", static (musl)\n" } else { "\n" });
    for name in TOOLS {
        let found =
            owned_processes::tool(name).map_or_else(|| "not found".to_owned(), |path| path.display().to_string());
        out.push_str(&format!("{name:<9} {found}\n"));
    }
    match std::io::stdout().lock().write_all(out.as_bytes()) {
        Ok(()) => ExitCode::from(Exit::Passed.code()),
        Err(_) => ExitCode::from(Exit::CannotJudge.code()),
    }
}
