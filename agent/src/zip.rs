//! Reads the central directory of a ZIP archive, from a file or from memory. It is read as a stream, so its length takes no
//! memory, and it can be read more than once.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

const END: u32 = 0x0605_4b50;
const END_BYTES: u64 = 22;
const END_64: u32 = 0x0606_4b50;
const END_64_BYTES: u64 = 56;
const LOCATOR_64: u32 = 0x0706_4b50;
const LOCATOR_64_BYTES: u64 = 20;
const ENTRY: u32 = 0x0201_4b50;
const ENTRY_BYTES: usize = 46;
/// What comes before an entry's content, without its name.
pub const LOCAL_BYTES: u64 = 30;
const LOCAL: u32 = 0x0403_4b50;
/// The longest comment.
const COMMENT: u64 = 0xffff;

/// Why the list of an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// No central directory was found.
    #[error("it is no ZIP archive, or it is cut off")]
    NoZip,
    /// An entry of the directory is invalid.
    #[error("its list of files is damaged")]
    Damaged,
    /// An entry's local header is missing.
    #[error("one of its entries is not where its list says")]
    Misplaced,
    /// It is a part of a multi-volume archive.
    #[error("it is one part of several")]
    OnePart,
    /// Reading failed.
    #[error("{0}")]
    Read(#[from] io::Error),
}

/// Source of an archive's bytes, read by offset.
pub trait ReadAt {
    /// Its size in bytes.
    ///
    /// # Errors
    /// If the system fails to report it.
    fn length(&self) -> io::Result<u64>;

    /// Reads from an offset; returns 0 at the end.
    ///
    /// # Errors
    /// If the system fails to read.
    fn read_some(&self, to: &mut [u8], at: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn length(&self) -> io::Result<u64> {
        self.metadata().map(|about| about.len())
    }

    fn read_some(&self, to: &mut [u8], at: u64) -> io::Result<usize> {
        self.read_at(to, at)
    }
}

impl ReadAt for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_some(&self, to: &mut [u8], at: u64) -> io::Result<usize> {
        let mut rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        rest.read(to)
    }
}

/// A range of an archive.
pub struct Section<'f, F: ?Sized> {
    file: &'f F,
    at: u64,
    end: u64,
}

impl<'f, F: ReadAt + ?Sized> Section<'f, F> {
    /// A range of `bytes` bytes from offset `at`.
    pub fn new(file: &'f F, at: u64, bytes: u64) -> Self {
        Self { file, at, end: at.saturating_add(bytes) }
    }
}

impl<F: ReadAt + ?Sized> Read for Section<'_, F> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(to.len());
        let read = self.file.read_some(&mut to[..most], self.at)?;
        if read == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off"));
        }
        self.at += read as u64;
        Ok(read)
    }
}

/// Where the list is.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The stated number of entries.
    pub entries: u64,
    at: u64,
    bytes: u64,
    /// What stands before the archive: a program that unpacks it, for instance.
    before: u64,
}

/// One entry, as the list tells of it.
#[derive(Debug)]
pub struct Listed {
    /// Its path.
    pub name: Vec<u8>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The format's number of the compression method.
    pub method: u16,
    /// CRC-32 of the content.
    pub crc: u32,
    /// Compressed size in bytes.
    pub packed: u64,
    /// Uncompressed size in bytes.
    pub size: u64,
    /// Where its header is in the file.
    pub at: u64,
    /// Unix type and permissions, where it was made there.
    pub unix_mode: Option<u32>,
    /// Modification time in seconds since 1970.
    pub modified: Option<i64>,
}

impl Listed {
    /// Offset of its content, behind the local header.
    ///
    /// # Errors
    /// If there is no local header, or reading fails.
    pub fn content_at<F: ReadAt + ?Sized>(&self, file: &F) -> Result<u64, ZipError> {
        let mut head = [0; 30];
        Section::new(file, self.at, LOCAL_BYTES).read_exact(&mut head)?;
        match (u32_at(&head, 0), u16_at(&head, 26), u16_at(&head, 28)) {
            (Some(LOCAL), Some(names), Some(extra)) => {
                let behind = LOCAL_BYTES + u64::from(names) + u64::from(extra);
                self.at.checked_add(behind).ok_or(ZipError::Misplaced)
            }
            _ => Err(ZipError::Misplaced),
        }
    }
}

fn no_zip() -> ZipError {
    ZipError::NoZip
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl List {
    /// Finds the list.
    ///
    /// # Errors
    /// If there is none, or reading fails.
    pub fn find<F: ReadAt + ?Sized>(file: &F) -> Result<Self, ZipError> {
        let length = file.length()?;
        let tail_at = length.saturating_sub(END_BYTES + COMMENT + LOCATOR_64_BYTES);
        let mut tail = Vec::new();
        Section::new(file, tail_at, length - tail_at).read_to_end(&mut tail)?;
        let last = tail.len().checked_sub(22).ok_or_else(no_zip)?;
        let at = (0..=last)
            .rev()
            .find(|at| {
                let comment = u16_at(&tail, at + 20).map_or(usize::MAX, usize::from);
                u32_at(&tail, *at) == Some(END) && at.saturating_add(22 + comment) <= tail.len()
            })
            .ok_or_else(no_zip)?;
        let read = || {
            let entries = u64::from(u16_at(&tail, at + 10)?);
            let bytes = u64::from(u32_at(&tail, at + 12)?);
            let offset = u64::from(u32_at(&tail, at + 16)?);
            Some((u16_at(&tail, at + 4)?, entries, bytes, offset))
        };
        let (disk, mut entries, mut bytes, mut offset) = read().ok_or_else(no_zip)?;
        let mut end = tail_at + at as u64;
        let locator = at.checked_sub(20).filter(|at| u32_at(&tail, *at) == Some(LOCATOR_64));
        if let Some(locator) = locator {
            // It stands right before its locator, whatever was put before the archive.
            let at = end.checked_sub(LOCATOR_64_BYTES + END_64_BYTES).ok_or_else(no_zip)?;
            let said = u64_at(&tail, locator + 8).ok_or_else(no_zip)?;
            let (record, at) =
                [at, said].into_iter().find_map(|at| Some((end_64(file, at)?, at))).ok_or_else(no_zip)?;
            (entries, bytes, offset) = record;
            end = at;
        } else if disk != 0 {
            return Err(ZipError::OnePart);
        }
        let start = end.checked_sub(bytes).ok_or_else(no_zip)?;
        let before = start.checked_sub(offset).ok_or_else(no_zip)?;
        Ok(Self { entries, at: start, bytes, before })
    }

    /// The entries, one after the other. Errors end them.
    pub fn entries<'f, F: ReadAt + ?Sized>(&self, file: &'f F) -> Entries<'f, F> {
        let from = BufReader::with_capacity(64 << 10, Section::new(file, self.at, self.bytes));
        Entries { from, left: self.bytes, before: self.before }
    }
}

fn end_64<F: ReadAt + ?Sized>(file: &F, at: u64) -> Option<(u64, u64, u64)> {
    let mut record = [0; 56];
    Section::new(file, at, END_64_BYTES).read_exact(&mut record).ok()?;
    if u32_at(&record, 0) != Some(END_64) {
        return None;
    }
    Some((u64_at(&record, 32)?, u64_at(&record, 40)?, u64_at(&record, 48)?))
}

/// Iterates over the entries of a directory.
pub struct Entries<'f, F: ?Sized> {
    from: BufReader<Section<'f, F>>,
    left: u64,
    before: u64,
}

impl<F: ReadAt + ?Sized> Entries<'_, F> {
    /// The next one; none at the end of the list.
    ///
    /// # Errors
    /// If the directory is damaged, or reading fails.
    pub fn next_entry(&mut self) -> Result<Option<Listed>, ZipError> {
        let Some(left) = self.left.checked_sub(ENTRY_BYTES as u64) else { return Ok(None) };
        let mut head = [0; ENTRY_BYTES];
        self.from.read_exact(&mut head)?;
        if u32_at(&head, 0) != Some(ENTRY) {
            return Err(ZipError::Damaged);
        }
        let short = |at| u16_at(&head, at).unwrap_or(0);
        let long = |at| u32_at(&head, at).unwrap_or(0);
        let [name_bytes, extra_bytes, comment_bytes] = [28, 30, 32].map(|at| usize::from(short(at)));
        let mut rest = vec![0; name_bytes + extra_bytes + comment_bytes];
        self.left = left.checked_sub(rest.len() as u64).ok_or_else(no_zip)?;
        self.from.read_exact(&mut rest)?;
        let (name, rest) = rest.split_at(name_bytes);
        let extra = Extra::read(&rest[..extra_bytes], [long(24), long(20), long(42)]);
        let unicode = short(8) & 0x800 != 0 || std::str::from_utf8(name).is_ok();
        let name = match extra.unicode_name {
            Some(name) => name,
            None if unicode => name.to_vec(),
            None => from_cp437(name),
        };
        // Made on a Unix.
        let unix_mode = (short(4) >> 8 == 3).then(|| long(38) >> 16).filter(|mode| *mode != 0);
        let modified = extra.modified.or_else(|| dos_time(short(14), short(12)));
        let [size, packed, at] = extra.sizes;
        Ok(Some(Listed {
            name,
            encrypted: short(8) & 1 != 0,
            method: short(10),
            crc: long(16),
            packed,
            size,
            at: at.checked_add(self.before).ok_or_else(no_zip)?,
            unix_mode,
            modified,
        }))
    }
}

/// What the fields behind a name say.
struct Extra {
    /// Unpacked size, packed size and place.
    sizes: [u64; 3],
    modified: Option<i64>,
    unicode_name: Option<Vec<u8>>,
}

impl Extra {
    fn read(mut extra: &[u8], short: [u32; 3]) -> Self {
        let mut this = Self { sizes: short.map(u64::from), modified: None, unicode_name: None };
        while let (Some(id), Some(bytes)) = (u16_at(extra, 0), u16_at(extra, 2)) {
            let end = 4 + usize::from(bytes);
            let Some(field) = extra.get(4..end) else { break };
            match id {
                0x0001 => {
                    let mut at = 0;
                    for (size, short) in this.sizes.iter_mut().zip(short) {
                        if short == u32::MAX
                            && let Some(long) = u64_at(field, at)
                        {
                            *size = long;
                            at += 8;
                        }
                    }
                }
                0x5455 if field.first().is_some_and(|flags| flags & 1 != 0) => {
                    this.modified = u32_at(field, 1).map(|seconds| i64::from(seconds.cast_signed()));
                }
                0x7075 if field.len() > 5 && std::str::from_utf8(&field[5..]).is_ok() => {
                    this.unicode_name = Some(field[5..].to_vec());
                }
                _ => {}
            }
            extra = &extra[end..];
        }
        this
    }
}

/// A time of day somewhere in the world, taken for one of UTC.
fn dos_time(date: u16, time: u16) -> Option<i64> {
    let part = |of: u16, shift: u16, bits: u16| i8::try_from(of >> shift & ((1 << bits) - 1)).unwrap_or(0);
    let year = 1980 + i16::from(part(date, 9, 7));
    let date = jiff::civil::Date::new(year, part(date, 5, 4), part(date, 0, 5)).ok()?;
    let time = jiff::civil::Time::new(part(time, 11, 5), part(time, 5, 6), part(time, 0, 5) * 2, 0).ok()?;
    let at = jiff::tz::Offset::UTC.to_timestamp(jiff::civil::DateTime::from_parts(date, time)).ok()?;
    Some(at.as_second())
}

/// Decodes a name in code page 437, as written by old ZIP programs.
fn from_cp437(name: &[u8]) -> Vec<u8> {
    const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    let text: String = name
        .iter()
        .filter_map(|byte| match byte {
            0..0x80 => Some(char::from(*byte)),
            upper => UPPER.chars().nth(usize::from(*upper) - 0x80),
        })
        .collect();
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_the_code_page_is_a_character() {
        let all: Vec<u8> = (0..=255).collect();
        let text = String::from_utf8(from_cp437(&all)).unwrap();
        assert_eq!(text.chars().count(), 256);
        assert_eq!(from_cp437(b"B\x84r\xe1"), "Bärß".as_bytes());
    }
}
