//! A schema's own rules, `x-kubernetes-validations`: compiled once, kept within Kubernetes' costs.

use std::collections::BTreeMap;

use kube_cel::{Budget, Checked, Declared, Env, Error, PER_REQUEST, Type, Value as Cel};
use serde_json::{Value, json};

use crate::cel::Compiled;
use crate::object::before::Before;
use crate::object::field_error::{FieldError, FieldErrorKind};
use crate::object::list;

const RULES: &str = "x-kubernetes-validations";

/// Kubernetes' limits of what a rule, and all rules of a definition, may be estimated to cost.
const EACH: u64 = 10_000_000;
const ALL: u64 = 100_000_000;

/// Whether there is any rule to keep.
pub fn any(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key(RULES) || map.values().any(any),
        Value::Array(items) => items.iter().any(any),
        _ => false,
    }
}

/// The rules of a part of a schema and of the parts below it.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    of: Type,
    kind: String,
    fields: BTreeMap<String, Rules>,
    element: Option<Box<Rules>>,
    /// The rules of what all have to hold, of the same part.
    all_of: Vec<Rules>,
    /// The fields that tell the items of a list apart.
    keys: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    given: Value,
    checked: Compiled,
    message: Option<Compiled>,
}

impl Rule {
    fn text(&self, field: &str) -> &str {
        self.given.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn uses_old(&self) -> bool {
        self.checked.as_ref().is_ok_and(|checked| checked.uses("oldSelf"))
    }

    fn is_optional(&self) -> bool {
        self.given["optionalOldSelf"] == true
    }

    /// How errors name it.
    fn shown(&self) -> &str {
        let message = self.text("message").trim();
        if message.is_empty() { self.text("rule").trim() } else { message }
    }
}

fn compiled_rules(schema: &Value, declared: &Declared) -> Vec<Rule> {
    let each = |given: &Value| {
        let old =
            if given["optionalOldSelf"] == true { Type::optional(declared.of.clone()) } else { declared.of.clone() };
        let env = Env::new([("self", declared.of.clone()), ("oldSelf", old)]);
        let text = |field: &str| given.get(field).and_then(Value::as_str).unwrap_or_default();
        let compile = |field: &str, of: &Type, wrong: &str, failed: &str| -> Compiled {
            let checked = env.compile(text(field)).map_err(|issues| format!("{failed}compilation failed: {issues}"))?;
            if checked.result == *of { Ok(checked) } else { Err(wrong.to_owned()) }
        };
        let checked = compile("rule", &Type::Bool, "cel expression must evaluate to a bool", "");
        let wrong = "messageExpression must evaluate to a string";
        let message = (!text("messageExpression").is_empty())
            .then(|| compile("messageExpression", &Type::String, wrong, "messageExpression "));
        Rule { given: given.clone(), checked, message }
    };
    list(schema, RULES).iter().map(each).collect()
}

impl Rules {
    /// The rules of a whole schema; `None` where it has none, or none that can be kept.
    pub fn new(schema: &Value) -> Option<Self> {
        if !any(schema) {
            return None;
        }
        Some(Self::part(schema, schema, &Declared::new(schema, true)?))
    }

    /// `schema` gives the rules and `whole` the types: below an `allOf` a schema gives none itself.
    fn part(schema: &Value, whole: &Value, declared: &Declared) -> Self {
        let mut fields = BTreeMap::new();
        for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let fresh;
            let inner_whole = &whole["properties"][name];
            let inner_declared = match declared.field(name) {
                Some(known) => known,
                // A name that CEL cannot spell hides the field from the rules above it, not from its own.
                None if kube_cel::escape(name).is_none() => {
                    let Some(made) = Declared::new(inner_whole, false) else { continue };
                    fresh = made;
                    &fresh
                }
                None => continue,
            };
            if any(inner) {
                fields.insert(name.clone(), Self::part(inner, inner_whole, inner_declared));
            }
        }
        let below = ["items", "additionalProperties"]
            .iter()
            .find_map(|part| schema.get(*part).filter(|one| any(one)).zip(whole.get(*part)));
        let element = below
            .zip(declared.element())
            .map(|((inner, whole), declared)| Box::new(Self::part(inner, whole, declared)));
        let all_of = list(schema, "allOf").iter().filter(|one| any(one)).map(|one| Self::part(one, whole, declared));
        let keys = list(whole, "x-kubernetes-list-map-keys").iter().filter_map(Value::as_str).map(str::to_owned);
        Self {
            rules: compiled_rules(schema, declared),
            of: declared.of.clone(),
            kind: whole["type"].as_str().unwrap_or_default().to_owned(),
            fields,
            element,
            all_of: all_of.collect(),
            keys: keys.collect(),
        }
    }

    /// What is wrong by the rules, those about a change too if there was an object before.
    pub fn check(&self, new: &Value, old: Option<&Value>, budget: Budget) -> Vec<FieldError> {
        let mut run = Run { errors: Vec::new(), budget };
        // Running out of the budget ends all, and stands among the errors.
        let _ = run.part(self, new, old, "");
        run.errors
    }
}

/// No further rule is to be evaluated.
struct Over;

struct Run {
    errors: Vec<FieldError>,
    budget: Budget,
}

impl Run {
    fn part(&mut self, rules: &Rules, new: &Value, old: Option<&Value>, path: &str) -> Result<(), Over> {
        // Rules about what may be null stand above it.
        if new.is_null() {
            return Ok(());
        }
        for rule in &rules.rules {
            self.rule(rules, rule, new, old, path)?;
        }
        let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match new {
            Value::Object(map) => {
                for (name, value) in map {
                    if let Some(inner) = rules.fields.get(name).or(rules.element.as_deref()) {
                        self.part(inner, value, old.and_then(|old| old.get(name)), &at(name))?;
                    }
                }
            }
            Value::Array(items) => {
                if let Some(inner) = &rules.element {
                    let before = Before::of(old, &rules.keys);
                    for (index, item) in items.iter().enumerate() {
                        self.part(inner, item, before.of_item(item), &format!("{path}[{index}]"))?;
                    }
                }
            }
            _ => {}
        }
        for more in &rules.all_of {
            self.part(more, new, old, path)?;
        }
        Ok(())
    }

    fn evaluate<'a>(
        &mut self,
        checked: &'a Checked,
        names: &dyn Fn(&str) -> Option<Cel<'a>>,
    ) -> Result<Cel<'a>, Error> {
        let mut call = self.budget.call();
        let value = checked.program.evaluate(&|name| names(name).map(Ok), &mut call);
        self.budget.settle(&call).map_err(|_| Error::Interrupted)?;
        value
    }

    fn rule(&mut self, rules: &Rules, rule: &Rule, new: &Value, old: Option<&Value>, path: &str) -> Result<(), Over> {
        let old = old.filter(|old| !old.is_null());
        if rule.uses_old() && old.is_none() && !rule.is_optional() {
            return Ok(());
        }
        let place = match (path, rule.text("fieldPath")) {
            ("", "") => "<nil>".to_owned(),
            ("", more) => more.trim_start_matches('.').to_owned(),
            (path, more) => format!("{path}{more}"),
        };
        let invalid = |why: String| {
            let here = if path.is_empty() { "<nil>" } else { path };
            FieldError::new(here, FieldErrorKind::Invalid, format!("{}: {why}", json!(rules.kind)))
        };
        let before = old.map(|old| Cel::typed(old, &rules.of));
        let names = |name: &str| match name {
            "self" => Some(Cel::typed(new, &rules.of)),
            "oldSelf" if rule.is_optional() => Some(Cel::Optional(before.clone().map(Into::into))),
            "oldSelf" => before.clone(),
            _ => None,
        };
        // What stays as it was may go on to be wrong, unless the rule is about the change.
        let is_borne = !rule.uses_old() && old == Some(new);
        let checked = match &rule.checked {
            Ok(checked) => checked,
            Err(_) if is_borne => return Ok(()),
            Err(why) => {
                self.errors.push(invalid(format!("rule compile error: {why}")));
                return Ok(());
            }
        };
        let shown = rule.shown();
        match self.evaluate(checked, &names) {
            Ok(Cel::Bool(true)) => return Ok(()),
            Ok(_) if is_borne => return Ok(()),
            Ok(_) => {}
            Err(Error::Interrupted) => {
                let why =
                    "validation failed due to running out of cost budget, no further validation rules will be run";
                self.errors.push(invalid(why.to_owned()));
                return Err(Over);
            }
            Err(error @ Error::CostExceeded) => {
                let why = "no further validation rules will be run due to call cost exceeds limit for rule";
                self.errors.push(invalid(format!("'{error}': {why}: {shown}")));
                return Err(Over);
            }
            Err(_) if is_borne => return Ok(()),
            Err(error @ Error::NoSuchOverload(_)) => {
                let why = "call arguments did not match a supported operator, function or macro signature for rule";
                self.errors.push(invalid(format!("'{error}': {why}: {shown}")));
                return Ok(());
            }
            Err(error) => {
                self.errors.push(invalid(format!("{error} evaluating rule: {shown}")));
                return Ok(());
            }
        }
        let told = match &rule.message {
            Some(Ok(message)) => self.evaluate(message, &names).ok().and_then(|told| told.as_str().map(str::to_owned)),
            _ => None,
        };
        let told = told.map(|told| told.trim().to_owned()).filter(|told| !told.is_empty() && !told.contains('\n'));
        let said = match (told, rule.text("message").trim()) {
            (Some(told), _) => told,
            (None, "") => format!("failed rule: {}", rule.text("rule").trim()),
            (None, message) => message.to_owned(),
        };
        let value = if new.is_object() || new.is_array() { said.clone() } else { format!("{new}: {said}") };
        self.errors.push(match rule.text("reason") {
            "FieldValueForbidden" => FieldError::new(place, FieldErrorKind::Forbidden, said),
            "FieldValueRequired" => FieldError::new(place, FieldErrorKind::Required, said),
            "FieldValueDuplicate" => FieldError::new(place, FieldErrorKind::Duplicate, json!(said).to_string()),
            _ => FieldError::new(place, FieldErrorKind::Invalid, value),
        });
        Ok(())
    }
}

/// A budget for all rules on one request.
pub fn budget() -> Budget {
    Budget::of(PER_REQUEST)
}

/// What is wrong with the rules of a definition's schema. `show` writes a rule as the server's errors show it.
pub fn problems(schema: &Value, field: &str, show: &dyn Fn(&Value) -> String) -> Vec<FieldError> {
    let Some(declared) = Declared::new(schema, true).filter(|_| any(schema)) else { return Vec::new() };
    let mut survey = Survey { show, errors: Vec::new(), total: 0, dear: Vec::new() };
    survey.part(schema, schema, &declared, field, Some(1));
    let Survey { mut errors, total, mut dear, .. } = survey;
    if total > ALL {
        dear.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
        for (place, _) in dear.into_iter().take(4) {
            let why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
            errors.push(FieldError::new(place, FieldErrorKind::Forbidden, why));
        }
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errors.push(FieldError::new(field, FieldErrorKind::Forbidden, too_dear(what, total, ALL)));
    }
    errors
}

struct Survey<'s> {
    show: &'s dyn Fn(&Value) -> String,
    errors: Vec<FieldError>,
    total: u64,
    dear: Vec<(String, u64)>,
}

fn too_dear(what: &str, cost: u64, limit: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a factor for people")]
    let times = cost as f64 / limit as f64;
    let factor = if times > 100.0 {
        "more than 100x".to_owned()
    } else if times < 1.5 {
        format!("{times:.6}x")
    } else {
        format!("{times:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and \
         maxLength where arrays, maps, and strings are declared)"
    )
}

impl Survey<'_> {
    /// `often` is how often the part can stand in an object; `None` where nothing bounds it but a request's size.
    fn part(&mut self, schema: &Value, whole: &Value, declared: &Declared, field: &str, often: Option<u64>) {
        let number = |name: &str| whole.get(name).and_then(Value::as_u64);
        for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if let Some(declared) = declared.field(name) {
                let whole = &whole["properties"][name];
                self.part(inner, whole, declared, &format!("{field}.properties[{name}]"), often);
            }
        }
        for (part, most) in [("additionalProperties", "maxProperties"), ("items", "maxItems")] {
            let Some(inner) = schema.get(part).filter(|inner| inner.is_object()) else { continue };
            let Some(declared) = declared.element() else { continue };
            let often = often.zip(number(most)).map(|(often, most)| often.saturating_mul(most));
            self.part(inner, &whole[part], declared, &format!("{field}.{part}"), often);
        }
        for (at, more) in list(schema, "allOf").iter().enumerate() {
            self.part(more, whole, declared, &format!("{field}.allOf[{at}]"), often);
        }
        for (at, rule) in compiled_rules(schema, declared).into_iter().enumerate() {
            let here = format!("{field}.{RULES}[{at}]");
            self.rule(&rule, declared, &here, often);
        }
    }

    fn rule(&mut self, rule: &Rule, declared: &Declared, here: &str, often: Option<u64>) {
        if rule.text("rule").trim().is_empty() {
            self.errors.push(FieldError::required(format!("{here}.rule"), "rule is not specified"));
            return;
        }
        let sizes = |path: &[String]| declared.size(path);
        match &rule.checked {
            Err(why) => self.wrong(format!("{here}.rule"), rule, why),
            Ok(checked) => {
                let times = often.unwrap_or_else(|| declared.cardinality());
                let cost = checked.cost(&sizes).max.saturating_mul(times);
                self.cost(format!("{here}.rule"), "estimated rule cost", cost);
            }
        }
        match &rule.message {
            Some(Err(why)) => self.wrong(format!("{here}.messageExpression"), rule, why),
            Some(Ok(checked)) => {
                let cost = checked.cost(&sizes).max;
                self.cost(format!("{here}.messageExpression"), "estimated messageExpression cost", cost);
            }
            None => {}
        }
        if rule.is_optional() && !rule.uses_old() {
            let why = "true: may not be set if oldSelf is not used in rule";
            self.errors.push(FieldError::new(format!("{here}.optionalOldSelf"), FieldErrorKind::Invalid, why));
        }
    }

    fn wrong(&mut self, place: String, rule: &Rule, why: &str) {
        let shown = (self.show)(&rule.given);
        self.errors.push(FieldError::new(place, FieldErrorKind::Invalid, format!("{shown}: {why}")));
    }

    fn cost(&mut self, place: String, what: &str, cost: u64) {
        self.total = self.total.saturating_add(cost);
        if cost > EACH {
            self.errors.push(FieldError::new(place.clone(), FieldErrorKind::Forbidden, too_dear(what, cost, EACH)));
        }
        if cost >= ALL / 100 {
            self.dear.push((place, cost));
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert!(
            refused[0].starts_with("schema.allOf[0].properties[n].x-kubernetes-validations[0].rule"),
            "{refused:?}"
        );
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
        let with = |list: Value| json!({"type": "object", "properties": {"l": list}, RULES: [{"rule": same, "message": "no"}]});
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
}
