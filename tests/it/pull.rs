//! The node image on its way here: from a registry that the test serves, by a real Docker, and by an engine whose
//! stream breaks off.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Read;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::json;

use crate::containers::{Real, need_engine};
use crate::harness::Test;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A registry with one image of two layers. The first questions for its manifest are refused as by a registry that is
/// overloaded, and the first answer with its larger layer breaks off in the middle.
#[derive(Clone, Default)]
struct Registry {
    blobs: Arc<HashMap<String, Vec<u8>>>,
    manifest: Arc<Vec<u8>>,
    large: String,
    asked: Arc<Mutex<Vec<String>>>,
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in ring::digest::digest(&ring::digest::SHA256, bytes).as_ref() {
        write!(text, "{byte:02x}").expect("text");
    }
    text
}

/// A layer of one file: packed, and the digest of what is in the packing.
fn layer(name: &str, bytes: &[u8]) -> (Vec<u8>, String) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, name, bytes).expect("a file");
    let archive = archive.into_inner().expect("an archive");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &archive).expect("packed");
    (packed.finish().expect("packed"), digest(&archive))
}

impl Registry {
    fn new() -> Self {
        // What does not pack takes as many bytes to send; each run's own, so that no engine has it already.
        let noise: Vec<u8> = (0..40_000).flat_map(|_| *uuid::Uuid::new_v4().as_bytes()).collect();
        let layers = [layer("small", b"small"), layer("large", &noise)];
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|(_, inner)| inner).collect::<Vec<_>>()},
        });
        let config = config.to_string().into_bytes();
        let described =
            |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)});
        let packed = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": described("application/vnd.docker.container.image.v1+json", &config),
            "layers": layers.iter().map(|(bytes, _)| described(packed, bytes)).collect::<Vec<_>>(),
        });
        let large = digest(&layers[1].0);
        let blobs = layers.into_iter().map(|(bytes, _)| bytes).chain([config]).map(|bytes| (digest(&bytes), bytes));
        Self {
            blobs: Arc::new(blobs.collect()),
            manifest: Arc::new(manifest.to_string().into_bytes()),
            large,
            asked: Arc::default(),
        }
    }

    /// Serves on a port of this machine, which an engine takes for one that needs no TLS.
    fn serve(&self) -> u16 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        let port = listener.local_addr().expect("an address").port();
        let router = Router::new().fallback(answer).with_state(self.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                axum::serve(listener, router).await.expect("it serves");
            });
        });
        port
    }

    /// Notes the question; how often it was asked before.
    fn note(&self, question: &str) -> usize {
        let mut asked = self.asked.lock().expect("the questions");
        let before = asked.iter().filter(|one| *one == question).count();
        asked.push(question.to_owned());
        before
    }
}

async fn answer(State(registry): State<Registry>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if path == "/v2/" {
        return StatusCode::OK.into_response();
    }
    if path.contains("/manifests/") {
        // Docker asks twice in one pull: for the head, and then for the whole.
        if registry.note("manifest") < 2 {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let digest = digest(&registry.manifest);
        let headers =
            [(header::CONTENT_TYPE, MANIFEST), (header::HeaderName::from_static("docker-content-digest"), &digest)];
        return (headers, registry.manifest.to_vec()).into_response();
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some(blob) = registry.blobs.get(name) else { return StatusCode::NOT_FOUND.into_response() };
    if name != registry.large {
        return blob.clone().into_response();
    }
    let from = start(request.headers());
    if registry.note(if from > 0 { "the rest" } else { "large" }) == 0 && from == 0 {
        return broken(blob);
    }
    if from == 0 {
        return blob.clone().into_response();
    }
    let range = format!("bytes {from}-{}/{}", blob.len() - 1, blob.len());
    (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range)], blob[from..].to_vec()).into_response()
}

/// Where the asked range begins.
fn start(headers: &HeaderMap) -> usize {
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
    range.trim_start_matches("bytes=").split('-').next().and_then(|from| from.parse().ok()).unwrap_or(0)
}

/// Promises the whole and sends the half of it.
fn broken(blob: &[u8]) -> Response {
    let half = bytes::Bytes::copy_from_slice(&blob[..blob.len() / 2]);
    let parts = futures::stream::iter([Ok(half), Err(std::io::Error::other("the cable was pulled"))]);
    Response::builder().header(header::CONTENT_LENGTH, blob.len()).body(Body::from_stream(parts)).expect("an answer")
}

/// `cluster up` with a kind that does nothing once the image is here.
fn up(real: &Real, image: &str, home: &std::path::Path) -> Test {
    use std::os::unix::fs::PermissionsExt;
    let kind = home.join("kind");
    let script = "#!/bin/sh\n[ \"$1\" = version ] && echo 'kind v0.30.0 go1.24.6 linux/amd64' && exit\n\
                  echo 'ERROR: no more than the image was wanted'\nexit 1\n";
    std::fs::write(&kind, script).expect("written");
    std::fs::set_permissions(&kind, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let kind = kind.display().to_string();
    real.keywitness(&["cluster", "up", "kw-test-pull"], home)
        .env("KEYWITNESS_KIND", &kind)
        .env("KEYWITNESS_NODE_IMAGE", image)
}

#[test]
fn a_pull_that_breaks_off_is_taken_up_again_by_a_real_engine() {
    let docker = need_engine!(docker);
    let home = tempfile::tempdir().expect("a folder");
    let registry = Registry::new();
    let image = format!("127.0.0.1:{}/kw-test/node:v1.36.1", registry.serve());
    let done = up(docker, &image, home.path()).run().expect_exit(3);
    let said = done.stderr();
    assert!(said.contains(&format!("the pull of {image} broke off")) && said.contains("503"), "{said}");
    assert!(said.contains(&format!("· pulling {image}: ")), "{said}");
    assert!(said.lines().any(|line| line.starts_with("✓ image") && line.ends_with(", pulled")), "{said}");
    let asked = registry.asked.lock().expect("the questions").clone();
    // Whether it asks for the rest or for the whole again is the engine's choice.
    let layer = asked.iter().filter(|one| *one != "manifest").count();
    assert!(layer >= 2, "the layer that broke off is asked for again: {asked:?}");
    assert!(docker.engine(&["image", "rm", &image]).status.success(), "it is here");
    assert_eq!(docker.traces("kw-test-pull"), [""; 0]);
}

#[test]
fn on_a_terminal_each_layer_has_a_bar_that_fits() {
    let docker = need_engine!(docker);
    let home = tempfile::tempdir().expect("a folder");
    let registry = Registry::new();
    let image = format!("127.0.0.1:{}/kw-test/bars:v1.36.1", registry.serve());
    let columns = 60;
    let screen = on_a_terminal(&up(docker, &image, home.path()), columns);
    // One bar follows another without a line end between them.
    let begins = regex::Regex::new(r"[0-9a-f]{12} \[").expect("a regex");
    let starts: Vec<usize> = begins.find_iter(&screen).map(|found| found.start()).chain([screen.len()]).collect();
    let bars: Vec<_> = starts.windows(2).map(|pair| screen[pair[0]..pair[1]].lines().next().unwrap_or("")).collect();
    let ids: std::collections::BTreeSet<_> = bars.iter().filter_map(|bar| bar.split_whitespace().next()).collect();
    assert_eq!(ids.len(), 2, "{screen}");
    for bar in bars {
        assert!(console::measure_text_width(bar.trim_end()) <= columns.into(), "{bar:?}");
    }
    assert!(docker.engine(&["image", "rm", &image]).status.success(), "it is here");
}

/// All that a call of keywitness writes to a terminal of that width, without the sequences that move and colour.
fn on_a_terminal(test: &Test, columns: u16) -> String {
    let size = PtySize { rows: 24, cols: columns, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let wanted = test.command();
    let mut command = CommandBuilder::new(wanted.get_program());
    command.args(wanted.get_args());
    command.cwd(test.dir());
    for (name, value) in wanted.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        }
    }
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command).expect("it starts");
    drop(pair.slave);
    let mut screen = Vec::new();
    let mut reader = pair.master.try_clone_reader().expect("its output");
    let mut buffer = [0; 4096];
    // Linux reports the end of a PTY as an error.
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        screen.extend_from_slice(&buffer[..count]);
    }
    child.wait().expect("it ends");
    let text = String::from_utf8_lossy(&screen).replace("\u{1b}[1A", "\n").replace("\u{1b}[2K", "\n");
    console::strip_ansi_codes(&text).into_owned()
}
