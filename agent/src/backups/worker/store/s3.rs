//! A repository in an S3 bucket, in restic's layout.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use rustic_core::Id;
use ureq::http::Method;

use super::files::{Kind, Part, Store, id_of, probe_as_lock, push};
use super::http::{Answer, Client, address, head};
use super::rest::{cut, range};
use super::sigv4::{Keys, Unsigned, encode, hash};
use crate::backups::worker::message::{Failure, FailureCode};

/// Most pages of a list, with up to 1,000 files each.
const PAGES: usize = 5_000;

/// A repository in a bucket.
pub(super) struct S3Store {
    client: Client,
    /// `https://HOST:PORT`
    origin: String,
    /// The `Host` header, which is signed.
    host: String,
    bucket: String,
    /// Prefix of all keys: empty, or ends with a slash.
    prefix: String,
    keys: Keys,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Store").field(&self.client).field(&self.bucket).finish()
    }
}

impl S3Store {
    pub(super) fn new(
        endpoint: &str,
        bucket: &str,
        prefix: &str,
        keys: Keys,
        attempts: u32,
    ) -> Result<Self, Failure> {
        let uri = address(endpoint)?;
        let named = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            && !bucket.contains("..");
        if !named {
            let sentence = "The name of the bucket has to be 3 to 63 letters, digits, dots and dashes.";
            return Err(Failure::new(FailureCode::Failed, sentence));
        }
        let scheme = uri.scheme_str().unwrap_or("https").to_owned();
        let default = if scheme == "http" { 80 } else { 443 };
        let port = uri.port_u16().filter(|port| *port != default);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", uri.host().unwrap_or_default());
        let prefix = match prefix.trim().trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let origin = format!("{scheme}://{host}");
        Ok(Self {
            client: Client::new(&uri, attempts)?,
            origin,
            host,
            bucket: bucket.to_owned(),
            prefix,
            keys,
        })
    }

    fn path(&self, kind: Kind, id: &Id) -> String {
        format!("/{}/{}{}", self.bucket, self.prefix, kind.path(id))
    }

    fn ask(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        part: Part,
        content: Option<&[Bytes]>,
    ) -> Result<Answer, Failure> {
        let path = encode(path, true);
        let hash = hash(content.unwrap_or_default());
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{mark}{query}", self.origin);
        let make = || {
            let request =
                Unsigned { method: method.as_str(), host: &self.host, path: &path, query, content: &hash };
            let (time, signature) = self.keys.sign(&request, Timestamp::now());
            let mut head = head(method.clone(), &url)
                .header("x-amz-content-sha256", &hash)
                .header("x-amz-date", time)
                .header("authorization", signature);
            if let Some(part) = part {
                head = head.header("range", range(part));
            }
            head
        };
        self.client.ask(make, content)
    }

    fn good(&self, answer: Answer) -> Result<Bytes, Failure> {
        if answer.is_good() {
            return Ok(answer.body);
        }
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let shown = self.client.shown();
        let (code, sentence) = match element(&body, "Code").unwrap_or_default() {
            "RequestTimeTooSkewed" => (
                FailureCode::Failed,
                format!(
                    "The backup target {shown} rejects requests because the clock of this machine is wrong. Correct the clock."
                ),
            ),
            "InvalidAccessKeyId" => {
                (FailureCode::Denied, format!("The backup target {shown} does not know the access key."))
            }
            "SignatureDoesNotMatch" => (
                FailureCode::Denied,
                format!(
                    "The backup target {shown} rejects the signature: the secret key or the region is wrong."
                ),
            ),
            "AuthorizationHeaderMalformed" | "PermanentRedirect" => (
                FailureCode::Failed,
                format!("The backup target {shown} expects another region or address for this bucket."),
            ),
            "NoSuchBucket" => (
                FailureCode::Unreachable,
                format!("The backup target {shown} has no bucket {}.", self.bucket),
            ),
            _ => return Err(self.client.refused(&answer)),
        };
        Err(Failure::new(code, sentence))
    }

    fn list_prefix(&self, prefix: &str) -> Result<Vec<(Id, u32)>, Failure> {
        let mut found = Vec::new();
        let mut token = None::<String>;
        for _ in 0..PAGES {
            let mut query = String::new();
            if let Some(token) = &token {
                query = format!("continuation-token={}&", encode(token, false));
            }
            query.push_str(&format!("list-type=2&max-keys=1000&prefix={}", encode(prefix, false)));
            let answer = self.ask(&Method::GET, &format!("/{}", self.bucket), &query, None, None)?;
            let body = self.good(answer)?;
            let body = String::from_utf8_lossy(&body);
            for file in elements(&body, "Contents") {
                let name = element(file, "Key").and_then(|key| key.rsplit('/').next()).unwrap_or_default();
                let size = element(file, "Size").and_then(|size| size.trim().parse().ok()).unwrap_or(0);
                if let Some(id) = id_of(name) {
                    push(&mut found, id, size)?;
                } else if name == "config" && prefix.ends_with("config") {
                    push(&mut found, Id::default(), size)?;
                }
            }
            token = element(&body, "NextContinuationToken").map(unescape);
            if element(&body, "IsTruncated") != Some("true") || token.is_none() {
                return Ok(found);
            }
        }
        Err(Failure::new(FailureCode::Failed, "The backup repository has too many files."))
    }
}

impl Store for S3Store {
    fn prepare(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn write(&self, kind: Kind, id: &Id, content: &[Bytes]) -> Result<(), Failure> {
        let answer = self.ask(&Method::PUT, &self.path(kind, id), "", None, Some(content))?;
        self.good(answer).map(drop)
    }

    fn read(&self, kind: Kind, id: &Id, part: Part) -> Result<Bytes, Failure> {
        let answer = self.ask(&Method::GET, &self.path(kind, id), "", part, None)?;
        let nonsense = || {
            let sentence = format!("The backup target {} answers unlike S3.", self.client.shown());
            Failure::new(FailureCode::Failed, sentence)
        };
        cut(self.good(answer)?, part).ok_or_else(nonsense)
    }

    fn list(&self, kind: Kind) -> Result<Vec<(Id, u32)>, Failure> {
        match kind {
            Kind::Config => self.list_prefix(&format!("{}config", self.prefix)),
            _ => self.list_prefix(&format!("{}{}/", self.prefix, kind.folder())),
        }
    }

    fn remove(&self, kind: Kind, id: &Id) -> Result<(), Failure> {
        let answer = self.ask(&Method::DELETE, &self.path(kind, id), "", None, None)?;
        if answer.status.as_u16() == 404 { Ok(()) } else { self.good(answer).map(drop) }
    }

    fn probe(&self, content: &Bytes) -> Result<Option<String>, Failure> {
        // Listing needs a permission of its own.
        self.list(Kind::Lock)?;
        probe_as_lock(self, content)
    }

    fn free(&self) -> Option<u64> {
        None
    }
}

/// The text of the first element with this name.
fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    elements(xml, name).next()
}

/// The contents of all elements with this name, which must not be nested.
fn elements<'x>(xml: &'x str, name: &str) -> impl Iterator<Item = &'x str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut left = xml;
    std::iter::from_fn(move || {
        let begin = left.find(&open)? + open.len();
        let end = begin + left[begin..].find(&close)?;
        let found = &left[begin..end];
        left = &left[end..];
        Some(found)
    })
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let xml = "<R><IsTruncated>true</IsTruncated><Contents><Key>a</Key><Size>5</Size></Contents>\
                   <Contents><Key>b</Key></Contents><NextContinuationToken>x&amp;y</NextContinuationToken></R>";
        let keys: Vec<_> = elements(xml, "Contents").filter_map(|file| element(file, "Key")).collect();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(element(xml, "NextContinuationToken").map(unescape).as_deref(), Some("x&y"));
        assert_eq!(element("<Key>cut", "Key"), None);
    }
}
