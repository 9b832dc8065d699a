//! What a client's path means. `/` is where it comes in; whatever leads above it stays there.

use protocol::ServerId;
use protocol::file_paths::{NAME_BYTES, PATH_BYTES};

/// What a client sees at its top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// The files of one server.
    Server(ServerId),
    /// A folder for each server.
    Servers,
}

/// A path without `.` and `..`, from the top. `None` where it is too long, or holds a zero byte.
pub(super) fn absolute(path: &[u8]) -> Option<Vec<u8>> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop();
            }
            name if name.len() > NAME_BYTES || name.contains(&0) => return None,
            name => names.push(name),
        }
    }
    let mut whole = Vec::with_capacity(path.len() + 1);
    for name in names {
        whole.push(b'/');
        whole.extend_from_slice(name);
    }
    if whole.is_empty() {
        whole.push(b'/');
    }
    (whole.len() <= PATH_BYTES).then_some(whole)
}

/// The first name of an absolute path, and the rest of it, absolute again. `None` at the top.
pub(super) fn first(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let path = path.strip_prefix(b"/")?;
    if path.is_empty() {
        return None;
    }
    match path.iter().position(|byte| *byte == b'/') {
        Some(at) => Some((&path[..at], &path[at..])),
        None => Some((path, b"/")),
    }
}

/// Whose name a client signs in by: the account, and the server where it names one. An account may have dots in its name.
pub(super) fn split_name(name: &str, is_account: bool) -> (&str, Option<ServerId>) {
    match name.rsplit_once('.') {
        Some((account, server)) if !is_account => (account, Some(ServerId::from(server))),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_above_the_top() {
        for (path, whole) in [
            ("", "/"),
            (".", "/"),
            ("/", "/"),
            ("a", "/a"),
            ("/a//b/./c/", "/a/b/c"),
            ("/a/../b", "/b"),
            ("../../etc/passwd", "/etc/passwd"),
            ("/../..", "/"),
            ("/a/b/../../..", "/"),
            ("/....//x", "/..../x"),
        ] {
            assert_eq!(absolute(path.as_bytes()).unwrap(), whole.as_bytes(), "{path}");
        }
        assert_eq!(absolute(b"/a\0b"), None);
        assert_eq!(absolute(&[b'x'; 256]), None);
        assert_eq!(absolute(&b"x/".repeat(3_000)), None);
        assert_eq!(absolute(b"/\xff\xfe").unwrap(), b"/\xff\xfe", "names are bytes");
    }

    #[test]
    fn a_name_is_an_account_before_it_is_a_server() {
        assert_eq!(split_name("ann", true), ("ann", None));
        assert_eq!(split_name("ann.b", true), ("ann.b", None));
        assert_eq!(split_name("ann.b", false), ("ann", Some("b".into())));
        assert_eq!(split_name("ann.b.c1", false), ("ann.b", Some("c1".into())));
        assert_eq!(split_name("nobody", false), ("nobody", None));
        assert_eq!(first(b"/a/b/c"), Some((&b"a"[..], &b"/b/c"[..])));
        assert_eq!(first(b"/a"), Some((&b"a"[..], &b"/"[..])));
        assert_eq!(first(b"/"), None);
    }
}
