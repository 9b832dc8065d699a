//! Names as archives have them. An archive may come from anywhere: a name leads below the folder that it is unpacked into, or
//! it is not taken.

use super::PATH;

/// Folders within folders of an archive.
pub(super) const DEEP: usize = 64;
/// Bytes of a name.
const NAME: usize = 255;

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadName {
    /// It leads somewhere else. Its entry is left out, and said so.
    Unsafe(&'static str),
    /// No folder holds such a path. The whole archive is refused.
    Beyond(&'static str),
}

/// The parts of a name. Empty for the top itself.
pub(super) fn parts(name: &[u8]) -> Result<Vec<&[u8]>, BadName> {
    let unsafe_for = |why| Err(BadName::Unsafe(why));
    match name {
        [b'/', ..] => return unsafe_for("its path is absolute"),
        [drive, b':', ..] if drive.is_ascii_alphabetic() => return unsafe_for("its path names a drive"),
        name if name.contains(&b'\\') => return unsafe_for("its path has a backslash"),
        name if name.contains(&0) => return unsafe_for("its path has a zero byte"),
        _ => {}
    }
    if name.len() > PATH {
        return Err(BadName::Beyond("a path has more than 4096 bytes"));
    }
    let parts: Vec<&[u8]> =
        name.split(|byte| *byte == b'/').filter(|part| !matches!(part, [] | [b'.'])).collect();
    if parts.contains(&&b".."[..]) {
        return unsafe_for("its path leads out of the folder");
    }
    if parts.iter().any(|part| part.len() > NAME) {
        return Err(BadName::Beyond("a name has more than 255 bytes"));
    }
    if parts.len() > DEEP + 1 {
        return Err(BadName::Beyond("its folders lie more than 64 deep"));
    }
    Ok(parts)
}

/// Whether a link that lies so many folders below the top stays below it. Steps up come first: what follows may lead through
/// other links, each of which stays below, while a step up from the end of one leads anywhere.
pub(super) fn stays_inside(target: &[u8], depth: usize) -> bool {
    if target.is_empty() || target.len() >= PATH || target[0] == b'/' || target.contains(&0) {
        return false;
    }
    let mut parts = target.split(|byte| *byte == b'/').filter(|part| !matches!(part, [] | [b'.'])).peekable();
    let mut up = 0;
    while parts.next_if(|part| *part == b"..").is_some() {
        up += 1;
    }
    up <= depth && !parts.any(|part| part == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_down_or_nowhere() {
        assert_eq!(parts(b"a/b"), Ok(vec![&b"a"[..], b"b"]));
        assert_eq!(parts(b"./a//b/./"), Ok(vec![&b"a"[..], b"b"]));
        assert_eq!(parts(b"./"), Ok(vec![]));
        assert_eq!(parts(b"..."), Ok(vec![&b"..."[..]]));
        for bad in [&b"/x"[..], b"../x", b"a/../../x", b"a/..", b"C:\\x", b"c:x", b"..\\x", b"a\\b", b"a\0b"]
        {
            assert!(matches!(parts(bad), Err(BadName::Unsafe(_))), "{}", bad.escape_ascii());
        }
        let long = [&[b'a'; 256][..], &b"d/".repeat(66), &b"ab/".repeat(1400)];
        for bad in long {
            assert!(matches!(parts(bad), Err(BadName::Beyond(_))), "{}", bad.len());
        }
        assert!(parts(&b"d/".repeat(65)).is_ok() && parts(&[b'a'; 255]).is_ok());
    }

    #[test]
    fn links_stay_inside_or_are_none() {
        for (target, depth, inside) in [
            (&b"x"[..], 0, true),
            (b"../x", 1, true),
            (b"../../x", 2, true),
            (b"a/./b", 0, true),
            (b"../x", 0, false),
            (b"../../x", 1, false),
            // A link `a/b` may be in the way.
            (b"a/b/../..", 0, false),
            (b"a/..", 0, false),
            (b"/etc", 5, false),
            (b"", 0, false),
            (b"a\0b", 0, false),
        ] {
            assert_eq!(stays_inside(target, depth), inside, "{} at {depth}", target.escape_ascii());
        }
    }
}
