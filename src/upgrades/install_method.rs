//! How this program was installed, and so how it is upgraded.

use std::path::Path;

/// The program of the Debian package, and the package's file list.
const PACKAGED: (&str, &str) = ("/usr/bin/ctrl-alt-play", "/var/lib/dpkg/info/ctrl-alt-play.list");

/// First processes of a container that was made from the panel's image.
const ALONE: &[&str] =
    &["ctrl-alt-play", "docker-init", "podman-init", "catatonit", "dumb-init", "tini", "tini-static"];

/// How the next version is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallMethod {
    /// By the panel itself, under a guard.
    Here,
    /// By `ctrl-alt-play upgrade` in a shell.
    Command,
    /// By replacing the container image.
    Image,
    /// By the package manager.
    Package,
    /// By building from source.
    Checkout,
}

impl InstallMethod {
    /// The method for this process. `known` is whether a source of releases is known, `guarded` whether a guard runs
    /// it.
    pub fn of_this(known: bool, guarded: bool) -> Self {
        let exe = std::env::current_exe().unwrap_or_default();
        let first = std::fs::read_to_string("/proc/1/comm").unwrap_or_default();
        Self::of(known, guarded, &exe, first.trim(), &|path| Path::new(path).exists())
    }

    fn of(known: bool, guarded: bool, exe: &Path, first: &str, there: &dyn Fn(&str) -> bool) -> Self {
        // A container that runs little else than the panel, as opposed to a whole machine in a container.
        let container = there("/.dockerenv") || there("/run/.containerenv");
        let image = container && ALONE.contains(&first);
        if exe == Path::new(PACKAGED.0) && there(PACKAGED.1) {
            Self::Package
        } else if guarded && known {
            Self::Here
        } else if image && !guarded {
            Self::Image
        } else if known {
            Self::Command
        } else {
            Self::Checkout
        }
    }

    /// The command for the user, if the panel cannot upgrade itself.
    pub fn command(self) -> Option<&'static str> {
        match self {
            Self::Here => None,
            Self::Command => Some("sudo ctrl-alt-play upgrade"),
            Self::Image => Some(
                "docker pull or docker load the new image, then make the container anew on the same data",
            ),
            Self::Package => Some("sudo apt install ./ctrl-alt-play_VERSION_ARCH.deb"),
            Self::Checkout => Some("git pull && ./install.sh"),
        }
    }

    /// Why the panel cannot upgrade itself, as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Here | Self::Command => {
                "This panel does not run as the service that the installer sets up."
            }
            Self::Image => "This panel runs from a container image: the image is what is replaced.",
            Self::Package => "This panel was installed as a package: the package is what is replaced.",
            Self::Checkout => "This program was built from a checkout, and knows of no releases.",
        }
    }
}

/// Whether a panel's service on this machine runs the same program as this process.
pub fn shared_with_panel() -> bool {
    let Ok(exe) = std::env::current_exe() else { return true };
    let services = [
        "/etc/systemd/system/ctrl-alt-play.service",
        "/usr/lib/systemd/system/ctrl-alt-play.service",
        "/lib/systemd/system/ctrl-alt-play.service",
        "/etc/init.d/ctrl-alt-play",
    ];
    services.iter().any(|service| std::fs::read_to_string(service).is_ok_and(|text| names(&text, &exe)))
}

/// Whether a text contains this path as a whole, not as the start of a longer one.
fn names(text: &str, program: &Path) -> bool {
    let end = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
    text.split(end).any(|word| Path::new(word) == program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_place_has_its_way() {
        let local = Path::new("/usr/local/bin/ctrl-alt-play");
        let packaged = Path::new(PACKAGED.0);
        let of = |known, guarded, exe, first, there: &'static [&'static str]| {
            InstallMethod::of(known, guarded, exe, first, &move |path| there.contains(&path))
        };
        assert_eq!(of(true, true, local, "systemd", &[]), InstallMethod::Here);
        assert_eq!(of(true, false, local, "systemd", &[]), InstallMethod::Command);
        assert_eq!(of(false, true, local, "systemd", &[]), InstallMethod::Checkout);
        let listed = &["/var/lib/dpkg/info/ctrl-alt-play.list"];
        assert_eq!(of(true, true, packaged, "systemd", listed), InstallMethod::Package);
        assert_eq!(of(true, true, packaged, "systemd", &[]), InstallMethod::Here);
        assert_eq!(of(true, false, local, "ctrl-alt-play", &["/.dockerenv"]), InstallMethod::Image);
        assert_eq!(of(true, false, local, "tini", &["/run/.containerenv"]), InstallMethod::Image);
        assert_eq!(of(true, false, local, "systemd", &["/.dockerenv"]), InstallMethod::Command);
        assert_eq!(of(true, true, local, "ctrl-alt-play", &["/run/.containerenv"]), InstallMethod::Here);
    }

    #[test]
    fn a_program_is_named_as_a_whole_word() {
        let program = Path::new("/usr/local/bin/ctrl-alt-play");
        assert!(names("ExecStart=/usr/local/bin/ctrl-alt-play serve\n", program));
        assert!(names("command=\"/usr/local/bin/ctrl-alt-play\"", program));
        assert!(!names("ExecStart=/usr/local/bin/ctrl-alt-play-agent agent\n", program));
    }
}
