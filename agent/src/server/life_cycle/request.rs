//! What may be asked of a server.

use protocol::PowerAction;

/// What may be asked of a server, and its life cycle decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Start, stop, restart, kill, resume.
    Power(PowerAction),
    /// One line for the game's standard input.
    Command(String),
    /// Remove everything.
    Delete,
    /// Stop it, and refuse starts.
    Suspend,
    /// End a suspension.
    Unsuspend,
    /// Fetch the image anew and run the install script, where there is one; `wipe`: in an empty folder.
    Reinstall { wipe: bool },
    /// Break the installation off.
    CancelInstall,
}
