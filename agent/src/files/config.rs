//! A config file of a server, set before its start: read within a bound, edited, replaced whole or left as it is.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use protocol::ServerId;
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use templates::config_files::{self, ConfigError, MAX_BYTES};
use templates::model::ConfigFile;
use templates::placeholders::Context;

use super::store::Store;
use super::text;
use crate::fs::{FileError, RelPath, RootDir, regular};
use crate::server::folder;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Configured {
    /// It says something else now.
    Changed,
    /// It said all of it before.
    Unchanged,
    /// There is no such file, and nothing to write into a new one.
    Absent,
}

/// Why a config file was not set. It is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigFault {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not what the parser expects.
    #[error(transparent)]
    Content(#[from] ConfigError),
}

impl ConfigFault {
    /// The line, from 1, where that is known.
    pub(crate) fn line(&self) -> Option<usize> {
        match self {
            Self::File(_) => None,
            Self::Content(error) => error.line(),
        }
    }
}

/// The folder for files under construction, which are then renamed into the server's folder. The sweeper cleans it after a crash.
pub(crate) fn parts_beside(data_dir: &Path, server_id: &ServerId) -> Option<OwnedFd> {
    Store::open(&folder::files_of(data_dir, server_id)).and_then(|store| store.parts()).ok()
}

/// Sets a file below a server's folder, written first to `aside` if given. An unchanged file is not written.
pub(crate) fn configure(
    folder: &Path,
    aside: Option<&OwnedFd>,
    file: &ConfigFile,
    context: &Context,
) -> Result<Configured, ConfigFault> {
    let root = RootDir::open(folder)?;
    let present = read(&root, &file.path)?;
    let rendered = config_files::render(file, present.as_deref(), context)?;
    match &present {
        Some(present) if *present == rendered => return Ok(Configured::Unchanged),
        None if rendered.is_empty() => return Ok(Configured::Absent),
        _ => {}
    }
    // The next start does again what a crash undoes.
    drop(text::replace(&root, aside, &file.path, &rendered)?);
    Ok(Configured::Changed)
}

/// The whole of a file; none where it is not there.
fn read(root: &RootDir, path: &str) -> Result<Option<Vec<u8>>, ConfigFault> {
    let file = match root.get(&RelPath::parse(path)?, OFlags::RDONLY) {
        Err(FileError::NotFound) => return Ok(None),
        found => found?,
    };
    let stat = regular(&file)?;
    if u64::try_from(stat.st_size).unwrap_or(0) > MAX_BYTES as u64 {
        return Err(ConfigError::TooLarge.into());
    }
    let mut bytes = Vec::new();
    File::from(file)
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| FileError::Io("read it", error))?;
    if bytes.len() > MAX_BYTES {
        return Err(ConfigError::TooLarge.into());
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use templates::model::{Parser, Scalar, Setting};

    use super::*;

    fn file(path: &str, parser: Parser, set: &[(&str, &str)]) -> ConfigFile {
        let setting = |(key, value): &(&str, &str)| Setting {
            key: (*key).to_owned(),
            when: None,
            value: Scalar::Text((*value).to_owned()),
        };
        ConfigFile { path: path.to_owned(), parser, set: set.iter().map(setting).collect() }
    }

    #[test]
    fn a_file_is_made_set_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let properties = file("a/b/server.properties", Parser::Properties, &[("server-port", "25565")]);
        let set = || configure(dir.path(), None, &properties, &Context::default()).unwrap();
        assert_eq!(set(), Configured::Changed);
        let path = dir.path().join("a/b/server.properties");
        assert!(std::fs::read_to_string(&path).unwrap().contains("server-port=25565"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        let inode = std::fs::metadata(&path).unwrap().ino();
        assert_eq!(set(), Configured::Unchanged);
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode, "it was not written again");
        let lines = file("none.cfg", Parser::File, &[("port ", "port 1")]);
        assert_eq!(configure(dir.path(), None, &lines, &Context::default()).unwrap(), Configured::Absent);
        assert!(!dir.path().join("none.cfg").exists());
    }

    #[test]
    fn what_does_not_parse_is_untouched_and_says_where() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.json"), "{\n  \"a\": ]\n").unwrap();
        let fault =
            configure(dir.path(), None, &file("a.json", Parser::Json, &[("a", "1")]), &Context::default())
                .unwrap_err();
        assert_eq!(fault.line(), Some(2), "{fault}");
        assert_eq!(std::fs::read(dir.path().join("a.json")).unwrap(), b"{\n  \"a\": ]\n");
    }

    #[test]
    fn no_path_and_no_link_leads_out() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("victim"), "port=1\n").unwrap();
        symlink(outside.path().join("victim"), dir.path().join("link.properties")).unwrap();
        symlink(outside.path(), dir.path().join("folder")).unwrap();
        symlink("../..", dir.path().join("up")).unwrap();
        for path in
            ["link.properties", "folder/victim", "folder/new", "up/new", "../victim", "a/../../victim"]
        {
            let set = configure(
                dir.path(),
                None,
                &file(path, Parser::Properties, &[("port", "2")]),
                &Context::default(),
            );
            assert!(set.is_err(), "{path}: {set:?}");
        }
        assert_eq!(std::fs::read(outside.path().join("victim")).unwrap(), b"port=1\n");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
        // An absolute path begins at the server's folder, as elsewhere.
        let absolute = file("/etc/passwd", Parser::Properties, &[("port", "2")]);
        assert_eq!(configure(dir.path(), None, &absolute, &Context::default()).unwrap(), Configured::Changed);
        assert!(dir.path().join("etc/passwd").exists());
    }
}
