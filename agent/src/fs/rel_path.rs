//! A path below a server's folder, checked before anybody looks at the disk.

use protocol::file_paths::{self, NAME_BYTES, PATH_BYTES};

use super::error::FileError;

/// A path below a server's folder: no `..`, no zero byte, nothing that is too long for the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RelPath {
    /// Names with one slash between two; nothing for the folder itself.
    bytes: Vec<u8>,
    /// It was written with a slash at its end: it means a folder.
    folder: bool,
}

impl RelPath {
    /// A path as it is written in a message: from the server's folder (`/a.txt`), with or without its slash.
    pub(crate) fn parse(text: &str) -> Result<Self, FileError> {
        if text.is_empty() {
            return Err(FileError::BadPath("is empty"));
        }
        Self::of_bytes(&file_paths::bytes_of(text))
    }

    /// The same of bytes.
    pub(crate) fn of_bytes(raw: &[u8]) -> Result<Self, FileError> {
        if raw.contains(&0) {
            return Err(FileError::BadPath("holds a zero byte"));
        }
        let mut bytes = Vec::with_capacity(raw.len());
        for name in raw.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => continue,
                b".." => return Err(FileError::Escape),
                name if name.len() > NAME_BYTES => return Err(FileError::BadPath("is too long")),
                name => {
                    if !bytes.is_empty() {
                        bytes.push(b'/');
                    }
                    bytes.extend_from_slice(name);
                }
            }
        }
        if bytes.len() > PATH_BYTES {
            return Err(FileError::BadPath("is too long"));
        }
        let folder = raw.ends_with(b"/") || raw.ends_with(b"/.") || raw == b".";
        Ok(Self { bytes, folder })
    }

    /// The server's folder itself.
    pub(crate) fn root() -> Self {
        Self { bytes: Vec::new(), folder: true }
    }

    /// The server's folder.
    pub(crate) fn is_root(&self) -> bool {
        self.bytes.is_empty()
    }

    /// It can only mean a folder.
    pub(crate) fn is_folder(&self) -> bool {
        self.folder || self.is_root()
    }

    /// Without slashes at its ends; empty for the server's folder.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// For the kernel: it refuses what is no folder where one is meant.
    pub(super) fn for_kernel(&self) -> Vec<u8> {
        match &self.bytes {
            bytes if bytes.is_empty() => b".".to_vec(),
            bytes if self.folder => [bytes, &b"/"[..]].concat(),
            bytes => bytes.clone(),
        }
    }

    /// The last name; none of the server's folder.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        self.bytes.rsplit(|byte| *byte == b'/').next().filter(|name| !name.is_empty())
    }

    /// The folder above; the server's folder for what lies in it, and for itself.
    pub(crate) fn parent(&self) -> Self {
        let end = self.bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Self { bytes: self.bytes[..end].to_vec(), folder: true }
    }

    /// Whether it is the other one, or lies in it.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        match self.bytes.strip_prefix(other.bytes.as_slice()) {
            Some(rest) => other.is_root() || rest.is_empty() || rest.starts_with(b"/"),
            None => false,
        }
    }

    /// As it is written in messages.
    pub(crate) fn text(&self) -> String {
        text_below(&self.bytes)
    }
}

/// The text of a path below the server's folder.
pub(crate) fn text_below(bytes: &[u8]) -> String {
    format!("/{}", file_paths::text_of(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_at_the_servers_folder() {
        for (text, bytes) in [
            ("/", ""),
            (".", ""),
            ("a.txt", "a.txt"),
            ("/a.txt", "a.txt"),
            ("//a//./b/", "a/b"),
            ("....//x", "..../x"),
            ("..\\..\\x", "..\\..\\x"),
            ("%2e%2e/x", "%2e%2e/x"),
        ] {
            assert_eq!(RelPath::parse(text).unwrap().as_bytes(), bytes.as_bytes(), "{text}");
        }
        let long = "x".repeat(256);
        for (text, code) in [
            ("..", "path_escape"),
            ("/../x", "path_escape"),
            ("a/../b", "path_escape"),
            ("a/..", "path_escape"),
            ("", "invalid"),
            ("a\0b", "invalid"),
            (&long, "invalid"),
            (&"d/".repeat(2_100), "invalid"),
        ] {
            assert_eq!(RelPath::parse(text).unwrap_err().code().as_str(), code, "{text}");
        }
    }

    #[test]
    fn its_parts() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        assert_eq!((path("/a/b").name(), path("/").name()), (Some(&b"b"[..]), None));
        assert_eq!((path("/a/b").parent().text(), path("/a").parent().text()), ("/a".into(), "/".into()));
        assert!(path("/a/b").is_within(&path("/a")) && path("/a").is_within(&path("/")));
        assert!(path("/a").is_within(&path("/a/")) && !path("/ab").is_within(&path("/a")));
        assert_eq!(path("/a\u{EFFF}").as_bytes(), b"a\xff");
        assert_eq!(path("/a\u{EFFF}\n").text(), "/a\u{EFFF}\n");
    }
}
