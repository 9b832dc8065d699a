//! Names of files by a pattern.

/// Part of a name, or a pattern with `*` and `?` for the whole of it.
#[derive(Debug)]
pub(super) struct NamePattern {
    text: Vec<char>,
    plain: String,
    is_pattern: bool,
    case_sensitive: bool,
}

impl NamePattern {
    pub(super) fn new(text: &str, case_sensitive: bool) -> Self {
        let plain = if case_sensitive { text.to_owned() } else { text.to_lowercase() };
        let is_pattern = text.contains(['*', '?']);
        Self { text: plain.chars().collect(), plain, is_pattern, case_sensitive }
    }

    pub(super) fn matches(&self, name: &[u8]) -> bool {
        let name = String::from_utf8_lossy(name);
        let lowered;
        let name: &str = if self.case_sensitive {
            &name
        } else {
            lowered = name.to_lowercase();
            &lowered
        };
        if self.is_pattern { glob(&self.text, name) } else { name.contains(&self.plain) }
    }
}

/// Goes back to the last star alone, so that it takes no longer than the product of the two lengths.
fn glob(pattern: &[char], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(one) if *one == '?' || *one == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_parts_of_names() {
        for (pattern, name, case_sensitive, matches) in [
            ("level", "old-level.dat", true, true),
            ("Level", "old-level.dat", true, false),
            ("LEVEL", "old-level.dat", false, true),
            ("*.jar", "a.jar", true, true),
            ("*.jar", "a.jar.old", true, false),
            ("r.?.?.mca", "r.0.1.mca", true, true),
            ("r.?.?.mca", "r.10.1.mca", true, false),
            ("?", "ü", true, true),
            ("GRÜ*", "grüße.txt", false, true),
            ("a*b*c", "a-b-b-c", true, true),
            ("a*b*c", "a-b-b-d", true, false),
            ("*", "", true, true),
            ("[a]", "a", true, false),
        ] {
            let matched = NamePattern::new(pattern, case_sensitive).matches(name.as_bytes());
            assert_eq!(matched, matches, "{pattern} {name}");
        }
        assert!(NamePattern::new("*", true).matches(b"\xff\n"));
    }

    #[test]
    fn many_stars_take_no_time() {
        let (pattern, name) = ("a*".repeat(100) + "b", "a".repeat(255));
        assert!(!NamePattern::new(&pattern, true).matches(name.as_bytes()));
    }
}
