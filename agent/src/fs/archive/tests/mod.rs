//! Streams of other agents.

mod engine;
mod formats;
mod hostile;
mod people;

use std::fs;
use std::io::{Cursor, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::server::folder::{may_give, own_ids};

const ANY: Bounds = Bounds { bytes: 1 << 40, entries: 1 << 20, folders: 1 << 20 };

fn packed(folder: &Path) -> (Vec<u8>, Bounds) {
    let root = open(folder).unwrap();
    let counted = measure(&root, u64::MAX, &CancellationToken::new()).unwrap();
    let (size, bytes) = pack(&root, Vec::new(), &CancellationToken::new()).unwrap();
    assert_eq!(size, counted, "what is counted is what is sent");
    (bytes, Bounds { bytes: size.bytes, entries: size.entries, folders: size.entries })
}

fn unpacked(stream: &[u8], bounds: Bounds, owners: Owners, to: &Path) -> Result<Unpacked, ArchiveError> {
    let (taken, mut rest) = unpack(open(to)?, Cursor::new(stream), Form::Transfer, bounds, owners)?;
    assert_eq!(rest.read(&mut [0]).unwrap(), 0, "read to its end");
    Ok(taken)
}

/// A folder above and one beside, to see whether anything gets there.
struct Cage {
    dir: tempfile::TempDir,
}

impl Cage {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        fs::write(dir.path().join("outside/canary"), "alive").unwrap();
        Self { dir }
    }

    fn inside(&self) -> PathBuf {
        self.dir.path().join("in")
    }

    fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    fn untouched(&self) {
        let canary = self.outside().join("canary");
        assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
        let meta = fs::metadata(&canary).unwrap();
        assert_eq!((meta.nlink(), meta.uid()), (1, own_ids().0));
        assert_eq!(fs::read_dir(self.outside()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(self.dir.path()).unwrap().count(), 2);
    }
}

#[test]
fn a_folder_arrives_as_it_was() {
    let (from, to) = (Cage::new(), Cage::new());
    let at = |name: &str| from.inside().join(name);
    let deep = format!("{}/{}", "d".repeat(120), "e".repeat(120));
    fs::create_dir_all(at(&deep)).unwrap();
    fs::write(at(&format!("{deep}/f")), "deep").unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("world"), vec![7; 700_001]).unwrap();
    fs::write(at("blocks"), vec![1; 1024]).unwrap();
    fs::hard_link(at("world"), at("world.second")).unwrap();
    symlink("world", at("link")).unwrap();
    symlink(format!("/home/container/{}", "x".repeat(150)), at("far")).unwrap();
    symlink(from.outside(), at("out")).unwrap();
    fs::create_dir(at("closed")).unwrap();
    fs::write(at("closed/in"), "x").unwrap();
    fs::write(at("sp ace\n\u{fc}"), "x").unwrap();
    fs::set_permissions(at("empty"), fs::Permissions::from_mode(0o6640)).unwrap();
    fs::set_permissions(at("closed"), fs::Permissions::from_mode(0o510)).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::open(at("closed/in")).unwrap().set_modified(old).unwrap();
    fs::File::open(at("closed")).unwrap().set_modified(old).unwrap();
    std::os::unix::net::UnixListener::bind(at("socket")).unwrap();

    let (stream, bounds) = packed(&from.inside());
    let owners = Owners { settable: may_give(), ..Owners::default() };
    let taken = unpacked(&stream, bounds, owners, &to.inside()).unwrap();
    assert_eq!((taken.bytes, taken.entries), (bounds.bytes, bounds.entries));
    for name in
        ["world", "empty", "blocks", "closed", "closed/in", &deep, "link", "far", "out", "sp ace\n\u{fc}"]
    {
        let there = fs::symlink_metadata(at(name)).unwrap();
        let here = fs::symlink_metadata(to.inside().join(name)).unwrap();
        assert_eq!(there.mode() & 0o170_777, here.mode(), "{name}: all but who it runs as");
        assert_eq!(
            (there.uid(), there.gid(), there.mtime()),
            (here.uid(), here.gid(), here.mtime()),
            "{name}"
        );
        match there.file_type() {
            kind if kind.is_file() => {
                assert_eq!(fs::read(at(name)).unwrap(), fs::read(to.inside().join(name)).unwrap());
            }
            kind if kind.is_symlink() => {
                assert_eq!(fs::read_link(at(name)).unwrap(), fs::read_link(to.inside().join(name)).unwrap());
            }
            _ => {}
        }
    }
    let ino = |name: &str| fs::metadata(to.inside().join(name)).unwrap().ino();
    assert_eq!(ino("world"), ino("world.second"));
    assert!(!to.inside().join("socket").exists());
    assert_eq!(fs::read_to_string(to.inside().join(format!("{deep}/f"))).unwrap(), "deep");
}

#[test]
fn what_was_the_games_is_the_games() {
    if !may_give() {
        return;
    }
    let (from, to) = (Cage::new(), Cage::new());
    for (name, owner) in [("game", 988), ("other", 1234)] {
        fs::write(from.inside().join(name), "x").unwrap();
        std::os::unix::fs::chown(from.inside().join(name), Some(owner), Some(owner)).unwrap();
    }
    let (stream, bounds) = packed(&from.inside());
    let owners = Owners { settable: true, there: Some((988, 988)), here: Some((1000, 1001)), all: false };
    unpacked(&stream, bounds, owners, &to.inside()).unwrap();
    let owner = |name: &str| {
        let meta = fs::metadata(to.inside().join(name)).unwrap();
        (meta.uid(), meta.gid())
    };
    assert_eq!((owner("game"), owner("other")), ((1000, 1001), (1234, 1234)));
}

/// One entry, with nothing made nicer than it was given.
fn entry(kind: EntryType, name: &str, link: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    let mut head = Header::new_gnu();
    head.set_entry_type(kind);
    head.set_mode(mode);
    head.set_uid(0);
    head.set_gid(0);
    head.set_mtime(1);
    head.set_size(data.len() as u64);
    head.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    head.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    head.set_cksum();
    let mut to = Builder::new(Vec::new());
    to.append(&head, data).unwrap();
    // Without the end.
    to.get_mut().clone()
}

#[test]
fn nothing_leads_out_and_nothing_strange_comes_in() {
    use EntryType as Kind;
    let file = |name: &str| entry(Kind::Regular, name, "", 0o644, b"evil");
    let folder = |name: &str| entry(Kind::Directory, name, "", 0o755, b"");
    let link = |name: &str, to: &str| entry(Kind::Symlink, name, to, 0o777, b"");
    let second = |name: &str, of: &str| entry(Kind::Link, name, of, 0o644, b"");
    let cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("up", vec![file("../outside/canary")]),
        ("up in the middle", vec![folder("a"), file("a/../../outside/new")]),
        ("absolute", vec![file("/tmp/evil")]),
        ("no name", vec![file("")]),
        ("here", vec![folder("."), file("./x")]),
        ("double slash", vec![folder("a"), file("a//b")]),
        ("through a link", vec![link("a", "../outside"), file("a/canary")]),
        ("a folder over a link", vec![link("a", "../outside"), folder("a"), file("a/canary")]),
        ("a file over a link", vec![link("a", "../outside/canary"), file("a")]),
        ("a file over a file", vec![file("a"), file("a")]),
        ("a second name of what is outside", vec![second("a", "../outside/canary")]),
        ("of what is nowhere", vec![second("a", "b")]),
        ("of an absolute one", vec![second("a", "/etc/passwd")]),
        ("of a link", vec![link("b", "../outside/canary"), second("a", "b")]),
        ("of what is behind a link", vec![link("b", "../outside"), second("a", "b/canary")]),
        ("of a folder", vec![folder("b"), second("a", "b")]),
        ("a link to nowhere", vec![link("a", "")]),
        ("not in a folder that came", vec![file("a/b")]),
        ("back into a folder that was left", vec![folder("a"), folder("b"), file("a/x")]),
        ("a character device", vec![entry(Kind::Char, "a", "", 0o666, b"")]),
        ("a block device", vec![entry(Kind::Block, "a", "", 0o666, b"")]),
        ("a pipe", vec![entry(Kind::Fifo, "a", "", 0o666, b"")]),
        ("setuid", vec![entry(Kind::Regular, "a", "", 0o4755, b"x")]),
        ("setgid", vec![entry(Kind::Regular, "a", "", 0o2755, b"x")]),
        ("a sticky folder", vec![entry(Kind::Directory, "a", "", 0o1777, b"")]),
        (
            "headers of another kind",
            vec![entry(Kind::XHeader, "a", "", 0o644, b"30 mtime=1350244992.023960108\n")],
        ),
        ("a global header", vec![entry(Kind::XGlobalHeader, "a", "", 0o644, b"x")]),
        ("a sparse file", vec![entry(Kind::GNUSparse, "a", "", 0o644, b"x")]),
        ("a name without end", vec![entry(Kind::GNULongName, "a", "", 0o644, &vec![b'x'; 10_000])]),
        ("a long way up", vec![entry(Kind::GNULongName, "a", "", 0o644, b"../outside/canary\0"), file("x")]),
        ("more than was said", vec![entry(Kind::Regular, "a", "", 0o644, &vec![0; 5_000])]),
        ("more entries than were said", (0..9).map(|n| folder(&format!("f{n}"))).collect()),
        ("garbage", vec![vec![0xa5; 2048]]),
    ];
    for (case, entries) in cases {
        let cage = Cage::new();
        let mut stream = entries.concat();
        stream.extend_from_slice(&[0; 1024]);
        let owners = Owners { settable: may_give(), ..Owners::default() };
        let taken =
            unpacked(&stream, Bounds { bytes: 4_096, entries: 8, folders: 8 }, owners, &cage.inside());
        assert!(taken.is_err(), "{case}: {taken:?}");
        cage.untouched();
    }
}

#[test]
fn depth_and_a_stream_without_end_are_bounded() {
    let mut stream = Vec::new();
    for depth in 1..200 {
        let name = vec!["d"; depth].join("/");
        let long = entry(EntryType::GNULongName, "././@LongLink", "", 0o644, name.as_bytes());
        stream.extend(long);
        stream.extend(entry(EntryType::Directory, "d", "", 0o755, b""));
    }
    let cage = Cage::new();
    let deep = unpacked(&stream, ANY, Owners::default(), &cage.inside());
    assert!(matches!(deep, Err(ArchiveError::Refused(_))), "{deep:?}");

    let cage = Cage::new();
    let zeros = std::io::repeat(0).take(1 << 30);
    let endless = unpack(open(&cage.inside()).unwrap(), zeros, Form::Transfer, ANY, Owners::default());
    assert!(matches!(endless.map(drop), Err(ArchiveError::Refused(_))));

    // Cut off anywhere, it is no archive.
    let mut whole = entry(EntryType::Regular, "a", "", 0o644, &[7; 2_000]);
    whole.truncate(1_500);
    assert!(unpacked(&whole, ANY, Owners::default(), &Cage::new().inside()).is_err());
}

#[test]
fn folders_that_lie_too_deep_are_refused_in_a_short_sentence() {
    use rustix::fs::{Mode, mkdirat, openat};
    let cage = Cage::new();
    let mut here = open(&cage.inside()).unwrap();
    for _ in 0..5_000 {
        mkdirat(&here, "folder", Mode::RWXU).unwrap();
        here = openat(&here, "folder", crate::fs::FOLDER, Mode::empty()).unwrap();
    }
    let root = open(&cage.inside()).unwrap();
    let counted = measure(&root, u64::MAX, &CancellationToken::new()).map(drop);
    let packed = pack(&root, Vec::new(), &CancellationToken::new()).map(drop);
    for refused in [counted, packed] {
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("too deep to be moved") && said.len() < 400, "{said}");
    }
    let few = measure(&root, 5, &CancellationToken::new()).unwrap_err().to_string();
    assert!(few.contains("too many files"), "{few}");
    crate::fs::remove(&cage.inside(), &CancellationToken::new()).unwrap();
}
