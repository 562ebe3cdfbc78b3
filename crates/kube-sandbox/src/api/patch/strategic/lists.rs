//! Lists in a strategic merge patch: merged by their key, then put into the order that Kubernetes' library gives
//! them. What the patch names stands in the patch's order; what only the object holds is put in between where the
//! object's own order says so, else behind. Each list is looked up by hash: a patch may name 100,000 items.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::refused::go_text;
use super::{DIRECTIVE, merge};
use crate::resource::shape::Shape;
use crate::status::ApiError;

/// Where each item stands, by what tells it apart.
struct Ranks<'a> {
    key: Option<&'a str>,
    places: HashMap<String, usize>,
}

impl<'a> Ranks<'a> {
    fn of(key: Option<&'a str>, list: &[Value]) -> Self {
        let mut ranks = Self { key, places: HashMap::with_capacity(list.len()) };
        for (at, item) in list.iter().enumerate() {
            ranks.places.entry(ranks.identity(item)).or_insert(at);
        }
        ranks
    }

    fn identity(&self, item: &Value) -> String {
        let key_value = self.key.map_or(Some(item), |key| item.get(key));
        key_value.map(ToString::to_string).unwrap_or_default()
    }

    fn get(&self, item: &Value) -> Option<usize> {
        self.places.get(&self.identity(item)).copied()
    }
}

/// `order` is the patch's `$setElementOrder`, if it has one.
pub(super) fn merged(
    field: Shape<'_>,
    list: Vec<Value>,
    items: &[Value],
    order: Option<&[Value]>,
) -> Result<Vec<Value>, ApiError> {
    let key = field.patch_key();
    let before = Ranks::of(key, &list);
    let directive = |item: &Value| item.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
    let all = match key {
        // Without a key the items are texts and numbers, each there once.
        None => {
            let mut all = list;
            all.extend(items.iter().cloned());
            let first = Ranks::of(None, &all);
            let mut at = 0;
            all.retain(|item| {
                at += 1;
                first.get(item) == Some(at - 1)
            });
            all
        }
        Some(_) if items.iter().any(|item| directive(item).as_deref() == Some("replace")) => {
            return Ok(items.iter().filter(|item| item.get(DIRECTIVE).is_none()).cloned().collect());
        }
        Some(key) => merged_by(key, field, list, items, &before)?,
    };
    Ok(match order {
        Some(order) => arranged(&Ranks::of(key, order), all, &before),
        None => arranged(&Ranks::of(key, items), all, &before),
    })
}

fn merged_by(
    key: &str,
    field: Shape<'_>,
    list: Vec<Value>,
    items: &[Value],
    before: &Ranks<'_>,
) -> Result<Vec<Value>, ApiError> {
    let mut all: Vec<Option<Value>> = list.into_iter().map(Some).collect();
    let mut added: HashMap<String, usize> = HashMap::new();
    for item in items {
        if item.get(key).is_none() {
            return Err(ApiError::plain(format!("map: {} does not contain declared merge key: {key}", go_text(item))));
        }
        let identity = before.identity(item);
        let at = before.places.get(&identity).or_else(|| added.get(&identity)).copied();
        let held = at.filter(|at| all[*at].is_some());
        match (held, item.get(DIRECTIVE).and_then(Value::as_str) == Some("delete")) {
            (Some(at), true) => all[at] = None,
            (None, true) => {}
            (Some(at), false) => {
                if let Some(held) = &mut all[at] {
                    merge(field.item(), held, item)?;
                }
            }
            (None, false) => {
                let mut new = Value::Object(Map::new());
                merge(field.item(), &mut new, item)?;
                added.insert(identity, all.len());
                all.push(Some(new));
            }
        }
    }
    Ok(all.into_iter().flatten().collect())
}

/// The list itself in another order.
pub(super) fn ordered(key: Option<&str>, list: Vec<Value>, order: &[Value]) -> Vec<Value> {
    let before = Ranks::of(key, &list);
    arranged(&Ranks::of(key, order), list, &before)
}

fn arranged(order: &Ranks<'_>, items: Vec<Value>, before: &Ranks<'_>) -> Vec<Value> {
    let (mut named, others): (Vec<Value>, Vec<Value>) = items.into_iter().partition(|item| order.get(item).is_some());
    named.sort_by_cached_key(|item| order.get(item));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let ranked = |item: Value| (before.get(&item), item);
    let mut named = named.into_iter().map(ranked).peekable();
    let mut others = others.into_iter().map(ranked).peekable();
    while let (Some((one, _)), Some((other, _))) = (named.peek(), others.peek()) {
        let other_first = one.is_some() && other.is_some() && other < one;
        result.extend(if other_first { others.next() } else { named.next() });
    }
    result.extend(named);
    result.extend(others);
    result.into_iter().map(|(_, item)| item).collect()
}
