//! What the web servers of well-known images answer and log. Of one whose settings somebody changed nothing is known.

use serde_json::Value;

use super::shell::{Asks, Files, Found, Page, World, absolute, name_of};
use crate::runtime::meta;

const HTML: &str = "text/html";
const PLAIN: &str = "text/plain; charset=utf-8";

const WELCOME: &str = "<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href=\"http://nginx.org/\">nginx.org</a>.<br/>
Commercial support is available at
<a href=\"http://nginx.com/\">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
";
const WORKS: &str = "<html><body><h1>It works!</h1></body></html>\n";

/// A program that goes on, and what it was started in.
pub(super) struct Serving<'r> {
    pub(super) world: &'r World,
    pub(super) line: &'r [String],
    /// Whether something of its own was mounted into it.
    pub(super) own_files: bool,
}

/// The server that a run has become, as far as pages of it are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Nginx,
    Httpd,
    Agnhost,
    Hostname,
    Hello,
    Echo,
    Bootcamp,
    NodeHello,
    Ok,
    /// Files below a folder: Python's own server, busybox's.
    Files,
}

fn server(run: &Serving<'_>) -> Option<Server> {
    let line = run.line;
    let image = run.world.image.rsplit('/').next().unwrap_or_default();
    let image = image.split([':', '@']).next().unwrap_or_default();
    Some(match (name_of(line.first()?), image) {
        ("nginx", "nginx" | "nginx-slim" | "nginx-unprivileged") => Server::Nginx,
        ("httpd" | "httpd-foreground", "httpd") => Server::Httpd,
        ("agnhost", _) => match line.get(1).map(String::as_str) {
            Some("netexec") => Server::Agnhost,
            Some("serve-hostname") => Server::Hostname,
            _ => return None,
        },
        ("serve_hostname", _) => Server::Hostname,
        ("hello-app", _) => Server::Hello,
        ("http-echo", _) => Server::Echo,
        ("node", "kubernetes-bootcamp") => Server::Bootcamp,
        ("node", "node-hello") => Server::NodeHello,
        ("apache2-foreground", "hpa-example") => Server::Ok,
        ("httpd", "busybox" | "alpine") => Server::Files,
        ("python" | "python3", _) if line.iter().any(|word| word == "http.server") => Server::Files,
        _ => return None,
    })
}

impl Server {
    /// Where its settings lie.
    fn settings(self) -> Option<&'static str> {
        match self {
            Self::Nginx => Some("/etc/nginx"),
            Self::Httpd => Some("/usr/local/apache2/conf"),
            _ => None,
        }
    }
}

pub(super) fn is_known(run: &Serving<'_>) -> bool {
    server(run).is_some() && as_it_comes(run) || server(run).is_some_and(|server| server.settings().is_none())
}

/// Whether nothing was put over the settings that its image brings.
pub(super) fn as_it_comes(run: &Serving<'_>) -> bool {
    let Some(folder) = server(run).and_then(Server::settings) else { return !run.own_files };
    let files = &run.world.files;
    let changes = files.changes.iter().map(|change| &change.path);
    let mounts = files.whole.iter().chain(&files.foreign).chain(&files.shared);
    let touches = |path: &String| path.starts_with(folder) || folder.starts_with(path.as_str()) && path != "/";
    !mounts.chain(changes).any(touches)
}

/// What is answered; `None` where that is not known.
pub(super) fn page(run: &Serving<'_>, files: &Files, asks: &Asks<'_>, pod: &Value, at: i64) -> Option<Page> {
    let path = asks.path.split('#').next().unwrap_or("/");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let plain = |body: String| Some(Page { status: 200, server: None, kind: PLAIN, body });
    let host = &run.world.host;
    match server(run)? {
        Server::Nginx if as_it_comes(run) => {
            let server = Some(format!("nginx/{}", nginx_version(&run.world.image)));
            served(files, asks, path, at, "/usr/share/nginx/html", WELCOME, server)
        }
        Server::Httpd if as_it_comes(run) => {
            served(files, asks, path, at, "/usr/local/apache2/htdocs", WORKS, Some("Apache/2.4 (Unix)".to_owned()))
        }
        Server::Nginx | Server::Httpd => None,
        Server::Agnhost => match path {
            "/" => {
                let now = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
                plain(format!("NOW: {}", now.strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC m=+1.0")))
            }
            "/hostname" | "/hostName" => plain(host.clone()),
            "/healthz" => plain(String::new()),
            "/echo" => plain(query.strip_prefix("msg=")?.to_owned()),
            _ => None,
        },
        Server::Hostname => plain(host.clone()),
        Server::Hello => {
            let version = run.world.image.rsplit_once(':').map_or("1.0", |(_, tag)| tag);
            plain(format!("Hello, world!\nVersion: {version}.0\nHostname: {host}\n"))
        }
        Server::Echo => plain(format!("{}\n", given(run, "text")?)),
        Server::Bootcamp => {
            let version = run.world.image.rsplit_once(":v").map_or("1", |(_, tag)| tag);
            plain(format!(
                "Hello Kubernetes bootcamp! | Running on: {} | v={version}\n",
                meta::text(pod, "/metadata/name")
            ))
        }
        Server::NodeHello => plain("Hello Kubernetes!".to_owned()),
        Server::Ok => plain("OK!".to_owned()),
        Server::Files => {
            let line = run.line;
            let folder = line.iter().position(|word| matches!(word.as_str(), "-h" | "--directory" | "-d"));
            let folder = folder.and_then(|at| line.get(at + 1)).map_or("/", String::as_str);
            let folder = absolute(folder, if run.world.folder.is_empty() { "/" } else { &run.world.folder });
            match files.find(&absolute(&format!("{folder}/{path}"), "/"), at) {
                Found::Text(body) => Some(Page { status: 200, server: None, kind: HTML, body }),
                Found::Folder => match files.find(&absolute(&format!("{folder}/{path}/index.html"), "/"), at) {
                    Found::Text(body) => Some(Page { status: 200, server: None, kind: HTML, body }),
                    _ => None,
                },
                Found::No => Some(Page { status: 404, server: None, kind: HTML, body: String::new() }),
                Found::There | Found::Unknown => None,
            }
        }
    }
}

/// A file below a server's folder, or its own first page.
fn served(
    files: &Files,
    asks: &Asks<'_>,
    path: &str,
    at: i64,
    root: &str,
    first: &str,
    server: Option<String>,
) -> Option<Page> {
    let says = |status: u16, body: String| Some(Page { status, server: server.clone(), kind: HTML, body });
    let error = |status: u16| {
        let page = Page { status, server: server.clone(), kind: HTML, body: String::new() };
        let title = format!("{status} {}", page.reason());
        let name = server.as_deref().unwrap_or_default();
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>{name}</center>\r\n</body>\r\n</html>\r\n"
        );
        Some(Page { body: if name.starts_with("nginx") { body } else { String::new() }, ..page })
    };
    if !matches!(asks.method, "GET" | "HEAD") {
        return error(405);
    }
    let asked = absolute(path.trim_start_matches('/'), root);
    match files.find(&asked, at) {
        Found::Text(body) => return says(200, body),
        Found::There => return None,
        Found::No => return error(404),
        Found::Folder if !path.ends_with('/') && asked != root => return error(301),
        Found::Folder | Found::Unknown => {}
    }
    let own = !files.whole.iter().chain(&files.foreign).any(|folder| folder == root);
    let index = format!("{}/index.html", asked.trim_end_matches('/'));
    match files.find(&index, at) {
        Found::Text(body) => says(200, body),
        Found::Unknown if own && (asked == root || path == "/index.html") => says(200, first.to_owned()),
        Found::No if asked == root => error(403),
        // The image brings one page, and one for errors.
        Found::Unknown if own && path != "/50x.html" => error(404),
        _ => None,
    }
}

/// What a flag was given: `-text=a`, `--text=a`, `-text a`.
fn given<'a>(run: &Serving<'a>, flag: &str) -> Option<&'a str> {
    let line = run.line;
    line.iter().enumerate().find_map(|(at, word)| {
        let rest = word.trim_start_matches('-').strip_prefix(flag).filter(|_| word.starts_with('-'))?;
        match rest.strip_prefix('=') {
            Some(value) => Some(value),
            None if rest.is_empty() => line.get(at + 1).map(String::as_str),
            None => None,
        }
    })
}

/// The whole version behind a tag: of those that leave it open, the last that is known here.
fn nginx_version(image: &str) -> String {
    const LAST: [(u32, u32); 14] = [
        (29, 4),
        (28, 1),
        (27, 5),
        (26, 3),
        (25, 5),
        (24, 0),
        (23, 4),
        (22, 1),
        (21, 6),
        (20, 2),
        (19, 10),
        (18, 0),
        (17, 10),
        (16, 1),
    ];
    let tag = image.rsplit('/').next().unwrap_or_default().split_once(':').map_or("latest", |(_, tag)| tag);
    let parts: Vec<u32> = tag.split('-').next().unwrap_or(tag).split('.').map_while(|part| part.parse().ok()).collect();
    match parts.as_slice() {
        [major, minor, patch, ..] => format!("{major}.{minor}.{patch}"),
        [1, minor] => {
            let patch = LAST.iter().find(|(held, _)| held == minor).map_or(0, |(_, patch)| *patch);
            format!("1.{minor}.{patch}")
        }
        _ if tag.starts_with("stable") => "1.28.1".to_owned(),
        _ => "1.29.4".to_owned(),
    }
}

/// A line as Kubernetes' own programs log it; agnhost from the line of its source that its version has.
fn klog(run: &Serving<'_>, at: i64, text: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(at).unwrap_or_default().strftime("%m%d %H:%M:%S%.6f");
    let version = run.world.image.rsplit_once(":2.").and_then(|(_, minor)| minor.parse::<u32>().ok());
    let line = if version.is_some_and(|minor| minor < 48) { 195 } else { 245 };
    format!("I{time}       1 log.go:{line}] {text}\n")
}

/// What a server writes to its log of an answer.
pub(super) fn heard(run: &Serving<'_>, asks: &Asks<'_>, page: &Page, client: &str, at: i64) -> Option<String> {
    if server(run) == Some(Server::Agnhost) {
        return Some(klog(run, at, &format!("{} {}", asks.method, asks.path)));
    }
    if server(run) != Some(Server::Nginx) {
        return None;
    }
    let time = jiff::Timestamp::from_millisecond(at).unwrap_or_default().strftime("%d/%b/%Y:%H:%M:%S +0000");
    let length = if asks.method == "HEAD" { 0 } else { page.body.len() };
    Some(format!(
        "{client} - - [{time}] \"{} {} HTTP/1.1\" {} {length} \"-\" \"{}\" \"-\"\n",
        asks.method, asks.path, page.status, asks.agent
    ))
}

/// What a server writes to its log before it serves; `None` where that is not known.
pub(super) fn begins(run: &Serving<'_>) -> Option<String> {
    if server(run) == Some(Server::Agnhost) {
        let port = given(run, "http-port").unwrap_or("8080");
        let udp = given(run, "udp-port").unwrap_or("8081");
        let begun = run.world.start;
        let tcp = klog(run, begun, &format!("Started HTTP server on port {port}"));
        return Some(tcp + &klog(run, begun, &format!("Started UDP server on port  {udp}")));
    }
    if server(run) != Some(Server::Nginx) || !as_it_comes(run) {
        return None;
    }
    let version = nginx_version(&run.world.image);
    let minor: u32 = version.split('.').nth(1)?.parse().ok()?;
    // Images before 1.19 have no script that starts them, and say nothing.
    if minor < 19 || !run.world.image.split(':').next().is_some_and(|name| name.ends_with("nginx")) {
        return Some(String::new());
    }
    let mut out = String::new();
    let script = "/docker-entrypoint.sh:";
    let folder = "/docker-entrypoint.d";
    let mut add = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    add(format!("{script} {folder}/ is not empty, will attempt to perform configuration"));
    add(format!("{script} Looking for shell scripts in {folder}/"));
    add(format!("{script} Launching {folder}/10-listen-on-ipv6-by-default.sh"));
    add("10-listen-on-ipv6-by-default.sh: info: Getting the checksum of /etc/nginx/conf.d/default.conf".to_owned());
    add("10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf".to_owned());
    if minor >= 25 {
        add(format!("{script} Sourcing {folder}/15-local-resolvers.envsh"));
    }
    add(format!("{script} Launching {folder}/20-envsubst-on-templates.sh"));
    if minor >= 20 {
        add(format!("{script} Launching {folder}/30-tune-worker-processes.sh"));
    }
    add(format!("{script} Configuration complete; ready for start up"));
    if minor >= 21 {
        let time = jiff::Timestamp::from_millisecond(run.world.start).unwrap_or_default().strftime("%Y/%m/%d %H:%M:%S");
        for notice in [
            "using the \"epoll\" event method".to_owned(),
            format!("nginx/{version}"),
            "getrlimit(RLIMIT_NOFILE): 1048576:1048576".to_owned(),
            "start worker processes".to_owned(),
            "start worker process 29".to_owned(),
            "start worker process 30".to_owned(),
        ] {
            add(format!("{time} [notice] 1#1: {notice}"));
        }
    }
    Some(out)
}
