//! The questions of a status, put to each endpoint by gRPC, all at once and not for long.

use std::future::Future;
use std::time::Duration;

use etcd_client::{AlarmAction, AlarmType, Client, Error, GetOptions};

use super::direct::{Direct, Endpoint, head};
use super::patience::within;
use super::status::{Answer, Asked, Counts, MemberInfo, Members};

/// Each question has this long.
const ANSWER: Duration = Duration::from_secs(1);

async fn soon<T>(call: impl Future<Output = Result<T, Error>>) -> Option<T> {
    within(ANSWER, call).await.ok()?.ok()
}

pub(super) async fn all(store: &Direct) -> (Vec<Asked>, Option<Members>, Counts) {
    let asked = futures::future::join_all(store.endpoints.iter().map(ask)).await;
    let live =
        store.endpoints.iter().zip(&asked).find_map(|(endpoint, asked)| Some((endpoint, asked.answer.as_ref()?)));
    let Some((endpoint, answer)) = live else { return (asked, None, Counts::default()) };
    let healthy = answer.healthy;
    let (members, counts) = tokio::join!(members(&endpoint.client), counts(&endpoint.client, healthy));
    (asked, members, counts)
}

async fn ask(endpoint: &Endpoint) -> Asked {
    let mut maintenance = endpoint.client.maintenance_client();
    let (status, read) = tokio::join!(soon(maintenance.status()), soon(head(&endpoint.client)));
    let answer = status.as_ref().and_then(|status| status.header().map(|header| (status, header)));
    let answer = answer.map(|(status, header)| Answer {
        id: header.member_id(),
        leader: status.leader(),
        term: status.raft_term(),
        revision: header.revision(),
        db_size: status.db_size(),
        db_size_in_use: status.raft_used_db_size(),
        version: status.version().to_owned(),
        learner: status.is_learner(),
        healthy: read.is_some(),
    });
    Asked { url: endpoint.url.clone(), name: endpoint.name.clone(), answer }
}

async fn members(client: &Client) -> Option<Members> {
    let mut cluster = client.cluster_client();
    let list = soon(cluster.member_list()).await?;
    let members = list.members().iter().map(|member| {
        // A member has no name until it has started; etcdctl shows it so too.
        let name = if member.name().is_empty() { format!("{:x}", member.id()) } else { member.name().to_owned() };
        let client_urls = member.client_urls().to_vec();
        (member.id(), MemberInfo { name, learner: member.is_learner(), client_urls })
    });
    Some(members.collect())
}

async fn counts(client: &Client, healthy: bool) -> Counts {
    let mut kv = client.kv_client();
    let mut maintenance = client.maintenance_client();
    let mut options = GetOptions::new().with_all_keys().with_count_only();
    if !healthy {
        // Without a quorum only the member's own copy can be counted.
        options = options.with_serializable();
    }
    let (count, alarms) = tokio::join!(
        soon(kv.get("\0", Some(options))),
        soon(maintenance.alarm(AlarmAction::Get, AlarmType::None, None)),
    );
    let names = alarms.iter().flat_map(etcd_client::AlarmResponse::alarms).filter_map(|alarm| match alarm.alarm() {
        AlarmType::None => None,
        AlarmType::Nospace => Some("NOSPACE".to_owned()),
        AlarmType::Corrupt => Some("CORRUPT".to_owned()),
    });
    Counts { keys: count.map_or(0, |response| response.count()), alarms: names.collect() }
}
