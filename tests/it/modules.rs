//! Which module may import which: who may import whom, who may name tokio and bollard, and how long a file may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import, as the design lays down.
const MAY_IMPORT: &[(&str, &str)] = &[
    ("text", ""),
    ("expr", "text kube_cel kube_etcd_codec"),
    ("lab", "text expr"),
    ("parse", "text expr lab kube_etcd_codec"),
    ("journal", "text kube_etcd_codec"),
    ("grade", "text expr lab kube_etcd_codec journal outcome"),
    ("outcome", "text lab journal"),
    ("terminal", "text owned_processes"),
    ("cluster", "text lab owned_processes kube_sandbox"),
    // owned_processes: it runs `run` checks, etcdutl, and etcdctl in a pod.
    ("witness", "text kube_etcd_codec journal cluster owned_processes"),
    ("run", "text owned_processes expr lab kube_etcd_codec journal grade outcome terminal cluster witness"),
    ("learn", "text lab grade journal outcome"),
    (
        "session",
        "text owned_processes expr lab kube_etcd_codec journal grade outcome terminal cluster witness run learn",
    ),
    // terminal, owned_processes: its shells are on this side of the door.
    ("shell", "text owned_processes lab outcome terminal learn session"),
    // terminal, owned_processes: its shells are on this side of the session, and find what those of `shell` find.
    ("web", "text owned_processes lab outcome journal terminal learn session shell"),
    ("report", "text lab outcome"),
    ("author", "text expr lab parse kube_etcd_codec journal grade outcome terminal run report"),
    ("editor", "text expr lab parse kube_etcd_codec"),
    (
        "cli",
        "text owned_processes expr lab parse kube_cel kube_etcd_codec journal grade outcome terminal cluster witness \
         kube_sandbox run learn session shell web report author editor",
    ),
];

/// The crates beside the program: modules like its own as far as imports go.
const CRATES: &[&str] = &["kube_cel", "kube_etcd_codec", "kube_sandbox", "owned_processes"];

const MAY_NAME_TOKIO: &[&str] = &["terminal", "cluster", "witness", "run", "session", "shell", "web", "cli"];

const LONGEST_FILE: usize = 600;

#[derive(Debug, PartialEq, Eq)]
struct Breach {
    file: PathBuf,
    line: usize,
    what: String,
}

/// The source without comments and without each item under `#[cfg(test)]`, which may reach where it likes. Strings are
/// left as they are, and every line keeps its number.
fn without_comments_and_tests(source: &str) -> String {
    let mut kept = String::new();
    let mut test_item: Option<usize> = None;
    for line in source.lines() {
        let indent = line.len() - line.trim_start().len();
        if let Some(of_item) = test_item {
            let is_end = indent == of_item && line.trim_end().ends_with([';', '}']);
            test_item = test_item.filter(|_| !is_end);
        } else if line.trim() == "#[cfg(test)]" {
            test_item = Some(indent);
        } else {
            kept.push_str(line.split("//").next().unwrap_or(""));
        }
        kept.push('\n');
    }
    kept
}

/// The first names after `crate::` (groups too), and after as many `super::` as lead out of the module.
fn modules_named(source: &str, depth_in_module: usize) -> Vec<(usize, String)> {
    let out_of_module = "super::".repeat(depth_in_module + 1);
    let mut found = Vec::new();
    for marker in ["crate::", out_of_module.as_str()] {
        for (at, _) in source.match_indices(marker) {
            if source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
                continue;
            }
            let line = source[..at].matches('\n').count() + 1;
            let rest = &source[at + marker.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let mut depth = 0;
                let mut name = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push((line, first_name(&std::mem::take(&mut name)))),
                        _ => {}
                    }
                    if depth == 0 && c != ',' {
                        name.push(c);
                    }
                }
                found.push((line, first_name(&name)));
            } else {
                found.push((line, first_name(rest)));
            }
        }
    }
    for name in CRATES {
        for (at, _) in source.match_indices(name) {
            let alone = !source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
            if alone && source[at + name.len()..].starts_with("::") {
                found.push((source[..at].matches('\n').count() + 1, (*name).to_owned()));
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn breaches_of(module: &str, file: &Path, depth_in_module: usize, source: &str) -> Vec<Breach> {
    let breach = |line, what| Breach { file: file.to_owned(), line, what };
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
        return vec![breach(1, format!("`{module}` is not a module of the design"))];
    };
    let code = without_comments_and_tests(source);
    let mut breaches: Vec<_> = modules_named(&code, depth_in_module)
        .into_iter()
        .filter(|(_, name)| name != module && !allowed.split(' ').any(|one| one == name))
        .map(|(line, name)| breach(line, format!("`{module}` may not import `{name}`")))
        .collect();
    for (name, modules) in [("tokio", MAY_NAME_TOKIO), ("bollard", &["cluster"][..])] {
        if !modules.contains(&module)
            && let Some(at) = code.find(&format!("{name}::"))
        {
            breaches.push(breach(code[..at].matches('\n').count() + 1, format!("`{module}` may not name {name}")));
        }
    }
    breaches
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the folder is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Down to the tests at a file's end.
fn lines_aside_tests(source: &str) -> usize {
    without_comments_and_tests(source).trim_end().lines().count()
}

fn is_test_file(path: &Path) -> bool {
    let name = path.file_stem().and_then(|s| s.to_str()).unwrap_or("");
    name == "tests" || name.ends_with("_tests") || path.components().any(|c| c.as_os_str() == "tests")
}

fn source_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    for entry in fs::read_dir(root.join("crates")).expect("the crates are where the test looks") {
        rust_files(&entry.expect("an entry").path().join("src"), &mut files);
    }
    assert!(files.len() > 15, "the sources are where the test looks");
    files
}

#[test]
fn every_module_imports_only_what_the_design_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut breaches = Vec::new();
    let mut modules = BTreeSet::new();
    for file in source_files().into_iter().filter(|f| !is_test_file(f)) {
        // The compiler keeps the borders of the crates.
        let Ok(inside) = file.strip_prefix(&src) else { continue };
        let parts: Vec<_> = inside.components().filter_map(|c| c.as_os_str().to_str()).collect();
        let [module, rest @ ..] = parts.as_slice() else { continue };
        if rest.is_empty() {
            continue;
        }
        modules.insert((*module).to_owned());
        let is_mod = rest.last() == Some(&"mod.rs");
        let depth = rest.len() - usize::from(is_mod);
        breaches.extend(breaches_of(module, inside, depth, &fs::read_to_string(&file).expect("readable")));
    }
    assert!(modules.len() >= 13, "all modules were read: {modules:?}");
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn no_file_outgrows_its_module() {
    let long: Vec<_> = source_files()
        .into_iter()
        .filter(|f| !is_test_file(f))
        .map(|f| (lines_aside_tests(&fs::read_to_string(&f).expect("readable")), f))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST_FILE} lines, tests aside: {long:#?}");
}

#[test]
fn the_wall_test_sees_a_breach_however_it_is_written() {
    let whats = |module: &str, depth, source: &str| -> Vec<String> {
        breaches_of(module, Path::new("x.rs"), depth, source)
            .into_iter()
            .map(|b| format!("{}: {}", b.line, b.what))
            .collect()
    };
    assert_eq!(whats("text", 1, "\nuse crate::lab::Lab;"), ["2: `text` may not import `lab`"]);
    assert_eq!(
        whats("grade", 1, "use crate::{text::Span, run::{Plan, Clock}, lab};"),
        ["1: `grade` may not import `run`"]
    );
    assert_eq!(whats("grade", 1, "fn f() { kube_sandbox::start(); }"), ["1: `grade` may not import `kube_sandbox`"]);
    assert_eq!(whats("text", 1, "use super::super::journal;"), ["1: `text` may not import `journal`"]);
    assert_eq!(whats("text", 1, "use super::kinds; // crate::run"), Vec::<String>::new());
    assert_eq!(whats("parse", 1, "use tokio::io;"), ["1: `parse` may not name tokio"]);
    assert_eq!(whats("run", 1, "use bollard::Docker;"), ["1: `run` may not name bollard"]);
    assert_eq!(whats("attic", 1, ""), ["1: `attic` is not a module of the design"]);
    assert_eq!(whats("lab", 1, "#[cfg(test)]\nmod tests { use crate::run::Plan; }"), Vec::<String>::new());
    assert_eq!(whats("lab", 1, "#[cfg(test)]\nmod tests {\n    use crate::run::Plan;\n}\n"), Vec::<String>::new());
    for test_item in ["mod tests;", "use crate::run::{\n    Plan,\n};", "fn made() {\n    run();\n}"] {
        let source = format!("#[cfg(test)]\n{test_item}\nuse crate::session::Handle;");
        let line = source.lines().count();
        assert_eq!(whats("lab", 1, &source), [format!("{line}: `lab` may not import `session`")], "{test_item}");
    }
}
