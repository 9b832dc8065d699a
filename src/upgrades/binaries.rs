//! The program of this version for other machines. Machines of the same architecture get this process's own file; for
//! others it is in `DATA_DIR/agents`, put there by the operator or downloaded.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::upgrades::release::{MOST_SUMS, SignedText};
use agent::upgrades::{Folder, hash};
use semver::Version;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::download::download;
use super::release::{Source, architecture, own_architecture};

/// Why no program is available.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is none for this architecture.
    #[error("this panel has no program for the architecture {0}")]
    None(String),
    /// It could not be downloaded.
    #[error("the program for {arch} could not be fetched: {why}")]
    Fetch {
        /// The architecture.
        arch: String,
        /// What went wrong.
        why: String,
    },
    /// The release's signed list could not be obtained.
    #[error("the signed list of this version's release could not be fetched: {why}")]
    Signed {
        /// What went wrong.
        why: String,
    },
    /// It could not be read.
    #[error("reading the program: {0}")]
    Io(#[from] std::io::Error),
}

/// An open program file.
#[derive(Debug)]
pub struct Program {
    /// The file, positioned at its start.
    pub file: File,
    /// Size in bytes.
    pub length: u64,
}

/// Programs by architecture. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    source: Option<Source>,
    /// Allows one download at a time.
    turn: Arc<Mutex<()>>,
}

impl Programs {
    /// `source` is where releases are published, if known.
    pub fn new(data_dir: &Path, source: Option<Source>) -> Self {
        Self { folder: data_dir.join("agents"), source, turn: Arc::default() }
    }

    /// The program for an architecture, named as by `uname -m` or Docker. Downloaded if it is published and not here
    /// yet.
    pub async fn open(&self, arch: &str) -> Result<Program, ProgramError> {
        let ours = architecture(arch) == own_architecture();
        let _turn = if ours { None } else { Some(self.turn.lock().await) };
        let (programs, arch) = (self.clone(), arch.to_owned());
        let found = tokio::task::spawn_blocking(move || programs.find(&arch, ours));
        found.await.unwrap_or_else(|error| Err(std::io::Error::other(error).into()))
    }

    fn find(&self, arch: &str, ours: bool) -> Result<Program, ProgramError> {
        if ours {
            // Also correct after an upgrade has replaced the file at our path.
            return open(Path::new("/proc/self/exe"));
        }
        let none = || ProgramError::None(arch.to_owned());
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !(1..=32).contains(&arch.len()) || !arch.bytes().all(plain) {
            return Err(none());
        }
        let known = self.folder.join(format!("ctrl-alt-play-{}", architecture(arch)));
        let by_hand = [known.clone(), self.folder.join(format!("ctrl-alt-play-{arch}"))];
        let by_hand = by_hand.into_iter().find(|path| path.is_file() && !note_of(path).is_file());
        if note_fits(&known) {
            return open(&known);
        }
        match (&self.source, by_hand) {
            (None, Some(path)) => open(&path),
            (None, None) => Err(none()),
            (Some(source), by_hand) => match (self.fetch(source, architecture(arch), &known), by_hand) {
                (Ok(()), _) => open(&known),
                (Err(error), Some(path)) => {
                    tracing::debug!(%error, "the program that lies here is taken");
                    open(&path)
                }
                (Err(error), None) => Err(error),
            },
        }
    }

    /// The signed list of this version's release, which agents require to accept its programs. Cached once downloaded;
    /// `None` if no source of releases is known.
    pub async fn signed(&self) -> Result<Option<SignedText>, ProgramError> {
        let Some(source) = self.source.clone() else { return Ok(None) };
        let _turn = self.turn.lock().await;
        let folder = self.folder.clone();
        let found = tokio::task::spawn_blocking(move || signed(&source, &folder).map(Some));
        found.await.unwrap_or_else(|error| Err(std::io::Error::other(error).into()))
    }

    /// Downloads and verifies the program from this version's release.
    fn fetch(&self, source: &Source, arch: &str, to: &Path) -> Result<(), ProgramError> {
        let failed = |why: String| ProgramError::Fetch { arch: arch.to_owned(), why };
        let version = Version::parse(crate::status::VERSION).map_err(|error| failed(error.to_string()))?;
        let release = source.of(&version).map_err(|error| failed(error.to_string()))?;
        let what = release.program(arch).map_err(|error| failed(error.to_string()))?;
        fs::create_dir_all(&self.folder)?;
        let folder = Folder::of(&self.folder);
        let fetched = download(source, &what, &folder, 0, &|_, _| {}, &CancellationToken::new());
        fetched.map_err(|error| failed(error.to_string()))?;
        // While the file changes there must be no note about it.
        let note = note_of(to);
        let _ = fs::remove_file(&note);
        fs::rename(folder.part(), to)?;
        fs::write(&note, format!("{version} {}\n", what.sha256))?;
        Ok(())
    }
}

/// The signed list from the cache folder, else from the network. Blocks.
fn signed(source: &Source, folder: &Path) -> Result<SignedText, ProgramError> {
    let failed = |why: String| ProgramError::Signed { why };
    let version = Version::parse(crate::status::VERSION).map_err(|error| failed(error.to_string()))?;
    let sums = folder.join(format!("SHA256SUMS-{version}"));
    let signature = folder.join(format!("SHA256SUMS-{version}.minisig"));
    let kept = (small(&sums), small(&signature));
    if let (Some(sums), Some(signature)) = kept {
        let kept = SignedText { sums, signature };
        if source.read(kept.clone(), "agents").is_ok_and(|release| release.version == version) {
            return Ok(kept);
        }
    }
    let release = source.of(&version).map_err(|error| failed(error.to_string()))?;
    let signed = release.signed().clone();
    // Errors are ignored: without these files it is downloaded again the next time.
    let keep = || {
        fs::create_dir_all(folder)?;
        fs::write(&sums, &signed.sums)?;
        fs::write(&signature, &signed.signature)
    };
    if let Err(error) = keep() {
        tracing::debug!(%error, "a release's signed list could not be kept");
    }
    Ok(signed)
}

fn small(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(MOST_SUMS).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Path of the note beside a downloaded program, with its version and hash.
fn note_of(program: &Path) -> PathBuf {
    let mut name = program.as_os_str().to_owned();
    name.push(".version");
    name.into()
}

fn note_fits(program: &Path) -> bool {
    let note = fs::read_to_string(note_of(program)).unwrap_or_default();
    let Some((version, sha256)) = note.trim().split_once(' ') else { return false };
    version == crate::status::VERSION
        && File::open(program).and_then(|mut file| hash(&mut file)).is_ok_and(|found| found == sha256)
}

fn open(path: &Path) -> Result<Program, ProgramError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok(Program { file, length })
}

impl Program {
    /// SHA-256 of the program, which is positioned at its start again afterwards. Blocks.
    pub fn hash(&mut self) -> std::io::Result<String> {
        use std::io::Seek;
        let hash = hash(&mut self.file.by_ref())?;
        self.file.rewind()?;
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn programs_have_plain_names() {
        let data = tempfile::tempdir().unwrap();
        let programs = Programs::new(data.path(), None);
        fs::create_dir(data.path().join("agents")).unwrap();
        fs::write(data.path().join("agents/ctrl-alt-play-riscv64"), "x").unwrap();
        let ours = programs.open(std::env::consts::ARCH).await.unwrap();
        assert!(ours.length > 1000);
        assert_eq!(programs.open("riscv64").await.unwrap().length, 1);
        for odd in ["", "sparc", "../x", "a/b", "riscv64/", &"a".repeat(40)] {
            assert!(matches!(programs.open(odd).await, Err(ProgramError::None(_))), "{odd}");
        }
    }

    #[test]
    fn a_note_fits_one_version_and_the_bytes_beside_it() {
        let data = tempfile::tempdir().unwrap();
        let program = data.path().join("ctrl-alt-play-riscv64");
        fs::write(&program, "abc").unwrap();
        assert!(!note_fits(&program));
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        fs::write(note_of(&program), format!("{} {sha256}\n", crate::status::VERSION)).unwrap();
        assert!(note_fits(&program));
        fs::write(&program, "abd").unwrap();
        assert!(!note_fits(&program));
        fs::write(&program, "abc").unwrap();
        fs::write(note_of(&program), format!("0.0.1 {sha256}\n")).unwrap();
        assert!(!note_fits(&program));
    }
}
