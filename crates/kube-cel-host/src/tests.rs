//! Tables of expressions with what a real API server makes of them; most are from Kubernetes' own tests.

mod costs;
mod libraries;
mod refused;

use serde_json::{Value as Json, json};

use crate::{Budget, Env, Library, Type, Value};

fn env() -> Env {
    Env::new([("object", Type::Dyn), ("oldObject", Type::Dyn)]).with(Library::Encoders)
}

/// The value of an expression as JSON, or its error.
fn value(text: &str) -> Result<Json, String> {
    let object = json!({
        "metadata": {"name": "web", "labels": {"app": "web", "tier": "front"}, "annotations": null},
        "spec": {"replicas": 3, "ports": [80, 443], "half": 0.5, "hosts": ["a", "b"]},
    });
    let checked = env().compile(text).map_err(|issues| issues.to_string())?;
    let names = |name: &str| Some(Ok(if name == "object" { Value::of(&object) } else { Value::Null }));
    let value =
        crate::on_big_stack(|| checked.program.evaluate(&names, &mut Budget::default()).map(|value| value.json()));
    value.map_err(|error| error.to_string())
}

fn holds(table: &[&str]) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|text| match value(text) {
            Ok(Json::Bool(true)) => None,
            other => Some(format!("{text}: {other:?}")),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fails(table: &[(&str, &str)]) {
    for (text, why) in table {
        assert_eq!(value(text).expect_err(text), *why, "{text}");
    }
}

#[test]
fn the_language() {
    holds(&[
        "object.metadata.name == 'web' && object.spec.replicas == 3",
        "has(object.metadata.name) && !has(object.metadata.nosuch) && !has(object.spec.nosuch)",
        "object.spec.ports.all(p, p > 0) && object.spec.ports.exists(p, p == 80)",
        "object.spec.ports.exists_one(p, p == 443) && object.spec.ports.map(p, p + 1) == [81, 444]",
        "object.spec.ports.filter(p, p > 100) == [443] && object.spec.ports.map(p, p > 100, p * 2) == [886]",
        "object.metadata.labels.all(k, k in ['app', 'tier']) && 'app' in object.metadata.labels",
        "object.spec.half < 1 && 1 < 1.5 && dyn(2u) == 2 && dyn(1.0) == 1 && dyn([1]) == [1.0]",
        "(false && object.nosuch == 1) == false",
        "!(object.nosuch == 1 && false) && (object.nosuch == 1 || true)",
        "[1, 2].exists(x, x == 2 || object.nosuch == x)",
        "size('h\u{e9}llo') == 5 && 'abc'.size() == 3 && size([1, 2]) == 2 && size({'a': 1}) == 1",
        "type(1) == int && type('') == string && type(1.0) == double && type(object.spec.ports) == list",
        "type(timestamp('2026-01-01T00:00:00Z')) == google.protobuf.Timestamp",
        "int('42') == 42 && string(42) == '42' && double('1.5') == 1.5 && uint(3) == 3u && bool('true')",
        "string(1.5) == '1.5' && string(1e100) == '1e+100' && string(duration('90m')) == '5400s'",
        "int(3.9) == 3 && int(timestamp('1970-01-01T00:00:05Z')) == 5",
        "duration('1h') + duration('30m') == duration('90m') && duration('1h30m').getMinutes() == 90",
        "timestamp('2026-11-28T10:00:00Z') + duration('1h') == timestamp('2026-11-28T11:00:00Z')",
        "timestamp('2026-11-28T10:30:00Z').getHours('+02:00') == 12",
        "timestamp('2026-11-28T10:00:00Z').getMonth() == 10 && timestamp('2026-11-28T10:00:00Z').getDayOfWeek() == 6",
        "'foobar'.matches('^foo.*r$') && !'foobar'.matches('^bar')",
        "{'a': 1, 'b': 2}['a'] == 1 && {1: 'x'}[1] == 'x' && 'b' in {'b': null}",
        "object.spec.replicas > 2 ? true : object.nosuch",
        "b'abc' + b'd' == b'abcd' && bytes('a') == b'a' && base64.decode('aGk=') == b'hi' && base64.encode(b'hi') == 'aGk='",
        "[1, 2, 3].all(i, x, x == i + 1) && {'a': 1}.exists(k, v, k == 'a' && v == 1)",
        "[1, 2].transformList(i, v, v * 10 + i) == [10, 21] && [1, 2].transformList(i, v, i > 0, v) == [2]",
        "{'a': 1, 'b': 2}.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}",
        "{'a': 'x'}.transformMapEntry(k, v, {v: k}) == {'x': 'a'}",
        "[1, 2, 3].existsOne(i, v, v == 2)",
        "object.?metadata.?labels.?app.orValue('none') == 'web' && object.?a.?b.orValue('none') == 'none'",
        "object.metadata.labels[?'nosuch'].orValue('x') == 'x' && object.spec.ports[?5].hasValue() == false",
        "optional.of(1).optMap(x, x + 1).value() == 2 && optional.none().orValue(3) == 3",
        "[?object.?nosuch, 'a'] == ['a'] && {?'k': object.?nosuch} == {}",
        "optional.ofNonZeroValue('').hasValue() == false && [1, 2].first().value() == 1 && [1, 2].last().value() == 2",
    ]);
    fails(&[
        ("object.nosuch == 1", "no such key: nosuch"),
        ("object.metadata.annotations.a == 'b'", "no such key: a"),
        ("object.spec.ports[2] == 1", "index out of bounds: 2"),
        ("1 / 0 == 1", "division by zero"),
        ("1 % 0 == 1", "modulus by zero"),
        ("9223372036854775807 + 1 > 0", "integer overflow"),
        ("uint(-1) == 0u", "unsigned integer overflow"),
        ("int('a') == 1", "type conversion error from 'string' to 'int'"),
        ("object.metadata.name + 1 == 4", "no such overload"),
        ("object.metadata.name < 1", "no such overload"),
        ("object.metadata.name.matches(object.metadata.name + '(')", "error parsing regexp: unclosed group"),
        ("optional.none().value() == 1", "optional.none() dereference"),
        ("{'a': 1, 'a': 2} == {}", "Failed with repeated key: a"),
    ]);
}
