//! Kubernetes' quantities (`100m`, `1Gi`, `1e3`): their size, and the one way to write each.

use serde_json::Value;

/// Powers of ten of the decimal suffixes.
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
/// The binary suffixes and their powers of 1024, the smallest first.
pub const BINARY: [(&str, u32); 6] = [("Ki", 1), ("Mi", 2), ("Gi", 3), ("Ti", 4), ("Pi", 5), ("Ei", 6)];

enum Unit {
    Decimal(i32),
    Exponent(i32),
    Binary(u32),
}

/// The digits without their point, how many stood after it, and the unit.
fn parse(text: &str) -> Option<(i128, i32, Unit)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let unit = if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        Unit::Binary(*power)
    } else if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        Unit::Decimal(*power)
    } else {
        Unit::Exponent(suffix.strip_prefix(['e', 'E'])?.parse().ok().filter(|power| (-99..=99).contains(power))?)
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let any = digits.trim_start_matches(['+', '-']);
    if any.is_empty() || !any.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok()?, i32::try_from(fraction.len()).ok()?, unit))
}

/// Whether Kubernetes would read the text as a quantity.
pub fn is_quantity(text: &str) -> bool {
    parse(text).is_some()
}

/// A quantity without loss: digits, and the power of ten that they are multiplied with. Less than a billionth is
/// rounded up, away from zero, as Kubernetes does.
pub fn exact(text: &str) -> Option<(i128, i32)> {
    let (digits, fraction, unit) = parse(text)?;
    let (mut digits, mut power) = match unit {
        Unit::Decimal(power) | Unit::Exponent(power) => (digits, power - fraction),
        Unit::Binary(power) => (digits.checked_mul(1024_i128.checked_pow(power)?)?, -fraction),
    };
    if power < -9 {
        let parts = 10_i128.checked_pow(power.abs_diff(-9))?;
        digits = digits / parts + (digits % parts).signum();
        power = -9;
    }
    Some((digits, power))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The size of a quantity in thousandths, for adding up; less than one is rounded up, as Kubernetes does.
pub fn thousandths(value: &Value) -> Option<i128> {
    let (digits, fraction, unit) = parse(&text(value)?)?;
    let (factor, power) = match unit {
        Unit::Decimal(power) | Unit::Exponent(power) => (1, power),
        Unit::Binary(power) => (1024_i128.checked_pow(power)?, 0),
    };
    let digits = digits.checked_mul(factor)?;
    let power = power + 3 - fraction;
    let ten = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        return digits.checked_mul(ten);
    }
    Some(digits.div_euclid(ten) + i128::from(digits.rem_euclid(ten) != 0))
}

/// The size of a quantity, for comparing.
pub fn quantity(value: &Value) -> Option<f64> {
    let (digits, fraction, unit) = parse(&text(value)?)?;
    #[expect(clippy::cast_precision_loss, reason = "sizes are compared, not counted with")]
    let number = digits as f64 / 10_f64.powi(fraction);
    Some(match unit {
        Unit::Decimal(power) | Unit::Exponent(power) => number * 10_f64.powi(power),
        Unit::Binary(power) => number * 1024_f64.powi(i32::try_from(power).ok()?),
    })
}

/// The way that Kubernetes writes it: no fraction, the greatest unit that leaves none.
pub fn canonical(text: &str) -> Option<String> {
    let (mut digits, fraction, unit) = parse(text)?;
    if digits == 0 {
        return Some("0".to_owned());
    }
    let mut power = -fraction;
    match unit {
        Unit::Binary(exponent) => {
            // What is left of a byte counts as a whole one.
            let scaled = digits.checked_mul(1024_i128.checked_pow(exponent)?)?;
            let parts = 10_i128.checked_pow(u32::try_from(fraction).ok()?)?;
            digits = scaled / parts + i128::from(scaled % parts > 0);
            if digits.abs() >= 1024 {
                let mut unit = 0;
                while digits % 1024 == 0 && unit < BINARY.len() {
                    digits /= 1024;
                    unit += 1;
                }
                let name = if unit == 0 { "" } else { BINARY[unit - 1].0 };
                return Some(format!("{digits}{name}"));
            }
            power = 0;
        }
        Unit::Decimal(exponent) | Unit::Exponent(exponent) => power += exponent,
    }
    while digits % 10 == 0 {
        digits /= 10;
        power += 1;
    }
    if power < -9 {
        let parts = 10_i128.checked_pow(u32::try_from(-9 - power).ok()?)?;
        digits = digits / parts + i128::from(digits % parts > 0);
        power = -9;
    }
    let unit = power.div_euclid(3) * 3;
    let unit = if matches!(unit_kind(text), Kind::Exponent) { unit } else { unit.min(18) };
    digits = digits.checked_mul(10_i128.checked_pow(u32::try_from(power - unit).ok()?)?)?;
    if matches!(unit_kind(text), Kind::Exponent) {
        return Some(if unit == 0 { digits.to_string() } else { format!("{digits}e{unit}") });
    }
    let (name, _) = DECIMAL.iter().find(|(_, power)| *power == unit)?;
    Some(format!("{digits}{name}"))
}

enum Kind {
    Exponent,
    Other,
}

fn unit_kind(text: &str) -> Kind {
    let exponent = text.find(['e', 'E']).is_some_and(|at| at + 1 < text.len());
    if exponent { Kind::Exponent } else { Kind::Other }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_way_to_write_each() {
        for (given, written) in [
            ("0", "0"),
            ("0Mi", "0"),
            ("1", "1"),
            ("0.1", "100m"),
            ("1.5", "1500m"),
            ("1000m", "1"),
            ("1000", "1k"),
            ("12345", "12345"),
            ("100000000", "100M"),
            ("1024Mi", "1Gi"),
            ("0.5Gi", "512Mi"),
            ("1.5Gi", "1536Mi"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("5E", "5E"),
            ("0.0000000001", "1n"),
            ("-5m", "-5m"),
            ("200m", "200m"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(written), "{given}");
            assert_eq!(canonical(written).as_deref(), Some(written), "{written}");
        }
        for wrong in ["", "m", "1x", "1.2.3", "1 Gi", "--1", "1e"] {
            assert_eq!(canonical(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_compare() {
        assert!(quantity(&json!("1Gi")) > quantity(&json!("1G")));
        assert!(quantity(&json!("100m")) < quantity(&json!(1)));
        assert_eq!(quantity(&json!("1e3")), quantity(&json!("1k")));
        assert_eq!(quantity(&json!("many")), None);
    }
}
