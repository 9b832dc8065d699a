//! Paths into trees: `a.b`, `list[0].key`, `servers.*.address`. Within a key, `~1` is a dot and `~0` a tilde.

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Key of a map.
    Key(String),
    /// Index of a list.
    Index(usize),
    /// Every entry of a map or list.
    Any,
}

/// Parses a path.
pub(super) fn read(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        if part == "*" {
            steps.push(Step::Any);
            continue;
        }
        match indexes(part) {
            Some((key, indexes)) => {
                if !key.is_empty() {
                    steps.push(Step::Key(plain(key)));
                }
                steps.extend(indexes.into_iter().map(Step::Index));
            }
            None => steps.push(Step::Key(plain(part))),
        }
    }
    steps
}

fn plain(key: &str) -> String {
    key.replace("~1", ".").replace("~0", "~")
}

/// Splits `a[0][1]` into `a` and the indexes; `None` if the brackets are part of the key.
fn indexes(part: &str) -> Option<(&str, Vec<usize>)> {
    let (key, rest) = part.split_at(part.find('[')?);
    let inside = rest.strip_prefix('[')?.strip_suffix(']')?;
    let indexes = inside.split("][").map(|index| index.parse().ok().filter(|index| *index < 10_000));
    Some((key, indexes.collect::<Option<Vec<_>>>()?))
}
