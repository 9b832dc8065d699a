//! What the rules are about, whichever backend sets them.

use std::collections::BTreeSet;

use protocol::Protocol;

use super::lan::Lan;

/// The bridge of games.
pub(crate) const GAMES: &str = "ctrl-alt-play0";
/// The bridge of games that reach no LAN address.
pub(crate) const NO_LAN: &str = "ctrl-alt-play1";

/// Networks that no game reaches: the services of clouds and hosters that hand out a machine's own credentials live there, at
/// 169.254.169.254 and, at Amazon, at fd00:ec2::254.
pub(crate) const METADATA: [&str; 2] = ["169.254.0.0/16", "fd00:ec2::254/128"];

/// Ports of this machine that lead to games.
pub(crate) type Published = BTreeSet<(Protocol, u16)>;

/// What the rules are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Open to games on the bridge [`GAMES`]: one of them may be a proxy for others.
    pub(crate) published: Published,
    /// Closed to games on the bridge [`NO_LAN`].
    pub(crate) lan: Lan,
}
