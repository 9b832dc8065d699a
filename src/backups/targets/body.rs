//! What clients send about backup targets, and the checks of it.

use serde::Deserialize;
use storage::backups::targets::Location;
use utoipa::ToSchema;

use crate::error::ApiError;

/// Characters of a target's name.
const NAME: usize = 60;
/// Bytes of one line of an address or a login.
const LINE: usize = 1_000;
/// Bytes of a private key.
const KEY: usize = 16_384;

/// A new backup target.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBackupTarget)]
pub(super) struct NewTarget {
    /// What people call it, 1 to 60 characters.
    pub(super) name: String,
    /// How it is reached.
    pub(super) location: LocationBody,
    /// The password of a backup repository that lies there already: its backups are taken in.
    #[serde(rename = "repositoryPassword", default)]
    pub(super) repository_password: Option<String>,
    /// The node that looks into it; the first one that is online when left out.
    #[serde(rename = "nodeId", default)]
    pub(super) node_id: Option<String>,
}

/// What is to be changed of a backup target; left-out keys stay.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ChangeBackupTarget)]
pub(super) struct ChangeTarget {
    /// What people call it.
    pub(super) name: Option<String>,
    /// How it is reached. Secrets that are left out stay, unless the address or the user is another.
    pub(super) location: Option<LocationBody>,
    /// Whether somebody keeps its emergency kit.
    pub(super) kit_saved: Option<bool>,
}

/// A target that is to be tried.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TestBackupTarget)]
pub(super) struct TestTarget {
    /// The node that tries it; the first one that is online when left out.
    pub(super) node_id: Option<String>,
    /// A target that is kept. Its secrets stand for those that `location` leaves out.
    pub(super) id: Option<String>,
    /// How it is reached; needed without an id.
    pub(super) location: Option<LocationBody>,
    /// The password of a backup repository that lies there already, to see what is in it.
    pub(super) repository_password: Option<String>,
}

/// How a backup target is reached.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = BackupTargetLocation)]
pub(crate) enum LocationBody {
    /// A folder of each node, such as a mounted disk or share.
    Folder {
        /// The whole path.
        path: String,
    },
    /// A bucket of an S3-compatible service.
    S3 {
        /// The service's address, with `https://`.
        endpoint: String,
        /// The region; `us-east-1` when left out.
        #[serde(default)]
        region: String,
        /// The bucket.
        bucket: String,
        /// The folder in it.
        #[serde(default)]
        prefix: String,
        /// The access key's id.
        #[serde(rename = "accessKey")]
        access_key: String,
        /// The secret access key.
        #[serde(rename = "secretKey", default)]
        secret_key: Option<String>,
    },
    /// restic's REST server.
    Rest {
        /// Its address, with `https://`.
        url: String,
        /// User name.
        #[serde(default)]
        user: String,
        /// The password.
        #[serde(default)]
        password: Option<String>,
    },
    /// An SSH server with SFTP.
    Sftp {
        /// Its name or address.
        host: String,
        /// Its port; 22 when left out.
        #[serde(default = "ssh")]
        port: u16,
        /// User name.
        user: String,
        /// The folder there.
        path: String,
        /// The password. It or a private key is needed.
        #[serde(default)]
        password: Option<String>,
        /// A private key in OpenSSH's format, without a passphrase.
        #[serde(rename = "privateKey", default)]
        private_key: Option<String>,
        /// The server's own key, as `SHA256:…`. Nobody is spoken to who has another.
        #[serde(rename = "hostKey", default)]
        host_key: Option<String>,
    },
}

fn ssh() -> u16 {
    22
}

/// The name of a target.
pub(super) fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > NAME || name.contains(char::is_control) {
        return Err(ApiError::field(
            "name",
            format!("has to have 1 to {NAME} characters, none of them control characters"),
        ));
    }
    Ok(name.to_owned())
}

impl LocationBody {
    /// As it is kept. Secrets that are left out are those of `before`, where that leads to the same place as the same user.
    pub(crate) fn checked(self, before: Option<&Location>) -> Result<Location, ApiError> {
        match self {
            Self::Folder { path } => Ok(Location::Folder { path: folder("path", &path)? }),
            Self::S3 { endpoint, region, bucket, prefix, access_key, secret_key } => {
                let (endpoint, access_key) =
                    (address("endpoint", &endpoint)?, word("accessKey", &access_key)?);
                let known = match before {
                    Some(Location::S3 { endpoint: old, access_key: user, secret_key, .. })
                        if *old == endpoint && *user == access_key =>
                    {
                        Some(secret_key.clone())
                    }
                    _ => None,
                };
                let region = line("region", &region)?;
                Ok(Location::S3 {
                    endpoint,
                    region: if region.is_empty() { "us-east-1".to_owned() } else { region },
                    bucket: bucket_name(&bucket)?,
                    prefix: prefix_of(&prefix)?,
                    access_key,
                    secret_key: needed("secretKey", secret_key, known)?,
                })
            }
            Self::Rest { url, user, password } => {
                let (url, user) = (address("url", &url)?, line("user", &user)?);
                let known = match before {
                    Some(Location::Rest { url: old, user: same, password })
                        if *old == url && *same == user =>
                    {
                        Some(password.clone())
                    }
                    _ => None,
                };
                let password =
                    if user.is_empty() { String::new() } else { needed("password", password, known)? };
                Ok(Location::Rest { url, user, password })
            }
            Self::Sftp { host, port, user, path, password, private_key, host_key } => {
                let (host, user) = (host_of(&host)?, word("user", &user)?);
                let (mut known, mut known_key) = (None, None);
                if let Some(Location::Sftp { host: old, port: at, user: same, password, private_key, .. }) =
                    before
                    && *old == host
                    && *at == port
                    && *same == user
                {
                    (known, known_key) = (password.clone(), private_key.clone());
                }
                let password = secret("password", password, LINE)?;
                let private_key = secret("privateKey", private_key, KEY)?;
                let (password, private_key) = match (password, private_key) {
                    (None, None) => (known, known_key),
                    given => given,
                };
                if password.is_none() && private_key.is_none() {
                    return Err(location(
                        "password",
                        "is missing, and so is a private key: one of them is needed",
                    ));
                }
                if port == 0 {
                    return Err(location("port", "must be from 1 to 65535"));
                }
                let host_key = host_key.map(|key| fingerprint(&key)).transpose()?.flatten();
                Ok(Location::Sftp {
                    host,
                    port,
                    user,
                    path: remote_path(&path)?,
                    password,
                    private_key,
                    host_key,
                })
            }
        }
    }
}

fn location(field: &str, problem: impl Into<String>) -> ApiError {
    ApiError::field(format!("location.{field}"), problem)
}

/// One line of text, which may be empty.
fn line(field: &str, text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    if text.len() > LINE || text.contains(char::is_control) {
        return Err(location(field, format!("is longer than {LINE} bytes or has control characters")));
    }
    Ok(text.to_owned())
}

/// One line of text.
fn word(field: &str, text: &str) -> Result<String, ApiError> {
    let text = line(field, text)?;
    if text.is_empty() { Err(location(field, "is missing")) } else { Ok(text) }
}

/// A secret as it was given; an empty one is none.
fn secret(field: &str, given: Option<String>, most: usize) -> Result<Option<String>, ApiError> {
    let given = given.filter(|text| !text.is_empty());
    let bad = |text: &String| {
        let odd = |c: char| c.is_control() && !(most == KEY && matches!(c, '\n' | '\r' | '\t'));
        text.len() > most || text.contains(odd)
    };
    if given.as_ref().is_some_and(bad) {
        return Err(location(field, format!("is longer than {most} bytes or has control characters")));
    }
    Ok(given)
}

fn needed(field: &str, given: Option<String>, known: Option<String>) -> Result<String, ApiError> {
    secret(field, given, LINE)?
        .or(known)
        .ok_or_else(|| location(field, "is missing: it is needed for a new address or another user"))
}

/// `https://host:port/path`, without a user, a query and the last slash.
fn address(field: &str, text: &str) -> Result<String, ApiError> {
    let text = word(field, text)?;
    let parsed = text.parse::<hyper::Uri>().ok();
    let good = parsed.as_ref().is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|at| !at.as_str().contains('@'))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
            && !text.contains('#')
    });
    if !good {
        return Err(location(
            field,
            "has to be an address such as https://backup.example.com:8000, without a user in it",
        ));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The whole path of a folder, written in one way only.
fn folder(field: &str, text: &str) -> Result<String, ApiError> {
    let text = word(field, text)?;
    let mut parts = text.split('/').skip(1).filter(|part| !part.is_empty()).peekable();
    if !text.starts_with('/') || parts.peek().is_none() || parts.any(|part| matches!(part, "." | "..")) {
        return Err(location(field, "has to be the whole path of a folder, such as /mnt/backup"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A folder of an SSH server: whole, or below the one where one arrives.
fn remote_path(text: &str) -> Result<String, ApiError> {
    let text = word("path", text)?;
    if text.split('/').any(|part| part == "..") {
        return Err(location("path", "must not have .. in it"));
    }
    Ok(if text == "/" { text } else { text.trim_end_matches('/').to_owned() })
}

fn bucket_name(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !(3..=255).contains(&text.len()) || !text.chars().all(fine) || text.contains("..") {
        return Err(location("bucket", "has to be a bucket's name: letters, digits, dots and hyphens"));
    }
    Ok(text.to_owned())
}

fn prefix_of(text: &str) -> Result<String, ApiError> {
    let text = line("prefix", text)?;
    let text = text.trim_matches('/');
    let odd = |part: &str| matches!(part, "" | "." | "..");
    if !text.is_empty() && text.split('/').any(odd) {
        return Err(location("prefix", "has to be a folder such as games/backups"));
    }
    Ok(text.to_owned())
}

fn host_of(text: &str) -> Result<String, ApiError> {
    let text = word("host", text)?;
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let text = text.trim_start_matches('[').trim_end_matches(']').to_owned();
    if text.len() > 255 || !text.chars().all(fine) || text.starts_with('-') {
        return Err(location("host", "has to be a host's name or address, such as nas.local"));
    }
    Ok(text)
}

/// `SHA256:` and the hash in Base64; empty for none.
fn fingerprint(text: &str) -> Result<Option<String>, ApiError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    match text.strip_prefix("SHA256:") {
        Some(hash) if (40..=60).contains(&hash.len()) && hash.chars().all(fine) => Ok(Some(text.to_owned())),
        _ => Err(location("hostKey", "has to be a fingerprint such as SHA256:…, as ssh-keygen -l shows it")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value, before: Option<&Location>) -> Result<Location, String> {
        let body: LocationBody = serde_json::from_value(value).map_err(|e| e.to_string())?;
        body.checked(before).map_err(|error| error.problems().keys().cloned().collect())
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (body, field) in [
            (json!({ "kind": "folder", "path": "mnt" }), "location.path"),
            (json!({ "kind": "folder", "path": "/" }), "location.path"),
            (json!({ "kind": "folder", "path": "/mnt/../etc" }), "location.path"),
            (json!({ "kind": "folder", "path": "/mnt\n" }), ""),
            (json!({ "kind": "rest", "url": "ftp://x" }), "location.url"),
            (json!({ "kind": "rest", "url": "https://a:b@x" }), "location.url"),
            (json!({ "kind": "rest", "url": "https://x", "user": "u" }), "location.password"),
            (
                json!({ "kind": "s3", "endpoint": "https://x", "bucket": "a/b", "accessKey": "k", "secretKey": "s" }),
                "location.bucket",
            ),
            (
                json!({ "kind": "s3", "endpoint": "https://x", "bucket": "abc", "accessKey": "k" }),
                "location.secretKey",
            ),
            (
                json!({ "kind": "sftp", "host": "-oProxyCommand=x", "user": "u", "path": "/p", "password": "x" }),
                "location.host",
            ),
            (json!({ "kind": "sftp", "host": "h", "user": "u", "path": "/p" }), "location.password"),
            (
                json!({ "kind": "sftp", "host": "h", "user": "u", "path": "/p", "password": "x", "hostKey": "MD5:1" }),
                "location.hostKey",
            ),
        ] {
            match read(body.clone(), None) {
                Err(found) if found == field => {}
                Ok(_) if field.is_empty() => {}
                other => panic!("{body}: {other:?}"),
            }
        }
        assert!(read(json!({ "kind": "folder", "path": "/mnt", "url": "x" }), None).is_err(), "unknown keys");
        assert!(read(json!({ "kind": "tape" }), None).is_err());
    }

    #[test]
    fn a_secret_stays_only_for_the_same_place_and_user() {
        let rest = |url: &str, password: Option<&str>| json!({ "kind": "rest", "url": url, "user": "u", "password": password });
        let before = read(rest("https://x/", Some("old")), None).unwrap();
        assert_eq!(read(rest("https://x", None), Some(&before)), Ok(before.clone()));
        assert_eq!(read(rest("https://evil", None), Some(&before)).unwrap_err(), "location.password");
        let other = read(rest("https://x", Some("new")), Some(&before)).unwrap();
        assert_ne!(other, before);
        let sftp = |host: &str| json!({ "kind": "sftp", "host": host, "user": "u", "path": "p" });
        let with = |key: &str| {
            let mut body = sftp("h");
            body[key] = json!("s");
            body
        };
        let before = read(with("privateKey"), None).unwrap();
        assert_eq!(read(sftp("h"), Some(&before)), Ok(before.clone()));
        assert!(read(sftp("g"), Some(&before)).is_err());
        let Location::Sftp { private_key, password, .. } = read(with("password"), Some(&before)).unwrap()
        else {
            panic!("another kind");
        };
        assert_eq!((private_key, password.as_deref()), (None, Some("s")), "one replaces the other");
    }
}
