//! The service's files. They are included in the program, so that nothing else is needed to install it.

use std::path::Path;

/// The prefix for which they were written.
pub const PREFIX: &str = "/usr/local";

const UNIT: &str = include_str!("../../../packaging/systemd/ctrl-alt-play.service");
const AGENT_UNIT: &str = include_str!("../../../packaging/systemd/ctrl-alt-play-agent.service");
const SCRIPT: &str = include_str!("../../../packaging/openrc/ctrl-alt-play");
const AGENT_SCRIPT: &str = include_str!("../../../packaging/openrc/ctrl-alt-play-agent");
const GUARD: &str = include_str!("../../../packaging/guard.sh");

/// A file of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A systemd unit.
    Systemd,
    /// An OpenRC script.
    Openrc,
    /// The guard script, which replaces the program during an upgrade and restores the old one on failure.
    Guard,
}

/// The content of a file, for the panel or an agent, with the program below `prefix`.
pub fn text(kind: Kind, agent: bool, prefix: &Path) -> String {
    let text = match (kind, agent) {
        (Kind::Systemd, false) => UNIT,
        (Kind::Systemd, true) => AGENT_UNIT,
        (Kind::Openrc, false) => SCRIPT,
        (Kind::Openrc, true) => AGENT_SCRIPT,
        (Kind::Guard, _) => GUARD,
    };
    let prefix = prefix.to_string_lossy();
    let prefix = prefix.trim_end_matches('/');
    let (bin, lib) = (format!("{PREFIX}/bin/ctrl-alt-play"), format!("{PREFIX}/lib/ctrl-alt-play/"));
    text.replace(&bin, &format!("{prefix}/bin/ctrl-alt-play"))
        .replace(&lib, &format!("{prefix}/lib/ctrl-alt-play/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_made_for_its_prefix() {
        for (kind, agent) in [
            (Kind::Systemd, false),
            (Kind::Systemd, true),
            (Kind::Openrc, false),
            (Kind::Openrc, true),
            (Kind::Guard, false),
        ] {
            let own = text(kind, agent, Path::new(PREFIX));
            let moved = text(kind, agent, Path::new("/opt/games/"));
            assert!(!moved.contains(PREFIX), "{kind:?}: {moved}");
            assert_eq!(own.lines().count(), moved.lines().count());
            if kind != Kind::Guard {
                assert!(own.contains("/usr/local/bin/ctrl-alt-play"), "{own}");
                assert!(moved.contains("/opt/games/lib/ctrl-alt-play/guard"), "{moved}");
            }
        }
    }
}
