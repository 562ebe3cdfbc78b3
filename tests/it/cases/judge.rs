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

    a_field_that_the_kind_does_not_have_is_an_error => Case::new(&["test"], "judge/typo-in-never.md")
        .exit(2)
        .stderr("typo-in-never.md:15:49: error[KW047]: `object.status` (PodStatus) has no field `phse`")
        .stderr("did you mean `phase`? `object.status` has phase, conditions")
        .stderr("typo-in-never.md:16:53: error[KW047]")
        .stderr("typo-in-never.md:17:59: error[KW047]")
        .stderr("typo-in-never.md:19:61: error[KW047]: `object.spec.containers[0]` (Container) has no field `imge`")
        .stderr("typo-in-never.md:20:61: error[KW048]");

    what_is_not_judged_is_named => Case::new(&["test"], "judge/checks-behind-skipped-node-block.md")
        .screen("How big is it?                                1/2 ")
        .screen("- output size contains \"db\"\n      not judged: the block `size` was left out: it runs on a node")
        .screen("15 of 16 checks, 15 proved, 1 not judged · 17/17 points")
        .not_on_screen("all proved")
        .junit("<skipped message=\"the block `size` was left out: it runs on a node")
        .json("/labs/0/steps/6/checks/0/verdict", "pass")
        .json("/labs/0/steps/6/checks/1/verdict", "skipped")
        .json("/labs/0/steps/6/checks/1/proof", "not_run")
        .json("/labs/0/points", 17);

    a_block_that_is_left_out_is_no_pass_of_what_judges_it => Case::new(&["test"], "judge/node-blocks.md")
        .screen("- output contains \"created\"\n      not judged: the block that it judges was left out")
        .screen("- wait: output there contains")
        .screen("passed  1 of 4 checks, 1 proved, 3 not judged · 1/1 points")
        .json("/labs/0/steps/0/verdict", "skipped")
        .json("/labs/0/steps/0/questions/0/verdict", "skipped")
        .json("/labs/0/steps/0/waits/0/verdict", "skipped")
        .json("/labs/0/max_points", 1);

    the_maximum_of_points_is_the_same_when_it_fails => Case::new(&["test"], "judge/max-points.md")
        .exit(1)
        .screen("0/10 points")
        .screen("0/6 pts")
        .json("/labs/0/max_points", 10)
        .json("/labs/0/steps/1/questions/0/verdict", "skipped");

    the_maximum_of_points_is_the_same_when_it_passes => Case::new(&["test"], "judge/max-points-passes.md")
        .screen("10/10 points")
        .json("/labs/0/points", 10);

    a_wait_that_fails_is_in_each_report => Case::new(&["run"], "judge/wait-fails.md")
        .exit(1)
        .screen("✗ wait: key /registry/namespaces/zz exists within 1s\n      wait-fails.md:6:1")
        .screen("0 of 1 check, 1 not judged · 0/1 points")
        .junit("<testcase name=\"wait: key /registry/namespaces/zz exists within 1s\"")
        .junit("failures=\"1\"")
        .stderr("::error file=wait-fails.md,line=6,col=1")
        .json("/labs/0/steps/0/waits/0/verdict", "fail")
        .json("/labs/0/steps/0/waits/0/line", 6)
        .json("/labs/0/steps/0/verdict", "fail");

    a_block_that_ended_by_itself_cannot_be_stopped => Case::new(&["run"], "judge/stop-of-a-dead-block.md")
        .exit(1)
        .screen("` at line 10 exited ")
        .screen("the server doesn't have a resource type")
        .junit("` at line 10 exited ")
        .stderr("` at line 10 exited ");

    clean_up_may_stop_what_has_been_stopped => Case::new(&["test"], "judge/cleanup-stop-background.md")
        .screen("✓ Clean up")
        .not_on_screen("no background block");

    an_empty_stop_block_prints_nothing => Case::new(&["test"], "judge/output-nearest.md").screen("1/1 proved");

    the_folder_that_was_looked_in_is_named => Case::new(&["run"], "judge/working-folder.md")
        .exit(1)
        .screen("there is no file s.db in LAB_WORK, which is /")
        .screen("the command ended with status 1 (it ran in LAB_WORK, which is /")
        .junit("there is no file s.db in LAB_WORK, which is /");

    what_was_not_kept_is_not_taken_for_absent => Case::new(&["run"], "judge/cut-output.md")
        .exit(1)
        .json("/labs/0/steps/0/checks/0/verdict", "fail")
        .json("/labs/0/steps/0/checks/1/verdict", "cannot_judge")
        .json("/labs/0/steps/0/checks/2/verdict", "pass");

    what_is_looked_for_is_found_whatever_is_kept => Case::new(&["run"], "judge/much-output.md")
        .exit(3)
        .screen("✓ Found in what is not kept")
        .screen("✓ Where the missing part decides nothing")
        .screen("cannot be judged: more was printed than is kept");

    a_run_checks_pipe_is_drained => Case::new(&["run"], "judge/run-over-4-mib.md").screen("3/3 pts");

    what_a_run_check_leaves_is_ended => Case::new(&["run"], "judge/run-leaves-background.md").screen("1/1 pts");

    what_a_block_makes_read_only_is_not_the_runners => Case::new(&["run"], "judge/falsepass-readonly-status.md")
        .exit(1)
        .screen("`(exit 3)` ended with status 3")
        .json("/labs/0/verdict", "fail");

    a_comments_backslash_continues_nothing => Case::new(&["run"], "judge/falsepass-comment-backslash.md")
        .exit(1)
        .screen("ended with status 1")
        .json("/labs/0/steps/0/actions/0/failed_line", 9);

    an_opened_shell_that_ends_with_1_fails => Case::new(&["run"], "judge/nested-false-exit.md")
        .exit(1)
        .screen("`false; exit` ended with status 1")
        .json("/labs/0/verdict", "fail");
}
