//! The few types of which packets are made.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::DecodeError;

/// Reads from a packet.
pub(crate) struct Reader(pub(crate) Bytes);

impl Reader {
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.0.try_get_u8().map_err(|_| DecodeError::Short(None))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.0.try_get_u32().map_err(|_| DecodeError::Short(None))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.0.try_get_u64().map_err(|_| DecodeError::Short(None))
    }

    /// A string, within so many bytes.
    pub(crate) fn string(&mut self, what: &'static str, most: usize) -> Result<Bytes, DecodeError> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if length > most {
            return Err(DecodeError::TooLong { id: None, what });
        }
        if length > self.0.len() {
            return Err(DecodeError::Short(None));
        }
        Ok(self.0.split_to(length))
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub(crate) fn put_string(to: &mut BytesMut, bytes: &[u8]) {
    // Longer than 4 GiB is nothing that is encoded here.
    to.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    to.put_slice(bytes);
}

/// Writes a packet, with its length before it.
pub(crate) fn packet(to: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = to.len();
    to.put_u32(0);
    write(to);
    let length = u32::try_from(to.len() - start - 4).unwrap_or(u32::MAX);
    to[start..start + 4].copy_from_slice(&length.to_be_bytes());
}
