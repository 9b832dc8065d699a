//! The content of a file, there and back.

use protocol::{FileInfo, FileKind, FileRef, FileSource, FileTarget, ToAgent, ToPanel};
use storage::servers::Server;

use super::denied::Denied;
use super::place::unfitting;
use super::range::{self, Part};
use super::send::Outflow;
use super::{Files, path};
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::http::BodyStream;
use crate::revision::Expected;

/// What a file was before is kept up to this size: it is text that somebody edits.
const VERSIONED: u64 = 4 << 20;

/// How a file is asked for.
pub(super) struct Wish {
    pub(super) range: Option<String>,
    /// The range counts only for this state.
    pub(super) if_range: Option<String>,
    /// Not where it is this state still.
    pub(super) if_none_match: Option<String>,
    /// Only what is there.
    pub(super) head: bool,
}

/// What is answered.
pub(super) struct Content {
    pub(super) name: String,
    /// Bytes of the whole, where that is known.
    pub(super) size: Option<u64>,
    pub(super) etag: Option<String>,
    /// The part that is sent; absent for the whole.
    pub(super) part: Option<Part>,
    pub(super) body: Body,
}

/// The bytes.
pub(super) enum Body {
    /// None: only the headers, or nothing new.
    Nothing,
    /// The caller has it already.
    NotModified,
    /// From a node.
    Flow(Outflow),
    /// In memory: a small text.
    Text(Vec<u8>),
}

impl Files {
    /// A file, or a part of it.
    pub(super) async fn content(
        &self,
        permit: &Permit<need::FilesRead>,
        path: &str,
        wish: Wish,
    ) -> Result<Content, ApiError> {
        let path = path::named("path", path)?;
        let server = self.server(permit.server_id())?;
        Denied::of(&server, permit).check(&path)?;
        if self.is_legacy(&server) {
            return self.legacy_content(&server, path).await;
        }
        if !wish.head && wish.range.is_none() && wish.if_none_match.is_none() {
            let source = FileSource::Content { path: path.clone(), offset: 0, length: None, etag: None };
            let (info, flow) = self.open(&server, permit.actor(), source).await?;
            let info = info.ok_or_else(unfitting)?;
            tracing::debug!(server = %server.id, by = %permit.actor(), path, "file read");
            let flow = flow.of_length(info.entry.size);
            return Ok(Content::of(&path, &info, None, Body::Flow(flow)));
        }
        let info = self.stat(&server, path.clone()).await?;
        regular(&info)?;
        let same = |tags: &str| names_tag(tags, &info.etag);
        if wish.if_none_match.as_deref().is_some_and(same) {
            return Ok(Content::of(&path, &info, None, Body::NotModified));
        }
        let counts = wish.if_range.as_deref().is_none_or(same);
        let part = range::part(wish.range.as_deref().filter(|_| counts), info.entry.size)?;
        if wish.head {
            return Ok(Content::of(&path, &info, part, Body::Nothing));
        }
        let length = part.map_or(info.entry.size, Part::length);
        let source = FileSource::Content {
            path: path.clone(),
            offset: part.map_or(0, |part| part.first),
            length: Some(length),
            etag: Some(info.etag.clone()),
        };
        let (_, flow) = self.open(&server, permit.actor(), source).await?;
        tracing::debug!(server = %server.id, by = %permit.actor(), path, "file read");
        Ok(Content::of(&path, &info, part, Body::Flow(flow.of_length(length))))
    }

    /// What a file was before.
    pub(super) async fn version(
        &self,
        permit: &Permit<need::FilesRead>,
        path: &str,
        id: &str,
    ) -> Result<Content, ApiError> {
        let path = path::named("path", path)?;
        if !path::is_number(id) {
            return Err(ApiError::not_found("version"));
        }
        let server = self.readable_place(permit.server_id())?;
        Denied::of(&server, permit).check(&path)?;
        let source = FileSource::Version { path: path.clone(), id: id.to_owned() };
        let (info, flow) = self.open(&server, permit.actor(), source).await?;
        tracing::debug!(server = %server.id, by = %permit.actor(), path, version = id, "file read");
        Ok(match info {
            Some(info) => {
                let flow = flow.of_length(info.entry.size);
                Content::of(&path, &info, None, Body::Flow(flow))
            }
            None => Content {
                name: path::last(&path).to_owned(),
                size: None,
                etag: None,
                part: None,
                body: Body::Flow(flow),
            },
        })
    }

    /// Writes a file, whole or not at all; returns what it is then.
    pub(super) async fn write(
        &self,
        permit: &Permit<need::Files>,
        path: &str,
        keep: Option<bool>,
        expected: Expected,
        body: &mut BodyStream,
    ) -> Result<String, ApiError> {
        let path = path::named("path", path)?;
        let server = self.changeable(permit.server_id())?;
        Denied::of(&server, permit).check(&path)?;
        if self.is_legacy(&server) {
            return self.legacy_write(&server, permit.actor(), path, &expected, body).await;
        }
        let size = body.length();
        let target = FileTarget::Content {
            path: path.clone(),
            size,
            if_match: self.state_wanted(&server, &path, expected).await?,
            keep_version: keep.unwrap_or(true) && size.is_none_or(|size| size <= VERSIONED),
        };
        let answer = self.take(&server, permit.actor(), target, body, size).await?;
        let ToPanel::FileInfo(info) = answer else { return Err(unfitting()) };
        tracing::info!(server = %server.id, by = %permit.actor(), path, bytes = info.entry.size, "file written");
        Ok(info.etag)
    }

    /// The agent knows one state, or that there is none.
    async fn state_wanted(
        &self,
        server: &Server,
        path: &str,
        expected: Expected,
    ) -> Result<Option<String>, ApiError> {
        match expected {
            Expected::Whatever => Ok(None),
            Expected::Absent => Ok(Some("none".to_owned())),
            Expected::OneOf(mut tags) if tags.len() == 1 => {
                let tag = tags.pop().filter(|tag| tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
                // Another's tag fits nothing.
                Ok(Some(tag.unwrap_or_else(|| "0".to_owned())))
            }
            several => match self.stat(server, path.to_owned()).await {
                Ok(info) => {
                    several.check(Some(&info.etag))?;
                    Ok(Some(info.etag))
                }
                Err(error) if error.code() == Code::NotFound => several.check(None).map(|()| None),
                Err(error) => Err(error),
            },
        }
    }

    /// What is at a path.
    pub(super) async fn stat(&self, server: &Server, path: String) -> Result<Box<FileInfo>, ApiError> {
        let message = ToAgent::FileStat(FileRef { server_id: server.id.clone(), path });
        match self.ask(server, message).await? {
            ToPanel::FileInfo(info) => Ok(info),
            _ => Err(unfitting()),
        }
    }
}

impl Content {
    fn of(path: &str, info: &FileInfo, part: Option<Part>, body: Body) -> Self {
        Self {
            name: path::last(path).to_owned(),
            size: Some(info.entry.size),
            etag: Some(info.etag.clone()),
            part,
            body,
        }
    }
}

fn regular(info: &FileInfo) -> Result<(), ApiError> {
    if info.entry.kind == FileKind::File {
        return Ok(());
    }
    Err(ApiError::new(Code::NotRegular, "This is not a plain file."))
}

/// Whether a header with tags names this one.
fn names_tag(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| {
        let opaque = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || opaque.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) == Some(etag)
    })
}

#[cfg(test)]
mod tests {
    use super::names_tag;

    #[test]
    fn tags_are_compared_without_their_quotes() {
        assert!(names_tag("\"ab\"", "ab") && names_tag("W/\"ab\", \"c\"", "ab") && names_tag("*", "ab"));
        assert!(!names_tag("ab", "ab") && !names_tag("\"abc\"", "ab") && !names_tag("", "ab"));
    }
}
