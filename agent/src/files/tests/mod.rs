use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};

use super::text::read;
use super::*;
use crate::server::folder;

mod archives;
mod contents;
mod operations;
mod panel;
mod trash;
mod uploads;

fn write(root: &RootDir, path: &str, content: &str) -> Result<(), FileError> {
    super::text::write(root, None, path, content)
}

/// A server's folder, and something beside it that must never change.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("servers/1")).unwrap();
        fs::create_dir_all(dir.path().join("servers/10")).unwrap();
        fs::create_dir_all(dir.path().join("outside")).unwrap();
        for canary in ["secret", "outside/x", "outside/passwd", "servers/10/x"] {
            fs::write(dir.path().join(canary), "canary").unwrap();
        }
        Self { dir }
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join("servers/1").join(path)
    }

    fn root(&self) -> RootDir {
        RootDir::open(&self.at("")).unwrap()
    }

    fn untouched(&self) {
        for canary in ["secret", "outside/x", "outside/passwd", "servers/10/x"] {
            let path = self.dir.path().join(canary);
            assert_eq!(fs::read_to_string(&path).unwrap(), "canary", "{canary}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644, "{canary}");
        }
        assert_eq!(fs::read_dir(self.dir.path().join("outside")).unwrap().count(), 2);
        assert_eq!(fs::read_dir(self.dir.path()).unwrap().count(), 3);
    }

    fn refused(&self, path: &str) -> [ErrorCode; 2] {
        let read = read(&self.root(), path).unwrap_err().code();
        let written = write(&self.root(), path, "x").unwrap_err().code();
        [read, written]
    }
}

/// Refused so, to read and to write.
fn both(code: ErrorCode) -> [ErrorCode; 2] {
    [code.clone(), code]
}

#[test]
fn a_text_is_written_whole_and_read_again() {
    let place = Place::new();
    let root = place.root();
    write(&root, "server.properties", "motd=Grüße\n").unwrap();
    assert_eq!(read(&root, "server.properties").unwrap(), "motd=Grüße\n");
    write(&root, "./server.properties", "").unwrap();
    assert_eq!(read(&root, "server.properties").unwrap(), "");
    fs::create_dir(place.at("plugins")).unwrap();
    write(&root, "plugins//a.yml", "a: 1").unwrap();
    assert_eq!(fs::read_to_string(place.at("plugins/a.yml")).unwrap(), "a: 1");
    // Nothing is left beside.
    assert_eq!(fs::read_dir(place.at("plugins")).unwrap().count(), 1);
}

#[test]
fn mode_and_owner_stay_and_new_files_belong_to_the_game() {
    let place = Place::new();
    let root = place.root();
    fs::write(place.at("run.sh"), "old").unwrap();
    fs::set_permissions(place.at("run.sh"), fs::Permissions::from_mode(0o4755)).unwrap();
    write(&root, "run.sh", "new").unwrap();
    let meta = fs::metadata(place.at("run.sh")).unwrap();
    assert_eq!(meta.permissions().mode() & 0o7777, 0o755, "no setuid, else as it was");
    if !folder::may_give() {
        return;
    }
    std::os::unix::fs::chown(place.at("run.sh"), Some(1234), Some(1235)).unwrap();
    std::os::unix::fs::chown(place.at(""), Some(988), Some(987)).unwrap();
    write(&root, "run.sh", "newer").unwrap();
    write(&root, "fresh", "x").unwrap();
    let owner = |name: &str| {
        let meta = fs::metadata(place.at(name)).unwrap();
        (meta.uid(), meta.gid())
    };
    assert_eq!((owner("run.sh"), owner("fresh")), ((1234, 1235), (988, 987)));
}

#[test]
fn no_words_lead_out() {
    let place = Place::new();
    for path in ["../secret", "/../secret", "a/../../secret", "/a/../x", "..", "/..", "../10/x", "a/.."] {
        assert_eq!(place.refused(path), both(ErrorCode::PathEscape), "{path}");
    }
    // Plain names of files that are not there.
    for path in ["..%2f..%2fetc%2fpasswd", "....//x", "%2e%2e/x", "a/b", "/etc/passwd", "//etc/passwd"] {
        assert_eq!(read(&place.root(), path).unwrap_err().code(), ErrorCode::NotFound, "{path}");
    }
    write(&place.root(), "..\\..\\x", "a name like any other").unwrap();
    assert!(place.at("..\\..\\x").exists());
    for path in ["", "a\0b", &"n".repeat(256), &"d/".repeat(2_100)] {
        assert_eq!(place.refused(path), both(ErrorCode::Invalid), "{path:?}");
    }
    fs::write(place.at("file"), "x").unwrap();
    assert_eq!(place.refused("file/x"), both(ErrorCode::Invalid));
    assert_eq!(place.refused("/file/x"), both(ErrorCode::Invalid));
    place.untouched();
}

#[test]
fn a_path_from_the_servers_folder_is_the_same_as_one_without_a_slash() {
    let place = Place::new();
    let root = place.root();
    write(&root, "/a.txt", "one").unwrap();
    assert_eq!(read(&root, "a.txt").unwrap(), "one");
    write(&root, "a.txt", "two").unwrap();
    assert_eq!(read(&root, "//a.txt").unwrap(), "two");
    for folder in ["/", "//", ".", "/."] {
        assert_eq!(place.refused(folder), both(ErrorCode::NotRegular), "{folder}");
    }
    write(&root, "/etc/passwd", "its own").unwrap();
    assert_eq!(fs::read_to_string(place.at("etc/passwd")).unwrap(), "its own");
    assert_eq!(place.refused("/etc/"), both(ErrorCode::NotRegular));
    place.untouched();
}

#[test]
fn folders_above_what_is_written_are_made_and_are_the_games() {
    let place = Place::new();
    let root = place.root();
    if folder::may_give() {
        std::os::unix::fs::chown(place.at(""), Some(988), Some(987)).unwrap();
    }
    fs::create_dir(place.at("a")).unwrap();
    symlink("a", place.at("linked")).unwrap();
    write(&root, "linked/b//./c/d.txt", "x").unwrap();
    assert_eq!(fs::read_to_string(place.at("a/b/c/d.txt")).unwrap(), "x");
    for made in ["a/b", "a/b/c"] {
        let meta = fs::metadata(place.at(made)).unwrap();
        let wanted = if folder::may_give() { (988, 987) } else { folder::own_ids() };
        assert_eq!((meta.uid(), meta.gid(), meta.permissions().mode() & 0o777), (wanted.0, wanted.1, 0o755));
    }
    // Reading makes nothing.
    assert_eq!(read(&root, "z/y").unwrap_err().code(), ErrorCode::NotFound);
    assert!(!place.at("z").exists());
    symlink("../../outside", place.at("out")).unwrap();
    symlink("../../outside/new", place.at("dang")).unwrap();
    symlink("nowhere", place.at("empty")).unwrap();
    fs::write(place.at("file"), "x").unwrap();
    for (path, code) in [
        ("out/new/x", ErrorCode::PathEscape),
        ("dang/x", ErrorCode::PathEscape),
        ("dang/new/x", ErrorCode::PathEscape),
        ("file/new/x", ErrorCode::Invalid),
        ("new/../x", ErrorCode::PathEscape),
    ] {
        assert_eq!(write(&root, path, "x").unwrap_err().code(), code, "{path}");
    }
    assert!(write(&root, "empty/new/x", "x").is_err(), "a link to nowhere is not made somewhere");
    assert!(!place.at("nowhere").exists() && !place.at("new").exists());
    place.untouched();
}

#[test]
fn no_link_leads_out() {
    let place = Place::new();
    symlink(place.dir.path().join("outside"), place.at("ext")).unwrap();
    symlink("../../outside", place.at("rel")).unwrap();
    symlink("../../nope", place.at("dang")).unwrap();
    symlink("dang", place.at("chain")).unwrap();
    symlink("loop", place.at("loop")).unwrap();
    symlink(place.dir.path().join("secret"), place.at("s")).unwrap();
    symlink("/proc/self/root/etc/passwd", place.at("magic")).unwrap();
    symlink(place.at("inside"), place.at("absolute")).unwrap();
    fs::write(place.at("inside"), "x").unwrap();
    for path in ["ext/x", "ext/passwd", "rel/x", "rel/new", "loop/x"] {
        assert_eq!(place.refused(path), both(ErrorCode::PathEscape), "{path}");
    }
    for path in ["dang", "chain", "loop", "s", "magic", "absolute", "ext"] {
        assert_eq!(place.refused(path), [ErrorCode::PathEscape, ErrorCode::NotRegular], "{path}");
    }
    // One that stays inside may be read, and is not replaced by what is written.
    symlink("inside", place.at("good")).unwrap();
    assert_eq!(read(&place.root(), "good").unwrap(), "x");
    assert_eq!(write(&place.root(), "good", "y").unwrap_err().code(), ErrorCode::NotRegular);
    place.untouched();
}

#[test]
fn the_folder_itself_may_be_no_link() {
    let place = Place::new();
    symlink(place.dir.path().join("outside"), place.dir.path().join("servers/2")).unwrap();
    assert!(RootDir::open(&place.dir.path().join("servers/2")).is_err());
    assert_eq!(RootDir::open(&place.dir.path().join("servers/3")).unwrap_err().code(), ErrorCode::NotFound);
}

#[test]
fn what_is_no_plain_file_is_refused_at_once() {
    let place = Place::new();
    mknodat(CWD, place.at("pipe"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    let _socket = UnixListener::bind(place.at("socket")).unwrap();
    fs::create_dir(place.at("folder")).unwrap();
    let mut names = vec!["pipe", "socket", "folder"];
    if folder::may_give() {
        let null = rustix::fs::makedev(1, 3);
        let made =
            mknodat(CWD, place.at("null"), FileType::CharacterDevice, Mode::from_raw_mode(0o666), null);
        names.extend(made.is_ok().then_some("null"));
    }
    for name in names {
        let began = Instant::now();
        assert_eq!(place.refused(name), both(ErrorCode::NotRegular), "{name}");
        assert!(began.elapsed() < Duration::from_secs(1), "{name} held us up");
    }
    for name in ["folder/", "folder/."] {
        assert_eq!(write(&place.root(), name, "x").unwrap_err().code(), ErrorCode::NotRegular);
    }
}

#[test]
fn sizes_and_texts() {
    let place = Place::new();
    let root = place.root();
    let most = "x".repeat(MOST);
    write(&root, "most", &most).unwrap();
    assert_eq!(read(&root, "most").unwrap().len(), MOST);
    assert_eq!(write(&root, "more", &format!("{most}x")).unwrap_err().code(), ErrorCode::FileTooLarge);
    assert!(!place.at("more").exists());
    fs::write(place.at("more"), format!("{most}x")).unwrap();
    assert_eq!(read(&root, "more").unwrap_err().code(), ErrorCode::FileTooLarge);
    // A terabyte that takes no room is not read to find out.
    fs::File::create(place.at("sparse")).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(read(&root, "sparse").unwrap_err().code(), ErrorCode::FileTooLarge);
    fs::write(place.at("image.png"), [0x89, b'P', 0xff]).unwrap();
    let error = read(&root, "image.png").unwrap_err();
    assert_eq!(
        (error.code(), error.sentence().as_str()),
        (ErrorCode::NotText, "The file is no text in UTF-8.")
    );
}

/// A disk of 64 KiB, where we may make one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=64k", "none"];
        let made = std::process::Command::new("mount").args(mount).arg(dir.path()).status();
        made.is_ok_and(|status| status.success()).then(|| Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_beside_it() {
    // Only root may; elsewhere the rest of the tests has to do.
    let Some(disk) = SmallDisk::new() else { return };
    let root = RootDir::open(disk.0.path()).unwrap();
    write(&root, "world.txt", "the old world").unwrap();
    let error = write(&root, "world.txt", &"x".repeat(200_000)).unwrap_err();
    assert_eq!((error.code(), error.sentence().as_str()), (ErrorCode::DiskFull, "The disk is full."));
    assert_eq!(read(&root, "world.txt").unwrap(), "the old world");
    assert_eq!(fs::read_dir(disk.0.path()).unwrap().count(), 1);
}

/// Says that it is over, also where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A game that swaps a folder for a link to outside, again and again, while files below it are read and written.
#[test]
fn a_race_is_lost_by_the_game() {
    let place = Place::new();
    fs::create_dir(place.at("dir")).unwrap();
    fs::write(place.at("dir/x"), "inside").unwrap();
    symlink(place.dir.path().join("outside"), place.at("link")).unwrap();
    let over = AtomicBool::new(false);
    let rounds = if std::env::var_os("LONG").is_some() { 10_000 } else { 1_500 };
    let (mut in_time, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let swapped =
                    renameat_with(CWD, place.at("dir"), CWD, place.at("link"), RenameFlags::EXCHANGE);
                swapped.unwrap();
            }
        });
        let _over = Over(&over);
        let root = place.root();
        let began = std::time::Instant::now();
        let mut round = 0;
        // On a busy machine one side may not have had its turn by then.
        while round < rounds
            || ((in_time == 0 || refused == 0) && began.elapsed() < std::time::Duration::from_secs(30))
        {
            round += 1;
            let outcome = if round % 2 == 0 {
                write(&root, "dir/x", "inside")
            } else {
                read(&root, "dir/x").map(|text| assert_eq!(text, "inside"))
            };
            match outcome {
                Ok(()) => in_time += 1,
                Err(error) => {
                    assert!(
                        [ErrorCode::PathEscape, ErrorCode::Busy, ErrorCode::NotFound].contains(&error.code()),
                        "{error}"
                    );
                    refused += 1;
                }
            }
        }
    });
    assert!(in_time > 0 && refused > 0, "no race: {in_time} went well, {refused} were refused");
    place.untouched();
}
