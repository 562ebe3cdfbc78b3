//! What one call may cost, and how large its result may be.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue};

use super::{Entries, Estimator, Range};
use crate::cost::LIST;
use crate::library::CHECK;
use crate::signatures::Overload;
use crate::types::Type;

/// The longest regular expression of a named format.
const FORMAT_PATTERN: f64 = 128.0;

/// The sizes of an address in bytes.
const ADDRESS: Range = Range { min: 4, max: 16 };

type Estimate = (Range, Option<Range>);

#[expect(clippy::unnecessary_wraps, reason = "it stands where a call without an estimate gives none")]
fn plain(cost: Range) -> Option<Estimate> {
    Some((cost, None))
}

/// A call that makes a list.
#[expect(clippy::unnecessary_wraps, reason = "it stands where a call without an estimate gives none")]
fn allocating(factor: f64, size: Range) -> Option<Estimate> {
    Some((size.scaled(factor).plus(Range::fixed(1 + LIST)), Some(size)))
}

fn whole(node: &IdedExpr) -> Option<u64> {
    match &node.expr {
        Expr::Literal(LiteralValue::Int(value)) => Some(u64::try_from(*value.inner()).unwrap_or(0)),
        _ => None,
    }
}

fn is_text(of: &Type) -> bool {
    matches!(of, Type::String | Type::Bytes)
}

impl Estimator<'_> {
    pub(super) fn of_call(
        &mut self,
        overload: &Overload,
        target: Option<&IdedExpr>,
        args: &[IdedExpr],
        costs: &[Range],
        node: &IdedExpr,
    ) -> Estimate {
        let arguments = costs.iter().fold(Range::NONE, |sum, cost| sum.plus(*cost));
        if let Some((cost, size)) = self.kubernetes(overload, target, args) {
            return (cost.plus(arguments), size);
        }
        match overload.id.as_str() {
            // One side may decide alone.
            "logical_or" | "logical_and" => {
                if let [one, other] = costs {
                    return (Range { min: one.min, max: one.plus(*other).max }, None);
                }
            }
            "conditional" => {
                if let ([test, yes, no], [_, if_true, if_false]) = (costs, args) {
                    let size = self.size_or_unknown(if_true).union(self.size_or_unknown(if_false));
                    let entries = self.both_entries(if_true, if_false);
                    self.note_entries(node, entries);
                    return (test.plus(yes.union(*no)), Some(size));
                }
            }
            _ => {}
        }
        let (cost, size) = self.standard(overload, target, args, node).unwrap_or((Range::fixed(1), None));
        (cost.plus(arguments), size)
    }

    fn both_entries(&self, one: &IdedExpr, other: &IdedExpr) -> Option<Entries> {
        let (one, other) = (self.entries_of(one)?, self.entries_of(other)?);
        Some(Entries { is_list: one.is_list, key: one.key.union(other.key), value: one.value.union(other.value) })
    }

    fn note_entries(&mut self, node: &IdedExpr, entries: Option<Entries>) {
        if let Some(entries) = entries {
            self.entries.insert(node.id, entries);
        }
    }

    /// The functions of the language itself.
    fn standard(
        &mut self,
        overload: &Overload,
        target: Option<&IdedExpr>,
        args: &[IdedExpr],
        node: &IdedExpr,
    ) -> Option<Estimate> {
        let size = |at: usize| args.get(at).map_or(Range::UNKNOWN, |arg| self.size_or_unknown(arg));
        let of_target = target.map(|target| self.size_or_unknown(target));
        let id = overload.id.as_str();
        match id {
            "string_format" => plain(of_target?.traversed()),
            "string_to_bytes" => {
                let size = size(0);
                Some((size.traversed(), Some(Range { min: size.min, max: size.max.saturating_mul(4) })))
            }
            "bytes_to_string" => {
                let size = size(0);
                Some((size.traversed(), Some(Range { min: size.min / 4, max: size.max })))
            }
            "strings_quote" => {
                let size = size(0);
                let quoted =
                    Range { min: size.min.saturating_add(2), max: size.max.saturating_mul(2).saturating_add(2) };
                Some((size.traversed(), Some(quoted)))
            }
            "starts_with_string" | "ends_with_string" => plain(size(0).traversed()),
            "in_list" => plain(size(1)),
            "matches_string" => plain(Self::regex(of_target?, size(0))),
            "matches" => plain(Self::regex(size(0), size(1))),
            "contains_string" => plain(of_target?.traversed().times(size(0).traversed())),
            "add_string" | "add_bytes" | "add_list" => {
                let sum = size(0).plus(size(1));
                let entries = args.first().zip(args.get(1)).and_then(|(one, other)| self.both_entries(one, other));
                self.note_entries(node, entries);
                let cost = if id == "add_list" { Range::fixed(1) } else { sum.traversed() };
                Some((cost, Some(sum)))
            }
            "equals" | "not_equals" => plain(Self::smaller(size(0), size(1))),
            _ if overload.parameters.first().is_some_and(is_text)
                && (id.starts_with("less") || id.starts_with("greater")) =>
            {
                plain(Self::smaller(size(0), size(1)))
            }
            "list_slice" => {
                let most = of_target?.max;
                let (start, end) =
                    (args.first().and_then(whole).unwrap_or(0), args.get(1).and_then(whole).unwrap_or(most));
                allocating(1.0, Range::fixed(end.saturating_sub(start)))
            }
            "lists_range" => allocating(1.0, Range::fixed(args.first().and_then(whole).unwrap_or(u64::MAX))),
            "list_reverse" => allocating(1.0, of_target?),
            "list_flatten" | "list_flatten_int" => {
                let depth = args.first().map_or(1, |arg| whole(arg).unwrap_or(u64::MAX));
                let size = of_target?;
                Some((size.times(Range::fixed(depth)).plus(Range::fixed(1 + LIST)), Some(size)))
            }
            "list_distinct" => allocating(2.0, of_target?.times(of_target?)),
            _ if id.ends_with("_sort") => Self::sorting(&overload.parameters[0], of_target?),
            _ if id.ends_with("_sortByAssociatedKeys") => Self::sorting(&overload.parameters[1], size(0)),
            "list_sets_contains_list" | "list_sets_intersects_list" => {
                plain(size(0).times(size(1)).plus(Range::fixed(1)))
            }
            "list_sets_equivalent_list" => plain(size(0).times(size(1)).scaled(2.0).plus(Range::fixed(1))),
            _ => None,
        }
    }

    fn sorting(list: &Type, size: Range) -> Option<Estimate> {
        let texts = matches!(list, Type::List(of) if is_text(of));
        allocating(if texts { 2.1 } else { 2.0 }, size.times(size))
    }

    fn smaller(one: Range, other: Range) -> Range {
        let max = one.max.min(other.max);
        Range { min: u64::from(max > 0), max }.traversed()
    }

    fn regex(text: Range, pattern: Range) -> Range {
        text.plus(Range::fixed(1)).traversed().times(pattern.scaled(0.25))
    }

    /// The size of a list's elements, and whether they are texts; `None` for what is no list.
    fn elements(&self, list: &IdedExpr) -> Option<(Range, bool)> {
        let Type::List(of) = self.of(list) else { return None };
        let size = self.below(list, "@items").and_then(|path| self.declared(&path));
        Some((size.unwrap_or(Range::UNKNOWN), is_text(of)))
    }

    /// The functions that Kubernetes counts itself.
    fn kubernetes(&self, overload: &Overload, target: Option<&IdedExpr>, args: &[IdedExpr]) -> Option<Estimate> {
        let size = |at: usize| args.get(at).map_or(Range::UNKNOWN, |arg| self.size_or_unknown(arg));
        let of_target = target.map(|target| self.size_or_unknown(target));
        let first = overload.parameters.first();
        match overload.name.as_str() {
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => {
                let size = of_target?;
                match self.elements(target?) {
                    Some((element, texts)) => {
                        let mut each = Range::fixed(1);
                        if texts {
                            each = each.plus(element.traversed());
                        }
                        plain(size.times(each))
                    }
                    None => plain(size.traversed()),
                }
            }
            "url" | "jsonpatch.escapeKey" => Some((size(0).traversed(), Some(size(0)))),
            "lowerAscii" | "upperAscii" | "substring" | "trim" => Some((of_target?.traversed(), of_target)),
            "replace" => Some(Self::replace(of_target?, size(0), size(1))),
            "split" => {
                let most = args.get(1).and_then(whole).unwrap_or(of_target?.max);
                Some((of_target?.scaled(0.2), Some(Range { min: 0, max: most })))
            }
            "join" => {
                let list = of_target?;
                let element = self.elements(target?).map_or(Range::NONE, |(element, _)| element);
                let mut size = list.times(element);
                if !args.is_empty() {
                    let between = Range { min: list.min.saturating_sub(1), max: list.max.saturating_sub(1) };
                    let by = args.first().map_or(Range::UNKNOWN, |arg| self.size_or_unknown(arg));
                    size = size.plus(by.times(between));
                }
                Some((size.traversed(), Some(size)))
            }
            "find" | "findAll" => {
                let text = of_target?;
                Some((Self::regex(text, size(0)), Some(Range { min: 0, max: text.max })))
            }
            "ip" if overload.member => plain(Range::fixed(1)),
            "ip" | "cidr" | "isIP" | "isCIDR" | "quantity" | "isQuantity" | "semver" | "isSemver" => {
                plain(size(0).traversed())
            }
            "ip.isCanonical" => plain(size(0).scaled(0.2)),
            "containsIP" | "containsCIDR" => {
                let mut cost = ADDRESS.plus(ADDRESS).traversed();
                if overload.name == "containsCIDR" {
                    cost = cost.plus(ADDRESS.traversed()).plus(Range::fixed(1));
                }
                if overload.parameters.get(1) == Some(&Type::String) {
                    cost = cost.plus(size(0).traversed());
                }
                plain(cost)
            }
            "check" => plain(Range::fixed(CHECK)),
            "validate" => plain(size(0).traversed().scaled(FORMAT_PATTERN * 0.25)),
            "_==_" => {
                let (one, other) = (self.of(args.first()?), self.of(args.get(1)?));
                match (one, one == other) {
                    (Type::Named(name), true) if !matches!(&**name, "kubernetes.URL" | "kubernetes.NamedFormat") => {
                        plain(Range::fixed(1))
                    }
                    _ => None,
                }
            }
            _ => match first {
                // What asks an address, a quantity or a version something is one step.
                Some(Type::Named(_)) => plain(Range::fixed(1)),
                _ => None,
            },
        }
    }

    fn replace(text: Range, old: Range, new: Range) -> Estimate {
        let (count_max, kept_max) = if old.min == 0 {
            (text.max.saturating_add(1), text.max)
        } else if new.max <= old.min {
            (0, text.max)
        } else {
            (text.max.div_ceil(old.min), 0)
        };
        let (count_min, kept_min) = if old.max == 0 {
            (text.min.saturating_add(1), text.min)
        } else if old.max <= new.min {
            (0, text.min)
        } else {
            (text.min.div_ceil(old.max), 0)
        };
        let size = Range { min: count_min, max: count_max }.times(new).plus(Range { min: kept_min, max: kept_max });
        (text.scaled(0.2), Some(size))
    }
}
