//! Addresses and networks.

use std::fmt;
use std::net::IpAddr;

use super::{Function, Given, Opaque, mismatch};
use crate::budget::Budget;
use crate::cost::Cost;
use crate::error::Error;
use crate::value::Value;

pub(super) const TABLE: &[(&str, Function, Cost)] = &[
    ("ip", ip, Cost::Tenths(1)),
    ("isIP", is_ip, Cost::Tenths(1)),
    ("ip.isCanonical", is_canonical, Cost::Tenths(2)),
    ("family", family, Cost::One),
    ("isUnspecified", is_unspecified, Cost::One),
    ("isLoopback", is_loopback, Cost::One),
    ("isLinkLocalMulticast", is_link_local_multicast, Cost::One),
    ("isLinkLocalUnicast", is_link_local_unicast, Cost::One),
    ("isGlobalUnicast", is_global_unicast, Cost::One),
    ("cidr", cidr, Cost::Tenths(1)),
    ("isCIDR", is_cidr, Cost::Tenths(1)),
    ("containsIP", contains_ip, Cost::ContainsIp),
    ("containsCIDR", contains_cidr, Cost::ContainsCidr),
    ("prefixLength", prefix_length, Cost::One),
    ("masked", masked, Cost::One),
];

/// A network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    pub(super) ip: IpAddr,
    pub(super) bits: u8,
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.bits)
    }
}

impl Cidr {
    fn masked(self) -> Self {
        let ip = match self.ip {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V4((ip.to_bits() & mask).into())
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V6((ip.to_bits() & mask).into())
            }
        };
        Self { ip, bits: self.bits }
    }

    fn contains(self, ip: IpAddr) -> bool {
        let same_family = ip.is_ipv4() == self.ip.is_ipv4();
        same_family && Self { ip, bits: self.bits }.masked().ip == self.masked().ip
    }
}

fn wrong(text: &str, why: &str) -> Error {
    Error::other(format!("IP Address {text:?} parse error during conversion from string: ParseAddr({text:?}): {why}"))
}

fn parse_ip(text: &str) -> Result<IpAddr, Error> {
    if let Some((_, zone)) = text.split_once('%')
        && text.contains(':')
    {
        return Err(if zone.is_empty() {
            wrong(text, "zone must be a non-empty string")
        } else {
            Error::other(format!("IP address {text:?} with zone value is not allowed"))
        });
    }
    let ip: IpAddr = text.parse().map_err(|_| wrong(text, &complaint(text)))?;
    match ip {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Err(Error::other(format!("IPv4-mapped IPv6 address {text:?} is not allowed")))
        }
        ip => Ok(ip),
    }
}

/// What Go says of an address that is none, for the cases that people meet.
fn complaint(text: &str) -> String {
    let first = text.find(['.', ':', '%']);
    match first.map(|at| &text[at..=at]) {
        Some(".") => {
            let fields: Vec<&str> = text.split('.').collect();
            for field in &fields {
                if field.is_empty() {
                    return "IPv4 field must have at least one digit".to_owned();
                }
                if !field.bytes().all(|byte| byte.is_ascii_digit()) {
                    return "unexpected character".to_owned();
                }
                if field.len() > 1 && field.starts_with('0') {
                    return "IPv4 field has octet with leading zero".to_owned();
                }
                if field.parse::<u32>().map_or(true, |value| value > 255) {
                    return "IPv4 field has value >255".to_owned();
                }
            }
            if fields.len() < 4 { "IPv4 address too short" } else { "IPv4 address too long" }.to_owned()
        }
        Some(":") => "each colon-separated field must have at least one digit".to_owned(),
        Some(_) => "missing IPv6 address".to_owned(),
        None => "unable to parse IP".to_owned(),
    }
}

fn parse_cidr(text: &str) -> Result<Cidr, Error> {
    let wrong = |why: &str| {
        Error::other(format!(
            "network address parse error during conversion from string: network address parse error during conversion \
             from string: netip.ParsePrefix({text:?}): {why}"
        ))
    };
    let (ip, bits) = text.rsplit_once('/').ok_or_else(|| wrong("no '/'"))?;
    if ip.contains('%') {
        return Err(wrong("IPv6 zones cannot be present in a prefix"));
    }
    let ip: IpAddr = ip.parse().map_err(|_| wrong(&format!("ParseAddr({ip:?}): {}", complaint(ip))))?;
    let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (bits.len() > 1 && bits.starts_with('0')) {
        return Err(wrong(&format!("bad bits after slash: {bits:?}")));
    }
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(|| wrong("prefix length out of range"))?;
    if let IpAddr::V6(v6) = ip
        && v6.to_ipv4_mapped().is_some()
    {
        return Err(Error::other(format!(
            "network address parse error during conversion from string: IPv4-mapped IPv6 address {text:?} is not allowed"
        )));
    }
    Ok(Cidr { ip, bits })
}

fn ip<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text)] => Ok(Opaque::Ip(parse_ip(text)?).into()),
        [Value::Opaque(opaque)] => match **opaque {
            Opaque::Cidr(cidr) => Ok(Opaque::Ip(cidr.ip).into()),
            _ => Err(mismatch()),
        },
        _ => Err(mismatch()),
    }
}

fn is_ip<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text)] => Ok(Value::Bool(parse_ip(text).is_ok())),
        _ => Err(mismatch()),
    }
}

fn is_canonical<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text)] => Ok(Value::Bool(parse_ip(text)?.to_string() == text.as_str())),
        _ => Err(mismatch()),
    }
}

fn the_ip(args: &[Value<'_>]) -> Result<IpAddr, Error> {
    match args {
        [Value::Opaque(opaque)] => match **opaque {
            Opaque::Ip(ip) => Ok(ip),
            _ => Err(mismatch()),
        },
        _ => Err(mismatch()),
    }
}

fn family<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Int(if the_ip(args)?.is_ipv4() { 4 } else { 6 }))
}

fn is_unspecified<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(the_ip(args)?.is_unspecified()))
}

fn is_loopback<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(the_ip(args)?.is_loopback()))
}

fn link_local(ip: IpAddr, multicast: bool) -> bool {
    match (ip, multicast) {
        (IpAddr::V4(ip), false) => ip.is_link_local(),
        (IpAddr::V4(ip), true) => ip.octets().starts_with(&[224, 0, 0]),
        (IpAddr::V6(ip), false) => ip.is_unicast_link_local(),
        (IpAddr::V6(ip), true) => ip.segments()[0] & 0xff0f == 0xff02,
    }
}

fn is_link_local_multicast<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(link_local(the_ip(args)?, true)))
}

fn is_link_local_unicast<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Bool(link_local(the_ip(args)?, false)))
}

fn is_global_unicast<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let ip = the_ip(args)?;
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    let elsewhere = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || link_local(ip, false);
    Ok(Value::Bool(!broadcast && !elsewhere))
}

fn cidr<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text)] => Ok(Opaque::Cidr(parse_cidr(text)?).into()),
        _ => Err(mismatch()),
    }
}

fn is_cidr<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    match args {
        [Value::String(text)] => Ok(Value::Bool(parse_cidr(text).is_ok())),
        _ => Err(mismatch()),
    }
}

fn the_cidr(value: Option<&Value<'_>>) -> Result<Cidr, Error> {
    match value {
        Some(Value::Opaque(opaque)) => match **opaque {
            Opaque::Cidr(cidr) => Ok(cidr),
            _ => Err(mismatch()),
        },
        _ => Err(mismatch()),
    }
}

fn contains_ip<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let cidr = the_cidr(args.first())?;
    let ip = match args {
        [_, Value::String(text)] => parse_ip(text)?,
        [_, rest @ ..] => the_ip(rest)?,
        [] => return Err(mismatch()),
    };
    Ok(Value::Bool(cidr.contains(ip)))
}

fn contains_cidr<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    let cidr = the_cidr(args.first())?;
    let other = match args {
        [_, Value::String(text)] => parse_cidr(text)?,
        _ => the_cidr(args.get(1))?,
    };
    Ok(Value::Bool(cidr.bits <= other.bits && cidr.contains(other.ip)))
}

fn prefix_length<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Value::Int(the_cidr(args.first())?.bits.into()))
}

fn masked<'a>(args: &[Value<'a>], _: &mut Budget) -> Given<'a> {
    Ok(Opaque::Cidr(the_cidr(args.first())?.masked()).into())
}
