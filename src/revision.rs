//! Revisions and preconditions (RFC 9110, 13.1), so that a client does not overwrite a change it has not seen.

use sha2::{Digest, Sha256};

use crate::error::{ApiError, Code};

/// How many bytes of the digest are used.
const BYTES: usize = 9;

/// A revision computed from the content. Only for content that every reader of the revision may see: a hash of a secret
/// would allow guesses to be verified.
pub fn of(parts: &[&str]) -> String {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    BASE64_URL_SAFE_NO_PAD.encode(&hash.finalize()[..BYTES])
}

/// The precondition in the headers `If-Match` and `If-None-Match`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// None.
    #[default]
    Whatever,
    /// `If-Match: *`: it must exist.
    Present,
    /// `If-None-Match: *`: it must not exist.
    Absent,
    /// `If-Match`: one of these revisions.
    OneOf(Vec<String>),
}

impl Expected {
    /// Parses the two headers. 400 if they are malformed.
    pub fn from_headers(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Self, ApiError> {
        let bad = || ApiError::new(Code::BadRequest, "If-Match takes tags in quotes, or *.");
        match (if_match.map(str::trim), if_none_match.map(str::trim)) {
            (None, None) => Ok(Self::Whatever),
            (None, Some("*")) => Ok(Self::Absent),
            (Some("*"), None) => Ok(Self::Present),
            (Some(tags), None) => {
                tags.split(',').map(tag).collect::<Option<_>>().map(Self::OneOf).ok_or_else(bad)
            }
            (_, Some(_)) => {
                Err(ApiError::new(Code::BadRequest, "If-None-Match takes * here, and not beside If-Match."))
            }
        }
    }

    /// 412 if the current revision (`None` if the object does not exist) is not as expected. Must be called within the
    /// transaction that writes.
    pub fn check(&self, there: Option<&str>) -> Result<(), ApiError> {
        let fits = match self {
            Self::Whatever => true,
            Self::Present => there.is_some(),
            Self::Absent => there.is_none(),
            Self::OneOf(tags) => there.is_some_and(|there| tags.iter().any(|tag| tag == there)),
        };
        if fits {
            return Ok(());
        }
        let sentence =
            "Somebody else has changed this meanwhile. Read it again, then make the change upon that.";
        Err(ApiError::new(Code::PreconditionFailed, sentence))
    }
}

/// The tag without quotes. Proxies that compress answers turn tags into weak ones, which mean the same revision.
fn tag(text: &str) -> Option<String> {
    let text = text.trim();
    let opaque = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"')?.strip_suffix('"')?;
    (!opaque.is_empty() && !opaque.contains('"')).then(|| opaque.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_the_standard_writes_them() {
        let read = |text| Expected::from_headers(Some(text), None);
        assert_eq!(read("\"a\""), Ok(Expected::OneOf(vec!["a".into()])));
        assert_eq!(read(" W/\"a\" , \"b\""), Ok(Expected::OneOf(vec!["a".into(), "b".into()])));
        assert_eq!(read("*"), Ok(Expected::Present));
        for bad in ["", "a", "\"a", "\"\"", "\"a\" \"b\"", "*, \"a\""] {
            assert_eq!(read(bad).unwrap_err().code(), Code::BadRequest, "{bad}");
        }
        assert_eq!(Expected::from_headers(None, Some("*")), Ok(Expected::Absent));
        assert!(Expected::from_headers(Some("*"), Some("*")).is_err());
        assert!(Expected::from_headers(None, Some("\"a\"")).is_err());
    }

    #[test]
    fn only_what_was_expected_is_changed() {
        let one = Expected::OneOf(vec!["a".into(), "b".into()]);
        assert!(one.check(Some("b")).is_ok() && one.check(Some("c")).is_err() && one.check(None).is_err());
        assert!(Expected::Absent.check(None).is_ok() && Expected::Absent.check(Some("a")).is_err());
        assert!(Expected::Present.check(None).is_err() && Expected::Whatever.check(None).is_ok());
        assert_eq!(one.check(None).unwrap_err().code(), Code::PreconditionFailed);
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
    }
}
