//! The part of a file that is asked for (RFC 9110, 14).

use crate::error::{ApiError, Code};

/// Bytes of a file, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Part {
    pub(super) fn length(self) -> u64 {
        self.last - self.first + 1
    }
}

/// The part that a `Range` header asks for of a file of this size. `None` for the whole: there is no header, it is not
/// understood, or asks for several parts, all of which may be ignored. 416 where there is no such part.
pub(super) fn part(header: Option<&str>, size: u64) -> Result<Option<Part>, ApiError> {
    let Some((first, last)) = header.and_then(spec) else { return Ok(None) };
    let part = match (first, last) {
        (Some(first), last) => {
            let last = last.unwrap_or(u64::MAX).min(size.saturating_sub(1));
            Part { first, last }
        }
        (None, Some(count)) if count > 0 && size > 0 => {
            Part { first: size.saturating_sub(count), last: size - 1 }
        }
        (None, _) => Part { first: 1, last: 0 },
    };
    if part.first >= size || part.first > part.last {
        let sentence = format!("The file has {size} bytes: there is no such part.");
        return Err(ApiError::new(Code::RangeNotSatisfiable, sentence));
    }
    Ok(Some(part))
}

fn spec(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            // More digits than fit is beyond every file.
            Some(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    };
    let (first, last) = (number(first)?, number(last)?);
    match (first, last) {
        (None, None) => None,
        (Some(first), Some(last)) if first > last => None,
        both => Some(both),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_rfc() {
        let of = |header: &str, size| part(Some(header), size).map(|part| part.map(|p| (p.first, p.last)));
        assert_eq!(of("bytes=0-4", 10), Ok(Some((0, 4))));
        assert_eq!(of("bytes=5-", 10), Ok(Some((5, 9))));
        assert_eq!(of("bytes=-3", 10), Ok(Some((7, 9))));
        assert_eq!(of("bytes=-30", 10), Ok(Some((0, 9))));
        assert_eq!(of("bytes=0-99999999999999999999999", 10), Ok(Some((0, 9))));
        for ignored in ["bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=5-3", "bytes=-", "bytes", ""] {
            assert_eq!(of(ignored, 10), Ok(None), "{ignored}");
        }
        for none in ["bytes=10-", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(none, 10).unwrap_err().code(), Code::RangeNotSatisfiable, "{none}");
        }
        assert!(of("bytes=0-", 0).is_err() && of("bytes=-1", 0).is_err());
        assert_eq!(part(None, 10), Ok(None));
        assert_eq!(Part { first: 2, last: 4 }.length(), 3);
    }
}
