use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

use crate::codec::{self, DecodeError, Decoded};

/// A value as etcd holds it. Shared between the change that wrote it and the next one, whose previous
/// value it is; decoded when asked, and remembered only while somebody still holds the result, since
/// decoded objects take ten times the memory.
pub struct Stored {
    bytes: Bytes,
    decoded: Mutex<Weak<Decoded>>,
}

impl Stored {
    pub fn new(bytes: impl Into<Bytes>) -> Arc<Self> {
        Arc::new(Self { bytes: bytes.into(), decoded: Mutex::new(Weak::new()) })
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes as text, as far as they are text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The object without its secrets; `None` where the value is not an object.
    pub fn visible_object(&self) -> Result<Option<serde_json::Value>, DecodeError> {
        let decoded = self.decode()?;
        Ok((!decoded.object.is_null()).then(|| super::hide(decoded.object.clone())))
    }

    pub fn decode(&self) -> Result<Arc<Decoded>, DecodeError> {
        let mut remembered = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(decoded) = remembered.upgrade() {
            return Ok(decoded);
        }
        let decoded = Arc::new(codec::decode(&self.bytes)?);
        *remembered = Arc::downgrade(&decoded);
        Ok(decoded)
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value of a Secret must not reach a log by way of a `{:?}`.
        write!(f, "<{} bytes>", self.bytes.len())
    }
}
