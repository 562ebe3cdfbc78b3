//! Names and ports of the cluster, as commands ask for them: a Service's name is found once the Service is there, and
//! it answers where a pod behind it does.

use super::cluster::{Answer, Asks, Call, Name};
use super::run::{Shell, Stop, Streams, Went};
use crate::addresses::DNS;

/// What comes of asking for a host by its name.
pub(super) enum Host {
    Nowhere,
    Outside,
    Silence,
    /// The full name, and its addresses.
    At(String, Vec<String>),
}

/// Options of each of the tools that bring a value with them.
fn takes_value(name: &str, flag: &str) -> bool {
    let flags: &[&str] = match name {
        "curl" => &[
            "-o",
            "-w",
            "-m",
            "-H",
            "-X",
            "-d",
            "-u",
            "-A",
            "-e",
            "-b",
            "-c",
            "-F",
            "-x",
            "-E",
            "--max-time",
            "--connect-timeout",
            "--header",
            "--data",
            "--request",
            "--output",
            "--retry",
            "--retry-delay",
            "--user",
            "--user-agent",
            "--write-out",
            "--cacert",
            "--cert",
            "--key",
            "--resolve",
            "--interface",
        ],
        "wget" => &["-O", "-T", "-t", "-U", "-P", "-o", "-Y", "--header", "--post-data", "--timeout", "--tries"],
        "nc" => &["-w", "-i", "-p", "-q", "-s", "-e"],
        "ping" => &["-c", "-W", "-w", "-i", "-s", "-I", "-t"],
        _ => &["-t", "-p", "-c"],
    };
    flags.contains(&flag)
}

/// A tool's words: its options with their values, and the rest.
pub(super) struct Words<'w> {
    pub(super) name: &'w str,
    flags: Vec<(&'w str, Option<&'w str>)>,
    pub(super) places: Vec<&'w str>,
}

impl<'w> Words<'w> {
    pub(super) fn of(name: &'w str, words: &[&'w str]) -> Self {
        let (mut flags, mut places) = (Vec::new(), Vec::new());
        let mut rest = words.iter().copied();
        while let Some(word) = rest.next() {
            if let Some((flag, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
                flags.push((flag, Some(value)));
            } else if word.starts_with("--") {
                flags.push((word, if takes_value(name, word) { rest.next() } else { None }));
            } else if word.len() > 1 && word.starts_with('-') && word.is_ascii() {
                let mut at = 1;
                while at < word.len() {
                    // Each letter is a flag, and the first that takes a value takes the rest.
                    let flag = short(&word[at..=at]);
                    at += 1;
                    if takes_value(name, flag) {
                        let value = if at < word.len() { Some(&word[at..]) } else { rest.next() };
                        flags.push((flag, value));
                        break;
                    }
                    flags.push((flag, None));
                }
            } else {
                places.push(word);
            }
        }
        Self { name, flags, places }
    }

    pub(super) fn has(&self, flags: &[&str]) -> bool {
        self.flags.iter().any(|(flag, _)| flags.contains(flag))
    }

    pub(super) fn value(&self, flags: &[&str]) -> Option<&'w str> {
        self.flags.iter().find(|(flag, _)| flags.contains(flag)).and_then(|(_, value)| *value)
    }

    /// How long it waits, in milliseconds.
    pub(super) fn patience(&self, flags: &[&str]) -> Option<i64> {
        self.value(flags).and_then(super::applets::milliseconds)
    }
}

/// A letter as an option.
fn short(letter: &str) -> &'static str {
    const ALL: &str = "-a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-r-s-t-u-v-w-x-y-z-A-B-C-D-E-F-G-H-I-J-K-L-M-N-O-P-Q-R-S-T-U-V-W-X-Y-Z-0-1-2-3-4-5-6-7-8-9";
    ALL.find(letter).filter(|at| *at > 0).map_or("", |at| &ALL[at - 1..=at])
}

impl Shell<'_> {
    pub(super) fn look_up(&mut self, host: &str) -> Result<Host, Stop> {
        let Some(cluster) = self.world.cluster.clone() else { return Ok(Host::Outside) };
        if host != "localhost" && host != self.world.host {
            self.elsewhere()?;
        }
        Ok(match cluster.find(host, self.time) {
            Name::Nowhere => Host::Nowhere,
            Name::Outside | Name::Alias(_) => Host::Outside,
            Name::Silence => Host::Silence,
            Name::At { full, addresses } => Host::At(full, addresses),
        })
    }

    pub(super) fn calls(&mut self, host: &str, address: &str, port: i64, udp: bool, asks: Option<Asks<'_>>) -> Answer {
        // Two calls of one pod may go to two others.
        let choice = self.random() ^ self.time.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let call = Call { host, address, port, at: self.time, choice, udp, asks };
        self.world.cluster.clone().map_or(Answer::Somebody, |cluster| cluster.call(&call))
    }

    pub(super) fn network(&mut self, name: &str, words: &[&str], streams: &Streams) -> Went {
        let words = Words::of(name, words);
        let whole = || format!("`{name} {}`", words.places.join(" "));
        match name {
            "wget" | "curl" => self.web(&words, streams),
            "nc" if words.has(&["-l"]) => Err(Stop::Never),
            _ if words.places.is_empty() => {
                self.unknown(&whole());
                Ok(0)
            }
            "nc" => self.connects(&words, streams),
            "ping" => self.pings(&words, streams),
            _ => self.resolves(&words, streams),
        }
    }

    fn resolves(&mut self, words: &Words<'_>, streams: &Streams) -> Went {
        let name = words.name;
        let places = if name == "getent" { &words.places[1..] } else { &words.places[..] };
        let places: Vec<&str> = places.iter().copied().filter(|place| !place.starts_with(['@', '+'])).collect();
        let Some(asked) = places.first().copied() else { return Ok(0) };
        let old = self.is_old_busybox();
        let server = if old {
            format!("Server:    {DNS}\nAddress 1: {DNS} kube-dns.kube-system.svc.cluster.local\n\n")
        } else if self.world.programs.busybox {
            format!("Server:\t\t{DNS}\nAddress:\t{DNS}:53\n\n")
        } else {
            format!("Server:\t\t{DNS}\nAddress:\t{DNS}#53\n\n")
        };
        let alias = match self.world.cluster.as_ref().map(|cluster| cluster.find(asked, self.time)) {
            Some(Name::Alias(other)) => Some(other),
            _ => None,
        };
        if let (Some(other), "nslookup") = (&alias, name) {
            self.elsewhere()?;
            self.print(&streams.out, &format!("{server}{asked}\tcanonical name = {other}\n\n"));
            return Ok(0);
        }
        match (self.look_up(asked)?, name) {
            (Host::Outside, _) => {
                self.unknown(&format!("`{name} {asked}`"));
                Ok(0)
            }
            (Host::Silence, _) => {
                self.time += 15_000;
                self.print(&streams.out, ";; connection timed out; no servers could be reached\n\n");
                Ok(if name == "dig" { 9 } else { 1 })
            }
            (Host::Nowhere, "nslookup") if old => {
                self.print(&streams.out, &server);
                self.print(&streams.err, &format!("nslookup: can't resolve '{asked}'\n"));
                Ok(1)
            }
            (Host::Nowhere, "getent") => Ok(2),
            (Host::Nowhere, "dig") => Ok(0),
            (Host::Nowhere, "host") => {
                self.print(&streams.out, &format!("Host {asked} not found: 3(NXDOMAIN)\n"));
                Ok(1)
            }
            (Host::Nowhere, _) => {
                self.print(&streams.out, &format!("{server}** server can't find {asked}: NXDOMAIN\n\n"));
                Ok(1)
            }
            (Host::At(full, addresses), name) => {
                let each = |line: &dyn Fn(usize, &String) -> String| -> String {
                    addresses.iter().enumerate().map(|(at, address)| line(at, address)).collect()
                };
                let text = match name {
                    "getent" => each(&|_, address| format!("{address:<15} {full}\n")),
                    "host" => each(&|_, address| format!("{full} has address {address}\n")),
                    "dig" => each(&|_, address| format!("{address}\n")),
                    _ if old => {
                        let lines = each(&|at, address| format!("Address {}: {address} {full}\n", at + 1));
                        format!("{server}Name:      {asked}\n{lines}")
                    }
                    _ => {
                        let lines = each(&|_, address| format!("Name:\t{full}\nAddress: {address}\n"));
                        format!("{server}{lines}\n")
                    }
                };
                self.print(&streams.out, &text);
                Ok(0)
            }
        }
    }

    /// Until 1.28, busybox had a nslookup of its own kind.
    fn is_old_busybox(&self) -> bool {
        let image = self.world.image.rsplit('/').next().unwrap_or_default();
        let Some(("busybox", tag)) = image.split_once(':') else { return false };
        let mut parts = tag.split(['.', '-']).map(|part| part.parse::<u32>().ok());
        matches!((parts.next().flatten(), parts.next().flatten()), (Some(1), Some(minor)) if minor < 29)
    }

    fn pings(&mut self, words: &Words<'_>, streams: &Streams) -> Went {
        let host = words.places[0];
        match self.look_up(host)? {
            Host::Nowhere | Host::Silence => {
                let text = if self.world.programs.busybox {
                    format!("ping: bad address '{host}'\n")
                } else {
                    format!("ping: {host}: Name or service not known\n")
                };
                self.print(&streams.err, &text);
                Ok(if self.world.programs.busybox { 1 } else { 2 })
            }
            // A Service's address is no machine: nothing answers a ping.
            Host::At(_, addresses) if addresses.iter().any(|address| address.starts_with("10.96.")) => {
                self.time += 10_000;
                let count = words.value(&["-c"]).unwrap_or("1");
                let head = format!("PING {host} ({}): 56 data bytes\n", addresses[0]);
                let lost = format!("{count} packets transmitted, 0 packets received, 100% packet loss\n");
                self.print(&streams.out, &format!("{head}\n--- {host} ping statistics ---\n{lost}"));
                Ok(1)
            }
            Host::At(..) | Host::Outside => {
                self.unknown(&format!("`ping {host}`"));
                if words.has(&["-c"]) { Ok(0) } else { Err(Stop::Never) }
            }
        }
    }

    /// netcat.
    fn connects(&mut self, words: &Words<'_>, streams: &Streams) -> Went {
        let host = words.places[0];
        let Some(port) = words.places.get(1).and_then(|port| port.parse::<i64>().ok()) else {
            self.unknown(&format!("`nc {}`", words.places.join(" ")));
            return Ok(0);
        };
        let loud = words.has(&["-v"]);
        let patience = words.patience(&["-w"]).unwrap_or(127_000);
        let (name, address) = match self.look_up(host)? {
            Host::At(name, addresses) => (name, addresses.first().cloned().unwrap_or_default()),
            Host::Outside => {
                self.unknown(&format!("`nc {host} {port}`"));
                return Ok(0);
            }
            Host::Nowhere | Host::Silence => {
                self.print(&streams.err, &format!("nc: bad address '{host}'\n"));
                return Ok(1);
            }
        };
        match self.calls(host, &address, port, words.has(&["-u"]), None) {
            Answer::Silence => {
                self.time += patience;
                self.print(&streams.err, &format!("nc: {host} ({address}:{port}): Connection timed out\n"));
                Ok(1)
            }
            Answer::Refused => {
                self.print(&streams.err, &format!("nc: {host} ({address}:{port}): Connection refused\n"));
                Ok(1)
            }
            Answer::Somebody | Answer::Says(_) if words.has(&["-z"]) || loud => {
                let text = if self.world.programs.busybox {
                    format!("{host} ({address}:{port}) open\n")
                } else {
                    format!("Connection to {name} ({address}) {port} port [tcp/*] succeeded!\n")
                };
                if loud {
                    self.print(&streams.err, &text);
                }
                Ok(0)
            }
            Answer::Somebody | Answer::Says(_) => Ok(0),
        }
    }
}
