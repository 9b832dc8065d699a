//! Ignore rules of a backup, from the panel and from files in the server's folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

/// Ignore files in a server's folder.
const FILES: [&str; 2] = [".backupignore", ".pteroignore"];
/// Most bytes and lines of an ignore file.
const LARGEST: u64 = 64 * 1024;
const LINES: usize = 500;

/// Compiled ignore rules.
#[derive(Debug)]
pub(super) struct Ignored(Gitignore);

impl Ignored {
    /// Compiles these lines and those of the server's files. Also returns the first invalid line.
    pub(super) fn read(folder: &Path, lines: &[String]) -> io::Result<(Self, Option<String>)> {
        let mut builder = GitignoreBuilder::new("");
        let mut bad = None;
        let mut add = |line: &str| {
            if builder.add_line(None, line).is_err() {
                bad.get_or_insert_with(|| line.chars().take(200).collect::<String>());
            }
        };
        for name in FILES {
            own(folder, name)?.lines().take(LINES).for_each(&mut add);
        }
        // Later lines take precedence.
        lines.iter().for_each(|line| add(line));
        let built = builder.build().map_err(io::Error::other)?;
        Ok((Self(built), bad))
    }

    /// Whether this path, relative to the folder, is ignored.
    pub(super) fn has(&self, path: &Path, is_folder: bool) -> bool {
        !self.0.is_empty() && self.0.matched(path, is_folder).is_ignore()
    }
}

/// Reads an ignore file, without following links. Empty if it is missing or not a regular file.
fn own(folder: &Path, name: &str) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let folder = File::open(folder)?;
    let file = match openat(&folder, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NOTDIR) => return Ok(String::new()),
        Err(errno) => return Err(errno.into()),
    };
    if !file.metadata()?.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_gitignore() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".pteroignore"), "# a comment\ncache/\n*.log\n!keep.log\n").unwrap();
        std::fs::write(dir.path().join(".backupignore"), "/maps\n").unwrap();
        let (ignored, bad) = Ignored::read(dir.path(), &["*.tmp".into(), "a{".into()]).unwrap();
        assert_eq!(bad.as_deref(), Some("a{"));
        let has = |path: &str, is_folder| ignored.has(Path::new(path), is_folder);
        assert!(has("world/cache", true) && !has("world/cache", false));
        assert!(has("logs/a.log", false) && !has("logs/keep.log", false));
        assert!(has("maps", true) && !has("world/maps", true));
        assert!(has("x.tmp", false) && !has("level.dat", false));
    }

    #[test]
    fn a_link_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("elsewhere"), "*\n").unwrap();
        std::os::unix::fs::symlink("elsewhere", dir.path().join(".backupignore")).unwrap();
        let (ignored, _) = Ignored::read(dir.path(), &[]).unwrap();
        assert!(!ignored.has(Path::new("level.dat"), false));
    }

    #[test]
    fn a_last_line_may_take_everything() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".backupignore"), "*.log\nmaps/\n/world\n").unwrap();
        let (ignored, bad) = Ignored::read(dir.path(), &["!*".into()]).unwrap();
        assert_eq!(bad, None);
        for (path, is_folder) in [("a.log", false), ("logs/a.log", false), ("maps", true), ("world", true)] {
            assert!(!ignored.has(Path::new(path), is_folder), "{path}");
        }
    }
}
