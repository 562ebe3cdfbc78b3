//! Programs that stand in well-known lessons: what takes memory, what serves, what reckons.

use super::What;
use super::applets::{SECOND, bytes, milliseconds};
use super::run::{Shell, Stop, Streams, Went};

impl Shell<'_> {
    pub(super) fn copy_blocks(&mut self, words: &[&str]) -> Option<Went> {
        let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let block = bytes(value("bs").unwrap_or("512"))?;
        let to = value("of");
        if value("if").is_some_and(|from| from.starts_with("/dev/"))
            && value("count").is_none()
            && to != Some("/dev/null")
        {
            return Some(self.takes(i64::MAX));
        }
        let count: i64 = value("count").unwrap_or("0").parse().ok()?;
        if let Some(path) = to {
            let path = self.path(path);
            self.files.set(self.time, &path, What::There);
            if path.starts_with("/dev/shm/") {
                return Some(self.takes(block.saturating_mul(count)));
            }
        } else if value("count").is_none() {
            return Some(Err(Stop::Never));
        }
        // One block of all of it is held in memory.
        Some(match self.takes(block) {
            Err(Stop::OutOfMemory) => Err(Stop::OutOfMemory),
            _ => Ok(0),
        })
    }

    /// The server that Kubernetes' own lessons and tests use, by its arguments.
    pub(super) fn agnhost(&mut self, name: &str, words: &[&str], streams: &Streams) -> Option<Went> {
        if name == "server" && self.world.programs.has("/server") != Some(true) {
            return None;
        }
        match words.first() {
            Some(&"entrypoint-tester") => {
                self.print(&streams.out, &format!("{words:?}\n"));
                Some(Ok(0))
            }
            first => {
                if matches!(first, None | Some(&"pause")) {
                    self.print(&streams.out, "Paused\n");
                }
                let program = [format!("/{name}")];
                self.serves = Some(program.into_iter().chain(words.iter().map(ToString::to_string)).collect());
                Some(Err(Stop::Never))
            }
        }
    }

    /// So much memory at once.
    pub(super) fn takes(&mut self, bytes: i64) -> Went {
        // A node's whole memory bounds what has no limit of its own.
        let most = self.world.memory.unwrap_or(8 << 30);
        if bytes > most {
            self.time += SECOND / 2;
            return Err(Stop::OutOfMemory);
        }
        Ok(0)
    }

    pub(super) fn stress(&mut self, words: &[&str]) -> Option<Went> {
        let value = |names: &[&str]| {
            let at = words.iter().position(|word| names.contains(&word.split('=').next().unwrap_or(word)))?;
            words[at].split_once('=').map(|(_, value)| value).or_else(|| words.get(at + 1).copied())
        };
        let workers: i64 = value(&["--vm", "-m"]).unwrap_or("0").parse().ok()?;
        let each = match value(&["--vm-bytes"]) {
            Some(size) => bytes(size)?,
            None if workers > 0 => 256 << 20,
            None => 0,
        };
        if let Err(stop) = self.takes(each.saturating_mul(workers)) {
            return Some(Err(stop));
        }
        match value(&["--timeout", "-t"]).filter(|time| *time != "0") {
            Some(time) => {
                self.time = self.time.saturating_add(milliseconds(time)?);
                Some(Ok(0))
            }
            None => Some(Err(Stop::Never)),
        }
    }

    /// The one line of perl that Kubernetes' own Job shows.
    pub(super) fn perl(&mut self, words: &[&str], streams: &Streams) -> Option<Went> {
        if let ["-Mbignum=bpi", "-wle", script] = words
            && let Some(digits) = script.trim().strip_prefix("print bpi(").and_then(|rest| rest.strip_suffix(')'))
        {
            let digits: usize = digits.parse().ok().filter(|digits| (2..=5000).contains(digits))?;
            self.time += SECOND * 3;
            return Some(self.says(streams, &pi(digits)));
        }
        let script = words.iter().position(|word| *word == "-e").and_then(|at| words.get(at + 1))?;
        let code = script.trim().trim_end_matches(';').strip_prefix("exit")?.trim();
        let code = code.trim_start_matches('(').trim_end_matches(')').trim();
        Some(Ok(if code.is_empty() { 0 } else { code.parse().ok()? }))
    }
}

/// So many digits, as Rabinowitz and Wagon let them drip.
fn pi(digits: usize) -> String {
    let length = digits * 10 / 3 + 2;
    let mut rest = vec![2_u64; length];
    let (mut out, mut nines, mut held) = (String::new(), 0_usize, 0_u64);
    for round in 0..digits + 5 {
        let mut carry = 0;
        for at in (0..length).rev() {
            let number = rest[at] * 10 + carry * (at as u64 + 1);
            let under = if at == 0 { 10 } else { 2 * at as u64 + 1 };
            rest[at] = number % under;
            carry = number / under;
        }
        match carry {
            9 => nines += 1,
            10 => {
                out.push_str(&(held + 1).to_string());
                out.push_str(&"0".repeat(nines));
                (held, nines) = (0, 0);
            }
            digit => {
                if round > 0 {
                    out.push_str(&held.to_string());
                }
                out.push_str(&"9".repeat(nines));
                (held, nines) = (digit, 0);
            }
        }
    }
    let mut found: String = out.chars().take(digits).collect();
    found.insert(1, '.');
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pi_is_right_to_the_last_digit_asked_for() {
        assert_eq!(pi(11), "3.1415926535");
        assert!(pi(1001).ends_with("2164201989"));
    }
}
