use serde_json::json;

use super::world::{World, check, expr, glob, holding, key, key_where, labelled, namespace, told, within};
use crate::expr::Scope;
use crate::grade::probe;
use crate::lab::{CheckKind, Compare, Holds, Vars};
use crate::outcome::Verdict;

const DEMO: &str = "/registry/namespaces/demo";

fn count(pattern: &str, compare: Compare, count: u64, condition: &str) -> crate::lab::Check {
    let condition = (!condition.is_empty()).then(|| expr(condition, Scope::Key));
    check(&format!("keys {pattern} …"), CheckKind::Keys { glob: glob(pattern), compare, count, condition })
}

#[test]
fn a_key_exists_from_the_revision_that_made_it() {
    let world = World::new(&[]).put(0.5, 101, DEMO, &namespace("demo", "Active")).end(101).delivered(1.1, 101);
    let judgement = world.settled(&key("/registry/namespaces/${NS}", Holds::Exists), 1.2);
    assert_eq!(judgement.verdict, Verdict::Pass);
    assert_eq!((judgement.revision, judgement.sampled), (Some(101), false));
    let evidence: Vec<_> = judgement.evidence.iter().map(|e| (e.revision, e.kind.name(), e.key.as_str())).collect();
    assert_eq!(evidence, [(101, "PUT", DEMO)]);
}

#[test]
fn what_the_watch_has_not_confirmed_is_neither_there_nor_gone() {
    // The stretch ended at revision 102, of which the journal knows nothing yet: it may have deleted the key.
    let world = World::new(&[(DEMO, namespace("demo", "Active"))]).end(102);
    assert!(world.open_until(&key(DEMO, Holds::Exists), 1.2) <= 11_000);
    assert!(world.open_until(&key(DEMO, Holds::Absent), 1.2) <= 11_000);
    let world = world.delete(1.3, 102, DEMO);
    assert_eq!(world.open_until(&key(DEMO, Holds::Exists), 1.4), 11000);
    assert_eq!(world.open_until(&key(DEMO, Holds::Absent), 1.4), 1450, "absence waits for a progress answer");
    let world = world.delivered(1.5, 102);
    let absent = world.settled(&key(DEMO, Holds::Absent), 1.6);
    assert_eq!((absent.verdict, absent.evidence[0].kind.name()), (Verdict::Pass, "DELETE"));
    assert_eq!(world.delivered(11.0, 102).settled(&key(DEMO, Holds::Exists), 11.1).verdict, Verdict::Fail);
}

#[test]
fn every_revision_counts_even_one_that_no_poll_has_seen() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))])
        .put(2.0, 101, DEMO, &labelled("demo", "blink", "on"))
        .put(2.001, 102, DEMO, &namespace("demo", "Active"))
        .delivered(3.0, 102);
    let blinked = key_where(DEMO, "object.metadata.labels.blink == 'on'");
    assert_eq!(world.settled(&blinked, 3.0).verdict, Verdict::Pass);
    let lasted = within(holding(blinked, 500), 1500);
    insta::assert_snapshot!("held_too_short", told(&world.settled(&lasted, 3.0)));
}

#[test]
fn a_missing_key_is_explained_by_its_neighbours_and_its_end() {
    let neighbours = [
        ("/registry/namespaces/default", namespace("default", "Active")),
        ("/registry/namespaces/demo2", namespace("demo2", "Active")),
        ("/registry/namespaces/kube-node-lease", namespace("kube-node-lease", "Active")),
        ("/registry/namespaces/kube-system", namespace("kube-system", "Active")),
    ];
    let world = World::new(&neighbours).delivered(11.0, 104);
    insta::assert_snapshot!("key_with_neighbours", told(&world.settled(&key(DEMO, Holds::Exists), 11.0)));
    let world = World::new(&neighbours)
        .put(0.2, 101, DEMO, &namespace("demo", "Active"))
        .delete(0.7, 102, DEMO)
        .end(102)
        .delivered(11.0, 102);
    insta::assert_snapshot!("key_deleted_again", told(&world.settled(&key(DEMO, Holds::Exists), 11.0)));
    let elsewhere = World::new(&neighbours).delivered(11.0, 100);
    let typo = key_where("/registry/namespace/demo", "object.status.phase == 'Active'");
    insta::assert_snapshot!("key_in_a_folder_that_is_not_there", told(&elsewhere.settled(&typo, 11.0)));
}

#[test]
fn a_key_that_should_be_gone_says_what_it_waits_for() {
    let mut dying = namespace("demo", "Terminating");
    dying["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
    dying["spec"] = json!({ "finalizers": ["kubernetes"] });
    let world =
        World::new(&[(DEMO, namespace("demo", "Active"))]).put(0.5, 101, DEMO, &dying).end(101).delivered(11.0, 101);
    insta::assert_snapshot!("key_not_gone", told(&world.settled(&key(DEMO, Holds::Absent), 11.0)));
}

#[test]
fn an_expression_is_explained_by_its_paths_and_a_missing_field_by_what_is_there() {
    let world = World::new(&[(DEMO, namespace("demo", "Terminating"))]).delivered(11.0, 100);
    let phase = key_where(DEMO, "object.status.phase == \"Active\" && version > 3");
    insta::assert_snapshot!("where_values", told(&world.settled(&phase, 11.0)));
    let missing = key_where(DEMO, "object.metadata.label.purpose == \"demo\"");
    insta::assert_snapshot!("where_missing_field", told(&world.settled(&missing, 11.0)));
}

#[test]
fn an_evaluation_error_and_an_undecodable_value_cannot_be_judged() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))]).delivered(11.0, 100);
    let wrong = key_where(DEMO, "object.metadata.name > 3");
    assert_eq!(world.settled(&wrong, 11.0).verdict, Verdict::CannotJudge);
    let world = World::new(&[]).raw(0.5, 101, DEMO, b"k8s\0\xff\xff broken").end(101).delivered(11.0, 101);
    let broken = world.settled(&key_where(DEMO, "object.status.phase == 'Active'"), 11.0);
    assert_eq!(broken.verdict, Verdict::CannotJudge);
    assert!(broken.reason.as_deref().is_some_and(|reason| reason.contains("bytes that do not decode")), "{broken:?}");
    let by_name = world.settled(&key_where(DEMO, "key.endsWith('/demo') && revision == 101"), 11.0);
    assert_eq!(by_name.verdict, Verdict::Pass, "what does not need the object is not hurt by it");
}

#[test]
fn the_value_of_a_secret_decides_but_is_not_shown() {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db" },
        "data": { "password": "aHVudGVyMnNlY3JldA==" },
    });
    let at = "/registry/secrets/demo/db";
    let world = World::new(&[(at, secret)]).delivered(11.0, 100);
    let right = key_where(at, "object.data.password == 'aHVudGVyMnNlY3JldA=='");
    assert_eq!(world.settled(&right, 11.0).verdict, Verdict::Pass);
    let wrong = told(&world.settled(&key_where(at, "object.data.password == 'eA==' && value.contains('x')"), 11.0));
    assert!(!wrong.contains("aHVudGVy"), "{wrong}");
    insta::assert_snapshot!("secret_hidden", wrong);
}

#[test]
fn keys_are_counted_with_and_without_an_expression() {
    let pods = "/registry/pods/demo/";
    let world = World::new(&[
        (&format!("{pods}a"), json!({ "metadata": { "name": "a" }, "status": { "phase": "Running" } })),
        (&format!("{pods}b"), json!({ "metadata": { "name": "b" }, "status": { "phase": "Pending" } })),
        ("/registry/pods/demo2/c", json!({ "status": { "phase": "Running" } })),
    ])
    .delivered(11.0, 100);
    let all = "/registry/pods/${NS}/*";
    let running = "object.status.phase == 'Running'";
    let verdict = |check: &crate::lab::Check| world.settled(check, 11.0).verdict;
    assert_eq!(verdict(&count(all, Compare::Equal, 2, "")), Verdict::Pass);
    assert_eq!(verdict(&count("/registry/pods/**", Compare::GreaterOrEqual, 3, "")), Verdict::Pass);
    assert_eq!(verdict(&count(all, Compare::Less, 2, running)), Verdict::Pass);
    insta::assert_snapshot!(
        "count_with_expression",
        told(&world.settled(&count(all, Compare::Equal, 2, running), 11.0))
    );
    insta::assert_snapshot!("count_too_many", told(&world.settled(&count(all, Compare::LessOrEqual, 1, ""), 11.0)));
    let none = count("/registry/pods/dem/*", Compare::Greater, 0, "");
    insta::assert_snapshot!("count_none", told(&world.settled(&none, 11.0)));
}

#[test]
fn a_count_is_cannot_judge_only_where_the_unknown_value_would_decide() {
    let world = World::new(&[("/registry/pods/demo/a", json!({ "status": { "phase": "Running" } }))])
        .raw(0.5, 101, "/registry/pods/demo/b", b"k8s\0\xff\xff broken")
        .end(101)
        .delivered(11.0, 101);
    let running = |compare, wanted| count("/registry/pods/demo/*", compare, wanted, "object.status.phase == 'Running'");
    assert_eq!(world.settled(&running(Compare::GreaterOrEqual, 1), 11.0).verdict, Verdict::Pass);
    assert_eq!(world.settled(&running(Compare::Equal, 2), 11.0).verdict, Verdict::CannotJudge);
    assert_eq!(world.settled(&running(Compare::Equal, 3), 11.0).verdict, Verdict::Fail);
}

#[test]
fn after_a_gap_the_present_counts_but_nothing_is_unbroken_across_it() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))]).gap(2.0, 101, 150);
    world.journal.listed(150, super::world::at(2.0), vec![listed_demo()]);
    let world = world.delivered(4.0, 150);
    assert_eq!(world.settled(&key(DEMO, Holds::Exists), 4.0).verdict, Verdict::Pass);
    assert_eq!(world.open_until(&holding(key(DEMO, Holds::Exists), 2500), 4.0), 4500, "counted from the gap on");
}

fn listed_demo() -> crate::journal::Change {
    let value = namespace("demo", "Active").to_string();
    crate::journal::Change::new(DEMO, 10, super::world::at(2.0)).created(10, 1).value(value)
}

#[test]
fn another_store_is_judged_by_what_it_holds_now() {
    let world = World::new(&[(DEMO, namespace("demo", "Active"))])
        .epoch(3.0, 7, &[("/registry/namespaces/old", namespace("old", "Active"))])
        .delivered(11.5, 7);
    assert_eq!(world.settled(&key("/registry/namespaces/old", Holds::Exists), 11.5).verdict, Verdict::Pass);
    // It was there at the end of the stretch; what must last does not.
    let lasting = holding(key(DEMO, Holds::Exists), 3000);
    assert_eq!(world.settled(&lasting, 11.5).verdict, Verdict::CannotJudge);
}

#[test]
fn registry_stands_for_the_clusters_own_prefix_and_what_is_not_watched_cannot_be_judged() {
    let mut world = World::new(&[]).delivered(11.0, 100);
    world.evidence.prefix = "/registry/prod".to_owned();
    let world = world
        .put(0.5, 101, "/registry/prod/namespaces/demo", &namespace("demo", "Active"))
        .end(101)
        .delivered(2.0, 101);
    assert_eq!(world.settled(&key(DEMO, Holds::Exists), 2.0).verdict, Verdict::Pass);
    let outside = world.settled(&key("/other/key", Holds::Absent), 2.0);
    assert_eq!(outside.verdict, Verdict::CannotJudge);
    let mut unbound = World::new(&[]);
    unbound.evidence.vars = Vars::new();
    assert_eq!(unbound.settled(&key("/registry/namespaces/${NS}", Holds::Absent), 2.0).verdict, Verdict::CannotJudge);
}

#[test]
fn a_probe_sees_the_mark_without_clocks() {
    let mut world = World::new(&[(DEMO, namespace("demo", "Active"))]).put(0.5, 101, DEMO, &labelled("demo", "a", "b"));
    world.evidence.end = world.evidence.mark;
    let view = world.journal.view();
    let labelled = key_where(DEMO, "object.metadata.labels.a == 'b'");
    assert_eq!(probe(&labelled, &world.evidence, &view).verdict, Verdict::Fail, "the label came after the mark");
    assert_eq!(probe(&key(DEMO, Holds::Exists), &world.evidence, &view).verdict, Verdict::Pass);
    assert_eq!(probe(&key(DEMO, Holds::Absent), &world.evidence, &view).verdict, Verdict::Fail);
}
