//! What names, labels, ports and addresses may look like, and what Kubernetes says where they do not.

use std::sync::LazyLock;

use regex::Regex;

const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const STARRED: &str = r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const CONFIG_KEY: &str = "[-._a-zA-Z0-9]+";

struct Rule {
    /// What its length is counted in.
    unit: &'static str,
    whole: Regex,
    pattern: &'static str,
    most: usize,
    what: &'static str,
    examples: &'static [&'static str],
}

impl Rule {
    fn new(pattern: &'static str, most: usize, what: &'static str, examples: &'static [&'static str]) -> Self {
        let whole = Regex::new(&format!("^(?:{pattern})$")).expect("the pattern is one of the constants above");
        Self { unit: "characters", whole, pattern, most, what, examples }
    }

    fn check(&self, value: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        if value.len() > self.most {
            wrong.push(format!("must be no more than {} {}", self.most, self.unit));
        }
        if !self.whole.is_match(value) {
            wrong.push(self.words());
        }
        wrong
    }

    /// The comma before each "or" is Kubernetes' own.
    fn words(&self) -> String {
        let examples = self.examples.iter().map(|one| format!("'{one}', ")).collect::<Vec<_>>().join(" or ");
        format!("{} (e.g. {examples}regex used for validation is '{}')", self.what, self.pattern)
    }
}

static DNS_LABEL: LazyLock<Rule> = LazyLock::new(|| {
    let what = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
    Rule::new(LABEL, 63, what, &["my-name", "123-abc"])
});
static DNS_SUBDOMAIN: LazyLock<Rule> = LazyLock::new(|| {
    let what = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
    Rule::new(SUBDOMAIN, 253, what, &["example.com"])
});
static WILDCARD: LazyLock<Rule> = LazyLock::new(|| {
    let what = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
    Rule::new(STARRED, 253, what, &["*.example.com"])
});
static DNS_1035: LazyLock<Rule> = LazyLock::new(|| {
    let what = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
    Rule::new(LABEL_1035, 63, what, &["my-name", "abc-123"])
});
static NAME_PART: LazyLock<Rule> = LazyLock::new(|| {
    let what = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    Rule { unit: "bytes", ..Rule::new(QUALIFIED, 63, what, &["MyName", "my.name", "123-abc"]) }
});
static VALUE: LazyLock<Rule> = LazyLock::new(|| {
    let what = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    Rule { unit: "bytes", ..Rule::new(LABEL_VALUE, 63, what, &["MyValue", "my_value", "12345"]) }
});
static KEY: LazyLock<Rule> = LazyLock::new(|| {
    let what = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    Rule::new(CONFIG_KEY, 253, what, &["key.name", "KEY_NAME", "key-name"])
});

pub(crate) fn dns_label(value: &str) -> Vec<String> {
    DNS_LABEL.check(value)
}

pub(crate) fn dns_subdomain(value: &str) -> Vec<String> {
    DNS_SUBDOMAIN.check(value)
}

pub(crate) fn dns_1035_label(value: &str) -> Vec<String> {
    DNS_1035.check(value)
}

pub(crate) fn label_value(value: &str) -> Vec<String> {
    VALUE.check(value)
}

/// Names of roles are parts of a path, no more.
pub(crate) fn path_segment(value: &str) -> Vec<String> {
    match value {
        "." | ".." => vec![format!("may not be '{value}'")],
        _ => {
            let found = ['/', '%'].into_iter().filter(|c| value.contains(*c));
            found.map(|c| format!("may not contain '{c}'")).collect()
        }
    }
}

/// A label's key: a name, perhaps with a domain before it.
pub(crate) fn qualified_name(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut parts = value.split('/');
    let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if third.is_some() {
        let words = NAME_PART.words();
        let domain = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
        return vec![format!("a valid label key {words}{domain}")];
    }
    let name = match second {
        Some(name) => {
            if first.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(dns_subdomain(first).into_iter().map(|why| format!("prefix part {why}")));
            }
            name
        }
        None => first,
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    }
    wrong.extend(NAME_PART.check(name).into_iter().map(|why| format!("name part {why}")));
    wrong
}

pub(crate) fn config_key(value: &str) -> Vec<String> {
    let mut wrong = KEY.check(value);
    match value {
        "." | ".." => wrong.push(format!("must not be '{value}'")),
        _ if value.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

pub(crate) fn environment_name(value: &str) -> Vec<String> {
    let printable = !value.is_empty() && value.chars().all(|c| (' '..='~').contains(&c) && c != '=');
    let what = "a valid environment variable name must consist only of printable ASCII characters other than '='";
    if printable { Vec::new() } else { vec![what.to_owned()] }
}

pub(crate) fn port_number(value: i64) -> Vec<String> {
    if (1..=65_535).contains(&value) { Vec::new() } else { vec![between(1, 65_535)] }
}

pub(crate) fn port_name(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut claim = |holds: bool, why: &str| {
        if !holds {
            wrong.push(why.to_owned());
        }
    };
    let charset = !value.is_empty() && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    claim(value.len() <= 15, "must be no more than 15 characters");
    claim(charset, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    claim(value.contains(|c: char| c.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    claim(!value.contains("--"), "must not contain consecutive hyphens");
    claim(!value.starts_with('-') && !value.ends_with('-'), "must not begin or end with a hyphen");
    wrong
}

pub(crate) fn ip(value: &str) -> Vec<String> {
    let what = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    if value.parse::<std::net::IpAddr>().is_ok() { Vec::new() } else { vec![what.to_owned()] }
}

fn range(value: &str) -> Option<(std::net::IpAddr, u32)> {
    let (address, bits) = value.split_once('/')?;
    let (address, bits) = (address.parse::<std::net::IpAddr>().ok()?, bits.parse().ok()?);
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
}

pub(crate) fn cidr(value: &str) -> Vec<String> {
    let what = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    if range(value).is_some() { Vec::new() } else { vec![what.to_owned()] }
}

/// Whether one range is a part of the other, and not all of it.
pub(crate) fn is_within(part: &str, whole: &str) -> bool {
    let (Some((part, inner)), Some((whole, outer))) = (range(part), range(whole)) else { return false };
    let number = |address: std::net::IpAddr| match address {
        std::net::IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        std::net::IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let ((part, width), (whole, other)) = (number(part), number(whole));
    width == other && inner > outer && (outer == 0 || part >> (128 - outer) == whole >> (128 - outer))
}

/// A name in the DNS, whose first part may be a star.
pub(crate) fn host(value: &str) -> Vec<String> {
    if value.contains('*') { WILDCARD.check(value) } else { dns_subdomain(value) }
}

pub(crate) const SYSCTL: &str = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

pub(crate) fn is_sysctl(name: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(SYSCTL).expect("the pattern is the constant above"));
    name.len() <= 253 && NAME.is_match(name)
}

pub(crate) fn between(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_right() {
        for name in ["a", "a-1", "9", &"x".repeat(63)] {
            assert!(dns_label(name).is_empty() && qualified_name(name).is_empty(), "{name}");
        }
        assert!(dns_subdomain("a.b-c.d").is_empty());
        assert!(qualified_name("example.com/My_name.1").is_empty());
        assert!(label_value("").is_empty());
        assert!(port_name("http-2").is_empty());
        assert!(environment_name("my.ENV-1").is_empty());
    }

    #[test]
    fn names_that_are_wrong_say_why() {
        assert_eq!(dns_label(&"x".repeat(64)), ["must be no more than 63 characters"]);
        assert_eq!(
            port_name("HTTP"),
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)"
            ]
        );
        assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
        assert!(qualified_name("a/b/c")[0].starts_with("a valid label key must consist of"));
        assert_eq!(path_segment("a/b"), ["may not contain '/'"]);
        assert_eq!(config_key(".."), ["must not be '..'"]);
    }
}
