//! The formats of archives, by the ending of a name.

/// A format of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `.zip`, and what else is one: `.jar`, `.mrpack`.
    Zip,
    /// `.tar`
    Tar,
    /// `.tar.gz`, `.tgz`
    TarGz,
    /// `.tar.zst`
    TarZst,
    /// `.tar.xz`, `.txz`: for reading
    TarXz,
    /// `.tar.bz2`, `.tbz2`: for reading
    TarBz2,
    /// `.7z`: for reading
    SevenZ,
}

const ENDINGS: [(&str, Format); 12] = [
    (".zip", Format::Zip),
    (".jar", Format::Zip),
    (".mrpack", Format::Zip),
    (".tar", Format::Tar),
    (".tar.gz", Format::TarGz),
    (".tgz", Format::TarGz),
    (".tar.zst", Format::TarZst),
    (".tar.xz", Format::TarXz),
    (".txz", Format::TarXz),
    (".tar.bz2", Format::TarBz2),
    (".tbz2", Format::TarBz2),
    (".7z", Format::SevenZ),
];

impl Format {
    /// The format that a name's ending tells of.
    pub(crate) fn of_name(name: &[u8]) -> Option<Self> {
        ENDINGS.iter().find_map(|(ending, format)| {
            let start = name.len().checked_sub(ending.len())?;
            name[start..].eq_ignore_ascii_case(ending.as_bytes()).then_some(*format)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_their_endings() {
        for (name, format) in [
            (&b"world.ZIP"[..], Some(Format::Zip)),
            (b"a.tar", Some(Format::Tar)),
            (b"/x/\xff.Tar.Gz", Some(Format::TarGz)),
            (b"a.tar.zst", Some(Format::TarZst)),
            (b"a.7z", Some(Format::SevenZ)),
            (b"zip", None),
            (b"a.gz", None),
            (b"", None),
        ] {
            assert_eq!(Format::of_name(name), format, "{}", name.escape_ascii());
        }
    }
}
