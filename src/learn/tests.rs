use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::outcome::{CheckFact, Proof, ProofRule, QuestionFact, Verdict};

const OPENED: Input = Input::Opened { mark: 7 };

fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_790_000_000 + seconds, 0).expect("a time")
}

fn check(line: usize, rule: ProofRule, lasts: bool) -> CheckOutline {
    let fact = CheckFact {
        text: format!("check {line}"),
        file: "lab.md".to_owned(),
        line,
        column: 1,
        end_line: 1,
        end_column: 1,
        at_ms: 0,
        verdict: Verdict::Skipped,
        reason: None,
        proof: Proof::NotRun,
        proof_reason: None,
        sampled: false,
        revision: None,
        evidence: Vec::new(),
        fence: line,
        fence_points: None,
        rule,
        neutral: false,
        elsewhere: false,
    };
    let forbids = rule == ProofRule::Never;
    CheckOutline { fact, fail: None, is_wait: false, lasts, forbids, left: None }
}

fn state_check(line: usize) -> CheckOutline {
    check(line, ProofRule::Red, false)
}

fn step(id: &str, stretches: Vec<Vec<CheckOutline>>) -> StepOutline {
    StepOutline {
        id: id.to_owned(),
        title: id.to_owned(),
        line: 1,
        elsewhere: None,
        stretches: stretches.into_iter().map(|checks| StretchOutline { checks }).collect(),
        questions: Vec::new(),
        hints: 2,
        has_solution: true,
    }
}

fn question(line: usize) -> QuestionOutline {
    let fact = QuestionFact {
        line,
        name: None,
        text: String::new(),
        verdict: Verdict::Skipped,
        reason: None,
        points: 1,
        neutral: false,
        elsewhere: false,
    };
    QuestionOutline { id: line.to_string(), fact, left: None }
}

/// Two stretches, a step for another cluster, one with a check that forbids and a question, and one of prose.
fn outline() -> Outline {
    let elsewhere = StepOutline { elsewhere: Some("only on kind".to_owned()), ..step("kind", Vec::new()) };
    let guarded = StepOutline {
        questions: vec![question(30)],
        ..step("guarded", vec![vec![check(20, ProofRule::Red, true), check(21, ProofRule::Never, false)]])
    };
    Outline {
        id: "lab".to_owned(),
        file: "lab.md".to_owned(),
        title: "Lab".to_owned(),
        steps: vec![
            step("two", vec![vec![state_check(10), state_check(11)], vec![state_check(12)]]),
            elsewhere,
            guarded,
            step("prose", Vec::new()),
        ],
    }
}

fn progress() -> Progress {
    Progress {
        schema: SCHEMA,
        lab: "lab".to_owned(),
        title: "Lab".to_owned(),
        file: "lab.md".to_owned(),
        digest: String::new(),
        seed: "1".to_owned(),
        cluster: "sandbox".to_owned(),
        vars: std::collections::BTreeMap::new(),
        started: at(0),
        updated: at(0),
        open: 0,
        stretch: 0,
        mark: None,
        going_back: None,
        finished: None,
        learner: None,
        worked_ms: 0,
        points: 0,
        max_points: 0,
        steps: Vec::new(),
    }
}

fn turn(step: usize, check: usize, standing: Standing) -> Input {
    Input::Turned { place: Place { step, check }, standing, reason: None, revision: Some(7), evidence: Vec::new() }
}

/// A state with what the last input led to, in words.
struct Walk {
    state: State,
    said: Vec<String>,
}

impl Walk {
    fn new() -> Self {
        let walk = Self { state: State::new(outline(), progress()), said: Vec::new() };
        walk.with([Input::Started, OPENED])
    }

    fn with(mut self, inputs: impl IntoIterator<Item = Input>) -> Self {
        for input in inputs {
            let (state, effects) = self.state.apply(at(1), input);
            self.state = state;
            let words = |effect: &Effect| match effect {
                Effect::Emit(fact) => Some(format!("{fact:?}")),
                Effect::Refuse(why) => Some(format!("refused {why:?}")),
                Effect::Open { step, stretch } => Some(format!("open {step}/{stretch}")),
                Effect::Solve { step, .. } => Some(format!("solve {step}")),
                Effect::Restore { step } => Some(format!("restore {step}")),
                Effect::Finish => Some("finish".to_owned()),
                Effect::Save => None,
            };
            self.said = effects.iter().filter_map(words).collect();
        }
        self
    }

    /// The consent to what was asked about last.
    fn asked(&self) -> Input {
        Input::Agreed { number: self.state.asked().expect("something was asked about") }
    }

    fn agrees(self) -> Self {
        let consent = self.asked();
        self.with([consent])
    }

    fn has(&self, part: &str) -> bool {
        self.said.iter().any(|said| said.contains(part))
    }
}

#[test]
fn stretches_open_one_after_the_other_and_the_step_waits_for_next() {
    let walk = Walk::new().with([turn(0, 0, Standing::Holds)]);
    assert!(!walk.has("open"), "{:?}", walk.said);
    let walk = walk.with([turn(0, 1, Standing::Holds)]);
    assert!(walk.has("open 0/1"), "{:?}", walk.said);
    let walk = walk.with([OPENED, turn(0, 0, Standing::NotYet)]);
    assert!(walk.said.is_empty(), "what was judged is settled: {:?}", walk.said);
    let walk = walk.with([Input::Next]);
    assert!(walk.has("NotGreen { held: 2, of: 3 }"), "{:?}", walk.said);
    let walk = walk.with([turn(0, 2, Standing::Holds)]);
    assert!(walk.has("StepGreen") && walk.state.is_green(), "{:?}", walk.said);
    let walk = walk.with([turn(0, 2, Standing::NotYet)]);
    assert!(walk.has("StepBroke") && !walk.state.is_green(), "{:?}", walk.said);
    let walk = walk.with([turn(0, 2, Standing::Holds), Input::Next]);
    assert!(walk.has("StepDone { step: 0 }") && walk.has("open 2/0"), "past the one for kind: {:?}", walk.said);
}

#[test]
fn what_happened_once_stays_and_what_is_forbidden_holds_beside_the_others() {
    let green = [turn(0, 0, Standing::Holds), turn(0, 1, Standing::Holds), OPENED, turn(0, 2, Standing::Holds)];
    let walk = Walk::new().with(green).with([Input::Next, OPENED]);
    assert!(!walk.state.others_hold());
    let walk = walk.with([turn(2, 0, Standing::Holds)]);
    assert!(walk.state.others_hold() && !walk.state.is_green());
    let walk = walk.with([turn(2, 0, Standing::NotYet)]);
    assert!(walk.said.is_empty() && walk.state.others_hold());
    let broken = walk.with([turn(2, 1, Standing::Broken)]);
    assert!(!broken.state.is_green());
    let walk = broken.with([turn(2, 1, Standing::Holds)]);
    assert!(walk.has("StepGreen"));
    let walk = walk.with([Input::Next]);
    assert!(walk.has("OpenQuestions { count: 1 }"), "{:?}", walk.said);
    let walk = walk.with([Input::Next]);
    assert!(walk.has("OpenQuestions"), "the same request is no consent: {:?}", walk.said);
    let stale = walk.asked();
    let walk = walk.with([Input::Answered { step: 2, question: 0, right: false }, stale]);
    assert!(walk.has("NotAsked"), "something else was asked for between: {:?}", walk.said);
    let walk = walk.with([Input::Next]).agrees().with([OPENED]);
    assert!(walk.has("StepGreen { step: 3 }"), "a step without checks is green: {:?}", walk.said);
    let walk = walk.with([Input::Next]);
    assert!(walk.has("Finished") && walk.has("finish") && walk.state.is_over(), "{:?}", walk.said);
    assert_eq!(walk.state.points(), (5, 6));
    assert!(walk.with([Input::Next]).has("Over"));
}

#[test]
fn what_costs_something_is_asked_for_twice() {
    let walk = Walk::new().with([Input::Skip]);
    assert!(walk.has("SkipOnce { cost: Cost { points: 3 } }"), "{:?}", walk.said);
    // What etcd does meanwhile does not take it back.
    let walk = walk.with([turn(0, 0, Standing::Holds)]).agrees();
    assert!(walk.has("StepSkipped") && walk.has("open 2/0"), "{:?}", walk.said);
    assert_eq!(walk.state.points(), (0, 6), "a skipped step earns nothing, and costs nothing of the maximum");
    let walk = Walk::new().with([Input::Solution]);
    assert!(walk.has("SolutionOnce"), "{:?}", walk.said);
    // Consent is to one thing: neither to what was asked about before, nor to what another face asks for.
    let (first, walk) = (walk.asked(), walk.with([Input::Skip]));
    let second = walk.asked();
    assert_ne!(first, second);
    let walk = walk.with([first.clone()]);
    assert!(walk.has("NotAsked"), "{:?}", walk.said);
    let walk = walk.with([second]);
    assert!(walk.has("NotAsked"), "a wrong consent takes it back: {:?}", walk.said);
    let walk = walk.with([Input::Solution]).agrees();
    assert!(walk.has("SolutionShown"));
    assert!(walk.with([first]).has("NotAsked"), "it is agreed to once");
    let walk = Walk::new().with([Input::Hint, Input::Hint, Input::Hint]);
    assert!(walk.has("NoMoreHints { given: 2 }"));
    assert_eq!(walk.state.progress().steps[0].hints, 2);
}

#[test]
fn what_the_session_solves_earns_nothing() {
    let walk = Walk::new().with([Input::Solve]);
    assert!(walk.has("solve 0"));
    let walk = walk.with([turn(0, 0, Standing::Holds), turn(0, 1, Standing::Holds), OPENED]);
    let walk = walk.with([turn(0, 2, Standing::Holds), Input::Solve]);
    assert!(walk.has("Green"));
    assert_eq!(walk.state.points(), (0, 6));
}

#[test]
fn going_back_forgets_what_was_witnessed_and_keeps_hints_and_answers() {
    let green = [turn(0, 0, Standing::Holds), turn(0, 1, Standing::Holds), OPENED, turn(0, 2, Standing::Holds)];
    let walk = Walk::new().with([Input::Hint]).with(green).with([Input::Next, OPENED]);
    assert!(walk.state.points().0 == 3);
    let walk = walk.with([Input::Reset { step: Some(3) }]);
    assert!(walk.has("NotBegun"));
    let walk = walk.with([Input::Reset { step: Some(0) }, turn(2, 0, Standing::Holds), Input::Next]);
    assert!(walk.has("NotReady"), "{:?}", walk.said);
    let walk = walk.with([Input::Restored { step: 0 }]);
    assert!(walk.has("WentBack { step: 0 }") && walk.has("open 0/0"), "{:?}", walk.said);
    assert_eq!((walk.state.open(), walk.state.points()), (0, (0, 6)));
    let first = &walk.state.progress().steps[0];
    assert_eq!((first.hints, first.resets), (1, 1));
    // Broken off half-way, it is done again.
    let half = Walk::new().with([turn(0, 0, Standing::Holds), Input::Reset { step: None }]);
    let state = State::resumed(outline(), half.state.progress().clone()).expect("it is of this lab");
    let half = Walk { state, said: Vec::new() }.with([Input::Started]);
    assert!(half.has("restore 0"), "{:?}", half.said);
    assert_eq!(half.with([Input::Restored { step: 0 }]).state.points().0, 0);
    // One that did not work leaves all as it was.
    let walk = walk.with([OPENED, turn(0, 0, Standing::Holds), Input::Reset { step: None }, Input::NotRestored]);
    assert_eq!(walk.state.points().0, 1);
    assert!(walk.has("open 0/0"));
}

#[test]
fn progress_that_was_written_is_read_where_it_stood() {
    let green = [turn(0, 0, Standing::Holds), turn(0, 1, Standing::Holds), OPENED];
    let walk = Walk::new().with(green).with([Input::Hint]);
    let text = serde_json::to_string(walk.state.progress()).expect("it is written");
    let read: Progress = serde_json::from_str(&text).expect("it is read");
    let state = State::resumed(outline(), read).expect("it is of this lab");
    assert_eq!((state.open(), state.stretch(), state.points()), (0, 1, (2, 6)));
    let walk = Walk { state, said: Vec::new() }.with([Input::Started]);
    assert!(walk.has("open 0/1"), "{:?}", walk.said);
    let mut other = outline();
    other.steps.pop();
    assert!(State::resumed(other, walk.state.progress().clone()).is_none());
}

fn any_input() -> impl Strategy<Value = Input> {
    let standing = prop_oneof![
        Just(Standing::NotYet),
        Just(Standing::Holds),
        Just(Standing::Broken),
        Just(Standing::CannotJudge),
        Just(Standing::Waiting),
    ];
    prop_oneof![
        4 => Just(OPENED),
        1 => Just(Input::Started),
        12 => (0..5usize, 0..4usize, standing).prop_map(|(step, check, standing)| turn(step, check, standing)),
        4 => Just(Input::Next),
        1 => Just(Input::Prev),
        1 => Just(Input::Hint),
        1 => Just(Input::Solution),
        1 => Just(Input::Solve),
        2 => Just(Input::Skip),
        2 => (0..3i64).prop_map(|number| Input::Agreed { number }),
        2 => (0..5usize, 0..2usize, any::<bool>())
            .prop_map(|(step, question, right)| Input::Answered { step, question, right }),
        1 => proptest::option::of(0..6usize).prop_map(|step| Input::Reset { step }),
        1 => (0..5usize).prop_map(|step| Input::Restored { step }),
        1 => Just(Input::NotRestored),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever comes in whatever order: the maximum stays, points of steps that are done are lost by going back only,
    /// and what is written down is resumed.
    #[test]
    fn no_sequence_of_inputs_loses_points(inputs in prop::collection::vec(any_input(), 0..120)) {
        let mut state = State::new(outline(), progress());
        let (begun, _) = state.clone().apply(at(0), Input::Started);
        state = begun;
        let mut done = 0;
        for (second, input) in (1..).zip(inputs) {
            // Mostly to what was asked about just now.
            let input = match input {
                Input::Agreed { number: 1.. } => Input::Agreed { number: state.asked().unwrap_or_default() },
                input => input,
            };
            let goes_back = matches!(input, Input::Restored { .. });
            let (next, _) = state.apply(at(second), input);
            state = next;
            let (points, of) = state.points();
            prop_assert_eq!(of, 6);
            prop_assert!(points <= of);
            prop_assert_eq!((state.progress().points, state.progress().max_points), (points, of));
            let report = state.report();
            let steps = report.steps.iter().zip(&state.progress().steps);
            let now: u32 = steps.filter(|(_, step)| step.state == StepState::Done).map(|(step, _)| step.points).sum();
            prop_assert!(goes_back || now >= done, "{} after {}", now, done);
            done = now;
            prop_assert!(state.shown() <= state.open());
            prop_assert!(State::resumed(outline(), state.progress().clone()).is_some());
        }
    }
}
