//! How a deployment's replica sets grow and shrink: rolling update, recreate, proportional scaling, clean-up.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::{DESIRED, Deployments, HISTORY, MAXIMUM, REVISION, Round, fences, revision_of};
use crate::runtime::{Error, REPLICASETS, meta};

/// Annotations that belong to one object and are not handed from a deployment to its replica sets.
const OWN: [&str; 5] = ["kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAXIMUM];

/// What the annotations of a replica set say: `(desired, maximum)`.
pub(crate) fn bounds(deployment: &Value) -> (i64, i64) {
    let replicas = meta::int(&deployment["spec"]["replicas"], 1);
    (replicas, replicas + fences(deployment).0)
}

pub(crate) fn set_annotation(object: &mut Value, name: &str, value: Value) -> bool {
    if object["metadata"]["annotations"].get(name) == Some(&value) {
        return false;
    }
    object["metadata"]["annotations"][name] = value;
    true
}

/// Gives the replica set the deployment's annotations and, if it is newer, its revision.
pub(crate) fn annotate_new(deployment: &Value, set: &mut Value, revision: i64, exists: bool) -> bool {
    let mut changed = false;
    for (name, value) in deployment["metadata"]["annotations"].as_object().into_iter().flatten() {
        if !OWN.contains(&name.as_str()) {
            changed |= set_annotation(set, name, value.clone());
        }
    }
    let before = revision_of(set);
    if before < revision {
        set_annotation(set, REVISION, revision.to_string().into());
        changed = true;
        if before > 0 {
            let held = meta::text(set, "/metadata/annotations/deployment.kubernetes.io~1revision-history");
            let history = if held.is_empty() { before.to_string() } else { format!("{held},{before}") };
            set_annotation(set, HISTORY, history.into());
        }
    }
    if !exists {
        let (desired, maximum) = bounds(deployment);
        changed |= set_annotation(set, DESIRED, desired.to_string().into());
        changed |= set_annotation(set, MAXIMUM, maximum.to_string().into());
    }
    changed
}

fn size(set: &Value) -> i64 {
    meta::int(&set["spec"]["replicas"], 1)
}

fn available(set: &Value) -> i64 {
    meta::int(&set["status"]["availableReplicas"], 0)
}

/// How many pods the new replica set may have now.
pub(crate) fn new_size(round: &Round) -> i64 {
    let Some(new) = &round.new else { return 0 };
    let replicas = round.replicas();
    if round.deployment["spec"]["strategy"]["type"] == "Recreate" {
        return replicas;
    }
    let present: i64 = round.all().map(size).sum();
    let most = replicas + fences(&round.deployment).0;
    if present >= most { size(new) } else { size(new) + (most - present).min(replicas - size(new)) }
}

/// The deployment was scaled and its replica sets do not know yet.
pub(crate) fn is_scaling(round: &Round) -> bool {
    round.all().filter(|set| size(set) > 0).any(|set| {
        let desired = meta::text(set, "/metadata/annotations/deployment.kubernetes.io~1desired-replicas");
        desired.parse::<i64>().is_ok_and(|desired| desired != round.replicas())
    })
}

/// How many pods may go now: `(unhealthy ones first, then healthy ones)` is decided set by set.
fn may_go(round: &Round) -> i64 {
    let present: i64 = round.all().map(size).sum();
    let least = round.replicas() - fences(&round.deployment).1;
    let not_yet = round.new.as_ref().map_or(0, |new| size(new) - available(new));
    present - least - not_yet
}

/// The new size of each old set, where it changes.
pub(crate) fn shrink(round: &Round) -> Vec<(usize, i64)> {
    let may_go = may_go(round);
    if may_go <= 0 {
        return Vec::new();
    }
    let mut sizes: Vec<i64> = round.old.iter().map(size).collect();
    let mut gone = 0;
    for (set, size) in round.old.iter().zip(&mut sizes) {
        let unhealthy = (*size - available(set)).clamp(0, may_go - gone);
        *size -= unhealthy;
        gone += unhealthy;
    }
    let least = round.replicas() - fences(&round.deployment).1;
    let mut spare = round.all().map(available).sum::<i64>() - least;
    for size in &mut sizes {
        let down = (*size).min(spare).max(0);
        *size -= down;
        spare -= down;
    }
    let changed = round.old.iter().zip(sizes).enumerate().filter(|(_, (set, wanted))| size(set) != *wanted);
    changed.map(|(at, (_, wanted))| (at, wanted)).collect()
}

/// How a change of the total is shared among the active sets while a rollout is under way.
pub(crate) fn proportions(round: &Round) -> Vec<i64> {
    let sets: Vec<&Value> = round.all().collect();
    let mut sizes: Vec<i64> = sets.iter().map(|set| size(set)).collect();
    let replicas = round.replicas();
    let allowed = if replicas > 0 { replicas + fences(&round.deployment).0 } else { 0 };
    let to_add = allowed - sizes.iter().sum::<i64>();
    let mut order: Vec<usize> = (0..sets.len()).filter(|at| sizes[*at] > 0).collect();
    // The largest first; of equals the newer grows and the older shrinks first.
    order.sort_by_key(|at| {
        let age = i64::try_from(*at).unwrap_or_default();
        (Reverse(sizes[*at]), if to_add > 0 { -age } else { age })
    });
    let mut added = 0;
    for at in &order {
        let share = share(sets[*at], sizes[*at], round, allowed);
        let left = to_add - added;
        let share = if to_add > 0 { share.min(left) } else { share.max(left) };
        sizes[*at] += share;
        added += share;
    }
    if let Some(first) = order.first() {
        sizes[*first] = (sizes[*first] + to_add - added).max(0);
    }
    sizes
}

fn share(set: &Value, size: i64, round: &Round, allowed: i64) -> i64 {
    if round.replicas() == 0 {
        return -size;
    }
    let annotated = meta::text(set, "/metadata/annotations/deployment.kubernetes.io~1max-replicas");
    let before = annotated.parse::<i64>().unwrap_or_else(|_| meta::int(&round.deployment["status"]["replicas"], 0));
    if before == 0 {
        return 0;
    }
    // Rounded to the nearest, halves up.
    (2 * size * allowed + before).div_euclid(2 * before) - size
}

impl Deployments {
    pub(crate) async fn roll(&self, round: &mut Round) -> Result<(), Error> {
        self.sync_new(round, true).await?;
        let wanted = new_size(round).min(round.replicas());
        if let Some(mut new) = round.new.take() {
            let scaled = if size(&new) == round.replicas() {
                Ok(false)
            } else {
                self.scale(&round.deployment, &mut new, wanted).await
            };
            round.new = Some(new);
            if scaled? {
                return self.write_progress(round).await;
            }
        }
        let mut scaled = false;
        for (at, wanted) in shrink(round) {
            scaled |= self.scale(&round.deployment, &mut round.old[at], wanted).await?;
        }
        if !scaled && super::status::complete(&round.deployment, &round.deployment["status"]) {
            self.clean_up(round).await?;
        }
        self.write_progress(round).await
    }

    pub(crate) async fn recreate(&self, round: &mut Round) -> Result<(), Error> {
        self.sync_new(round, false).await?;
        let mut scaled = false;
        for at in 0..round.old.len() {
            if size(&round.old[at]) > 0 {
                scaled |= self.scale(&round.deployment, &mut round.old[at], 0).await?;
            }
        }
        if scaled || self.old_pods_live(round) {
            return self.write_progress(round).await;
        }
        if round.new.is_none() {
            self.sync_new(round, true).await?;
        }
        let replicas = round.replicas();
        if let Some(new) = &mut round.new {
            self.scale(&round.deployment, new, replicas).await?;
        }
        if super::status::complete(&round.deployment, &round.deployment["status"]) {
            self.clean_up(round).await?;
        }
        self.write_progress(round).await
    }

    fn old_pods_live(&self, round: &Round) -> bool {
        round.old.iter().any(|set| {
            let pods = self.pods.owned_by(meta::text(set, "/metadata/uid"));
            pods.iter().any(|pod| pod.pod.as_ref().is_some_and(|pod| !pod.phase.over()))
        })
    }

    pub(crate) async fn scale_all(&self, round: &mut Round) -> Result<(), Error> {
        let replicas = round.replicas();
        let active: Vec<usize> = (0..round.old.len()).filter(|at| size(&round.old[*at]) > 0).collect();
        let new_active = round.new.as_ref().is_some_and(|new| size(new) > 0);
        match (active.as_slice(), new_active) {
            ([], _) if round.new.is_some() => {
                if let Some(new) = &mut round.new {
                    self.scale(&round.deployment, new, replicas).await?;
                }
                return Ok(());
            }
            ([], _) => {
                let latest = (0..round.old.len()).max_by_key(|at| revision_of(&round.old[*at]));
                if let Some(at) = latest {
                    self.scale(&round.deployment, &mut round.old[at], replicas).await?;
                }
                return Ok(());
            }
            ([only], false) => {
                self.scale(&round.deployment, &mut round.old[*only], replicas).await?;
                return Ok(());
            }
            _ => {}
        }
        let saturated = round.new.as_ref().is_some_and(|new| {
            let desired = meta::text(new, "/metadata/annotations/deployment.kubernetes.io~1desired-replicas");
            size(new) == replicas && available(new) == replicas && desired.parse() == Ok(replicas)
        });
        if saturated {
            for at in active {
                self.scale(&round.deployment, &mut round.old[at], 0).await?;
            }
            return Ok(());
        }
        if round.deployment["spec"]["strategy"]["type"] == "Recreate" {
            return Ok(());
        }
        let sizes = proportions(round);
        let olds = round.old.len();
        for at in active {
            self.scale(&round.deployment, &mut round.old[at], sizes[at]).await?;
        }
        if let Some(new) = round.new.as_mut().filter(|_| new_active) {
            self.scale(&round.deployment, new, sizes[olds]).await?;
        }
        Ok(())
    }

    /// Old sets beyond the history limit go, the oldest revisions first.
    pub(crate) async fn clean_up(&self, round: &mut Round) -> Result<(), Error> {
        let limit =
            usize::try_from(meta::int(&round.deployment["spec"]["revisionHistoryLimit"], 10)).unwrap_or_default();
        let mut spent: Vec<Value> = round.old.clone();
        if spent.len() <= limit {
            return Ok(());
        }
        spent.sort_by_key(revision_of);
        let surplus = spent.len() - limit;
        for set in spent.iter().take(surplus) {
            let status = &set["status"];
            let idle = meta::int(&status["replicas"], 0) == 0
                && size(set) == 0
                && meta::int(&set["metadata"]["generation"], 0) <= meta::int(&status["observedGeneration"], 0);
            if idle {
                let key = meta::key_of(set);
                let uid = meta::text(set, "/metadata/uid");
                self.context.rest.delete(&REPLICASETS, &key.namespace, &key.name, uid, json!({})).await?;
                self.sets.forgot(&key, uid);
                round.old.retain(|held| held["metadata"]["uid"] != uid);
            }
        }
        Ok(())
    }
}
