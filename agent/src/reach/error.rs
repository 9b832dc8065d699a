//! What can go wrong between this machine and its router.

use std::io;

/// Why the router did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RouterError {
    /// This machine has no router.
    #[error("This machine has no router: it has no default route by IPv4.")]
    NoRouter,
    /// It does not answer.
    #[error("The router does not answer. Its setting for UPnP, NAT-PMP or PCP may be off.")]
    Silent,
    /// The network did not carry the question.
    #[error("The router cannot be asked: {0}.")]
    Network(#[source] io::Error),
    /// It answered something else than the protocol allows.
    #[error("The router answers in a way that is not understood.")]
    Nonsense,
    /// It said no.
    #[error("{}", refused(*.code, *.conflict))]
    Refused {
        /// The code of its protocol.
        code: u16,
        /// Another device has the port.
        conflict: bool,
    },
}

impl RouterError {
    /// Whether the port belongs to another device.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { conflict: true, .. })
    }

    /// That the port belongs to another device.
    pub(super) const CONFLICT: Self = Self::Refused { code: 718, conflict: true };
}

fn refused(code: u16, conflict: bool) -> String {
    if conflict {
        return "The router already forwards this port to another device. Choose another port for this server, or remove \
                that rule in the router."
            .to_owned();
    }
    format!("The router refuses to forward the port (code {code}). Forward it by hand.")
}
