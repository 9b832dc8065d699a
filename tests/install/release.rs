//! A release as it is published: programs, the installer, the list of their hashes and its signature.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::binary;
use crate::harness::download::{VERSION, exchanged};

/// Published releases, with the paths of the download host: `latest/download/` and `download/vX/`.
pub(crate) struct Release {
    folder: tempfile::TempDir,
}

/// A key pair: the one that signs releases, or another one.
struct Key {
    secret: PathBuf,
    public: String,
}

fn key(name: &str) -> Key {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ours", "theirs"] {
            run(
                "minisign",
                &["-G", "-W", "-p", &at(folder.path(), name, "pub"), "-s", &at(folder.path(), name, "sec")],
            );
        }
        folder
    });
    let public = fs::read_to_string(at(folder.path(), name, "pub")).unwrap();
    Key { secret: at(folder.path(), name, "sec").into(), public: public.lines().nth(1).unwrap().to_owned() }
}

fn at(folder: &Path, name: &str, ending: &str) -> String {
    folder.join(format!("{name}.{ending}")).display().to_string()
}

fn run(program: &str, args: &[&str]) {
    let out = Command::new(program).args(args).output().unwrap();
    assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// The public key that signs releases.
pub(crate) fn our_key() -> String {
    key("ours").public
}

/// Another public key.
pub(crate) fn another_key() -> String {
    key("theirs").public
}

/// The version of this build.
pub(crate) const BUILT: &str = VERSION;

/// The real program with another version of the same length, replaced in its bytes.
pub(crate) fn program(version: &str) -> Vec<u8> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = BYTES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let stripped = folder.path().join("program");
        run("strip", &["-o", &stripped.display().to_string(), binary()]);
        fs::read(stripped).unwrap()
    });
    exchanged(bytes.clone(), version)
}

/// A shell script of a megabyte instead of the program, for tests of install.sh alone.
pub(crate) fn stand_in(version: &str) -> Vec<u8> {
    let script = include_str!("stubs/program").replace("VERSION=0.0.0", &format!("VERSION={version}"));
    let mut bytes = script.into_bytes();
    bytes.extend(
        std::iter::repeat_n("# so that a download can be cut off in the middle\n".bytes(), 20_000).flatten(),
    );
    bytes
}

/// A broken program: it prints its version, passes `service` to the installed one, and cannot serve.
pub(crate) fn dud(version: &str) -> Vec<u8> {
    format!(
        "#!/bin/sh\ncase ${{1:-}} in\n--version) echo ctrl-alt-play {version} ;;\n\
         service) exec /usr/local/bin/ctrl-alt-play \"$@\" ;;\n*) exit 1 ;;\nesac\n"
    )
    .into_bytes()
}

/// A program of an early version: it prints its version, and does not know `service`.
pub(crate) fn of_before(version: &str) -> Vec<u8> {
    format!("#!/bin/sh\n[ \"${{1:-}}\" = --version ] || exit 2\necho ctrl-alt-play {version}\n").into_bytes()
}

impl Release {
    /// Publishes this program.
    pub(crate) fn new(version: &str, program: &[u8]) -> Self {
        let release = Self { folder: tempfile::tempdir().unwrap() };
        release.publish(version, program);
        release
    }

    /// Publishes another release as the newest one.
    pub(crate) fn publish(&self, version: &str, program: &[u8]) {
        let folder = self.folder.path().join(format!("download/v{version}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name(version)), program).unwrap();
        let installer =
            include_str!("../../install.sh").replacen("\nKEY=''", &format!("\nKEY='{}'", our_key()), 1);
        fs::write(folder.join("install.sh"), installer).unwrap();
        let latest = self.folder.path().join("latest");
        fs::create_dir_all(&latest).unwrap();
        let _ = fs::remove_file(latest.join("download"));
        std::os::unix::fs::symlink(&folder, latest.join("download")).unwrap();
        self.sign("ours", &format!("ctrl-alt-play {version}"));
    }

    /// Creates and signs the hash list of the newest release.
    pub(crate) fn sign(&self, whose: &str, comment: &str) {
        let folder = self.newest();
        let _ = fs::remove_file(folder.join("SHA256SUMS"));
        let out = Command::new("sh")
            .args(["-c", "sha256sum ctrl-alt-play-* install.sh"])
            .current_dir(&folder)
            .output()
            .unwrap();
        fs::write(folder.join("SHA256SUMS"), out.stdout).unwrap();
        self.sign_list(whose, comment);
    }

    /// Signs the list as it is.
    pub(crate) fn sign_list(&self, whose: &str, comment: &str) {
        let list = self.newest().join("SHA256SUMS");
        run(
            "minisign",
            &[
                "-S",
                "-s",
                &key(whose).secret.display().to_string(),
                "-m",
                &list.display().to_string(),
                "-t",
                comment,
            ],
        );
    }

    /// The folder that a server serves, with all releases.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the newest release.
    pub(crate) fn newest(&self) -> PathBuf {
        self.folder.path().join("latest/download").canonicalize().unwrap()
    }
}

/// File name of the program.
pub(crate) fn name(version: &str) -> String {
    format!("ctrl-alt-play-{version}-linux-{}", std::env::consts::ARCH)
}
