//! What a package has beside the binary.

use crate::harness::Test;

#[test]
fn completions_know_every_command_and_flag() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = Test::new(&["completions", shell]).run().expect_exit(0).stdout();
        for word in ["merge", "lint", "changed-since", "allow-flaky"] {
            assert!(text.contains(word), "{shell} does not know {word}");
        }
    }
    let bash = Test::new(&["completions", "bash"]).run().expect_exit(0);
    let script = bash.dir().join("completions");
    std::fs::write(&script, bash.stdout()).expect("it is written");
    let read = std::process::Command::new("bash").arg("-n").arg(&script).output().expect("bash starts");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn each_command_has_a_manual_page() {
    let done = Test::new(&["man", "pages"]).run().expect_exit(0);
    for page in ["keywitness.1", "keywitness-test.1", "keywitness-merge.1", "keywitness-cluster-up.1"] {
        let text = std::fs::read_to_string(done.dir().join("pages").join(page)).expect(page);
        assert!(text.contains(".TH"), "{page}");
    }
}

#[test]
fn a_binary_says_where_it_comes_from_and_what_it_would_start() {
    for words in [["--version", "--verbose"], ["-v", "-V"]] {
        let text = Test::new(&words).run().expect_exit(0).stdout();
        let first = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
        let names: Vec<String> = text.lines().map(first).collect();
        assert_eq!(names[..3], ["keywitness", "commit", "build"]);
        assert!(["etcd", "kubectl", "kind", "git"].iter().all(|tool| names.iter().any(|name| name == tool)), "{text}");
    }
    let plain = Test::new(&["--version"]).run().expect_exit(0).stdout();
    assert_eq!(plain.lines().count(), 1, "{plain}");
}
