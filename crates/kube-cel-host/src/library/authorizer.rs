//! `authorizer`: whether somebody may do something. Who decides is whoever evaluates the expression.

use std::fmt;
use std::sync::Arc;

use super::{Function, Given, Opaque, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::Value;

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("path", path, Cost::One),
    ("group", group, Cost::One),
    ("serviceAccount", service_account, Cost::One),
    ("resource", resource, Cost::One),
    ("subresource", |args, _| changed(args, |check, text| check.subresource = text), Cost::One),
    ("namespace", |args, _| changed(args, |check, text| check.namespace = text), Cost::One),
    ("name", |args, _| changed(args, |check, text| check.name = text), Cost::One),
    // No role of Kubernetes' own looks at a selector.
    ("fieldSelector", |args, _| changed(args, |_, _| {}), Cost::One),
    ("labelSelector", |args, _| changed(args, |_, _| {}), Cost::One),
    ("check", check, Cost::Fixed(CHECK)),
    ("errored", |args, _| decided(args, |decision| Value::Bool(decision.error.is_some())), Cost::One),
    ("error", |args, _| decided(args, |decision| decision.error.clone().unwrap_or_default().into()), Cost::One),
    ("allowed", |args, _| decided(args, |decision| Value::Bool(decision.allowed)), Cost::One),
    ("reason", |args, _| decided(args, |decision| decision.reason.clone().into()), Cost::One),
];

/// What Kubernetes reckons for asking, which may take a request.
pub(crate) const CHECK: u64 = 350_000;

/// What somebody is asked for. Of a path, or of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Check {
    /// The service account that it is asked of, namespace and name; else whoever sent the request.
    pub account: Option<(String, String)>,
    /// Of a check that is about no resource.
    pub path: Option<String>,
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource's plural.
    pub resource: String,
    /// Empty for the resource itself.
    pub subresource: String,
    /// Empty for the whole cluster.
    pub namespace: String,
    /// Empty for all names.
    pub name: String,
    /// What is to be done with it.
    pub verb: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
/// The authorizer's answer.
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why.
    pub reason: String,
    /// What went wrong while it was decided.
    pub error: Option<String>,
}

/// Decides. It is asked on the thread that evaluates, and may take its time.
#[derive(Clone)]
pub struct Authorizer(Arc<dyn Fn(&Check) -> Decision + Send + Sync>);

impl Authorizer {
    /// An authorizer that asks this function.
    pub fn new(decide: impl Fn(&Check) -> Decision + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    /// The variable `authorizer`.
    pub fn value<'a>(&self) -> Value<'a> {
        Opaque::Authorizer(Asked { by: self.clone(), check: Check::default() }).into()
    }

    /// The variable `authorizer.requestResource`.
    pub fn resource<'a>(&self, check: Check) -> Value<'a> {
        Opaque::ResourceCheck(Asked { by: self.clone(), check }).into()
    }
}

/// A question that is not yet put.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    by: Authorizer,
    check: Check,
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorizer")
    }
}

impl PartialEq for Authorizer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

fn texts<const N: usize>(args: &[Value<'_>]) -> Option<[String; N]> {
    let all: Option<Vec<String>> = args.iter().map(|arg| arg.as_str().map(str::to_owned)).collect();
    all?.try_into().ok()
}

fn given<const N: usize>(args: &[Value<'_>]) -> Result<(Arc<Opaque>, [String; N]), Error> {
    let Some((Value::Opaque(receiver), rest)) = args.split_first() else { return Err(mismatch()) };
    Ok((Arc::clone(receiver), texts(rest).ok_or_else(mismatch)?))
}

fn path<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (receiver, [path]) = given(args)?;
    let Opaque::Authorizer(asked) = &*receiver else { return Err(mismatch()) };
    if path.trim().is_empty() {
        return Err(Error::other("path must not be empty"));
    }
    let mut asked = asked.clone();
    asked.check.path = Some(path);
    Ok(Opaque::PathCheck(asked).into())
}

fn group<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (receiver, [group]) = given(args)?;
    let Opaque::Authorizer(asked) = &*receiver else { return Err(mismatch()) };
    let mut asked = asked.clone();
    asked.check.group = group;
    Ok(Opaque::GroupCheck(asked).into())
}

fn service_account<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (receiver, [namespace, name]) = given(args)?;
    let Opaque::Authorizer(asked) = &*receiver else { return Err(mismatch()) };
    if !super::named::complaints("dns1123Subdomain", &name).is_empty() {
        return Err(Error::other("Invalid service account name"));
    }
    if !super::named::complaints("dns1123Label", &namespace).is_empty() {
        return Err(Error::other("Invalid service account namespace"));
    }
    let mut asked = asked.clone();
    asked.check.account = Some((namespace, name));
    Ok(Opaque::Authorizer(asked).into())
}

fn resource<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (receiver, [resource]) = given(args)?;
    let Opaque::GroupCheck(asked) = &*receiver else { return Err(mismatch()) };
    if resource.trim().is_empty() {
        return Err(Error::other("resource must not be empty"));
    }
    let mut asked = asked.clone();
    asked.check.resource = resource;
    Ok(Opaque::ResourceCheck(asked).into())
}

fn changed<'a>(args: &[Value<'a>], change: impl FnOnce(&mut Check, String)) -> Given<'a> {
    let (receiver, [text]) = given(args)?;
    let Opaque::ResourceCheck(asked) = &*receiver else { return Err(mismatch()) };
    let mut asked = asked.clone();
    change(&mut asked.check, text);
    Ok(Opaque::ResourceCheck(asked).into())
}

fn check<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (receiver, [verb]) = given(args)?;
    let (Opaque::PathCheck(asked) | Opaque::ResourceCheck(asked)) = &*receiver else { return Err(mismatch()) };
    let check = Check { verb, ..asked.check.clone() };
    Ok(Opaque::Decision((asked.by.0)(&check)).into())
}

fn decided<'a>(args: &[Value<'a>], part: impl FnOnce(&Decision) -> Value<'a>) -> Given<'a> {
    match args {
        [Value::Opaque(opaque)] => match &**opaque {
            Opaque::Decision(decision) => Ok(part(decision)),
            _ => Err(mismatch()),
        },
        _ => Err(mismatch()),
    }
}
