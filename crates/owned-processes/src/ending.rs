//! Ending all that a run owns.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::ledger::{Entry, Owned};
use super::table::{Row, carries, processes};
use super::{MARKER, folder};

/// How long a killed process may take to be gone.
const KILL_WAIT: Duration = Duration::from_secs(2);
/// How long an engine may take to make a container that nobody waits for any more.
const LATE: Duration = Duration::from_secs(1);

/// Ends processes, then containers, then folders, and returns what would not go.
pub(super) fn end(run_id: &str, dir: &Path, entries: &[Entry], grace: Duration) -> Vec<String> {
    let mut left = Vec::new();
    let stubborn = end_processes(|| owned(run_id, entries), grace);
    if !stubborn.is_empty() {
        left.push(format!("these processes cannot be killed: {stubborn:?}"));
    }
    for entry in entries {
        match &entry.what {
            Owned::Labelled { engine, label } => left.extend(remove_labelled_and_late(engine, label).err()),
            Owned::Volume { engine, name } => left.extend(engine_run(engine, &["volume", "rm", "-f", name]).err()),
            Owned::Folder(other) => left.extend(remove_folder(other).err()),
            Owned::Group(_) | Owned::Session(_) => {}
        }
    }
    left.extend(remove_folder(dir).err());
    left
}

fn remove_folder(dir: &Path) -> Result<(), String> {
    folder::remove(dir).map_err(|error| format!("cannot remove {}: {error}", dir.display()))
}

/// Ends one group or session; true when it is gone.
pub(super) fn end_one(what: Owned, grace: Duration) -> bool {
    let entries = [Entry { what, leader: None }];
    end_processes(|| listed(&entries, processes()), grace).is_empty()
}

/// SIGTERM, and SIGKILL after the grace; what is left after that is returned.
fn end_processes(find: impl Fn() -> Vec<Row>, grace: Duration) -> Vec<i32> {
    let mut asked_to_end: Vec<i32> = Vec::new();
    let asked = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        let rows = find();
        if rows.is_empty() {
            return Vec::new();
        }
        let killing = asked.elapsed() >= grace;
        if asked.elapsed() >= grace + KILL_WAIT {
            return rows.into_iter().map(|row| row.pid).collect();
        }
        if killing {
            kill_all(&rows);
        }
        for row in rows.iter().filter(|_| !killing) {
            if !asked_to_end.contains(&row.pid) {
                asked_to_end.push(row.pid);
                ask(row);
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Whole groups first: a process that forks faster than the table is read outruns a signal to each process, and cannot
/// outrun one to its group, since the kernel lets no member fork past it.
fn kill_all(rows: &[Row]) {
    let own: HashSet<i32> = rows.iter().map(|row| row.pid).collect();
    // A group or session that the run led; one that it was born into may have other members.
    let led = rows.iter().filter(|row| own.contains(&row.group) || own.contains(&row.session));
    for group in led.map(|row| row.group).collect::<HashSet<_>>() {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    for row in rows {
        signal(row.pid, Signal::SIGKILL);
    }
}

fn ask(row: &Row) {
    signal(row.pid, Signal::SIGTERM);
    if row.session == row.pid {
        // An interactive shell ignores SIGTERM, and leaves when its terminal does.
        signal(row.pid, Signal::SIGHUP);
    }
    signal(row.pid, Signal::SIGCONT);
}

fn signal(pid: i32, signal: Signal) {
    // It may have ended since the table was read.
    let _ = kill(Pid::from_raw(pid), signal);
}

/// The live processes of the run, this one aside.
pub(super) fn owned(run_id: &str, entries: &[Entry]) -> Vec<Row> {
    let us = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    let marker = format!("{MARKER}={run_id}");
    let rows = processes();
    let mut found = listed(entries, rows.clone());
    found.extend(rows.into_iter().filter(|row| carries(row.pid, &marker)));
    found.sort_by_key(|row| row.pid);
    found.dedup();
    found.retain(|row| row.pid != us);
    found
}

/// Those in a group or session of the ledger.
fn listed(entries: &[Entry], mut rows: Vec<Row>) -> Vec<Row> {
    let live: Vec<&Entry> =
        entries.iter().filter(|entry| !entry.leader.as_ref().is_some_and(super::stamp::Stamp::is_reused)).collect();
    rows.retain(|row| {
        live.iter().any(|entry| match entry.what {
            Owned::Group(group) => row.group == group,
            Owned::Session(session) => row.session == session,
            _ => false,
        })
    });
    rows
}

/// Twice: an engine goes on with what it was asked for by a process that was killed meanwhile.
fn remove_labelled_and_late(engine: &[String], label: &str) -> Result<(), String> {
    let first = remove_labelled(engine, label);
    std::thread::sleep(LATE);
    remove_labelled(engine, label).or(first)
}

/// Containers first: networks and volumes in use cannot be removed.
fn remove_labelled(engine: &[String], label: &str) -> Result<(), String> {
    let filter = format!("label={label}");
    for (list, remove) in [
        (&["ps", "-aq", "--filter"][..], &["rm", "-f", "-v"][..]),
        (&["network", "ls", "-q", "--filter"][..], &["network", "rm"][..]),
        (&["volume", "ls", "-q", "--filter"][..], &["volume", "rm", "-f"][..]),
    ] {
        let listed = engine_run(engine, &[list, &[filter.as_str()]].concat())?;
        let ids: Vec<&str> = listed.split_whitespace().collect();
        if !ids.is_empty() {
            engine_run(engine, &[remove, &ids].concat())?;
        }
    }
    Ok(())
}

fn engine_run(engine: &[String], args: &[&str]) -> Result<String, String> {
    let (program, leading) = engine.split_first().ok_or("a container without an engine")?;
    let mut command_line = engine.join(" ");
    for arg in args {
        write!(command_line, " {arg}").expect("a string takes text");
    }
    let output = Command::new(program)
        .args(leading)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `{command_line}`: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("`{command_line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}
