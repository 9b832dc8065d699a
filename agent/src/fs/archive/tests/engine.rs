//! Streams of container engines.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::fd::OwnedFd;
use tar::{Builder, EntryType, Header};

use super::super::*;
use crate::server::folder::may_give;

fn entry(builder: &mut Builder<Vec<u8>>, kind: EntryType, path: &str, link: &str, content: &str) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o4755);
    header.set_mtime(1_000_000_000);
    header.set_size(content.len() as u64);
    // As somebody would who means harm: the library itself would refuse.
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    builder.append(&header, content.as_bytes()).unwrap();
}

const ANY: Bounds = Bounds { bytes: u64::MAX, entries: 100, folders: 100 };
const OWNERS: Owners = Owners { settable: true, there: None, here: Some((1234, 1235)), all: true };

type Made<'e> = &'e [(EntryType, &'e str, &'e str, &'e str)];

fn take(entries: Made<'_>) -> (tempfile::TempDir, Result<Unpacked, ArchiveError>) {
    take_within(ANY, entries)
}

fn take_within(bounds: Bounds, entries: Made<'_>) -> (tempfile::TempDir, Result<Unpacked, ArchiveError>) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("in")).unwrap();
    fs::write(dir.path().join("canary"), "canary").unwrap();
    let mut builder = Builder::new(Vec::new());
    for (kind, path, link, content) in entries {
        entry(&mut builder, *kind, path, link, content);
    }
    let bytes = builder.into_inner().unwrap();
    let root: OwnedFd = File::open(dir.path().join("in")).unwrap().into();
    let taken = unpack(root, &bytes[..], Form::Engine, bounds, OWNERS).map(|(taken, _)| taken);
    assert_eq!(fs::read_to_string(dir.path().join("canary")).unwrap(), "canary");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "something came out");
    (dir, taken)
}

#[test]
fn a_world_comes_whole() {
    use EntryType as E;
    let (dir, taken) = take(&[
        (E::Directory, "./", "", ""),
        (E::Directory, "./world/", "", ""),
        (E::Regular, "./world/level.dat", "", "level"),
        (E::Link, "./world/level.old", "./world/level.dat", ""),
        (E::Symlink, "./current", "world/level.dat", ""),
        (E::Regular, "deep/er/file", "", "x"),
        (E::Fifo, "./pipe", "", ""),
    ]);
    assert_eq!(taken.unwrap(), Unpacked { bytes: 6, entries: 7, left_out: 1 });
    let at = |path: &str| dir.path().join("in").join(path);
    assert_eq!(fs::read_to_string(at("current")).unwrap(), "level");
    assert_eq!(fs::read_to_string(at("world/level.old")).unwrap(), "level");
    let meta = fs::metadata(at("world/level.dat")).unwrap();
    assert_eq!((meta.permissions().mode() & 0o7777, meta.mtime()), (0o755, 1_000_000_000));
    assert_eq!(fs::metadata(at("world")).unwrap().mtime(), 1_000_000_000);
    if may_give() {
        for path in ["", "world", "world/level.dat", "current"] {
            let meta = fs::symlink_metadata(at(path)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (1234, 1235), "{path}");
        }
    }
}

#[test]
fn nothing_comes_out() {
    use EntryType as E;
    let file = (E::Regular, "../canary", "", "bad");
    assert!(take(&[file]).1.is_err());
    assert!(take(&[(E::Regular, "a/../../canary", "", "bad")]).1.is_err());
    assert!(take(&[(E::Symlink, "out", "..", ""), (E::Regular, "out/canary", "", "bad")]).1.is_err());
    assert!(take(&[(E::Symlink, "out", "/tmp", ""), (E::Directory, "out/new", "", "")]).1.is_err());
    assert!(take(&[(E::Link, "mine", "../canary", "")]).1.is_err());
    assert!(take(&[(E::Symlink, "out", "..", ""), (E::Link, "mine", "out/canary", "")]).1.is_err());
    // A link in place of a file is not written through.
    assert!(take(&[(E::Symlink, "f", "../canary", ""), (E::Regular, "f", "", "bad")]).1.is_err());
    // Absolute names are below the top like all others.
    let (dir, taken) = take(&[(E::Regular, "/canary", "", "good")]);
    taken.unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("in/canary")).unwrap(), "good");
}

#[test]
fn an_engines_stream_is_bounded_too() {
    use EntryType as E;
    let made = [(E::Directory, "a", "", ""), (E::Directory, "b", "", ""), (E::Regular, "b/f", "", "1234")];
    let within = |bounds| take_within(bounds, &made).1;
    let enough = Bounds { bytes: 4, entries: 3, folders: 2 };
    within(enough).unwrap();
    for bounds in
        [Bounds { bytes: 3, ..enough }, Bounds { entries: 2, ..enough }, Bounds { folders: 1, ..enough }]
    {
        assert!(matches!(within(bounds), Err(ArchiveError::Refused(_))), "{bounds:?}");
    }
}

#[test]
fn a_folder_that_comes_again_is_the_same_and_its_last_word_counts() {
    use EntryType as E;
    let (dir, taken) = take(&[
        (E::Directory, "a", "", ""),
        (E::Regular, "a/first", "", "1"),
        (E::Directory, "b", "", ""),
        (E::Directory, "a/", "", ""),
        (E::Regular, "a/second", "", "2"),
    ]);
    taken.unwrap();
    assert_eq!(fs::read_dir(dir.path().join("in/a")).unwrap().count(), 2);
    assert_eq!(fs::metadata(dir.path().join("in/a")).unwrap().mtime(), 1_000_000_000);
}
