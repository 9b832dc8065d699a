use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, mkdirat, openat, renameat};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::server::folder;
use crate::stats::disk_usage;

fn never() -> CancellationToken {
    CancellationToken::new()
}

fn opened(path: &Path) -> OwnedFd {
    openat(CWD, path, FOLDER, Mode::empty()).unwrap()
}

/// Folders in each other, with a file at the bottom. Gives the handle of the last.
fn nest(top: &Path, levels: usize, name: &str) -> OwnedFd {
    let mut here = opened(top);
    for _ in 0..levels {
        mkdirat(&here, name, Mode::RWXU).unwrap();
        here = openat(&here, name, FOLDER, Mode::empty()).unwrap();
    }
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CREATE;
    openat(&here, "bottom", flags, Mode::RUSR | Mode::WUSR).unwrap();
    here
}

/// What is done at a path.
type Act = Box<dyn FnMut(&[u8])>;

/// Remembers what it was shown.
#[derive(Default)]
struct Seen {
    entered: usize,
    left: usize,
    others: Vec<Vec<u8>>,
    missed: Vec<(Vec<u8>, Missed)>,
    deep: usize,
    on_enter: Option<Act>,
}

impl Visitor for Seen {
    type Error = Stopped;

    fn enter(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, Stopped> {
        self.entered += 1;
        if let Some(act) = &mut self.on_enter {
            act(at.path);
        }
        Ok(true)
    }

    fn leave(&mut self, at: &At<'_>, folder: BorrowedFd<'_>) -> Result<Next, Stopped> {
        self.left += 1;
        let by_name = rustix::fs::statat(at.parent, at.name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
        assert_eq!(
            by_name.st_ino,
            rustix::fs::fstat(folder).unwrap().st_ino,
            "the way back is the right one"
        );
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), Stopped> {
        self.others.push(at.path.to_owned());
        Ok(())
    }

    fn too_deep(&mut self, _at: &At<'_>) -> Result<(), Stopped> {
        self.deep += 1;
        Ok(())
    }

    fn missed(&mut self, path: &[u8], why: Missed) -> Result<(), Stopped> {
        self.missed.push((path.to_owned(), why));
        Ok(())
    }
}

#[test]
fn everything_is_seen_once_also_far_from_the_top() {
    let dir = tempfile::tempdir().unwrap();
    // Wide at each of more levels than are held open.
    let mut here = dir.path().to_owned();
    for level in 0..20 {
        for n in 0..40 {
            fs::write(here.join(format!("f{n}")), "x").unwrap();
            fs::create_dir(here.join(format!("d{n}"))).unwrap();
        }
        here.push(format!("d{level}"));
    }
    let mut seen = Seen::default();
    walk(opened(dir.path()), Bounds::FAR, &never(), &mut seen).unwrap();
    assert_eq!((seen.entered, seen.left, seen.missed.len()), (800, 800, 0));
    let mut others = seen.others.clone();
    others.sort_unstable();
    others.dedup();
    assert_eq!((seen.others.len(), others.len()), (800, 800));
    assert!(others.contains(&b"d0/d1/d2/d3/d4/d5/d6/d7/d8/d9/d10/d11/f39".to_vec()));
}

#[test]
fn a_folder_that_is_moved_meanwhile_leads_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("canary"), "x").unwrap();
    fs::create_dir(dir.path().join("top")).unwrap();
    nest(&dir.path().join("top"), 30, "d");
    fs::create_dir(dir.path().join("top/z")).unwrap();
    let (top, aside) = (dir.path().join("top"), outside.path().join("aside"));
    let mut seen = Seen::default();
    let far = ["d"; 12].join("/");
    seen.on_enter = Some(Box::new(move |path| {
        if path.len() == 2 * 25 - 1 {
            fs::rename(top.join(&far), &aside).unwrap();
        }
    }));
    walk(opened(&dir.path().join("top")), Bounds::FAR, &never(), &mut seen).unwrap();
    assert!(seen.missed.iter().any(|(_, why)| *why == Missed::Changed), "{:?}", seen.missed);
    assert!(!seen.others.iter().any(|path| path.ends_with(b"canary")), "{:?}", seen.others);
}

#[test]
fn it_ends_when_nobody_wants_it_and_at_its_bounds() {
    let dir = tempfile::tempdir().unwrap();
    nest(dir.path(), 300, "d");
    let stop = never();
    let mut seen = Seen::default();
    let cancel = stop.clone();
    seen.on_enter = Some(Box::new(move |path| {
        if path.len() > 100 {
            cancel.cancel();
        }
    }));
    assert_eq!(walk(opened(dir.path()), Bounds::FAR, &stop, &mut seen), Err(Stopped));
    assert!(seen.entered < 150, "{}", seen.entered);
    for bounds in [Bounds { depth: 10, ..Bounds::FAR }, Bounds { path: 19, ..Bounds::FAR }] {
        let mut seen = Seen::default();
        walk(opened(dir.path()), bounds, &never(), &mut seen).unwrap();
        assert_eq!((seen.entered, seen.left, seen.deep), (10, 10, 1));
    }
}

/// Runs one of the tests below by itself, with few file descriptors.
fn with_few_descriptors(test: &str) {
    let binary = std::env::current_exe().unwrap();
    let script = "ulimit -n 64 && exec \"$0\" --exact \"$1\" --nocapture --include-ignored --test-threads 1";
    let ran = std::process::Command::new("sh").args(["-c", script]).arg(binary).arg(test).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn fifteen_thousand_folders_in_each_other_with_few_descriptors() {
    with_few_descriptors("fs::tests::far_down");
}

#[test]
#[ignore = "the test before runs it with few descriptors"]
fn far_down() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("top");
    fs::create_dir(&top).unwrap();
    let levels = 15_000;
    drop(nest(&top, levels, "d"));
    // On a stack on which a call per folder would not end well.
    let work = move || {
        let usage = disk_usage(&top, &never()).unwrap();
        assert_eq!((usage.files, usage.complete), (levels as u64 + 2, true));
        if folder::may_give() {
            let made = tempfile::tempdir().unwrap();
            fs::create_dir(folder::servers(made.path())).unwrap();
            fs::rename(&top, folder::of(made.path(), "a")).unwrap();
            let bottom = folder::prepare(made.path(), "a", Some((988, 987)), &never());
            assert_eq!(fs::metadata(bottom.unwrap()).unwrap().uid(), 988);
            fs::rename(folder::of(made.path(), "a"), &top).unwrap();
        }
        remove(&top, &never()).unwrap();
        assert!(!top.exists());
    };
    std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn names_that_are_no_text_closed_folders_links_pipes_and_what_is_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("canary"), "x").unwrap();
    let top = dir.path().join("top");
    let odd = top.join(std::ffi::OsStr::from_bytes(b"\xff\n\x1b[31m"));
    fs::create_dir_all(odd.join("closed/in")).unwrap();
    fs::write(odd.join("closed/in/f"), "x").unwrap();
    symlink(outside.path(), odd.join("out")).unwrap();
    symlink(outside.path().join("canary"), odd.join("closed/file")).unwrap();
    fs::hard_link(outside.path().join("canary"), odd.join("second")).unwrap();
    rustix::fs::mknodat(CWD, odd.join("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
    for closed in [odd.join("closed/in"), odd.join("closed"), odd] {
        fs::set_permissions(closed, fs::Permissions::from_mode(0o0)).unwrap();
    }
    remove(&top, &never()).unwrap();
    assert!(!top.exists());
    assert_eq!(fs::read(outside.path().join("canary")).unwrap(), b"x");
    remove(&top, &never()).unwrap();
    fs::write(&top, "x").unwrap();
    remove(&top, &never()).unwrap();
    symlink(outside.path(), &top).unwrap();
    remove(&top, &never()).unwrap();
    assert!(fs::symlink_metadata(&top).is_err() && outside.path().join("canary").exists());
}

#[test]
fn somebody_who_adds_meanwhile_does_not_keep_it_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("top");
    fs::create_dir_all(top.join("a")).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in (0_u64..).take_while(|_| !over.load(Ordering::Relaxed)) {
                let _ = fs::create_dir_all(top.join(format!("a/b{}/c{n}", n % 7)));
            }
        });
        while !top.join("a/b6").exists() {
            std::thread::yield_now();
        }
        let began = Instant::now();
        let removed = super::remove::remove_within(&top, &never(), Duration::from_secs(1));
        let took = began.elapsed();
        over.store(true, Ordering::Relaxed);
        assert!(took < Duration::from_secs(30), "{took:?}, {removed:?}");
    });
    remove(&top, &never()).unwrap();
}

#[test]
fn links_in_place_of_folders_meanwhile_lead_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("canary"), "x").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link");
    symlink(outside.path(), &link).unwrap();
    for _ in 0..100 {
        let top = dir.path().join("top");
        fs::create_dir_all(top.join("a/b")).unwrap();
        for n in 0..20 {
            fs::write(top.join(format!("a/b/{n}")), "x").unwrap();
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20 {
                    let (folder, kept) = (top.join("a/b"), top.join("a/kept"));
                    if renameat(CWD, &folder, CWD, &kept).is_ok() {
                        let _ = symlink(outside.path(), &folder);
                        let _ = fs::remove_file(&folder);
                        let _ = renameat(CWD, &kept, CWD, &folder);
                    }
                }
            });
            let _ = remove(&top, &never());
        });
        remove(&top, &never()).unwrap();
        assert!(outside.path().join("canary").exists());
    }
}

#[test]
fn what_cannot_be_removed_is_said_and_the_rest_goes() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("top");
    fs::create_dir_all(top.join("a/mounted")).unwrap();
    fs::write(top.join("z"), "x").unwrap();
    let mounted = top.join("a/mounted");
    let mount =
        |args: &[&str]| std::process::Command::new(args[0]).args(&args[1..]).status().unwrap().success();
    let path = mounted.to_str().unwrap();
    if !mount(&["mount", "-t", "tmpfs", "cap-test", path]) {
        return;
    }
    fs::write(mounted.join("canary"), "x").unwrap();
    let removed = remove(&top, &never());
    let there = (mounted.join("canary").exists(), top.join("z").exists());
    assert!(mount(&["umount", path]));
    let error: io::Error = removed.unwrap_err();
    assert!(
        error.to_string().contains("a/mounted") && error.to_string().contains("mounted there"),
        "{error}"
    );
    assert_eq!(there, (true, false));
    remove(&top, &never()).unwrap();
}

#[test]
fn a_path_in_a_message_is_short_and_readable() {
    assert_eq!(shown(b"world/level.dat"), "world/level.dat");
    assert_eq!(shown(b"a\n\x1b[31m"), "a\\n\\u{1b}[31m");
    let long = shown(&[b'd'; 100_000]);
    assert!(long.len() < 200, "{long}");
    let _: PathBuf = long.into();
}
