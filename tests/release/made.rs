//! The release folder that `packaging/release` has created. `tests/run` creates it, with a separate key.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::download::{VERSION, sha256};

/// Largest program for a small host, as in packaging/release.
const MOST: u64 = 35_000_000;
const ARCH: &str = std::env::consts::ARCH;

/// All files of the release, and its key.
pub(super) struct Made {
    pub(super) folder: PathBuf,
    pub(super) secret: PathBuf,
    /// The public key without its comment line.
    pub(super) public: String,
    /// The download address that is built in.
    pub(super) download: String,
}

impl Made {
    pub(super) fn here() -> Self {
        let told = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| panic!("{name}: run these by `tests/run release`"))
        };
        let secret = PathBuf::from(told("RELEASE_KEY"));
        let public = fs::read_to_string(secret.with_extension("pub")).unwrap();
        Self {
            folder: fs::canonicalize(told("RELEASE_FOLDER")).expect("the release is made"),
            public: public.lines().nth(1).unwrap().to_owned(),
            secret,
            download: told("RELEASE_DOWNLOAD"),
        }
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    fn program(&self) -> Vec<u8> {
        self.read(&format!("ctrl-alt-play-{VERSION}-linux-{ARCH}"))
    }
}

/// Runs a command, which must succeed. Returns its output.
fn output(program: &str, args: &[&str]) -> Vec<u8> {
    let out = Command::new(program).args(args).output().unwrap();
    assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn debian() -> &'static str {
    if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" }
}

fn assets() -> BTreeSet<String> {
    let of = |name: String| format!("ctrl-alt-play-{VERSION}-{name}");
    [
        of(format!("linux-{ARCH}")),
        of(format!("image-{ARCH}.tar.gz")),
        of("sbom.json".to_owned()),
        of("licences.txt".to_owned()),
        format!("ctrl-alt-play_{VERSION}_{}.deb", debian()),
        "install.sh".to_owned(),
    ]
    .into()
}

#[test]
fn the_list_is_complete_right_and_signed() {
    let made = Made::here();
    let mut wanted = assets();
    let listed: BTreeSet<String> = made
        .text("SHA256SUMS")
        .lines()
        .map(|line| {
            let (hash, name) = line.split_once("  ").unwrap();
            assert_eq!(sha256(&made.read(name)), hash, "{name}");
            name.to_owned()
        })
        .collect();
    assert_eq!(listed, wanted);
    wanted.extend(["SHA256SUMS".to_owned(), "SHA256SUMS.minisig".to_owned()]);
    assert_eq!(names(&made.folder), wanted);

    let list = made.folder.join("SHA256SUMS");
    let comment = output("minisign", &["-V", "-Q", "-P", &made.public, "-m", list.to_str().unwrap()]);
    assert_eq!(String::from_utf8(comment).unwrap().trim(), format!("ctrl-alt-play {VERSION}"));
    let signature = made.text("SHA256SUMS.minisig");
    assert!(signature.starts_with(&format!("untrusted comment: signature of Ctrl-Alt-Play {VERSION}\n")));
}

#[test]
fn the_installer_is_that_of_the_checkout_with_two_lines_filled() {
    let made = Made::here();
    let (ours, theirs) = (include_str!("../../install.sh"), made.text("install.sh"));
    let changed: Vec<(&str, &str)> = ours.lines().zip(theirs.lines()).filter(|(a, b)| a != b).collect();
    let (download, key) = (format!("DOWNLOAD='{}'", made.download), format!("KEY='{}'", made.public));
    assert_eq!(changed, [("DOWNLOAD=''", download.as_str()), ("KEY=''", key.as_str())]);
    assert_eq!(ours.lines().count(), theirs.lines().count());
    assert!(theirs.contains(&format!("\nVERSION={VERSION}\n")));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(made.folder.join("install.sh")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn package_and_image_hold_the_program_and_all_are_small() {
    let made = Made::here();
    let program = made.program();
    for name in assets() {
        let size = made.read(&name).len() as u64;
        assert!(size > 1000 && size < MOST, "{name} has {size} bytes");
    }
    let unpacked = tempfile::tempdir().unwrap();
    let at = unpacked.path().to_str().unwrap();
    let package = made.folder.join(format!("ctrl-alt-play_{VERSION}_{}.deb", debian()));
    output("dpkg-deb", &["-x", package.to_str().unwrap(), at]);
    assert!(fs::read(unpacked.path().join("usr/bin/ctrl-alt-play")).unwrap() == program, "another program");
    let says = output("dpkg-deb", &["-f", package.to_str().unwrap(), "Version", "Architecture"]);
    assert_eq!(String::from_utf8(says).unwrap(), format!("Version: {VERSION}\nArchitecture: {}\n", debian()));
    let image = made.folder.join(format!("ctrl-alt-play-{VERSION}-image-{ARCH}.tar.gz"));
    output("tar", &["-C", at, "-xzf", image.to_str().unwrap()]);
    let layer = unpacked.path().join("layer.tar");
    let inside = output("tar", &["-xOf", layer.to_str().unwrap(), "./usr/bin/ctrl-alt-play"]);
    assert!(inside == program, "another program");
    let elf = output(
        "readelf",
        &["-lS", &made.folder.join(format!("ctrl-alt-play-{VERSION}-linux-{ARCH}")).display().to_string()],
    );
    let elf = String::from_utf8_lossy(&elf);
    for word in ["INTERP", ".symtab", ".debug_info", ".note.gnu.build-id"] {
        assert!(!elf.contains(word), "it is not static, or not stripped: {word}");
    }
}

#[test]
fn nothing_of_the_machine_that_made_it_is_in_any_file() {
    let made = Made::here();
    let unpacked = tempfile::tempdir().unwrap();
    let at = unpacked.path().to_str().unwrap();
    let package = made.folder.join(format!("ctrl-alt-play_{VERSION}_{}.deb", debian()));
    output("dpkg-deb", &["-R", package.to_str().unwrap(), at]);
    let image = made.folder.join(format!("ctrl-alt-play-{VERSION}-image-{ARCH}.tar.gz"));
    output("tar", &["-C", at, "-xzf", image.to_str().unwrap()]);
    output("sh", &["-c", &format!("find {at} -name '*.gz' -exec gunzip {{}} +")]);
    let home = std::env::var("HOME").unwrap();
    let secret = fs::read_to_string(&made.secret).unwrap().lines().nth(1).unwrap().to_owned();
    let traces =
        [concat!(env!("CARGO_MANIFEST_DIR"), "/"), &format!("{home}/.cargo"), "registry/src/", &secret];
    let mut seen = 0;
    let mut folders = vec![made.folder, unpacked.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            seen += 1;
            for trace in traces {
                let found = memchr::memmem::find(&bytes, trace.as_bytes());
                assert_eq!(found, None, "{}: {trace}", path.display());
            }
        }
    }
    assert!(seen > 20, "{seen} files");
}

#[test]
fn every_part_of_the_program_is_listed_with_its_licence() {
    let made = Made::here();
    let list: serde_json::Value =
        serde_json::from_slice(&made.read(&format!("ctrl-alt-play-{VERSION}-sbom.json"))).unwrap();
    let licences = made.text(&format!("ctrl-alt-play-{VERSION}-licences.txt"));
    assert_eq!((&list["bomFormat"], &list["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(list["metadata"]["component"]["version"], VERSION);
    let parts = list["components"].as_array().unwrap();
    let of = |kind: &str| {
        let start = format!("pkg:{kind}/");
        parts.iter().filter(move |part| part["purl"].as_str().unwrap().starts_with(&start))
    };
    let has = |kind: &str, name: &str| of(kind).any(|part| part["name"] == name);
    for name in ["redb", "warp", "bollard", "rustls", "ring", "tokio", "ureq"] {
        assert!(has("cargo", name), "{name} is not listed");
    }
    assert!(has("npm", "svelte") && has("generic", "glibc") && has("generic", "rust-std"));
    // Dependencies that are only used by tests or at build time.
    for name in ["reqwest", "minisign", "serde_derive", "thiserror-impl"] {
        assert!(!has("cargo", name), "{name} is listed");
    }
    // Exactly as in the lock file.
    let lock = include_str!("../../Cargo.lock");
    for part in of("cargo") {
        let (name, version) = (part["name"].as_str().unwrap(), part["version"].as_str().unwrap());
        let hash = part["hashes"][0]["content"].as_str().unwrap();
        let locked = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        let at = lock.find(&locked).unwrap_or_else(|| panic!("{name} {version} is not in the lock file"));
        assert!(lock[at..].lines().take(4).any(|line| line == format!("checksum = \"{hash}\"")), "{name}");
    }
    for part in parts {
        let (name, version) = (part["name"].as_str().unwrap(), part["version"].as_str().unwrap());
        let licence = part["licenses"][0]["expression"].as_str().unwrap_or_default();
        assert!(!licence.is_empty(), "{name} has no licence");
        assert!(
            licences.contains(&format!("  {name} {version} ({licence})")),
            "{name} is not in the licences"
        );
    }
    let texts = ["Permission is hereby granted", "Apache License", "GNU LESSER GENERAL PUBLIC LICENSE"];
    // MPL-2.0 requires a reference to the sources.
    for words in texts.into_iter().chain(["The sources of each crate and npm package below are in"]) {
        assert!(licences.contains(words), "{words}");
    }
}
