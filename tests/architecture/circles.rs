//! There are no dependency cycles between the files of a crate.
//!
//! The rule: a file depends on each file that *defines* something that it names, in a `use` or in the code.
//! - A re-export (`pub use child::Thing`) is resolved to the file that defines the item, so `use super::Thing` with
//!   `pub use child::Thing` depends on the child, not on `mod.rs`. The re-export itself is no dependency, unless its
//!   file uses the name in code of its own.
//! - `mod child;` is no dependency, and neither is the name of a module alone; the item named in it is.
//! - So a child that names what its `mod.rs` defines makes a cycle as soon as that `mod.rs` uses the child.
//! - Tests (`#[cfg(test)]`, `tests.rs`, folders `tests` and `testing`) may use anything.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::files::{self, File};
use super::paths::{Token, tokens};

/// The crates.
const CRATES: [&str; 7] = [
    "src",
    "storage/src",
    "agent/src",
    "agent/protocol/src",
    "agent/queries/src",
    "agent/sftp/src",
    "agent/templates/src",
];

/// A `use` of one name.
struct Use {
    line: usize,
    path: Vec<String>,
    /// The local name.
    name: String,
    reexport: bool,
}

/// The names of other items in a file.
struct Source {
    module: Vec<String>,
    uses: Vec<Use>,
    /// Paths in code, with their lines.
    paths: Vec<(usize, Vec<String>)>,
    /// Names in code that start a path or stand alone.
    names: BTreeSet<String>,
}

/// A crate: its files by path, and by module.
struct Sources {
    files: BTreeMap<String, Source>,
    modules: BTreeMap<Vec<String>, String>,
}

/// File → the files that it depends on, with the first place.
type Map = BTreeMap<String, BTreeMap<String, String>>;

impl Sources {
    fn read(root: &str, files: &[File]) -> Self {
        let mut sources = Self { files: BTreeMap::new(), modules: BTreeMap::new() };
        for file in files.iter().filter(|file| file.rust() && file.within(root) && !of_tests(file)) {
            let below = &file.path[root.len() + 1..];
            let mut module: Vec<String> =
                below.trim_end_matches(".rs").split('/').map(ToOwned::to_owned).collect();
            match module.last().map(String::as_str) {
                Some("mod" | "lib") => drop(module.pop()),
                // The binary's root, beside the library's.
                Some("main") if module.len() == 1 => continue,
                _ => {}
            }
            sources.modules.insert(module.clone(), file.path.clone());
            sources.files.insert(file.path.clone(), Source::read(module, &file.text));
        }
        sources
    }

    /// The file that defines the item at a path; `None` if it is not in this crate.
    fn resolve(&self, module: &[String], path: &[String], seen: &mut BTreeSet<Vec<String>>) -> Option<&str> {
        if !seen.insert([module, &["→".to_owned()][..], path].concat()) {
            return None;
        }
        let (mut at, rest) = self.start(module, path)?;
        let mut rest = rest.iter();
        while let Some(name) = rest.next() {
            let child = [&at[..], &[name.clone()][..]].concat();
            if self.modules.contains_key(&child) {
                at = child;
                continue;
            }
            let file = self.modules.get(&at)?;
            let source = self.files.get(file)?;
            let imported = source.uses.iter().find(|used| used.name == *name && name != "*");
            if let Some(used) = imported {
                // The rest belongs to the item: a variant, a function of a type, or an item of a module.
                let whole = [&used.path[..], rest.as_slice()].concat();
                return self.resolve(&at, &whole, seen);
            }
            let globs = source.uses.iter().filter(|used| used.reexport && used.name == "*");
            for used in globs {
                let path = [&used.path[..used.path.len() - 1], &[name.clone()][..]].concat();
                match self.resolve(&at, &path, seen) {
                    Some(found) if found != file.as_str() => return Some(found),
                    _ => {}
                }
            }
            return Some(file.as_str());
        }
        self.modules.get(&at).map(String::as_str)
    }

    /// The module in which a path starts, and the rest of the path.
    fn start<'p>(&self, module: &[String], path: &'p [String]) -> Option<(Vec<String>, &'p [String])> {
        match path.first()?.as_str() {
            "crate" | "ctrl_alt_play" => Some((Vec::new(), &path[1..])),
            "self" => Some((module.to_vec(), &path[1..])),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let left = module.len().checked_sub(ups)?;
                Some((module[..left].to_vec(), &path[ups..]))
            }
            first => {
                let source = self.files.get(self.modules.get(module)?)?;
                let child = [module, &[first.to_owned()][..]].concat();
                let known =
                    self.modules.contains_key(&child) || source.uses.iter().any(|used| used.name == first);
                known.then(|| (module.to_vec(), path))
            }
        }
    }

    /// Whether a path is a module itself.
    fn is_module(&self, module: &[String], path: &[String]) -> bool {
        let path =
            if path.last().is_some_and(|last| last == "self") { &path[..path.len() - 1] } else { path };
        self.start(module, path)
            .is_some_and(|(at, rest)| self.modules.contains_key(&[&at[..], rest].concat()))
    }

    fn map(&self) -> Map {
        let mut map = Map::new();
        for (file, source) in &self.files {
            let used = source.uses.iter().filter(|used| !used.reexport || source.names.contains(&used.name));
            let used = used.filter(|used| !self.is_module(&source.module, &used.path));
            let named = used.map(|used| (used.line, &used.path));
            for (line, path) in named.chain(source.paths.iter().map(|(line, path)| (*line, path))) {
                let path =
                    if path.last().is_some_and(|last| last == "*") { &path[..path.len() - 1] } else { path };
                let Some(to) = self.resolve(&source.module, path, &mut BTreeSet::new()) else { continue };
                if to != file {
                    let place = format!("{file}:{line}");
                    map.entry(file.clone()).or_default().entry(to.to_owned()).or_insert(place);
                }
            }
        }
        map
    }
}

fn of_tests(file: &File) -> bool {
    file.name() == "tests.rs" || file.path.contains("/tests/") || file.path.contains("/testing/")
}

impl Source {
    fn read(module: Vec<String>, text: &str) -> Self {
        let tokens = without_tests(&tokens(text));
        let mut source = Self { module, uses: Vec::new(), paths: Vec::new(), names: BTreeSet::new() };
        // Brace depths at which inline modules start: `super` in them is the file itself.
        let (mut depth, mut inner) = (0_usize, Vec::new());
        let mut at = 0;
        while at < tokens.len() {
            let text = tokens[at].text.as_str();
            match text {
                "use" => {
                    let reexport = at > 0 && matches!(tokens[at - 1].text.as_str(), "pub" | ")");
                    let mut found = Vec::new();
                    at = tree(&tokens, at + 1, &[], &mut found);
                    for (line, path, name) in found {
                        if let Some(path) = lifted(path, inner.len()) {
                            source.uses.push(Use { line, path, name, reexport });
                        }
                    }
                }
                // `pub(in some::path)` uses nothing.
                "pub" if text_at(&tokens, at + 1) == "(" => {
                    at += 2;
                    while !matches!(text_at(&tokens, at), ")" | "") {
                        at += 1;
                    }
                    at += 1;
                }
                "mod" if text_at(&tokens, at + 2) == "{" => {
                    inner.push(depth);
                    depth += 1;
                    at += 3;
                }
                "mod" if text_at(&tokens, at + 2) == ";" => at += 3,
                "{" => {
                    depth += 1;
                    at += 1;
                }
                "}" => {
                    depth = depth.saturating_sub(1);
                    if inner.last() == Some(&depth) {
                        inner.pop();
                    }
                    at += 1;
                }
                _ if is_name(text) && (at == 0 || tokens[at - 1].text != ".") => {
                    let (line, mut path) = (tokens[at].line, vec![text.to_owned()]);
                    at += 1;
                    while text_at(&tokens, at) == "::" && is_name(text_at(&tokens, at + 1)) {
                        path.push(tokens[at + 1].text.clone());
                        at += 2;
                    }
                    source.names.insert(path[0].clone());
                    if path.len() > 1
                        && let Some(path) = lifted(path, inner.len())
                    {
                        source.paths.push((line, path));
                    }
                }
                _ => at += 1,
            }
        }
        source
    }
}

/// A path in an inline module, as seen from the file; `None` if it stays in that module.
fn lifted(path: Vec<String>, depth: usize) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    if depth == 0 || path.first().is_some_and(|first| first == "crate") {
        return Some(path);
    }
    match ups.cmp(&depth) {
        Ordering::Less => None,
        Ordering::Equal => Some([&["self".to_owned()][..], &path[ups..]].concat()),
        Ordering::Greater => Some(path[depth..].to_vec()),
    }
}

/// Parses `a::b::{c, d as e}` after `use`; returns the position after it.
fn tree(
    tokens: &[Token],
    mut at: usize,
    before: &[String],
    found: &mut Vec<(usize, Vec<String>, String)>,
) -> usize {
    let (mut path, mut alias) = (before.to_vec(), None);
    let line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "as" => {
                alias = Some(text_at(tokens, at + 1).to_owned());
                at += 2;
            }
            "{" => {
                at += 1;
                while !matches!(text_at(tokens, at), "}" | "") {
                    let next = tree(tokens, at, &path, found);
                    at = next.max(at + usize::from(next == at));
                    at += usize::from(text_at(tokens, at) == ",");
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
        let own = path.iter().rev().find(|part| *part != "self").cloned().unwrap_or_default();
        found.push((line, path, alias.unwrap_or(own)));
    }
    at
}

/// Removes each item with `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if !(0..TEST.len()).all(|n| text_at(tokens, at + n) == TEST[n]) {
            kept.push(Token { line: tokens[at].line, text: tokens[at].text.clone() });
            at += 1;
            continue;
        }
        at += TEST.len();
        let mut depth = 0_usize;
        while at < tokens.len() {
            let text = tokens[at].text.as_str();
            // A field or variant ends with a comma, or with its enclosing braces.
            if depth == 0 && text == "}" {
                break;
            }
            at += 1;
            match text {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(text, "}" | ";" | ",") {
                break;
            }
        }
    }
    kept
}

fn text_at(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// One cycle, as the list of its dependencies; empty if there is none.
fn circle(map: &Map) -> Vec<String> {
    fn walk<'a>(
        map: &'a Map,
        at: &'a str,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<usize> {
        if let Some(start) = way.iter().position(|name| *name == at) {
            return Some(start);
        }
        if !done.insert(at) {
            return None;
        }
        way.push(at);
        for next in map.get(at).into_iter().flat_map(BTreeMap::keys) {
            if let Some(start) = walk(map, next, way, done) {
                return Some(start);
            }
        }
        way.pop();
        None
    }
    let mut done = BTreeSet::new();
    for name in map.keys() {
        let mut way = Vec::new();
        if let Some(start) = walk(map, name, &mut way, &mut done) {
            let ring = &way[start..];
            return (0..ring.len())
                .map(|at| (ring[at], ring[(at + 1) % ring.len()]))
                .map(|(from, to)| format!("{} → {to}", map[from][to]))
                .collect();
        }
    }
    Vec::new()
}

#[test]
fn no_circle_runs_through_the_files() {
    let files = files::all();
    for root in CRATES {
        let ring = circle(&Sources::read(root, &files).map());
        assert!(ring.is_empty(), "a circle in {root}:\n{}", ring.join("\n"));
    }
}

#[cfg(test)]
fn found(samples: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<File> = samples.iter().map(|(path, text)| File::sample(path, text)).collect();
    circle(&Sources::read("src", &files).map())
}

#[test]
fn a_circle_of_files_is_found() {
    let ring = found(&[
        ("src/users/mod.rs", "use crate::error::Code;\n\nuse crate::servers::Server;"),
        ("src/servers/mod.rs", "mod views;\n"),
        ("src/servers/views.rs", "fn a() { crate::users::b() }"),
        ("src/error.rs", "\n#[cfg(test)]\nmod tests {\n use crate::users::User;\n}"),
    ]);
    assert!(ring.is_empty(), "{ring:?}");
    let ring = found(&[
        ("src/users/mod.rs", "use crate::error::Code;\n\nuse crate::servers::Server;"),
        ("src/servers/mod.rs", "mod views;\npub use views::Server;"),
        ("src/servers/views.rs", "fn a() { crate::users::b() }"),
        ("src/error.rs", ""),
    ]);
    assert_eq!(
        ring,
        ["src/servers/views.rs:1 → src/users/mod.rs", "src/users/mod.rs:3 → src/servers/views.rs"],
        "through the re-export to the file that defines it"
    );
}

#[test]
fn a_child_that_names_what_its_mod_defines_closes_a_circle_once_that_uses_it() {
    let child = ("src/servers/delete.rs", "use super::Servers;\nimpl Servers {}\npub struct Deletions;");
    let ring = found(&[("src/servers/mod.rs", "mod delete;\npub struct Servers;"), child]);
    assert!(ring.is_empty(), "{ring:?}");
    let ring = found(&[
        ("src/servers/mod.rs", "mod delete;\npub use delete::Deletions;\npub struct Servers;"),
        child,
    ]);
    assert!(ring.is_empty(), "a re-export alone: {ring:?}");
    for text in [
        "mod delete;\nuse delete::Deletions;\npub struct Servers(Deletions);",
        "mod delete;\npub use delete::Deletions;\npub struct Servers(Deletions);",
        "mod delete;\npub struct Servers(delete::Deletions);",
        "mod delete;\nuse self::delete as other;\npub struct Servers(other::Deletions);",
        "mod delete;\nmod inner { use super::delete::Deletions; }\npub struct Servers;",
    ] {
        let ring = found(&[("src/servers/mod.rs", text), child]);
        assert_eq!(ring.len(), 2, "{text}: {ring:?}");
    }
}

#[test]
fn what_names_nothing_of_a_file_does_not_lead_there() {
    let ring = found(&[
        ("src/a/mod.rs", "mod b;\nuse b::B;\nfn f(b: B) {}\npub struct A;"),
        // Visibility, comments, strings, fields and other crates.
        ("src/a/b.rs", "pub(in crate::a) struct B; // super::A\nfn f() { x.super_; \"super::A\"; other::A }"),
        ("src/a/c.rs", "use crate::a;\nfn f() { a::A; }"),
    ]);
    assert!(ring.is_empty(), "{ring:?}");
}
