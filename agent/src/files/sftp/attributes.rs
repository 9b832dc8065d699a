//! What a client is told of a file.

use jiff::Timestamp;
use rustix::fs::{FileType, Stat};
use sftp::Attrs;

/// SFTP attributes of a stat.
pub(super) fn attrs(stat: &Stat) -> Attrs {
    let seconds = |seconds: i64| u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
    Attrs {
        size: Some(u64::try_from(stat.st_size).unwrap_or(0)),
        owner: Some((stat.st_uid, stat.st_gid)),
        permissions: Some(stat.st_mode),
        times: Some((seconds(stat.st_atime), seconds(stat.st_mtime))),
    }
}

/// A line as `ls -l` has it, in UTC.
pub(super) fn line(name: &[u8], stat: &Stat) -> Vec<u8> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        FileType::CharacterDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::RegularFile | FileType::Unknown => '-',
    };
    let mut mode = String::with_capacity(10);
    mode.push(kind);
    for (at, letter) in "rwxrwxrwx".chars().enumerate() {
        mode.push(if stat.st_mode & (0o400 >> at) != 0 { letter } else { '-' });
    }
    let time = Timestamp::from_second(stat.st_mtime).unwrap_or(Timestamp::UNIX_EPOCH);
    // Like `ls`: the time of day for half a year, then the year.
    let recent = time.duration_until(Timestamp::now()).as_hours().abs() < 24 * 182;
    let shown = time.strftime(if recent { "%b %e %H:%M" } else { "%b %e  %Y" });
    let (links, user, group, size) = (stat.st_nlink, stat.st_uid, stat.st_gid, stat.st_size);
    let mut line = format!("{mode} {links:>4} {user:<8} {group:<8} {size:>12} {shown} ").into_bytes();
    line.extend_from_slice(name);
    line
}
