//! Test releases on a local download host, signed with a key generated for them.

use std::io::Cursor;
use std::path::Path;

use minisign::{KeyPair, PublicKey};
use sha2::{Digest, Sha256};

use super::binary;
pub(crate) use super::download_host::{Downloads, Fault};

/// The version of the program under test.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The signing key of test releases.
pub(crate) struct Signer(KeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    /// The public key in the format of `CTRL_ALT_PLAY_KEY`.
    pub(crate) fn key(&self) -> String {
        PublicKey::to_base64(&self.0.pk)
    }

    /// `SHA256SUMS` with one program for this machine, and its signature.
    pub(crate) fn list(&self, version: &str, program: &[u8]) -> (String, String) {
        let sums = format!("{}  ctrl-alt-play-{version}-linux-{}\n", sha256(program), std::env::consts::ARCH);
        let signature = self.sign(&sums, &format!("ctrl-alt-play {version}"));
        (sums, signature)
    }

    fn sign(&self, text: &str, comment: &str) -> String {
        let signed =
            minisign::sign(Some(&self.0.pk), &self.0.sk, Cursor::new(text), Some(comment), Some("a test"));
        signed.unwrap().into_string()
    }
}

impl Downloads {
    /// Publishes a version with this program for this machine, as the newest one.
    pub(crate) fn publish(&self, signer: &Signer, version: &str, program: &[u8]) {
        let (comment, arch) = (format!("ctrl-alt-play {version}"), std::env::consts::ARCH);
        self.publish_as(signer, &comment, version, &[(arch, program)]);
    }

    /// Like [`Downloads::publish`], with all details.
    pub(crate) fn publish_as(
        &self,
        signer: &Signer,
        comment: &str,
        version: &str,
        programs: &[(&str, &[u8])],
    ) {
        let mut sums = String::new();
        for (arch, program) in programs {
            let name = format!("ctrl-alt-play-{version}-linux-{arch}");
            sums.push_str(&format!("{}  {name}\n", sha256(program)));
            self.put(&format!("download/v{version}/{name}"), program.to_vec());
        }
        let signature = signer.sign(&sums, comment);
        for folder in ["latest/download".to_owned(), format!("download/v{version}")] {
            self.put(&format!("{folder}/SHA256SUMS"), sums.clone().into_bytes());
            self.put(&format!("{folder}/SHA256SUMS.minisig"), signature.clone().into_bytes());
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The program under test as another version: the same bytes with another number of the same length.
pub(crate) fn as_version(version: &str) -> Vec<u8> {
    exchanged(std::fs::read(binary()).unwrap(), version)
}

/// Like [`as_version`], for a program file of [`VERSION`].
pub(crate) fn renamed(program: &Path, version: &str) -> Vec<u8> {
    exchanged(std::fs::read(program).unwrap(), version)
}

/// Bytes of a program of [`VERSION`], changed to another version of the same length.
pub(crate) fn exchanged(mut bytes: Vec<u8>, version: &str) -> Vec<u8> {
    assert_eq!(version.len(), VERSION.len());
    let found: Vec<usize> = memchr::memmem::find_iter(&bytes, VERSION).collect();
    assert!(!found.is_empty(), "the program does not name its version");
    for at in found {
        bytes[at..at + version.len()].copy_from_slice(version.as_bytes());
    }
    bytes
}

/// A script that reports another version and does nothing else.
pub(crate) fn script(version: &str) -> Vec<u8> {
    format!("#!/bin/sh\n[ \"$1\" = --version ] && echo ctrl-alt-play {version} && exit 0\nexit 3\n")
        .into_bytes()
}

/// Writes an executable program.
pub(crate) fn install(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
