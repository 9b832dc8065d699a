//! Uploads that survive a lost connection: tus 1.0 (<https://tus.io/protocols/resumable-upload>), with `creation` and
//! `termination`. The node keeps what came of each; the panel keeps nothing.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use protocol::{FileTarget, ToAgent, ToPanel, UploadCreate, UploadInfo, UploadRef};

use super::denied::Denied;
use super::place::unfitting;
use super::{Files, NUMBER, path};
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::http::BodyStream;
use crate::system::ids;

/// The version of the protocol.
pub(super) const VERSION: &str = "1.0.0";
/// The largest file: 8 TiB.
pub(super) const MOST: u64 = 8 << 40;
/// Bytes of `Upload-Metadata`.
const METADATA: usize = 12 * 1024;

/// What an upload is to become.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    path: String,
    replace: bool,
}

impl Files {
    /// Begins an upload; its number.
    pub(super) async fn create_upload(
        &self,
        permit: &Permit<need::Files>,
        length: Option<&str>,
        metadata: Option<&str>,
    ) -> Result<String, ApiError> {
        let size = number("Upload-Length", length)?;
        if size > MOST {
            return Err(ApiError::new(Code::TooLarge, format!("A file may have at most {MOST} bytes.")));
        }
        let wanted = wanted(metadata.unwrap_or_default())?;
        let path = path::named("path", &wanted.path)?;
        let server = self.writable_place(permit.server_id())?;
        Denied::of(&server, permit).check(&path)?;
        let message = UploadCreate {
            server_id: server.id.clone(),
            id: ids::random(NUMBER),
            path: path.clone(),
            size,
            replace: wanted.replace,
        };
        let id = message.id.clone();
        self.ask(&server, ToAgent::UploadCreate(message)).await?;
        tracing::info!(server = %server.id, by = %permit.actor(), path, size, upload = id, "upload begun");
        Ok(id)
    }

    /// How far an upload is.
    pub(super) async fn upload(
        &self,
        permit: &Permit<need::Files>,
        id: &str,
    ) -> Result<UploadInfo, ApiError> {
        let server = self.writable_place(permit.server_id())?;
        let upload = UploadRef { server_id: server.id.clone(), id: known(id)? };
        match self.ask(&server, ToAgent::UploadStat(upload)).await? {
            ToPanel::UploadInfo(info) => Ok(info),
            _ => Err(unfitting()),
        }
    }

    /// The next piece of an upload; how much of it is there then.
    pub(super) async fn resume_upload(
        &self,
        permit: &Permit<need::Files>,
        id: &str,
        offset: Option<&str>,
        body: &mut BodyStream,
    ) -> Result<u64, ApiError> {
        let offset = number("Upload-Offset", offset)?;
        let server = self.writable_place(permit.server_id())?;
        let target = FileTarget::Upload { id: known(id)?, offset };
        let most = body.length();
        match self.take(&server, permit.actor(), target, body, most).await? {
            ToPanel::UploadInfo(info) => {
                if info.offset == info.size {
                    tracing::info!(
                        server = %server.id,
                        by = %permit.actor(),
                        path = info.path,
                        bytes = info.size,
                        "upload done"
                    );
                }
                Ok(info.offset)
            }
            ToPanel::FileInfo(info) => Ok(info.entry.size),
            _ => Err(unfitting()),
        }
    }

    /// Gives an upload up.
    pub(super) async fn remove_upload(&self, permit: &Permit<need::Files>, id: &str) -> Result<(), ApiError> {
        let server = self.writable_place(permit.server_id())?;
        let upload = UploadRef { server_id: server.id.clone(), id: known(id)? };
        self.ask(&server, ToAgent::UploadRemove(upload)).await?;
        tracing::info!(server = %server.id, by = %permit.actor(), upload = id, "upload given up");
        Ok(())
    }
}

fn known(id: &str) -> Result<String, ApiError> {
    if path::is_number(id) { Ok(id.to_owned()) } else { Err(ApiError::not_found("upload")) }
}

fn number(header: &str, text: Option<&str>) -> Result<u64, ApiError> {
    let bad = || ApiError::new(Code::BadRequest, format!("The header {header} has to be a number of bytes."));
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).ok_or_else(bad)?;
    text.parse().map_err(|_too_large| bad())
}

/// From `Upload-Metadata`: `path`, or what other clients say: `relativePath`, `filename`, `name`.
fn wanted(metadata: &str) -> Result<Wanted, ApiError> {
    let bad = |problem: &str| ApiError::field("Upload-Metadata", problem);
    if metadata.len() > METADATA {
        return Err(bad("is too long"));
    }
    let mut best: Option<(usize, String)> = None;
    let mut replace = false;
    for pair in metadata.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = BASE64_STANDARD.decode(value.trim()).map_err(|_| bad("has a value that is no Base64"))?;
        let value = String::from_utf8(value).map_err(|_| bad("has a value that is no UTF-8"))?;
        if key == "replace" {
            replace = value == "true";
        }
        let rank = ["path", "relativePath", "filename", "name"].iter().position(|known| *known == key);
        if let Some(rank) = rank
            && best.as_ref().is_none_or(|(other, _)| rank < *other)
            && !(key == "relativePath" && value == "null")
        {
            best = Some((rank, value));
        }
    }
    let (_, path) = best.ok_or_else(|| bad("has no path"))?;
    Ok(Wanted { path, replace })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_says_where_to() {
        let encode = |text: &str| BASE64_STANDARD.encode(text);
        let of = |text: String| wanted(&text).map(|wanted| (wanted.path, wanted.replace));
        let both = format!("filename {}, path {},replace {}", encode("b"), encode("/a/ü"), encode("true"));
        assert_eq!(of(both), Ok(("/a/ü".to_owned(), true)));
        assert_eq!(of(format!("filename {}", encode("x.bin"))), Ok(("x.bin".to_owned(), false)));
        let uppy = format!("relativePath {},name {},type {}", encode("null"), encode("n"), encode("t/p"));
        assert_eq!(of(uppy), Ok(("n".to_owned(), false)));
        for bad in [String::new(), "path ???".into(), format!("path {}", BASE64_STANDARD.encode([0xff]))] {
            assert_eq!(of(bad.clone()).unwrap_err().code(), Code::Invalid, "{bad}");
        }
        for (text, good) in [(Some("5"), true), (Some("-5"), false), (Some(""), false), (None, false)] {
            assert_eq!(number("Upload-Length", text).is_ok(), good, "{text:?}");
        }
    }
}
