//! The programs that labs and clusters need.

use std::process::Stdio;
use std::time::Duration;

use regex::Regex;

use super::Finding;
use crate::cluster::Clusters;
use owned_processes::tool;

/// A program that says no version within this is shown without one.
const PATIENCE: Duration = Duration::from_secs(5);

struct Tool {
    name: &'static str,
    version: &'static [&'static str],
    prevents: &'static str,
    /// Labs run without it.
    optional: bool,
}

const TOOLS: [Tool; COUNT] = [
    Tool { name: "bash", version: &["--version"], prevents: "every lab: their blocks are bash", optional: false },
    Tool {
        name: "kubectl",
        version: &["version", "--client"],
        prevents: "--on sandbox and --on kind",
        optional: false,
    },
    Tool { name: "etcd", version: &["--version"], prevents: "--on sandbox and --on bare", optional: false },
    Tool {
        name: "etcdctl",
        version: &["version"],
        prevents: "--on bare, and blocks that use etcdctl",
        optional: false,
    },
    Tool { name: "etcdutl", version: &["version"], prevents: "blocks that restore a snapshot", optional: true },
    Tool { name: "kind", version: &["version"], prevents: "--on kind", optional: true },
];
pub(super) const COUNT: usize = 6;

pub(super) async fn look() -> Vec<Finding> {
    futures::future::join_all(TOOLS.iter().map(one)).await
}

async fn one(wanted: &Tool) -> Finding {
    let name = wanted.name;
    let variable = format!("KEYWITNESS_{}", name.to_uppercase());
    let Some(path) = tool(name) else {
        let (detail, fix) = match std::env::var(&variable).ok().filter(|named| !named.is_empty()) {
            Some(named) => (
                format!("{variable} names {named}, where there is no program"),
                format!("unset {variable}, or correct it"),
            ),
            None if name == "bash" => {
                ("not installed".to_owned(), "install bash with your system's package manager".to_owned())
            }
            None => ("not installed".to_owned(), format!("scripts/setup (or set {variable} to its path)")),
        };
        let state = if wanted.optional { Finding::warning } else { Finding::missing };
        return state(name, detail, wanted.prevents, &fix);
    };
    match version(&path, wanted.version).await {
        Ok(version) => Finding::good(name, format!("{version:<10} {}", path.display())),
        Err(why) => Finding::missing(
            name,
            format!("{} does not run: {why}", path.display()),
            wanted.prevents,
            &format!("reinstall it (scripts/setup), or set {variable} to another one"),
        ),
    }
}

/// The first thing in its answer that looks like a version.
async fn version(program: &std::path::Path, args: &[&str]) -> Result<String, String> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("it has not answered for {} s", PATIENCE.as_secs())),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(text.lines().next().unwrap_or("no word why").to_owned());
    }
    Ok(found(&text).unwrap_or_else(|| "?".to_owned()))
}

fn found(text: &str) -> Option<String> {
    let version = Regex::new(r"\bv?(\d+\.\d+(\.\d+)?)").ok()?;
    Some(version.captures(text)?.get(1)?.as_str().to_owned())
}

/// The container engine.
pub(super) async fn engine() -> Finding {
    let prevents = "--on kind";
    match tokio::time::timeout(PATIENCE, Clusters::look(None)).await {
        Ok(Ok(clusters)) => Finding::good("engine", clusters.engine()),
        Ok(Err(error)) => {
            let fix = error.hint.clone().unwrap_or_else(|| "install and start Docker or Podman".to_owned());
            Finding::missing("engine", error.message, prevents, &fix)
        }
        Err(_) => {
            let detail = format!("no engine has answered for {} s", PATIENCE.as_secs());
            Finding::missing("engine", detail, prevents, "does `docker version` or `podman version` answer?")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::found;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (said, version) in [
            ("GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)", "5.2.15"),
            ("Client Version: v1.36.2\nKustomize Version: v5.7.1", "1.36.2"),
            ("etcd Version: 3.6.8\nGit SHA: 1234567", "3.6.8"),
            ("kind v0.33.0 go1.25.1 linux/amd64", "0.33.0"),
        ] {
            assert_eq!(found(said).as_deref(), Some(version), "{said}");
        }
        assert_eq!(found("no version"), None);
    }
}
