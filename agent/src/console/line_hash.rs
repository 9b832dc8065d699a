//! Hash for comparing a game's lines.

/// Bytes of a line that are hashed.
const COMPARED: usize = 4 * 1024;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// FNV-1a over the ASCII bytes of a line's beginning; incremental.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineHash {
    pub(super) state: u64,
    pub(super) bytes: usize,
}

impl LineHash {
    pub(super) const EMPTY: Self = Self { state: OFFSET, bytes: 0 };

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let room = COMPARED.saturating_sub(self.bytes);
        for byte in bytes[..bytes.len().min(room)].iter().filter(|byte| byte.is_ascii()) {
            self.state = (self.state ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
    }
}

/// The hash of a line without its line feed.
pub(super) fn hash(line: &[u8]) -> u64 {
    let mut hash = LineHash::EMPTY;
    hash.add(line);
    hash.state
}
