//! WebSocket frames (RFC 6455) of a stream, once the connection is one. tungstenite clears, moves and copies what it reads
//! and writes several times, which is most of the work for bulk bytes; here a frame is read into the buffer that goes on.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::buffers::{Buffer, Buffers};
use super::pipe::FRAME_BYTES;

/// Maximum bytes of a control message: a few numbers or a sentence.
const LONGEST_WORD: usize = 16 * 1024;
/// Longest head of a frame: two bytes, a length of eight, a mask of four.
const LONGEST_HEAD: usize = 14;
/// Longest payload of a ping, a pong or a close.
const LONGEST_CONTROL: usize = 125;
/// What is smaller is not worth a whole buffer.
const SMALL: usize = FRAME_BYTES / 4;
/// Bytes that are masked at a time: they stay in the processor's cache until they are sent.
const MASKED_AT_ONCE: usize = 64 * 1024;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// Bit of the first byte: the last frame of a message.
const FIN: u8 = 0x80;
/// Bit of the second byte: there is a mask.
const MASKED: u8 = 0x80;

/// A whole message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// At most [`FRAME_BYTES`].
    Binary(Bytes),
    /// At most [`LONGEST_WORD`]; not checked to be UTF-8.
    Text(Bytes),
    Ping(Bytes),
    Pong(Bytes),
    Close,
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads messages.
#[derive(Debug)]
pub(super) struct Reader<R> {
    inner: R,
    /// Which side we are: a server takes masked frames only, a client none.
    role: Role,
    head: [u8; LONGEST_HEAD],
    head_bytes: usize,
    frame: Option<Partial>,
    /// What came of a message in several frames.
    begun: Option<(u8, BytesMut)>,
    buffers: Buffers,
}

/// A frame whose head was read.
#[derive(Debug)]
struct Partial {
    first: u8,
    mask: Option<[u8; 4]>,
    length: usize,
    read: usize,
    to: Payload,
}

#[derive(Debug)]
enum Payload {
    Small(Vec<u8>),
    Large(Buffer),
}

impl Partial {
    fn bytes(&mut self) -> &mut [u8] {
        match &mut self.to {
            Payload::Small(bytes) => bytes,
            Payload::Large(buffer) => &mut buffer.all()[..self.length],
        }
    }
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(inner: R, role: Role) -> Self {
        let buffers = Buffers::default();
        Self { inner, role, head: [0; LONGEST_HEAD], head_bytes: 0, frame: None, begun: None, buffers }
    }

    #[cfg(test)]
    pub(super) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// The next message. May be dropped and called again.
    pub(super) async fn next(&mut self) -> io::Result<Message> {
        loop {
            let Some(frame) = &mut self.frame else {
                self.read_head().await?;
                continue;
            };
            let (read, length) = (frame.read, frame.length);
            if read < length {
                let n = self.inner.read(&mut frame.bytes()[read..]).await?;
                if n == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                frame.read += n;
                continue;
            }
            if let Some(frame) = self.frame.take()
                && let Some(message) = self.whole(frame)?
            {
                return Ok(message);
            }
        }
    }

    /// Reads on in a head, and sets the frame once it is whole.
    async fn read_head(&mut self) -> io::Result<()> {
        let (marks, short) = (self.head[1], self.head[1] & !MASKED);
        let extended = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let masked = marks & MASKED != 0;
        let whole = if self.head_bytes < 2 { 2 } else { 2 + extended + if masked { 4 } else { 0 } };
        if self.head_bytes < whole {
            let n = self.inner.read(&mut self.head[self.head_bytes..whole]).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.head_bytes += n;
            return Ok(());
        }
        self.head_bytes = 0;
        let mut rest = &self.head[2..whole];
        let length = match extended {
            2 => u64::from(rest.get_u16()),
            8 => rest.get_u64(),
            _ => u64::from(short),
        };
        let mask = masked.then(|| rest.get_u32().to_be_bytes());
        self.frame = Some(self.begin(self.head[0], length, mask)?);
        Ok(())
    }

    /// Checks a head before anything is kept of what follows it.
    fn begin(&self, first: u8, length: u64, mask: Option<[u8; 4]>) -> io::Result<Partial> {
        let (last, code) = (first & FIN != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(wrong("a frame of an extension that was not agreed on"));
        }
        if mask.is_some() != (self.role == Role::Server) {
            return Err(wrong("a frame with the wrong masking"));
        }
        let before = self.begun.as_ref();
        let most = match code {
            CLOSE | PING | PONG if last => LONGEST_CONTROL,
            BINARY if before.is_none() => FRAME_BYTES,
            TEXT if before.is_none() => LONGEST_WORD,
            CONTINUATION => match before {
                Some((TEXT, bytes)) => LONGEST_WORD - bytes.len(),
                Some((_, bytes)) => FRAME_BYTES - bytes.len(),
                None => return Err(wrong("the rest of no message")),
            },
            _ => return Err(wrong("a frame that has no place here")),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= most);
        let length = length.ok_or_else(|| wrong("a message that is too long"))?;
        let to = match length {
            0..=SMALL => Payload::Small(vec![0; length]),
            _ => Payload::Large(self.buffers.take()),
        };
        Ok(Partial { first, mask, length, read: 0, to })
    }

    /// A frame that was read wholly; a message if it is the last of one.
    fn whole(&mut self, mut frame: Partial) -> io::Result<Option<Message>> {
        if let Some(mask) = frame.mask {
            unmask(frame.bytes(), mask);
        }
        let (last, code) = (frame.first & FIN != 0, frame.first & 0x0f);
        let bytes = match frame.to {
            Payload::Small(bytes) => Bytes::from(bytes),
            Payload::Large(buffer) => buffer.freeze(frame.length),
        };
        let (code, bytes) = match (code, last) {
            (CLOSE | PING | PONG, _) | (TEXT | BINARY, true) => (code, bytes),
            (TEXT | BINARY, false) => {
                self.begun = Some((code, BytesMut::from(bytes)));
                return Ok(None);
            }
            (_, last) => {
                let Some((code, mut begun)) = self.begun.take() else {
                    return Err(wrong("the rest of no message"));
                };
                begun.extend_from_slice(&bytes);
                if !last {
                    self.begun = Some((code, begun));
                    return Ok(None);
                }
                (code, begun.freeze())
            }
        };
        Ok(Some(match code {
            CLOSE => Message::Close,
            PING => {
                // They come every few seconds: a stream that is used now and then, as SFTP's, holds no memory between.
                self.buffers.clear();
                Message::Ping(bytes)
            }
            PONG => Message::Pong(bytes),
            TEXT => Message::Text(bytes),
            _ => Message::Binary(bytes),
        }))
    }
}

/// Writes messages, each as one frame.
#[derive(Debug)]
pub(super) struct Writer<W> {
    inner: W,
    role: Role,
    /// A client's frames are masked in here.
    masked: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(inner: W, role: Role) -> Self {
        Self { inner, role, masked: Vec::new() }
    }

    /// Writes a message, and does not wait for more to come.
    pub(super) async fn send(&mut self, message: Message) -> io::Result<()> {
        let (code, mut bytes) = match message {
            Message::Binary(bytes) => (BINARY, bytes),
            Message::Text(bytes) => (TEXT, bytes),
            Message::Ping(bytes) => (PING, bytes),
            Message::Pong(bytes) => (PONG, bytes),
            Message::Close => (CLOSE, Bytes::new()),
        };
        let (mut head, mut head_bytes) = ([0; LONGEST_HEAD], 2);
        head[0] = FIN | code;
        if let Ok(short @ 0..=125) = u8::try_from(bytes.len()) {
            head[1] = short;
        } else if let Ok(length) = u16::try_from(bytes.len()) {
            head[1] = 126;
            head[2..4].copy_from_slice(&length.to_be_bytes());
            head_bytes = 4;
        } else {
            head[1] = 127;
            head[2..10].copy_from_slice(&(bytes.len() as u64).to_be_bytes());
            head_bytes = 10;
        }
        if self.role == Role::Server {
            self.inner.write_all_buf(&mut Buf::chain(&head[..head_bytes], bytes)).await?;
            return self.inner.flush().await;
        }
        head[1] |= MASKED;
        let mask: [u8; 4] = rand::random();
        head[head_bytes..head_bytes + 4].copy_from_slice(&mask);
        self.masked.clear();
        self.masked.extend_from_slice(&head[..head_bytes + 4]);
        loop {
            // A multiple of four, so that the mask begins anew.
            let part = bytes.split_to(bytes.len().min(MASKED_AT_ONCE));
            let at = self.masked.len();
            self.masked.extend_from_slice(&part);
            unmask(&mut self.masked[at..], mask);
            self.inner.write_all(&self.masked).await?;
            self.masked.clear();
            if bytes.is_empty() {
                return self.inner.flush().await;
            }
        }
    }
}

/// Masks, or takes the mask away.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        let mut eight = [0; 8];
        eight.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(eight) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}
