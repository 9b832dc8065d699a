//! What a path in a request may be. The agent resolves it, in the kernel, below the server's folder; what cannot be meant
//! honestly is refused here already, so that the answer names the field.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use protocol::file_paths;

use crate::error::{ApiError, Code};

/// Paths in one request.
const MOST: usize = 1_000;

/// A path as the agent gets it: `/` is the server's folder, and it is no longer than the kernel takes.
pub(crate) fn checked(field: &str, text: &str) -> Result<String, ApiError> {
    if leads_out(text) {
        return Err(ApiError::new(
            Code::PathEscape,
            format!("{field} leads out of the server's folder, or could be meant to."),
        ));
    }
    let bytes = file_paths::bytes_of(text);
    if bytes.contains(&0) {
        return Err(ApiError::field(field, "must not hold a NUL"));
    }
    let mut names = bytes.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
    if names.any(|name| name.len() > file_paths::NAME_BYTES) {
        return Err(ApiError::field(
            field,
            format!("has a name of more than {} bytes", file_paths::NAME_BYTES),
        ));
    }
    let names: Vec<_> = text.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    let path = format!("/{}", names.join("/"));
    if bytes.len() > file_paths::PATH_BYTES {
        return Err(ApiError::field(field, format!("has more than {} bytes", file_paths::PATH_BYTES)));
    }
    Ok(path)
}

/// The same of something that has a name, so not the server's folder itself.
pub(crate) fn named(field: &str, text: &str) -> Result<String, ApiError> {
    let path = checked(field, text)?;
    if path == "/" {
        return Err(ApiError::field(field, "must not be the server's folder itself"));
    }
    Ok(path)
}

/// A list of such paths.
pub(crate) fn list(field: &str, texts: &[String]) -> Result<Vec<String>, ApiError> {
    if texts.is_empty() || texts.len() > MOST {
        return Err(ApiError::field(field, format!("must have from 1 to {MOST} paths")));
    }
    texts.iter().enumerate().map(|(at, text)| named(&format!("{field}[{at}]"), text)).collect()
}

/// One name of an entry.
pub(crate) fn name(field: &str, text: &str) -> Result<(), ApiError> {
    let length = file_paths::bytes_of(text).len();
    if text.is_empty() || length > file_paths::NAME_BYTES || text.contains(['/', '\0']) {
        return Err(ApiError::field(field, "is not the name of an entry"));
    }
    Ok(())
}

/// Numbers that came from here.
pub(super) fn numbers(field: &str, all: &[String]) -> Result<(), ApiError> {
    let mut wrong = BTreeMap::new();
    if all.is_empty() || all.len() > MOST {
        wrong.insert(field.to_owned(), format!("must have from 1 to {MOST} ids"));
    } else if !all.iter().all(|one| is_number(one)) {
        wrong.insert(field.to_owned(), "has something that is no id".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::fields(wrong)) }
}

/// Letters, digits and dashes.
pub(super) fn is_number(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(valid)
}

/// The last name of a path; empty for the server's folder.
pub(crate) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Whether a path goes up, in any of the ways in which another program might read it: by backslashes, or encoded once more. A
/// file of the name `...` is a sacrifice that nobody will notice.
fn leads_out(text: &str) -> bool {
    let up = |text: &str| {
        text.split(['/', '\\']).any(|name| name.len() > 1 && name.bytes().all(|byte| byte == b'.'))
    };
    up(text) || (text.contains('%') && up(&percent_decode_str(text).decode_utf8_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<Code> {
        checked("path", text).err().map(|error| error.code())
    }

    #[test]
    fn the_server_s_folder_is_the_root() {
        for (text, path) in [
            ("", "/"),
            ("/", "/"),
            ("a.txt", "/a.txt"),
            ("/a//b/./c/", "/a/b/c"),
            ("/etc/passwd", "/etc/passwd"),
            ("/new\nline", "/new\nline"),
            ("/100%", "/100%"),
            ("/caf\u{EFE9}", "/caf\u{EFE9}"),
        ] {
            assert_eq!(checked("path", text).unwrap(), path);
        }
        assert!(named("path", "/").is_err() && list("paths", &[]).is_err());
        assert_eq!(last("/a/b"), "b");
    }

    #[test]
    fn whatever_leads_out_is_refused() {
        for text in [
            "../secret",
            "a/../../secret",
            "..",
            "/..",
            "....//",
            "..\\..\\x",
            "%2e%2e/",
            "..%2f..%2fetc%2fpasswd",
            "a/..%5c..",
        ] {
            assert_eq!(code(text), Some(Code::PathEscape), "{text}");
        }
        for text in ["a\0b", &"x".repeat(256), &format!("/{}", "x/".repeat(2_100))] {
            assert_eq!(code(text), Some(Code::Invalid), "{text}");
        }
        assert_eq!(code(&format!("/{}", file_paths::text_of(&[0xff; 255]))), None);
        assert_eq!(code("/..a/b../a..b"), None);
    }
}
