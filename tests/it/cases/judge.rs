//! What is judged, and what a verdict rests on.

use super::{Case, cases};

cases! {
    a_step_of_only_never_proves_nothing => Case::new(&["test"], "judge/never-only.md")
        .exit(2)
        .screen("proves nothing: `never` needs another check in the step that is red before and green after")
        .not_on_screen("10/10")
        .junit("<failure message=\"proves nothing: `never`")
        .not_in_junit("skipped=\"1\"")
        .stderr("::error file=never-only.md,line=16,col=1")
        .json("/labs/0/points", 0)
        .json("/labs/0/verdict", "fail");
}
