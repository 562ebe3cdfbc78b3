//! Protobuf's wire format, read without copying and written in place.

use std::fmt;

/// Why bytes are not a message; positions are those of the innermost message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn malformed(text: impl Into<String>) -> Malformed {
    Malformed(text.into())
}

/// One field as it lies on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

impl<'a> Wire<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(malformed("a number where text or a message belongs")),
        }
    }

    pub(super) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(malformed("something else where a number belongs")),
        }
    }
}

/// The fields of a message, one by one.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        prost::encoding::decode_varint(&mut self.0).map_err(|_| malformed("a number that does not end"))
    }

    pub(super) fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| malformed("a field number out of range"))?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Wire::Fixed32
            }
            other => return Err(malformed(format!("wire type {other} at field {number}"))),
        };
        Ok(Some((number, value)))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let (taken, rest) =
            split.ok_or_else(|| malformed(format!("{length} bytes announced, {} are there", self.0.len())))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.take(N as u64)?;
        Ok(taken.try_into().expect("take gives what was asked for"))
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    prost::encoding::encode_varint(u64::from(number) << 3, out);
    prost::encoding::encode_varint(value, out);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    prost::encoding::encode_varint(u64::from(number) << 3 | 2, out);
    prost::encoding::encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Writes a nested message: its length is known only afterwards, and mostly fits the one byte kept free.
pub(super) fn put_message<E>(
    out: &mut Vec<u8>,
    number: u32,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    prost::encoding::encode_varint(u64::from(number) << 3 | 2, out);
    let place = out.len();
    out.push(0);
    write(out)?;
    let length = out.len() - place - 1;
    let width = prost::encoding::encoded_len_varint(length as u64);
    if width > 1 {
        out.resize(out.len() + width - 1, 0);
        out.copy_within(place + 1..place + 1 + length, place + width);
    }
    let mut rest = length;
    for at in 0..width {
        let more = if at + 1 < width { 0x80 } else { 0 };
        out[place + at] = u8::try_from(rest & 0x7f).expect("seven bits") | more;
        rest >>= 7;
    }
    Ok(())
}
