//! ZIP archives as a stream, with ZIP64 where that is needed. What is packed already is not packed again.

use std::io::{self, Read, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use jiff::Timestamp;
use jiff::tz::Offset;

use super::entries::{Attributes, Entries};

/// Bytes that are read at once. A file that is not larger is packed before its header is written, so that this can tell its
/// sizes: programs that read from a stream know best what to do with it then.
const CHUNK: usize = 128 << 10;
/// Bytes of the list at the end, which is kept until then: some half a million files.
const LIST: usize = 64 << 20;
/// From this on sizes have 64 bits: packed, it may be a little more.
const LARGE: u64 = 0xf000_0000;
/// Sizes and the checksum come behind the content.
const BEHIND: u16 = 8;
const UTF8: u16 = 0x800;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// What is written of an entry, in its header and in the list.
struct Entry<'e> {
    path: &'e [u8],
    about: &'e Attributes,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    /// Sizes have 64 bits in its header.
    large: bool,
}

pub(super) struct Writer<W: Write> {
    to: Counted<W>,
    list: Vec<u8>,
    entries: u64,
    buffer: Vec<u8>,
}

struct Counted<W> {
    to: W,
    at: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn short(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn length(bytes: &[u8]) -> io::Result<u16> {
    u16::try_from(bytes.len()).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a name is too long"))
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to: Counted { to, at: 0 }, list: Vec::new(), entries: 0, buffer: vec![0; CHUNK] }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        let start = self.to.at;
        self.to.write_all(&self.list)?;
        let bytes = self.list.len() as u64;
        let mut end = Vec::new();
        if self.entries >= 0xffff || start >= u64::from(u32::MAX) {
            let at = self.to.at;
            put32(&mut end, 0x0606_4b50);
            put64(&mut end, 44);
            put16(&mut end, MADE_BY);
            put16(&mut end, 45);
            put32(&mut end, 0);
            put32(&mut end, 0);
            for value in [self.entries, self.entries, bytes, start] {
                put64(&mut end, value);
            }
            put32(&mut end, 0x0706_4b50);
            put32(&mut end, 0);
            put64(&mut end, at);
            put32(&mut end, 1);
        }
        let entries = u16::try_from(self.entries).unwrap_or(u16::MAX);
        put32(&mut end, 0x0605_4b50);
        put32(&mut end, 0);
        put16(&mut end, entries);
        put16(&mut end, entries);
        put32(&mut end, short(bytes));
        put32(&mut end, short(start));
        put16(&mut end, 0);
        self.to.write_all(&end)?;
        Ok(self.to.to)
    }

    /// What comes before an entry's content; gives where it is.
    fn head(&mut self, entry: &Entry<'_>) -> io::Result<u64> {
        let at = self.to.at;
        let (mut head, mut extra) = (Vec::new(), Vec::new());
        if entry.large {
            put16(&mut extra, 1);
            put16(&mut extra, 16);
            put64(&mut extra, entry.size);
            put64(&mut extra, entry.packed);
        }
        time_of(&mut extra, entry.about);
        put32(&mut head, 0x0403_4b50);
        put16(&mut head, if entry.large { 45 } else { 20 });
        common(&mut head, entry);
        let known = if entry.large { [u32::MAX; 2] } else { [short(entry.packed), short(entry.size)] };
        for size in known {
            put32(&mut head, size);
        }
        put16(&mut head, length(entry.path)?);
        put16(&mut head, length(&extra)?);
        head.extend_from_slice(entry.path);
        head.extend_from_slice(&extra);
        self.to.write_all(&head)?;
        Ok(at)
    }

    /// Its line in the list.
    fn listed(&mut self, entry: &Entry<'_>, at: u64) -> io::Result<()> {
        if self.list.len() > LIST {
            return Err(io::Error::other("there are too many files for a ZIP archive: take tar.zst"));
        }
        let mut long = Vec::new();
        for value in [entry.size, entry.packed, at].into_iter().filter(|value| *value >= u64::from(u32::MAX))
        {
            put64(&mut long, value);
        }
        let mut extra = Vec::new();
        if !long.is_empty() {
            put16(&mut extra, 1);
            put16(&mut extra, length(&long)?);
            extra.extend_from_slice(&long);
        }
        time_of(&mut extra, entry.about);
        let list = &mut self.list;
        put32(list, 0x0201_4b50);
        put16(list, MADE_BY);
        put16(list, if long.is_empty() && !entry.large { 20 } else { 45 });
        common(list, entry);
        put32(list, short(entry.packed));
        put32(list, short(entry.size));
        put16(list, length(entry.path)?);
        put16(list, length(&extra)?);
        put16(list, 0);
        put32(list, 0);
        // Neither setuid nor the like; and for Windows, whether it is a folder.
        let folder = u32::from(entry.about.mode & 0o170_000 == 0o040_000) << 4;
        put32(list, (entry.about.mode & 0o170_777) << 16 | folder);
        put32(list, short(at));
        list.extend_from_slice(entry.path);
        list.extend_from_slice(&extra);
        self.entries += 1;
        Ok(())
    }

    /// An entry whose content is known.
    fn whole(&mut self, path: &[u8], about: &Attributes, content: &[u8]) -> io::Result<()> {
        let mut crc = Crc::new();
        crc.update(content);
        let deflated = deflated(content)?;
        let stored = deflated.len() >= content.len();
        let packed = if stored { content } else { &deflated };
        let entry = Entry {
            path,
            about,
            flags: 0,
            method: if stored { STORED } else { DEFLATED },
            crc: crc.sum(),
            packed: packed.len() as u64,
            size: content.len() as u64,
            large: false,
        };
        let at = self.head(&entry)?;
        self.to.write_all(packed)?;
        self.listed(&entry, at)
    }

    /// A file that is larger than its beginning, which was read already.
    fn large(
        &mut self,
        path: &[u8],
        about: &Attributes,
        bytes: u64,
        first: &[u8],
        rest: &mut dyn Read,
    ) -> io::Result<()> {
        let large = bytes >= LARGE;
        let mut entry =
            Entry { path, about, flags: BEHIND, method: DEFLATED, crc: 0, packed: 0, size: 0, large };
        let at = self.head(&entry)?;
        let begin = self.to.at;
        let is_packed = deflated(first)?.len() * 100 > first.len() * 95;
        let level = if is_packed { Compression::none() } else { LEVEL };
        let (mut crc, mut size) = (Crc::new(), 0);
        let mut to = DeflateEncoder::new(&mut self.to, level);
        let mut piece = vec![0; CHUNK];
        let mut bytes = first;
        loop {
            crc.update(bytes);
            size += bytes.len() as u64;
            to.write_all(bytes)?;
            match read_all(rest, &mut piece)? {
                0 => break,
                read => bytes = &piece[..read],
            }
        }
        to.finish()?;
        (entry.crc, entry.size, entry.packed) = (crc.sum(), size, self.to.at - begin);
        let mut behind = Vec::new();
        put32(&mut behind, 0x0807_4b50);
        put32(&mut behind, entry.crc);
        for size in [entry.packed, entry.size] {
            if large { put64(&mut behind, size) } else { put32(&mut behind, short(size)) }
        }
        self.to.write_all(&behind)?;
        self.listed(&entry, at)
    }
}

impl<W: Write> Entries for Writer<W> {
    fn folder(&mut self, path: &[u8], about: &Attributes) -> io::Result<()> {
        self.whole(&[path, b"/"].concat(), about, b"")
    }

    fn symlink(&mut self, path: &[u8], about: &Attributes, target: &[u8]) -> io::Result<()> {
        self.whole(path, about, target)
    }

    fn file(
        &mut self,
        path: &[u8],
        about: &Attributes,
        bytes: u64,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        let mut first = std::mem::take(&mut self.buffer);
        let read = read_all(content, &mut first)?;
        let written = if bytes <= read as u64 || read < first.len() {
            self.whole(path, about, &first[..read])
        } else {
            self.large(path, about, bytes, &first, content)
        };
        self.buffer = first;
        written
    }
}

/// A good compromise: twice as fast as the usual level, for a few parts in a hundred.
const LEVEL: Compression = Compression::new(3);
/// Unix, 4.5.
const MADE_BY: u16 = 3 << 8 | 45;

fn deflated(content: &[u8]) -> io::Result<Vec<u8>> {
    if content.is_empty() {
        return Ok(Vec::new());
    }
    let mut to = DeflateEncoder::new(Vec::new(), LEVEL);
    to.write_all(content)?;
    to.finish()
}

/// Fills the buffer as far as there is something.
fn read_all(from: &mut dyn Read, to: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < to.len() {
        match from.read(&mut to[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// What the header and the list have in common: from the flags to the checksum.
fn common(to: &mut Vec<u8>, entry: &Entry<'_>) {
    let text = if std::str::from_utf8(entry.path).is_ok() { UTF8 } else { 0 };
    put16(to, entry.flags | text);
    put16(to, entry.method);
    let (date, time) = dos_time(entry.about.modified);
    put16(to, time);
    put16(to, date);
    put32(to, entry.crc);
}

/// The time of the last change, of whose zone there is no doubt.
fn time_of(to: &mut Vec<u8>, about: &Attributes) {
    if let Ok(seconds) = i32::try_from(about.modified) {
        put16(to, 0x5455);
        put16(to, 5);
        to.push(1);
        put32(to, seconds.cast_unsigned());
    }
}

fn dos_time(seconds: i64) -> (u16, u16) {
    /// The first day there is.
    const FIRST: (u16, u16) = (1 << 5 | 1, 0);
    let Ok(at) = Timestamp::from_second(seconds) else { return FIRST };
    let at = Offset::UTC.to_datetime(at);
    let part = |value: i8| u16::try_from(value).unwrap_or(0);
    let Some(year) = u16::try_from(at.year() - 1980).ok().filter(|year| *year < 128) else { return FIRST };
    let date = year << 9 | part(at.month()) << 5 | part(at.day());
    (date, part(at.hour()) << 11 | part(at.minute()) << 5 | (part(at.second()) / 2))
}

fn put16(to: &mut Vec<u8>, value: u16) {
    to.extend_from_slice(&value.to_le_bytes());
}

fn put32(to: &mut Vec<u8>, value: u32) {
    to.extend_from_slice(&value.to_le_bytes());
}

fn put64(to: &mut Vec<u8>, value: u64) {
    to.extend_from_slice(&value.to_le_bytes());
}
