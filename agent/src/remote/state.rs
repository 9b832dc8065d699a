//! The state of the link.

/// The state of the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected.
    #[default]
    Away,
    /// The panel accepted the connection.
    Connected,
    /// The panel also accepted our introduction: it sent something after that.
    Taken,
}
