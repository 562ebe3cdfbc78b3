//! What an `etcd` check sees, of one member or of the whole, while some or all are down.

use std::future::Future;
use std::time::Duration;

use etcd_client::{AlarmAction, AlarmType, Error, GetOptions};
use serde_json::{Value, json};

use super::direct::{Direct, Endpoint, head};
use super::store::StoreError;

/// Each question of a status, all members asked at once.
const ANSWER: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(super) struct MemberInfo {
    name: String,
    learner: bool,
    client_urls: Vec<String>,
}

/// What one endpoint said.
#[derive(Debug, Default, Clone)]
struct Answer {
    id: u64,
    leader: u64,
    term: u64,
    revision: i64,
    db_size: i64,
    db_size_in_use: i64,
    version: String,
    learner: bool,
    healthy: bool,
}

async fn soon<T>(call: impl Future<Output = Result<T, Error>>) -> Option<T> {
    tokio::time::timeout(ANSWER, call).await.ok()?.ok()
}

async fn ask(endpoint: &Endpoint) -> Option<Answer> {
    let mut maintenance = endpoint.client.maintenance_client();
    let (status, healthy) = tokio::join!(soon(maintenance.status()), soon(head(&endpoint.client)));
    let status = status?;
    let header = status.header()?;
    Some(Answer {
        id: header.member_id(),
        leader: status.leader(),
        term: status.raft_term(),
        revision: header.revision(),
        db_size: status.db_size(),
        db_size_in_use: status.raft_used_db_size(),
        version: status.version().to_owned(),
        learner: status.is_learner(),
        healthy: healthy.is_some(),
    })
}

pub(super) async fn of(store: &Direct, member: Option<&str>) -> Result<Value, StoreError> {
    let answers = futures::future::join_all(store.endpoints.iter().map(ask)).await;
    let live = store.endpoints.iter().zip(&answers).find(|(_, answer)| answer.is_some()).map(|(endpoint, _)| endpoint);
    if let Some(endpoint) = live {
        remember_members(store, endpoint).await;
    }
    let members = store.members.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let name_of = |endpoint: &Endpoint, answer: Option<&Answer>| -> Option<String> {
        let by_id = answer.and_then(|answer| members.get(&answer.id)).map(|member| member.name.clone());
        let by_url = || members.values().find(|m| m.client_urls.contains(&endpoint.url)).map(|m| m.name.clone());
        endpoint.name.clone().or(by_id).or_else(by_url)
    };
    let leader = answers.iter().flatten().map(|answer| answer.leader).find(|leader| *leader != 0).unwrap_or(0);
    let leader_name = members.get(&leader).map_or(String::new(), |member| member.name.clone());
    let mut rows: Vec<Value> = members
        .iter()
        .map(|(id, info)| {
            let answer = answers.iter().flatten().find(|answer| answer.id == *id);
            json!({
                "name": info.name, "id": format!("{id:x}"), "leader": *id == leader,
                "learner": answer.map_or(info.learner, |answer| answer.learner),
                "healthy": answer.is_some_and(|answer| answer.healthy),
            })
        })
        .collect();
    if rows.is_empty() {
        let unnamed = store.endpoints.iter().filter_map(|endpoint| endpoint.name.as_ref());
        rows.extend(
            unnamed.map(|name| json!({ "name": name, "id": "", "leader": false, "learner": false, "healthy": false })),
        );
    }
    let (up, healthy, answer) = match member {
        None => {
            let best = answers.iter().flatten().max_by_key(|answer| (answer.healthy, answer.revision));
            (best.is_some(), answers.iter().flatten().any(|answer| answer.healthy), best.cloned())
        }
        Some(wanted) => {
            let known = |(endpoint, answer): &(&Endpoint, &Option<Answer>)| {
                name_of(endpoint, answer.as_ref()).as_deref() == Some(wanted)
            };
            let Some((_, answer)) = store.endpoints.iter().zip(&answers).find(known) else {
                return Err(no_such_member(wanted, &members, live.is_some()));
            };
            (answer.is_some(), answer.as_ref().is_some_and(|answer| answer.healthy), answer.clone())
        }
    };
    let (keys, alarms) = match (live, up) {
        (Some(endpoint), true) => counts(endpoint, healthy).await,
        _ => (0, Vec::new()),
    };
    let answer = answer.unwrap_or_default();
    Ok(json!({
        "up": up, "healthy": healthy, "members": rows,
        "leader": if answer.leader == 0 { String::new() } else { leader_name },
        "term": answer.term, "revision": answer.revision, "dbSize": answer.db_size,
        "dbSizeInUse": answer.db_size_in_use, "keys": keys, "alarms": alarms, "version": answer.version,
    }))
}

fn no_such_member(wanted: &str, members: &std::collections::BTreeMap<u64, MemberInfo>, answers: bool) -> StoreError {
    let names: Vec<&str> = members.values().map(|member| member.name.as_str()).collect();
    if members.values().any(|member| member.name == wanted) {
        return StoreError::new(format!("no endpoint of the member {wanted} is known, so it cannot be asked"));
    }
    StoreError::new(match (answers, names.is_empty()) {
        (_, false) => format!("there is no member {wanted}: the members are {}", names.join(", ")),
        (true, true) => format!("the member {wanted} is not known, and the member list does not answer"),
        (false, true) => format!("the member {wanted} is not known, and no member has ever answered"),
    })
}

async fn remember_members(store: &Direct, endpoint: &Endpoint) {
    let mut cluster = endpoint.client.cluster_client();
    let Some(list) = soon(cluster.member_list()).await else { return };
    let told = list.members().iter().map(|member| {
        // A member has no name until it has started; etcdctl shows it so too.
        let name = if member.name().is_empty() { format!("{:x}", member.id()) } else { member.name().to_owned() };
        let client_urls = member.client_urls().to_vec();
        (member.id(), MemberInfo { name, learner: member.is_learner(), client_urls })
    });
    *store.members.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = told.collect();
}

async fn counts(endpoint: &Endpoint, healthy: bool) -> (i64, Vec<String>) {
    let mut kv = endpoint.client.kv_client();
    let mut maintenance = endpoint.client.maintenance_client();
    let mut options = GetOptions::new().with_all_keys().with_count_only();
    if !healthy {
        // Without a quorum only the member's own copy can be counted.
        options = options.with_serializable();
    }
    let (count, alarms) = tokio::join!(
        soon(kv.get("\0", Some(options))),
        soon(maintenance.alarm(AlarmAction::Get, AlarmType::None, None)),
    );
    let names = alarms.iter().flat_map(|response| response.alarms()).filter_map(|alarm| match alarm.alarm() {
        AlarmType::None => None,
        AlarmType::Nospace => Some("NOSPACE".to_owned()),
        AlarmType::Corrupt => Some("CORRUPT".to_owned()),
    });
    (count.map_or(0, |response| response.count()), names.collect())
}
