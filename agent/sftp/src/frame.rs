//! Packets within a stream of bytes.

use bytes::{Buf, Bytes, BytesMut};

use crate::{DecodeError, MAX_PACKET};

/// Takes the next whole packet, without its length, from what was received. `None`: more has to come, at most
/// [`MAX_PACKET`] bytes and the four of the length.
///
/// # Errors
///
/// [`DecodeError::Size`]; nothing behind it can be read any more.
pub fn next_packet(received: &mut BytesMut) -> Result<Option<Bytes>, DecodeError> {
    let Some(length) = received.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)) else {
        return Ok(None);
    };
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size == 0 || size > MAX_PACKET {
        return Err(DecodeError::Size(length));
    }
    if received.len() < 4 + size {
        return Ok(None);
    }
    received.advance(4);
    Ok(Some(received.split_to(size).freeze()))
}
