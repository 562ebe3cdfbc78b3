//! The order of the modules, as `lib.rs` and the heads of folders tell it: every import is read, and one against the
//! order, or in a ring, fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, ItemFn, ItemMod, ItemUse, Macro, UseTree};

/// What talks to the API as its clients, so that it runs against a real server too, and what they may import.
const CLIENTS: [&str; 3] = ["controllers", "agent", "runtime"];
const OF_CLIENTS: [&str; 10] =
    ["version", "addresses", "panic", "pki", "error", "client", "cron", "object", "runtime", "agent"];

/// The paths that a file names below the crate, each with its line; tests aside.
#[derive(Default)]
struct Imports {
    module: Vec<String>,
    depth: usize,
    found: Vec<(usize, Vec<String>)>,
}

impl Imports {
    fn of(module: &[String], source: &str) -> Vec<(usize, Vec<String>)> {
        let mut imports = Self { module: module.to_vec(), ..Self::default() };
        imports.visit_file(&syn::parse_file(source).expect("the file is Rust"));
        imports.found
    }

    /// Keeps a path that begins at the crate's root or leads there.
    fn path(&mut self, line: usize, names: &[String]) {
        let ups = names.iter().take_while(|name| *name == "super").count();
        let base = match names.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("super") if ups > self.depth => self.module[..self.module.len() + self.depth - ups].to_vec(),
            _ => return,
        };
        let rest = names[ups.max(1)..].iter().cloned();
        self.found.push((line, base.into_iter().chain(rest).collect()));
    }

    fn tree(&mut self, line: usize, before: &[String], tree: &UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.tree(line, &with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) => self.path(line, &with(name.ident.to_string())),
            UseTree::Rename(name) => self.path(line, &with(name.ident.to_string())),
            UseTree::Glob(_) => self.path(line, before),
            UseTree::Group(group) => group.items.iter().for_each(|inner| self.tree(line, before, inner)),
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|one| {
        one.path().is_ident("test")
            || (one.path().is_ident("cfg") && one.parse_args::<syn::Ident>().is_ok_and(|name| name == "test"))
    })
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            self.depth += 1;
            visit::visit_item_mod(self, item);
            self.depth -= 1;
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_test(&item.attrs) {
            self.tree(item.use_token.span.start().line, &[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.path(line, &names);
        visit::visit_path(self, path);
    }

    /// What a macro is given is not parsed, but its paths are words with `::` between them.
    fn visit_macro(&mut self, item: &'ast Macro) {
        let text = item.tokens.to_string().replace(" :: ", "::");
        let line = item.path.segments.first().map_or(0, |first| first.ident.span().start().line);
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            let names: Vec<String> = word.split("::").map(str::to_owned).collect();
            if names.len() > 1 {
                self.path(line, &names);
            }
        }
        visit::visit_macro(self, item);
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The modules by their paths below the crate (its root is the empty one), each with its source.
fn modules() -> BTreeMap<Vec<String>, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let module = |file: &Path| {
        let inside = file.strip_prefix(&src).expect("it lies in src").with_extension("");
        let mut names: Vec<String> =
            inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        if names.last().is_some_and(|last| last == "mod" || last == "lib") {
            names.pop();
        }
        names
    };
    let is_test = |names: &[String]| names.iter().any(|name| name == "tests" || name.ends_with("_tests"));
    let all = files.iter().map(|file| (module(file), file)).filter(|(names, _)| !is_test(names));
    all.map(|(names, file)| (names, fs::read_to_string(file).expect("readable"))).collect()
}

/// The names in the block of text of a module's own documentation, from the lowest to the highest.
fn declared_order(source: &str) -> Vec<String> {
    let after = source.lines().skip_while(|line| *line != "//! ```text").skip(1);
    let block = after.take_while(|line| *line != "//! ```").map(|line| line.trim_start_matches("//!"));
    block.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// Whatever is imported against the order of `folder`'s modules, and rings among them.
fn breaches(folder: &[String], modules: &BTreeMap<Vec<String>, String>) -> Vec<String> {
    let order = declared_order(&modules[folder]);
    let level = folder.len();
    let place = |name: &str| order.iter().position(|known| known == name);
    let mut wrong = Vec::new();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, source) in modules.iter().filter(|(module, _)| module.len() > level && module.starts_with(folder)) {
        let here = &module[level];
        for (line, path) in Imports::of(module, source) {
            if path.len() <= level || !path.starts_with(folder) || path[level] == *here {
                continue;
            }
            let there = &path[level];
            let place_of_it = [folder, std::slice::from_ref(there)].concat();
            let at = format!("{}:{line}: `{here}` imports `{there}`", module.join("/"));
            if !modules.contains_key(&place_of_it) {
                // An item of the folder's own file: of the crate's root there is none that a module may need.
                if level == 0 {
                    wrong.push(format!("{at} from the crate's root"));
                }
                continue;
            }
            if !order.is_empty() && place(there) >= place(here) {
                wrong.push(format!("{at}, which stands after it"));
            }
            if level == 0 && CLIENTS.contains(&here.as_str()) && !OF_CLIENTS.contains(&there.as_str()) {
                wrong.push(format!("{at}, and is a client of the API"));
            }
            edges.entry(here.clone()).or_default().insert(there.clone());
        }
    }
    wrong.extend(ring(&edges).map(|ring| format!("{}: a ring: {}", folder.join("/"), ring.join(" -> "))));
    wrong
}

/// A ring among modules, if there is one.
fn ring(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn walk(
        at: &str,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
        edges: &BTreeMap<String, BTreeSet<String>>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|one| one == at) {
            return Some([&way[start..], &[at.to_owned()]].concat());
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        way.push(at.to_owned());
        let found = edges.get(at).into_iter().flatten().find_map(|next| walk(next, way, done, edges));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|start| walk(start, &mut Vec::new(), &mut done, edges))
}

#[test]
fn every_import_keeps_to_the_order() {
    let modules = modules();
    let folders: BTreeSet<Vec<String>> =
        modules.keys().filter(|module| !module.is_empty()).map(|module| module[..module.len() - 1].to_vec()).collect();
    assert!(modules.len() > 200 && folders.len() > 15, "the sources are where the test looks");
    let wrong: Vec<String> = folders.iter().flat_map(|folder| breaches(folder, &modules)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A module that stands in no list would be free to import what it likes.
#[test]
fn the_orders_name_every_module() {
    let modules = modules();
    let ordered: Vec<_> = modules.iter().filter(|(_, source)| !declared_order(source).is_empty()).collect();
    assert!(ordered.iter().any(|(module, _)| module.is_empty()), "lib.rs tells the order");
    for (folder, source) in ordered {
        let is_child = |module: &&Vec<String>| module.len() == folder.len() + 1 && module.starts_with(folder);
        let there: BTreeSet<String> =
            modules.keys().filter(is_child).map(|module| module[folder.len()].clone()).collect();
        let named: BTreeSet<String> = declared_order(source).into_iter().collect();
        assert_eq!(named, there, "{}", folder.join("/"));
    }
}

#[test]
fn an_import_is_seen_however_it_is_written() {
    let seen = |module: &[&str], source: &str| -> Vec<String> {
        let module: Vec<String> = module.iter().map(ToString::to_string).collect();
        let found = Imports::of(&module, source);
        found.into_iter().map(|(line, path)| format!("{line}: {}", path.join("::"))).collect()
    };
    assert_eq!(seen(&["a"], "\nuse crate::{b::C, d};"), ["2: b::C", "2: d"]);
    assert_eq!(seen(&["a", "b"], "use super::c::*;\nuse super::super::d as e;"), ["1: a::c", "2: d"]);
    assert_eq!(seen(&["a"], "fn f() -> crate::b::C { crate::d::e(super::g::H) }"), ["1: b::C", "1: d::e", "1: g::H"]);
    assert_eq!(seen(&["a"], "fn f() {\n json!({\"x\": crate::b::c(), y: z::q});\n}"), ["2: b::c"]);
    assert_eq!(seen(&["a"], "mod inner { use super::own; use super::super::b; }"), ["1: b"]);
    assert_eq!(seen(&["a"], "#[cfg(test)]\nmod tests { use crate::b; }\n#[test]\nfn f() { crate::b(); }"), [""; 0]);
}

#[test]
fn breaches_and_rings_are_found() {
    let tree = |files: &[(&str, &str)]| -> BTreeMap<Vec<String>, String> {
        let path = |module: &str| module.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        files.iter().map(|(module, source)| (path(module), (*source).to_owned())).collect()
    };
    let order = "//! ```text\n//! a b\n//! c\n//! ```\n";
    let all = tree(&[("", order), ("a", "use crate::c::X;"), ("b", "use crate::a;"), ("c", "use crate::b::Y;")]);
    assert_eq!(breaches(&[], &all), ["a:1: `a` imports `c`, which stands after it", ": a ring: a -> c -> b -> a"]);
    let all = tree(&[("x", ""), ("x/a", "use super::b;"), ("x/b", "use crate::x::a::f;"), ("", "")]);
    assert_eq!(breaches(&["x".to_owned()], &all), ["x: a ring: a -> b -> a"]);
    let all = tree(&[
        ("", "//! ```text\n//! store controllers\n//! ```"),
        ("store", ""),
        ("controllers", "use crate::store;"),
    ]);
    assert_eq!(breaches(&[], &all), ["controllers:1: `controllers` imports `store`, and is a client of the API"]);
    let all = tree(&[("", "//! ```text\n//! a\n//! ```"), ("a", "use crate::Item;")]);
    assert_eq!(breaches(&[], &all), ["a:1: `a` imports `Item` from the crate's root"]);
}
