//! `getstatus` of games on id Tech 3 (OpenArena, Xonotic's relatives …), over UDP: a line of settings, then a line for each
//! player, `SCORE PING "NAME"`.

use crate::text::{plain, strip};
use crate::{Answer, Fault, MAX_PLAYERS, Player};

const HEADER: &[u8] = &[0xFF; 4];
const STATUS: &[u8] = b"statusResponse\n";

/// The packet that asks. The challenge comes back, so that another one's answer is not taken for it.
#[must_use]
pub fn request(challenge: u32) -> Vec<u8> {
    [HEADER, format!("getstatus {challenge}").as_bytes()].concat()
}

/// Reads the answer to [`request`]; `None` if it answers another one.
///
/// # Errors
/// [`Fault`] of a packet that is no answer.
pub fn answer(packet: &[u8], challenge: u32) -> Result<Option<Answer>, Fault> {
    let body = packet
        .strip_prefix(HEADER)
        .and_then(|body| body.strip_prefix(STATUS))
        .ok_or(Fault::Unexpected("a status response"))?;
    let mut lines = body.split(|byte| *byte == b'\n');
    let settings = lines.next().unwrap_or_default();
    let mut parts = settings.split(|byte| *byte == b'\\').skip(1);
    let mut found = Answer::default();
    let mut echoed = None;
    while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
        let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse::<u32>().ok());
        match key {
            b"sv_hostname" => found.name = plain(value, Some('^')),
            b"sv_maxclients" => found.max = number(),
            b"mapname" => found.map = plain(value, None),
            b"version" => found.version = plain(value, None),
            b"challenge" => echoed = number(),
            _ => {}
        }
    }
    if echoed.is_some_and(|echoed| echoed != challenge) {
        return Ok(None);
    }
    for line in lines {
        let line = String::from_utf8_lossy(line);
        let mut parts = line.splitn(3, ' ');
        // A bot has a ping of 0, and so may a player of the same network.
        let (Some(_score), Some(_ping), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        found.online = found.online.saturating_add(1);
        if found.players.len() < MAX_PLAYERS {
            let name = strip(name.trim_matches('"'), Some('^'));
            found.players.push(Player { name, seconds: None });
        }
    }
    Ok(Some(found))
}
