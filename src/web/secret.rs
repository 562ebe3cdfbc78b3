//! What proves that a request is its owner's: 256 bits that only the printed link holds.

use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom as _;

/// Of one that is given: fewer characters could be tried one after the other.
const SHORTEST: usize = 32;

#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 32];
        ring::rand::SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| io::Error::other("this system gives no random bytes"))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Of a file with nothing else in it.
    pub fn read(file: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(file)?;
        let text = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        if text.len() < SHORTEST || !text.chars().all(plain) {
            let why =
                format!("it must hold at least {SHORTEST} letters, digits, `-`, `_`, `.` or `~`, and nothing else");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it stands in a link's fragment.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// In a time that says nothing of how much of it was right.
    pub fn is(&self, given: &str) -> bool {
        let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        digest(&self.0).as_ref() == digest(given).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_one_has_256_bits_and_is_new_each_time() {
        let (one, other) = (Secret::random().expect("random"), Secret::random().expect("random"));
        assert_eq!(URL_SAFE_NO_PAD.decode(one.text()).expect("base64").len(), 32);
        assert!(one.is(one.text()) && !one.is(other.text()) && !one.is("") && !one.is(&one.text()[..42]));
    }

    #[test]
    fn a_file_with_too_little_or_more_in_it_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("secret");
        for (text, fits) in [
            ("0123456789abcdef0123456789abcdef\n", true),
            ("short\n", false),
            ("", false),
            ("0123456789abcdef 0123456789abcdef", false),
            ("0123456789abcdef\n0123456789abcdef", false),
            ("0123456789abcdef0123456789abcdef#/", false),
        ] {
            std::fs::write(&file, text).expect("written");
            assert_eq!(Secret::read(&file).is_ok(), fits, "{text:?}");
        }
    }
}
