use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use serde_json::Value;

use kube_etcd_codec::{DecodeError, Decoded, Encoding};

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

    /// The JSON object that it holds, or `Null` where it holds none.
    pub fn object(&self) -> Result<Object, DecodeError> {
        self.decode().map(Object)
    }

    /// The same without its secrets, for whoever shows it.
    pub fn visible(&self) -> Result<Value, DecodeError> {
        let mut object = Value::clone(&*self.object()?);
        kube_etcd_codec::conceal(&mut object);
        Ok(object)
    }

    /// Whether it may be a Secret that cannot be read as one.
    pub fn is_opaque(&self) -> bool {
        self.decode().map_or(true, |decoded| kube_etcd_codec::is_opaque(&decoded))
    }

    fn decode(&self) -> Result<Arc<Decoded>, DecodeError> {
        let mut remembered = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(decoded) = remembered.upgrade() {
            return Ok(decoded);
        }
        let decoded = Arc::new(kube_etcd_codec::decode(&self.bytes)?);
        *remembered = Arc::downgrade(&decoded);
        Ok(decoded)
    }
}

/// A decoded object, shared while it is looked at.
#[derive(Debug, Clone)]
pub struct Object(Arc<Decoded>);

impl std::ops::Deref for Object {
    type Target = Value;

    fn deref(&self) -> &Value {
        // A text is a value, but no object.
        if self.0.encoding == Encoding::Plain { &Value::Null } else { &self.0.object }
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
