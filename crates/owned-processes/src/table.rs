//! The processes of this machine, as far as finding a run's own needs it.

/// One live process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) pid: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    pub(super) is_zombie: bool,
    /// Only compared with itself: ticks since boot.
    pub(super) started: String,
}

/// Reads `/proc/PID/stat`, whose second field may hold blanks and parentheses.
#[cfg(any(target_os = "linux", test))]
pub(super) fn parse_stat(pid: i32, stat: &str) -> Option<Row> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Row {
        pid,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
        started: (*fields.get(19)?).to_owned(),
    })
}

#[cfg(target_os = "linux")]
pub(super) fn processes() -> Vec<Row> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read(entry.path().join("stat")).ok()?;
            parse_stat(pid, &String::from_utf8_lossy(&stat))
        })
        .filter(|row| !row.is_zombie)
        .collect()
}

#[cfg(target_os = "linux")]
pub(super) fn carries(pid: i32, variable: &str) -> bool {
    // Whoever spawns hears of it before the kernel has laid the new program's environment out: until then it reads as
    // empty, as do the arguments, which no started program lacks.
    for _ in 0..20 {
        // Other users' environments cannot be read; their processes are known by session and group only.
        let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else {
            return false;
        };
        if !environ.is_empty() {
            return environ.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes());
        }
        let is_starting = std::fs::read_link(format!("/proc/{pid}/exe")).is_ok()
            && std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|cmdline| cmdline.is_empty());
        if !is_starting {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    false
}

#[cfg(not(target_os = "linux"))]
pub(super) fn processes() -> Vec<Row> {
    use nix::unistd::{Pid, getpgid, getsid};

    let Ok(output) = std::process::Command::new("ps").args(["-axo", "pid=,stat="]).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let (pid, state) = line.trim().split_once(' ')?;
            let pid: i32 = pid.parse().ok()?;
            let group = getpgid(Some(Pid::from_raw(pid))).ok()?.as_raw();
            let session = getsid(Some(Pid::from_raw(pid))).map_or(-1, Pid::as_raw);
            let is_zombie = state.trim().starts_with('Z');
            Some(Row { pid, group, session, is_zombie, started: String::new() })
        })
        .filter(|row| !row.is_zombie)
        .collect()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn carries(pid: i32, variable: &str) -> bool {
    std::process::Command::new("ps")
        .args(["-Eww", "-o", "command=", "-p", &pid.to_string()])
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == variable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_shifts_no_field() {
        let stat = "42 (a) b) (c) S 1 40 41 34816 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 10 0";
        let row = parse_stat(42, stat).expect("a row");
        assert_eq!((row.group, row.session, row.started.as_str(), row.is_zombie), (40, 41, "987654", false));
    }

    #[test]
    fn a_cut_line_is_no_process() {
        assert_eq!(parse_stat(42, "42 (sh) S 1 40"), None);
    }
}
