//! Where panel backups lie, as somebody says who has the emergency kit.

use protocol::BackupLocation;
use serde_json::{Value, json};

use super::error::RestoreError;
use super::folder;
use crate::backups::{LocationBody, wire};

/// Bytes of a password.
const PASSWORD: usize = 1_000;
/// The repository's name at places that have no more than one.
const ONLY: &str = "restore";

/// A repository, and what opens it.
#[derive(Clone, Debug)]
pub struct Source {
    pub(super) location: BackupLocation,
    pub(super) id: String,
    pub(super) password: String,
}

/// What is needed beside an address, as in the emergency kit.
#[derive(Clone, Default)]
pub struct Access {
    /// Gives environment variables by their name.
    pub variables: std::collections::BTreeMap<String, String>,
    /// A private key for SFTP.
    pub sftp_key: Option<String>,
    /// The key of the SFTP server.
    pub host_key: Option<String>,
}

impl Access {
    /// Variables that are read.
    pub const VARIABLES: [&str; 7] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
        "RESTIC_REST_USERNAME",
        "RESTIC_REST_PASSWORD",
        "RESTIC_PASSWORD",
        "SFTP_PASSWORD",
    ];

    fn variable(&self, name: &str) -> String {
        self.variables.get(name).cloned().unwrap_or_default()
    }
}

impl Source {
    /// What an address means: a folder, `s3:…`, `rest:…` or `sftp:…`, as restic writes them.
    ///
    /// # Errors
    /// It is none, or something is missing.
    pub fn parse(from: &str, access: &Access) -> Result<Self, RestoreError> {
        let body = if let Some(rest) = from.strip_prefix("s3:") {
            s3(rest, access)?
        } else if let Some(url) = from.strip_prefix("rest:") {
            let (user, password) =
                (access.variable("RESTIC_REST_USERNAME"), access.variable("RESTIC_REST_PASSWORD"));
            json!({ "kind": "rest", "url": url, "user": user, "password": password })
        } else if let Some(rest) = from.strip_prefix("sftp:") {
            sftp(rest, access)?
        } else {
            let path = std::path::absolute(from).map_err(|error| RestoreError::Source(error.to_string()))?;
            let path =
                path.to_str().ok_or_else(|| RestoreError::Source("the folder's name is no text".into()))?;
            json!({ "kind": "folder", "path": path })
        };
        let body = serde_json::from_value::<LocationBody>(body)
            .map_err(|error| RestoreError::Source(format!("{from} is no place of backups: {error}")))?;
        Self::checked(body, String::new())
    }

    /// What a form says.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub(crate) fn checked(body: LocationBody, password: String) -> Result<Self, RestoreError> {
        let location = body.checked(None).map_err(|error| {
            let problems: Vec<_> = error
                .problems()
                .iter()
                .map(|(field, problem)| format!("{} {problem}", field.trim_start_matches("location.")))
                .collect();
            RestoreError::Source(problems.join("; "))
        })?;
        let (location, id) = match wire(location) {
            BackupLocation::Folder { path } => {
                let (above, id) = folder::repository(path.as_ref())?;
                (BackupLocation::Folder { path: above.to_string_lossy().into_owned() }, id)
            }
            other => (other, ONLY.to_owned()),
        };
        Self { location, id, password: String::new() }.with_password(password)
    }

    /// With this password.
    ///
    /// # Errors
    /// It is too long to be one.
    pub fn with_password(self, password: String) -> Result<Self, RestoreError> {
        if password.len() > PASSWORD {
            return Err(RestoreError::Source(format!("the password is longer than {PASSWORD} bytes")));
        }
        Ok(Self { password, ..self })
    }
}

fn bad(from: &str, example: &str) -> RestoreError {
    RestoreError::Source(format!("{from} is no address such as {example}"))
}

/// `https://host/bucket/folder`.
fn s3(rest: &str, access: &Access) -> Result<Value, RestoreError> {
    let wrong = || bad(rest, "s3:https://s3.example.com/bucket/folder");
    let (scheme, path) = rest.split_once("://").unwrap_or(("https", rest));
    let (host, path) = path.split_once('/').ok_or_else(wrong)?;
    let (bucket, prefix) =
        path.trim_end_matches('/').split_once('/').unwrap_or((path.trim_end_matches('/'), ""));
    if host.is_empty() || bucket.is_empty() {
        return Err(wrong());
    }
    Ok(json!({
        "kind": "s3", "endpoint": format!("{scheme}://{host}"), "bucket": bucket, "prefix": prefix,
        "region": access.variable("AWS_DEFAULT_REGION"), "accessKey": access.variable("AWS_ACCESS_KEY_ID"),
        "secretKey": access.variable("AWS_SECRET_ACCESS_KEY"),
    }))
}

/// `//user@host:port/folder`, or `user@host:folder`.
fn sftp(rest: &str, access: &Access) -> Result<Value, RestoreError> {
    let wrong = || bad(rest, "sftp://user@host:22/folder");
    let (user, host, port, path) = if let Some(rest) = rest.strip_prefix("//") {
        let (at, path) = rest.split_once('/').ok_or_else(wrong)?;
        let (user, host) = at.rsplit_once('@').ok_or_else(wrong)?;
        let (host, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port.parse::<u16>().map_err(|_| wrong())?),
            _ => (host, 22),
        };
        (user, host, port, path)
    } else {
        let (user, rest) = rest.split_once('@').ok_or_else(wrong)?;
        let (host, path) = rest.split_once(':').ok_or_else(wrong)?;
        (user, host, 22, path)
    };
    Ok(json!({
        "kind": "sftp", "user": user, "host": host, "port": port, "path": path,
        "password": access.variable("SFTP_PASSWORD"), "privateKey": access.sftp_key, "hostKey": access.host_key,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let variables =
            Access::VARIABLES.iter().map(|name| ((*name).to_owned(), format!("v{name}"))).collect();
        Access { variables, ..Access::default() }
    }

    #[test]
    fn addresses_are_read_as_the_kit_writes_them() {
        let read = |from: &str| Source::parse(from, &access()).map(|source| source.location);
        match read("s3:https://s3.example.com:9000/games/a/b/").unwrap() {
            BackupLocation::S3 { endpoint, bucket, prefix, access_key, secret_key, .. } => {
                assert_eq!(
                    [endpoint, bucket, prefix, access_key, secret_key],
                    [
                        "https://s3.example.com:9000",
                        "games",
                        "a/b",
                        "vAWS_ACCESS_KEY_ID",
                        "vAWS_SECRET_ACCESS_KEY"
                    ]
                );
            }
            other => panic!("{other:?}"),
        }
        match read("sftp://me@[::1]:2222//srv/backups").unwrap() {
            BackupLocation::Sftp { host, port, user, path, .. } => {
                assert_eq!(
                    (host.as_str(), port, user.as_str(), path.as_str()),
                    ("::1", 2222, "me", "/srv/backups")
                );
            }
            other => panic!("{other:?}"),
        }
        match read("sftp:me@nas:backups").unwrap() {
            BackupLocation::Sftp { host, port, path, .. } => {
                assert_eq!((host.as_str(), port, path.as_str()), ("nas", 22, "backups"));
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(read("rest:https://b.example.com:8000/").unwrap(), BackupLocation::Rest { .. }));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for from in [
            "s3:",
            "s3:https://host",
            "rest:ftp://x",
            "rest:https://a:b@x",
            "sftp:host",
            "sftp://u@h:x/p",
            "sftp://u@-oProxyCommand=x/p",
            "sftp://u@h/../../etc",
            "/not/there/at/all",
            "/",
        ] {
            let read = Source::parse(from, &access());
            assert!(matches!(read, Err(RestoreError::Source(_))), "{from}: {read:?}");
        }
    }
}
