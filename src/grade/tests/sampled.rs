use std::sync::Arc;

use serde_json::{Value, json};

use super::world::{World, check, expr, holding, template, told, within};
use crate::expr::Scope;
use crate::grade::{Need, Seen, needs, probe};
use crate::lab::{Check, CheckKind, Holds, OutputTest, Vars};
use crate::outcome::Verdict;
use crate::text::{Printed, Span, Spanned};

fn named(name: &str) -> Spanned<String> {
    Spanned::new(name.to_owned(), Span::default())
}

fn resource(holds: Holds) -> Check {
    let namespace = Some(template("${NS}"));
    let kind = CheckKind::Resource { kind: named("deploy"), name: template("web"), namespace, holds };
    check("resource deploy/web in ${NS} …", kind)
}

fn output(test: OutputTest) -> Check {
    check("output watcher …", CheckKind::Output { action: Some(named("watcher")), test })
}

fn output_where(condition: &str) -> Check {
    output(OutputTest::Where(expr(condition, Scope::Output)))
}

fn printed(text: &str) -> Seen {
    Seen::Output { printed: Printed::whole(text), exit: None }
}

fn etcd(condition: &str) -> Check {
    let condition = expr(condition, Scope::Etcd);
    check("etcd where …", CheckKind::Etcd { member: None, condition })
}

fn command(condition: &str) -> Check {
    let condition = (!condition.is_empty()).then(|| expr(condition, Scope::Run));
    check("run \"make test\" …", CheckKind::Run { command: template("make test"), condition })
}

fn ran(exit: i32, stdout: &str) -> Seen {
    Seen::Run { exit, stdout: Printed::whole(stdout), stderr: Printed::whole("make: no rule\n") }
}

fn object(value: Value) -> Seen {
    Seen::Resource(Some(Arc::new(value)))
}

fn verdict(world: &World, check: &Check) -> Verdict {
    let judgement = world.settled(check, 11.5);
    assert!(judgement.sampled, "{judgement:?}");
    judgement.verdict
}

#[test]
fn needs_are_told_with_their_variables_filled_in() {
    let vars = Vars::from([("NS".to_owned(), "demo".to_owned())]);
    let wanted = Need::Resource { kind: "deploy".into(), name: "web".into(), namespace: Some("demo".into()) };
    assert_eq!(needs(&resource(Holds::Exists), &vars), [wanted]);
    assert_eq!(needs(&etcd("up"), &vars), [Need::Etcd { member: None }]);
    assert_eq!(needs(&output_where("exit == 0"), &vars), [Need::Output { action: Some("watcher".into()) }]);
    assert!(needs(&super::world::key("/registry/x", Holds::Exists), &vars).is_empty());
}

#[test]
fn a_resource_is_there_or_not_and_an_api_that_does_not_answer_is_neither() {
    let there = World::new(&[]).saw(1.1, object(json!({ "kind": "Deployment", "metadata": { "name": "web" } })));
    assert_eq!(verdict(&there, &resource(Holds::Exists)), Verdict::Pass);
    let gone = World::new(&[]).saw(1.1, Seen::Resource(None)).saw(11.0, Seen::Resource(None));
    assert_eq!(verdict(&gone, &resource(Holds::Absent)), Verdict::Pass);
    insta::assert_snapshot!("resource_missing", told(&gone.settled(&resource(Holds::Exists), 11.5)));
    let silent = || Seen::Unavailable("the API did not answer within 5s".to_owned());
    let silent = World::new(&[]).saw(1.1, silent()).saw(11.0, silent());
    assert_eq!(verdict(&silent, &resource(Holds::Absent)), Verdict::CannotJudge);
    assert_eq!(verdict(&silent, &resource(Holds::Exists)), Verdict::CannotJudge);
}

#[test]
fn a_resources_expression_is_explained_and_a_secrets_values_are_hidden() {
    let ready = resource(Holds::Where(expr("object.status.readyReplicas == 3", Scope::Resource)));
    let status = |n: i64| object(json!({ "kind": "Deployment", "status": { "replicas": 3, "readyReplicas": n } }));
    let world = World::new(&[]).saw(1.1, status(1)).saw(5.0, status(2)).saw(11.0, status(2));
    insta::assert_snapshot!("resource_where", told(&world.settled(&ready, 11.5)));
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "data": { "p": "aHVudGVyMg==" } });
    let hidden = resource(Holds::Where(expr("object.data.p == 'eA=='", Scope::Resource)));
    let world = World::new(&[]).saw(1.1, object(secret.clone())).saw(11.0, object(secret));
    let text = told(&world.settled(&hidden, 11.5));
    assert!(text.contains("<7 bytes, hidden>") && !text.contains("aHVudGVy"), "{text}");
}

#[test]
fn the_sample_at_the_deadline_counts_and_one_after_it_does_not() {
    let world = World::new(&[]).saw(1.1, Seen::Resource(None)).saw(3.02, object(json!({})));
    assert_eq!(verdict(&world, &within(resource(Holds::Exists), 2000)), Verdict::Pass);
    let world =
        World::new(&[]).saw(1.1, Seen::Resource(None)).saw(3.02, Seen::Resource(None)).saw(3.2, object(json!({})));
    assert_eq!(verdict(&world, &within(resource(Holds::Exists), 2000)), Verdict::Fail);
}

#[test]
fn for_asks_for_samples_up_to_its_end() {
    let stays = holding(resource(Holds::Exists), 2000);
    let world = World::new(&[]).saw(1.1, object(json!({}))).saw(3.0, object(json!({})));
    assert_eq!(world.open_until(&stays, 3.0), 3100);
    let world = world.saw(3.15, object(json!({})));
    assert_eq!(world.settled(&stays, 3.2).verdict, Verdict::Pass);
    let broken =
        World::new(&[]).saw(1.1, object(json!({}))).saw(2.0, Seen::Resource(None)).saw(11.1, Seen::Resource(None));
    let judgement = broken.settled(&stays, 11.5);
    assert_eq!(judgement.verdict, Verdict::Fail);
    assert!(judgement.reason.as_deref().is_some_and(|r| r.starts_with("it held for 900ms only")), "{judgement:?}");
}

#[test]
fn outputs_are_searched_and_shown_by_their_end() {
    let text = "line 1\nPut\n/registry/namespaces/demo\n";
    let world = World::new(&[]).saw(1.0, printed(text)).saw(11.0, printed(text));
    let contains = |text: &str| output(OutputTest::Contains(template(text)));
    assert_eq!(verdict(&world, &contains("namespaces/${NS}")), Verdict::Pass);
    insta::assert_snapshot!("output_contains", told(&world.settled(&contains("PUT"), 11.5)));
    let matches = |text: &str| output(OutputTest::Matches(template(text)));
    assert_eq!(verdict(&world, &matches("(?m)^line [0-9]$")), Verdict::Pass);
    assert_eq!(verdict(&world, &matches("^line 2$")), Verdict::Fail);
    let mut world = world;
    world.evidence.vars.insert("NS".to_owned(), "d.mo".to_owned());
    assert_eq!(
        verdict(&world, &matches("namespaces/${NS}")),
        Verdict::Fail,
        "a variable's value is text, not a pattern"
    );
}

#[test]
fn an_outputs_lines_json_and_status_are_names() {
    let seen = Seen::Output { printed: Printed::whole("{\"items\": [1, 2]}"), exit: Some(3) };
    let world = World::new(&[]).saw(1.0, seen.clone()).saw(11.0, seen);
    assert_eq!(
        verdict(&world, &output_where("json.items.size() == 2 && exit == 3 && lines.size() == 1")),
        Verdict::Pass
    );
    let long = (0..40).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    let world = World::new(&[]).saw(1.0, printed(&long)).saw(11.0, printed(&long));
    insta::assert_snapshot!("output_where", told(&world.settled(&output_where("lines.size() == 3"), 11.5)));
    let not_run = World::new(&[]).saw(1.0, Seen::Nothing("watcher has not run".to_owned()));
    let red = probe(&output_where("exit == 0"), &not_run.evidence, &not_run.journal.view());
    assert_eq!((red.verdict, red.reason.as_deref()), (Verdict::Fail, Some("watcher has not run")));
}

#[test]
fn of_a_cut_output_only_that_is_known_which_the_missing_part_cannot_change() {
    let printed = Printed {
        cut: true,
        found: [("ERROR".to_owned(), true), ("^b".to_owned(), false)].into(),
        ..Printed::whole("a\n[... 9 bytes are not kept ...]\nb")
    };
    let seen = Seen::Output { printed: printed.clone(), exit: Some(0) };
    let world = World::new(&[]).saw(1.0, seen.clone()).saw(11.0, seen);
    let contains = |text: &str| output(OutputTest::Contains(template(text)));
    let matches = |text: &str| output(OutputTest::Matches(template(text)));
    assert_eq!(verdict(&world, &contains("ERROR")), Verdict::Pass);
    assert_eq!(verdict(&world, &matches("ERROR")), Verdict::Pass);
    assert_eq!(verdict(&world, &matches("^b")), Verdict::Fail);
    assert_eq!(verdict(&world, &contains("a")), Verdict::CannotJudge, "nobody looked for it while it came");
    for names in ["text != \"\"", "lines.size() > 1", "json == null"] {
        assert_eq!(verdict(&world, &output_where(names)), Verdict::CannotJudge, "{names}");
    }
    assert_eq!(verdict(&world, &output_where("exit == 0")), Verdict::Pass);

    let seen = Seen::Run { exit: 0, stdout: printed, stderr: Printed::whole("") };
    let world = World::new(&[]).saw(1.0, seen.clone()).saw(11.0, seen);
    assert_eq!(verdict(&world, &command("")), Verdict::Pass);
    assert_eq!(verdict(&world, &command("exit == 0 && stderr == ''")), Verdict::Pass);
    assert_eq!(verdict(&world, &command("!stdout.contains('ERROR')")), Verdict::CannotJudge);
}

#[test]
fn etcd_is_judged_up_or_down() {
    let state = |up: bool| {
        Seen::Etcd(json!({
            "up": up, "healthy": false, "leader": "", "term": 2, "revision": 7, "dbSize": 20480, "dbSizeInUse": 16384,
            "keys": 3, "alarms": [], "version": "3.5.16",
            "members": [{ "name": "e1", "id": "1", "leader": false, "learner": false, "healthy": up },
                        { "name": "e2", "id": "2", "leader": false, "learner": false, "healthy": false }],
        }))
    };
    let down = World::new(&[]).saw(1.0, state(false)).saw(11.0, state(false));
    assert_eq!(verdict(&down, &etcd("!up && members.size() == 2")), Verdict::Pass);
    let half = World::new(&[]).saw(1.0, state(true)).saw(11.0, state(true));
    insta::assert_snapshot!("etcd_not_healthy", told(&half.settled(&etcd("healthy && keys >= mark.revision"), 11.5)));
}

#[test]
fn a_snapshot_that_is_not_there_does_not_hold() {
    let condition = expr("valid && keys > 10", Scope::Snapshot);
    let check = check("snapshot backup.db …", CheckKind::Snapshot { file: template("backup.db"), condition });
    let small = Seen::Snapshot(json!({ "valid": true, "revision": 7, "keys": 3, "size": 20512 }));
    let world = World::new(&[]).saw(1.0, small.clone()).saw(11.0, small);
    insta::assert_snapshot!("snapshot", told(&world.settled(&check, 11.5)));
    let missing = Seen::Nothing("there is no file backup.db".to_owned());
    let world = World::new(&[]).saw(1.0, missing.clone()).saw(11.0, missing);
    assert_eq!(verdict(&world, &check), Verdict::Fail);
}

#[test]
fn a_command_passes_by_its_status_or_by_its_expression() {
    let world = World::new(&[]).saw(1.0, ran(2, "3 tests\n")).saw(11.0, ran(2, "3 tests\n"));
    insta::assert_snapshot!("run_status", told(&world.settled(&command(""), 11.5)));
    assert_eq!(verdict(&world, &command("exit == 2 && stdout.startsWith('3')")), Verdict::Pass);
    insta::assert_snapshot!("run_where", told(&world.settled(&command("stdout == '4 tests\\n'"), 11.5)));
}
