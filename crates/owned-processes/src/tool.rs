use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where a program lies: `KEYWITNESS_<NAME>`, then PATH, then the private folder of the set-up script
/// (`KEYWITNESS_TOOLS`, by default `~/.local/share/keywitness/bin`).
pub fn tool(name: &str) -> Option<PathBuf> {
    if let Some(named) = variable(format!("KEYWITNESS_{}", name.to_uppercase())) {
        // Named and not there is not found: another one taken in its place would surprise.
        return Some(named).filter(|path| is_program(path));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(tools_folder()).map(|dir| dir.join(name)).find(|file| is_program(file))
}

/// The private folder of the set-up script, there or not.
pub fn tools_folder() -> Option<PathBuf> {
    variable("KEYWITNESS_TOOLS").or_else(|| {
        let data = variable("XDG_DATA_HOME").or_else(|| env::home_dir().map(|home| home.join(".local/share")))?;
        Some(data.join("keywitness/bin"))
    })
}

fn variable(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_and_other_files_are_not() {
        assert!(tool("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(tool("no-such-program-anywhere"), None);
        assert!(!is_program(Path::new("/etc/passwd")));
        assert!(!is_program(Path::new("/etc")));
    }
}
