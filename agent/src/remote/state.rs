//! How the link stands.

/// How the link stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// There is none.
    #[default]
    Away,
    /// The panel has let us in.
    Connected,
    /// And has taken what we said of this machine: it answered something after that.
    Taken,
}
