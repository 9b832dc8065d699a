//! The server list ping of Minecraft Java Edition since 1.7, over TCP:
//! <https://minecraft.wiki/w/Java_Edition_protocol/Server_List_Ping>.
//!
//! A frame is its length as a `VarInt`, then a packet: its number as a `VarInt`, then its fields.

use serde_json::Value;

use crate::text::strip;
use crate::{Answer, Fault, MAX_PLAYERS, MAX_TEXT, Player};

/// Maximum bytes of an answer: the text of a status is at most 32,767 characters, and an icon in it has some 20 kB.
pub const MAX_ANSWER: usize = 256 * 1024;
/// What is sent as the client's version where none is meant.
const ANY_VERSION: i32 = -1;

/// The bytes that ask for the status, of a server that is known under this name and port.
#[must_use]
pub fn request(host: &str, port: u16) -> Vec<u8> {
    let mut handshake = vec![0x00];
    var_int(ANY_VERSION, &mut handshake);
    text(host, &mut handshake);
    handshake.extend(port.to_be_bytes());
    var_int(1, &mut handshake);
    let mut bytes = Vec::new();
    frame(&handshake, &mut bytes);
    frame(&[0x00], &mut bytes);
    bytes
}

/// Reads the answer to [`request`] from the bytes received so far; `None` if more have to come.
///
/// # Errors
/// [`Fault`] of bytes that are no answer.
pub fn answer(received: &[u8]) -> Result<Option<Answer>, Fault> {
    let Some((length, start)) = number(received)? else { return Ok(None) };
    if length > MAX_ANSWER {
        return Err(Fault::TooLong);
    }
    let Some(packet) = received.get(start..start + length) else { return Ok(None) };
    let (kind, start) = number(packet)?.ok_or(Fault::Short)?;
    if kind != 0 {
        return Err(Fault::Unexpected("a status"));
    }
    let body = &packet[start..];
    let (length, start) = number(body)?.ok_or(Fault::Short)?;
    let json = body.get(start..).and_then(|rest| rest.get(..length)).ok_or(Fault::Short)?;
    let status = serde_json::from_slice(json).map_err(|_| Fault::Unexpected("a status in JSON"))?;
    Ok(Some(read(&status)))
}

fn read(status: &Value) -> Answer {
    let count = |name: &str| {
        let number = status.pointer(&format!("/players/{name}")).and_then(Value::as_u64);
        number.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    };
    let sample = status.pointer("/players/sample").and_then(Value::as_array);
    let players = sample.into_iter().flatten().filter_map(player).take(MAX_PLAYERS).collect();
    let mut name = String::new();
    flatten(&status["description"], &mut name);
    let version = status.pointer("/version/name").and_then(Value::as_str).unwrap_or_default();
    Answer {
        online: count("online").unwrap_or(0),
        max: count("max"),
        players,
        name: strip(&name, Some('§')),
        version: strip(version, Some('§')),
        map: String::new(),
    }
}

/// A player of the sample. Servers put lines of their own there too, under an id of zeros.
fn player(entry: &Value) -> Option<Player> {
    let id = entry["id"].as_str().unwrap_or_default();
    let name = strip(entry["name"].as_str()?, Some('§'));
    let real = id.chars().any(|digit| !matches!(digit, '0' | '-'));
    (real && !name.is_empty()).then_some(Player { name, seconds: None })
}

/// The text of a text component. Its depth is bounded by the JSON reader.
fn flatten(component: &Value, text: &mut String) {
    if text.len() > MAX_TEXT * 4 {
        return;
    }
    match component {
        Value::String(part) => text.push_str(part),
        Value::Array(parts) => parts.iter().for_each(|part| flatten(part, text)),
        Value::Object(fields) => {
            for name in ["text", "extra"] {
                if let Some(part) = fields.get(name) {
                    flatten(part, text);
                }
            }
        }
        _ => {}
    }
}

fn var_int(value: i32, bytes: &mut Vec<u8>) {
    let mut rest = value.cast_unsigned();
    while rest > 0x7F {
        bytes.push(u8::try_from(rest & 0x7F).unwrap_or_default() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap_or_default());
}

fn text(text: &str, bytes: &mut Vec<u8>) {
    let text = &text.as_bytes()[..text.len().min(255)];
    var_int(i32::try_from(text.len()).unwrap_or_default(), bytes);
    bytes.extend(text);
}

fn frame(packet: &[u8], bytes: &mut Vec<u8>) {
    var_int(i32::try_from(packet.len()).unwrap_or_default(), bytes);
    bytes.extend(packet);
}

/// A length that begins the bytes, and how many bytes it has; `None` if more have to come.
fn number(bytes: &[u8]) -> Result<Option<(usize, usize)>, Fault> {
    let mut value = 0_u32;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let value = usize::try_from(value).map_err(|_| Fault::TooLong)?;
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() < 5 { Ok(None) } else { Err(Fault::TooLong) }
}
