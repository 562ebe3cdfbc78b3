//! The one table of what an expression can call: lint checks calls against it, and an editor can offer it.

use kube_cel::Library;

use super::types::Known::{self, Any, Bool, Bytes, Duration, Element, Int, List, Map, Number, Text, Time, TypeName};

/// One way to call a function.
#[derive(Debug)]
pub struct Function {
    /// A library's functions have its name in front: `base64.decode`.
    pub name: &'static str,
    /// What stands before the dot in `x.f()`; none in `f(x)`.
    pub receiver: Option<Known>,
    pub args: &'static [Known],
    pub result: Known,
    /// CEL has taken it apart already when types are checked.
    pub is_macro: bool,
}

const fn function(name: &'static str, args: &'static [Known], result: Known) -> Function {
    Function { name, receiver: None, args, result, is_macro: false }
}

const fn method(receiver: Known, name: &'static str, args: &'static [Known], result: Known) -> Function {
    Function { name, receiver: Some(receiver), args, result, is_macro: false }
}

const fn list_macro(name: &'static str, args: &'static [Known], result: Known) -> Function {
    Function { name, receiver: Some(LIST), args, result, is_macro: true }
}

const LIST: Known = List(&Any);
const MAP: Known = Map(&Any);

/// By name; the ways to call one stand together.
#[rustfmt::skip]
pub static FUNCTIONS: &[Function] = &[
    list_macro("all", &[Any, Bool], Bool),
    function("bool", &[Bool], Bool),
    function("bool", &[Text], Bool),
    function("bytes", &[Bytes], Bytes),
    function("bytes", &[Text], Bytes),
    method(Text, "contains", &[Text], Bool),
    function("double", &[Number], Number),
    function("double", &[Text], Number),
    function("duration", &[Duration], Duration),
    function("duration", &[Text], Duration),
    function("dyn", &[Any], Any),
    method(Text, "endsWith", &[Text], Bool),
    list_macro("exists", &[Any, Bool], Bool),
    list_macro("exists_one", &[Any, Bool], Bool),
    list_macro("filter", &[Any, Bool], List(&Element)),
    method(Time, "getDate", &[], Int),
    method(Time, "getDate", &[Text], Int),
    method(Time, "getDayOfMonth", &[], Int),
    method(Time, "getDayOfMonth", &[Text], Int),
    method(Time, "getDayOfWeek", &[], Int),
    method(Time, "getDayOfWeek", &[Text], Int),
    method(Time, "getDayOfYear", &[], Int),
    method(Time, "getDayOfYear", &[Text], Int),
    method(Time, "getFullYear", &[], Int),
    method(Time, "getFullYear", &[Text], Int),
    method(Time, "getHours", &[], Int),
    method(Time, "getHours", &[Text], Int),
    method(Duration, "getHours", &[], Int),
    method(Time, "getMilliseconds", &[], Int),
    method(Time, "getMilliseconds", &[Text], Int),
    method(Duration, "getMilliseconds", &[], Int),
    method(Time, "getMinutes", &[], Int),
    method(Time, "getMinutes", &[Text], Int),
    method(Duration, "getMinutes", &[], Int),
    method(Time, "getMonth", &[], Int),
    method(Time, "getMonth", &[Text], Int),
    method(Time, "getSeconds", &[], Int),
    method(Time, "getSeconds", &[Text], Int),
    method(Duration, "getSeconds", &[], Int),
    Function { name: "has", receiver: None, args: &[Any], result: Bool, is_macro: true },
    function("int", &[Number], Int),
    function("int", &[Text], Int),
    function("int", &[Time], Int),
    list_macro("map", &[Any, Any], LIST),
    function("matches", &[Text, Text], Bool),
    method(Text, "matches", &[Text], Bool),
    function("size", &[Text], Int),
    function("size", &[Bytes], Int),
    function("size", &[LIST], Int),
    function("size", &[MAP], Int),
    method(Text, "size", &[], Int),
    method(Bytes, "size", &[], Int),
    method(LIST, "size", &[], Int),
    method(MAP, "size", &[], Int),
    method(Text, "startsWith", &[Text], Bool),
    function("string", &[Bool], Text),
    function("string", &[Number], Text),
    function("string", &[Text], Text),
    function("string", &[Bytes], Text),
    function("string", &[Time], Text),
    function("string", &[Duration], Text),
    function("timestamp", &[Text], Time),
    function("timestamp", &[Time], Time),
    function("timestamp", &[Int], Time),
    function("type", &[Any], TypeName),
    function("uint", &[Number], Number),
    function("uint", &[Text], Number),
];

/// The ways to call a function, as `f(x)` or as `x.f()`.
pub fn ways(name: &str, of_receiver: bool) -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter().filter(move |known| known.name == name && known.receiver.is_some() == of_receiver)
}

/// What CEL takes apart while it parses, of lists, maps and optional values.
const MACROS: &[&str] =
    &["existsOne", "optFlatMap", "optMap", "sortBy", "transformList", "transformMap", "transformMapEntry"];

/// The names that can be called so, each once: the table's, and Kubernetes' own, whose types the table does not have.
pub fn callable(of_receiver: bool) -> impl Iterator<Item = &'static str> {
    let names = FUNCTIONS.iter().filter(move |known| known.receiver.is_some() == of_receiver).map(|known| known.name);
    let mut all: Vec<&'static str> = names.collect();
    all.extend(kube_cel::function_names(&[Library::Standard, Library::Encoders], of_receiver));
    all.extend(MACROS.iter().filter(|_| of_receiver));
    all.sort_unstable();
    all.dedup();
    all.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_call_a_function_stand_together() {
        assert!(FUNCTIONS.is_sorted_by_key(|known| known.name));
        assert_eq!(callable(true).filter(|name| *name == "size").count(), 1);
        assert_eq!(ways("size", false).count(), 4);
    }
}
