//! Pictures of a lab, from its own folder and from nowhere else.

use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path as File, PathBuf};

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::header;
use nix::fcntl::OFlag;
use serde::Deserialize;

use super::answer::{Answered, Failure};
use super::sessions::Shared;

const LARGEST: u64 = 8 << 20;
/// Of an SVG that is opened by itself: no script of it runs, and it loads nothing.
const SEALED: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'";

#[derive(Deserialize)]
pub(super) struct Which {
    path: String,
}

pub(super) async fn picture(
    State(state): Shared,
    Path(id): Path<String>,
    Query(Which { path }): Query<Which>,
) -> Answered {
    let live = state.hosted.get(&id)?.live()?;
    let dir = live.lab.dir.clone();
    let read = tokio::task::spawn_blocking(move || read(&dir, &path)).await;
    let (kind, bytes) = read.ok().flatten().ok_or_else(|| Failure::missing("picture"))?;
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, SEALED)], bytes).into_response())
}

pub(super) fn read(dir: &File, path: &str) -> Option<(&'static str, Vec<u8>)> {
    let (kind, file) = (kind(path)?, found(dir, path)?);
    // A pipe would never end, and nothing is followed any more.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let open = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(file).ok()?;
    let metadata = open.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return None;
    }
    let mut bytes = Vec::new();
    open.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some((kind, bytes))
}

/// Where it really lies, if that is in the lab's folder.
fn found(dir: &File, path: &str) -> Option<PathBuf> {
    let plain = |part: Component<'_>| match part {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        Component::CurDir => true,
        Component::ParentDir | Component::RootDir | Component::Prefix(_) => false,
    };
    let path = File::new(path);
    if !path.components().all(plain) {
        return None;
    }
    let dir = if dir.as_os_str().is_empty() { File::new(".") } else { dir };
    let (dir, file) = (dir.canonicalize().ok()?, dir.join(path).canonicalize().ok()?);
    file.starts_with(&dir).then_some(file)
}

fn kind(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_pictures_of_the_labs_own_folder_are_read() {
        let outer = tempfile::tempdir().expect("a folder");
        let lab = outer.path().join("lab");
        std::fs::create_dir_all(lab.join("img/.git")).expect("folders");
        for file in ["out.png", "lab/in.png", "lab/img/a b.svg", "lab/notes.txt", "lab/img/.git/x.png", "lab/.x.png"] {
            std::fs::write(outer.path().join(file), "x").expect("written");
        }
        symlink(outer.path().join("out.png"), lab.join("link.png")).expect("a link");
        symlink(outer.path(), lab.join("up")).expect("a link");
        symlink(lab.join("in.png"), lab.join("inner.png")).expect("a link");
        std::fs::create_dir(lab.join("folder.png")).expect("a folder");
        nix::unistd::mkfifo(&lab.join("pipe.png"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        for (path, kind) in [
            ("in.png", Some("image/png")),
            ("./img/a b.svg", Some("image/svg+xml")),
            ("inner.png", Some("image/png")),
            ("notes.txt", None),
            ("../out.png", None),
            ("img/../../out.png", None),
            ("/etc/hostname.png", None),
            ("link.png", None),
            ("up/out.png", None),
            ("img/.git/x.png", None),
            (".x.png", None),
            ("folder.png", None),
            ("pipe.png", None),
            ("missing.png", None),
            ("", None),
            ("in.png\0", None),
        ] {
            assert_eq!(read(&lab, path).map(|(kind, _)| kind), kind, "{path:?}");
        }
        std::fs::write(lab.join("large.png"), vec![0; 8 << 20 | 1]).expect("written");
        assert!(read(&lab, "large.png").is_none());
    }
}
