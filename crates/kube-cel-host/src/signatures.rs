//! The signatures of all functions, read once from `functions.txt`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::types::Type;

/// A set of functions that an environment may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// What every expression of Kubernetes has.
    Standard,
    /// Asking who may do what, which every expression of Kubernetes has too; few have somebody to ask.
    Authorizer,
    /// What the expressions of mutating policies have besides.
    Patches,
    /// `base64.encode` and `base64.decode`, which Kubernetes does not have.
    Encoders,
}

/// One way to call a function.
#[derive(Debug, PartialEq, Eq)]
pub struct Overload {
    /// cel-go's name of the overload: `size_list`.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// Whether the first parameter stands before the dot.
    pub member: bool,
    /// The receiver first, if it has one.
    pub parameters: Vec<Type>,
    /// The type of what it gives.
    pub result: Type,
    /// The library that it belongs to.
    pub library: Library,
}

/// The formats that `format.NAME()` and `format.named('NAME')` know.
pub(crate) const FORMATS: &[&str] = &[
    "byte",
    "date",
    "datetime",
    "dns1035Label",
    "dns1035LabelPrefix",
    "dns1123Label",
    "dns1123LabelPrefix",
    "dns1123Subdomain",
    "dns1123SubdomainPrefix",
    "labelValue",
    "qualifiedName",
    "uri",
    "uuid",
];

const COMPARABLE: &[&str] = &["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"];

/// All functions by name, in the order in which they are declared.
static TABLE: LazyLock<HashMap<String, Vec<Arc<Overload>>>> = LazyLock::new(|| {
    let mut table: HashMap<String, Vec<Arc<Overload>>> = HashMap::new();
    let mut library = Library::Standard;
    let mut add = |overload: Overload| table.entry(overload.name.clone()).or_default().push(Arc::new(overload));
    for line in include_str!("functions.txt").lines() {
        match line {
            "[standard]" => library = Library::Standard,
            "[authorizer]" => library = Library::Authorizer,
            "[patches]" => library = Library::Patches,
            "[encoders]" => library = Library::Encoders,
            _ if line.starts_with('#') => {}
            _ => add(read(line, library)),
        }
    }
    let mut standard = |line: String| add(read(&line, Library::Standard));
    for (name, plain) in [("less", "_<_"), ("less_equals", "_<=_"), ("greater", "_>_"), ("greater_equals", "_>=_")] {
        for of in COMPARABLE {
            standard(format!("{name}_{of} = {plain}({of}, {of}) -> bool"));
        }
        for (one, other) in [
            ("int", "double"),
            ("int", "uint"),
            ("uint", "double"),
            ("uint", "int"),
            ("double", "int"),
            ("double", "uint"),
        ] {
            standard(format!("{name}_{one}_{other} = {plain}({one}, {other}) -> bool"));
        }
    }
    for of in COMPARABLE {
        standard(format!("list_{of}_is_sorted_bool = <list({of})>.isSorted() -> bool"));
        standard(format!("list_{of}_max_{of} = <list({of})>.max() -> {of}"));
        standard(format!("list_{of}_min_{of} = <list({of})>.min() -> {of}"));
        standard(format!("list_{of}_sort = <list({of})>.sort() -> list({of})"));
        standard(format!("list_{of}_sortByAssociatedKeys = <list(T)>.@sortByAssociatedKeys(list({of})) -> list(T)"));
    }
    for of in ["int", "uint", "double", "duration"] {
        standard(format!("list_{of}_sum_{of} = <list({of})>.sum() -> {of}"));
    }
    for format in FORMATS {
        standard(format!("format.{format} = format.{format}() -> kubernetes.NamedFormat"));
    }
    table
});

/// The ways to call the function of this name.
pub fn overloads(name: &str) -> &'static [Arc<Overload>] {
    TABLE.get(name).map_or(&[], Vec::as_slice)
}

/// The functions of these libraries that an author writes by name, sorted: once as `f(x)`, once as `x.f()`.
pub fn names(libraries: &[Library], member: bool) -> Vec<&'static str> {
    let has = |one: &Arc<Overload>| one.member == member && libraries.contains(&one.library);
    let written = |name: &&str| name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('@');
    let mut names: Vec<&'static str> =
        TABLE.iter().filter(|(_, all)| all.iter().any(has)).map(|(name, _)| name.as_str()).filter(written).collect();
    names.sort_unstable();
    names
}

fn read(line: &str, library: Library) -> Overload {
    let (id, rest) = line.split_once(" = ").expect("an overload has an identifier");
    let (call, result) = rest.rsplit_once(" -> ").expect("an overload has a result");
    let call = call.strip_suffix(')').expect("an overload's brackets close");
    let (receiver, call) = match call.strip_prefix('<').and_then(|call| call.split_once(">.")) {
        Some((receiver, call)) if receiver.starts_with(|c: char| c.is_ascii_alphabetic()) => (Some(receiver), call),
        _ => (None, call),
    };
    let (name, parameters) = call.split_once('(').expect("an overload has brackets");
    let mut all: Vec<Type> = receiver.into_iter().map(Type::parse).collect();
    all.extend(parts(parameters).map(Type::parse));
    Overload {
        id: id.to_owned(),
        name: name.to_owned(),
        member: receiver.is_some(),
        parameters: all,
        result: Type::parse(result),
        library,
    }
}

/// The parameters, at commas that stand in no brackets.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .filter(|part| !part.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_signature() {
        let ways = |name: &str| -> Vec<String> {
            let show = |one: &Arc<Overload>| {
                let types: Vec<String> = one.parameters.iter().map(Type::to_string).collect();
                format!("{}{} -> {}", if one.member { "." } else { "" }, types.join(", "), one.result)
            };
            overloads(name).iter().map(show).collect()
        };
        assert_eq!(ways("ip"), ["string -> net.IP", ".net.CIDR -> net.IP"]);
        assert_eq!(ways("optional.of"), ["V -> optional_type(V)"]);
        assert_eq!(ways("cel.@mapInsert"), ["map(K, V), K, V -> map(K, V)", "map(K, V), map(K, V) -> map(K, V)"]);
        assert_eq!(ways("_<_").len(), 14);
        assert_eq!(ways("_>_")[0], "int, int -> bool");
        assert_eq!(
            ways("sum"),
            [".list(int) -> int", ".list(uint) -> uint", ".list(double) -> double", ".list(duration) -> duration"]
        );
        assert_eq!(ways("nosuch"), Vec::<String>::new());
    }

    #[test]
    fn libraries_are_apart() {
        assert!(!names(&[Library::Standard], false).contains(&"base64.decode"));
        assert!(names(&[Library::Encoders], false).contains(&"base64.decode"));
        assert!(names(&[Library::Standard], true).contains(&"lowerAscii"));
        assert!(!names(&[Library::Standard], true).iter().any(|name| name.contains('@')));
    }
}
