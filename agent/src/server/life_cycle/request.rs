//! Requests to a server.

use protocol::PowerAction;

/// A request that the life cycle decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Start, stop, restart, kill or resume it.
    Power(PowerAction),
    /// Write one line to the game's standard input.
    Command(String),
    /// Delete the server.
    Delete,
    /// Stop it, and refuse starts.
    Suspend,
    /// End a suspension.
    Unsuspend,
    /// Pull the image and run the install script, if there is one; `wipe`: in an empty folder.
    Reinstall { wipe: bool },
    /// Cancel the installation.
    CancelInstall,
}
