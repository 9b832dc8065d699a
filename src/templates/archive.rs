//! Reads templates from a ZIP archive in memory: one file at a time and a bounded list. Supports stored and deflated files;
//! no encryption. Writes nothing to disk.

use std::io::Read;

use agent::zip::{List, Listed};
use flate2::Crc;
use flate2::read::DeflateDecoder;

/// Most files that are read from the archive's directory.
const ENTRIES: usize = 20_000;
/// Most bytes of all uncompressed files together.
const UNPACKED: u64 = 64 << 20;
/// Longest name that is shown, in characters.
const NAME: usize = 200;

/// Why an archive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArchiveError {
    #[error("This is no ZIP archive, or it is cut off")]
    NotZip,
    #[error("This archive has more than {ENTRIES} files")]
    TooMany,
}

/// Why a file in an archive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EntryError {
    #[error("The file is larger than {0} bytes")]
    TooLarge(usize),
    #[error("The archive's files are larger than {} MiB together", UNPACKED >> 20)]
    TooLargeTogether,
    #[error("The file is encrypted")]
    Encrypted,
    #[error("The file is packed in a way that is not known")]
    Method,
    #[error("The file is broken")]
    Broken,
}

/// A file in an archive.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Its path, shortened; for display only, never for opening a file.
    pub(super) name: String,
    head: Head,
    packed: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
struct Head {
    encrypted: bool,
    method: u16,
    crc: u32,
}

/// The files of an archive in order, without folders.
pub(super) fn entries(archive: &[u8]) -> Result<Vec<Entry<'_>>, ArchiveError> {
    let list = List::find(archive).map_err(|_| ArchiveError::NotZip)?;
    if list.entries > ENTRIES as u64 {
        return Err(ArchiveError::TooMany);
    }
    let mut listed = list.entries(archive);
    let mut found = Vec::new();
    while let Some(entry) = listed.next_entry().map_err(|_| ArchiveError::NotZip)? {
        if entry.name.ends_with(b"/") {
            continue;
        }
        // There may be more entries than stated.
        if found.len() == ENTRIES {
            return Err(ArchiveError::TooMany);
        }
        let packed = packed(archive, &entry).ok_or(ArchiveError::NotZip)?;
        let name = String::from_utf8_lossy(&entry.name);
        let name = name.chars().filter(|char| !char.is_control()).take(NAME).collect();
        let head = Head { encrypted: entry.encrypted, method: entry.method, crc: entry.crc };
        found.push(Entry { name, head, packed });
    }
    Ok(found)
}

/// The compressed bytes of a file.
fn packed<'a>(archive: &'a [u8], entry: &Listed) -> Option<&'a [u8]> {
    let at = usize::try_from(entry.content_at(archive).ok()?).ok()?;
    archive.get(at..at.checked_add(usize::try_from(entry.packed).ok()?)?)
}

/// Reads files one after the other, with one size limit for all of them.
pub(super) struct Unpacker {
    left: u64,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self { left: UNPACKED }
    }
}

impl Unpacker {
    /// The file's content, at most `most` bytes.
    pub(super) fn read(&mut self, entry: &Entry<'_>, most: usize) -> Result<Vec<u8>, EntryError> {
        if entry.head.encrypted {
            return Err(EntryError::Encrypted);
        }
        let bound = most as u64 + 1;
        let mut bytes = Vec::new();
        let read = match entry.head.method {
            0 => entry.packed.take(bound).read_to_end(&mut bytes),
            8 => DeflateDecoder::new(entry.packed).take(bound).read_to_end(&mut bytes),
            _ => return Err(EntryError::Method),
        };
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(EntryError::TooLargeTogether)?;
        read.map_err(|_| EntryError::Broken)?;
        if bytes.len() > most {
            return Err(EntryError::TooLarge(most));
        }
        let mut crc = Crc::new();
        crc.update(&bytes);
        if crc.sum() == entry.head.crc { Ok(bytes) } else { Err(EntryError::Broken) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    const END: u32 = 0x0605_4b50;
    const ENTRY: u32 = 0x0201_4b50;
    const LOCAL: u32 = 0x0403_4b50;

    /// Creates an archive of these files, deflated.
    pub(in crate::templates) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut whole, mut list) = (Vec::new(), Vec::new());
        for (name, bytes) in files {
            let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
            packer.write_all(bytes).unwrap();
            let packed = packer.finish().unwrap();
            let mut crc = Crc::new();
            crc.update(bytes);
            let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
            for number in [crc.sum(), packed.len() as u32, bytes.len() as u32] {
                common.extend(number.to_le_bytes());
            }
            common.extend((name.len() as u16).to_le_bytes());
            common.extend([0, 0]);
            list.extend(ENTRY.to_le_bytes());
            list.extend([20, 0]);
            list.extend(&common);
            list.extend([0; 10]);
            list.extend((whole.len() as u32).to_le_bytes());
            list.extend(name.bytes());
            whole.extend(LOCAL.to_le_bytes());
            whole.extend(&common);
            whole.extend(name.bytes());
            whole.extend(packed);
        }
        let start = whole.len() as u32;
        whole.extend(&list);
        whole.extend(END.to_le_bytes());
        whole.extend([0; 4]);
        whole.extend((files.len() as u16).to_le_bytes());
        whole.extend((files.len() as u16).to_le_bytes());
        whole.extend((list.len() as u32).to_le_bytes());
        whole.extend(start.to_le_bytes());
        whole.extend([0; 2]);
        whole
    }

    #[test]
    fn files_come_out_as_they_went_in() {
        let archive = zip(&[("a/", b""), ("a/one.json", b"{}"), ("../two.yaml", &[b'x'; 5_000])]);
        let found = entries(&archive).unwrap();
        let names: Vec<_> = found.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a/one.json", "../two.yaml"]);
        let mut unpacker = Unpacker::default();
        assert_eq!(unpacker.read(&found[0], 2).unwrap(), b"{}");
        assert_eq!(unpacker.read(&found[0], 1), Err(EntryError::TooLarge(1)));
        assert_eq!(unpacker.read(&found[1], 5_000).unwrap().len(), 5_000);
    }

    #[test]
    fn a_bomb_is_stopped() {
        let big = vec![0; 20 << 20];
        let archive = zip(&[("a", &big), ("b", &big), ("c", &big), ("d", &big)]);
        assert!(archive.len() < 1 << 20);
        let found = entries(&archive).unwrap();
        let mut unpacker = Unpacker::default();
        assert_eq!(unpacker.read(&found[0], 1 << 20), Err(EntryError::TooLarge(1 << 20)));
        let all: Vec<_> =
            found.iter().map(|entry| unpacker.read(entry, 32 << 20).map(|bytes| bytes.len())).collect();
        assert_eq!(all[3], Err(EntryError::TooLargeTogether), "{all:?}");
    }

    #[test]
    fn broken_archives_are_refused_and_nothing_panics() {
        let archive = zip(&[("one.json", b"{\"a\": 1}"), ("two.json", b"{}")]);
        for length in 0..archive.len() {
            assert_eq!(entries(&archive[..length]).err(), Some(ArchiveError::NotZip), "{length}");
        }
        for at in 0..archive.len() {
            let mut broken = archive.clone();
            broken[at] ^= 0xff;
            let mut unpacker = Unpacker::default();
            for entry in entries(&broken).unwrap_or_default() {
                let _ = unpacker.read(&entry, 100);
            }
        }
        let mut many = archive;
        let at = many.len() - 12;
        many[at..at + 2].copy_from_slice(&50_000_u16.to_le_bytes());
        assert_eq!(entries(&many).err(), Some(ArchiveError::TooMany));
        assert_eq!(entries(b"hello").err(), Some(ArchiveError::NotZip));
    }
}
