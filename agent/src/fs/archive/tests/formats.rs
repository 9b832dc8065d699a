//! Archives of all formats: ours by the tools that people have, and theirs by us.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rustix::fd::AsFd;
use rustix::fs::{CWD, FileType, Mode};
use tokio_util::sync::CancellationToken;

use super::super::*;
use super::people::*;

const WRITABLE: [(&str, Format); 4] = [
    ("a.zip", Format::Zip),
    ("a.tar", Format::Tar),
    ("a.tar.gz", Format::TarGz),
    ("a.tar.zst", Format::TarZst),
];

/// Bytes that nothing packs.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(step).collect()
}

fn tree(top: &Path) {
    fs::create_dir_all(top.join("world/region/empty")).unwrap();
    fs::write(top.join("server.properties"), "motd=Grüße\n").unwrap();
    fs::write(top.join("world/level.dat"), noise(700_000)).unwrap();
    fs::write(top.join("world/region/r.0.0.mca"), b"region ".repeat(500_000)).unwrap();
    fs::write(top.join("world/nothing"), "").unwrap();
    fs::write(top.join("world/two\nlines"), "x").unwrap();
    fs::write(top.join("Ünïcode ☃"), "x").unwrap();
    fs::write(top.join("start.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(top.join("start.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(top.join(format!("{}/{}", "world", "n".repeat(200))), "long").unwrap();
    symlink("level.dat", top.join("world/link")).unwrap();
}

fn make(top: &Path, format: Format, to: &Path) -> Outcome {
    let root = open(top).unwrap();
    let file = fs::File::create(to).unwrap();
    let (done, _) = create(root.as_fd(), &[Vec::new()], format, None, file, &mut silent()).unwrap();
    done
}

fn run(command: &mut Command) {
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn what_we_make_we_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    tree(&from);
    fs::write(from.join(std::ffi::OsStr::from_bytes(b"no-text-\xff")), "x").unwrap();
    for (name, format) in WRITABLE {
        let archive = dir.path().join(name);
        let made = make(&from, format, &archive);
        assert_eq!((made.entries, made.skipped_count), (13, 0), "{name}");
        let cage = Cage::new();
        let done = cage.extract(&archive, Limits::of(1 << 30, None)).unwrap();
        assert_eq!((done.entries, done.bytes, done.skipped_count), (13, made.bytes, 0), "{name}");
        if format == Format::Zip {
            // There names are text, of a code page or another.
            let odd = cage.to.join("no-text-\u{a0}");
            fs::rename(odd, cage.to.join(std::ffi::OsStr::from_bytes(b"no-text-\xff"))).unwrap();
        }
        assert_eq!(seen(&cage.to), seen(&from), "{name}");
        cage.staging_is_empty();
    }
}

#[test]
fn what_we_make_others_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    tree(&from);
    // The C locale's unzip shows what is no ASCII in a way of its own.
    fs::remove_file(from.join("Ünïcode ☃")).unwrap();
    for (name, format) in WRITABLE {
        let archive = dir.path().join(name);
        make(&from, format, &archive);
        let to = tempfile::tempdir().unwrap();
        match format {
            Format::Zip => {
                run(Command::new("unzip").arg("-q").arg("-tq").arg(&archive));
                // Control characters in names need to be allowed there.
                run(Command::new("unzip").args(["-q", "-^"]).arg(&archive).arg("-d").arg(to.path()));
            }
            _ => run(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(to.path())),
        }
        assert_eq!(seen(to.path()), seen(&from), "{name}");
    }
}

#[test]
fn what_others_make_we_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    tree(&from);
    let made: [(&str, &str); 9] = [
        ("a.zip", "zip -q -r -y ../a.zip ."),
        ("stored.zip", "zip -q -r -y -0 ../stored.zip ."),
        ("stream.zip", "zip -q -r -y - . | cat > ../stream.zip"),
        ("a.tar", "tar -cf ../a.tar --format=posix ."),
        ("a.tgz", "tar -czf ../a.tgz --format=gnu *"),
        ("a.tar.xz", "tar -cJf ../a.tar.xz ."),
        ("a.tar.bz2", "tar -cjf ../a.tar.bz2 ."),
        ("a.tar.zst", "tar --zstd -cf ../a.tar.zst ."),
        ("a.7z", "7z a -bd -snl ../a.7z ."),
    ];
    for (name, command) in made {
        run(Command::new("sh").arg("-c").arg(command).current_dir(&from));
        let cage = Cage::new();
        let done = cage.extract(&dir.path().join(name), Limits::of(1 << 30, None)).unwrap();
        assert_eq!(done.skipped_count, 0, "{name}: {:?}", done.skipped);
        let (mut ours, mut theirs) = (seen(&cage.to), seen(&from));
        if name == "a.7z" {
            // Its names are text of sixteen bits.
            ours.retain(|entry| !entry.0.contains("two"));
            theirs.retain(|entry| !entry.0.contains("two"));
        }
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn what_cannot_be_packed_is_named_and_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    fs::write(from.join("good"), "x").unwrap();
    fs::write(from.join(".writing-0123456789abcdef"), "half").unwrap();
    rustix::fs::mknodat(CWD, from.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    for (name, format) in WRITABLE {
        let archive = dir.path().join(name);
        let file = fs::File::create(&archive).unwrap();
        let inside = file.try_clone().unwrap();
        let root = open(&from).unwrap();
        let paths = [
            b"good".to_vec(),
            b"pipe".to_vec(),
            b"not/there".to_vec(),
            b".writing-0123456789abcdef".to_vec(),
        ];
        let (done, _) =
            create(root.as_fd(), &paths, format, Some(inside.as_fd()), file, &mut silent()).unwrap();
        let named: Vec<&[u8]> = done.skipped.iter().map(|(path, _)| &path[..]).collect();
        assert_eq!((done.entries, named), (1, vec![&b"not/there"[..], b"pipe"]), "{name}");
    }
}

#[test]
fn a_selection_begins_where_its_paths_part_and_leaves_the_archive_out() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    tree(&from);
    let to = from.join("world/copy.zip");
    let file = fs::File::create(&to).unwrap();
    let inside = file.try_clone().unwrap();
    let root = open(&from).unwrap();
    let paths = [b"world/region".to_vec(), b"world/copy.zip".to_vec(), b"world/level.dat".to_vec()];
    create(root.as_fd(), &paths, Format::Zip, Some(inside.as_fd()), file, &mut silent()).unwrap();
    let cage = Cage::new();
    cage.extract(&to, Limits::of(1 << 30, None)).unwrap();
    let names: Vec<String> = seen(&cage.to).into_iter().map(|entry| entry.0).collect();
    assert_eq!(names, ["level.dat", "region", "region/empty", "region/r.0.0.mca"]);
}

#[test]
fn a_file_that_becomes_shorter_is_filled_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    for (name, format) in WRITABLE {
        fs::write(from.join("log"), noise(1 << 20)).unwrap();
        fs::write(from.join("next"), "x").unwrap();
        let (log, archive) = (from.join("log"), dir.path().join(name));
        let mut cut = false;
        let mut watch = Watch::new(
            CancellationToken::new(),
            Box::new(move |step| {
                if step.bytes > 0 && step.path == b"log" && !cut {
                    cut = true;
                    fs::File::options().write(true).open(&log).unwrap().set_len(300_000).unwrap();
                }
            }),
        );
        let root = open(&from).unwrap();
        let file = fs::File::create(&archive).unwrap();
        let (done, _) = create(root.as_fd(), &[Vec::new()], format, None, file, &mut watch).unwrap();
        assert_eq!((done.entries, done.skipped_count), (2, 1), "{name}");
        let cage = Cage::new();
        cage.extract(&archive, Limits::of(1 << 30, None)).unwrap();
        let log = fs::metadata(cage.to.join("log")).unwrap().len();
        assert_eq!(log, if format == Format::Zip { 300_000 } else { 1 << 20 }, "{name}");
        assert_eq!(fs::read(cage.to.join("next")).unwrap(), b"x", "{name}");
    }
}

#[test]
fn what_is_there_is_replaced_file_by_file() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    tree(&from);
    let archive = dir.path().join("a.zip");
    make(&from, Format::Zip, &archive);
    let cage = Cage::new();
    fs::create_dir_all(cage.to.join("world/region")).unwrap();
    fs::write(cage.to.join("world/own"), "kept").unwrap();
    fs::write(cage.to.join("world/level.dat"), "old").unwrap();
    let old = fs::File::open(cage.to.join("world/level.dat")).unwrap();
    // A folder where a file comes, a link and a pipe where others do.
    fs::create_dir(cage.to.join("start.sh")).unwrap();
    symlink("/etc/passwd", cage.to.join("server.properties")).unwrap();
    rustix::fs::mknodat(CWD, cage.to.join("world/nothing"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let passwd = fs::metadata("/etc/passwd").unwrap().ino();
    let done = cage.extract(&archive, Limits::of(1 << 30, None)).unwrap();
    let mut named: Vec<&[u8]> = done.skipped.iter().map(|(path, _)| &path[..]).collect();
    named.sort_unstable();
    assert_eq!(named, [&b"start.sh"[..], b"world/nothing"]);
    assert_eq!(fs::read(cage.to.join("world/own")).unwrap(), b"kept");
    assert_eq!(fs::read(cage.to.join("server.properties")).unwrap(), "motd=Grüße\n".as_bytes());
    assert_eq!(fs::metadata("/etc/passwd").unwrap().ino(), passwd);
    assert_eq!(fs::metadata(cage.to.join("world/level.dat")).unwrap().len(), 700_000);
    assert_eq!(old.metadata().unwrap().len(), 3, "whoever reads the old one has it to its end");
    assert!(cage.to.join("start.sh").is_dir());
}

#[test]
fn a_link_in_the_way_leads_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    tree(&from);
    let archive = dir.path().join("a.tar");
    make(&from, Format::Tar, &archive);
    let cage = Cage::new();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), cage.to.join("world")).unwrap();
    let done = cage.extract(&archive, Limits::of(1 << 30, None)).unwrap();
    assert_eq!(done.skipped, [(b"world".to_vec(), "something else has its name".to_owned())]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(cage.to.join("start.sh").is_file());
}

#[test]
fn what_is_called_off_or_cut_off_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    tree(&from);
    run(Command::new("sh")
        .arg("-c")
        .arg("7z a -bd ../a.7z . && tar -cJf ../a.tar.xz . && tar -cjf ../a.tar.bz2 .")
        .current_dir(&from));
    let others = ["a.7z", "a.tar.xz", "a.tar.bz2"];
    for name in WRITABLE.iter().map(|(name, _)| *name).chain(others) {
        let (format, archive) = (Format::of_name(name.as_bytes()).unwrap(), dir.path().join(name));
        if WRITABLE.iter().any(|(_, writable)| *writable == format) {
            make(&from, format, &archive);
        }
        let cage = Cage::new();
        fs::write(cage.to.join("server.properties"), "old").unwrap();
        let before = seen(&cage.to);
        let stop = CancellationToken::new();
        let cancel = stop.clone();
        let watch = Watch::new(
            stop,
            Box::new(move |step| {
                if step.bytes > 1 << 20 {
                    cancel.cancel();
                }
            }),
        );
        let called_off = cage.extract_watched(&archive, Limits::of(1 << 30, None), watch);
        assert!(matches!(called_off, Err(ArchiveError::Cancelled)), "{name}: {called_off:?}");
        assert_eq!(seen(&cage.to), before, "{name}");
        let whole = fs::read(&archive).unwrap();
        for part in [1, 3, 5, 8, 9] {
            let cut = dir.path().join(format!("cut-{name}"));
            fs::write(&cut, &whole[..whole.len() * part / 10]).unwrap();
            let cage = Cage::new();
            fs::write(cage.to.join("server.properties"), "old").unwrap();
            let before = seen(&cage.to);
            let done = cage.extract(&cut, Limits::of(1 << 30, None));
            assert!(matches!(done, Err(ArchiveError::Broken(_))), "{name} at {part}: {done:?}");
            assert_eq!(seen(&cage.to), before, "{name}");
        }
    }
}
