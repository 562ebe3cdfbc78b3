//! Arbitrary text: no panic, no hang, every finding inside the file; and what is accepted prints back
//! to an equal check.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use regex::Regex;

use super::attrs;
use super::check::checks;
use super::context::Context;
use super::findings::Findings;
use super::parse;
use crate::lab::Check;
use crate::text::{Joined, SourceFile, Span};

/// Slower than this for a few hundred bytes means a parser that goes back and forth.
const HANG: Duration = Duration::from_secs(10);

/// An input that failed once is kept beside this file and tried first from then on.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96);
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("failures")) as _);
    ProptestConfig { cases, failure_persistence, ..ProptestConfig::default() }
}

fn lines() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "---",
        "title: x",
        "vars: {A: {default: b}}",
        "needs: [a]",
        "## Step",
        "# Title",
        "Text ${A} and `${B}`.",
        "```bash",
        "```bash {name=a background ready=watch terminal=2}",
        "```check",
        "```check {points=3 fail=\"x ${A}\"}",
        "```output",
        "```",
        "~~~",
        "````markdown",
        "> ```sh",
        "- item",
        "  ```bash",
        "    ```bash",
        "<details><summary>Hint</summary>",
        "<details><summary>Answer</summary>",
        "```answer",
        "</details>",
        "<!-- lab:step id=x -->",
        "<!-- lab:stp",
        "kubectl get pods -w <pod>",
        "export A=b",
        "key /registry/pods/${A}/x exists",
        "key /registry/pods/a where object.a == \"${A}\" within 3s",
        "events /registry/pods/** strict",
        "  PUT where has(object.a.b)",
        "  DELETE",
        "never /registry/pods/* for 1s",
        "output a contains \"x\"",
        "= /re/",
        "( ) a",
        "(x) b",
        "```question",
        "```wait",
        "```console",
        "$ ls",
        "> x",
        "",
        "\t",
        "...",
        "Setext",
        "===",
        "sleep 1 && exit",
        "cat <<'EOF'",
        "EOF",
        "漢字 é 𝄞",
        "\u{feff}",
        "\u{0}",
        "${",
        "$${",
        "\"",
        "'",
        "`",
        "{",
        "}",
        "| a | b |",
        "|---|---|",
        "[^1]: note",
        "&amp;",
    ])
    .prop_map(str::to_owned);
    prop_oneof![8 => known, 1 => ".{0,40}", 1 => "[ -~\\t\\r]{0,60}"]
}

fn documents() -> impl Strategy<Value = String> {
    (prop::collection::vec(lines(), 0..40), prop::sample::select(vec!["\n", "\r\n"]))
        .prop_map(|(lines, end)| lines.join(end))
}

fn inside(text: &str) -> Result<(), TestCaseError> {
    let started = Instant::now();
    let source = SourceFile::new("lab.md", "lab.md", text);
    for finding in parse(&source).findings {
        let Span { start, end } = finding.span;
        prop_assert!(start <= end && end <= text.len(), "{finding:?}");
        prop_assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "{finding:?}");
        prop_assert!(!finding.draw(&source, true).is_empty());
    }
    prop_assert!(started.elapsed() < HANG, "{:?}", started.elapsed());
    Ok(())
}

/// What these tests found once.
#[test]
fn inputs_that_failed_are_read() {
    for text in
        ["```bash\n'¡\r\0", "```bash\nkubectl get <pod> ¡\r\0\n```", "> ```bash\n> sleep 5 ¡\0\n", "```check\n‘"]
    {
        inside(text).expect("each finding lies between two characters of the file");
    }
}

fn read_checks(text: &str) -> (Vec<Check>, usize) {
    let source = SourceFile::new("lab.md", "lab.md", text);
    let mut cx = Context::new(&source);
    let found = checks(&Joined::whole(text, 0), Span::new(0, text.len()), &mut cx);
    (found, cx.findings.finish().len())
}

/// A check without its places and its wording.
fn shape(check: &Check) -> String {
    let place = Regex::new(r"Span \{ start: \d+, end: \d+ \}").expect("a pattern");
    let check = Check { text: String::new(), ..check.clone() };
    place.replace_all(&format!("{check:?}"), "_").into_owned()
}

fn prints_back(text: &str) -> Result<usize, TestCaseError> {
    let (first, _) = read_checks(text);
    for check in &first {
        let printed = check.to_string();
        let (again, findings) = read_checks(&printed);
        prop_assert_eq!(again.len(), 1, "{} gave {} findings\nfrom {}", printed, findings, text);
        prop_assert_eq!(shape(&again[0]), shape(check), "printed as {}", printed);
    }
    Ok(first.len())
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "object.metadata.name",
        "object.spec.replicas",
        "value",
        "revision",
        "1",
        "-2.5e3",
        "0x1Fu",
        "\"te\\\"xt ${A}\"",
        "'it ${A}'",
        "r\"\\d\"",
        "null",
        "true",
        "has(object.a.b[\"c/d\"])",
        "object.items[0]",
        "[1, 2]",
        "{\"a\": 1}",
        "mark.revision",
        "object.within",
        "object.a.for",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = prop::sample::select(vec!["==", "!=", "<", "&&", "||", "+", "in", "\n  &&", " # why\n\t||"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            inner.clone().prop_map(|a| format!("size({a})")),
            inner.clone().prop_map(|a| format!("[{a}].exists(x, x == {a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(({a}) ? ({b}) : ({c}))")),
        ]
    })
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "/registry/pods/${A}/web",
        "/registry/namespaces/demo",
        "\"/registry/pods/a b/\\\"c\\\"*\"",
        "r'/registry/pods/x\\y'",
        "/foo#bar",
        "'/registry/$${A}'",
        "\"/registry/pods/\\u00e9\\n\"",
        "/registry/pods/$${A}",
        "'r'",
        "bare",
    ])
    .prop_map(str::to_owned)
}

fn glob() -> impl Strategy<Value = String> {
    prop_oneof![
        word(),
        prop::sample::select(vec!["/registry/**", "/registry/pods/*/a", "/registry/pods/\\*"]).prop_map(str::to_owned)
    ]
}

fn check() -> impl Strategy<Value = String> {
    let holds = prop_oneof![
        Just("exists".to_owned()),
        Just("absent".to_owned()),
        expression().prop_map(|e| format!("where {e}"))
    ];
    let condition = prop_oneof![Just(String::new()), expression().prop_map(|e| format!(" where {e}"))];
    let within =
        prop::sample::select(vec!["", " within 3s", " within 1500ms", "\n  within 2m", " # why\n  within 120s"]);
    let hold = prop::sample::select(vec!["", " for 1s", "\tfor 250ms"]);
    let state = prop_oneof![
        (word(), holds.clone()).prop_map(|(w, h)| format!("key {w} {h}")),
        (glob(), condition.clone()).prop_map(|(g, c)| format!("keys {g} count >= 3{c}")),
        holds.prop_map(|h| format!("resource deployments.apps/${{A}} in demo-${{A}} {h}")),
        prop::sample::select(vec![
            "output a contains \"x ${A}\"",
            "output matches r'^\\d+ ${A}$'",
            "output where lines.size() > 1",
            "etcd e1 where up && healthy",
            "etcd where dbSize > 3",
            "snapshot \"a b.db\" where valid",
            "run \"echo $A | wc -l\" where exit == 0 && stdout == \"1\\n\""
        ])
        .prop_map(str::to_owned),
    ];
    let timed = (state, within, hold).prop_map(|(s, w, h)| format!("{s}{w}{h}"));
    let events = (
        glob(),
        prop::sample::select(vec!["", " strict", " unordered"]),
        prop::sample::select(vec!["", " within 5s"]),
        condition.clone(),
        condition.clone(),
    )
        .prop_map(|(g, o, w, a, b)| format!("events {g}{o}{w}\n  PUT{a}\n  DELETE{b} # done"));
    let never = (glob(), prop::sample::select(vec!["", " PUT", " DELETE"]), condition)
        .prop_map(|(g, k, c)| format!("never {g}{k}{c} for 2s"));
    prop_oneof![4 => timed, 2 => events, 1 => never]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_document_is_read(text in documents()) {
        inside(&text)?;
    }

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        inside(&text)?;
        inside(&format!("---\n{text}\n---\n## A\n\n```check\n{text}\n```\n"))?;
    }

    #[test]
    fn any_info_string_is_read(text in "[ -~]{0,40}|[a-z= \"'{}\\\\,é]{0,40}") {
        inside(&format!("## A\n\n```bash {{{text}}}\nls\n```\n"))?;
        inside(&format!("## A\n\n```{text}\nls\n```\n"))?;
    }

    #[test]
    fn attributes_print_back(pairs in prop::collection::vec(("[a-z][a-z0-9-]{0,6}", prop::option::of((".{0,12}", any::<bool>()))), 0..5)) {
        let written: Vec<String> = pairs.iter().map(|(name, value)| match value {
            None => name.clone(),
            Some((text, true)) if !text.contains('\'') => format!("{name}='{text}'"),
            Some((text, _)) => format!("{name}=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        }).collect();
        let text = format!("{{{}}}", written.join("  "));
        let source = SourceFile::new("lab.md", "lab.md", text.as_str());
        let mut findings = Findings::default();
        let attrs = attrs::in_braces(&source, Span::new(0, text.len()), &mut findings);
        let mut first = std::collections::BTreeSet::new();
        let wanted: Vec<_> = pairs.iter().filter(|(name, _)| first.insert(name.clone())).collect();
        prop_assert_eq!(attrs.len(), wanted.len(), "{}", text);
        for (attr, (name, value)) in attrs.iter().zip(wanted) {
            prop_assert_eq!(&attr.name.value, name);
            prop_assert_eq!(attr.value.as_ref().map(|v| v.text.as_str()), value.as_ref().map(|(text, _)| text.as_str()));
        }
    }

    #[test]
    fn any_check_lines_are_read(text in "(key|keys|events|never|output|run|etcd|snapshot|resource| |where|within|for|PUT|\\n  |\\n|[(){}\\[\\]]|==|&&|\"|'|#|\\$\\{A\\}|object|[a-z/*.0-9]{1,3}|.){0,30}") {
        let started = Instant::now();
        prints_back(&text)?;
        prop_assert!(started.elapsed() < HANG);
    }

    #[test]
    fn accepted_checks_print_back(text in check()) {
        let accepted = prints_back(&text)?;
        // Some keys are refused for their folder or their `$`, and nothing else of these is.
        let (_, findings) = read_checks(&text);
        prop_assert!(accepted == 1 || findings > 0, "{}", text);
    }
}

#[test]
fn most_of_the_made_up_checks_are_accepted() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let accepted = (0..100)
        .filter(|_| {
            let text = check().new_tree(&mut runner).expect("a check").current();
            read_checks(&text).0.len() == 1
        })
        .count();
    assert!(accepted > 60, "only {accepted} of 100 checks say anything about the printer");
}
