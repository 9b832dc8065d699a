//! Reads the paths named in a Rust file: those of each `use` tree, and those in code. Comments, strings and names after
//! a dot do not count.

/// A path and its line: `tokio::sync::mpsc` at line 7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

impl Named {
    /// The path as written.
    pub(super) fn text(&self) -> String {
        self.path.join("::")
    }

    /// Whether the path starts with these names.
    pub(super) fn starts(&self, names: &[&str]) -> bool {
        self.path.len() >= names.len() && self.path.iter().zip(names).all(|(have, want)| have == want)
    }
}

/// All paths of a file, in order.
pub(super) fn paths(text: &str) -> Vec<Named> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].text == "use" {
            at = tree(&tokens, at + 1, &[], &mut found);
        } else if is_name(&tokens[at].text) && !follows_dot(&tokens, at) {
            at = plain(&tokens, at, &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Parses `a::b::{c, d::e}` after `use`, or one branch of it; returns the position after it.
fn tree(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    let mut path = before.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "as" => at += 2,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    let next = tree(tokens, at, &path, found);
                    at = if next == at { at + 1 } else { next };
                    if tokens.get(at).is_some_and(|token| token.text == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            name if is_name(name) || name == "*" => {
                path.push(name.to_owned());
                at += 1;
            }
            _ => break,
        }
    }
    if path.len() > before.len() {
        found.push(Named { line, path });
    }
    at
}

/// Parses `a::b::c` in code; a single name is skipped, since it does not tell where it comes from.
fn plain(tokens: &[Token], mut at: usize, found: &mut Vec<Named>) -> usize {
    let line = tokens[at].line;
    let mut path = vec![tokens[at].text.clone()];
    at += 1;
    while tokens.get(at).is_some_and(|token| token.text == "::")
        && tokens.get(at + 1).is_some_and(|token| is_name(&token.text))
    {
        path.push(tokens[at + 1].text.clone());
        at += 2;
    }
    if path.len() > 1 {
        found.push(Named { line, path });
    }
    at
}

fn follows_dot(tokens: &[Token], at: usize) -> bool {
    at > 0 && tokens[at - 1].text == "."
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

pub(super) struct Token {
    pub(super) line: usize,
    pub(super) text: String,
}

/// Splits text into names, `::` and single characters.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let start = at;
        let c = chars[at];
        let next = chars.get(at + 1).copied();
        if c == '/' && next == Some('/') {
            at = until(&chars, at, |c| c == '\n');
        } else if c == '/' && next == Some('*') {
            at = block_comment(&chars, at);
        } else if let Some(end) = raw_string(&chars, at) {
            at = end;
        } else if c == '"' {
            at = quoted(&chars, at);
        } else if c == '\'' {
            at = character(&chars, at);
        } else if c.is_alphanumeric() || c == '_' {
            at = until(&chars, at, |c| !(c.is_alphanumeric() || c == '_'));
            tokens.push(Token { line, text: chars[start..at].iter().collect() });
        } else if c == ':' && next == Some(':') {
            at += 2;
            tokens.push(Token { line, text: "::".to_owned() });
        } else {
            at += 1;
            if !c.is_whitespace() {
                tokens.push(Token { line, text: c.to_string() });
            }
        }
        line += chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn until(chars: &[char], from: usize, end: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|at| end(chars[*at])).unwrap_or(chars.len())
}

fn block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

/// The end of the raw string `r"…"`, `r#"…"#` or `br"…"` that starts here.
fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    let inside_name = start > 0 && (chars[start - 1].is_alphanumeric() || chars[start - 1] == '_');
    let mut at = start;
    if inside_name {
        return None;
    }
    if chars[at] == 'b' {
        at += 1;
    }
    if chars.get(at) != Some(&'r') {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    at += 1 + hashes;
    if chars.get(at) != Some(&'"') {
        return None;
    }
    at += 1;
    while at < chars.len() {
        let closed =
            chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        at += 1;
        if closed {
            return Some(at + hashes);
        }
    }
    Some(at)
}

fn quoted(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The length of a character literal (`'x'`, `'\n'`); `'a` is a lifetime.
fn character(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        return until(chars, at + 3, |c| c == '\'') + 1;
    }
    if chars.get(at + 2) == Some(&'\'') { at + 3 } else { at + 1 }
}

#[test]
fn use_trees_are_taken_apart() {
    let text =
        "use a::{b, c::{d as e, self}, f::*};\npub(crate) use g;\nfn x() { h::i(j.k); l::M::<n::O>::p() }\n";
    let found: Vec<String> =
        paths(text).iter().map(|named| format!("{}:{}", named.line, named.text())).collect();
    assert_eq!(
        found,
        ["1:a::b", "1:a::c::d", "1:a::c::self", "1:a::f::*", "2:g", "3:h::i", "3:l::M", "3:n::O"]
    );
}

#[test]
fn comments_strings_and_characters_do_not_count() {
    let text = "// a::b\n/* c::d /* e::f */ g::h */ let s = \"i::j \\\" k::l\"; r#\"m::n \" o::p\"#; '\\''; '\"'; \
                fn q<'a>(x: &'a r::s) {} /// t::u\n";
    let found: Vec<String> = paths(text).iter().map(Named::text).collect();
    assert_eq!(found, ["r::s"]);
}

#[test]
fn lines_are_counted_through_long_strings() {
    let text = "let a = \"1\n2\n\\\n\";\nb::c();\n";
    assert_eq!(paths(text), [Named { line: 5, path: vec!["b".to_owned(), "c".to_owned()] }]);
}
