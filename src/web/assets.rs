//! The page's own files, inside the binary. Nothing of a lab is in them, so that they need no secret.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, StatusCode, header};

use super::answer::Failure;
use crate::text::sha256;

struct Raw {
    name: &'static str,
    bytes: &'static [u8],
    is_gzipped: bool,
}

macro_rules! asset {
    ($name:literal) => {
        Raw { name: $name, bytes: include_bytes!(concat!("assets/", $name)), is_gzipped: false }
    };
}

/// Committed as `NAME.gz`.
macro_rules! gzipped {
    ($name:literal) => {
        Raw { name: $name, bytes: include_bytes!(concat!("assets/", $name, ".gz")), is_gzipped: true }
    };
}

/// Every file of `assets/`.
const RAW: &[Raw] = &[
    gzipped!("addon-fit.mjs"),
    gzipped!("addon-web-links.mjs"),
    asset!("api.mjs"),
    asset!("base.css"),
    asset!("changes.mjs"),
    asset!("course.css"),
    asset!("course.mjs"),
    asset!("dialog.mjs"),
    asset!("dom.mjs"),
    asset!("handout.mjs"),
    asset!("icon.svg"),
    asset!("index.html"),
    asset!("keys.mjs"),
    asset!("lab.css"),
    asset!("lab.html"),
    asset!("lab.mjs"),
    asset!("object.mjs"),
    asset!("print.css"),
    asset!("session.mjs"),
    asset!("settings.mjs"),
    asset!("split.mjs"),
    asset!("terminal.mjs"),
    asset!("terminals.mjs"),
    asset!("text.mjs"),
    asset!("timeline-layout.mjs"),
    asset!("timeline.mjs"),
    asset!("witness.css"),
    asset!("witness.mjs"),
    asset!("xterm-styles.mjs"),
    asset!("xterm.LICENSE.txt"),
    gzipped!("xterm.css"),
    gzipped!("xterm.mjs"),
];

struct Asset {
    gzip: Vec<u8>,
    kind: &'static str,
    tag: String,
}

static ASSETS: LazyLock<BTreeMap<&'static str, Asset>> =
    LazyLock::new(|| RAW.iter().map(|raw| (raw.name, Asset::of(raw.name, raw.bytes, raw.is_gzipped))).collect());

impl Asset {
    fn of(name: &str, bytes: &[u8], is_gzipped: bool) -> Self {
        let gzip = if is_gzipped { bytes.to_vec() } else { gzip(bytes) };
        let tag = format!("\"{}\"", &sha256(&gzip)[..24]);
        Self { gzip, kind: kind(name), tag }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let asked =
            |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Another version of this program has other files under the same names.
        let same = [(header::ETAG, self.tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
        if asked(header::IF_NONE_MATCH).split(',').any(|tag| tag.trim().trim_start_matches("W/") == self.tag) {
            return (StatusCode::NOT_MODIFIED, same).into_response();
        }
        let typed = [(header::CONTENT_TYPE, self.kind), (header::VARY, "accept-encoding")];
        let takes_gzip = asked(header::ACCEPT_ENCODING)
            .split(',')
            .any(|coding| coding.trim().split(';').next() == Some("gzip") && !coding.replace(' ', "").ends_with("q=0"));
        if takes_gzip {
            return (same, typed, [(header::CONTENT_ENCODING, "gzip")], self.gzip.clone()).into_response();
        }
        let mut plain = Vec::new();
        match GzDecoder::new(self.gzip.as_slice()).read_to_end(&mut plain) {
            Ok(_) => (same, typed, plain).into_response(),
            Err(error) => Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Into memory, which takes everything.
    drop(encoder.write_all(bytes));
    encoder.finish().unwrap_or_default()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "mjs" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "woff2" => "font/woff2",
        _ => "text/plain; charset=utf-8",
    }
}

pub(super) async fn course(headers: HeaderMap) -> Response {
    served("index.html", &headers)
}

pub(super) async fn lab(headers: HeaderMap) -> Response {
    served("lab.html", &headers)
}

pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    served(&name, &headers)
}

fn served(name: &str, headers: &HeaderMap) -> Response {
    match found(name) {
        Some(asset) => asset.answer(headers),
        None => Failure::missing("file").into_response(),
    }
}

/// Only what the table names, which no path can leave.
fn found(name: &str) -> Option<Cow<'static, Asset>> {
    #[cfg(debug_assertions)]
    if let Some(asset) = from_folder(name) {
        return Some(Cow::Owned(asset));
    }
    ASSETS.get(name).map(Cow::Borrowed)
}

impl Clone for Asset {
    fn clone(&self) -> Self {
        Self { gzip: self.gzip.clone(), kind: self.kind, tag: self.tag.clone() }
    }
}

/// For whoever works on the page: its files as they are now, without a build.
#[cfg(debug_assertions)]
fn from_folder(name: &str) -> Option<Asset> {
    let folder = std::path::PathBuf::from(std::env::var_os("KEYWITNESS_WEB_ASSETS")?);
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !name.starts_with('.');
    if !is_name {
        return None;
    }
    if let Ok(bytes) = std::fs::read(folder.join(name)) {
        return Some(Asset::of(name, &bytes, false));
    }
    std::fs::read(folder.join(format!("{name}.gz"))).ok().map(|bytes| Asset::of(name, &bytes, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_the_table_and_no_other() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/assets");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .map(|name| name.strip_suffix(".gz").map_or(name.clone(), str::to_owned))
            .collect();
        there.sort();
        let mut named: Vec<&str> = RAW.iter().map(|raw| raw.name).collect();
        named.sort_unstable();
        assert_eq!(there, named);
    }

    #[test]
    fn a_file_comes_compressed_or_not_and_is_not_sent_twice() {
        let mut headers = HeaderMap::new();
        let plain = served("index.html", &headers);
        assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
        headers.insert(header::ACCEPT_ENCODING, "br, gzip".parse().expect("a value"));
        let gzip = served("index.html", &headers);
        assert_eq!(gzip.headers()[header::CONTENT_ENCODING], "gzip");
        headers.insert(header::IF_NONE_MATCH, gzip.headers()[header::ETAG].clone());
        assert_eq!(served("index.html", &headers).status(), StatusCode::NOT_MODIFIED);
        for name in ["../secret.rs", "index.html/", "", ".", "x"] {
            assert_eq!(served(name, &headers).status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}
