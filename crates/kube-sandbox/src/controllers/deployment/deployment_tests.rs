use super::*;

fn deployment(replicas: i64, strategy: &Value) -> Value {
    json!({
        "metadata": {"name": "web", "generation": 1, "annotations": {}},
        "spec": {
            "replicas": replicas, "strategy": strategy, "progressDeadlineSeconds": 600,
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {}},
        },
        "status": {},
    })
}

fn rolling() -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
}

fn set(name: &str, replicas: i64, available: i64, maximum: &str) -> Value {
    json!({
        "metadata": {"name": name, "annotations": {"deployment.kubernetes.io/max-replicas": maximum}},
        "spec": {"replicas": replicas},
        "status": {"replicas": replicas, "availableReplicas": available, "readyReplicas": available, "terminatingReplicas": 0},
    })
}

#[test]
fn a_rolling_update_surges_then_shrinks() {
    let mut round = Round {
        deployment: deployment(3, &rolling()),
        new: Some(set("new", 0, 0, "4")),
        old: vec![set("old", 3, 3, "4")],
    };
    assert_eq!(rollout::new_size(&round), 1);
    round.new = Some(set("new", 1, 0, "4"));
    assert_eq!(rollout::shrink(&round), []);
    round.new = Some(set("new", 1, 1, "4"));
    assert_eq!(rollout::shrink(&round), [(0, 2)]);
}

#[test]
fn unhealthy_old_pods_go_first() {
    let deployment =
        deployment(3, &json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}));
    let round = Round {
        deployment,
        new: Some(set("new", 1, 0, "4")),
        old: vec![set("bad", 1, 0, "4"), set("good", 2, 2, "4")],
    };
    assert_eq!(rollout::shrink(&round), [(0, 0)]);
}

#[test]
fn scaling_in_the_middle_of_a_rollout_is_shared() {
    let round = Round {
        deployment: deployment(10, &rolling()),
        new: Some(set("new", 3, 3, "7")),
        old: vec![set("old", 4, 4, "7")],
    };
    let sizes = rollout::proportions(&round);
    assert_eq!(sizes.iter().sum::<i64>(), 13);
    assert_eq!(sizes, [7, 6]);
}

#[test]
fn both_fences_at_zero_still_let_one_go() {
    assert_eq!(fences(&deployment(3, &json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}))), (0, 1));
    assert_eq!(fences(&deployment(3, &rolling())), (1, 0));
}

#[test]
fn templates_are_compared_without_their_hash() {
    let deployment = deployment(1, &rolling());
    let held =
        json!({"spec": {"template": {"metadata": {"labels": {"app": "web", "pod-template-hash": "x"}}, "spec": {}}}});
    assert!(same_template(&held, &deployment));
    let other = json!({"spec": {"template": {"metadata": {"labels": {"app": "web", "pod-template-hash": "x"}}, "spec": {"a": 1}}}});
    assert!(!same_template(&other, &deployment));
}

#[test]
fn conditions_tell_how_the_rollout_goes() {
    let mut round =
        Round { deployment: deployment(1, &rolling()), new: Some(set("web-1", 1, 0, "2")), old: Vec::new() };
    status::set_progressing(&mut round.deployment, "True", "NewReplicaSetCreated", "Created new replica set \"web-1\"");
    let reasons = |status: &Value| -> Vec<String> {
        status["conditions"]
            .as_array()
            .expect("conditions")
            .iter()
            .map(|held| meta::text(held, "/reason").to_owned())
            .collect()
    };
    round.deployment["status"] = status::progress(&round);
    assert_eq!(reasons(&round.deployment["status"]), ["MinimumReplicasUnavailable", "ReplicaSetUpdated"]);
    assert_eq!(round.deployment["status"]["unavailableReplicas"], 1);
    round.new = Some(set("web-1", 1, 1, "2"));
    round.new.as_mut().expect("a set")["status"]["replicas"] = 1.into();
    round.deployment["status"] = status::progress(&round);
    assert_eq!(round.deployment["status"]["updatedReplicas"], 1);
    assert!(reasons(&round.deployment["status"]).contains(&"NewReplicaSetAvailable".to_owned()));
}
