use std::ffi::OsStr;
use std::path::PathBuf;

/// Where a program of ours remembers things between its calls: `KEYWITNESS_STATE`, then
/// `$XDG_STATE_HOME/keywitness`, then the system's own place for this user; there or not.
pub fn state_folder() -> PathBuf {
    folder(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from), std::env::home_dir())
}

fn folder(variable: impl Fn(&OsStr) -> Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
    if let Some(named) = variable(OsStr::new("KEYWITNESS_STATE")) {
        return std::path::absolute(&named).unwrap_or(named);
    }
    let of_system = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/state" };
    // By the rule of that variable, one that is not absolute does not count.
    let state = variable(OsStr::new("XDG_STATE_HOME")).filter(|dir| dir.is_absolute());
    state.or_else(|| home.map(|home| home.join(of_system))).unwrap_or_else(std::env::temp_dir).join("keywitness")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_folder_then_the_users_then_the_systems() {
        let with = |vars: &[(&str, &str)]| {
            let vars: Vec<(String, PathBuf)> =
                vars.iter().map(|(name, value)| ((*name).to_owned(), PathBuf::from(value))).collect();
            folder(
                |name| vars.iter().find(|(known, _)| name == known.as_str()).map(|(_, value)| value.clone()),
                Some("/home/x".into()),
            )
        };
        assert_eq!(with(&[("KEYWITNESS_STATE", "/k"), ("XDG_STATE_HOME", "/s")]), PathBuf::from("/k"));
        assert_eq!(with(&[("XDG_STATE_HOME", "/s")]), PathBuf::from("/s/keywitness"));
        assert!(with(&[("XDG_STATE_HOME", "relative")]).starts_with("/home/x"));
        assert!(with(&[("KEYWITNESS_STATE", "relative")]).is_absolute());
    }
}
