//! wget and curl: whom they call, what they print, and where they put it.

use super::What;
use super::cluster::{Answer, Asks, Page};
use super::network::{Host, Words};
use super::run::{Shell, Streams, Went};

/// What a URL names.
struct Url<'u> {
    host: &'u str,
    port: i64,
    path: String,
}

impl<'u> Url<'u> {
    fn of(text: &'u str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let host = host.rsplit('@').next().unwrap_or(host);
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (host, None),
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Self { host, port: port.unwrap_or(if scheme == "https" { 443 } else { 80 }), path }
    }
}

impl Shell<'_> {
    pub(super) fn web(&mut self, words: &Words<'_>, streams: &Streams) -> Went {
        let mut last = Ok(0);
        if words.places.is_empty() {
            self.unknown(&format!("`{}`", words.name));
        }
        for place in &words.places {
            last = self.fetch(words, place, streams);
            if last.is_err() {
                break;
            }
        }
        last
    }

    fn fetch(&mut self, words: &Words<'_>, place: &str, streams: &Streams) -> Went {
        let url = Url::of(place);
        let (host, port) = (url.host, url.port);
        let curl = words.name == "curl";
        let busybox = self.world.programs.busybox;
        let quiet = if curl { words.has(&["-s", "--silent"]) && !words.has(&["-S"]) } else { words.has(&["-q"]) };
        let says = |shell: &mut Self, text: String| {
            if !(curl && quiet) {
                shell.print(&streams.err, &text);
            }
        };
        let found = self.look_up(host)?;
        let address = match found {
            Host::At(_, addresses) => addresses.first().cloned().unwrap_or_default(),
            Host::Outside => {
                self.unknown(&format!("what answers `{} {place}`", words.name));
                return Ok(0);
            }
            Host::Nowhere | Host::Silence => {
                let (text, code) = match (curl, busybox) {
                    (true, _) => (format!("curl: (6) Could not resolve host: {host}\n"), 6),
                    (false, true) => (format!("wget: bad address '{host}'\n"), 1),
                    (false, false) => (format!("wget: unable to resolve host address '{host}'\n"), 4),
                };
                says(self, text);
                return Ok(code);
            }
        };
        let method = match words.value(&["-X", "--request"]) {
            Some(method) => method,
            None if words.has(&["-I", "--head", "--spider"]) => "HEAD",
            None if words.has(&["-d", "--data", "--post-data"]) => "POST",
            None => "GET",
        };
        let agent = if curl { "curl/8.14.1" } else { "Wget" };
        let asks = Asks { method, path: &url.path, agent };
        match self.calls(host, &address, port, false, Some(asks)) {
            Answer::Somebody => {
                self.unknown(&format!("what answers `{} {place}`", words.name));
                Ok(0)
            }
            Answer::Refused => {
                let (text, code) = match (curl, busybox) {
                    (true, _) => (
                        format!(
                            "curl: (7) Failed to connect to {host} port {port} after 0 ms: Could not connect to server\n"
                        ),
                        7,
                    ),
                    (false, true) => {
                        (format!("wget: can't connect to remote host ({address}): Connection refused\n"), 1)
                    }
                    (false, false) => {
                        (format!("Connecting to {host} ({address}:{port}) failed: Connection refused.\n"), 4)
                    }
                };
                if !curl && busybox && !quiet {
                    self.print(&streams.err, &format!("Connecting to {host} ({address}:{port})\n"));
                }
                says(self, text);
                Ok(code)
            }
            Answer::Silence => self.gives_up(words, host, &address, port, streams),
            Answer::Says(page) if curl => self.curled(words, &page, streams),
            Answer::Says(page) => self.wgot(words, &url, &address, &page, streams),
        }
    }

    /// What is sent is dropped on its way.
    fn gives_up(&mut self, words: &Words<'_>, host: &str, address: &str, port: i64, streams: &Streams) -> Went {
        if words.name == "curl" {
            let patience = words.patience(&["-m", "--max-time", "--connect-timeout"]);
            let waited = patience.unwrap_or(135_000);
            self.time += waited;
            if !words.has(&["-s", "--silent"]) || words.has(&["-S"]) {
                let text = match patience {
                    Some(_) => format!("curl: (28) Connection timed out after {} milliseconds\n", waited + 1),
                    None => format!(
                        "curl: (28) Failed to connect to {host} port {port} after {waited} ms: Could not connect to server\n"
                    ),
                };
                self.print(&streams.err, &text);
            }
            return Ok(28);
        }
        let patience = words.patience(&["-T", "--timeout"]);
        self.time += patience.unwrap_or(127_000);
        if !words.has(&["-q"]) {
            self.print(&streams.err, &format!("Connecting to {host} ({address}:{port})\n"));
        }
        let text = match patience {
            Some(_) => "wget: download timed out\n".to_owned(),
            None => format!("wget: can't connect to remote host ({address}): Connection timed out\n"),
        };
        self.print(&streams.err, &text);
        Ok(if self.world.programs.busybox { 1 } else { 4 })
    }

    fn curled(&mut self, words: &Words<'_>, page: &Page, streams: &Streams) -> Went {
        let head = words.has(&["-I", "--head"]);
        let fails = words.has(&["-f", "--fail"]) && page.status >= 400;
        let mut out = String::new();
        if head || words.has(&["-i", "--include"]) {
            out.push_str(&page.head(self.time));
        }
        if !head && !fails {
            out.push_str(&page.body);
        }
        match words.value(&["-o", "--output"]) {
            Some("/dev/null") => {}
            Some("-") | None => self.print(&streams.out, &out),
            Some(file) => {
                let path = self.path(file);
                self.files.set(self.time, &path, What::Text(out));
            }
        }
        if let Some(format) = words.value(&["-w", "--write-out"]) {
            let text = format
                .replace("%{http_code}", &page.status.to_string())
                .replace("%{response_code}", &page.status.to_string())
                .replace("%{size_download}", &page.body.len().to_string())
                .replace("\\n", "\n");
            if text.contains("%{") {
                self.unknown("`curl -w`");
            }
            self.print(&streams.out, &text);
        }
        if fails {
            if !words.has(&["-s", "--silent"]) || words.has(&["-S"]) {
                let text = format!("curl: (22) The requested URL returned error: {}\n", page.status);
                self.print(&streams.err, &text);
            }
            return Ok(22);
        }
        Ok(0)
    }

    fn wgot(&mut self, words: &Words<'_>, url: &Url<'_>, address: &str, page: &Page, streams: &Streams) -> Went {
        let quiet = words.has(&["-q"]);
        let busybox = self.world.programs.busybox;
        let says = |shell: &mut Self, text: &str| {
            if !quiet {
                shell.print(&streams.err, text);
            }
        };
        says(self, &format!("Connecting to {} ({address}:{})\n", url.host, url.port));
        if page.status >= 400 {
            let text = format!("wget: server returned error: HTTP/1.1 {} {}\n", page.status, page.reason());
            self.print(&streams.err, &text);
            return Ok(if busybox { 1 } else { 8 });
        }
        if words.has(&["--spider"]) {
            says(self, "remote file exists\n");
            return Ok(0);
        }
        let name = match words.value(&["-O"]) {
            Some(name) => name.to_owned(),
            None => match url.path.rsplit('/').next().map(|last| last.split('?').next().unwrap_or(last)) {
                Some(last) if !last.is_empty() => last.to_owned(),
                _ => "index.html".to_owned(),
            },
        };
        let bar = |name: &str| {
            let name: String = name.chars().take(20).collect();
            format!("{name:<20} 100% |{}| {:>5}  0:00:00 ETA\n", "*".repeat(32), page.body.len())
        };
        if name == "-" {
            says(self, "writing to stdout\n");
            self.print(&streams.out, &page.body);
            says(self, &bar("-"));
            says(self, "written to stdout\n");
            return Ok(0);
        }
        says(self, &format!("saving to '{name}'\n"));
        if name != "/dev/null" {
            let path = self.path(&name);
            self.files.set(self.time, &path, What::Text(page.body.clone()));
        }
        says(self, &bar(&name));
        says(self, &format!("'{name}' saved\n"));
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_a_port_and_a_path() {
        for (text, host, port, path) in [
            ("web", "web", 80, "/"),
            ("http://web.default.svc:8080/a?b=c", "web.default.svc", 8080, "/a?b=c"),
            ("https://kubernetes", "kubernetes", 443, "/"),
            ("10.1.2.3:81/x/", "10.1.2.3", 81, "/x/"),
            ("http://u:p@web?x", "web", 80, "/?x"),
        ] {
            let url = Url::of(text);
            assert_eq!((url.host, url.port, url.path.as_str()), (host, port, path), "{text}");
        }
    }
}
