//! What a command finds around it: its variables, its files, and the cluster that it is in.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::files::Files;

/// Programs by name; what is not in the list is not in an image that is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Programs {
    /// `None`: the image is not known, anything may be in it.
    pub(crate) listed: Option<std::sync::Arc<std::collections::HashSet<String>>>,
    /// Those that go on until they are stopped.
    pub(crate) servers: Vec<String>,
    /// Its plain tools are busybox's: other words, other statuses.
    pub(crate) busybox: bool,
}

/// Where programs lie.
const PLACES: [&str; 6] = ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"];

impl Programs {
    /// A program by its bare name or its path; `None` where nobody knows.
    pub(crate) fn has(&self, program: &str) -> Option<bool> {
        let listed = self.listed.as_ref()?;
        let bare = PLACES.iter().find_map(|place| program.strip_prefix(place)).unwrap_or(program);
        Some(listed.contains(program) || listed.contains(bare) && !bare.contains('/'))
    }

    pub(crate) fn serves(&self, program: &str) -> bool {
        self.servers.iter().any(|server| server == program || server.rsplit('/').next() == Some(name_of(program)))
    }
}

pub(crate) fn name_of(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) host: String,
    pub(crate) programs: Programs,
    pub(crate) files: Files,
    pub(crate) folder: String,
    pub(crate) user: i64,
    pub(crate) group: i64,
    /// Besides that one.
    pub(crate) groups: Vec<i64>,
    /// What it is in, where it is in one.
    pub(crate) cluster: Option<std::sync::Arc<dyn Cluster>>,
    /// The image by the name that the container has for it.
    pub(crate) image: String,
    /// When the command starts, and up to when is known what happens elsewhere; in milliseconds since 1970.
    pub(crate) start: i64,
    pub(crate) now: i64,
    /// The same for each look at one start, other for another.
    pub(crate) seed: u64,
    /// A program that is not known is taken to do its work and end, and not to serve.
    pub(crate) once: bool,
    /// Somebody may type into it.
    pub(crate) open: bool,
    /// In bytes.
    pub(crate) memory: Option<i64>,
    /// When it is told to stop (SIGTERM), where it is.
    pub(crate) stopped: Option<i64>,
}
