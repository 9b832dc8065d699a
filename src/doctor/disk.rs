//! The data folder's disk: file system, mount options and speed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent::host::{Sources, space};

use super::views::Finding;

/// Limits of the speed test in bytes and time.
const PROBE: usize = 8 << 20;
const PROBE_TIME: Duration = Duration::from_secs(2);
const CHUNK: usize = 1 << 20;
/// Number of small synced writes, similar to those of the database.
const COMMITS: u32 = 12;
/// Free space in bytes below which no speed test is made.
const ROOM: u64 = 64 << 20;

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    at: PathBuf,
    kind: String,
    from: String,
    options: Vec<String>,
}

/// The mount that contains a path.
pub(super) fn mount_of(sources: &Sources, path: &Path) -> Option<Mount> {
    let table = sources.proc("self/mountinfo");
    let mounts = table.lines().filter_map(mount);
    // Of several mounts at the same place, the last one is visible.
    mounts.filter(|mount| path.starts_with(&mount.at)).fold(None, |best: Option<Mount>, mount| match best {
        Some(best) if best.at.components().count() > mount.at.components().count() => Some(best),
        _ => Some(mount),
    })
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn mount(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let front: Vec<&str> = front.split(' ').collect();
    let mut back = back.split(' ');
    Some(Mount {
        at: unescaped(front.get(4)?).into(),
        options: front.get(5)?.split(',').map(str::to_owned).collect(),
        kind: back.next()?.to_owned(),
        from: unescaped(back.next().unwrap_or_default()),
    })
}

/// Unescapes spaces and similar characters, written as `\040`.
fn unescaped(text: &str) -> String {
    ["\\040", "\\011", "\\012"]
        .iter()
        .zip([" ", "\t", "\n"])
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
        .replace("\\134", "\\")
}

/// Problems with the file system or its mount options.
pub(super) fn place(mount: &Mount, data_dir: &Path) -> Vec<Finding> {
    let (at, kind) = (data_dir.display(), mount.kind.as_str());
    let has = |option: &str| mount.options.iter().any(|found| found == option);
    let mut found = Vec::new();
    match kind {
        "tmpfs" | "ramfs" => found.push(Finding::problem(
            "disk",
            "folder_in_memory",
            "The data lies in memory",
            format!("{at} is on a {kind}: everything is gone when the machine restarts."),
            "Choose a folder on a disk by DATA_DIR in /etc/default/ctrl-alt-play, and move the data there.",
        )),
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "9p" | "afs" | "ceph" | "fuse.sshfs" | "fuse.glusterfs"
        | "fuse.rclone" => found.push(Finding::warning(
            "disk",
            "folder_on_network",
            "The data lies on a network drive",
            format!("{at} is on {kind} ({}): a break of the network stops the panel, and locks are not to be relied on.", mount.from),
            "Keep the data folder on a disk of this machine, and copies on the network drive.",
        )),
        "vfat" | "exfat" | "msdos" | "ntfs" | "ntfs3" | "fuseblk" => found.push(Finding::problem(
            "disk",
            "folder_without_owners",
            "This file system knows no owners",
            format!("{at} is on {kind}: secrets can't be kept from other users, and games can't own their files."),
            "Use a disk with ext4, XFS or Btrfs: DATA_DIR in /etc/default/ctrl-alt-play.",
        )),
        "overlay" | "aufs" => found.push(Finding::warning(
            "disk",
            "folder_in_container",
            "The data lies inside of a container",
            format!("{at} belongs to the container's own layer: it is gone with the container."),
            "Mount a folder of the host there (`docker run -v /srv/ctrl-alt-play:/var/lib/ctrl-alt-play …`).",
        )),
        _ => {}
    }
    if has("noexec") {
        found.push(Finding::warning(
            "disk",
            "folder_noexec",
            "Nothing can be run from the data folder",
            format!(
                "{} is mounted with noexec: games that lie in their folder (SteamCMD, Terraria) can't start.",
                mount.at.display()
            ),
            &format!(
                "`sudo mount -o remount,exec {}`, and take noexec out of its line in /etc/fstab.",
                mount.at.display()
            ),
        ));
    }
    if mount.from.starts_with("/dev/mmcblk") {
        found.push(Finding::note(
            "disk",
            "memory_card",
            "The data lies on a memory card",
            format!("{at} is on {}: cards wear out by writing, and games write much.", mount.from),
            "A USB disk lasts longer. Keep copies elsewhere: `ctrl-alt-play db backup FILE`, and the folder `servers`.",
        ));
    }
    if found.is_empty() {
        let nosuid = if has("nosuid") { ", nosuid" } else { "" };
        let detail = format!("{at} lies on {} ({kind}{nosuid}).", mount.from);
        found.push(Finding::ok("disk", "folder_place", "Where the data lies", detail));
    }
    found
}

/// Result of the speed test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speed {
    /// Bytes per second.
    rate: f64,
    /// Median duration of a small write with fsync.
    commit: Duration,
}

/// Writes up to 8 MiB for up to 2 s and removes them. `None` if there is too little free space.
pub(super) fn measure(data_dir: &Path) -> io::Result<Option<Speed>> {
    let room =
        space::file_system(data_dir).is_some_and(|fs| fs.space.total.saturating_sub(fs.space.used) > ROOM);
    if !room {
        return Ok(None);
    }
    let path = data_dir.join(".doctor-probe");
    // Left by a killed run. Created anew without following links: root may be running this in another user's folder.
    let _ = std::fs::remove_file(&path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let measured = write(&mut file);
    let removed = std::fs::remove_file(&path);
    let speed = measured?;
    removed?;
    Ok(Some(speed))
}

fn write(file: &mut File) -> io::Result<Speed> {
    let began = Instant::now();
    let mut commits = Vec::new();
    for turn in 0..COMMITS {
        let start = Instant::now();
        file.write_all(&[turn.to_le_bytes()[0]; 4096])?;
        file.sync_data()?;
        commits.push(start.elapsed());
        if began.elapsed() > PROBE_TIME / 2 {
            break;
        }
    }
    commits.sort();
    // Not zeros, because some cards and file systems compress those.
    let chunk: Vec<u8> =
        (0..CHUNK).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let (start, mut written) = (Instant::now(), 0);
    while written < PROBE && began.elapsed() < PROBE_TIME {
        file.write_all(&chunk)?;
        file.sync_data()?;
        written += CHUNK;
    }
    let rate = written as f64 / start.elapsed().as_secs_f64().max(1e-6);
    Ok(Speed { rate, commit: commits[commits.len() / 2] })
}

/// The result as a finding.
pub(super) fn speed(measured: &io::Result<Option<Speed>>, data_dir: &Path) -> Finding {
    let unknown = |detail: String, advice| {
        Finding::note("disk", "disk_speed_unknown", "The disk's speed was not measured", detail, advice)
    };
    let speed = match measured {
        Ok(Some(speed)) => speed,
        Ok(None) => {
            let advice = "Make room first (`docker image prune`).";
            return unknown("There is too little room to try it.".to_owned(), advice);
        }
        Err(cause) => {
            let detail = format!("{} could not be written to: {cause}.", data_dir.display());
            let advice = "Ask as root or as the panel's user: `sudo ctrl-alt-play doctor`.";
            return unknown(detail, advice);
        }
    };
    let (rate, commit) = (speed.rate / 1e6, speed.commit.as_secs_f64() * 1e3);
    let detail = format!("{rate:.0} MB/s of writing that lasts, {commit:.1} ms for a small write.");
    if commit > 100.0 || rate < 4.0 {
        let advice = "Worlds are saved slowly, and the panel answers late while games save. A USB SSD costs little and is \
                      many times as fast; a slow or old memory card is the usual reason.";
        return Finding::warning("disk", "disk_slow", "The disk is slow", detail, advice);
    }
    Finding::ok("disk", "disk_speed", "Disk speed", detail)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tree, codes};
    use super::*;

    fn tree(line: &str) -> Tree {
        let table = format!("22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n{line}\n");
        Tree::new(&[("proc/self/mountinfo", &table)])
    }

    fn placed(line: &str) -> Vec<String> {
        let data = Path::new("/mnt/my disk/games");
        codes(&place(&mount_of(&tree(line).sources(), data).unwrap(), data))
    }

    #[test]
    fn the_deepest_mount_counts() {
        let tree = tree("30 22 8:2 / /mnt/my\\040disk rw,noexec - xfs /dev/sdb1 rw");
        let mount = |path: &str| mount_of(&tree.sources(), Path::new(path)).unwrap();
        assert_eq!(mount("/mnt/my disk/games").from, "/dev/sdb1");
        assert_eq!(mount("/mnt/my").from, "/dev/sda1");
    }

    #[test]
    fn places_that_are_no_good() {
        let on = |kind: &str, from: &str, options: &str| {
            placed(&format!("30 22 8:2 / /mnt/my\\040disk {options} shared:2 - {kind} {from} rw"))
        };
        assert_eq!(on("ext4", "/dev/sdb1", "rw,nosuid"), ["folder_place"]);
        assert_eq!(on("tmpfs", "tmpfs", "rw"), ["folder_in_memory"]);
        assert_eq!(on("nfs4", "nas:/x", "rw"), ["folder_on_network"]);
        assert_eq!(on("exfat", "/dev/sdb1", "rw"), ["folder_without_owners"]);
        assert_eq!(on("overlay", "overlay", "rw"), ["folder_in_container"]);
        assert_eq!(on("ext4", "/dev/mmcblk0p2", "rw,noexec"), ["folder_noexec", "memory_card"]);
    }

    #[test]
    fn the_probe_is_bounded_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".doctor-probe"), "of a run that was killed").unwrap();
        let began = Instant::now();
        let measured = measure(folder.path()).unwrap().expect("there is room");
        assert!(began.elapsed() < PROBE_TIME * 3, "{:?}", began.elapsed());
        assert!(measured.rate > 0.0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(measure(&folder.path().join("none")).is_err());
    }

    #[test]
    fn slow_disks_are_told_apart() {
        let of = |rate, milliseconds| {
            let measured = Speed { rate, commit: Duration::from_millis(milliseconds) };
            speed(&Ok(Some(measured)), Path::new("/x")).code
        };
        assert_eq!(of(50e6, 2), "disk_speed");
        assert_eq!(of(2e6, 2), "disk_slow");
        assert_eq!(of(50e6, 300), "disk_slow");
        assert_eq!(speed(&Ok(None), Path::new("/x")).code, "disk_speed_unknown");
    }
}
