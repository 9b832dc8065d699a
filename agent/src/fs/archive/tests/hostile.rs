//! Archives that were made to do harm.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

use rustix::fd::AsFd;
use tar::{Builder, EntryType, Header};

use super::super::*;
use super::people::*;

fn limits(bytes: u64) -> Limits {
    Limits::of(bytes, None)
}

/// An entry of a ZIP archive, and what it says of itself.
#[derive(Clone)]
struct Raw {
    name: Vec<u8>,
    mode: u32,
    method: u16,
    content: Vec<u8>,
    size: u32,
    crc: u32,
    /// Where its header is said to be, instead of where it is.
    at: Option<u32>,
}

impl Raw {
    fn new(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref().to_vec();
        let mut crc = flate2::Crc::new();
        crc.update(&content);
        let (name, size, crc) = (name.as_ref().to_vec(), content.len() as u32, crc.sum());
        Self { name, mode: 0o100_644, method: 0, content, size, crc, at: None }
    }

    fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    fn deflated(content: &mut dyn Read, name: &str) -> Self {
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut crc = flate2::CrcReader::new(std::io::BufReader::new(content));
        let size = std::io::copy(&mut crc, &mut packed).unwrap();
        let raw = Self::new(name, packed.finish().unwrap());
        Self { method: 8, size: size as u32, crc: crc.crc().sum(), ..raw }
    }
}

fn zip(entries: &[Raw], said: u16) -> Vec<u8> {
    let (mut body, mut list) = (Vec::new(), Vec::new());
    for entry in entries {
        let at = entry.at.unwrap_or(body.len() as u32);
        let mut fields = Vec::new();
        fields.extend([entry.method, 0, 0].iter().flat_map(|value: &u16| value.to_le_bytes()));
        let sizes = [entry.crc, entry.content.len() as u32, entry.size];
        fields.extend(sizes.iter().flat_map(|value| value.to_le_bytes()));
        fields.extend((entry.name.len() as u32).to_le_bytes());
        if entry.at.is_none() {
            body.extend(*b"PK\x03\x04\x14\x00\x00\x08");
            body.extend(&fields);
            body.extend(&entry.name);
            body.extend(&entry.content);
        }
        list.extend(*b"PK\x01\x02\x14\x03\x14\x00\x00\x08");
        list.extend(&fields);
        list.extend([0; 6]);
        list.extend((entry.mode << 16).to_le_bytes());
        list.extend(at.to_le_bytes());
        list.extend(&entry.name);
    }
    let start = body.len() as u32;
    body.extend(&list);
    body.extend(*b"PK\x05\x06\x00\x00\x00\x00");
    body.extend(said.to_le_bytes());
    body.extend(said.to_le_bytes());
    body.extend((list.len() as u32).to_le_bytes());
    body.extend(start.to_le_bytes());
    body.extend([0; 2]);
    body
}

/// Name, type, mode, target and content.
type Tarred<'t> = (&'t [u8], EntryType, u32, &'t [u8], &'t [u8]);

fn tar(entries: &[Tarred<'_>]) -> Vec<u8> {
    let mut to = Builder::new(Vec::new());
    for (name, kind, mode, link, content) in entries {
        let mut head = Header::new_gnu();
        head.set_entry_type(*kind);
        head.set_mode(*mode);
        head.set_size(content.len() as u64);
        head.as_old_mut().name[..name.len()].copy_from_slice(name);
        head.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        head.set_cksum();
        to.append(&head, *content).unwrap();
    }
    to.into_inner().unwrap()
}

fn extracted(cage: &Cage, name: &str, bytes: &[u8], limits: Limits) -> Result<Outcome, ArchiveError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    cage.extract(&path, limits)
}

fn names(done: &Outcome) -> Vec<String> {
    done.skipped.iter().map(|(path, _)| path.escape_ascii().to_string()).collect()
}

#[test]
fn names_that_lead_out_are_left_out_and_named() {
    let bad = [&b"../x"[..], b"a/../../x", b"/etc/x", b"C:\\x", b"C:/x", b"..\\x", b"a\\..\\x"];
    let zipped: Vec<Raw> =
        bad.iter().map(|name| Raw::new(name, "x")).chain([Raw::new("good", "x")]).collect();
    let mut tarred: Vec<_> =
        bad.iter().map(|name| (*name, EntryType::Regular, 0o644, &b""[..], &b"x"[..])).collect();
    tarred.push((b"good", EntryType::Regular, 0o644, b"", b"x"));
    for (name, archive) in [("a.zip", zip(&zipped, 8)), ("a.tar", tar(&tarred))] {
        let cage = Cage::new();
        let done = extracted(&cage, name, &archive, limits(1 << 20)).unwrap();
        assert_eq!(names(&done), bad.map(|name| name.escape_ascii().to_string()), "{name}");
        assert_eq!((done.entries, seen(&cage.to).len()), (1, 1), "{name}");
    }
}

#[test]
fn links_and_devices() {
    let archive = tar(&[
        (b"out", EntryType::Symlink, 0o777, b"/etc", b""),
        (b"out/pwned", EntryType::Regular, 0o644, b"", b"x"),
        (b"up", EntryType::Symlink, 0o777, b"../other", b""),
        (b"in", EntryType::Symlink, 0o777, b"out", b""),
        (b"in/through", EntryType::Regular, 0o644, b"", b"x"),
        (b"shadow", EntryType::Link, 0o644, b"/etc/shadow", b""),
        (b"passwd", EntryType::Link, 0o644, b"../../../etc/passwd", b""),
        (b"later", EntryType::Link, 0o644, b"not/yet", b""),
        (b"zero", EntryType::Char, 0o666, b"", b""),
        (b"pipe", EntryType::Fifo, 0o666, b"", b""),
        (b"root", EntryType::Regular, 0o4755, b"", b"x"),
        (b"group", EntryType::Regular, 0o2755, b"", b"x"),
        (b"first", EntryType::Regular, 0o600, b"", b"one"),
        (b"second", EntryType::Link, 0o644, b"first", b""),
        (b"first", EntryType::Link, 0o644, b"first", b""),
        (b"folder", EntryType::Directory, 0o7700, b"", b""),
    ]);
    let cage = Cage::new();
    let done = extracted(&cage, "a.tar", &archive, limits(1 << 20)).unwrap();
    let left_out =
        ["out", "up", "in/through", "shadow", "passwd", "later", "zero", "pipe", "root", "group", "first"];
    assert_eq!(names(&done), left_out);
    let found: Vec<String> = seen(&cage.to).into_iter().map(|entry| entry.0).collect();
    assert_eq!(found, ["first", "folder", "in", "out", "out/pwned", "second"]);
    let mode = |name: &str| fs::symlink_metadata(cage.to.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        (mode("first"), mode("folder"), fs::read(cage.to.join("second")).unwrap()),
        (0o600, 0o700, b"one".to_vec())
    );
    // A link of a ZIP archive.
    let archive = zip(
        &[Raw::new("l", "/etc").mode(0o120_777), Raw::new("l/x", "x"), Raw::new("d", "").mode(0o020_666)],
        3,
    );
    let cage = Cage::new();
    let done = extracted(&cage, "a.zip", &archive, limits(1 << 20)).unwrap();
    assert_eq!(names(&done), ["l", "d"]);
}

#[test]
fn a_hard_link_to_what_was_there_before_is_none_of_the_archive() {
    let cage = Cage::new();
    fs::write(cage.to.join("secret"), "x").unwrap();
    let archive = tar(&[(b"mine", EntryType::Link, 0o644, b"secret", b"")]);
    let done = extracted(&cage, "a.tar", &archive, limits(1 << 20)).unwrap();
    assert_eq!(names(&done), ["mine"]);
}

#[test]
fn the_same_name_twice() {
    let archive = tar(&[
        (b"a", EntryType::Regular, 0o644, b"", b"one"),
        (b"a", EntryType::Regular, 0o644, b"", b"two"),
        (b"A", EntryType::Regular, 0o644, b"", b"three"),
        (b"a/b", EntryType::Regular, 0o644, b"", b"x"),
        (b"d/x", EntryType::Regular, 0o644, b"", b"x"),
        (b"d", EntryType::Regular, 0o644, b"", b"x"),
    ]);
    let cage = Cage::new();
    let done = extracted(&cage, "a.tar", &archive, limits(1 << 20)).unwrap();
    assert_eq!(names(&done), ["a/b", "d"]);
    assert_eq!(fs::read(cage.to.join("a")).unwrap(), b"two");
    assert_eq!(fs::read(cage.to.join("A")).unwrap(), b"three");
}

fn too_large(done: &Result<Outcome, ArchiveError>) -> bool {
    matches!(done, Err(ArchiveError::TooLarge(_)))
}

#[test]
fn bombs_leave_nothing() {
    let zeros = |bytes: u64| std::io::repeat(0).take(bytes);
    let honest = Raw::deflated(&mut zeros(96 << 20), "zeros");
    assert!(honest.content.len() < 1 << 20);
    let lying = Raw { size: 1, ..honest.clone() };
    let mut gzipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut head = Header::new_gnu();
    head.set_size(96 << 20);
    head.as_old_mut().name[..5].copy_from_slice(b"zeros");
    head.set_cksum();
    gzipped.write_all(head.as_bytes()).unwrap();
    std::io::copy(&mut zeros(96 << 20), &mut gzipped).unwrap();
    let gzipped = gzipped.finish().unwrap();
    for (name, bytes) in [("a.zip", zip(&[honest], 1)), ("b.zip", zip(&[lying], 1)), ("c.tar.gz", gzipped)] {
        let cage = Cage::new();
        fs::write(cage.to.join("zeros"), "old").unwrap();
        let done = extracted(&cage, name, &bytes, limits(16 << 20));
        assert!(too_large(&done), "{name}: {done:?}");
        assert_eq!(fs::read(cage.to.join("zeros")).unwrap(), b"old");
        assert_eq!(seen(&cage.to).len(), 1);
    }
}

#[test]
fn sizes_that_are_not_true() {
    for (size, crc) in [(1, None), (100, None), (5, Some(7))] {
        let good = Raw::new("a", "12345");
        let entry = Raw { size, crc: crc.unwrap_or(good.crc), ..good };
        let cage = Cage::new();
        let done = extracted(&cage, "a.zip", &zip(&[entry], 1), limits(1 << 20));
        assert!(matches!(done, Err(ArchiveError::Broken(_))), "{size}: {done:?}");
        assert!(seen(&cage.to).is_empty());
    }
}

#[test]
fn entries_that_lie_within_each_other() {
    let first = Raw::deflated(&mut std::io::repeat(0).take(1 << 20), "a");
    let again = Raw { at: Some(0), name: b"b".to_vec(), ..first.clone() };
    let cage = Cage::new();
    let done = extracted(&cage, "a.zip", &zip(&[first, again], 2), limits(1 << 30));
    assert!(matches!(&done, Err(ArchiveError::Broken(why)) if why.contains("within")), "{done:?}");
    assert!(seen(&cage.to).is_empty());
}

#[test]
fn an_archive_in_an_archive_is_a_file() {
    let mut inner = zip(&[Raw::new("x", "x")], 1);
    for _ in 0..6 {
        inner = zip(&[Raw::new("inner.zip", &inner)], 1);
    }
    let cage = Cage::new();
    extracted(&cage, "a.zip", &inner, limits(1 << 20)).unwrap();
    assert_eq!(seen(&cage.to).len(), 1);
}

#[test]
fn more_entries_than_there_may_be() {
    // As many as there are said to be, and more than that.
    let many: Vec<Raw> = (0..70_000).map(|n| Raw::new(n.to_string(), "")).collect();
    let few = Limits { entries: 60_000, ..limits(1 << 30) };
    for said in [65_000, 1] {
        let cage = Cage::new();
        let done = extracted(&cage, "a.zip", &zip(&many, said), few);
        assert!(too_large(&done), "{said}: {done:?}");
        assert!(seen(&cage.to).is_empty());
    }
    // The default.
    let head = &tar(&[(b"../x", EntryType::Regular, 0o644, b"", b"")])[..512];
    let stream = zstd::encode_all(&head.repeat(200_001)[..], 1).unwrap();
    assert!(stream.len() < 1 << 20, "{}", stream.len());
    for (limits, good) in [(limits(1 << 20), false), (Limits { entries: 300_000, ..limits(1 << 20) }, true)] {
        let done = extracted(&Cage::new(), "a.tar.zst", &stream, limits);
        assert_eq!(done.is_ok(), good);
        assert!(good || too_large(&done));
    }
}

#[test]
fn paths_that_no_folder_holds() {
    let deep = [&b"d/".repeat(70)[..], b"x"].concat();
    let long = [b'n'; 300].to_vec();
    for name in [deep, long, b"ab/".repeat(2000)] {
        let done = extracted(&Cage::new(), "a.zip", &zip(&[Raw::new(&name, "x")], 1), limits(1 << 20));
        assert!(too_large(&done), "{done:?}");
    }
}

#[test]
fn headers_that_claim_a_gigabyte_take_none() {
    let mut head = Header::new_gnu();
    head.set_entry_type(EntryType::GNULongName);
    head.set_size(1 << 30);
    head.set_cksum();
    let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    packed.write_all(head.as_bytes()).unwrap();
    std::io::copy(&mut std::io::repeat(b'a').take(1 << 28), &mut packed).unwrap();
    let done = extracted(&Cage::new(), "a.tar.zst", &packed.finish().unwrap(), limits(1 << 20));
    assert!(matches!(&done, Err(ArchiveError::Broken(why)) if why.contains("too long")), "{done:?}");
}

#[test]
fn what_is_encrypted_or_packed_in_another_way_is_named() {
    let mut archive = zip(&[Raw::new("secret", "x"), Raw::new("open", "x")], 2);
    // The flag, in the list.
    let at = archive.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    archive[at + 8] |= 1;
    let done = extracted(&Cage::new(), "a.zip", &archive, limits(1 << 20)).unwrap();
    assert_eq!(names(&done), ["secret"]);
    let odd = [Raw { method: 9, ..Raw::new("a", "x") }, Raw { method: 200, ..Raw::new("b", "x") }];
    let done = extracted(&Cage::new(), "a.zip", &zip(&odd, 2), limits(1 << 20)).unwrap();
    assert_eq!(names(&done), ["a", "b"]);
}

/// Bytes at random, from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % below.max(1)
    }
}

/// Good archives with bytes changed, taken out and put in: whatever is read of them, nothing panics and nothing comes beside.
#[test]
fn no_bytes_panic() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir_all(from.join("d")).unwrap();
    fs::write(from.join("d/a"), b"abc".repeat(500)).unwrap();
    fs::write(from.join("b"), (0..=255).collect::<Vec<u8>>()).unwrap();
    let others =
        "zip -q -r ../a.zip . && tar -cJf ../a.tar.xz . && tar -cjf ../a.tar.bz2 . && 7z a -bd ../a.7z .";
    let ran = std::process::Command::new("sh").arg("-c").arg(others).current_dir(&from).output().unwrap();
    assert!(ran.status.success());
    for (name, format) in [("a.tar", Format::Tar), ("a.tar.gz", Format::TarGz), ("a.tar.zst", Format::TarZst)]
    {
        let file = fs::File::create(dir.path().join(name)).unwrap();
        let root = open(&from).unwrap();
        create(root.as_fd(), &[Vec::new()], format, None, file, &mut silent()).unwrap();
    }
    let seed = rand::random::<u64>() | 1;
    let mut dice = Dice(seed);
    let rounds = if std::env::var_os("LONG").is_some() { 20_000 } else { 150 };
    let seeds: [(String, Vec<u8>); 7] =
        ["a.zip", "a.tar.xz", "a.tar.bz2", "a.7z", "a.tar", "a.tar.gz", "a.tar.zst"]
            .map(|name| (name.to_owned(), fs::read(dir.path().join(name)).unwrap()));
    for (name, good) in &seeds {
        for round in 0..rounds {
            let mut bytes = good.clone();
            for _ in 0..=dice.roll(8) {
                let at = dice.roll(bytes.len());
                match dice.roll(5) {
                    0 => bytes[at] ^= 1 << dice.roll(8),
                    1 => bytes[at] = dice.roll(256) as u8,
                    2 => bytes.truncate(at.max(1)),
                    3 => bytes.insert(at, [0, 0xff][dice.roll(2)]),
                    _ => {
                        let end = (at + dice.roll(8)).min(bytes.len());
                        bytes[at..end].fill(0xff);
                    }
                }
            }
            let cage = Cage::new();
            let path = dir.path().join(name);
            fs::write(&path, &bytes).unwrap();
            let done = std::panic::catch_unwind(|| cage.extract(&path, limits(1 << 20)));
            assert!(done.is_ok(), "SEED {seed}, {name}, round {round}");
        }
    }
}

#[test]
fn a_full_disk_ends_it_before_anything_is_written() {
    let none = Limits { reserve: u64::MAX, ..limits(1 << 20) };
    let done = extracted(&Cage::new(), "a.zip", &zip(&[Raw::new("a", "x")], 1), none);
    assert!(done.as_ref().is_err_and(ArchiveError::is_disk_full), "{done:?}");
}

#[test]
fn what_is_no_archive() {
    for name in ["a.zip", "a.7z", "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2", "a.tar.zst"] {
        for bytes in [&b""[..], b"x", &[0; 3000], &[0xff; 3000]] {
            let done = extracted(&Cage::new(), name, bytes, limits(1 << 20));
            assert!(matches!(done, Err(ArchiveError::Broken(_))), "{name} {}: {done:?}", bytes.len());
        }
    }
}
