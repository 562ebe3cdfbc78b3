//! Names and ports of the cluster, as commands ask for them: a Service's name is found once the Service is there, and
//! it answers where a pod behind it is ready. What it would say is known to nobody.

use super::World;
use super::run::{Shell, Stop, Streams, Went};
use crate::addresses::DNS;

/// Of a name outside the cluster nothing is known: it is taken to be there.
enum Reached {
    Cluster { address: String, answers: bool },
    Nowhere,
    Outside,
}

impl Shell<'_> {
    fn reach(&mut self, host: &str, port: Option<i64>) -> Result<Reached, Stop> {
        let world: &World = self.world;
        if host == "localhost" || host == "127.0.0.1" || host == world.host {
            return Ok(Reached::Outside);
        }
        self.elsewhere()?;
        if let Some(service) = world.service(host, self.time) {
            let answers = service.ready && port.is_none_or(|port| service.ports.contains(&port));
            let address = service.address.clone();
            return Ok(Reached::Cluster { address, answers });
        }
        let inside = !host.contains('.')
            || host.contains(".svc.")
            || ["svc", "local", "invalid", "test", "example", "localhost"]
                .contains(&host.rsplit('.').next().unwrap_or(host))
            || host.split('.').count() == 2
                && world.services.iter().any(|s| host.ends_with(&format!(".{}", s.namespace)));
        Ok(if inside { Reached::Nowhere } else { Reached::Outside })
    }

    pub(super) fn network(&mut self, name: &str, words: &[&str], streams: &Streams) -> Option<Went> {
        Some(self.asks(name, words, streams))
    }

    fn asks(&mut self, name: &str, words: &[&str], streams: &Streams) -> Went {
        const WITH_VALUE: [&str; 24] = [
            "-O",
            "-o",
            "-T",
            "-t",
            "-w",
            "-m",
            "-H",
            "-X",
            "-d",
            "-u",
            "-U",
            "-c",
            "-i",
            "-p",
            "-q",
            "--max-time",
            "--connect-timeout",
            "--header",
            "--data",
            "--request",
            "--output",
            "--timeout",
            "-A",
            "--retry",
        ];
        let flag =
            |letter: char| words.iter().any(|w| w.starts_with('-') && !w.starts_with("--") && w.contains(letter));
        let mut places: Vec<&str> = Vec::new();
        let mut skip = false;
        for word in words {
            if std::mem::take(&mut skip) {
                continue;
            }
            if word.starts_with('-') {
                // wget's `-O-` and `-T2` bring their value along.
                let bare = WITH_VALUE.contains(word) || name == "wget" && (word.ends_with('O') || word.ends_with('T'));
                skip = bare
                    && !(name == "nc" && matches!(*word, "-u" | "-c" | "-i" | "-p") && *word != "-p" && *word != "-i");
                continue;
            }
            places.push(word);
        }
        let whole = format!("`{name} {}`", words.join(" "));
        if name == "nc" && flag('l') {
            return Err(Stop::Never);
        }
        if name == "getent" && places.first() == Some(&"hosts") {
            places.remove(0);
        }
        let Some(place) = places.first().copied() else {
            self.unknown(&whole);
            return Ok(0);
        };
        let (host, port) = split(name, place, places.get(1).copied());
        let busybox = self.world.programs.busybox;
        match (self.reach(&host, port)?, name) {
            (Reached::Outside, "ping") if !flag('c') => {
                self.unknown(&whole);
                Err(Stop::Never)
            }
            (Reached::Outside, _) => {
                self.unknown(&whole);
                Ok(0)
            }
            (Reached::Nowhere, "nslookup" | "host" | "dig") => {
                let text = format!("Server:\t\t{DNS}\nAddress:\t{DNS}:53\n\n** server can't find {host}: NXDOMAIN\n\n");
                self.print(&streams.out, &text);
                Ok(i32::from(name != "dig"))
            }
            (Reached::Nowhere, "getent") => Ok(2),
            (Reached::Nowhere, "curl") => {
                if !flag('s') || flag('S') {
                    self.print(&streams.err, &format!("curl: (6) Could not resolve host: {host}\n"));
                }
                Ok(6)
            }
            (Reached::Nowhere, "wget") => {
                let (text, code) = if busybox {
                    (format!("wget: bad address '{host}'\n"), 1)
                } else {
                    (format!("wget: unable to resolve host address '{host}'\n"), 4)
                };
                self.print(&streams.err, &text);
                Ok(code)
            }
            (Reached::Nowhere, _) => {
                self.print(&streams.err, &format!("{name}: bad address '{host}'\n"));
                Ok(1)
            }
            (Reached::Cluster { address, .. }, "nslookup" | "host" | "dig" | "getent") => {
                let full = self.full_name(&host);
                let text = match name {
                    "getent" => format!("{address}      {full}\n"),
                    "host" => format!("{full} has address {address}\n"),
                    "dig" => format!("{address}\n"),
                    _ => format!("Server:\t\t{DNS}\nAddress:\t{DNS}:53\n\nName:\t{full}\nAddress: {address}\n\n"),
                };
                self.print(&streams.out, &text);
                Ok(0)
            }
            // A Service's address is no machine: nothing answers a ping.
            (Reached::Cluster { .. }, "ping") => {
                self.time += 10_000;
                Ok(1)
            }
            (Reached::Cluster { answers: true, .. }, _) => {
                if name != "nc" {
                    self.unknown(&format!("what answers {whole}"));
                }
                Ok(0)
            }
            (Reached::Cluster { .. }, "curl") => {
                let port = port.unwrap_or(80);
                if !flag('s') || flag('S') {
                    self.print(&streams.err, &format!("curl: (7) Failed to connect to {host} port {port} after 1 ms: Could not connect to server\n"));
                }
                Ok(7)
            }
            (Reached::Cluster { address, .. }, _) => {
                let port = port.unwrap_or(80);
                let text = if name == "wget" {
                    format!("wget: can't connect to remote host ({address}): Connection refused\n")
                } else {
                    format!("{name}: {host} ({address}:{port}): Connection refused\n")
                };
                self.print(&streams.err, &text);
                Ok(if name == "wget" && !busybox { 4 } else { 1 })
            }
        }
    }

    fn full_name(&self, host: &str) -> String {
        match self.world.service(host, self.time) {
            Some(service) => format!("{}.{}.svc.cluster.local", service.name, service.namespace),
            None => host.to_owned(),
        }
    }
}

/// The host and the port of what is asked for.
fn split(name: &str, place: &str, second: Option<&str>) -> (String, Option<i64>) {
    let (scheme, rest) = place.split_once("://").map_or(("http", place), |(scheme, rest)| (scheme, rest));
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = host.rsplit('@').next().unwrap_or(host);
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if port.parse::<i64>().is_ok() => (host, port.parse().ok()),
        _ => (host, None),
    };
    let port = match name {
        "nc" => second.and_then(|port| port.parse().ok()).or(port),
        "curl" | "wget" => port.or(Some(if scheme == "https" { 443 } else { 80 })),
        _ => None,
    };
    (host.to_owned(), port)
}
