//! A repository on restic's REST server, using version 2 of its protocol.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rustic_core::Id;
use serde::Deserialize;
use ureq::http::Method;

use super::files::{Kind, Part, Store, id_of, probe_as_lock, push};
use super::http::{Answer, Client, address, head};
use crate::backups::worker::message::{Failure, FailureCode};

/// Media type of lists with sizes.
const VERSION_2: &str = "application/vnd.x.restic.rest.v2";

/// A repository on a REST server.
pub(super) struct RestStore {
    client: Client,
    /// Ends with a slash.
    url: String,
    authorization: Option<String>,
}

impl fmt::Debug for RestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RestStore").field(&self.client).finish()
    }
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    size: u64,
}

impl RestStore {
    pub(super) fn new(url: &str, user: &str, password: &str, attempts: u32) -> Result<Self, Failure> {
        let uri = address(url)?;
        let authorization =
            (!user.is_empty()).then(|| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        let url = format!("{}/", url.trim().trim_end_matches('/'));
        Ok(Self { client: Client::new(&uri, attempts)?, url, authorization })
    }

    fn url(&self, kind: Kind, id: &Id) -> String {
        match kind {
            Kind::Config => format!("{}config", self.url),
            _ => format!("{}{}/{}", self.url, kind.folder(), id.to_hex().as_str()),
        }
    }

    fn ask(
        &self,
        method: &Method,
        url: &str,
        more: Option<(&str, &str)>,
        content: Option<&[Bytes]>,
    ) -> Result<Answer, Failure> {
        let make = || {
            let mut head = head(method.clone(), url);
            if let Some(authorization) = &self.authorization {
                head = head.header("authorization", authorization);
            }
            if let Some((name, value)) = more {
                head = head.header(name, value);
            }
            head
        };
        self.client.ask(make, content)
    }

    fn good(&self, answer: Answer) -> Result<Bytes, Failure> {
        if answer.is_good() { Ok(answer.body) } else { Err(self.client.refused(&answer)) }
    }

    fn nonsense(&self) -> Failure {
        let sentence =
            format!("The backup target {} answers unlike a REST server of restic.", self.client.shown());
        Failure::new(FailureCode::Failed, sentence)
    }
}

impl Store for RestStore {
    fn prepare(&self) -> Result<(), Failure> {
        if self.exists()? {
            return Ok(());
        }
        let made = self.ask(&Method::POST, &format!("{}?create=true", self.url), None, Some(&[]))?;
        self.good(made).map(drop)
    }

    fn write(&self, kind: Kind, id: &Id, content: &[Bytes]) -> Result<(), Failure> {
        let url = self.url(kind, id);
        let octets = Some(("content-type", "application/octet-stream"));
        let answer = self.ask(&Method::POST, &url, octets, Some(content))?;
        if answer.is_good() {
            return Ok(());
        }
        // If the response to the first attempt was lost, the file exists and the retry is refused.
        if matches!(answer.status.as_u16(), 403 | 409)
            && let Ok(there) = self.read(kind, id, None)
            && there == content.concat()
        {
            return Ok(());
        }
        Err(self.client.refused(&answer))
    }

    fn read(&self, kind: Kind, id: &Id, part: Part) -> Result<Bytes, Failure> {
        let range = part.map(range);
        let more = range.as_deref().map(|range| ("range", range));
        let read = self.good(self.ask(&Method::GET, &self.url(kind, id), more, None)?)?;
        cut(read, part).ok_or_else(|| self.nonsense())
    }

    fn list(&self, kind: Kind) -> Result<Vec<(Id, u32)>, Failure> {
        let mut found = Vec::new();
        if kind == Kind::Config {
            let answer = self.ask(&Method::HEAD, &self.url(kind, &Id::default()), None, None)?;
            match answer.status.as_u16() {
                404 => {}
                _ => {
                    self.good(answer)?;
                    push(&mut found, Id::default(), 0)?;
                }
            }
            return Ok(found);
        }
        let url = format!("{}{}/", self.url, kind.folder());
        let answer = self.ask(&Method::GET, &url, Some(("accept", VERSION_2)), None)?;
        if answer.status.as_u16() == 404 {
            return Ok(found);
        }
        let list = self.good(answer)?;
        // Some servers send `null` for an empty list.
        let list: Option<Vec<Entry>> = serde_json::from_slice(&list).map_err(|_| self.nonsense())?;
        for Entry { name, size } in list.unwrap_or_default() {
            if let Some(id) = id_of(&name) {
                push(&mut found, id, size)?;
            }
        }
        Ok(found)
    }

    fn remove(&self, kind: Kind, id: &Id) -> Result<(), Failure> {
        let answer = self.ask(&Method::DELETE, &self.url(kind, id), None, None)?;
        if answer.status.as_u16() == 404 { Ok(()) } else { self.good(answer).map(drop) }
    }

    fn probe(&self, content: &Bytes) -> Result<Option<String>, Failure> {
        self.prepare()?;
        probe_as_lock(self, content)
    }

    fn free(&self) -> Option<u64> {
        None
    }
}

/// The value of the `Range` header.
pub(super) fn range((offset, length): (u32, u32)) -> String {
    format!("bytes={offset}-{}", (u64::from(offset) + u64::from(length)).saturating_sub(1))
}

/// Cuts the requested range out of a response, because some servers ignore `Range`.
pub(super) fn cut(read: Bytes, part: Part) -> Option<Bytes> {
    let Some((offset, length)) = part else { return Some(read) };
    let (offset, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
    if read.len() == length {
        return Some(read);
    }
    let end = offset.checked_add(length)?;
    (end <= read.len()).then(|| read.slice(offset..end))
}
