use serde_json::{Value, json};

use super::*;

fn said(schema: &Value, new: &Value, old: Option<&Value>) -> Vec<String> {
    let rules = Rules::new(schema).expect("there are rules");
    rules.check(new, old, budget()).iter().map(ToString::to_string).collect()
}

fn refused(schema: &Value) -> Vec<String> {
    let problems = problems(schema, "schema", &|rule| rule["rule"].to_string());
    problems.iter().map(ToString::to_string).collect()
}

fn with_rule(rule: &str, numbers: Value) -> Value {
    let mut numbers = numbers;
    numbers[RULES] = json!([{"rule": rule, "message": "no"}]);
    json!({"type": "object", "properties": {"numbers": numbers}})
}

#[test]
fn rules_are_kept_at_their_places() {
    let schema = json!({"type": "object", RULES: [{"rule": "self.min <= self.max", "fieldPath": ".min"}], "properties": {
        "min": {"type": "integer"}, "max": {"type": "integer", RULES: [{"rule": "self >= oldSelf", "message": "it only grows"}]},
        "items": {"type": "array", "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object",
            RULES: [{"rule": "!has(self.v) || self.v != 'x'", "messageExpression": "'not ' + self.v"}],
            "properties": {"k": {"type": "string"}, "v": {"type": "string"}}}},
    }});
    let object = json!({"min": 3, "max": 2, "items": [{"k": "a", "v": "x"}, {"k": "b"}]});
    assert_eq!(
        said(&schema, &object, Some(&json!({"max": 5}))),
        [
            "min: Invalid value: failed rule: self.min <= self.max",
            "items[0]: Invalid value: not x",
            "max: Invalid value: 2: it only grows",
        ]
    );
    assert_eq!(
        said(&schema, &json!({"min": 1}), None),
        ["<nil>: Invalid value: \"object\": no such key: max evaluating rule: self.min <= self.max"]
    );
}

#[test]
fn rules_below_an_all_of_are_kept() {
    let schema = json!({"type": "object", "properties": {
        "n": {"type": "integer"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"v": {"type": "string"}}}},
    }, "allOf": [
        {RULES: [{"rule": "self.n > 1", "message": "more"}]},
        {"properties": {"n": {RULES: [{"rule": "self < 5", "message": "less"}]}}},
        {"allOf": [{"properties": {"items": {"items": {RULES: [{"rule": "self.v != 'x'", "message": "no x"}]}}}}]},
    ]});
    assert_eq!(
        said(&schema, &json!({"n": 1, "items": [{"v": "x"}]}), None),
        ["<nil>: Invalid value: more", "items[0]: Invalid value: no x"]
    );
    assert_eq!(said(&schema, &json!({"n": 7}), None), ["n: Invalid value: 7: less"]);
    let wrong = json!({"type": "object", "properties": {"n": {"type": "integer"}},
        "allOf": [{"properties": {"n": {RULES: [{"rule": "self.x"}]}}}]});
    let refused = refused(&wrong);
    assert!(refused[0].starts_with("schema.allOf[0].properties[n].x-kubernetes-validations[0].rule"), "{refused:?}");
}

#[test]
fn what_stays_wrong_is_borne_unless_the_rule_is_about_the_change() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "integer", RULES: [{"rule": "self > 5", "message": "more"}]},
        "b": {"type": "integer", RULES: [{"rule": "self != oldSelf", "message": "change it"}]},
    }});
    let old = json!({"a": 1, "b": 1});
    assert_eq!(said(&schema, &json!({"a": 1, "b": 1}), Some(&old)), ["b: Invalid value: 1: change it"]);
    assert_eq!(said(&schema, &json!({"a": 2, "b": 2}), Some(&old)), ["a: Invalid value: 2: more"]);
}

#[test]
fn lists_are_the_same_by_what_tells_their_items_apart() {
    let same = "self.l == oldSelf.l && (self.l + oldSelf.l).size() == 2";
    let with =
        |list: Value| json!({"type": "object", "properties": {"l": list}, RULES: [{"rule": same, "message": "no"}]});
    let set =
        with(json!({"type": "array", "maxItems": 9, "x-kubernetes-list-type": "set", "items": {"type": "string"}}));
    let plain = with(json!({"type": "array", "maxItems": 9, "items": {"type": "string"}}));
    let (one, turned) = (json!({"l": ["a", "b"]}), json!({"l": ["b", "a"]}));
    assert_eq!(said(&set, &one, Some(&turned)), Vec::<String>::new());
    assert_eq!(said(&plain, &one, Some(&turned)).len(), 1);
    let keyed = with(json!({"type": "array", "maxItems": 9, "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k-1"],
        "items": {"type": "object", "properties": {"k-1": {"type": "string"}, "v": {"type": "integer"}}}}));
    let (one, turned) = (
        json!({"l": [{"k-1": "a", "v": 1}, {"k-1": "b", "v": 2}]}),
        json!({"l": [{"k-1": "b", "v": 2}, {"k-1": "a", "v": 1}]}),
    );
    assert_eq!(said(&keyed, &one, Some(&turned)), Vec::<String>::new());
    let other = json!({"l": [{"k-1": "b", "v": 2}, {"k-1": "a", "v": 3}]});
    assert_eq!(said(&keyed, &one, Some(&other)).len(), 1);
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_the_definition() {
    let unknown = refused(&with_rule(
        "self.all(n, isFoo(n))",
        json!({"type": "array", "maxItems": 3, "items": {"type": "integer"}}),
    ));
    assert_eq!(unknown.len(), 1);
    assert!(
        unknown[0].starts_with(
            "schema.properties[numbers].x-kubernetes-validations[0].rule: Invalid value: \"self.all(n, isFoo(n))\": \
             compilation failed: ERROR: <input>:1:18: undeclared reference to 'isFoo' (in container '')"
        ),
        "{unknown:?}"
    );
    let typed = refused(&with_rule("self > 'a'", json!({"type": "integer"})));
    assert!(typed[0].contains("found no matching overload for '_>_' applied to '(int, string)'"), "{typed:?}");
    let no_bool = refused(&with_rule("self + 1", json!({"type": "integer"})));
    assert!(no_bool[0].ends_with("cel expression must evaluate to a bool"), "{no_bool:?}");
}

#[test]
fn what_may_cost_too_much_is_refused_with_the_definition() {
    let cubic = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))";
    let numbers = |most: Option<u64>| match most {
        Some(most) => json!({"type": "array", "maxItems": most, "items": {"type": "integer"}}),
        None => json!({"type": "array", "items": {"type": "integer"}}),
    };
    let place = "schema.properties[numbers].x-kubernetes-validations[0].rule";
    let hint = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and \
                strings are declared)";
    assert_eq!(
        refused(&with_rule(cubic, numbers(None))),
        [
            format!("{place}: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {hint}"),
            format!(
                "{place}: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
            ),
            format!(
                "schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema \
                 exceeds budget by factor of more than 100x {hint}"
            ),
        ]
    );
    assert_eq!(refused(&with_rule(cubic, numbers(Some(20)))), Vec::<String>::new());
}

#[test]
fn what_costs_too_much_ends_the_request() {
    let cubic = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))";
    let schema = with_rule(cubic, json!({"type": "array", "items": {"type": "integer"}}));
    let object = json!({"numbers": (0..400).collect::<Vec<_>>()});
    assert_eq!(
        said(&schema, &object, None),
        [
            "numbers: Invalid value: \"array\": 'operation cancelled: actual cost limit exceeded': no further validation \
          rules will be run due to call cost exceeds limit for rule: no"
        ]
    );
}
