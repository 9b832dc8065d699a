//! Why a packet could not be read.

/// Why a packet could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It says that it is empty, or longer than [`crate::MAX_PACKET`]. Where the next one begins is not known.
    #[error("a packet of {0} bytes")]
    Size(u32),
    /// It ends before all of it was there. With the number of the request, where that was read.
    #[error("a packet that ends too early")]
    Short(Option<u32>),
    /// A part of it is longer than it may be.
    #[error("a {what} that is too long")]
    TooLong {
        /// The number of the request.
        id: Option<u32>,
        /// Which part.
        what: &'static str,
    },
    /// A kind that the other end does not send.
    #[error("a packet of the unknown kind {kind}")]
    Unknown {
        /// The number behind the kind, where there is one.
        id: Option<u32>,
        /// The kind.
        kind: u8,
    },
}

impl DecodeError {
    /// The number of the request, where it can be answered.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match self {
            Self::Size(_) => None,
            Self::Short(id) | Self::TooLong { id, .. } | Self::Unknown { id, .. } => *id,
        }
    }

    pub(crate) fn with_id(self, request: u32) -> Self {
        match self {
            Self::Size(_) => self,
            Self::Short(_) => Self::Short(Some(request)),
            Self::TooLong { what, .. } => Self::TooLong { id: Some(request), what },
            Self::Unknown { kind, .. } => Self::Unknown { id: Some(request), kind },
        }
    }
}
