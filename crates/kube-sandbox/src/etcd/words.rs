//! What etcd's log says of its end, in lines that a reader can use.

use std::path::Path;

use serde_json::Value;

const MOST: usize = 5;

/// Less than this, and etcd can write neither its data nor why it ends.
const FULL: u128 = 1 << 20;

/// Why an etcd with this log ended, where its log says so, or the disk has no room for it to say so.
pub fn why_it_ended(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let complaint = text.lines().filter_map(|line| complaint(line, &["panic", "fatal"])).next_back();
    complaint.or_else(|| {
        let is_full = owned_processes::room(log).is_some_and(|room| room < FULL);
        is_full.then(|| format!("no space left on device: the disk of {} is full", log.display()))
    })
}

/// The complaints of etcd's log, else its last lines; never the stack trace that etcd prints after them.
pub(super) fn last_words(log: &str) -> Vec<String> {
    let complaints: Vec<String> =
        log.lines().filter_map(|line| complaint(line, &["error", "panic", "fatal"])).collect();
    let words = if complaints.is_empty() { log.lines().map(str::to_owned).collect() } else { complaints };
    words[words.len().saturating_sub(MOST)..].to_vec()
}

fn complaint(line: &str, levels: &[&str]) -> Option<String> {
    let entry: Value = serde_json::from_str(line).ok()?;
    if !levels.contains(&entry["level"].as_str()?) {
        return None;
    }
    let message = entry["msg"].as_str()?;
    Some(match entry["error"].as_str() {
        Some(error) => format!("{message}: {error}"),
        None => message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_line_without_its_stack() {
        let log = concat!(
            r#"{"level":"info","msg":"starting"}"#,
            "\n",
            r#"{"level":"panic","msg":"failed to create WAL","error":"no space left on device","stacktrace":"a\n\tb"}"#,
            "\npanic: failed to create WAL\n\ngoroutine 1 [running]:\nmain.main()\n\tmain.go:31 +0x28\n",
        );
        assert_eq!(last_words(log), ["failed to create WAL: no space left on device"]);
    }

    #[test]
    fn a_log_without_a_complaint_shows_its_end() {
        assert_eq!(last_words("1\n2\n3\n4\n5\n6\n"), ["2", "3", "4", "5", "6"]);
        assert!(last_words("").is_empty());
    }
}
