//! A policy's expressions, compiled once and evaluated within Kubernetes' costs.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kube_cel::{Budget, Env, Library, MATCH_CONDITIONS, PER_REQUEST, Type, Value as Cel};
use serde_json::{Value, json};

use crate::cel::{Compiled, Inputs, Names, admission_env, all_hold, compile};
use crate::object::field_error::{FieldError, FieldErrorKind};
use crate::object::{list, text};

/// The longest message that an expression may make.
const LONGEST_MESSAGE: usize = 5 << 10;

#[derive(Debug)]
pub struct Policy {
    pub conditions: Vec<(String, Compiled)>,
    pub variables: Vec<(String, Compiled)>,
    validations: Vec<Validation>,
    pub mutations: Vec<Mutation>,
    pub ignores_failure: bool,
}

#[derive(Debug)]
struct Validation {
    given: Value,
    checked: Compiled,
    message: Option<Compiled>,
}

#[derive(Debug)]
pub struct Mutation {
    /// Whether it makes a configuration to apply, or operations of a JSON patch.
    pub applies: bool,
    pub expression: String,
    pub checked: Compiled,
}

/// Why a policy denies a write.
#[derive(Debug)]
pub struct Verdict {
    pub reason: String,
    pub why: String,
}

/// The type of a policy's `variables`, of which each is declared by itself too.
fn declare(env: &mut Env, fields: &mut Vec<(String, Type)>, name: &str, of: Type) {
    env.declare(&format!("variables.{name}"), of.clone());
    fields.push((name.to_owned(), of));
}

impl Policy {
    pub fn new(spec: &Value) -> Self {
        let patches = spec.get("mutations").is_some();
        let has_params = !spec["paramKind"].is_null();
        let mut env = admission_env(has_params);
        if patches {
            env = env.with(Library::Patches);
        }
        // Conditions come first, and know no variables.
        let condition =
            |one: &Value| (text(one, "expression").to_owned(), compile(&env, text(one, "expression"), &[Type::Bool]));
        let conditions = list(spec, "matchConditions").iter().map(condition).collect();
        let (mut variables, mut fields) = (Vec::new(), Vec::new());
        env.declare("variables", variables_type(&fields));
        for variable in list(spec, "variables") {
            let compiled = compile(&env, text(variable, "expression"), &[]);
            let of = compiled.as_ref().map_or(Type::Dyn, |checked| checked.result.clone());
            declare(&mut env, &mut fields, text(variable, "name"), of);
            env.declare("variables", variables_type(&fields));
            variables.push((text(variable, "name").to_owned(), compiled));
        }
        let validation = |given: &Value| Validation {
            given: given.clone(),
            checked: compile(&env, text(given, "expression"), &[Type::Bool]),
            message: Some(text(given, "messageExpression"))
                .filter(|evaluated| !evaluated.trim().is_empty())
                .map(|evaluated| compile(&env, evaluated, &[Type::String])),
        };
        let mutation = |given: &Value| {
            let applies = given["patchType"] == "ApplyConfiguration";
            let part = if applies { "applyConfiguration" } else { "jsonPatch" };
            let expression = text(&given[part], "expression").to_owned();
            let wanted = if applies { Type::object("Object", []) } else { Type::list(Type::object("JSONPatch", [])) };
            Mutation { applies, checked: compile(&env, &expression, &[wanted]), expression }
        };
        Self {
            conditions,
            variables,
            validations: list(spec, "validations").iter().map(validation).collect(),
            mutations: list(spec, "mutations").iter().map(mutation).collect(),
            ignores_failure: spec["failurePolicy"] == "Ignore",
        }
    }

    /// Whether the policy is meant at all; why it is not known where a condition cannot be evaluated.
    pub fn is_meant(&self, inputs: &Inputs, stop: &Arc<AtomicBool>) -> Result<bool, String> {
        all_hold(&self.conditions, inputs, Budget::of(MATCH_CONDITIONS).stopped_by(Arc::clone(stop)))
    }

    /// What speaks against a write. What cannot be evaluated does, unless the policy says to ignore that.
    pub fn judge(&self, inputs: &Inputs, stop: &Arc<AtomicBool>) -> Vec<Verdict> {
        let failed = |why: String| Verdict { reason: String::new(), why };
        match self.is_meant(inputs, stop) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(_) if self.ignores_failure => return Vec::new(),
            Err(why) => return vec![failed(why)],
        }
        let names = Names::new(inputs, &self.variables, Budget::of(PER_REQUEST).stopped_by(Arc::clone(stop)));
        let mut verdicts = Vec::new();
        for validation in &self.validations {
            let expression = text(&validation.given, "expression");
            let value = match &validation.checked {
                Ok(checked) => names
                    .evaluate(checked)
                    .map_err(|error| format!("expression '{expression}' resulted in error: {error}")),
                Err(why) => Err(why.clone()),
            };
            match value {
                Ok(Cel::Bool(true)) => {}
                Ok(_) => verdicts.push(Verdict {
                    reason: text(&validation.given, "reason").to_owned(),
                    why: validation.said(&names),
                }),
                Err(_) if self.ignores_failure => {}
                Err(why) => verdicts.push(failed(why)),
            }
        }
        verdicts
    }
}

impl Validation {
    fn said<'a>(&'a self, names: &Names<'a>) -> String {
        let evaluated = match &self.message {
            Some(Ok(message)) => names
                .evaluate(message)
                .ok()
                .and_then(|evaluated| evaluated.as_str().map(|evaluated| evaluated.trim().to_owned())),
            _ => None,
        };
        let fits = |evaluated: &String| {
            !evaluated.is_empty() && evaluated.len() <= LONGEST_MESSAGE && !evaluated.contains('\n')
        };
        match (evaluated.filter(fits), text(&self.given, "message").trim()) {
            (Some(evaluated), _) => evaluated,
            (None, "") => format!("failed expression: {}", text(&self.given, "expression").trim()),
            (None, message) => message.to_owned(),
        }
    }
}

/// The type of `variables`, so that one which is not there is known before it is asked for.
fn variables_type(fields: &[(String, Type)]) -> Type {
    let field = |(name, of): &(String, Type)| (name.clone(), kube_cel::Field { name: name.clone(), of: of.clone() });
    let fields = fields.iter().map(field).collect();
    Type::Object(Arc::new(kube_cel::Object { name: "kubernetes.variables".to_owned(), fields }))
}

/// What is wrong with the expressions of a policy, at the place of each.
pub(crate) fn problems(spec: &Value) -> Vec<FieldError> {
    let policy = Policy::new(spec);
    let mut errors = Vec::new();
    let mut look = |place: String, expression: &str, compiled: &Compiled| {
        if expression.trim().is_empty() {
            let part = place.rsplit('.').next().unwrap_or_default().to_owned();
            errors.push(FieldError::required(place, format!("{part} is not specified")));
        } else if let Err(why) = compiled {
            errors.push(FieldError::new(place, FieldErrorKind::Invalid, format!("{}: {why}", json!(expression))));
        }
    };
    for (at, (expression, compiled)) in policy.conditions.iter().enumerate() {
        look(format!("spec.matchConditions[{at}].expression"), expression, compiled);
    }
    for (at, (given, (_, compiled))) in list(spec, "variables").iter().zip(&policy.variables).enumerate() {
        look(format!("spec.variables[{at}].expression"), text(given, "expression"), compiled);
    }
    for (at, validation) in policy.validations.iter().enumerate() {
        let here = format!("spec.validations[{at}]");
        look(format!("{here}.expression"), text(&validation.given, "expression"), &validation.checked);
        if let Some(message) = &validation.message {
            look(format!("{here}.messageExpression"), text(&validation.given, "messageExpression"), message);
        }
    }
    for (at, mutation) in policy.mutations.iter().enumerate() {
        let part = if mutation.applies { "applyConfiguration" } else { "jsonPatch" };
        look(format!("spec.mutations[{at}].{part}.expression"), &mutation.expression, &mutation.checked);
    }
    let mut env = admission_env(!spec["paramKind"].is_null());
    env.declare("variables", Type::Dyn);
    for (at, audit) in list(spec, "auditAnnotations").iter().enumerate() {
        let expression = text(audit, "valueExpression");
        let compiled = compile(&env, expression, &[Type::String, Type::Null]);
        look(format!("spec.auditAnnotations[{at}].valueExpression"), expression, &compiled);
    }
    errors
}
