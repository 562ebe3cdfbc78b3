use proptest::prelude::*;

use super::*;

fn recorded() -> Vec<RunEvent> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/report/events.jsonl");
    let text = std::fs::read_to_string(path).expect("the recording is there");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

proptest! {
    /// Any part of a recording, in any order, written down and read again, folds to the same report.
    #[test]
    fn a_replay_gives_an_equal_report(picks in prop::collection::vec(any::<prop::sample::Index>(), 0..80)) {
        let recorded = recorded();
        let events: Vec<RunEvent> = picks.iter().map(|pick| pick.get(&recorded).clone()).collect();
        let written: Vec<String> =
            events.iter().map(|event| serde_json::to_string(event).expect("it serialises")).collect();
        let read: Vec<RunEvent> =
            written.iter().map(|line| serde_json::from_str(line).expect("it reads back")).collect();
        prop_assert_eq!(fold(&events), fold(&read));
        let mut fold_so_far = Fold::default();
        for event in &events {
            fold_so_far.apply(event);
            let report = fold_so_far.report();
            prop_assert!(report.labs.iter().all(|lab| lab.points <= lab.max_points));
            prop_assert_eq!(report.exit, fold_so_far.exit().code());
        }
    }
}

/// A lab of one step, built event by event.
struct Script(Vec<RunEvent>);

impl Script {
    fn new(command: &str) -> Self {
        let (tool, started_at) = ("keywitness".to_owned(), String::new());
        Self(vec![RunEvent::RunStarted {
            tool,
            command: command.to_owned(),
            seed: 1,
            started_at,
            terms: Terms::default(),
        }])
    }

    fn lab(mut self, lab: usize) -> Self {
        let text = || format!("lab{lab}");
        self.0.push(RunEvent::LabStarted { lab, id: text(), file: text(), title: text(), attempt: Attempt::default() });
        self.0.push(RunEvent::StepStarted { lab, step: "s".to_owned(), title: "S".to_owned(), line: 1, started_ms: 0 });
        self
    }

    fn check(mut self, lab: usize, verdict: Verdict, change: impl FnOnce(&mut CheckFact)) -> Self {
        let line = self.0.len();
        let mut check = CheckFact {
            text: "key /a exists".to_owned(),
            file: String::new(),
            line,
            column: 1,
            end_line: 1,
            end_column: 1,
            at_ms: 0,
            verdict,
            reason: (verdict != Verdict::Pass).then(|| format!("why {line}")),
            proof: Proof::Red,
            proof_reason: None,
            sampled: false,
            revision: None,
            evidence: Vec::new(),
            fence: line,
            fence_points: None,
            rule: ProofRule::Red,
            neutral: false,
            elsewhere: false,
        };
        change(&mut check);
        self.0.push(RunEvent::CheckFinished { lab, step: "s".to_owned(), check, failure: None });
        self
    }

    fn stop(mut self, lab: usize, cause: StopCause) -> Self {
        self.0.push(RunEvent::LabStopped { lab, cause, reason: "why".to_owned(), detail: Vec::new() });
        self
    }

    fn with(mut self, event: RunEvent) -> Self {
        self.0.push(event);
        self
    }

    fn report(mut self) -> RunReport {
        self.0.push(RunEvent::RunFinished { duration_ms: 1 });
        fold(&self.0)
    }
}

fn pass(script: Script, lab: usize) -> Script {
    script.lab(lab).check(lab, Verdict::Pass, |_| {})
}

#[test]
fn exit_statuses_have_an_order() {
    let run = || pass(Script::new("run"), 0);
    assert_eq!(run().report().exit, 0);
    let cannot = || run().lab(1).check(1, Verdict::CannotJudge, |_| {});
    assert_eq!(cannot().report().exit, 3);
    let fail = || cannot().lab(2).check(2, Verdict::Fail, |_| {});
    assert_eq!(fail().report().exit, 1);
    let wrong = || fail().lab(3).stop(3, StopCause::Wrong);
    assert_eq!(wrong().report().exit, 2);
    assert_eq!(wrong().with(RunEvent::Interrupted).report().exit, 130);
}

#[test]
fn a_run_whose_end_was_never_told_has_not_passed() {
    assert_eq!(fold(&pass(Script::new("run"), 0).0).exit, 3);
}

#[test]
fn a_lab_with_nothing_to_do_is_wrong_only_where_it_was_named_alone() {
    let lab = |script: Script| {
        let text = String::new;
        script.with(RunEvent::LabStarted {
            lab: 0,
            id: text(),
            file: text(),
            title: text(),
            attempt: Attempt::default(),
        })
    };
    let skipped = lab(Script::new("run")).stop(0, StopCause::NotHere).report();
    assert_eq!((skipped.exit, skipped.labs[0].verdict), (0, Verdict::Skipped));
    let alone = lab(Script::new("run")).stop(0, StopCause::NothingToDo).report();
    assert_eq!((alone.exit, alone.labs[0].verdict), (2, Verdict::Skipped));
}

#[test]
fn a_proof_that_fails_is_the_labs_fault_and_only_in_a_test() {
    let unproved = |command: &str, proof: Proof| {
        let report = Script::new(command).lab(0).check(0, Verdict::Pass, |check| check.proof = proof).report();
        (report.exit, report.labs[0].verdict, report.labs[0].points)
    };
    for proof in [Proof::ProvesNothing, Proof::NotRun] {
        assert_eq!(unproved("run", proof), (0, Verdict::Pass, 1));
        assert_eq!(unproved("test", proof), (2, Verdict::Fail, 0));
    }
    assert_eq!(unproved("test", Proof::Red), (0, Verdict::Pass, 1));
}

#[test]
fn pre_pass_needs_a_proved_check_beside_it() {
    let exempt = |check: &mut CheckFact| (check.proof, check.rule) = (Proof::Exempt, ProofRule::PrePass);
    let alone = Script::new("test").lab(0).check(0, Verdict::Pass, exempt);
    assert_eq!(alone.report().exit, 2);
    let beside = Script::new("test").lab(0).check(0, Verdict::Pass, exempt).check(0, Verdict::Pass, |_| {}).report();
    assert_eq!((beside.exit, beside.labs[0].points), (0, 2));
}

#[test]
fn a_step_whose_checks_are_all_exempt_proves_nothing() {
    let never = |check: &mut CheckFact| (check.proof, check.rule) = (Proof::Exempt, ProofRule::Never);
    let alone = |command| Script::new(command).lab(0).check(0, Verdict::Pass, never);
    let report = alone("test").report();
    assert_eq!((report.exit, report.labs[0].points, report.labs[0].verdict), (2, 0, Verdict::Fail));
    let run = alone("run").report();
    assert_eq!(
        (run.exit, run.labs[0].steps[0].checks[0].proof),
        (0, Proof::NotRun),
        "`run` shows it as not proved too"
    );
    let beside = alone("run").check(0, Verdict::Pass, |_| {}).report();
    assert_eq!(beside.labs[0].steps[0].checks[0].proof, Proof::Exempt);
    // A check that fails is the learner's, and the exempt one beside it is not to blame.
    assert_eq!(alone("test").check(0, Verdict::Fail, |_| {}).report().exit, 1);
    let left = |check: &mut CheckFact| (check.neutral, check.proof) = (true, Proof::NotRun);
    let report = alone("test").check(0, Verdict::Skipped, left).report();
    assert_eq!((report.exit, report.labs[0].steps[0].checks[0].proof), (0, Proof::NotRun));
}

#[test]
fn a_fence_of_which_a_check_is_not_for_here_earns_its_points_by_the_others() {
    let fence = |check: &mut CheckFact| (check.fence, check.fence_points) = (7, Some(3));
    let left = |check: &mut CheckFact| {
        (check.fence, check.fence_points) = (7, Some(3));
        (check.neutral, check.elsewhere) = (true, true);
    };
    let report = Script::new("run").lab(0).check(0, Verdict::Skipped, left).check(0, Verdict::Pass, fence).report();
    assert_eq!((report.labs[0].points, report.labs[0].max_points), (3, 3));
}

#[test]
fn a_fence_earns_its_points_as_a_whole() {
    let fence = |check: &mut CheckFact| (check.fence, check.fence_points) = (7, Some(3));
    let points = |second| {
        let report = Script::new("run").lab(0).check(0, Verdict::Pass, fence).check(0, second, fence).report();
        (report.labs[0].points, report.labs[0].max_points)
    };
    assert_eq!(points(Verdict::Pass), (3, 3));
    assert_eq!(points(Verdict::Fail), (0, 3));
}

#[test]
fn absence_earns_only_beside_what_passes() {
    let never = |check: &mut CheckFact| (check.proof, check.rule) = (Proof::Exempt, ProofRule::Never);
    let points = |other| {
        let report = Script::new("run").lab(0).check(0, other, |_| {}).check(0, Verdict::Pass, never).report();
        (report.labs[0].points, report.labs[0].max_points)
    };
    assert_eq!(points(Verdict::Pass), (2, 2));
    assert_eq!(points(Verdict::Fail), (0, 2));
}

#[test]
fn what_was_skipped_after_a_failure_counts_against_and_what_is_not_for_here_does_not() {
    let skipped = |neutral, elsewhere| {
        let skip = |check: &mut CheckFact| {
            (check.neutral, check.elsewhere, check.proof) = (neutral, elsewhere, Proof::NotRun);
        };
        let report =
            Script::new("test").lab(0).check(0, Verdict::Fail, |_| {}).check(0, Verdict::Skipped, skip).report();
        (report.labs[0].points, report.labs[0].max_points, report.exit)
    };
    assert_eq!(skipped(false, false), (0, 2, 1));
    assert_eq!(skipped(true, true), (0, 1, 1));
    assert_eq!(skipped(true, false), (0, 2, 1), "what this mode leaves out is worth the same");
}

#[test]
fn keys_that_the_clean_up_left_make_the_lab_wrong() {
    let keys = vec!["/registry/configmaps/default/left".to_owned()];
    let report = pass(Script::new("test"), 0).with(RunEvent::KeysLeft { lab: 0, keys }).report();
    assert_eq!((report.exit, report.labs[0].verdict), (2, Verdict::Fail));
    assert!(report.labs[0].reason.as_ref().is_some_and(|reason| reason.contains("/registry/configmaps/default/left")));
}

#[test]
fn a_step_that_is_not_for_here_is_neutral() {
    let report = pass(Script::new("run"), 0)
        .with(RunEvent::StepStarted { lab: 0, step: "n".to_owned(), title: "N".to_owned(), line: 9, started_ms: 0 })
        .with(RunEvent::StepStopped {
            lab: 0,
            step: "n".to_owned(),
            cause: StopCause::NotHere,
            reason: "only on kind".to_owned(),
        })
        .report();
    assert_eq!(report.labs[0].verdict, Verdict::Pass);
    let step = &report.labs[0].steps[1];
    assert_eq!((step.verdict, step.reason.as_deref()), (Verdict::Skipped, Some("only on kind")));
}

#[test]
fn a_secret_called_pass_hides_no_verdict() {
    let mut events = recorded();
    for event in &mut events {
        event.map_text(&|text| *text = text.replace("pass", "<hidden>"));
    }
    let verdicts = |events: &[RunEvent]| fold(events).labs.iter().map(|lab| lab.verdict).collect::<Vec<_>>();
    assert_eq!(verdicts(&events), verdicts(&recorded()));
}

#[test]
fn an_explanation_has_what_was_wanted_what_came_and_what_is_near() {
    let of = |lines: &[&str]| {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let Against { wanted, saw, near } = Against::of(&lines);
        (wanted.join("|"), saw.join("|"), near.join("|"))
    };
    let all = |wanted: &str, saw: &str, near: &str| (wanted.to_owned(), saw.to_owned(), near.to_owned());
    let key = [
        "wanted: /registry/pods/a exists",
        "saw:    no such key at revision 7",
        "near:   /registry/pods/b",
        "        /registry/pods/c",
    ];
    assert_eq!(
        of(&key),
        all("/registry/pods/a exists", "no such key at revision 7", "/registry/pods/b|/registry/pods/c")
    );
    let events = [
        "wanted after revision 4 on /a:",
        "  > 1  PUT  did not come: the first difference",
        "came, in seconds from the mark:",
        "    +0.1 PUT /a",
    ];
    assert_eq!(
        of(&events),
        all(
            "wanted after revision 4 on /a:|> 1  PUT  did not come: the first difference",
            "came, in seconds from the mark:|+0.1 PUT /a",
            ""
        )
    );
    assert_eq!(of(&["came:   nothing on these keys"]).1, "nothing on these keys");
    assert_eq!(of(&["stuck: a pod"]), all("", "", ""));
}
