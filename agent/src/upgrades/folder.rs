//! The folder through which a program is replaced: its files, and the order in which they are written.
//!
//! A new program is placed there with [`Folder::stage`]. The guard, which runs as root before the program, takes it
//! from there and verifies it. Each step is one rename, so that a kill at any moment leaves either nothing to do or all
//! of it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use protocol::UpgradeOutcome;
use rustix::fs::statvfs;
use semver::Version;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::StageError;
use crate::streams::hex;
use crate::upgrades::release::SignedText;

/// Time limit for a program to print its version. A cold memory card reads 20 MB in two seconds.
const SAYS_WITHIN: Duration = Duration::from_secs(20);
/// How long to retry if the program is busy: another thread's child process may briefly hold it open for writing.
const BUSY_WITHIN: Duration = Duration::from_secs(5);
/// Free bytes reserved for other uses.
const RESERVE: u64 = 32 << 20;
/// Maximum bytes of the small files.
const SMALL: u64 = 16 * 1024;

/// `DATA_DIR/upgrade`.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    data_dir: PathBuf,
}

/// Refuses versions that are not newer than the running one, by semver precedence: a pre-release comes before its
/// release.
///
/// # Errors
/// [`StageError::NotNewer`], [`StageError::NoVersion`].
pub fn newer(current: &str, offered: &str) -> Result<Version, StageError> {
    let parse = |text: &str| Version::parse(text).map_err(|_| StageError::NoVersion(text.to_owned()));
    let (current, offered) = (parse(current)?, parse(offered)?);
    if offered.cmp_precedence(&current).is_gt() {
        Ok(offered)
    } else {
        Err(StageError::NotNewer { current, offered })
    }
}

impl Folder {
    /// The folder of a panel or agent with this data folder. Creates nothing yet.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        Self { path: data_dir.join("upgrade"), data_dir: data_dir.to_owned() }
    }

    /// The path of a program that is being received.
    #[must_use]
    pub fn part(&self) -> PathBuf {
        self.path.join("program.part")
    }

    /// The path of a file in it.
    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether the guard is verifying a program.
    #[must_use]
    pub fn on_trial(&self) -> bool {
        self.at("trial").exists() || self.at("back").exists()
    }

    /// Whether a program waits for the guard.
    #[must_use]
    pub fn is_staged(&self) -> bool {
        self.at("staged").exists()
    }

    /// The outcome of the last upgrade; `None` if there was none.
    #[must_use]
    pub fn outcome(&self) -> Option<UpgradeOutcome> {
        let mut text = String::new();
        File::open(self.at("outcome")).ok()?.take(SMALL).read_to_string(&mut text).ok()?;
        let value = |key: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        Some(UpgradeOutcome {
            from: value("from")?,
            to: value("to")?,
            result: value("result")?,
            reason: value("reason"),
            at: value("at").unwrap_or_default(),
        })
    }

    /// Creates the folder if needed, and checks that `bytes` more fit on the disk with the reserve.
    ///
    /// # Errors
    /// [`StageError`].
    pub fn make(&self, bytes: u64) -> Result<(), StageError> {
        if self.on_trial() {
            return Err(StageError::OnTrial);
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(StageError::file("making", &self.path))?;
        self.give(&self.path)?;
        let stat =
            statvfs(&self.path).map_err(|errno| StageError::file("looking at", &self.path)(errno.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let needed = bytes.saturating_add(RESERVE);
        if free < needed {
            return Err(StageError::NoRoom { free: free >> 20, needed: needed.div_ceil(1 << 20) });
        }
        Ok(())
    }

    /// Opens the partial file, truncated or (`go_on`) at its end.
    ///
    /// # Errors
    /// [`StageError`].
    pub fn open_part(&self, go_on: bool) -> Result<File, StageError> {
        let part = self.part();
        let opened = OpenOptions::new()
            .create(true)
            .append(go_on)
            .write(true)
            .truncate(!go_on)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&part);
        let file = opened.map_err(StageError::file("opening", &part))?;
        self.give(&part)?;
        Ok(file)
    }

    /// Deletes the partial file.
    pub fn drop_part(&self) {
        let _ = fs::remove_file(self.part());
    }

    /// The SHA-256 of the partial file.
    ///
    /// # Errors
    /// [`StageError`].
    pub fn hash_part(&self) -> Result<String, StageError> {
        let part = self.part();
        let mut file = File::open(&part).map_err(StageError::file("reading", &part))?;
        hash(&mut file).map_err(StageError::file("reading", &part))
    }

    /// Runs the received program with `--version` in an empty environment; it must print exactly this version.
    ///
    /// # Errors
    /// [`StageError::DoesNotRun`].
    pub async fn try_part(&self, version: &str) -> Result<(), StageError> {
        let part = self.part();
        fs::set_permissions(&part, Permissions::from_mode(0o755))
            .map_err(StageError::file("making runnable", &part))?;
        let odd = |why: String| StageError::DoesNotRun(why);
        let deadline = tokio::time::Instant::now() + BUSY_WITHIN;
        let mut child = loop {
            let mut command = Command::new(&part);
            command.arg("--version").env_clear().current_dir("/").kill_on_drop(true);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            match command.spawn() {
                Ok(child) => break child,
                Err(error)
                    if error.kind() == io::ErrorKind::ExecutableFileBusy
                        && tokio::time::Instant::now() < deadline =>
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(odd(format!("{error} (is it for another kind of machine?)"))),
            }
        };
        let said = async {
            let mut said = Vec::new();
            if let Some(out) = child.stdout.take() {
                out.take(SMALL).read_to_end(&mut said).await?;
            }
            Ok::<_, io::Error>((child.wait().await?, said))
        };
        let (status, said) = tokio::time::timeout(SAYS_WITHIN, said)
            .await
            .map_err(|_| odd(format!("it did not say its version within {} s", SAYS_WITHIN.as_secs())))?
            .map_err(|error| odd(error.to_string()))?;
        let said = String::from_utf8_lossy(&said);
        if !status.success() {
            return Err(odd(format!("asked for its version it ended with {status}")));
        }
        if said != format!("ctrl-alt-play {version}\n") {
            let said: String = said.trim().chars().take(80).collect();
            return Err(odd(format!("it has to be ctrl-alt-play {version}, and says that it is {said:?}")));
        }
        Ok(())
    }

    /// Stages the tried program for the guard, together with the release's signed list, which the guard verifies.
    /// Blocks.
    ///
    /// # Errors
    /// [`StageError`].
    pub fn stage(&self, version: &str, sha256: &str, signed: &SignedText) -> Result<(), StageError> {
        if self.on_trial() {
            return Err(StageError::OnTrial);
        }
        let (part, program, staged) = (self.part(), self.at("program"), self.at("staged"));
        let file = File::open(&part).map_err(StageError::file("opening", &part))?;
        file.sync_all().map_err(StageError::file("writing", &part))?;
        // Remove the old note first, since it describes other bytes.
        match fs::remove_file(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StageError::file("removing", &staged)(error));
            }
            _ => self.sync()?,
        }
        self.write("sums", &signed.sums)?;
        self.write("sums.minisig", &signed.signature)?;
        fs::rename(&part, &program).map_err(StageError::file("renaming to", &program))?;
        self.sync()?;
        self.write("staged.new", &format!("{version} {sha256}\n"))?;
        let new = self.at("staged.new");
        fs::rename(&new, &staged).map_err(StageError::file("renaming to", &staged))?;
        self.sync()
    }

    /// Writes and syncs a small file that belongs to the folder's owner.
    fn write(&self, name: &str, text: &str) -> Result<(), StageError> {
        let path = self.at(name);
        let write = || {
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(StageError::file("writing", &path))?;
        self.give(&path)
    }

    /// Removes a staged program that the guard has not taken yet. Blocks.
    pub fn unstage(&self) {
        for name in ["staged", "program", "sums", "sums.minisig"] {
            let _ = fs::remove_file(self.at(name));
        }
    }

    fn sync(&self) -> Result<(), StageError> {
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(StageError::file("writing", &self.path))
    }

    fn give(&self, path: &Path) -> Result<(), StageError> {
        give(path, &self.data_dir).map_err(StageError::file("giving away", path))
    }
}

/// Gives a file created by root to the owner of the data folder, since the service does not run as root.
///
/// # Errors
/// Its owner could not be changed.
pub fn give(path: &Path, data_dir: &Path) -> io::Result<()> {
    let owner = |path: &Path| fs::symlink_metadata(path).map(|data| (data.uid(), data.gid()));
    let (theirs, ours) = (owner(data_dir)?, owner(path)?);
    if ours == theirs { Ok(()) } else { std::os::unix::fs::lchown(path, Some(theirs.0), Some(theirs.1)) }
}

/// The SHA-256 of the rest of a file.
///
/// # Errors
/// Reading failed.
pub fn hash(from: &mut impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::of(data.path());
        folder.make(1).unwrap();
        (data, folder)
    }

    fn script(folder: &Folder, text: &str) {
        folder.open_part(false).unwrap().write_all(format!("#!/bin/sh\n{text}\n").as_bytes()).unwrap();
    }

    #[test]
    fn only_what_is_above_is_newer() {
        for (current, offered) in [("0.1.0", "0.1.1"), ("0.9.0", "0.10.0"), ("1.0.0-rc.1", "1.0.0")] {
            assert!(newer(current, offered).is_ok(), "{current} {offered}");
        }
        for (current, offered) in [
            ("0.1.0", "0.1.0"),
            ("0.1.1", "0.1.0"),
            ("1.0.0", "1.0.0-rc.1"),
            ("1.0.0", "1.0.0+build"),
            ("1.0.0", "latest"),
        ] {
            assert!(newer(current, offered).is_err(), "{current} {offered}");
        }
    }

    #[tokio::test]
    async fn a_program_that_says_its_version_is_staged_whole() {
        let (data, folder) = folder();
        script(&folder, "test -z \"$HOME\" && echo ctrl-alt-play 9.9.9");
        let sha256 = folder.hash_part().unwrap();
        folder.try_part("9.9.9").await.unwrap();
        assert!(!folder.is_staged());
        let signed = SignedText { sums: "a list".into(), signature: "a signature".into() };
        folder.stage("9.9.9", &sha256, &signed).unwrap();
        let at = data.path().join("upgrade");
        assert_eq!(fs::read_to_string(at.join("staged")).unwrap(), format!("9.9.9 {sha256}\n"));
        assert_eq!(fs::read_to_string(at.join("sums")).unwrap(), "a list");
        assert_eq!(fs::read_to_string(at.join("sums.minisig")).unwrap(), "a signature");
        let program = fs::metadata(at.join("program")).unwrap();
        assert_eq!(program.permissions().mode() & 0o777, 0o755);
        assert!(!folder.part().exists() && folder.is_staged());
        folder.unstage();
        assert!(!folder.is_staged());
    }

    #[tokio::test]
    async fn what_says_something_else_or_nothing_is_not() {
        let (_data, folder) = folder();
        for odd in [
            "echo ctrl-alt-play 9.9.8",
            "echo ctrl-alt-play 9.9.9; echo more",
            "exit 3",
            "printf 'ctrl-alt-play 9.9.9'",
        ] {
            script(&folder, odd);
            let refused = folder.try_part("9.9.9").await.unwrap_err();
            assert!(matches!(refused, StageError::DoesNotRun(_)), "{odd}: {refused}");
        }
        folder.open_part(false).unwrap().write_all(b"\x7fELF nonsense").unwrap();
        assert!(matches!(folder.try_part("9.9.9").await.unwrap_err(), StageError::DoesNotRun(_)));
    }

    #[test]
    fn nothing_is_staged_over_a_trial() {
        let (data, folder) = folder();
        script(&folder, "");
        fs::write(data.path().join("upgrade/trial"), "from=1.0.0\n").unwrap();
        assert!(matches!(folder.stage("9.9.9", "00", &SignedText::default()), Err(StageError::OnTrial)));
        assert!(matches!(folder.make(1), Err(StageError::OnTrial)));
    }

    #[test]
    fn more_than_the_disk_holds_is_refused_before_it_comes() {
        let (_data, folder) = folder();
        let refused = folder.make(u64::MAX / 2).unwrap_err();
        assert!(matches!(refused, StageError::NoRoom { .. }), "{refused}");
    }

    #[test]
    fn the_outcome_is_read_as_the_guard_writes_it() {
        let (data, folder) = folder();
        assert_eq!(folder.outcome(), None);
        let text =
            "from=0.1.0\nto=0.1.9\nresult=reverted\nreason=it ended with 1 = bad\nat=2026-01-02T03:04:05Z\n";
        fs::write(data.path().join("upgrade/outcome"), text).unwrap();
        let told = folder.outcome().unwrap();
        assert_eq!(
            (told.from.as_str(), told.to.as_str(), told.result.as_str()),
            ("0.1.0", "0.1.9", "reverted")
        );
        assert_eq!(told.reason.as_deref(), Some("it ended with 1 = bad"));
        fs::write(data.path().join("upgrade/outcome"), "from=0.1.0\n").unwrap();
        assert_eq!(folder.outcome(), None, "half of it");
    }
}
