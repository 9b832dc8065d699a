//! Reads numbers and texts from a received packet.

use crate::Fault;

/// A position in a packet.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(packet: &'a [u8]) -> Self {
        Self { rest: packet }
    }

    /// The bytes not yet read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Fault::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        self.array().map(|[byte]| byte)
    }

    /// Bytes up to a NUL, which is read too.
    pub(crate) fn until_nul(&mut self) -> Result<&'a [u8], Fault> {
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or(Fault::Short)?;
        let taken = self.take(end)?;
        self.byte()?;
        Ok(taken)
    }

    /// Checks that these bytes follow.
    pub(crate) fn expect(&mut self, bytes: &[u8], what: &'static str) -> Result<(), Fault> {
        if self.take(bytes.len())? == bytes { Ok(()) } else { Err(Fault::Unexpected(what)) }
    }
}
