//! What is refused before it is evaluated, in the words of the real server.

use super::env;
use crate::{Env, Library, Type};

fn issues(env: &Env, text: &str) -> String {
    env.compile(text).map_or_else(|issues| issues.to_string(), |checked| format!("is a {}", checked.result))
}

#[test]
fn unknown_names_and_functions() {
    assert_eq!(
        issues(&env(), "isFoo(object.metadata.name)"),
        "ERROR: <input>:1:6: undeclared reference to 'isFoo' (in container '')\n | isFoo(object.metadata.name)\n | .....^"
    );
    assert_eq!(
        issues(&env(), "object.metadata.name.foo('x')"),
        "ERROR: <input>:1:25: undeclared reference to 'foo' (in container '')\n | object.metadata.name.foo('x')\n | \
         ........................^"
    );
    assert_eq!(
        issues(&env(), "nosuch.a == 1 &&\n  other"),
        "ERROR: <input>:1:1: undeclared reference to 'nosuch' (in container '')\n | nosuch.a == 1 &&\n | ^\nERROR: \
         <input>:2:3: undeclared reference to 'other' (in container '')\n |   other\n | ..^"
    );
    assert!(issues(&Env::new([]), "base64.decode('') == b''").contains("undeclared reference to 'base64'"));
    assert!(
        issues(&env(), "'a'.reverse() == 'a'")
            .contains("found no matching overload for 'reverse' applied to 'string.()'")
    );
}

#[test]
fn types_that_do_not_fit() {
    let first = |text: &str| issues(&env(), text).lines().next().unwrap_or_default().to_owned();
    let head = "ERROR: <input>:1";
    assert_eq!(
        first("'a' + 1 == 'b'"),
        format!("{head}:5: found no matching overload for '_+_' applied to '(string, int)'")
    );
    assert_eq!(
        first("1 == 'a'"),
        format!("{head}:3: found no matching overload for '_==_' applied to '(int, string)'")
    );
    assert_eq!(
        first("'a'.contains(1)"),
        format!("{head}:13: found no matching overload for 'contains' applied to 'string.(int)'")
    );
    assert_eq!(first("[1, 'a'] == []"), format!("{head}:5: expected type 'int' but found 'string'"));
    assert_eq!(
        first("1.all(x, true)"),
        format!(
            "{head}:1: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"
        )
    );
    assert_eq!(first("'a'.b == 1"), format!("{head}:4: type 'string' does not support field selection"));
    assert_eq!(first("duration('1 hour') > duration('1s')"), format!("{head}:10: invalid duration argument"));
    assert_eq!(first("'a'.matches('(')"), format!("{head}:13: invalid matches argument"));
    assert_eq!(
        first("object.a ? 1 : 'b'"),
        format!("{head}:10: found no matching overload for '_?_:_' applied to '(bool, int, string)'")
            .replace("(bool,", "(dyn,")
    );
    let typed = Env::new([("self", Type::object("object", [("a", Type::Int), ("l", Type::list(Type::String))]))]);
    assert!(issues(&typed, "self.b == 1").starts_with("ERROR: <input>:1:5: undefined field 'b'"));
    assert!(
        issues(&typed, "self.l.all(x, x > 1)")
            .contains("found no matching overload for '_>_' applied to '(string, int)'")
    );
    assert!(
        issues(&typed, "self.a ==")
            .starts_with("ERROR: <input>:1:10: Syntax error: mismatched input '<EOF>' expecting")
    );
}

#[test]
fn results_have_types() {
    let typed =
        Env::new([("self", Type::object("object", [("a", Type::Int), ("m", Type::map(Type::String, Type::Int))]))]);
    for (text, of) in [
        ("self.a > 1", "bool"),
        ("self.m.map(k, self.m[k])", "list(int)"),
        ("self.?a.orValue(3)", "int"),
        ("self.m.transformList(k, v, k)", "list(string)"),
        ("[]", "list(dyn)"),
        ("{'a': [1]}", "map(string, list(int))"),
        ("true ? ip('::1') : ip('::')", "net.IP"),
        ("optional.of('a')", "optional_type(string)"),
        ("dyn(1)", "dyn"),
    ] {
        assert_eq!(issues(&typed, text), format!("is a {of}"), "{text}");
    }
    let patches = Env::new([("object", Type::Dyn)]).with(Library::Patches);
    assert_eq!(issues(&patches, "Object{metadata: Object.metadata{labels: {'a': 'b'}}}"), "is a Object");
    assert_eq!(
        issues(&patches, "[JSONPatch{op: 'add', path: '/a/' + jsonpatch.escapeKey('x/y'), value: 1}]"),
        "is a list(JSONPatch)"
    );
    assert!(
        issues(&patches, "[JSONPatch{op: 1}]")
            .contains("expected type of field 'op' is 'string' but provided type is 'int'")
    );
    assert!(issues(&env(), "Object{}").contains("undeclared reference to 'Object'"));
}

#[test]
fn deep_and_long_expressions() {
    let deep = format!("{}1{} == 1", "(".repeat(300), ")".repeat(300));
    assert!(issues(&env(), &deep).contains("ERROR"));
    let long = vec!["1"; 5000].join(" + ");
    assert!(issues(&env(), &long).starts_with("ERROR: <input>:1:1: expression of 19997 bytes is longer than 16384"));
    let chain = vec!["object.a"; 400].join(" + ");
    assert!(issues(&env(), &chain).contains("expression recursion limit exceeded"));
}
