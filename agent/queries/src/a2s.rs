//! Valve's server queries (A2S), as Steam games answer them over UDP:
//! <https://developer.valvesoftware.com/wiki/Server_queries>.
//!
//! A server answers a query first with a challenge; the query is sent again with it.

use std::collections::BTreeMap;

use crate::reader::Reader;
use crate::text::plain;
use crate::{Answer, Fault, MAX_PLAYERS, Player};

const HEADER: [u8; 4] = [0xFF; 4];
const SPLIT: [u8; 4] = [0xFE, 0xFF, 0xFF, 0xFF];
/// Maximum number of packets of one answer.
const MAX_PACKETS: u8 = 32;

/// Which query is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// Name, map, number of players.
    Info,
    /// Who plays.
    Players,
}

/// The packet of a query, with the challenge that the server asked for, if there was one.
#[must_use]
pub fn request(query: Query, challenge: Option<[u8; 4]>) -> Vec<u8> {
    let mut packet = HEADER.to_vec();
    match query {
        Query::Info => {
            packet.extend_from_slice(b"TSource Engine Query\0");
            packet.extend(challenge.into_iter().flatten());
        }
        Query::Players => {
            packet.push(b'U');
            packet.extend(challenge.unwrap_or([0xFF; 4]));
        }
    }
    packet
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It wants the query again, with these bytes.
    Challenge([u8; 4]),
    /// Name, map, number of players.
    Info(Answer),
    /// Who plays.
    Players(Vec<Player>),
}

/// Puts answers together that come in several packets.
#[derive(Debug, Default)]
pub struct Assembly {
    id: Option<[u8; 4]>,
    parts: BTreeMap<u8, Vec<u8>>,
}

impl Assembly {
    /// Takes a packet; the reply when it was the last one.
    ///
    /// # Errors
    /// [`Fault`] of a packet that is no answer.
    pub fn packet(&mut self, packet: &[u8]) -> Result<Option<Reply>, Fault> {
        let mut reader = Reader::new(packet);
        match reader.array()? {
            HEADER => reply(reader.rest()).map(Some),
            SPLIT => {
                let id: [u8; 4] = reader.array()?;
                if id[3] & 0x80 != 0 {
                    // Packed with bzip2, as no game does that is still sold.
                    return Err(Fault::Unexpected("a packet that can be read"));
                }
                let (total, number) = (reader.byte()?, reader.byte()?);
                let _size: [u8; 2] = reader.array()?;
                if total == 0 || total > MAX_PACKETS || number >= total {
                    return Err(Fault::TooLong);
                }
                if self.id != Some(id) {
                    *self = Self { id: Some(id), parts: BTreeMap::new() };
                }
                self.parts.insert(number, reader.rest().to_vec());
                if self.parts.len() < usize::from(total) {
                    return Ok(None);
                }
                let whole = std::mem::take(self).parts.into_values().flatten().collect::<Vec<_>>();
                let mut reader = Reader::new(&whole);
                reader.expect(&HEADER, "an answer to a server query")?;
                reply(reader.rest()).map(Some)
            }
            _ => Err(Fault::Unexpected("an answer to a server query")),
        }
    }
}

fn reply(packet: &[u8]) -> Result<Reply, Fault> {
    let mut reader = Reader::new(packet);
    match reader.byte()? {
        b'A' => reader.array().map(Reply::Challenge),
        b'I' => info(&mut reader).map(Reply::Info),
        b'D' => players(&mut reader).map(Reply::Players),
        _ => Err(Fault::Unexpected("an answer to a server query")),
    }
}

fn info(reader: &mut Reader<'_>) -> Result<Answer, Fault> {
    let _protocol = reader.byte()?;
    let name = plain(reader.until_nul()?, None);
    let map = plain(reader.until_nul()?, None);
    let (_folder, _game) = (reader.until_nul()?, reader.until_nul()?);
    let _app: [u8; 2] = reader.array()?;
    let (players, max, bots) = (reader.byte()?, reader.byte()?, reader.byte()?);
    let _server: [u8; 4] = reader.array()?;
    let version = plain(reader.until_nul()?, None);
    // Bots are counted as players by the servers themselves.
    let online = u32::from(players.saturating_sub(bots));
    Ok(Answer { online, max: Some(max.into()), players: Vec::new(), name, version, map })
}

fn players(reader: &mut Reader<'_>) -> Result<Vec<Player>, Fault> {
    let count = reader.byte()?;
    let mut players = Vec::new();
    for _ in 0..count {
        let Ok(_index) = reader.byte() else { break };
        let name = plain(reader.until_nul()?, None);
        let _score: [u8; 4] = reader.array()?;
        let seconds = f32::from_le_bytes(reader.array()?);
        // A float to an integer saturates; what is not a number becomes 0.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as the line above says")]
        let seconds = Some(seconds as u32);
        if players.len() < MAX_PLAYERS && !name.is_empty() {
            players.push(Player { name, seconds });
        }
    }
    Ok(players)
}
