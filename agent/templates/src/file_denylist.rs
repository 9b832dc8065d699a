//! A template's `file_denylist`: the files of a server that only users who may configure it can see or change. The
//! patterns are those of `.gitignore`.
//!
//! A pattern without a slash matches a name in any folder; one with a slash is relative to the server's folder. `*`
//! and `?` match characters within a name, `[a-z]` one character of a set, `**` any number of folders. A pattern with a
//! slash at the end matches only folders. Everything in a denied folder is denied. `!` excludes files from an earlier
//! pattern, and `#` begins a comment.

/// Most patterns. A longer list denies everything, so that no file is exposed.
const MOST_PATTERNS: usize = 256;
/// Longest pattern in bytes. A longer one denies everything.
const LONGEST_PATTERN: usize = 512;
/// Longest path in bytes. A longer one is denied.
const LONGEST_PATH: usize = 4096;
/// Most components of a path. A deeper one is denied.
const DEEPEST_PATH: usize = 128;

/// The parsed patterns of a template.
#[derive(Clone, Debug, Default)]
pub struct FileDenylist {
    patterns: Vec<Pattern>,
    /// The lines as written in the template.
    lines: Vec<String>,
    /// Too many or too long patterns: every path is denied.
    everything: bool,
}

#[derive(Clone, Debug)]
struct Pattern {
    segments: Vec<Vec<char>>,
    allows: bool,
    folders_only: bool,
}

impl FileDenylist {
    /// Parses the lines of a template.
    pub fn new<T: AsRef<str>>(lines: &[T]) -> Self {
        let everything =
            lines.len() > MOST_PATTERNS || lines.iter().any(|line| line.as_ref().len() > LONGEST_PATTERN);
        if everything {
            return Self { everything, ..Self::default() };
        }
        let patterns = lines.iter().filter_map(|line| Pattern::parse(line.as_ref())).collect();
        Self { patterns, lines: lines.iter().map(|line| line.as_ref().to_owned()).collect(), everything }
    }

    /// The lines it was made from; empty if it denies everything because of their number or length.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Whether nothing is denied.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty() && !self.everything
    }

    /// Whether a path below the server's folder is denied, either itself or by a folder above it. A path with `..` is
    /// denied if there is any pattern.
    pub fn denies(&self, path: &str, is_folder: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
        if self.everything || path.len() > LONGEST_PATH || names.len() > DEEPEST_PATH || names.contains(&"..")
        {
            return true;
        }
        let names: Vec<Vec<char>> = names.into_iter().map(|name| name.chars().collect()).collect();
        let matched: Vec<(&Pattern, Vec<bool>)> =
            self.patterns.iter().map(|pattern| (pattern, pattern.matches(&names))).collect();
        // From the top down: `!` has no effect within a denied folder. At each level the last matching pattern decides.
        (1..=names.len()).any(|depth| {
            let folder = is_folder || depth < names.len();
            let last =
                matched.iter().rev().find(|(pattern, at)| at[depth] && (folder || !pattern.folders_only));
            last.is_some_and(|(pattern, _)| !pattern.allows)
        })
    }
}

impl FileDenylist {
    /// Whether something within this folder may be denied because of its location, and so would not be denied after it
    /// is moved. A pattern that matches a name anywhere does not count.
    pub fn may_deny_below(&self, path: &str) -> bool {
        let names: Vec<Vec<char>> = path
            .split('/')
            .filter(|name| !name.is_empty() && *name != ".")
            .map(|name| name.chars().collect())
            .collect();
        self.everything || self.patterns.iter().any(|pattern| pattern.reaches_below(&names))
    }
}

impl Pattern {
    /// Whether the pattern depends on the location, and can match something below these folders.
    fn reaches_below(&self, names: &[Vec<char>]) -> bool {
        let any = |segment: &[char]| *segment == ['*', '*'];
        if self.allows || self.segments.first().is_none_or(|first| any(first)) {
            return false;
        }
        for (at, segment) in self.segments.iter().enumerate() {
            match names.get(at) {
                _ if any(segment) => return true,
                None => return true,
                Some(name) if !glob(segment, name) => return false,
                Some(_) => {}
            }
        }
        false
    }

    fn parse(line: &str) -> Option<Self> {
        // A trailing space counts if it is escaped.
        let trimmed = line.trim_end();
        let line = if trimmed.ends_with('\\') && trimmed.len() < line.len() { line } else { trimmed };
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (allows, rest) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (folders_only, rest) = rest.strip_suffix('/').map_or((false, rest), |rest| (true, rest));
        let rest = rest.strip_prefix("./").unwrap_or(rest);
        let anchored = rest.contains('/');
        let mut segments: Vec<Vec<char>> = rest
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| segment.chars().collect())
            .collect();
        if segments.is_empty() {
            return None;
        }
        if !anchored {
            segments.insert(0, vec!['*', '*']);
        }
        Some(Self { segments, allows, folders_only })
    }

    /// For each depth whether the names down to there match. Computed as a table of matching prefixes, so that the time
    /// is at most the product of both lengths.
    fn matches(&self, names: &[Vec<char>]) -> Vec<bool> {
        let mut reached = vec![false; names.len() + 1];
        reached[0] = true;
        for (at, segment) in self.segments.iter().enumerate() {
            let mut next = vec![false; names.len() + 1];
            if segment[..] == ['*', '*'] {
                // `**` at the end matches the contents of a folder, not the folder itself.
                let least = usize::from(at + 1 == self.segments.len());
                let first = reached.iter().position(|reached| *reached);
                next.iter_mut()
                    .enumerate()
                    .for_each(|(i, here)| *here = first.is_some_and(|first| i >= first + least));
            } else {
                for (i, name) in names.iter().enumerate() {
                    next[i + 1] = reached[i] && glob(segment, name);
                }
            }
            reached = next;
        }
        reached
    }
}

/// Matches a name against a segment. Backtracks only to the last `*`, which is sufficient and keeps it fast.
fn glob(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && n == name.len() {
            return true;
        }
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
            continue;
        }
        if let Some(&character) = name.get(n)
            && let Some(length) = one(&pattern[p..], character)
        {
            p += length;
            n += 1;
            continue;
        }
        match star {
            Some((at, from)) if from < name.len() => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            _ => return false,
        }
    }
}

/// Length of the pattern's first element if it matches this character; `None` if it does not.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', literal, ..] => (*literal == character).then_some(2),
        ['[', rest @ ..] => match class(rest, character) {
            Some((length, matches)) => matches.then_some(length + 1),
            // Without a closing bracket, `[` is a literal.
            None => (character == '[').then_some(1),
        },
        [literal, ..] => (*literal == character).then_some(1),
        [] => None,
    }
}

/// Parses the set after `[`. Returns its length with the closing bracket, and whether it contains the character.
fn class(rest: &[char], character: char) -> Option<(usize, bool)> {
    let inverted = matches!(rest.first(), Some('!' | '^'));
    let start = usize::from(inverted);
    // `]` as the first character is a member of the set.
    let end = start + 1 + rest.get(start + 1..)?.iter().position(|one| *one == ']')?;
    let members = rest.get(start..end)?;
    let mut found = false;
    let mut at = 0;
    while let Some(&from) = members.get(at) {
        let range = members.get(at + 1) == Some(&'-');
        let to = members.get(at + 2).copied().filter(|_| range);
        found |= to.map_or(from == character, |to| (from..=to).contains(&character));
        at += if to.is_some() { 3 } else { 1 };
    }
    Some((end + 1, found != inverted))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::FileDenylist;

    fn denied(patterns: &[&str], path: &str) -> bool {
        FileDenylist::new(patterns).denies(path, false)
    }

    #[test]
    fn a_folder_that_may_hold_what_is_denied_by_its_place_is_known() {
        let list = FileDenylist::new(&["*.key", "config/secret.yml", "world/**/level.dat", "!config/open/x"]);
        for path in ["/", "/config", "/world", "/world/a"] {
            assert!(list.may_deny_below(path), "{path}");
        }
        for path in ["/plugins", "/config/secret.yml", "/config/open", "/configs", "/a/config"] {
            assert!(!list.may_deny_below(path), "{path}");
        }
        assert!(!FileDenylist::new(&["*.key", "secret/"]).may_deny_below("/"));
        assert!(!FileDenylist::default().may_deny_below("/"));
    }

    #[test]
    fn a_name_is_denied_in_any_folder() {
        for path in ["PalServer.sh", "/PalServer.sh", "./a/b/PalServer.sh", "a//PalServer.sh"] {
            assert!(denied(&["PalServer.sh"], path), "{path}");
        }
        for path in ["PalServer.sh2", "xPalServer.sh", "palserver.sh", "a"] {
            assert!(!denied(&["PalServer.sh"], path), "{path}");
        }
        assert!(denied(&["*.key"], "config/a.key") && denied(&["*"], "a/b"));
        assert!(
            !denied(&["*.key"], "a.key.txt")
                && denied(&["s?cret"], "secret")
                && !denied(&["s?cret"], "s/cret")
        );
    }

    #[test]
    fn a_slash_begins_at_the_servers_folder() {
        assert!(denied(&["/start.sh"], "start.sh") && !denied(&["/start.sh"], "bin/start.sh"));
        assert!(
            denied(&["a/*.cfg"], "a/b.cfg")
                && !denied(&["a/*.cfg"], "x/a/b.cfg")
                && !denied(&["a/*.cfg"], "a/b/c.cfg")
        );
        assert!(denied(&["a/**/z"], "a/z") && denied(&["a/**/z"], "a/b/c/z") && !denied(&["a/**/z"], "b/z"));
        assert!(denied(&["**/z"], "z") && denied(&["a/**"], "a/b") && !denied(&["a/**"], "a"));
    }

    #[test]
    fn what_is_in_a_denied_folder_is_denied() {
        assert!(denied(&["secrets/"], "secrets/a/b") && denied(&["x/secrets/"], "x/secrets/a"));
        assert!(
            !denied(&["secrets/"], "secrets") && FileDenylist::new(&["secrets/"]).denies("secrets", true)
        );
        assert!(denied(&["secrets"], "a/secrets/b/c"));
    }

    #[test]
    fn the_last_word_counts() {
        assert!(!denied(&["*.cfg", "!open.cfg"], "open.cfg") && denied(&["*.cfg", "!open.cfg"], "a.cfg"));
        assert!(denied(&["*.cfg", "!open.cfg", "open.cfg"], "open.cfg"));
        // A denied folder stays denied, even if a later pattern allows a file in it.
        assert!(denied(&["hidden/", "!hidden/a"], "hidden/a"));
    }

    #[test]
    fn classes_escapes_and_comments() {
        assert!(denied(&["[a-c]x"], "bx") && !denied(&["[a-c]x"], "dx") && denied(&["[!a-c]x"], "dx"));
        assert!(denied(&["[]]x"], "]x") && denied(&["[x"], "[x") && denied(&["[a-]x"], "-x"));
        assert!(
            denied(&["\\#a"], "#a")
                && denied(&["\\!a"], "!a")
                && denied(&["\\*"], "*")
                && !denied(&["\\*"], "a")
        );
        assert!(FileDenylist::new(&["", "# note", "   ", "/", "!"]).is_empty());
        assert!(denied(&["a  "], "a"));
    }

    #[test]
    fn what_cannot_be_judged_is_denied() {
        assert!(
            denied(&["a"], "b/../c")
                && denied(&["a"], &"b".repeat(5000))
                && denied(&["a"], &"b/".repeat(200))
        );
        assert!(!denied(&[], "b/../c"));
        assert!(denied(&vec!["a"; 300], "b") && denied(&[&*"a".repeat(600)], "b"));
    }

    #[test]
    fn no_pattern_takes_long() {
        let began = std::time::Instant::now();
        let pattern = format!("{}b", "*a".repeat(200));
        assert!(!denied(&vec![&*pattern; 256], &"a".repeat(4000)));
        let deep = "**/a/".repeat(100);
        assert!(!denied(&[&*deep], &"a/".repeat(90)));
        assert!(began.elapsed().as_secs() < 20);
    }

    proptest! {
        #[test]
        fn nothing_panics(pattern in "[\\[\\]!\\\\*?/a-c.\\- #]{0,20}", path in "[\\[\\]!*?/a-c.\\- ]{0,20}") {
            let list = FileDenylist::new(&[pattern]);
            let _ = (list.denies(&path, false), list.denies(&path, true));
        }

        #[test]
        fn a_name_without_signs_denies_itself(name in "[a-z]{1,12}", folder in "[a-z]{1,5}") {
            let list = FileDenylist::new(&[&name]);
            prop_assert!(list.denies(&name, false));
            let within = format!("{folder}/{name}");
            prop_assert!(list.denies(&within, false));
        }
    }
}
