//! Frames of SPDY/3.1: what comes in taken apart, and what goes out put together.

use bytes::{Buf, Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};

use super::dictionary::dictionary;

const HEAD: usize = 8;
const VERSION: u16 = 3;
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const FIN: u8 = 1;
/// Nobody names a port with more than this.
const LONGEST_HEADERS: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Open {
        stream: u32,
        headers: Vec<(String, String)>,
        last: bool,
    },
    Data {
        stream: u32,
        bytes: Bytes,
        last: bool,
    },
    Reset {
        stream: u32,
    },
    Ping(u32),
    GoAway,
    /// Settings, windows and the like, which these streams do without.
    Other,
}

/// Takes a run of bytes apart. Header blocks are one compressed stream from the first frame to the last.
pub(super) struct Reader {
    buffer: BytesMut,
    inflate: Decompress,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { buffer: BytesMut::new(), inflate: Decompress::new(true) }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if it has come already.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, String> {
        let Some(head) = self.buffer.first_chunk::<HEAD>().copied() else { return Ok(None) };
        let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
        if self.buffer.len() < HEAD + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD);
        let mut body = self.buffer.split_to(length).freeze();
        let first = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let last = head[4] & FIN != 0;
        if first >> 31 == 0 {
            return Ok(Some(Frame::Data { stream: first, bytes: body, last }));
        }
        let kind = u16::from_be_bytes([head[2], head[3]]);
        let number = |body: &[u8]| body.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes) & 0x7fff_ffff);
        let stream = number(&body);
        Ok(Some(match kind {
            SYN_STREAM => {
                // The stream, the one it belongs to, priority and slot.
                body.advance(body.len().min(10));
                Frame::Open { stream, headers: self.headers(&body)?, last }
            }
            RST_STREAM => Frame::Reset { stream },
            PING => Frame::Ping(stream),
            GOAWAY => Frame::GoAway,
            _ => Frame::Other,
        }))
    }

    fn headers(&mut self, block: &[u8]) -> Result<Vec<(String, String)>, String> {
        let plain = self.inflated(block).map_err(|error| format!("a header block cannot be read: {error}"))?;
        let count = plain.first_chunk().map_or(0, |count| u32::from_be_bytes(*count));
        let mut pairs = Vec::new();
        let mut rest = plain.get(4..).unwrap_or_default();
        for _ in 0..count {
            let (name, tail) = taken(rest).ok_or("a header block ends in the middle")?;
            let (value, tail) = taken(tail).ok_or("a header block ends in the middle")?;
            pairs.push((name, value));
            rest = tail;
        }
        Ok(pairs)
    }

    fn inflated(&mut self, block: &[u8]) -> Result<Vec<u8>, String> {
        let mut plain = Vec::with_capacity(4096);
        let mut rest = block;
        loop {
            let before = self.inflate.total_in();
            let done = self.inflate.decompress_vec(rest, &mut plain, FlushDecompress::Sync);
            let used = usize::try_from(self.inflate.total_in() - before).unwrap_or(rest.len());
            rest = rest.get(used..).unwrap_or_default();
            match done {
                Ok(Status::StreamEnd) => return Ok(plain),
                Ok(_) if rest.is_empty() && plain.len() < plain.capacity() => return Ok(plain),
                Ok(_) if plain.len() >= LONGEST_HEADERS => return Err("it is too long".into()),
                Ok(Status::BufError) if plain.len() < plain.capacity() => return Err("it makes no sense".into()),
                Ok(_) => plain.reserve(4096),
                Err(error) if error.needs_dictionary().is_some() => {
                    self.inflate.set_dictionary(&dictionary()).map_err(|error| error.to_string())?;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

fn taken(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some((String::from_utf8_lossy(text).into_owned(), rest))
}

/// Puts replies together; the other frames stand for themselves.
#[derive(Default)]
pub(super) struct Writer {
    began: bool,
}

impl Writer {
    /// Takes a stream on, with no headers of its own: blocks that are stored as they are need no compressor.
    pub(super) fn reply(&mut self, stream: u32) -> Vec<u8> {
        let mut body = stream.to_be_bytes().to_vec();
        if !std::mem::replace(&mut self.began, true) {
            body.extend([0x78, 0x01]);
        }
        body.extend([0x00, 0x04, 0x00, 0xfb, 0xff]);
        body.extend(0_u32.to_be_bytes());
        // An empty block flushes the one before.
        body.extend([0x00, 0x00, 0x00, 0xff, 0xff]);
        control(SYN_REPLY, &body)
    }
}

pub(super) fn data(stream: u32, bytes: &[u8], last: bool) -> Vec<u8> {
    framed((stream & 0x7fff_ffff).to_be_bytes(), if last { FIN } else { 0 }, bytes)
}

pub(super) fn pong(id: u32) -> Vec<u8> {
    control(PING, &id.to_be_bytes())
}

fn control(kind: u16, body: &[u8]) -> Vec<u8> {
    let [version, kind] = [VERSION | 0x8000, kind].map(u16::to_be_bytes);
    framed([version[0], version[1], kind[0], kind[1]], 0, body)
}

fn framed(first: [u8; 4], flags: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or_default().to_be_bytes();
    let mut frame = first.to_vec();
    frame.extend([flags, length[1], length[2], length[3]]);
    frame.extend(body);
    frame
}

#[cfg(test)]
pub(super) mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    pub(in super::super) fn compressor() -> Compress {
        let mut deflate = Compress::new(Compression::best(), true);
        deflate.set_dictionary(&dictionary()).expect("the dictionary is taken");
        deflate
    }

    /// A client's frame, compressed as clients do it.
    pub(in super::super) fn open(deflate: &mut Compress, stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut plain = u32::try_from(headers.len()).expect("few").to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend(u32::try_from(text.len()).expect("short").to_be_bytes());
            plain.extend(text.as_bytes());
        }
        let mut body = stream.to_be_bytes().to_vec();
        body.extend([0; 6]);
        let mut packed = Vec::with_capacity(1024);
        deflate.compress_vec(&plain, &mut packed, FlushCompress::Sync).expect("it compresses");
        body.extend(packed);
        control(SYN_STREAM, &body)
    }

    #[test]
    fn header_blocks_are_one_compressed_stream() {
        let mut deflate = compressor();
        let headers = [("streamtype", "data"), ("port", "2379"), ("requestid", "0")];
        let mut bytes = open(&mut deflate, 1, &headers);
        bytes.extend(open(&mut deflate, 3, &headers));
        bytes.extend(data(3, b"hello", true));
        let mut reader = Reader::new();
        let mut frames = Vec::new();
        // Byte by byte, as a slow line delivers it.
        for byte in bytes {
            reader.feed(&[byte]);
            frames.extend(reader.next().expect("a frame"));
        }
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(
            frames,
            [
                Frame::Open { stream: 1, headers: headers.clone(), last: false },
                Frame::Open { stream: 3, headers, last: false },
                Frame::Data { stream: 3, bytes: Bytes::from_static(b"hello"), last: true },
            ]
        );
    }

    #[test]
    fn replies_inflate_to_no_headers() {
        let mut writer = Writer::default();
        let mut inflate = Decompress::new(true);
        for stream in [1, 3] {
            let reply = writer.reply(stream);
            let mut plain = Vec::with_capacity(64);
            inflate.decompress_vec(&reply[12..], &mut plain, FlushDecompress::Sync).expect("it inflates");
            assert_eq!(plain, [0, 0, 0, 0]);
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        let mut reader = Reader::new();
        reader.feed(&control(SYN_STREAM, &[0xff; 40]));
        assert!(reader.next().is_err());
    }
}
