//! Lists, and lists taken as sets.

use std::cmp::Ordering;

use super::{Function, Given, mismatch, numbers};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::{List, Unordered, Value};

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("isSorted", is_sorted, Cost::Elements),
    ("sum", sum, Cost::Elements),
    ("min", min, Cost::Elements),
    ("max", max, Cost::Elements),
    ("slice", slice, Cost::Allocates),
    ("flatten", flatten, Cost::Flatten),
    ("sort", sort, Cost::SelfCompare(0)),
    ("@sortByAssociatedKeys", sort_by, Cost::SelfCompare(1)),
    ("lists.range", range, Cost::Allocates),
    ("reverse", reverse, Cost::Allocates),
    ("distinct", distinct, Cost::SelfCompare(0)),
    ("sets.contains", contains, Cost::Sets(1)),
    ("sets.intersects", intersects, Cost::Sets(1)),
    ("sets.equivalent", equivalent, Cost::Sets(2)),
];

fn one<'l, 'a>(args: &'l [Value<'a>]) -> Result<&'l List<'a>, Error> {
    match args {
        [Value::List(list)] => Ok(list),
        _ => Err(mismatch()),
    }
}

fn order(one: &Value<'_>, other: &Value<'_>) -> Result<Ordering, Error> {
    one.compare(other).map_err(|why| match why {
        Unordered::Types => mismatch(),
        Unordered::NaN => Error::other("NaN values cannot be ordered"),
    })
}

pub(super) fn position<'a>(list: &List<'a>, wanted: &Value<'a>, last: bool, budget: &mut Budget) -> Given<'a> {
    let mut found = -1;
    for (index, item) in list.iter().enumerate() {
        budget.copy(1)?;
        if item.equals(wanted) {
            found = i64::try_from(index).unwrap_or(i64::MAX);
            if !last {
                break;
            }
        }
    }
    Ok(Value::Int(found))
}

fn is_sorted<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let mut before: Option<Value<'a>> = None;
    for item in one(args)?.iter() {
        if let Some(before) = before
            && order(&before, &item)?.is_gt()
        {
            return Ok(Value::Bool(false));
        }
        before = Some(item);
    }
    Ok(Value::Bool(true))
}

fn sum<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let mut items = one(args)?.iter();
    let Some(mut total) = items.next() else { return Ok(Value::Int(0)) };
    if matches!(total, Value::String(_) | Value::Bytes(_) | Value::List(_)) {
        return Err(mismatch());
    }
    for item in items {
        total = numbers::add(&[total, item])?;
    }
    Ok(total)
}

fn best<'a>(args: &[Value<'a>], name: &str, wanted: Ordering) -> Given<'a> {
    let mut items = one(args)?.iter();
    let mut best = items.next().ok_or_else(|| Error::other(format!("{name} called on empty list")))?;
    for item in items {
        if order(&item, &best)? == wanted {
            best = item;
        }
    }
    Ok(best)
}

fn min<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    best(args, "min", Ordering::Less)
}

fn max<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    best(args, "max", Ordering::Greater)
}

fn slice<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let [Value::List(list), Value::Int(start), Value::Int(end)] = args else { return Err(mismatch()) };
    let wrong = |why: &str| Error::other(format!("cannot slice({start}, {end}), {why}"));
    let (Ok(from), Ok(to)) = (usize::try_from(*start), usize::try_from(*end)) else {
        return Err(wrong("negative indexes not supported"));
    };
    if from > to {
        return Err(wrong("start index must be less than or equal to end index"));
    }
    if to > list.len() {
        return Err(wrong(&format!("list is length {}", list.len())));
    }
    budget.copy(to - from)?;
    Ok(Value::from((from..to).filter_map(|at| list.get(at)).collect::<Vec<_>>()))
}

fn flatten<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let (list, depth) = match args {
        [Value::List(list)] => (list, 1),
        [Value::List(list), Value::Int(depth)] => (list, *depth),
        _ => return Err(mismatch()),
    };
    if depth < 0 {
        return Err(Error::other("level must be non-negative"));
    }
    let mut flat = Vec::new();
    flat_into(list, depth, &mut flat, budget)?;
    Ok(Value::from(flat))
}

fn flat_into<'a>(list: &List<'a>, depth: i64, flat: &mut Vec<Value<'a>>, budget: &mut Budget) -> Result<(), Error> {
    for item in list.iter() {
        budget.copy(1)?;
        match item {
            Value::List(inner) if depth > 0 => flat_into(&inner, depth - 1, flat, budget)?,
            item => flat.push(item),
        }
    }
    Ok(())
}

fn sort<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let list = one(args)?;
    sorted(list, list, budget)
}

fn sort_by<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    match args {
        [Value::List(list), Value::List(keys)] => sorted(list, keys, budget),
        _ => Err(mismatch()),
    }
}

fn sorted<'a>(list: &List<'a>, keys: &List<'a>, budget: &mut Budget) -> Given<'a> {
    budget.copy(list.len() + keys.len())?;
    if list.len() != keys.len() {
        return Err(Error::other(format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got {} and {} \
             elements respectively",
            list.len(),
            keys.len()
        )));
    }
    let keys: Vec<Value<'a>> = keys.iter().collect();
    if let Some(first) = keys.first() {
        if first.compare(first) == Err(Unordered::Types) {
            return Err(Error::other("list elements must be comparable"));
        }
        let kind = std::mem::discriminant(first);
        if keys.iter().any(|key| std::mem::discriminant(key) != kind) {
            return Err(Error::other("list elements must have the same type"));
        }
    }
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|one, other| keys[*one].compare(&keys[*other]).unwrap_or(Ordering::Equal));
    Ok(Value::from(order.into_iter().filter_map(|at| list.get(at)).collect::<Vec<_>>()))
}

fn range<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let [Value::Int(end)] = args else { return Err(mismatch()) };
    budget.copy(usize::try_from(*end).unwrap_or(0))?;
    Ok(Value::from((0..*end).map(Value::Int).collect::<Vec<_>>()))
}

fn reverse<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let list = one(args)?;
    budget.copy(list.len())?;
    Ok(Value::from((0..list.len()).rev().filter_map(|at| list.get(at)).collect::<Vec<_>>()))
}

fn distinct<'a>(args: &[Value<'a>], budget: &mut Budget) -> Given<'a> {
    let mut seen: Vec<Value<'a>> = Vec::new();
    for item in one(args)?.iter() {
        budget.copy(seen.len() / 4)?;
        if !seen.iter().any(|one| one.equals(&item)) {
            seen.push(item);
        }
    }
    Ok(Value::from(seen))
}

fn two<'l, 'a>(args: &'l [Value<'a>]) -> Result<(&'l List<'a>, &'l List<'a>), Error> {
    match args {
        [Value::List(one), Value::List(other)] => Ok((one, other)),
        _ => Err(mismatch()),
    }
}

fn has(list: &List<'_>, wanted: &Value<'_>) -> bool {
    list.iter().any(|item| item.equals(wanted))
}

fn contains<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (list, part) = two(args)?;
    Ok(Value::Bool(part.iter().all(|item| has(list, &item))))
}

fn intersects<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (one, other) = two(args)?;
    Ok(Value::Bool(one.iter().any(|item| has(other, &item))))
}

fn equivalent<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (one, other) = two(args)?;
    Ok(Value::Bool(other.iter().all(|item| has(one, &item)) && one.iter().all(|item| has(other, &item))))
}
