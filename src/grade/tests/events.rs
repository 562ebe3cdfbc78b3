use serde_json::json;

use super::world::{World, events, labelled, namespace, never, told, within};
use crate::grade::{Progress, folder_held, probe};
use crate::lab::EventKind::{Delete, Put};
use crate::lab::EventOrder::{Ordered, Strict, Unordered};
use crate::outcome::Verdict;

const DEMO: &str = "/registry/namespaces/demo";

fn story() -> World {
    World::new(&[])
        .put(0.1, 101, DEMO, &namespace("demo", "Active"))
        .put(0.2, 102, DEMO, &labelled("demo", "purpose", "demo"))
        .put(0.3, 103, DEMO, &namespace("demo", "Terminating"))
        .delete(0.4, 104, DEMO)
        .end(104)
        .delivered(1.0, 104)
}

const LABEL: &str = "object.metadata.labels.purpose == 'demo' && !has(oldObject.metadata.labels.purpose)";

#[test]
fn events_come_in_order_with_others_between() {
    let world = story();
    let check = events(DEMO, Ordered, &[(Put, "oldObject == null"), (Put, LABEL), (Delete, "")]);
    let judgement = world.settled(&check, 1.0);
    assert_eq!(judgement.verdict, Verdict::Pass);
    let revisions: Vec<i64> = judgement.evidence.iter().map(|evidence| evidence.revision).collect();
    assert_eq!(revisions, [101, 102, 104]);
    let gone = events(DEMO, Ordered, &[(Delete, "object == null && oldObject.status.phase == 'Terminating'")]);
    assert_eq!(world.settled(&gone, 1.0).verdict, Verdict::Pass);
}

#[test]
fn a_wrong_order_fails_at_the_deadline_and_shows_where_it_parts() {
    let world = story().delivered(11.0, 104);
    let check = events(DEMO, Ordered, &[(Put, LABEL), (Put, "oldObject == null"), (Delete, "")]);
    insta::assert_snapshot!("events_wrong_order", told(&world.settled(&check, 11.0)));
}

#[test]
fn the_label_that_never_came_is_shown_beside_what_did() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))])
        .put(1.31, 101, DEMO, &labelled("demo", "purpos", "demo"))
        .put(2.0, 102, "/registry/namespaces/other", &namespace("other", "Active"))
        .delivered(11.0, 102);
    let check = events(DEMO, Ordered, &[(Put, LABEL)]);
    insta::assert_snapshot!("events_typo_in_label", told(&world.settled(&check, 11.0)));
}

#[test]
fn where_nothing_came_what_moved_nearby_is_shown() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))])
        .put(0.5, 101, "/registry/namespaces/demo2", &namespace("demo2", "Active"))
        .delivered(11.0, 101);
    let check = events(DEMO, Ordered, &[(Put, LABEL)]);
    insta::assert_snapshot!("events_on_another_key", told(&world.settled(&check, 11.0)));
    let still = World::new(&[("/registry/namespaces/demo2", namespace("demo2", "Active"))]).delivered(11.0, 100);
    insta::assert_snapshot!("events_none_at_all", told(&still.settled(&check, 11.0)));
}

#[test]
fn strict_allows_nothing_between() {
    let world = story().delivered(11.0, 104);
    let tight = events(DEMO, Strict, &[(Put, "object.status.phase == 'Terminating'"), (Delete, "")]);
    assert_eq!(world.settled(&tight, 11.0).verdict, Verdict::Pass);
    let loose = events(DEMO, Strict, &[(Put, "oldObject == null"), (Put, "object.status.phase == 'Terminating'")]);
    insta::assert_snapshot!("events_strict", told(&world.settled(&loose, 11.0)));
    // Other keys are not between.
    let world = World::new(&[])
        .put(0.1, 101, DEMO, &namespace("demo", "Active"))
        .put(0.2, 102, "/registry/namespaces/other", &namespace("other", "Active"))
        .delete(0.3, 103, DEMO)
        .end(103)
        .delivered(1.0, 103);
    assert_eq!(world.settled(&events(DEMO, Strict, &[(Put, ""), (Delete, "")]), 1.0).verdict, Verdict::Pass);
}

#[test]
fn unordered_gives_each_line_an_event_of_its_own() {
    let world = World::new(&[])
        .put(0.1, 101, "/registry/pods/demo/a", &json!({ "n": 1 }))
        .put(0.2, 102, "/registry/pods/demo/b", &json!({ "n": 2 }))
        .end(102)
        .delivered(11.0, 102);
    let pods = "/registry/pods/${NS}/*";
    let wide_first = events(pods, Unordered, &[(Put, "object.n > 0"), (Put, "object.n == 1")]);
    assert_eq!(world.settled(&wide_first, 11.0).verdict, Verdict::Pass);
    let twice = events(pods, Unordered, &[(Put, "object.n == 1"), (Put, "object.n == 1")]);
    insta::assert_snapshot!("events_unordered", told(&world.settled(&twice, 11.0)));
}

#[test]
fn the_events_of_one_transaction_are_told_apart_by_their_order() {
    let world = World::new(&[])
        .put(0.1, 101, "/registry/pods/demo/a", &json!({ "n": 1 }))
        .put(0.1, 101, "/registry/pods/demo/b", &json!({ "n": 2 }))
        .end(101)
        .delivered(11.0, 101);
    let pods = "/registry/pods/demo/*";
    let verdict =
        |first: &str, second: &str| world.settled(&events(pods, Ordered, &[(Put, first), (Put, second)]), 11.0).verdict;
    assert_eq!(verdict("object.n == 1", "object.n == 2"), Verdict::Pass);
    assert_eq!(verdict("object.n == 2", "object.n == 1"), Verdict::Fail);
}

#[test]
fn what_comes_before_the_mark_or_after_the_deadline_does_not_count() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))]).delivered(4.0, 100);
    let check = within(events(DEMO, Ordered, &[(Put, "")]), 2000);
    assert_eq!(world.settled(&check, 4.0).verdict, Verdict::Fail, "it was there before, but no event made it");
    let late = world.put(3.5, 101, DEMO, &labelled("demo", "a", "b")).delivered(5.0, 101);
    assert_eq!(late.settled(&check, 5.0).verdict, Verdict::Fail);
}

#[test]
fn it_fails_only_past_a_progress_answer_and_passes_without_one() {
    let world = World::new(&[]).end(101);
    let check = events(DEMO, Ordered, &[(Put, "")]);
    assert_eq!(world.open_until(&check, 2.0), 11000);
    let Progress::Open { so_far, .. } = world.judge(&check, 11.2) else { panic!("the event may be on its way") };
    assert_eq!(so_far.verdict, Verdict::Fail);
    assert_eq!(world.settled(&check, 17.0).verdict, Verdict::CannotJudge, "the watch never answered");
    let world = world.put(2.5, 101, DEMO, &namespace("demo", "Active"));
    assert_eq!(world.settled(&check, 2.6).verdict, Verdict::Pass);
}

#[test]
fn a_gap_leaves_what_is_proved_and_takes_what_is_not() {
    let before = World::new(&[]).put(0.1, 101, DEMO, &namespace("demo", "Active")).gap(0.5, 102, 150);
    before.journal.listed(150, super::world::at(0.5), Vec::new());
    let world = before.end(150).delivered(11.0, 150);
    assert_eq!(world.settled(&events(DEMO, Ordered, &[(Put, "")]), 11.0).verdict, Verdict::Pass);
    let lost = world.settled(&events(DEMO, Ordered, &[(Put, ""), (Delete, "")]), 11.0);
    assert_eq!(
        told(&lost),
        "cannot_judge: the watch lost revisions 102 to 150: etcd has compacted its history up to 150"
    );
    assert_eq!(world.settled(&never(DEMO, Some(Delete), "", 1), 11.0).verdict, Verdict::CannotJudge);
    assert_eq!(world.settled(&never(DEMO, Some(Put), "", 1), 11.0).verdict, Verdict::Fail, "it was seen");
}

#[test]
fn a_restored_store_ends_what_the_mark_means() {
    let world = World::new(&[]).put(0.1, 101, DEMO, &namespace("demo", "Active")).epoch(0.5, 50, &[]);
    let world = world.put(0.6, 51, DEMO, &labelled("demo", "purpose", "demo")).delivered(2.0, 51);
    assert_eq!(world.settled(&events(DEMO, Ordered, &[(Put, LABEL)]), 2.0).verdict, Verdict::CannotJudge);
    assert_eq!(world.settled(&never(DEMO, Some(Delete), "", 1), 2.0).verdict, Verdict::CannotJudge);
}

#[test]
fn an_undecodable_value_cannot_be_judged_unless_it_does_not_matter() {
    let world = World::new(&[]).raw(0.1, 101, DEMO, b"k8s\0\xff\xff broken").end(101).delivered(11.0, 101);
    let check = events(DEMO, Ordered, &[(Put, LABEL)]);
    assert_eq!(world.settled(&check, 11.0).verdict, Verdict::CannotJudge);
    assert_eq!(world.settled(&events(DEMO, Ordered, &[(Delete, "")]), 11.0).verdict, Verdict::Fail);
    let world = world.put(1.5, 102, DEMO, &labelled("demo", "purpose", "demo"));
    let fine = events(DEMO, Ordered, &[(Put, "object.metadata.labels.purpose == 'demo'")]);
    assert_eq!(world.settled(&fine, 11.0).verdict, Verdict::Pass);
    assert_eq!(world.delivered(12.0, 102).settled(&never(DEMO, None, LABEL, 5), 12.0).verdict, Verdict::CannotJudge);
}

#[test]
fn never_waits_for_its_time_and_for_the_proof_and_fails_at_once() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))]).delivered(1.5, 100);
    let check = never(DEMO, Some(Delete), "", 1);
    assert_eq!(world.open_until(&check, 1.5), 2000);
    assert_eq!(world.settled_after_progress(&check), Verdict::Pass);
    let world = world.delete(1.9, 101, DEMO);
    insta::assert_snapshot!("never_violated", told(&world.settled(&check, 1.95)));
    let later = World::new(&[(DEMO, namespace("demo", "Active"))]).delete(2.5, 101, DEMO).delivered(3.0, 101);
    assert_eq!(later.settled(&check, 3.0).verdict, Verdict::Pass, "it came after the time was over");
}

impl World {
    fn settled_after_progress(&self, check: &crate::lab::Check) -> Verdict {
        self.journal.delivered(100, super::world::at(2.0));
        self.settled(check, 2.1).verdict
    }
}

#[test]
fn never_with_an_expression_shows_the_values_that_broke_it() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))])
        .put(0.5, 101, DEMO, &namespace("demo", "Terminating"))
        .end(101);
    let check = never("/registry/namespaces/*", None, "object.status.phase == 'Terminating'", 1);
    insta::assert_snapshot!("never_where", told(&world.settled(&check, 1.0)));
}

#[test]
fn the_folder_of_a_never_must_have_held_a_key() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))]);
    let held = |pattern: &str| folder_held(&never(pattern, None, "", 1), &world.evidence, &world.journal.view());
    assert_eq!(held("/registry/namespaces/x*"), Some(true));
    assert_eq!(held("/registry/namespace/demo"), Some(false));
    assert_eq!(folder_held(&events(DEMO, Ordered, &[(Put, "")]), &world.evidence, &world.journal.view()), None);
}

#[test]
fn a_probe_of_events_is_red() {
    let mut world = World::new(&[(DEMO, namespace("demo", "Active"))]);
    world.evidence.end = world.evidence.mark;
    let view = world.journal.view();
    assert_eq!(probe(&events(DEMO, Ordered, &[(Put, "")]), &world.evidence, &view).verdict, Verdict::Fail);
}

#[test]
fn a_long_story_is_shown_without_its_middle() {
    let mut world = World::new(&[]);
    for revision in 101..160 {
        world = world.put(0.5, revision, DEMO, &labelled("demo", "step", &revision.to_string()));
    }
    let world = world.end(159).delivered(11.0, 159);
    let check = events(DEMO, Ordered, &[(Put, "object.metadata.labels.step == '130'"), (Delete, "")]);
    insta::assert_snapshot!("events_many", told(&world.settled(&check, 11.0)));
}
