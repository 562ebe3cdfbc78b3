//! What an `etcd` check sees, of one member or of the whole, while some or all are down.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::store::StoreError;

/// A member as the member list shows it.
#[derive(Debug, Clone)]
pub(super) struct MemberInfo {
    pub(super) name: String,
    pub(super) learner: bool,
    pub(super) client_urls: Vec<String>,
}

pub(super) type Members = BTreeMap<u64, MemberInfo>;

/// What one endpoint said.
#[derive(Debug, Default, Clone)]
pub(super) struct Answer {
    pub(super) id: u64,
    pub(super) leader: u64,
    pub(super) term: u64,
    pub(super) revision: i64,
    pub(super) db_size: i64,
    pub(super) db_size_in_use: i64,
    pub(super) version: String,
    pub(super) learner: bool,
    /// It answered a read that a quorum confirms.
    pub(super) healthy: bool,
}

/// An endpoint that was asked; `None` where it did not answer.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) url: String,
    /// The name that the lab gives it.
    pub(super) name: Option<String>,
    pub(super) answer: Option<Answer>,
}

/// What only a live store knows.
#[derive(Debug, Default, Clone)]
pub(super) struct Counts {
    pub(super) keys: i64,
    pub(super) alarms: Vec<String>,
}

impl Asked {
    fn name(&self, members: &Members) -> Option<String> {
        let by_id = || self.answer.as_ref().and_then(|answer| members.get(&answer.id));
        let by_url = || members.values().find(|member| member.client_urls.contains(&self.url));
        self.name.clone().or_else(|| by_id().or_else(by_url).map(|member| member.name.clone()))
    }
}

/// The names of an `etcd` check, from what the endpoints said.
pub(super) fn compose(
    asked: &[Asked],
    members: &Members,
    counts: Counts,
    member: Option<&str>,
) -> Result<Value, StoreError> {
    let answers = || asked.iter().filter_map(|asked| asked.answer.as_ref());
    let (up, healthy, answer) = match member {
        None => {
            let best = answers().max_by_key(|answer| (answer.healthy, answer.revision));
            (best.is_some(), answers().any(|answer| answer.healthy), best.cloned())
        }
        Some(wanted) => {
            let known = asked.iter().find(|asked| asked.name(members).as_deref() == Some(wanted));
            let answer =
                known.ok_or_else(|| no_such_member(wanted, members, answers().next().is_some()))?.answer.clone();
            (answer.is_some(), answer.as_ref().is_some_and(|answer| answer.healthy), answer)
        }
    };
    let leader = answers().map(|answer| answer.leader).find(|leader| *leader != 0).unwrap_or(0);
    let mut rows: Vec<Value> = members
        .iter()
        .map(|(id, info)| {
            let answer = answers().find(|answer| answer.id == *id);
            json!({
                "name": info.name, "id": format!("{id:x}"), "leader": *id == leader,
                "learner": answer.map_or(info.learner, |answer| answer.learner),
                "healthy": answer.is_some_and(|answer| answer.healthy),
            })
        })
        .collect();
    if rows.is_empty() {
        let named = asked.iter().filter_map(|asked| asked.name.as_ref());
        rows.extend(
            named.map(|name| json!({ "name": name, "id": "", "leader": false, "learner": false, "healthy": false })),
        );
    }
    let answer = answer.unwrap_or_default();
    let leader_name = members.get(&answer.leader).map_or(String::new(), |member| member.name.clone());
    let counts = if up { counts } else { Counts::default() };
    Ok(json!({
        "up": up, "healthy": healthy, "members": rows, "leader": leader_name, "term": answer.term,
        "revision": answer.revision, "dbSize": answer.db_size, "dbSizeInUse": answer.db_size_in_use,
        "keys": counts.keys, "alarms": counts.alarms, "version": answer.version,
    }))
}

fn no_such_member(wanted: &str, members: &Members, answers: bool) -> StoreError {
    let names: Vec<&str> = members.values().map(|member| member.name.as_str()).collect();
    StoreError::new(if names.contains(&wanted) {
        format!("no endpoint of the member {wanted} is known, so it cannot be asked")
    } else if !names.is_empty() {
        format!("there is no member {wanted}: the members are {}", names.join(", "))
    } else if answers {
        format!("the member {wanted} is not known, and the member list does not answer")
    } else {
        format!("the member {wanted} is not known, and no member has ever answered")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Members {
        let info = |name: &str| MemberInfo { name: name.to_owned(), learner: false, client_urls: Vec::new() };
        BTreeMap::from([(1, info("e1")), (2, info("e2")), (3, info("e3"))])
    }

    fn asked(name: &str, answer: Option<Answer>) -> Asked {
        Asked { url: format!("http://{name}"), name: Some(name.to_owned()), answer }
    }

    fn alive(id: u64, healthy: bool) -> Answer {
        Answer { id, leader: if healthy { 2 } else { 0 }, term: 3, revision: 9, healthy, ..Answer::default() }
    }

    #[test]
    fn one_member_down_leaves_the_store_healthy() {
        let three = [asked("e1", None), asked("e2", Some(alive(2, true))), asked("e3", Some(alive(3, true)))];
        let whole = compose(&three, &members(), Counts { keys: 4, alarms: Vec::new() }, None).expect("a state");
        assert_eq!((&whole["up"], &whole["healthy"], &whole["keys"]), (&true.into(), &true.into(), &4.into()));
        assert_eq!((&whole["leader"], &whole["members"][1]["leader"]), (&"e2".into(), &true.into()));
        assert_eq!(whole["members"][0]["healthy"], false);
        let one = compose(&three, &members(), Counts::default(), Some("e1")).expect("a known member");
        assert_eq!((&one["up"], &one["healthy"], &one["leader"]), (&false.into(), &false.into(), &"".into()));
    }

    #[test]
    fn a_member_that_answers_without_a_quorum_is_up_and_not_healthy() {
        let rest = [asked("e1", None), asked("e2", None), asked("e3", Some(alive(3, false)))];
        let whole = compose(&rest, &members(), Counts::default(), None).expect("a state");
        assert_eq!((&whole["up"], &whole["healthy"], &whole["leader"]), (&true.into(), &false.into(), &"".into()));
    }

    #[test]
    fn a_member_that_nobody_knows_is_an_error_that_names_the_others() {
        let none = compose(&[asked("e1", None)], &members(), Counts::default(), Some("e9")).expect_err("unknown");
        assert_eq!(none.to_string(), "there is no member e9: the members are e1, e2, e3");
        let unreachable = compose(&[], &members(), Counts::default(), Some("e2")).expect_err("no endpoint");
        assert!(unreachable.to_string().contains("no endpoint of the member e2"));
    }
}
