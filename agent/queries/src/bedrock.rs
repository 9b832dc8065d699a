//! The ping of Minecraft Bedrock Edition, which is `RakNet`'s unconnected ping over UDP:
//! <https://minecraft.wiki/w/RakNet>.

use crate::reader::Reader;
use crate::text::{plain, strip};
use crate::{Answer, Fault};

const PING: u8 = 0x01;
const PONG: u8 = 0x1C;
const MAGIC: [u8; 16] =
    [0x00, 0xFF, 0xFF, 0x00, 0xFE, 0xFE, 0xFE, 0xFE, 0xFD, 0xFD, 0xFD, 0xFD, 0x12, 0x34, 0x56, 0x78];

/// The packet that asks. `time` comes back in the answer, so that an older one is not taken for it.
#[must_use]
pub fn request(time: u64) -> Vec<u8> {
    let mut packet = vec![PING];
    packet.extend(time.to_be_bytes());
    packet.extend(MAGIC);
    packet.extend(0x6361_705F_7175_6572_u64.to_be_bytes());
    packet
}

/// Reads the answer to [`request`]; `None` if it answers another one.
///
/// # Errors
/// [`Fault`] of a packet that is no answer.
pub fn answer(packet: &[u8], asked: u64) -> Result<Option<Answer>, Fault> {
    let mut reader = Reader::new(packet);
    reader.expect(&[PONG], "a pong")?;
    if u64::from_be_bytes(reader.array()?) != asked {
        return Ok(None);
    }
    let _server: [u8; 8] = reader.array()?;
    reader.expect(&MAGIC, "a pong")?;
    let length = u16::from_be_bytes(reader.array()?);
    let text = String::from_utf8_lossy(reader.take(length.into())?);
    // Edition;name;protocol;version;online;max;server;second line; …
    let mut parts = text.split(';');
    let edition = parts.next().unwrap_or_default();
    if !matches!(edition, "MCPE" | "MCEE") {
        return Err(Fault::Unexpected("a pong of Minecraft"));
    }
    let name = parts.next().map(|name| strip(name, Some('§'))).unwrap_or_default();
    let version = parts.nth(1).map(|version| plain(version.as_bytes(), None)).unwrap_or_default();
    let mut number = || parts.next().and_then(|text| text.parse::<u32>().ok());
    let online = number().ok_or(Fault::Unexpected("a pong with the number of players"))?;
    let max = number();
    Ok(Some(Answer { online, max, players: Vec::new(), name, version, map: String::new() }))
}
