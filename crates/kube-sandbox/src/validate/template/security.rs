//! Security contexts.

use serde_json::{Value, json};

use super::super::errors::Errors;
use super::super::{internal, rules};
use crate::object::{list, names, text};

const IDS: i64 = 2_147_483_647;

fn id(field: String, value: Option<&Value>, errors: &mut Errors) {
    if let Some(value) = value.filter(|value| value.as_i64().is_some_and(|id| !(0..=IDS).contains(&id))) {
        errors.invalid(field, value, &names::between(0, IDS));
    }
}

pub(super) fn pod(context: &Value, field: &str, errors: &mut Errors) {
    for part in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(format!("{field}.{part}"), context.get(part), errors);
    }
    for (at, group) in list(context, "supplementalGroups").iter().enumerate() {
        id(format!("{field}.supplementalGroups[{at}]"), Some(group), errors);
    }
    let mut names: Vec<&str> = Vec::new();
    for (at, one) in list(context, "sysctls").iter().enumerate() {
        let (here, name) = (format!("{field}.sysctls[{at}].name"), text(one, "name"));
        if name.is_empty() {
            errors.required(here, "");
        } else if !names::is_sysctl(name) {
            let why = format!("must have at most 253 characters and match regex {}", names::SYSCTL);
            errors.invalid(here, &json!(name), &why);
        } else if names.contains(&name) {
            errors.duplicate(here, &json!(name));
        }
        names.push(name);
    }
    let policies = ["Always", "OnRootMismatch"];
    errors.one_of(format!("{field}.fsGroupChangePolicy"), &context["fsGroupChangePolicy"], &policies);
    profiles(context, field, errors);
    let policies = ["Merge", "Strict"];
    errors.one_of(format!("{field}.supplementalGroupsPolicy"), &context["supplementalGroupsPolicy"], &policies);
    let policies = ["MountOption", "Recursive"];
    errors.one_of(format!("{field}.seLinuxChangePolicy"), &context["seLinuxChangePolicy"], &policies);
}

pub(super) fn container(context: &Value, field: &str, errors: &mut Errors) {
    for part in ["runAsUser", "runAsGroup"] {
        id(format!("{field}.{part}"), context.get(part), errors);
    }
    errors.one_of(format!("{field}.procMount"), &context["procMount"], &["Default", "Unmasked"]);
    if context["allowPrivilegeEscalation"] == false {
        let shown = internal::text("SecurityContext", context);
        if context["privileged"] == true {
            let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.invalid_text(field, &shown, why);
        }
        if list(&context["capabilities"], "add").iter().any(|one| one == "CAP_SYS_ADMIN") {
            let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.invalid_text(field, &shown, why);
        }
    }
    profiles(context, field, errors);
}

fn profiles(context: &Value, field: &str, errors: &mut Errors) {
    for (part, what) in [("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")] {
        let Some(profile) = context.get(part).filter(|one| one.is_object()) else { continue };
        let here = format!("{field}.{part}");
        let kind = text(profile, "type");
        if kind.is_empty() {
            errors.required(format!("{here}.type"), &format!("type is required when {part} is set"));
            continue;
        }
        errors.one_of(format!("{here}.type"), &profile["type"], &["Localhost", "RuntimeDefault", "Unconfined"]);
        let local = profile.get("localhostProfile").filter(|one| !one.is_null());
        match (kind, local) {
            ("Localhost", None) => {
                let why = format!("must be set when {what} type is Localhost");
                errors.required(format!("{here}.localhostProfile"), &why);
            }
            ("Localhost", Some(path)) if part == "seccompProfile" => {
                rules::local_path(&format!("{here}.localhostProfile"), path.as_str().unwrap_or_default(), errors);
            }
            (_, Some(path)) if kind != "Localhost" => {
                let why = format!("can only be set when {what} type is Localhost");
                errors.invalid(format!("{here}.localhostProfile"), path, &why);
            }
            _ => {}
        }
    }
}
