//! Paths of the agent's files on the engine's host. An agent in a container sees its data folder at another path than
//! the host, and mounts of games need the host's path.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Maps our paths to the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPaths {
    /// The agent is not in a container of this engine: paths are equal.
    Same,
    /// It is in one: pairs of a mount point and its path on the host.
    Mounted(Vec<(PathBuf, PathBuf)>),
    /// It is in one whose mounts are unknown, for this reason.
    Unknown(String),
}

/// A path does not exist on the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} {hint}")]
pub struct NoHostPath {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl HostPaths {
    /// The path on the host, according to the innermost mount.
    ///
    /// # Errors
    /// It is on no mount: it is inside the container itself and is lost with it.
    pub fn on_host(&self, path: &Path) -> Result<PathBuf, NoHostPath> {
        let mounts = match self {
            Self::Same => return Ok(path.to_owned()),
            Self::Mounted(mounts) => mounts,
            Self::Unknown(why) => {
                return Err(NoHostPath {
                    message: format!(
                        "This runs in a container, and where its files lie on the host is unknown: {why}."
                    ),
                    hint: "Run it with `--network host` and the engine's socket mounted, as the README says."
                        .into(),
                });
            }
        };
        let near =
            mounts.iter().filter_map(|(here, there)| Some((here, there, path.strip_prefix(here).ok()?)));
        match near.max_by_key(|(here, ..)| here.components().count()) {
            // Joining an empty path would add a trailing slash.
            Some((_, there, rest)) if rest.as_os_str().is_empty() => Ok(there.clone()),
            Some((_, there, rest)) if rest.components().all(|part| matches!(part, Component::Normal(_))) => {
                Ok(there.join(rest))
            }
            _ => Err(NoHostPath {
                message: format!(
                    "This runs in a container, and its folder {} is not on a mount: games can't get at it, and it \
                     goes when the container goes.",
                    path.display()
                ),
                hint: "Make the container anew with a volume or a folder of the host there, such as \
                       `-v ctrl-alt-play:/data` with DATA_DIR=/data."
                    .into(),
            }),
        }
    }
}

/// [`HostPaths`], once known: set when the engine first answers, and constant afterwards.
#[derive(Clone, Debug, Default)]
pub struct KnownPaths(Arc<OnceLock<HostPaths>>);

impl KnownPaths {
    /// `None` until the engine has answered.
    #[must_use]
    pub fn get(&self) -> Option<&HostPaths> {
        self.0.get()
    }

    /// Sets the paths; later calls are ignored.
    pub(crate) fn learn(&self, paths: HostPaths) {
        let _ = self.0.set(paths);
    }

    /// For display: the host's path, or ours if there is none (yet).
    #[must_use]
    pub fn shown(&self, path: &Path) -> PathBuf {
        self.get().and_then(|paths| paths.on_host(path).ok()).unwrap_or_else(|| path.to_owned())
    }

    /// Checks that a path exists on the host, as far as known.
    ///
    /// # Errors
    /// Like [`HostPaths::on_host`].
    pub fn check(&self, path: &Path) -> Result<(), NoHostPath> {
        self.get().map_or(Ok(()), |paths| paths.on_host(path).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounted(mounts: &[(&str, &str)]) -> HostPaths {
        HostPaths::Mounted(mounts.iter().map(|&(here, there)| (here.into(), there.into())).collect())
    }

    #[test]
    fn the_nearest_mount_counts() {
        let paths = mounted(&[("/data", "/vol/_data"), ("/data/servers", "/big/games"), ("/d", "/no")]);
        let at = |path: &str| paths.on_host(Path::new(path)).unwrap();
        assert_eq!(at("/data").as_os_str(), "/vol/_data");
        assert_eq!(at("/data/agent/x").as_os_str(), "/vol/_data/agent/x");
        assert_eq!(at("/data/servers/abc").as_os_str(), "/big/games/abc");
        assert_eq!(at("/data/serversx").as_os_str(), "/vol/_data/serversx");
        let no = paths.on_host(Path::new("/var/lib/ctrl-alt-play")).unwrap_err();
        assert!(no.message.contains("/var/lib/ctrl-alt-play is not on a mount"), "{no}");
        assert!(no.hint.contains("-v ctrl-alt-play:/data"), "{no}");
        assert!(paths.on_host(Path::new("/data/../etc")).is_err());
    }

    #[test]
    fn outside_of_containers_and_before_it_is_known_a_path_is_itself() {
        let path = Path::new("/srv/x");
        assert_eq!(HostPaths::Same.on_host(path).unwrap(), path);
        let known = KnownPaths::default();
        assert_eq!((known.shown(path), known.check(path)), (path.to_owned(), Ok(())));
        known.learn(mounted(&[("/srv", "/host")]));
        known.learn(HostPaths::Same);
        assert_eq!(known.shown(path), Path::new("/host/x"));
        assert!(known.check(Path::new("/tmp")).is_err());
        assert_eq!(known.shown(Path::new("/tmp")), Path::new("/tmp"));
    }
}
