//! The table of what well-known images hold.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::shell::Programs;

const TABLE: &str = include_str!("images.yaml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    tools: BTreeMap<String, String>,
    images: BTreeMap<String, Entry>,
    official: String,
    registries: String,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    versions: Vec<String>,
    tags: Vec<String>,
    latest: Option<bool>,
    variants: Vec<String>,
    base: String,
    programs: Vec<String>,
    serves: Vec<String>,
    entry: Vec<String>,
    run: Vec<String>,
    listens: Vec<i64>,
    grpc: Vec<i64>,
    user: i64,
    ends: i32,
    needs: Option<Needs>,
}

/// Variables of which a server demands one, and what it says without.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Needs {
    pub(crate) any: Vec<String>,
    pub(crate) says: String,
}

/// What an image is known to hold.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) programs: Programs,
    pub(crate) entry: Vec<String>,
    pub(crate) run: Vec<String>,
    pub(crate) listens: Vec<i64>,
    pub(crate) grpc: Vec<i64>,
    pub(crate) user: i64,
    pub(crate) ends: i32,
    pub(crate) needs: Option<Needs>,
}

struct Known {
    entry: Entry,
    own: Arc<Facts>,
    /// The same for its variants that are built on alpine.
    alpine: Arc<Facts>,
}

struct Images {
    known: BTreeMap<String, Known>,
    official: HashSet<String>,
    registries: HashSet<String>,
}

fn images() -> &'static Images {
    static IMAGES: OnceLock<Images> = OnceLock::new();
    IMAGES.get_or_init(|| {
        // The table is a part of the program; that it is right is tested.
        let table: Table = serde_saphyr::from_str(TABLE).unwrap_or_else(|error| panic!("images.yaml: {error}"));
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<HashSet<_>>();
        let facts = |entry: &Entry, base: &str| {
            let mut listed: HashSet<String> = entry.programs.iter().chain(&entry.serves).cloned().collect();
            let bases: &[&str] = match base {
                "busybox" => &["busybox"],
                "alpine" => &["busybox", "alpine"],
                "debian" => &["debian"],
                _ => &[],
            };
            for base in bases {
                listed.extend(words(table.tools.get(*base).map_or("", String::as_str)));
            }
            Arc::new(Facts {
                programs: Programs {
                    listed: Some(Arc::new(listed)),
                    servers: entry.serves.clone(),
                    busybox: bases.contains(&"busybox"),
                },
                entry: entry.entry.clone(),
                run: entry.run.clone(),
                listens: entry.listens.clone(),
                grpc: entry.grpc.clone(),
                user: entry.user,
                ends: entry.ends,
                needs: entry.needs.clone(),
            })
        };
        let known = table.images.iter().map(|(name, entry)| {
            let (own, alpine) = (facts(entry, &entry.base), facts(entry, "alpine"));
            (name.clone(), Known { entry: entry.clone(), own, alpine })
        });
        Images { known: known.collect(), official: words(&table.official), registries: words(&table.registries) }
    })
}

/// What a name and its tag are to the table.
#[derive(Debug, Clone)]
pub(crate) enum Listed {
    Known(Arc<Facts>),
    /// The image is known, and has no such tag.
    NoSuchTag,
    /// It is there, but what it holds is not known.
    There,
    /// Docker Hub's own library has no such image.
    NoSuchImage,
    /// Its registry is known, it is not.
    Unknown,
    UnknownRegistry,
}

/// `name` is the whole path, with its registry; a digest stands for no tag.
pub(crate) fn look_up(host: &str, path: &str, tag: Option<&str>) -> Listed {
    // Where Kubernetes' own images were before.
    let (host, path) = match (host, path.split_once('/')) {
        ("k8s.gcr.io", _) => ("registry.k8s.io", path),
        ("gcr.io", Some(("google-containers" | "google_containers", rest))) => ("registry.k8s.io", rest),
        // Mirrors of Docker Hub's own library.
        ("public.ecr.aws", Some(("docker", rest))) if rest.starts_with("library/") => ("docker.io", rest),
        ("public.ecr.aws", Some(("nginx", "nginx"))) => ("docker.io", "library/nginx"),
        ("mirror.gcr.io", Some(("library", _))) => ("docker.io", path),
        _ => (host, path),
    };
    let library = path.strip_prefix("library/").filter(|_| host == "docker.io");
    let name = match (host, library) {
        ("docker.io", Some(name)) => name.to_owned(),
        ("docker.io", None) => path.to_owned(),
        _ => format!("{host}/{path}"),
    };
    if let Some(known) = images().known.get(&name) {
        let Some(tag) = tag else { return Listed::Known(Arc::clone(&known.own)) };
        return match known.entry.variant(tag) {
            None => Listed::NoSuchTag,
            Some(alpine) => Listed::Known(Arc::clone(if alpine { &known.alpine } else { &known.own })),
        };
    }
    match library {
        Some(name) if images().official.contains(name) => Listed::There,
        Some(_) => Listed::NoSuchImage,
        None if images().registries.contains(host) => Listed::Unknown,
        None => Listed::UnknownRegistry,
    }
}

impl Entry {
    /// Whether there is such a tag, and whether it is one of alpine's.
    fn variant(&self, tag: &str) -> Option<bool> {
        if tag == "latest" && self.latest != Some(false) || self.tags.iter().any(|known| known == tag) {
            return Some(tag.contains("alpine"));
        }
        let mut parts = tag.split('-');
        let first = parts.next()?;
        let is_variant = |part: &str| {
            let stem = |known: &String| {
                part == known
                    || part
                        .strip_prefix(known.as_str())
                        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
            };
            self.variants.iter().any(stem)
        };
        let begins = is_variant(first)
            || self.versions.iter().any(|range| within(range, first))
            || self.tags.iter().any(|known| known == first);
        (begins && parts.all(is_variant)).then(|| tag.contains("alpine"))
    }
}

fn numbers(text: &str) -> Option<Vec<u32>> {
    let parts: Option<Vec<u32>> = text
        .split('.')
        .map(|part| {
            let plain = !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse().ok()).flatten()
        })
        .collect();
    parts.filter(|parts| parts.len() <= 4)
}

/// Whether a version is in a range: as exact as the range, or shorter, or with patches that may be.
fn within(range: &str, version: &str) -> bool {
    let (low, high) = range.split_once('-').unwrap_or((range, range));
    let (Some(low), Some(high), Some(version)) = (numbers(low), numbers(high), numbers(version)) else { return false };
    let length = low.len().min(version.len());
    let patches = version.iter().skip(low.len()).all(|part| *part < 100 || *part > 20_000_000);
    patches && low[..length] <= version[..length] && version[..length] <= high[..length.min(high.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nginx(tag: &str) -> bool {
        matches!(look_up("docker.io", "library/nginx", Some(tag)), Listed::Known(_))
    }

    #[test]
    fn every_entry_of_the_table_can_be_used() {
        for (name, known) in &images().known {
            assert!(["busybox", "alpine", "debian", "none"].contains(&known.entry.base.as_str()), "{name}: base");
            for range in &known.entry.versions {
                let (low, high) = range.split_once('-').unwrap_or_else(|| panic!("{name}: {range}"));
                assert!(within(range, low) && within(range, high), "{name}: {range}");
            }
            if let Some(first) = known.own.entry.first().or(known.own.run.first()) {
                let bare = first.starts_with("perl5");
                assert!(bare || known.own.programs.has(first) == Some(true), "{name}: {first} is not in it");
            }
            for part in [&known.entry.variants, &known.entry.tags] {
                assert!(part.iter().all(|word| !word.is_empty()), "{name}");
            }
        }
        assert!(images().known.len() > 50 && images().official.len() > 100);
    }

    #[test]
    fn tags_that_exist_are_told_from_those_that_do_not() {
        assert!(matches!(look_up("gcr.io", "google_containers/busybox", Some("1.27.2")), Listed::Known(_)));
        assert!(matches!(look_up("public.ecr.aws", "docker/library/nginx", Some("1.27")), Listed::Known(_)));
        assert!(matches!(look_up("public.ecr.aws", "nginx/nginx", Some("1.161")), Listed::NoSuchTag));
        for tag in [
            "latest",
            "1",
            "1.27",
            "1.14.2",
            "1.7.9",
            "alpine",
            "1.27-alpine",
            "stable-alpine",
            "1.27.3-alpine3.20-slim",
            "mainline",
        ] {
            assert!(nginx(tag), "{tag}");
        }
        for tag in
            ["1.161", "1.91", "999", "v1", "does-not-exist", "1.27-alpin", "latestt", "1.", "", "1.27.1000", "2.0"]
        {
            assert!(!nginx(tag), "{tag}");
        }
    }

    #[test]
    fn a_mistyped_image_is_none() {
        let of = |host: &str, path: &str| look_up(host, path, Some("latest"));
        assert!(matches!(of("docker.io", "library/ngnix"), Listed::NoSuchImage));
        assert!(matches!(of("docker.io", "library/ghost"), Listed::There));
        assert!(matches!(of("docker.io", "somebody/app"), Listed::Unknown));
        assert!(matches!(of("registry.example.org", "a"), Listed::UnknownRegistry));
        assert!(matches!(look_up("k8s.gcr.io", "pause", Some("3.2")), Listed::Known(_)));
    }
}
