//! Whether a command that does not end waits for somebody to type.

/// The program of the process group that reads its terminal, where the system says.
#[cfg(target_os = "linux")]
pub(super) fn reads_terminal(group: i32) -> Option<String> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.find_map(|id| (group_of(id)? == group && is_reading(id)?).then(|| name_of(id)).flatten())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn reads_terminal(_group: i32) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn group_of(id: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name stands in parentheses and may hold any of them.
    stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()
}

/// It is within `read` of a terminal, or waits in `select` for standard input alone, as line editors do.
#[cfg(target_os = "linux")]
fn is_reading(id: i32) -> Option<bool> {
    let call = std::fs::read_to_string(format!("/proc/{id}/syscall")).ok()?;
    let mut words = call.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    let first = i64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    let descriptor = match number {
        nix::libc::SYS_read => first,
        nix::libc::SYS_pselect6 if first == 1 => 0,
        _ => return Some(false),
    };
    let target = std::fs::read_link(format!("/proc/{id}/fd/{descriptor}")).ok()?;
    Some(target.starts_with("/dev/pts") || target.starts_with("/dev/tty"))
}

#[cfg(target_os = "linux")]
fn name_of(id: i32) -> Option<String> {
    Some(std::fs::read_to_string(format!("/proc/{id}/comm")).ok()?.trim().to_owned())
}
