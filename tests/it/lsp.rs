//! `keywitness lsp`, spoken to as an editor does: the real binary, over its pipes.

mod client;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use client::{Client, Counts};
use keywitness::parse::{Heard, ask_bash, parse};
use keywitness::text::{Severity, SourceFile};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::harness::{Test, need};

/// A finding: code, severity, where it begins and ends (from 0, in UTF-16 or UTF-8), message with hint.
type Finding = (String, u64, [u64; 4], String);

fn copied(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir_all(&target).expect("a folder is made");
            copied(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file is copied");
        }
    }
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "md") {
            found.push(path);
        }
    }
}

/// What `lint` says of the folder, by file.
fn linted(folder: &Path) -> BTreeMap<String, Vec<Finding>> {
    let mut command = Test::new(&["lint", ".", "--format", "json"]).command();
    let output = command.current_dir(folder).output().expect("the binary ends");
    let mut by_file: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    // Where no file is a lab, there is no report.
    let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else { return by_file };
    for found in report["diagnostics"].as_array().expect("diagnostics") {
        let file = found["file"].as_str().expect("a file").trim_start_matches("./").to_owned();
        let text = fs::read_to_string(folder.join(&file)).expect("the file");
        // Characters become the protocol's units.
        let units = |line: &str, column: &str| -> [u64; 2] {
            let (line, column) = (found[line].as_u64().expect("a line"), found[column].as_u64().expect("a column"));
            let number = usize::try_from(line - 1).expect("a small number");
            let written = text.split('\n').nth(number).unwrap_or_default();
            let before = written.chars().take(usize::try_from(column - 1).expect("a small number"));
            [line - 1, before.map(|c| c.len_utf16() as u64).sum()]
        };
        let ([line, column], [end_line, end_column]) = (units("line", "column"), units("end_line", "end_column"));
        let severity = if found["severity"] == "error" { 1 } else { 2 };
        let hint = found["hint"].as_str().map(|hint| format!("\n{hint}")).unwrap_or_default();
        let message = format!("{}{hint}", found["message"].as_str().expect("a message")).replace("./", "");
        let code = found["code"].as_str().expect("a code").to_owned();
        by_file.entry(file).or_default().push((code, severity, [line, column, end_line, end_column], message));
    }
    by_file
}

fn findings(published: &Value, strip: &str) -> Vec<Finding> {
    let number = |value: &Value| value.as_u64().expect("a number");
    let found = published["diagnostics"].as_array().expect("diagnostics").iter();
    found
        .map(|one| {
            let (start, end) = (&one["range"]["start"], &one["range"]["end"]);
            let place = [&start["line"], &start["character"], &end["line"], &end["character"]].map(number);
            let message = one["message"].as_str().expect("a message").replace(strip, "");
            (one["code"].as_str().expect("a code").to_owned(), number(&one["severity"]), place, message)
        })
        .collect()
}

#[test]
fn findings_are_those_of_lint_on_every_golden_file() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lint");
    let temp = tempfile::tempdir().expect("a temp folder");
    copied(&golden, temp.path());
    let mut cases: Vec<PathBuf> =
        fs::read_dir(temp.path()).expect("cases").map(|e| e.expect("a case").path()).collect();
    cases.sort();
    let mut client = Client::start(Counts::Utf16, &cases);
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for case in &cases {
        let mut wanted = linted(case);
        let mut files = Vec::new();
        markdown(case, &mut files);
        for file in files {
            let name = file.strip_prefix(case).expect("a file of the case").to_string_lossy().into_owned();
            let text = fs::read_to_string(&file).expect("the file");
            client.open(&file, &text);
            let wanted = wanted.remove(&name).unwrap_or_default();
            seen += wanted.len();
            let got =
                client.published(&file).map(|p| findings(&p, &format!("{}/", case.display()))).unwrap_or_default();
            if got != wanted {
                wrong.push(format!("{}: wanted {wanted:?}, got {got:?}", file.display()));
            }
        }
    }
    assert!(seen > 300, "only {seen} findings");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_that_is_no_lab_is_left_alone() {
    let temp = tempfile::tempdir().expect("a temp folder");
    let mut client = Client::start(Counts::Utf8, &[temp.path().to_owned()]);
    let file = temp.path().join("README.md");
    let text = "---\nlayout: post\ntitle: A page\n---\n# A page\n\n```bash\nkubectl get pods -w\n```\n\n[nowhere](no-such-file.md)\n";
    client.open(&file, text);
    for method in ["hover", "completion", "definition", "codeLens", "documentSymbol", "codeAction"] {
        let place = json!({"line": 7, "character": 3});
        let params = json!({
            "position": place, "range": {"start": place, "end": place}, "context": {"diagnostics": []},
        });
        assert_eq!(client.ask(&format!("textDocument/{method}"), &file, params), Value::Null, "{method}");
    }
    assert_eq!(client.published(&file), None);
    // It becomes one, and is none again: its findings go.
    client.replace(&file, &text.replace("layout: post", "levl: beginner"));
    assert!(!findings(&client.published(&file).expect("findings"), "").is_empty());
    client.replace(&file, text);
    assert_eq!(findings(&client.published(&file).expect("no findings"), ""), []);
}

/// Line and character of a byte, counted from the start.
fn place(text: &str, offset: usize, counts: Counts) -> Value {
    let lead = &text[..offset];
    let line = lead.rsplit('\n').next().unwrap_or_default();
    let width = |c: char| if counts == Counts::Utf8 { c.len_utf8() } else { c.len_utf16() };
    json!({"line": lead.matches('\n').count(), "character": line.chars().map(width).sum::<usize>()})
}

fn expected(path: &Path, text: &str, counts: Counts) -> Vec<Finding> {
    let source = SourceFile::new(path.display().to_string(), path, text);
    let mut parsed = parse(&source);
    ask_bash(&mut parsed, &source, &mut Heard::default());
    let unit = |at: usize| {
        let place = place(text, at, counts);
        [place["line"].as_u64().unwrap_or(0), place["character"].as_u64().unwrap_or(0)]
    };
    let found = parsed.findings.into_iter().map(|one| {
        let ([line, column], [end_line, end_column]) = (unit(one.span.start), unit(one.span.end.max(one.span.start)));
        let hint = one.hint.map(|hint| format!("\n{hint}")).unwrap_or_default();
        let severity = if one.severity == Severity::Error { 1 } else { 2 };
        (one.code.0.to_owned(), severity, [line, column, end_line, end_column], format!("{}{hint}", one.message))
    });
    found.collect()
}

/// Ten thousand edits, and every five hundred of them what is found is what is found in the text that they make.
fn random_edits(counts: Counts) {
    const PIECES: &[&str] = &[
        "a",
        "ä",
        "漢字",
        "🦀",
        "\n",
        "\n\n",
        "`",
        "```bash\nls\n```\n",
        "```check\nkey /registry/x exists\n```\n",
        "## ä\n",
        "$",
        "${NS}",
        " ",
        "(",
        "echo 🦀 )",
    ];
    let temp = tempfile::tempdir().expect("a temp folder");
    let file = temp.path().join("lab.md");
    let head = "---\ntitle: Ä 🦀\nlevel: beginner\nvars:\n  NS: { default: demo }\n---\n";
    let mut text = format!(
        "{head}## Ö 🦀 step\n\n```bash {{name=a}}\necho 🦀 \"$NS\"\n```\n\n```check\nkey /registry/pods/x exists\n```\n"
    );
    let mut client = Client::start(counts, &[temp.path().to_owned()]);
    client.open(&file, &text);
    let mut random = StdRng::seed_from_u64(15);
    let mut changes = Vec::new();
    for round in 0..20 {
        for _ in 0..500 {
            let boundary = |at: usize| (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            let start = boundary(random.random_range(head.len()..=text.len()));
            let most = if text.len() > 1500 { 60 } else { 8 };
            let end = boundary((start + random.random_range(0..most)).min(text.len()));
            let piece = PIECES[random.random_range(0..PIECES.len())];
            let range = json!({"start": place(&text, start, counts), "end": place(&text, end, counts)});
            changes.push(json!({"range": range, "text": piece}));
            text.replace_range(start..end, piece);
            // Many at once, as a paste or a macro sends them.
            if changes.len() == 25 {
                client.edit(&file, std::mem::take(&mut changes));
            }
        }
        let published = client.published(&file).expect("findings");
        assert_eq!(findings(&published, ""), expected(&file, &text, counts), "round {round}: {text}");
    }
}

#[test]
fn ten_thousand_random_edits_in_utf_8() {
    random_edits(Counts::Utf8);
}

#[test]
fn ten_thousand_random_edits_in_utf_16() {
    random_edits(Counts::Utf16);
}

const LAB: &str = r#"---
title: A lab
vars:
  NS: { ask: "Which namespace?", default: demo }
---
## Watch

```bash {name=watcher terminal=2 background ready=watch}
etcdctl watch --prefix /registry/pods
```

In a second terminal, on 🦀:

```bash {name=create stop=watcher}
kubectl create namespace "$NS"
```

```check
key /registry/namespaces/${NS} where object.status.phase == "Active"
output watcher contains "${NS}"
output create contains "created"
```
"#;

/// A lab that is open, its check fence replaced by this line, and the place of the `|` in it.
struct Opened {
    client: Client,
    file: PathBuf,
    _temp: tempfile::TempDir,
}

impl Opened {
    fn new(text: &str) -> Self {
        let temp = tempfile::tempdir().expect("a temp folder");
        let file = temp.path().join("lab.md");
        let mut client = Client::start(Counts::Utf16, &[temp.path().to_owned()]);
        client.open(&file, text);
        Self { client, file, _temp: temp }
    }

    /// The answer at the first place of `around`, whose `|` says where in it.
    fn ask(&mut self, method: &str, text: &str, around: &str, more: &Value) -> Value {
        let mark = around.find('|').expect("a place");
        let at = text.find(&around.replacen('|', "", 1)).expect("the text around") + mark;
        let mut params = json!({"position": place(text, at, Counts::Utf16)});
        for (name, value) in more.as_object().into_iter().flatten() {
            params[name] = value.clone();
        }
        self.client.ask(&format!("textDocument/{method}"), &self.file, params)
    }

    /// The labels that are offered where the `|` stands in this check, or in the whole text.
    fn offered(&mut self, written: &str) -> Vec<String> {
        let whole = if written.starts_with("---") {
            written.to_owned()
        } else {
            let start = LAB.find("key /registry").expect("the check");
            format!("{}{written}\n```\n", &LAB[..start])
        };
        let at = whole.find('|').expect("a place");
        let text = whole.replacen('|', "", 1);
        self.client.replace(&self.file, &text);
        let params = json!({"position": place(&text, at, Counts::Utf16)});
        let answer = self.client.ask("textDocument/completion", &self.file, params);
        answer["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|i| i["label"].as_str().expect("a label").to_owned())
            .collect()
    }
}

#[test]
fn what_can_be_written_is_offered() {
    let mut lab = Opened::new(LAB);
    for (written, some) in [
        ("|", &["key", "keys", "events", "never", "resource", "output", "etcd", "snapshot", "run"][..]),
        ("k|", &["key", "keys"]),
        (
            "key /registry/|",
            &["/registry/pods/", "/registry/services/specs/", "/registry/minions/", "/registry/pods/default/"],
        ),
        ("key /registry/namespaces/demo |", &["exists", "absent", "where"]),
        ("key /registry/namespaces/demo where |", &["object", "value", "mark", "has", "size"]),
        ("key /registry/namespaces/demo where object.|", &["metadata", "spec", "status"]),
        ("key /registry/pods/a/b where object.spec.nod|", &["nodeName", "nodeSelector"]),
        ("key /registry/pods/a/b where object.spec.containers.exists(c, c.|", &["image", "name", "resources"]),
        ("key /registry/pods/a/b where object.spec.containers.exists(c, |", &["c", "object"]),
        ("key /registry/pods/a/b where object.status.phase == \"|", &["Running", "Pending", "Succeeded"]),
        ("key /registry/pods/a/b where object.metadata.name.|", &["startsWith", "contains", "matches"]),
        ("resource deployment/web where object.status.|", &["readyReplicas", "conditions"]),
        ("resource |", &["deployment/", "pod/", "node/"]),
        ("events /registry/pods/a/b\n  PUT where oldObject.|", &["metadata", "spec"]),
        ("events /registry/pods/a/b\n  |", &["PUT", "DELETE"]),
        ("never /registry/pods/a/b |", &["PUT", "DELETE", "where", "for"]),
        ("output |", &["watcher", "create", "contains", "matches", "where"]),
        ("output where |", &["text", "lines", "exit", "json"]),
        ("etcd where members.exists(m, m.|", &["leader", "healthy", "learner"]),
        ("key /registry/namespaces/${|", &["NS}", "LAB_NODE}"]),
        ("---\ntitle: A\nle|\n---\n## A\n\n```check\nkey /a exists\n```\n", &["level: ", "minutes: ", "vars: "]),
        (
            "---\ntitle: A\nlevel: |\n---\n## A\n\n```check\nkey /a exists\n```\n",
            &["beginner", "intermediate", "advanced"],
        ),
        (
            "---\ntitle: A\nclusters: [sandbox, |]\n---\n## A\n\n```check\nkey /a exists\n```\n",
            &["kind", "attach", "bare"],
        ),
        (
            "---\ntitle: A\nvars:\n  NS: { |}\n---\n## A\n\n```check\nkey /a exists\n```\n",
            &["default: ", "random: ", "secret: "],
        ),
        ("---\ntitle: A\nlevel: beginner\n---\n## A\n\n```bash {|}\nls\n```\n", &["name=", "background", "cleanup"]),
        (
            "---\ntitle: A\nlevel: beginner\n---\n## A\n\n```bash {name=w background ready=|}\nls\n```\n",
            &["watch", "none", "port:"],
        ),
        (
            "---\ntitle: A\nlevel: beginner\n---\n## A\n\n```bash {name=w background ready=none}\nls\n```\n\n```bash {stop=|}\n```\n",
            &["w"],
        ),
        ("---\ntitle: A\nlevel: beginner\n---\n## A\n\n```bash {on=kind,|}\nls\n```\n", &["sandbox", "attach"]),
        (
            "---\ntitle: A\nlevel: beginner\n---\n## A\n\n```ba|\nls\n```\n",
            &["bash", "check", "output", "question", "answer"],
        ),
        (
            "---\ntitle: A\nlevel: beginner\nvars:\n  NS: { default: a }\n---\n## A\n\n```bash\necho $|\n```\n",
            &["NS", "LAB_WORK"],
        ),
        (
            "---\ntitle: A\nlevel: beginner\n---\n## A\n<!-- lab:step | -->\n\n```bash\nls\n```\n",
            &["id=", "timeout=", "quiet="],
        ),
        (
            "---\ntitle: A\nlevel: beginner\n---\n## A\n\n```bash {name=w}\nls\n```\n\n```question\nWhat?\n= from |\n```\n",
            &["w"],
        ),
    ] {
        let offered = lab.offered(written);
        let missing: Vec<_> = some.iter().filter(|one| !offered.iter().any(|offer| offer == *one)).collect();
        assert!(missing.is_empty(), "{written}: {missing:?} are not among {offered:?}");
    }
    // What cannot stand there is not offered.
    for (written, none) in [
        ("key /registry/pods/a/b where object.|", "oldObject"),
        ("key /registry/pods/a/b where object.spec.|", "replicas"),
        ("key /registry/namespaces/demo exists |", "exists"),
        ("key /registry/namespaces/demo exists # |", "where"),
    ] {
        assert!(!lab.offered(written).iter().any(|offer| offer == none), "{written}");
    }
}

#[test]
fn what_a_word_means_is_said() {
    let mut lab = Opened::new(LAB);
    for (around, wanted) in [
        ("key /registry/name|spaces/", "**Namespace** (v1, stored as protobuf)"),
        ("ke|y /registry", "the key is in etcd"),
        ("object.status.pha|se", "NamespaceStatus"),
        ("object.sta|tus", "Status describes the current status of a Namespace"),
        ("where obj|ect.", "(Namespace)"),
        ("output watc|her", "etcdctl watch --prefix /registry/pods"),
        ("create stop=watc|her", "block `watcher`, line 8"),
        ("background rea|dy=", "when a background block is ready"),
        ("namespace \"$N|S\"", "variable `NS`: default `demo`"),
        ("tit|le: A lab", "the lab's title"),
        ("con|tains \"cre", "the text is in the output"),
    ] {
        let answer = lab.ask("hover", LAB, around, &json!({}));
        let said = answer["contents"]["value"].as_str().unwrap_or_default();
        assert!(said.contains(wanted), "{around}: {said}");
    }
    let broken = LAB.replace("object.status.phase", "object.status.phse");
    lab.client.replace(&lab.file, &broken);
    let answer = lab.ask("hover", &broken, "object.status.ph|se", &json!({}));
    assert!(answer["contents"]["value"].as_str().unwrap_or_default().contains("**KW047**"), "{answer}");
}

#[test]
fn a_check_says_how_it_came_out_in_the_last_run() {
    need!("etcd", "kubectl", "etcdctl");
    let lab = "---\ntitle: A lab\nclusters: [sandbox]\n---\n## Make it\n\n```bash\nkubectl create namespace demo\n```\n\n\
               ```check\nkey /registry/namespaces/demo exists\nkey /registry/namespaces/dema exists within 1ms\n```\n\n\
               ```bash {cleanup}\nkubectl delete namespace demo\n```\n";
    let run = |text: &str| {
        Test::new(&["test", "lab.md", "--save", ".cache/keywitness/runs"]).file("lab.md", text).run().expect_exit(1)
    };
    let done = run(lab);
    let (file, cache) = (done.dir().join("lab.md"), done.dir().join(".cache"));
    let mut client = Client::start_with(Counts::Utf16, &[done.dir().to_owned()], Some(&cache));
    client.open(&file, lab);
    let mut said = |check: &str| {
        let at = lab.find(check).expect("the check") + 1;
        let answer = client.ask("textDocument/hover", &file, json!({"position": place(lab, at, Counts::Utf16)}));
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    };
    let passed = said("key /registry/namespaces/demo");
    assert!(passed.contains("**Last run** (") && passed.ends_with("): pass"), "{passed}");
    let failed = said("key /registry/namespaces/dema");
    assert!(failed.contains("): fail: ") && failed.contains("/registry/namespaces/dema"), "{failed}");
}

/// The text with the edits of an answer.
fn applied(text: &str, edits: &Value) -> String {
    let offset = |place: &Value| {
        let line = usize::try_from(place["line"].as_u64().expect("a line")).expect("small");
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let mut left = place["character"].as_u64().expect("a character");
        let mut at = start;
        for c in text[start..].chars() {
            if left == 0 {
                break;
            }
            left -= c.len_utf16() as u64;
            at += c.len_utf8();
        }
        at
    };
    let mut edits: Vec<(usize, usize, String)> = edits
        .as_array()
        .expect("edits")
        .iter()
        .map(|one| {
            let (start, end) = (offset(&one["range"]["start"]), offset(&one["range"]["end"]));
            (start, end, one["newText"].as_str().expect("a text").to_owned())
        })
        .collect();
    edits.sort();
    let mut text = text.to_owned();
    for (start, end, new) in edits.into_iter().rev() {
        text.replace_range(start..end, &new);
    }
    text
}

fn only_edits(answer: &Value) -> Value {
    let changes = answer["changes"].as_object().expect("changes");
    changes.values().next().expect("one file").clone()
}

#[test]
fn names_are_found_and_renamed() {
    let mut lab = Opened::new(LAB);
    let answer = lab.ask("definition", LAB, "output watc|her", &json!({}));
    assert_eq!(answer["range"]["start"]["line"], 7, "{answer}");
    let answer = lab.ask("definition", LAB, "namespace \"$N|S\"", &json!({}));
    assert_eq!(answer["range"]["start"]["line"], 3, "{answer}");
    let context = json!({"context": {"includeDeclaration": true}});
    let answer = lab.ask("references", LAB, "{name=watc|her", &context);
    assert_eq!(answer.as_array().map(Vec::len), Some(3), "{answer}");
    let answer = lab.ask("prepareRename", LAB, "output cre|ate", &json!({}));
    assert_eq!(answer["end"]["character"], 13, "{answer}");
    let answer = lab.ask("rename", LAB, "output watc|her", &json!({"newName": "eye"}));
    let renamed = applied(LAB, &only_edits(&answer));
    assert_eq!(
        renamed,
        LAB.replace("name=watcher", "name=eye")
            .replace("stop=watcher", "stop=eye")
            .replace("output watcher", "output eye")
    );
    let answer = lab.ask("rename", LAB, "${N|S}", &json!({"newName": "SPACE"}));
    let renamed = applied(LAB, &only_edits(&answer));
    assert_eq!(renamed, LAB.replace("NS: {", "SPACE: {").replace("$NS", "$SPACE").replace("${NS}", "${SPACE}"));
    for (around, new) in
        [("output watc|her", "create"), ("output watc|her", "A b"), ("${N|S}", "LAB_X"), ("ti|tle", "x")]
    {
        let answer = lab.ask("rename", LAB, around, &json!({"newName": new}));
        assert!(answer["error"]["message"].is_string(), "{around} to {new}: {answer}");
    }
    let answer = lab.client.ask("textDocument/documentSymbol", &lab.file, json!({}));
    assert_eq!(answer[0]["name"], "Watch");
    assert_eq!(answer[0]["children"].as_array().map(Vec::len), Some(2));
}

#[test]
fn actions_are_what_lint_mends() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lint");
    let mut mended = 0;
    for case in fs::read_dir(golden).expect("cases") {
        let Ok(text) = fs::read_to_string(case.expect("a case").path().join("lab.md")) else { continue };
        let done = Test::new(&["lint", "--fix", "lab.md"]).file("lab.md", &text).run();
        let fixed = fs::read_to_string(done.dir().join("lab.md")).expect("the lab");
        if fixed == text {
            continue;
        }
        mended += 1;
        let mut lab = Opened::new(&text);
        let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 9999, "character": 0}});
        let params = json!({"range": range, "context": {"diagnostics": [], "only": ["source.fixAll"]}});
        let answer = lab.client.ask("textDocument/codeAction", &lab.file, params);
        assert_eq!(applied(&text, &only_edits(&answer[0]["edit"])), fixed);
        let params = json!({"range": range, "context": {"diagnostics": [], "only": ["quickfix"]}});
        let answer = lab.client.ask("textDocument/codeAction", &lab.file, params);
        assert!(!answer.as_array().expect("actions").is_empty(), "{text}");
    }
    assert!(mended >= 5, "only {mended} cases can be mended");
}

#[test]
fn a_warning_can_be_allowed_and_a_lab_tested() {
    let text = "---\ntitle: A\nlevel: beginner\n---\n## A\n\n```bash\nsleep 1\n```\n\n```chek\n```\n";
    let mut lab = Opened::new(text);
    let range = json!({"start": {"line": 7, "character": 0}, "end": {"line": 7, "character": 1}});
    let params = json!({"range": range, "context": {"diagnostics": []}});
    let answer = lab.client.ask("textDocument/codeAction", &lab.file, params);
    let allow = answer
        .as_array()
        .expect("actions")
        .iter()
        .find(|a| a["title"].as_str().is_some_and(|t| t.starts_with("allow KW073")));
    let allowed = applied(text, &only_edits(&allow.expect("an action")["edit"]));
    assert!(allowed.contains("\n\n<!-- lab:allow KW073: why this is meant -->\n\n```bash\nsleep 1\n"), "{allowed}");
    let lens = lab.client.ask("textDocument/codeLens", &lab.file, json!({}));
    assert_eq!(lens[0]["command"]["command"], "keywitness.test", "{lens}");
    let step = lens[1]["command"]["arguments"][0].as_str().unwrap_or_default();
    assert!(step.ends_with("lab.md#a") && lens[1]["range"]["start"]["line"] == 4, "{lens}");
    fs::write(&lab.file, text).expect("the lab is saved");
    let command = &lens[0]["command"];
    let answer = lab
        .client
        .request("workspace/executeCommand", json!({"command": command["command"], "arguments": command["arguments"]}));
    assert_eq!(answer, Value::Null);
    let shown = lab.client.notified("window/showMessage");
    assert_eq!(shown["type"], 1, "{shown}");
}
