//! The plain tools of busybox and of coreutils, in the forms that lessons use. `None` says that this tool, or this
//! form of it, is not one of them.

use super::Found;
use super::run::{FOR_EVER, Shell, Stop, Streams, Went};
use super::text::LONGEST;
use super::text::{formatted, unescaped};

pub(super) const SECOND: i64 = 1000;

impl Shell<'_> {
    pub(super) fn applet(&mut self, name: &str, arguments: &[String], streams: &Streams) -> Option<Went> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let went = match name {
            "true" | "sync" | "stty" | "clear" | "reset" | "chmod" | "chown" | "chgrp" | "nice" | "renice" => Ok(0),
            "false" => Ok(1),
            "echo" => self.echo(&words, streams),
            "printf" => {
                let (form, rest) = arguments.split_first()?;
                self.print(&streams.out, &formatted(form, rest));
                Ok(0)
            }
            "sleep" | "usleep" => self.sleep(name, &words, streams),
            "date" => return self.date(&words, streams),
            "hostname" if words.is_empty() || words == ["-s"] => self.says(streams, &self.world.host.clone()),
            "pwd" => self.says(streams, &self.folder.clone()),
            "whoami" | "id" => return self.who(name, &words, streams),
            "uname" => return self.uname(&words, streams),
            "nproc" => self.says(streams, "4"),
            "arch" => self.says(streams, "x86_64"),
            "tty" => Ok(1),
            "basename" => {
                let base = words.first()?.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                let base = words.get(1).and_then(|end| base.strip_suffix(end)).unwrap_or(base).to_owned();
                self.says(streams, &base)
            }
            "dirname" => {
                let path = words.first()?.trim_end_matches('/');
                let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
                self.says(streams, if folder.is_empty() { "/" } else { folder })
            }
            "env" | "printenv" => return self.env(name, arguments, streams),
            "test" | "[" | "[[" => self.test_command(name, &words, streams),
            "expr" => return self.expr(&words, streams),
            "seq" => return self.seq(&words, streams),
            "cat" | "tac" | "more" | "less" => self.cat(name, &words, streams),
            "ls" | "dir" => return self.ls(&words, streams),
            "stat" | "readlink" | "realpath" | "file" => return self.is_there(name, &words, streams),
            "touch" | "mkdir" | "rm" | "rmdir" | "cp" | "mv" | "ln" | "tee" | "mktemp" => {
                return self.change(name, &words, streams);
            }
            "which" => {
                let name = arguments.first()?.clone();
                self.which(&name, streams)
            }
            // Of the processes of a container only the first is followed, and that hears no signal of its own.
            "kill" => Ok(0),
            "yes" if matches!(streams.out, super::run::Sink::Log { .. }) => Err(Stop::Never),
            "timeout" => return self.timeout(arguments, streams),
            "time" | "nohup" | "setsid" | "stdbuf" | "busybox" | "tini" | "dumb-init" | "docker-entrypoint.sh" => {
                let skip = words.iter().take_while(|word| word.starts_with('-')).count();
                if arguments.len() <= skip {
                    return Some(Ok(0));
                }
                self.program(&arguments[skip..], streams)
            }
            "watch" | "top" | "httpd" | "crond" | "sshd" => Err(Stop::Never),
            "agnhost" | "server" => return self.agnhost(name, &words, streams),
            "dd" => return self.copy_blocks(&words),
            "stress" | "stress-ng" => return self.stress(&words),
            "perl" => return self.perl(&words, streams),
            "nslookup" | "wget" | "curl" | "nc" | "ping" | "host" | "dig" | "getent" => {
                self.network(name, &words, streams)
            }
            "head" | "tail" | "wc" | "grep" | "egrep" | "fgrep" | "sort" | "uniq" | "rev" | "tr" | "cut" | "sed"
            | "awk" | "base64" | "shuf" | "xargs" | "md5sum" | "nl" => return self.filter(name, arguments, streams),
            _ => return None,
        };
        Some(went)
    }

    pub(super) fn says(&mut self, streams: &Streams, text: &str) -> Went {
        self.print(&streams.out, &format!("{text}\n"));
        Ok(0)
    }

    pub(super) fn complains(&mut self, streams: &Streams, code: i32, text: &str) -> Went {
        self.print(&streams.err, &format!("{text}\n"));
        Ok(code)
    }

    fn echo(&mut self, words: &[&str], streams: &Streams) -> Went {
        let mut words = words;
        let (mut line, mut escapes) = (true, false);
        while let Some((flags, rest)) = words.split_first() {
            let Some(letters) =
                flags.strip_prefix('-').filter(|f| !f.is_empty() && f.chars().all(|c| "neE".contains(c)))
            else {
                break;
            };
            line &= !letters.contains('n');
            escapes |= letters.contains('e');
            words = rest;
        }
        let text = words.join(" ");
        let text = if escapes { unescaped(&text) } else { text };
        self.print(&streams.out, &(text + if line { "\n" } else { "" }));
        Ok(0)
    }

    fn sleep(&mut self, name: &str, words: &[&str], streams: &Streams) -> Went {
        if words.is_empty() {
            return self.complains(streams, 1, &format!("{name}: missing operand"));
        }
        let mut total = 0_i64;
        for word in words {
            match milliseconds(word) {
                Some(FOR_EVER) => return Err(Stop::Never),
                Some(time) => total = total.saturating_add(if name == "usleep" { time / 1_000_000 } else { time }),
                None => {
                    let why = if self.world.programs.busybox {
                        format!("{name}: invalid number '{word}'")
                    } else {
                        format!("{name}: invalid time interval '{word}'")
                    };
                    return self.complains(streams, 1, &why);
                }
            }
        }
        self.time = self.time.saturating_add(total).min(FOR_EVER);
        if self.time == FOR_EVER { Err(Stop::Never) } else { Ok(0) }
    }

    fn date(&mut self, words: &[&str], streams: &Streams) -> Option<Went> {
        let words: Vec<&&str> = words.iter().filter(|word| **word != "-u" && **word != "--utc").collect();
        let form = match words.as_slice() {
            [] => "%a %b %e %H:%M:%S UTC %Y",
            [form] if **form == "-Iseconds" || **form == "--iso-8601=seconds" => "%Y-%m-%dT%H:%M:%S+00:00",
            [form] => form.strip_prefix('+')?,
            _ => return None,
        };
        let now = jiff::Timestamp::from_millisecond(self.time).ok()?;
        let zoned = now.to_zoned(jiff::tz::TimeZone::UTC);
        let form = form.replace("%N", "000000000").replace("%Z", "UTC");
        let text = jiff::fmt::strtime::format(&form, &zoned).ok()?;
        Some(self.says(streams, &text))
    }

    fn who(&mut self, name: &str, words: &[&str], streams: &Streams) -> Option<Went> {
        let (user, group) = (self.world.user, self.world.group);
        let named = |id: i64| if id == 0 { "0(root)".to_owned() } else { id.to_string() };
        let mut groups: Vec<i64> = self.world.groups.iter().copied().chain([group]).collect();
        groups.sort_unstable();
        groups.dedup();
        let list = |form: &dyn Fn(i64) -> String, between: &str| {
            groups.iter().map(|id| form(*id)).collect::<Vec<_>>().join(between)
        };
        let text = match (name, words) {
            ("whoami", _) if user == 0 => "root".to_owned(),
            ("whoami", _) => return Some(self.complains(streams, 1, &format!("whoami: unknown uid {user}"))),
            (_, ["-u"]) => user.to_string(),
            (_, ["-g"]) => group.to_string(),
            (_, ["-G"]) => list(&|id| id.to_string(), " "),
            (_, []) => format!("uid={} gid={} groups={}", named(user), named(group), list(&named, ",")),
            _ => return None,
        };
        Some(self.says(streams, &text))
    }

    fn uname(&mut self, words: &[&str], streams: &Streams) -> Option<Went> {
        let text = match words {
            [] | ["-s"] => "Linux".to_owned(),
            ["-m"] => "x86_64".to_owned(),
            ["-n"] => self.world.host.clone(),
            _ => return None,
        };
        Some(self.says(streams, &text))
    }

    fn env(&mut self, name: &str, arguments: &[String], streams: &Streams) -> Option<Went> {
        if name == "printenv" && !arguments.is_empty() {
            let mut code = 0;
            for wanted in arguments {
                match self.vars.get(wanted).cloned() {
                    Some(value) => self.print(&streams.out, &format!("{value}\n")),
                    None => code = 1,
                }
            }
            return Some(Ok(code));
        }
        let pairs = arguments.iter().take_while(|word| word.contains('=')).count();
        if arguments.len() > pairs {
            if arguments[pairs].starts_with('-') {
                return None;
            }
            let vars = self.vars.clone();
            for pair in &arguments[..pairs] {
                if let Some((name, value)) = pair.split_once('=') {
                    self.vars.insert(name.to_owned(), value.to_owned());
                }
            }
            let went = self.program(&arguments[pairs..], streams);
            self.vars = vars;
            return Some(went);
        }
        let text = super::lines(self.vars.iter().map(|(name, value)| format!("{name}={value}")));
        self.print(&streams.out, &text);
        Some(Ok(0))
    }

    fn test_command(&mut self, name: &str, words: &[&str], streams: &Streams) -> Went {
        let words = match (name, words.split_last()) {
            ("test", _) => words,
            (_, Some((&("]" | "]]"), rest))) => rest,
            _ => return self.complains(streams, 2, &format!("sh: missing {}", if name == "[" { "]" } else { "]]" })),
        };
        match self.holds(words, 0)? {
            Some(held) => Ok(i32::from(!held)),
            None => self.complains(streams, 2, &format!("sh: {}: unknown operand", words.last().unwrap_or(&name))),
        }
    }

    fn holds(&mut self, words: &[&str], depth: u32) -> Result<Option<bool>, Stop> {
        if depth > 32 {
            return Ok(None);
        }
        for (sign, both) in [("-o", false), ("||", false), ("-a", true), ("&&", true)] {
            let mut inside = 0;
            // What stands in brackets is looked at later.
            let at = words.iter().position(|word| {
                inside += i32::from(*word == "(") - i32::from(*word == ")");
                inside == 0 && *word == sign
            });
            if let Some(at) = at.filter(|at| *at > 0 && words.len() > 2) {
                let (left, right) = (self.holds(&words[..at], depth + 1)?, self.holds(&words[at + 1..], depth + 1)?);
                return Ok(left.zip(right).map(|(left, right)| if both { left && right } else { left || right }));
            }
        }
        Ok(match words {
            [] => Some(false),
            ["!", rest @ ..] if !rest.is_empty() => self.holds(rest, depth + 1)?.map(|held| !held),
            ["(", rest @ .., ")"] => self.holds(rest, depth + 1)?,
            [word] => Some(!word.is_empty()),
            ["-n", word] => Some(!word.is_empty()),
            ["-z", word] => Some(word.is_empty()),
            ["-t", _] => Some(false),
            [flag @ ("-e" | "-f" | "-d" | "-s" | "-r" | "-w" | "-x" | "-L" | "-h"), path] => {
                let path = self.path(path);
                if self.files.is_shared(&path) {
                    self.elsewhere()?;
                }
                Some(match (self.files.find(&path, self.time), *flag) {
                    (Found::No, _)
                    | (Found::Folder, "-f" | "-L" | "-h")
                    | (Found::Text(_) | Found::There, "-d" | "-L" | "-h") => false,
                    (Found::Text(text), "-s") => !text.is_empty(),
                    (Found::Unknown, _) => {
                        self.unknown(&format!("whether {path} is there"));
                        true
                    }
                    _ => true,
                })
            }
            [left, "=" | "==", right] => Some(left == right),
            [left, "!=", right] => Some(left != right),
            [left, sign @ ("-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge"), right] => {
                let (Ok(left), Ok(right)) = (left.trim().parse::<i64>(), right.trim().parse::<i64>()) else {
                    return Ok(None);
                };
                Some(match *sign {
                    "-eq" => left == right,
                    "-ne" => left != right,
                    "-lt" => left < right,
                    "-le" => left <= right,
                    "-gt" => left > right,
                    _ => left >= right,
                })
            }
            _ => None,
        })
    }

    fn expr(&mut self, words: &[&str], streams: &Streams) -> Option<Went> {
        if let [left, sign @ ("=" | "!="), right] = words
            && (left.parse::<i64>().is_err() || right.parse::<i64>().is_err())
        {
            let held = (left == right) == (*sign == "=");
            self.print(&streams.out, if held { "1\n" } else { "0\n" });
            return Some(Ok(i32::from(!held)));
        }
        if let ["length", text] = words {
            let length = text.chars().count();
            self.print(&streams.out, &format!("{length}\n"));
            return Some(Ok(i32::from(length == 0)));
        }
        if let [single] = words {
            self.print(&streams.out, &format!("{single}\n"));
            return Some(Ok(i32::from(single.is_empty() || *single == "0")));
        }
        if words.iter().any(|word| word.chars().any(char::is_alphabetic) || *word == ":") {
            return Some(self.complains(streams, 2, "expr: non-integer argument"));
        }
        let signs: Vec<&str> = words.iter().map(|word| if *word == "=" { "==" } else { word }).collect();
        match super::sums::sum(&signs.join(" "), &|_| 0)? {
            Ok(number) => {
                self.print(&streams.out, &format!("{number}\n"));
                Some(Ok(i32::from(number == 0)))
            }
            Err(_) => Some(self.complains(streams, 2, "expr: division by zero")),
        }
    }

    fn seq(&mut self, words: &[&str], streams: &Streams) -> Option<Went> {
        let numbers: Option<Vec<i64>> = words.iter().map(|word| word.parse().ok()).collect();
        let (first, step, last) = match numbers?.as_slice() {
            [last] => (1, 1, *last),
            [first, last] => (*first, 1, *last),
            [first, step, last] if *step != 0 => (*first, *step, *last),
            _ => return None,
        };
        let (mut out, mut at) = (String::new(), first);
        while (step > 0 && at <= last || step < 0 && at >= last) && out.len() < LONGEST {
            out.push_str(&format!("{at}\n"));
            at = at.checked_add(step)?;
        }
        self.print(&streams.out, &out);
        Some(Ok(0))
    }

    fn timeout(&mut self, arguments: &[String], streams: &Streams) -> Option<Went> {
        let mut skip = 0;
        while arguments.get(skip).is_some_and(|word| word.starts_with('-')) {
            skip += if matches!(arguments[skip].as_str(), "-s" | "-k") { 2 } else { 1 };
        }
        let limit = milliseconds(arguments.get(skip)?)?;
        let begun = self.time;
        let went = self.program(arguments.get(skip + 1..)?, streams);
        let late = begun.saturating_add(limit);
        match went {
            Err(Stop::Never) => {
                self.serves = None;
                self.time = late;
                Some(Ok(if self.world.programs.busybox { 143 } else { 124 }))
            }
            Ok(_) if self.time > late => {
                self.time = late;
                Some(Ok(if self.world.programs.busybox { 143 } else { 124 }))
            }
            went => Some(went),
        }
    }
}

/// A time as `sleep` reads it; for ever as [`FOR_EVER`].
pub(super) fn milliseconds(text: &str) -> Option<i64> {
    if text == "infinity" || text == "inf" {
        return Some(FOR_EVER);
    }
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, text.chars().last()),
        None => (text, None),
    };
    let factor = match unit {
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86400,
        _ => 1,
    };
    let whole = if let Some((whole, part)) = number.split_once('.') {
        let part: String = part.chars().take(3).collect();
        let thousandths = format!("{part:0<3}").parse::<i64>().ok()?;
        whole.parse::<i64>().ok().or(whole.is_empty().then_some(0))?.checked_mul(SECOND)?.checked_add(thousandths)?
    } else {
        match number.parse::<i64>() {
            Ok(number) => number.saturating_mul(SECOND),
            Err(_) => {
                return number
                    .bytes()
                    .all(|byte| byte.is_ascii_digit())
                    .then_some(FOR_EVER)
                    .filter(|_| !number.is_empty());
            }
        }
    };
    (whole >= 0).then(|| whole.saturating_mul(factor).min(FOR_EVER))
}

/// A size as stress and dd read it.
pub(super) fn bytes(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: i64 = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" | "KIB" | "KI" => 1 << 10,
        "M" | "MB" | "MIB" | "MI" => 1 << 20,
        "G" | "GB" | "GIB" | "GI" => 1 << 30,
        _ => return None,
    };
    number.parse::<i64>().ok().map(|number| number.saturating_mul(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read() {
        assert_eq!(milliseconds("1.5"), Some(1500));
        assert_eq!(milliseconds("2m"), Some(120_000));
        assert_eq!(milliseconds("x"), None);
        assert_eq!(milliseconds("99999999999999999999"), Some(FOR_EVER));
        assert_eq!(bytes("250M"), Some(250 << 20));
        assert_eq!(bytes("100Mi"), Some(100 << 20));
        assert_eq!(bytes("x"), None);
    }
}
