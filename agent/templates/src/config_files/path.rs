//! Paths into trees: `a.b`, `list[0].key`, `servers.*.address`. `~1` stands for a dot within a key, `~0` for a tilde.

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a map.
    Key(String),
    /// Into a list.
    Index(usize),
    /// Into everything that is there.
    Any,
}

/// Reads a path.
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

/// `a[0][1]` as `a` and the numbers; `None` where the brackets are part of the key.
fn indexes(part: &str) -> Option<(&str, Vec<usize>)> {
    let (key, rest) = part.split_at(part.find('[')?);
    let inside = rest.strip_prefix('[')?.strip_suffix(']')?;
    let indexes = inside.split("][").map(|index| index.parse().ok().filter(|index| *index < 10_000));
    Some((key, indexes.collect::<Option<Vec<_>>>()?))
}
