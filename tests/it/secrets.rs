//! No report shows a secret, however a command printed it.

use std::fs;

use crate::harness::{Test, need};

const TOKEN: &str = "NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKpaUnArl63XykWZeiNNCiia3anXn9k3ksu9mI4ROnl89Sm995ytbxAk7jqevt0MLaMRTvetw0tESulEETldq8b8Vw2zbJYAxyL1aCcTlN99mhWp708DwGw5HqXDgLVXZx3scB8fnvGNx6jvr7SIftRutlZfOjUStEkUdfMI7zcpVMw0qDP";

/// Runs a lab with one block and some checks, and gives everything that came of it.
#[track_caller]
fn told(block: &str, checks: &str) -> String {
    let checks = if checks.is_empty() { String::new() } else { format!("```check\n{checks}\n```\n") };
    let lab = format!(
        "---\ntitle: T\nclusters: [sandbox]\nvars:\n  TOKEN: {{ default: \"{TOKEN}\", secret: true }}\n---\n## One\n\n\
         ```bash\n: \"$TOKEN\"\n{block}\n```\n\n{checks}"
    );
    let mut all = String::new();
    for args in [&["run", "-vv", "lab.md", "--junit", "junit.xml"][..], &["run", "lab.md", "--format", "json"]] {
        let done = Test::new(args).file("lab.md", &lab).env("GITHUB_ACTIONS", "true").run();
        assert_ne!(done.exit(), Some(2), "{}", done.stderr());
        all += &done.stdout();
        all += &done.stderr();
        all += &fs::read_to_string(done.dir().join("junit.xml")).unwrap_or_default();
    }
    assert!(all.contains("bytes, hidden"), "something was to be hidden:\n{all}");
    all
}

#[track_caller]
fn hides(told: &str, secret: &str) {
    for at in (0..secret.len().saturating_sub(12)).step_by(5) {
        let piece = &secret[at..at + 12];
        assert!(!told.contains(piece), "{piece} of {secret} was shown:\n{told}");
    }
}

#[test]
fn a_long_value_that_an_explanation_shortens() {
    need!("etcd", "kubectl");
    let told = told(
        "kubectl create configmap c --from-literal=p=\"$TOKEN\"",
        "key /registry/configmaps/default/c where object.data.p == \"x\" within 1s",
    );
    hides(&told, TOKEN);
}

#[test]
fn base64_of_a_secret_variable_wrapped_or_in_an_object() {
    need!("etcd", "kubectl");
    let told = told(
        "printf %s \"$TOKEN\" | base64\nprintf 'me:%s' \"$TOKEN\" | base64 -w0\nprintf %s \"$TOKEN\" | xxd -p\nfalse",
        "",
    );
    hides(&told, TOKEN);
    for line in ["TnFWd1lTODFWUDdIYjFEWDhw", "bWU6TnFWd1lTODFWUDdIYjFE", "4e71567759533831565037"] {
        assert!(!told.contains(line), "{line}:\n{told}");
    }
}

#[test]
fn a_secret_that_the_very_command_makes() {
    need!("etcd", "kubectl");
    let value = "kX93mPq27LwZb5Ty0RcVf8Hn4";
    let block = format!(
        "V={value}; kubectl create secret generic s --from-literal=p=\"$V\" && echo \"$V\" && printf %s \"$V\" | base64 && \
         kubectl create secret docker-registry d --docker-username=anna --docker-password=\"x$V\" --docker-server=x.y && \
         kubectl get secret d -o jsonpath='{{.data.\\.dockerconfigjson}}' | base64 -d | python3 -m json.tool && \
         kubectl get secrets -o yaml && etcdctl get /registry/secrets/default/s -w fields; echo '{{\"p\": \"'$V'\"}}' | python3 -c 'import json,sys; print(json.dumps(sys.stdin.read()))'"
    );
    let told = told(&block, "");
    // What the lab itself says in its text it says; what was printed is hidden.
    let printed: String = told.lines().filter(|line| !line.contains("V=")).collect();
    hides(&printed, value);
    assert!(!printed.contains("a1g5M21QcTI3"), "{printed}");
}

#[test]
fn a_secret_variable_stands_on_no_command_line() {
    need!("etcd", "kubectl");
    let told = told(
        "kubectl create configmap c --from-literal=p=\"$TOKEN\" >/dev/null",
        "run \"tr '\\\\0' ' ' < /proc/$$/cmdline | grep -c ${TOKEN}\" where exit == 1 && stdout.startsWith(\"0\") within 1s\n\
         run \"test \\\"${TOKEN}\\\" = \\\"$TOKEN\\\"\"",
    );
    assert!(told.contains("\"verdict\": \"pass\""), "{told}");
    hides(&told, TOKEN);
}

#[test]
fn lint_shows_no_secret_default() {
    for head in [
        format!("vars:\n  TOKEN: {{ default: \"{TOKEN}\", secret: true, pattern: \"[0-9]+\" }}"),
        format!("vars:\n  TOKEN: {{ default: \"{TOKEN}\", secret: true, nonsense: 1 }}"),
        format!("vars:\n\tTOKEN: {{ default: \"{TOKEN}\", secret: true }}"),
        format!("vars:\n  TOKEN: {{ default: \"{TOKEN}\" secret: true }}"),
    ] {
        let lab = format!("---\ntitle: T\n{head}\n---\n## One\n\n```bash\necho \"$TOKEN\"\n```\n");
        for format in ["human", "json"] {
            let done = Test::new(&["lint", "lab.md", "--format", format]).file("lab.md", &lab).run().expect_exit(2);
            hides(&(done.stdout() + &done.stderr()), TOKEN);
        }
    }
}
