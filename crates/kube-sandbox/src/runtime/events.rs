//! Events as Kubernetes records them: the first is an object, the same again raises its count.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::{EVENTS, Error, Rest, meta};

/// How many Events are remembered to be counted up.
const REMEMBERED: usize = 512;

#[derive(Clone)]
pub(crate) struct Recorder {
    rest: Rest,
    component: &'static str,
    host: Option<Arc<str>>,
    recent: Arc<Mutex<Recent>>,
}

#[derive(Default)]
struct Recent {
    events: HashMap<String, (String, u64)>,
    order: VecDeque<String>,
    /// How many more Events an object is granted at once, and since when.
    grants: HashMap<String, Grant>,
    /// The different messages that one object had for one reason, and when the last came.
    similar: HashMap<String, (HashSet<String>, i64)>,
}

/// From so many different messages on they are combined into one Event, unless they are this old.
const COMBINED_FROM: usize = 10;
const SIMILAR_FOR: i64 = 600;

/// So many Events of one severity about one object are written at once, then one more in so many seconds.
const GRANTED: i64 = 25;
const GRANT_EVERY: i64 = 300;

struct Grant {
    left: i64,
    since: i64,
}

impl Grant {
    fn take(&mut self, now: i64) -> bool {
        let more = (now - self.since) / GRANT_EVERY;
        self.since += more * GRANT_EVERY;
        self.left = (self.left + more).min(GRANTED);
        let granted = self.left > 0;
        self.left -= i64::from(granted);
        granted
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Normal,
    Warning,
}

impl Recorder {
    pub(crate) fn new(rest: Rest, component: &'static str, host: Option<Arc<str>>) -> Self {
        Self { rest, component, host, recent: Arc::default() }
    }

    /// About `object` (its kind and metadata are read), or the part of it that `field` names.
    /// An Event that cannot be written is given up: it must never hold up the work it reports.
    pub(crate) async fn record(&self, object: &Value, field: &str, severity: Severity, reason: &str, message: &str) {
        let involved = reference(object, field);
        let namespace = match involved["namespace"].as_str() {
            Some(namespace) if !namespace.is_empty() => namespace.to_owned(),
            _ => "default".to_owned(),
        };
        let group = format!("{}\n{reason}\n{severity:?}", involved["uid"]);
        let combined = self.is_one_of_many(&group, message);
        let message = if combined { format!("(combined from similar events): {message}") } else { message.to_owned() };
        let same = if combined { group } else { format!("{group}\n{field}\n{message}") };
        let (again, granted) =
            (self.again(&same), self.is_granted(&format!("{}\n{}\n{severity:?}", involved["uid"], involved["name"])));
        if !granted {
            return;
        }
        if let Some((name, count)) = again {
            let patch = json!({"count": count, "lastTimestamp": meta::now(), "message": message});
            match self.rest.merge(&EVENTS, &namespace, &name, "", &patch).await {
                Err(error) if error.is_not_found() => {}
                _ => return,
            }
        }
        let mut event = self.event(&namespace, &involved, severity, reason, &message);
        if combined {
            event["reportingComponent"] = "".into();
        }
        let name = event["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if let Ok(_) | Err(Error::Again(_)) = self.rest.create(&EVENTS, &namespace, &event).await {
            self.remember(same, name);
        }
    }

    fn event(&self, namespace: &str, involved: &Value, severity: Severity, reason: &str, message: &str) -> Value {
        let now = meta::now();
        let name = format!("{}.{:x}", involved["name"].as_str().unwrap_or_default(), meta::nanos());
        let mut source = json!({"component": self.component});
        if let Some(host) = &self.host {
            source["host"] = (&**host).into();
        }
        json!({
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": match severity { Severity::Normal => "Normal", Severity::Warning => "Warning" },
            "eventTime": null,
            "reportingComponent": self.component,
            "reportingInstance": self.host.as_deref().unwrap_or_default(),
        })
    }

    fn is_one_of_many(&self, group: &str, message: &str) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.similar.len() > REMEMBERED {
            recent.similar.clear();
        }
        let now = meta::now_seconds();
        let (messages, last) = recent.similar.entry(group.to_owned()).or_insert_with(|| (HashSet::new(), now));
        if *last + SIMILAR_FOR < now {
            messages.clear();
        }
        *last = now;
        if messages.contains(message) || messages.len() + 1 < COMBINED_FROM {
            messages.insert(message.to_owned());
            return false;
        }
        true
    }

    fn is_granted(&self, object: &str) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.grants.len() > REMEMBERED * 8 {
            recent.grants.clear();
        }
        let now = meta::now_seconds();
        let grant = recent.grants.entry(object.to_owned()).or_insert(Grant { left: GRANTED, since: now });
        grant.take(now)
    }

    fn again(&self, same: &str) -> Option<(String, u64)> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, count) = recent.events.get_mut(same)?;
        *count += 1;
        Some((name.clone(), *count))
    }

    fn remember(&self, same: String, name: String) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.events.insert(same.clone(), (name, 1)).is_none() {
            recent.order.push_back(same);
        }
        if recent.order.len() > REMEMBERED
            && let Some(oldest) = recent.order.pop_front()
        {
            recent.events.remove(&oldest);
        }
    }
}

fn reference(object: &Value, field: &str) -> Value {
    let metadata = &object["metadata"];
    let mut involved = json!({"kind": object["kind"], "apiVersion": object["apiVersion"]});
    for name in ["namespace", "name", "uid", "resourceVersion"] {
        if let Some(value) = metadata.get(name) {
            involved[name] = value.clone();
        }
    }
    if !field.is_empty() {
        involved["fieldPath"] = field.into();
    }
    involved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_granted_a_number_of_events_and_then_few() {
        let mut grant = Grant { left: GRANTED, since: 1000 };
        assert_eq!((0..40).filter(|_| grant.take(1010)).count(), 25);
        assert!(!grant.take(1299));
        assert!(grant.take(1300));
        assert!(!grant.take(1301));
    }
}
