//! What is wrong with the rules of a definition's schema: what does not compile, and what may cost too much.

use kube_cel::Declared;
use serde_json::Value;

use super::{RULES, Rule, any, compiled_rules};
use crate::object::field_error::{FieldError, FieldErrorKind};
use crate::object::list;

/// Kubernetes' limits of what a rule, and all rules of a definition, may be estimated to cost.
const EACH: u64 = 10_000_000;
const ALL: u64 = 100_000_000;

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
