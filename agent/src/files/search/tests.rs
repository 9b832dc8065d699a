use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::CWD;

use super::*;
use crate::fs::FOLDER;

fn look(top: &Path, query: &Query) -> Found {
    let top = openat(CWD, top, FOLDER, Mode::empty()).unwrap();
    search(top, query, &CancellationToken::new())
}

fn query(name: Option<&str>, content: Option<&str>, case_sensitive: bool) -> Query {
    Query::new(name, content, case_sensitive, 1000).unwrap()
}

/// Paths, and lines where there are some.
fn hits(found: &Found) -> Vec<String> {
    let shown = |hit: &Hit| {
        let path = hit.path.escape_ascii();
        hit.line.as_ref().map_or(path.to_string(), |(line, text)| format!("{path}:{line}:{text}"))
    };
    found.hits.iter().map(shown).collect()
}

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &[u8]| fs::write(dir.path().join(name), content).unwrap();
    fs::create_dir_all(dir.path().join("config/Motd")).unwrap();
    put("server.properties", b"# note\r\nmotd=A Minecraft Server\r\nport=1\r\n");
    put("config/a.yml", b"motd: one\nother: MOTD\n\nmotd again motd\nlast motd");
    put("config/level.dat", b"\x0a\x00motd");
    put(".writing-0123456789abcdef", b"motd");
    put("latin", b"gr\xfc\xdfe motd \xff\xfe");
    symlink("/etc/passwd", dir.path().join("motd-link")).unwrap();
    dir
}

#[test]
fn names() {
    let dir = tree();
    let found = look(dir.path(), &query(Some("motd"), None, false));
    assert_eq!(hits(&found), ["config/Motd", "motd-link"]);
    assert_eq!(found.hits[0].kind, FileKind::Directory);
    assert_eq!((found.scanned, found.truncated), (8, false));
    assert_eq!(hits(&look(dir.path(), &query(Some("*.yml"), None, true))), ["config/a.yml"]);
    assert!(Query::new(Some(""), None, true, 5).is_none());
}

#[test]
fn content_line_by_line() {
    let dir = tree();
    let found = look(dir.path(), &query(None, Some("motd"), true));
    let lines = [
        "config/a.yml:1:motd: one",
        "config/a.yml:4:motd again motd",
        "config/a.yml:5:last motd",
        "latin:1:gr\u{fffd}\u{fffd}e motd \u{fffd}\u{fffd}",
        "server.properties:2:motd=A Minecraft Server",
    ];
    assert_eq!(hits(&found), lines);
    let folded = look(dir.path(), &query(None, Some("mOtD"), false));
    assert_eq!(folded.hits.len(), 6, "{:?}", hits(&folded));
    let both = look(dir.path(), &query(Some("*.properties"), Some("motd"), true));
    assert_eq!(hits(&both), lines[4..]);
    let two_lines = look(dir.path(), &query(None, Some("other: MOTD\n\nmotd"), true));
    assert_eq!(hits(&two_lines), ["config/a.yml:2:other: MOTD"]);
}

/// At every place relative to the pieces in which files are read, once and with the right number.
#[test]
fn large_files_and_long_lines() {
    let dir = tempfile::tempdir().unwrap();
    for (n, at) in [262_140, 262_144, 262_143, 524_286, 700_000, 258_048].into_iter().enumerate() {
        let mut lines = Vec::new();
        while lines.len() + 41 < at {
            lines.extend([b'x'; 40]);
            lines.push(b'\n');
        }
        let number = lines.len() / 41 + 1;
        lines.resize(at, b'y');
        lines.extend(b"needle\n");
        lines.extend(vec![b'z'; 300_000]);
        let mut long = vec![b'l'; at];
        long.extend(b"needle");
        long.extend(vec![b'l'; 600_000]);
        fs::write(dir.path().join(format!("lines{n}")), lines).unwrap();
        fs::write(dir.path().join(format!("long{n}")), long).unwrap();
        for case_sensitive in [true, false] {
            let found = look(dir.path(), &query(Some(&format!("*s{n}")), Some("needle"), case_sensitive));
            assert_eq!(found.hits.len(), 1, "{at}");
            let line = found.hits[0].line.clone().unwrap();
            assert_eq!(line.0, number as u64, "{at}");
            assert!(line.1.ends_with("needle"), "{at}");
        }
        let found = look(dir.path(), &query(Some(&format!("long{n}")), Some("needle"), true));
        let (line, text) = found.hits[0].line.clone().unwrap();
        assert_eq!((found.hits.len(), line, text.chars().count()), (1, 1, 300), "{at}");
        assert!(text.contains("needle"), "{at}");
    }
}

#[test]
fn it_ends_at_its_bounds() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..600 {
        fs::write(dir.path().join(format!("file{n}")), "needle\n".repeat(300)).unwrap();
    }
    let few = Query { limit: 50, ..query(None, Some("needle"), true) };
    let found = look(dir.path(), &few);
    assert!(found.truncated && found.hits.len() == 50);
    let late = Query { patience: Duration::ZERO, ..query(None, Some("nowhere"), true) };
    let found = look(dir.path(), &late);
    assert!(found.truncated && found.hits.is_empty() && found.scanned <= 256, "{}", found.scanned);
    let stop = CancellationToken::new();
    stop.cancel();
    let top = openat(CWD, dir.path(), FOLDER, Mode::empty()).unwrap();
    assert!(search(top, &query(Some("file"), None, true), &stop).truncated);
    let one = look(dir.path(), &query(Some("file599"), Some("needle"), true));
    assert_eq!(one.hits.len(), 100, "of one file so many lines");
}

#[test]
fn a_pipe_and_a_sparse_file_hold_nothing_up() {
    let dir = tempfile::tempdir().unwrap();
    rustix::fs::mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    fs::File::create(dir.path().join("sparse")).unwrap().set_len(1 << 40).unwrap();
    fs::write(dir.path().join("text"), "needle").unwrap();
    assert_eq!(hits(&look(dir.path(), &query(None, Some("needle"), true))), ["text:1:needle"]);
}
