//! How this program came to be here, and so how the next one does.

use std::path::Path;

/// The files of a package's program belong to the package manager.
const PACKAGED: (&str, &str) = ("/usr/bin/ctrl-alt-play", "/var/lib/dpkg/info/ctrl-alt-play.list");

/// The first process of a container that was made from an image of ours.
const ALONE: &[&str] =
    &["ctrl-alt-play", "docker-init", "podman-init", "catatonit", "dumb-init", "tini", "tini-static"];

/// How the next version gets here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallMethod {
    /// By itself: somebody watches over it.
    Here,
    /// By `ctrl-alt-play upgrade` in a shell.
    Command,
    /// By another image.
    Image,
    /// By the package manager.
    Package,
    /// From source.
    Checkout,
}

impl InstallMethod {
    /// Of the process that asks; `known` is whether it knows where releases are, `guarded` whether it is watched over.
    pub fn of_this(known: bool, guarded: bool) -> Self {
        let exe = std::env::current_exe().unwrap_or_default();
        let first = std::fs::read_to_string("/proc/1/comm").unwrap_or_default();
        Self::of(known, guarded, &exe, first.trim(), &|path| Path::new(path).exists())
    }

    fn of(known: bool, guarded: bool, exe: &Path, first: &str, there: &dyn Fn(&str) -> bool) -> Self {
        // A container that runs us and little else: not a whole machine that happens to be one.
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

    /// What a person does, where it does not go by itself.
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

    /// Why it does not go by itself, as a sentence.
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

/// The unit or script of a panel's service on this machine that runs the program that we are too.
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

/// Whether a text names this program, and not one whose name begins so.
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
