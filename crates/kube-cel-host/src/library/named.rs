//! Formats by name, `format.dns1123Label().validate(x)`, in Kubernetes' words.

use std::sync::LazyLock;

use ::base64::Engine as _;
use regex::Regex;

use super::optional::some;
use super::{Function, Given, Opaque, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::signatures::FORMATS;
use crate::value::Value;

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("validate", validate, Cost::Validate),
    ("format.named", named, Cost::One),
    ("format.byte", |_, _| constant("byte"), Cost::One),
    ("format.date", |_, _| constant("date"), Cost::One),
    ("format.datetime", |_, _| constant("datetime"), Cost::One),
    ("format.dns1035Label", |_, _| constant("dns1035Label"), Cost::One),
    ("format.dns1035LabelPrefix", |_, _| constant("dns1035LabelPrefix"), Cost::One),
    ("format.dns1123Label", |_, _| constant("dns1123Label"), Cost::One),
    ("format.dns1123LabelPrefix", |_, _| constant("dns1123LabelPrefix"), Cost::One),
    ("format.dns1123Subdomain", |_, _| constant("dns1123Subdomain"), Cost::One),
    ("format.dns1123SubdomainPrefix", |_, _| constant("dns1123SubdomainPrefix"), Cost::One),
    ("format.labelValue", |_, _| constant("labelValue"), Cost::One),
    ("format.qualifiedName", |_, _| constant("qualifiedName"), Cost::One),
    ("format.uri", |_, _| constant("uri"), Cost::One),
    ("format.uuid", |_, _| constant("uuid"), Cost::One),
];

/// About how long the regular expression of a format is: a part of its costs.
pub(crate) fn pattern_size(format: &Opaque) -> u64 {
    let Opaque::Format(name) = format else { return 128 };
    match *name {
        "dns1123Label" | "dns1123LabelPrefix" | "dns1035Label" | "dns1035LabelPrefix" => 30,
        "dns1123Subdomain" | "dns1123SubdomainPrefix" | "qualifiedName" => 60,
        "labelValue" => 40,
        _ => 128,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is that of all functions")]
fn constant<'a>(name: &'static str) -> Given<'a> {
    Ok(Opaque::Format(name).into())
}

fn named<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::String(text)] = args else { return Err(mismatch()) };
    let known = FORMATS.iter().find(|name| **name == text.as_str());
    Ok(known.map_or(Value::Optional(None), |name| some(Opaque::Format(name).into())))
}

fn validate<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::Opaque(format), Value::String(text)] = args else { return Err(mismatch()) };
    let Opaque::Format(name) = &**format else { return Err(mismatch()) };
    let wrong = complaints(name, text);
    if wrong.is_empty() {
        return Ok(Value::Optional(None));
    }
    Ok(some(Value::from(wrong.into_iter().map(Value::from).collect::<Vec<_>>())))
}

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const OLD_LABEL: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const UUID: &str = "(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}";

static PATTERNS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    let whole = |pattern: &'static str| (pattern, Regex::new(&format!("^(?:{pattern})$")).expect("it compiles"));
    [LABEL, SUBDOMAIN, OLD_LABEL, QUALIFIED, LABEL_VALUE, UUID].into_iter().map(whole).collect()
});

fn fits(text: &str, pattern: &str) -> bool {
    PATTERNS.iter().any(|(one, regex)| *one == pattern && regex.is_match(text))
}

/// A rule with the longest text that keeps it, in the words of Kubernetes' own checks.
fn rule(text: &str, most: usize, pattern: &str, what: &str, examples: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > most {
        wrong.push(format!("must be no more than {most} bytes"));
    }
    if !fits(text, pattern) {
        let shown: Vec<String> = examples.iter().map(|one| format!("'{one}', ")).collect();
        let shown = shown.join(" or ");
        wrong.push(format!("{what} (e.g. {shown}regex used for validation is '{pattern}')"));
    }
    wrong
}

/// A name's beginning may end with a dash: Kubernetes checks it as if that were a letter.
fn masked(text: &str) -> String {
    match text.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{rest}a"),
        _ => text.to_owned(),
    }
}

fn label(text: &str) -> Vec<String> {
    let what = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
                and end with an alphanumeric character";
    rule(text, 63, LABEL, what, &["my-name", "123-abc"])
}

fn subdomain(text: &str) -> Vec<String> {
    let what = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
                must start and end with an alphanumeric character";
    rule(text, 253, SUBDOMAIN, what, &["example.com"])
}

fn old_label(text: &str) -> Vec<String> {
    let what = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
                character, and end with an alphanumeric character";
    rule(text, 63, OLD_LABEL, what, &["my-name", "abc-123"])
}

fn qualified(text: &str) -> Vec<String> {
    let what = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
                character";
    let examples = ["MyName", "my.name", "123-abc"];
    let mut wrong = Vec::new();
    let name = match text.split('/').collect::<Vec<_>>()[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(subdomain(prefix).into_iter().map(|one| format!("prefix part {one}")));
            }
            name
        }
        _ => {
            let shown = rule("/", 63, QUALIFIED, &format!("a qualified name {what}"), &examples).join("");
            return vec![format!("{shown} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    }
    wrong.extend(rule(name, 63, QUALIFIED, what, &examples).into_iter().map(|one| format!("name part {one}")));
    wrong
}

pub(super) fn complaints(format: &str, text: &str) -> Vec<String> {
    let unless = |good: bool, why: &str| if good { Vec::new() } else { vec![why.to_owned()] };
    match format {
        "dns1123Label" => label(text),
        "dns1123LabelPrefix" => label(&masked(text)),
        "dns1123Subdomain" => subdomain(text),
        "dns1123SubdomainPrefix" => subdomain(&masked(text)),
        "dns1035Label" => old_label(text),
        "dns1035LabelPrefix" => old_label(&masked(text)),
        "qualifiedName" => qualified(text),
        "labelValue" => {
            let what = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
                        and must start and end with an alphanumeric character";
            rule(text, 63, LABEL_VALUE, what, &["MyValue", "my_value", "12345"])
        }
        "uri" => super::url::parse(text).err().into_iter().collect(),
        "uuid" => unless(fits(text, UUID), "does not match the UUID format"),
        "byte" => {
            let good = ::base64::engine::general_purpose::STANDARD.decode(text).is_ok();
            unless(good, "invalid base64")
        }
        "date" => unless(super::time::date(text).is_some(), "invalid date"),
        _ => unless(super::time::timestamp(text).is_some(), "invalid datetime"),
    }
}
