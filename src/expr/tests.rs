use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Expr, Fault, FaultKind, Outcome, Scope, Subject, compile, split};
use crate::text::Joined;

fn compiled(text: &str, scope: Scope) -> Result<Expr, Vec<Fault>> {
    let source = Joined::whole(text, 0);
    let range = split(&source, 0, scope == Scope::Event).map_err(|fault| vec![fault])?;
    match compile(&source, range, scope, &Subject::any()) {
        (Some(expr), faults) if faults.is_empty() => Ok(expr),
        (_, faults) => Err(faults),
    }
}

fn expr(text: &str) -> Expr {
    compiled(text, Scope::Event).unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
}

fn vars() -> BTreeMap<String, String> {
    BTreeMap::from([("NS".to_owned(), "de\"mo*".to_owned()), ("EMPTY".to_owned(), String::new())])
}

fn evaluate(text: &str, object: &Value) -> Outcome {
    let mark = json!({"revision": 7, "time": "2026-11-21T10:00:00Z"});
    let null = Value::Null;
    expr(text).evaluate(&[("object", object), ("oldObject", &null), ("mark", &mark)], &vars())
}

fn fault(text: &str) -> (FaultKind, String, String) {
    let faults = compiled(text, Scope::Event).expect_err(text);
    let first = &faults[0];
    (first.kind, text[first.span.start..first.span.end].to_owned(), first.message.clone())
}

fn until(text: &str, in_events: bool) -> String {
    let range = split(&Joined::whole(text, 0), 0, in_events).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    text[range].to_owned()
}

#[test]
fn an_expression_ends_before_within_and_for() {
    assert_eq!(until("object.a == 1 within 30s", false), "object.a == 1");
    assert_eq!(until("object.for == 1 for 3s", false), "object.for == 1");
    assert_eq!(
        until("lines.exists(l, l.contains(\" within 3s\")) for 1s", false),
        "lines.exists(l, l.contains(\" within 3s\"))"
    );
    assert_eq!(until("text == \"x\" # within 3s\nkey /a exists", false), "text == \"x\"");
    assert_eq!(until("object.a ==\n  1\nkey", false), "object.a ==\n  1");
    assert_eq!(until("object.a == 1\n  PUT", true), "object.a == 1");
    assert_eq!(until("object.a\n  && object.b # why\n  DELETE where true", true), "object.a\n  && object.b");
}

#[test]
fn what_cannot_follow_is_an_error_at_its_place() {
    let at = |text: &str| {
        let fault = split(&Joined::whole(text, 0), 0, false).expect_err(text);
        (fault.span.start, fault.message)
    };
    assert_eq!(at("object.a exists"), (9, "an operator is missing before `exists`".to_owned()));
    assert_eq!(at("a and b").0, 2);
    assert_eq!(at("a = 1"), (2, "CEL has no `=`".to_owned()));
    assert_eq!(at("a == ${NS}"), (5, "a variable is allowed in a quoted text only".to_owned()));
    assert_eq!(at("a // b").0, 2);
    assert_eq!(at("a == \"b"), (5, "this text has no closing quote on its line".to_owned()));
    assert_eq!(at("a)"), (1, "`)` closes nothing".to_owned()));
    assert_eq!(at(&format!("{}1", "(".repeat(40))).0, 32);
    assert_eq!(at("").1, "an expression is missing here");
}

#[test]
fn names_functions_and_regexes_are_known() {
    assert_eq!(
        fault("objct.a == 1"),
        (FaultKind::UnknownName, "objct".into(), "unknown name `objct` in an `events` or `never` check".into())
    );
    assert_eq!(fault("object.a.startWith(\"x\")").0, FaultKind::UnknownFunction);
    assert_eq!(fault("object.a.startWith(\"x\")").2, "unknown function `startWith`");
    assert_eq!(fault("object.a.matches(\"a(\")").0, FaultKind::BadRegex);
    assert_eq!(fault("object.a.matches(\"a(\")").1, "\"a(\"");
    assert_eq!(fault("mark.tim < timestamp(\"x\")").2, "`mark` has no field `tim`");
    assert_eq!(fault("object.a == \"${NS\"").0, FaultKind::BadVariable);
    assert_eq!(fault("object.a == \"${NS\"").1, "${NS");
    assert_eq!(fault("object.a ==").2, "the expression ends before it is complete");
    assert_eq!(fault("object.a == ]").2, "`]` closes nothing");
    assert_eq!(fault("object.a == )").1, ")");
    assert_eq!(fault("object.a ? 1").0, FaultKind::Syntax);
    assert!(compiled("object.items.all(i, i.ready && type(i.n) == int)", Scope::Event).is_ok());
    assert_eq!(fault("object.items.all(i, j.ready)").1, "j");
    assert_eq!(fault("object.é == 1").1, "é");
    // Characters of several bytes before the place do not move it.
    assert_eq!(fault("object.a == \"ééé\" && objct == 1").1, "objct");
    assert_eq!(fault("object.a == \"ééé\" && == 1").1, "==");
}

#[test]
fn twelve_names_wrong_are_twelve_faults() {
    let faults = compiled("aa == bb && cc.dd == ee.f()", Scope::Event).expect_err("four names, one function");
    assert_eq!(faults.len(), 5, "{faults:?}");
}

#[test]
fn a_missing_field_does_not_hold() {
    let object = json!({"metadata": {"name": "x", "labels": null}, "items": []});
    assert_eq!(evaluate("object.metadata.name == \"x\"", &object), Outcome::Holds);
    assert_eq!(evaluate("object.metadata.name == \"y\"", &object), Outcome::DoesNotHold);
    assert_eq!(evaluate("object.status.phase == \"Active\"", &object), Outcome::Missing("status".into()));
    assert_eq!(evaluate("object.metadata.labels.a == \"b\"", &object), Outcome::Missing("metadata.labels.a".into()));
    assert_eq!(
        evaluate("object.metadata.labels[\"x/y\"] == \"b\"", &object),
        Outcome::Missing("metadata.labels[\"x/y\"]".into())
    );
    assert_eq!(evaluate("object.items[0].a == 1", &object), Outcome::Missing("items[0]".into()));
    assert_eq!(evaluate("oldObject.metadata.name == \"x\"", &object), Outcome::Missing("oldObject.metadata".into()));
    assert!(matches!(evaluate("object.metadata.name", &object), Outcome::Error(_)));
    assert!(matches!(evaluate("object.metadata.name < 1", &object), Outcome::Error(_)));
}

#[test]
fn has_takes_a_whole_path() {
    let object = json!({"metadata": {"name": "x", "labels": {"a": "b"}, "annotations": null}});
    assert_eq!(evaluate("has(object.metadata.labels.a)", &object), Outcome::Holds);
    assert_eq!(evaluate("has(object.metadata.labels[\"a\"].b)", &object), Outcome::DoesNotHold);
    assert_eq!(evaluate("has(object.status.phase)", &object), Outcome::DoesNotHold);
    assert_eq!(evaluate("!has(object.a.b.c.d)", &object), Outcome::Holds);
    assert_eq!(evaluate("has(object.metadata.annotations)", &object), Outcome::DoesNotHold);
    assert_eq!(evaluate("!has(oldObject.metadata.labels.purpose)", &object), Outcome::Holds);
    assert_eq!(evaluate("[object].exists(o, has(o.metadata.labels.a))", &object), Outcome::Holds);
    assert_eq!(evaluate("[object].exists(o, has(o.spec.labels.a))", &object), Outcome::DoesNotHold);
}

#[test]
fn whole_numbers_are_ints() {
    let object = json!({"n": 2, "big": u64::MAX, "half": 0.5, "minus": -3});
    assert_eq!(evaluate("object.n == 2 && object.n - 3 == -1 && type(object.n) == int", &object), Outcome::Holds);
    assert_eq!(evaluate("object.half < 1.0 && object.minus == -3 && object.big > 5u", &object), Outcome::Holds);
}

#[test]
fn a_variable_is_data() {
    let object = json!({"name": "de\"mo*", "raw": "${NS}", "long": "x-de\"mo*-y"});
    assert_eq!(evaluate("object.name == \"${NS}\"", &object), Outcome::Holds);
    assert_eq!(evaluate("object.raw == \"$${NS}\"", &object), Outcome::Holds);
    assert_eq!(evaluate("object.long == 'x-${NS}-y' + \"${EMPTY}\"", &object), Outcome::Holds);
    assert_eq!(evaluate("object.long.matches(\"^x-${NS}-y$\")", &object), Outcome::Holds);
    assert_eq!(evaluate("object.long.matches(\"^x-${NS}$\")", &object), Outcome::DoesNotHold);
}

#[test]
fn the_mark_has_a_time() {
    let object = json!({"metadata": {"creationTimestamp": "2026-11-21T10:00:01Z"}});
    assert_eq!(evaluate("timestamp(object.metadata.creationTimestamp) > mark.time", &object), Outcome::Holds);
    assert_eq!(evaluate("mark.revision == 7", &object), Outcome::Holds);
}

#[test]
fn a_failure_is_explained_by_its_paths() {
    let object = json!({"spec": {"replicas": 2}, "items": [{"a": 1}]});
    let expr =
        expr("object.spec.replicas == 3 && has(object.status.ready) && object.items.all(i, i.a == object.items[0].a)");
    let seen = expr.explain(&[("object", &object)]);
    let lines: Vec<String> = seen
        .iter()
        .map(|seen| format!("{} = {}", seen.path, seen.value.as_ref().map_or("-".into(), Value::to_string)))
        .collect();
    assert_eq!(
        lines,
        ["object.spec.replicas = 2", "object.status.ready = -", "object.items = [{\"a\":1}]", "object.items[0].a = 1"]
    );
}

#[test]
fn deep_expressions_are_refused_or_fit_a_small_stack() {
    let chain = vec!["object.a"; 300].join(" + ");
    let deepest = vec!["object.a"; 78].join(" + ");
    assert_eq!(fault(&format!("{chain} == 1")).0, FaultKind::Syntax);
    let expr = expr(&format!("{deepest} == 78"));
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let object = json!({"a": 1});
    let outcome = small.spawn(move || expr.evaluate(&[("object", &object)], &BTreeMap::new()));
    assert_eq!(outcome.expect("a thread").join().expect("no overflow"), Outcome::Holds);
}

#[test]
fn kubernetes_functions_and_base64_are_there() {
    let object =
        json!({"ip": "10.1.2.3", "data": "aGk=", "sizes": ["1Gi", "500Mi"], "names": ["b", "a"], "labels": {"a": "x"}});
    for text in [
        "isIP(object.ip) && cidr('10.0.0.0/8').containsIP(object.ip)",
        "base64.decode(object.data) == b'hi'",
        "object.sizes.all(s, quantity(s).isGreaterThan(quantity('400Mi')))",
        "object.names.sort() == ['a', 'b'] && object.names.join(',').upperAscii() == 'B,A'",
        "object.?labels.?nosuch.orValue('none') == 'none' && object.labels.transformMap(k, v, v + k) == {'a': 'xa'}",
        "format.dns1123Label().validate(object.names[0]) == optional.none()",
    ] {
        assert_eq!(evaluate(text, &object), Outcome::Holds, "{text}");
    }
    assert_eq!(fault("base64.decod(object.a)").0, FaultKind::UnknownFunction);
}

#[test]
fn what_costs_too_much_cannot_be_judged() {
    let object = json!({"a": (0..400).map(|n| n.to_string()).collect::<Vec<_>>()});
    let bomb = "object.a.all(x, object.a.all(y, object.a.all(z, object.a.all(w, x == y || z == w || true))))";
    let Outcome::Error(why) = evaluate(bomb, &object) else { panic!("it is judged") };
    assert!(why.contains("more than a million steps"), "{why}");
}

#[test]
fn arguments_of_kubernetes_functions_are_typed() {
    let said = |text: &str| {
        let faults = compiled(text, Scope::Event).expect_err(text);
        let one = &faults[0];
        assert_eq!((faults.len(), one.kind), (1, FaultKind::WrongType), "{text}: {faults:?}");
        format!("{} / {}", one.message, one.hint.as_deref().unwrap_or("-"))
    };
    assert_eq!(
        said("quantity(object.a).isGreaterThan(\"1Gi\")"),
        "`\"1Gi\"` is a text, and `isGreaterThan()` takes a quantity / write `quantity(\"1Gi\")`"
    );
    assert_eq!(
        said("key.isGreaterThan(quantity(\"1Gi\"))"),
        "`key` is a text, and `isGreaterThan()` takes a quantity or a version / write `quantity(key).isGreaterThan(quantity(\"1Gi\"))`"
    );
    assert_eq!(
        said("quantity(\"1\") > quantity(\"2\")"),
        "`quantity(\"1\")` is a quantity, which has no order / write `quantity(\"1\").isGreaterThan(…)`, or `isLessThan`"
    );
    assert_eq!(
        said("quantity(object.a) == \"1Gi\""),
        "`quantity(object.a)` is a quantity, and `\"1Gi\"` is a text: they are never equal / write `quantity(\"1Gi\")`"
    );
    assert_eq!(
        said("[1, 2].first() == 1"),
        "`[1, 2].first()` is an optional value, and `1` is a whole number: they are never equal / take its value first: \
         `[1, 2].first().orValue(…) == 1`"
    );
    assert_eq!(
        said("[1, 2].join(\",\") == key"),
        "`[1, 2]` is a list of whole numbers, and `join()` takes a list of texts / make texts of its elements: `[1, 2].map(x, string(x)).join(\",\")`"
    );
    assert_eq!(said("ip(revision).isLoopback()"), "`revision` is a whole number, and `ip()` takes a text / -");
    assert_eq!(said("key.split(\",\", 1, 2) == []"), "`split()` takes 1 or 2 arguments, and here it has 3 / -");
    for text in [
        "[\"b\", \"a\"].sort()[0] == key && [1, 2].sum() == revision && [key].first().orValue(\"x\") == \"y\"",
        "object.?a.?b.orValue(\"none\") == \"x\" && object.items.first().?name.hasValue()",
        "cidr(\"10.0.0.0/8\").containsIP(ip(key)) && key.split(\",\").map(x, x.trim()).distinct().size() == 2",
        "sets.contains([1], [1]) && [[1], [2]].flatten().max() == 2 && key.indexOf(\"a\") > 0",
        "[object].exists(ip, ip.a == \"x\") && lists.range(3).all(n, n < 3)",
        "optional.of(key).optMap(k, k + \"x\") == optional.none() && url(key).getHost() == \"x\"",
    ] {
        assert!(compiled(text, Scope::Event).is_ok(), "{text}: {:?}", compiled(text, Scope::Event));
    }
}

/// Why checks are not typed by the checker of policies: docs/adr/0003.
#[test]
fn checks_and_policies_are_typed_by_different_rules() {
    use kube_cel::{Env, Type};

    use super::{Piece, definition};

    let fields = json!({
        "replicas": {"type": "integer"}, "port": {"x-kubernetes-int-or-string": true},
        "rules": {"type": "array", "items": {"type": "string"}},
    });
    let thing = definition(&json!({
        "kind": "CustomResourceDefinition",
        "spec": {
            "group": "example.org", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": fields}},
            }}}],
        },
    }));
    let subject = Subject::under(&[Piece::Data("/registry/example.org/things/demo/web")], &[thing.expect("a kind")]);
    let several = Subject::under(&[Piece::Pattern("/registry/*/demo/*")], &[]);
    let spec = [("replicas", Type::Int), ("port", Type::Dyn), ("rules", Type::list(Type::String))];
    let typed = Env::new([("object", Type::object("Thing", [("spec", Type::object("Spec", spec))]))]);
    let untyped = Env::new([("object", Type::Dyn)]);
    let in_check = |text: &str, subject: &Subject| {
        compile(&Joined::whole(text, 0), 0..text.len(), Scope::Key, subject).1.is_empty()
    };
    for (text, env, subject, of_policy, of_check) in [
        // Numbers of JSON are compared by their value.
        ("object.spec.replicas == 2.0", &typed, &subject, false, true),
        ("object.spec.replicas in [1, \"2\"]", &typed, &subject, false, false),
        // A list that is not set can be null.
        ("object.spec.rules == null", &typed, &subject, false, true),
        // One of two types, which is not just any.
        ("object.spec.port == 80", &typed, &subject, true, true),
        ("object.spec.port == true", &typed, &subject, true, false),
        // One of several kinds, and a condition says which.
        ("object.kind == \"Pod\" && object.spec.nodeName == \"n1\"", &untyped, &several, true, true),
        ("object.kind == \"Pod\" && object.spec.nodeNam == \"n1\"", &untyped, &several, true, false),
        ("object.spec.replicas > 2", &typed, &subject, true, true),
        ("object.spec.replica > 2", &typed, &subject, false, false),
    ] {
        assert_eq!((env.compile(text).is_ok(), in_check(text, subject)), (of_policy, of_check), "{text}");
    }
}
