//! Keeps the rules of a schema on an object, within a budget.

use kube_cel::{Budget, Checked, Error, Value as Cel};
use serde_json::{Value, json};

use super::{Rule, Rules};
use crate::object::before::Before;
use crate::object::field_error::{FieldError, FieldErrorKind};

/// No further rule is to be evaluated.
pub(super) struct Over;

pub(super) struct Run {
    pub(super) errors: Vec<FieldError>,
    pub(super) budget: Budget,
}

impl Run {
    pub(super) fn part(&mut self, rules: &Rules, new: &Value, old: Option<&Value>, path: &str) -> Result<(), Over> {
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
        let evaluated = match &rule.message {
            Some(Ok(message)) => {
                self.evaluate(message, &names).ok().and_then(|evaluated| evaluated.as_str().map(str::to_owned))
            }
            _ => None,
        };
        let evaluated = evaluated
            .map(|evaluated| evaluated.trim().to_owned())
            .filter(|evaluated| !evaluated.is_empty() && !evaluated.contains('\n'));
        let said = match (evaluated, rule.text("message").trim()) {
            (Some(evaluated), _) => evaluated,
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
