//! What the expressions of admission policies, webhooks and custom resources' rules may speak of.

pub mod policy;
pub mod rules;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;

use kube_cel::{Authorizer, Budget, Check, Checked, Env, Error, Type, Value as Cel};
use serde_json::Value;

/// An expression that was compiled, or what is wrong with it.
pub(crate) type Compiled = Result<Checked, String>;

/// Compiles an expression that has to come to a certain type.
pub(crate) fn compile(env: &Env, text: &str, wanted: &[Type]) -> Compiled {
    let checked = env.compile(text).map_err(|issues| format!("compilation failed: {issues}"))?;
    if wanted.is_empty() || wanted.contains(&checked.result) {
        return Ok(checked);
    }
    let names: Vec<String> = wanted.iter().map(Type::to_string).collect();
    Err(match names.as_slice() {
        [one] => format!("must evaluate to {one} but got {}", checked.result),
        all => format!("must evaluate to one of [{}] but got {}", all.join(" "), checked.result),
    })
}

/// The names that the expressions of policies and of webhooks' conditions know.
pub(crate) fn admission_env(has_params: bool) -> Env {
    let text = || Type::String;
    let texts = || Type::list(Type::String);
    let kind = Type::object("kubernetes.GroupVersionKind", [("group", text()), ("version", text()), ("kind", text())]);
    let resource =
        Type::object("kubernetes.GroupVersionResource", [("group", text()), ("version", text()), ("resource", text())]);
    let user = Type::object(
        "kubernetes.UserInfo",
        [("username", text()), ("uid", text()), ("groups", texts()), ("extra", Type::map(text(), texts()))],
    );
    let request = Type::object(
        "kubernetes.AdmissionRequest",
        [
            ("kind", kind.clone()),
            ("resource", resource.clone()),
            ("subResource", text()),
            ("requestKind", kind),
            ("requestResource", resource),
            ("requestSubResource", text()),
            ("name", text()),
            ("namespace", text()),
            ("operation", text()),
            ("userInfo", user),
            ("dryRun", Type::Bool),
            ("options", Type::Dyn),
        ],
    );
    let mut env = Env::new([
        ("object", Type::Dyn),
        ("oldObject", Type::Dyn),
        ("request", request),
        ("namespaceObject", NAMESPACE.clone()),
        ("authorizer", Type::named("kubernetes.authorization.Authorizer")),
        ("authorizer.requestResource", Type::named("kubernetes.authorization.ResourceCheck")),
    ]);
    if has_params {
        env.declare("params", Type::Dyn);
    }
    env
}

static NAMESPACE: LazyLock<Type> = LazyLock::new(|| {
    let text = || Type::String;
    let labels = || Type::map(Type::String, Type::String);
    let metadata = Type::object(
        "kubernetes.NamespaceMetadata",
        [
            ("name", text()),
            ("generateName", text()),
            ("namespace", text()),
            ("labels", labels()),
            ("annotations", labels()),
            ("UID", text()),
            ("creationTimestamp", Type::Timestamp),
            ("deletionGracePeriodSeconds", Type::Int),
            ("deletionTimestamp", Type::Timestamp),
            ("generation", Type::Int),
            ("resourceVersion", text()),
            ("finalizers", Type::list(Type::String)),
        ],
    );
    let condition = Type::object(
        "kubernetes.NamespaceCondition",
        [
            ("status", text()),
            ("type", text()),
            ("lastTransitionTime", Type::Timestamp),
            ("message", text()),
            ("reason", text()),
        ],
    );
    let spec = Type::object("kubernetes.NamespaceSpec", [("finalizers", Type::list(Type::String))]);
    let status = Type::object("kubernetes.NamespaceStatus", [("conditions", Type::list(condition)), ("phase", text())]);
    Type::object("kubernetes.Namespace", [("metadata", metadata), ("spec", spec), ("status", status)])
});

/// What an expression of a policy sees of a write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    pub(crate) object: Value,
    pub(crate) old: Value,
    pub(crate) request: Value,
    pub(crate) namespace: Value,
    pub(crate) params: Value,
    /// Who decides what whoever writes may do; where there is nobody, asking fails.
    pub(crate) authorizer: Option<Authorizer>,
}

impl Inputs {
    /// The resource that is written to.
    fn requested(&self) -> Check {
        let text = |pointer: &str| self.request.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Check {
            group: text("/resource/group"),
            resource: text("/resource/resource"),
            subresource: text("/subResource"),
            namespace: text("/namespace"),
            name: text("/name"),
            ..Check::default()
        }
    }
}

/// A policy's variables, each evaluated when something asks for it first.
pub(crate) struct Names<'a> {
    inputs: &'a Inputs,
    variables: &'a [(String, Compiled)],
    known: RefCell<HashMap<String, Result<Cel<'a>, Error>>>,
    budget: RefCell<Budget>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(inputs: &'a Inputs, variables: &'a [(String, Compiled)], budget: Budget) -> Self {
        Self { inputs, variables, known: RefCell::default(), budget: RefCell::new(budget) }
    }

    /// The value of an expression, within its own limit and within what is left for all of them.
    pub(crate) fn evaluate(&self, checked: &'a Checked) -> Result<Cel<'a>, Error> {
        let mut call = self.budget.borrow().call();
        let value = checked.program.evaluate(&|name| self.get(name), &mut call);
        self.budget.borrow_mut().settle(&call)?;
        value
    }

    fn get(&self, name: &str) -> Option<Result<Cel<'a>, Error>> {
        let inputs = self.inputs;
        if let Some(variable) = name.strip_prefix("variables.") {
            if let Some(known) = self.known.borrow().get(variable) {
                return Some(known.clone());
            }
            let (_, compiled) = self.variables.iter().find(|(name, _)| name == variable)?;
            let value = match compiled {
                Ok(checked) => self.evaluate(checked),
                Err(why) => Err(Error::Other(why.as_str().into())),
            };
            self.known.borrow_mut().insert(variable.to_owned(), value.clone());
            return Some(value);
        }
        let value = match name {
            "object" => &inputs.object,
            "oldObject" => &inputs.old,
            "request" => &inputs.request,
            "namespaceObject" => return Some(Ok(Cel::typed(&inputs.namespace, &NAMESPACE))),
            "params" => &inputs.params,
            "authorizer" => return inputs.authorizer.as_ref().map(|authorizer| Ok(authorizer.value())),
            "authorizer.requestResource" => {
                return inputs.authorizer.as_ref().map(|authorizer| Ok(authorizer.resource(inputs.requested())));
            }
            _ => return None,
        };
        Some(Ok(Cel::of(value)))
    }
}

/// Whether all conditions of a policy or a webhook hold. One that is false decides, whatever the others are; where
/// none is and one cannot be evaluated, that is the answer.
pub(crate) fn all_hold(conditions: &[(String, Compiled)], inputs: &Inputs, budget: Budget) -> Result<bool, String> {
    let names = Names::new(inputs, &[], budget);
    let mut wrong = Vec::new();
    for (text, compiled) in conditions {
        match compiled.as_ref().map_err(String::clone).and_then(|checked| {
            let why = |error: Error| format!("expression '{text}' resulted in error: {error}");
            names.evaluate(checked).map_err(why)
        }) {
            Ok(Cel::Bool(true)) => {}
            Ok(_) => return Ok(false),
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() { Ok(true) } else { Err(wrong.join(", ")) }
}
