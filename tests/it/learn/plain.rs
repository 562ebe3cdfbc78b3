//! Without a terminal: lines one after the other, in words, and each verdict once.

use crate::harness::{Test, need};

#[test]
fn a_lab_is_learned_through_a_pipe_in_words_alone() {
    need!("etcd", "etcdctl", "kubectl");
    let lab = super::labs().join("first-look");
    let test = Test::new(&["learn", &lab.display().to_string()]).file(".bashrc", "PS1='lab$ '\n");
    let (home, state) = (test.dir().display().to_string(), test.dir().join("state").display().to_string());
    let typed = "kubectl -n kube-system get pods -l component=etcd\nlab answer 2\nlab next\nlab why\nlab quit\n";
    let done = test.env("HOME", &home).env("KEYWITNESS_STATE", &state).stdin(typed).run().expect_exit(0);
    let said = done.stdout();
    for words in [
        "Step 1 of 8: Find the etcd pod",
        "To do: `find` prints \"Running\"",
        "Done: `find` prints \"Running\"",
        "step 1 of 8, 2 of 2, 1 question",
        "Right: That is right.",
        "Step 2 of 8: Run etcdctl in it",
        "Step 1 of 8: Find the etcd pod",
        "points, ",
        "takes it up again",
    ] {
        assert!(said.contains(words), "no {words:?} in:\n{said}");
    }
    assert_eq!(said.matches("\nDone: `find` prints \"Running\"").count(), 1, "{said}");
    assert!(!said.contains(['\x1b', '✓', '○', '│', '─']), "{said}");

    // How far it came stands in the list.
    let labs = super::labs().display().to_string();
    let list = |args: &[&str]| Test::new(&[&["list", &labs], args].concat()).env("KEYWITNESS_STATE", &state).run();
    let listed = list(&[]).stdout();
    let line = listed.lines().find(|line| line.starts_with("first-look ")).expect("the lab is listed");
    assert!(line.contains("  step 2 of 8, ") && line.contains(" points  "), "{line}");
    let other = listed.lines().find(|line| !line.starts_with("first-look ")).expect("another lab");
    assert!(!other.contains(" points"), "{other}");
    let json: serde_json::Value = serde_json::from_str(&list(&["--format", "json"]).stdout()).expect("JSON");
    let of = |id: &str| {
        json["labs"].as_array().expect("labs").iter().find(|lab| lab["id"] == id).expect("there")["progress"].clone()
    };
    assert_eq!((&of("first-look")["step"], &of("first-look")["finished"]), (&2.into(), &serde_json::Value::Null));
    assert_eq!(of("break-it"), serde_json::Value::Null);
}

/// On a dumb terminal bash writes no more of a prompt than fits into a line: the session hears of its end all the same.
#[test]
fn a_prompt_wider_than_the_screen_is_as_good_as_another() {
    need!("etcd", "etcdctl", "kubectl");
    let lab = super::labs().join("first-look");
    let wide = format!("PS1='{}$ '\n", "wide ".repeat(40));
    let test = Test::new(&["learn", &lab.display().to_string()]).file(".bashrc", &wide);
    let (home, state) = (test.dir().display().to_string(), test.dir().join("state").display().to_string());
    let test = test.env("HOME", &home).env("KEYWITNESS_STATE", &state);
    let typed = "kubectl -n kube-system get pods -l component=etcd\nlab skip\nlab skip\nlab quit\n";
    let said = test.stdin(typed).run().expect_exit(0).stdout();
    for words in ["Done: `find` prints \"Running\"", "costs its", "Step 2 of 8: Run etcdctl in it", "takes it up again"]
    {
        assert!(said.contains(words), "no {words:?} in:\n{said}");
    }
}

#[test]
fn a_prompt_is_not_filled_by_the_path_of_the_labs_folder() {
    need!("etcd", "etcdctl", "kubectl");
    let lab = super::labs().join("first-look");
    for (own, seen) in
        [("", "~/.../work$ "), ("PROMPT_DIRTRIM=2; ", "/work$ "), ("PROMPT_DIRTRIM=0; ", "~/state/sessions/")]
    {
        let test = Test::new(&["learn", &lab.display().to_string()]).file(".bashrc", &format!("{own}PS1='\\w$ '\n"));
        let (home, state) = (test.dir().display().to_string(), test.dir().join("state").display().to_string());
        let test = test.env("HOME", &home).env("KEYWITNESS_STATE", &state);
        let said = test.stdin("lab check\nlab quit\n").run().expect_exit(0).stdout();
        for words in [seen, "`lab` shows how each stands"] {
            assert!(said.contains(words), "no {words:?} in:\n{said}");
        }
    }
}
