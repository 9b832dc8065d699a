//! The content of a file into another.

use rustix::fd::AsFd;
use rustix::fs::{SeekFrom, copy_file_range, ftruncate, seek};
use rustix::io::{Errno, pread, pwrite};

use super::error::{FileError, meaning};

/// Bytes between two looks whether the copy is still wanted.
const STEP: u64 = 8 << 20;
/// Bytes at a time where the kernel does not copy by itself.
const BUFFER: usize = 256 * 1024;

/// Copies so many bytes of a file into an empty one, within the kernel where it can; holes stay holes. `step` is told of
/// bytes that are copied, and ends the copy with an error.
pub(crate) fn copy_content(
    from: impl AsFd,
    to: impl AsFd,
    size: u64,
    step: &mut dyn FnMut(u64) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let (from, to) = (from.as_fd(), to.as_fd());
    let mut by_kernel = true;
    let mut at = 0;
    while at < size {
        let (begin, end) = match seek(from, SeekFrom::Data(at)) {
            Ok(begin) => (begin, seek(from, SeekFrom::Hole(begin)).map_err(meaning("read it"))?),
            // Nothing but a hole is left.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => (at, size),
            Err(errno) => return Err(meaning("read it")(errno)),
        };
        at = begin;
        let end = end.min(size);
        while at < end {
            let most = (end - at).min(STEP);
            let copied = if by_kernel {
                let (mut read, mut written) = (at, at);
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                match copy_file_range(from, Some(&mut read), to, Some(&mut written), most) {
                    Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                        by_kernel = false;
                        continue;
                    }
                    done => done.map_err(meaning("copy it"))? as u64,
                }
            } else {
                by_hand(from, to, at, most)?
            };
            if copied == 0 {
                // It became shorter.
                return ftruncate(to, at).map_err(meaning("write it"));
            }
            at += copied;
            step(copied)?;
        }
    }
    ftruncate(to, size).map_err(meaning("write it"))
}

fn by_hand(from: impl AsFd, to: impl AsFd, at: u64, most: u64) -> Result<u64, FileError> {
    let mut buffer = vec![0; BUFFER.min(usize::try_from(most).unwrap_or(BUFFER))];
    let read = pread(from, &mut buffer, at).map_err(meaning("read it"))?;
    let mut written = 0;
    while written < read {
        written += pwrite(&to, &buffer[written..read], at + written as u64).map_err(meaning("write it"))?;
    }
    Ok(read as u64)
}
