//! Kubernetes' quantities, counted with exactly.

use std::cmp::Ordering;
use std::fmt;

use super::{Function, Given, Opaque, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::Value;

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("quantity", quantity, Cost::Tenths(1)),
    ("isQuantity", is_quantity, Cost::Tenths(1)),
    ("sign", sign, Cost::One),
    ("asInteger", as_integer, Cost::One),
    ("isInteger", is_integer, Cost::One),
    ("asApproximateFloat", as_float, Cost::One),
    ("add", add, Cost::One),
    ("sub", sub, Cost::One),
    ("isGreaterThan", super::semver::is_greater, Cost::One),
    ("isLessThan", super::semver::is_less, Cost::One),
    ("compareTo", super::semver::compare_to, Cost::One),
];

/// Digits times a power of ten.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    digits: i128,
    power: i32,
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.order(*other) == Ordering::Equal
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.power == 0 { write!(f, "{}", self.digits) } else { write!(f, "{}e{}", self.digits, self.power) }
    }
}

impl Quantity {
    fn parse(text: &str) -> Option<Self> {
        let (digits, power) = kube_etcd_codec::exact_quantity(text)?;
        Some(Self { digits, power })
    }

    /// Both with the smaller of their powers; `None` where that is too long to count with.
    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let power = self.power.min(other.power);
        let scale = |one: Self| one.digits.checked_mul(10_i128.checked_pow((one.power - power).unsigned_abs())?);
        Some((scale(self)?, scale(other)?, power))
    }

    pub(super) fn order(self, other: Self) -> Ordering {
        match self.aligned(other) {
            Some((one, other, _)) => one.cmp(&other),
            None => self.float().total_cmp(&other.float()),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "it is called approximate")]
    fn float(self) -> f64 {
        self.digits as f64 * 10_f64.powi(self.power)
    }

    fn integer(self) -> Option<i64> {
        let factor = 10_i128.checked_pow(u32::try_from(self.power).ok()?)?;
        i64::try_from(self.digits.checked_mul(factor)?).ok()
    }

    fn plus(self, other: Self) -> Option<Self> {
        let (one, other, power) = self.aligned(other)?;
        Some(Self { digits: one.checked_add(other)?, power })
    }
}

const WRONG: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

fn quantity<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::String(text)] = args else { return Err(mismatch()) };
    Quantity::parse(text).map(|quantity| Opaque::Quantity(quantity).into()).ok_or_else(|| Error::other(WRONG))
}

fn is_quantity<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let [Value::String(text)] = args else { return Err(mismatch()) };
    Ok(Value::Bool(Quantity::parse(text).is_some()))
}

fn one(value: Option<&Value<'_>>) -> Result<Quantity, Error> {
    match value {
        Some(Value::Opaque(opaque)) => match **opaque {
            Opaque::Quantity(quantity) => Ok(quantity),
            _ => Err(mismatch()),
        },
        _ => Err(mismatch()),
    }
}

fn sign<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Int(one(args.first())?.digits.signum().try_into().unwrap_or(0)))
}

fn as_integer<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let whole = one(args.first())?.integer();
    whole.map(Value::Int).ok_or_else(|| Error::other("cannot convert value to integer"))
}

fn is_integer<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(one(args.first())?.integer().is_some()))
}

fn as_float<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Double(one(args.first())?.float()))
}

fn both(args: &[Value<'_>]) -> Result<(Quantity, Quantity), Error> {
    let other = match args.get(1) {
        Some(Value::Int(whole)) => Quantity { digits: i128::from(*whole), power: 0 },
        other => one(other)?,
    };
    Ok((one(args.first())?, other))
}

fn summed<'a>(sum: Option<Quantity>) -> Given<'a> {
    sum.map(|sum| Opaque::Quantity(sum).into()).ok_or_else(|| Error::other("quantity overflow"))
}

fn add<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (one, other) = both(args)?;
    summed(one.plus(other))
}

fn sub<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let (one, other) = both(args)?;
    summed(one.plus(Quantity { digits: -other.digits, power: other.power }))
}
