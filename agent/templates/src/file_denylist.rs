//! The files of a server that only those who may configure it see or change: a template's `file_denylist`, with the patterns that
//! `.gitignore` has.
//!
//! A pattern without a slash matches a name in any folder; one with a slash begins at the server's folder. `*` and `?` stand for
//! characters of one name, `[a-z]` for one of these, `**` for any folders. A slash at the end matches folders alone, and what is
//! denied of a folder is denied of all that is in it. `!` takes back what an earlier pattern denies, and `#` begins a comment.

/// Patterns beyond these are not looked at. A longer list denies everything, so that no file slips through.
const MOST_PATTERNS: usize = 256;
/// Bytes of one pattern, with the same consequence.
const LONGEST_PATTERN: usize = 512;
/// Bytes of a path; a longer one is denied.
const LONGEST_PATH: usize = 4096;
/// Folders of a path; a deeper one is denied.
const DEEPEST_PATH: usize = 128;

/// A template's patterns, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct FileDenylist {
    patterns: Vec<Pattern>,
    /// Too many or too long to be held: nothing may be seen.
    everything: bool,
}

#[derive(Clone, Debug)]
struct Pattern {
    segments: Vec<Vec<char>>,
    allows: bool,
    folders_only: bool,
}

impl FileDenylist {
    /// From the lines of a template.
    pub fn new<T: AsRef<str>>(lines: &[T]) -> Self {
        let everything =
            lines.len() > MOST_PATTERNS || lines.iter().any(|line| line.as_ref().len() > LONGEST_PATTERN);
        if everything {
            return Self { patterns: Vec::new(), everything };
        }
        Self { patterns: lines.iter().filter_map(|line| Pattern::parse(line.as_ref())).collect(), everything }
    }

    /// Whether nothing is denied.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty() && !self.everything
    }

    /// Whether this path below the server's folder is denied, by itself or by a folder above it. A path that climbs (`..`) is denied
    /// where anything is.
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
        // From the top: what is in a denied folder cannot be taken back. At each level the last pattern that matches counts.
        (1..=names.len()).any(|depth| {
            let folder = is_folder || depth < names.len();
            let last =
                matched.iter().rev().find(|(pattern, at)| at[depth] && (folder || !pattern.folders_only));
            last.is_some_and(|(pattern, _)| !pattern.allows)
        })
    }
}

impl FileDenylist {
    /// Whether something within this folder may be denied by the place where it is, so that it would not be in another one. What
    /// is denied by its name alone is denied anywhere.
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
    /// Whether it names a place, and that may be below these folders.
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
        // A blank at the end counts where it is escaped.
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

    /// For each depth whether the names down to there match. A table of which beginnings do, so that no pattern takes longer than
    /// both lengths multiplied.
    fn matches(&self, names: &[Vec<char>]) -> Vec<bool> {
        let mut reached = vec![false; names.len() + 1];
        reached[0] = true;
        for (at, segment) in self.segments.iter().enumerate() {
            let mut next = vec![false; names.len() + 1];
            if segment[..] == ['*', '*'] {
                // At the end it stands for what is in a folder, not for the folder itself.
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

/// One name against one segment. Of several stars only the last is tried again, which is enough and never slow.
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

/// How much of the pattern stands for this character; `None` where its beginning does not match it.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', literal, ..] => (*literal == character).then_some(2),
        ['[', rest @ ..] => match class(rest, character) {
            Some((length, matches)) => matches.then_some(length + 1),
            // Without its end it is a bracket.
            None => (character == '[').then_some(1),
        },
        [literal, ..] => (*literal == character).then_some(1),
        [] => None,
    }
}

/// What stands behind `[`: its length with the closing bracket, and whether it holds the character.
fn class(rest: &[char], character: char) -> Option<(usize, bool)> {
    let inverted = matches!(rest.first(), Some('!' | '^'));
    let start = usize::from(inverted);
    // A bracket that comes first is one of the characters.
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
        // A folder that is denied stays so, whatever is said of a file in it.
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
