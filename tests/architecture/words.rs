//! One name per thing: names replaced by those of the glossary in ARCHITECTURE.md must not return.

use super::files::{self, File};

/// Rejected identifiers and path components, and their replacements.
const GONE: [(&str, &str); 38] = [
    ("AskError", "RequestError"),
    ("Blow", "StopStep"),
    ("Brought", "ImportedFiles"),
    ("Door", "AgentListener"),
    ("Ears", "Dispatcher"),
    ("Face", "Advertisement"),
    ("Faults", "ValidationErrors"),
    ("Gauge", "StreamMeter"),
    ("Goal", "Completion"),
    ("Guest", "AgentConnection"),
    ("Heard", "RequestProgress"),
    ("Interest", "AgentTopic"),
    ("Joining", "EnrollmentConfig"),
    ("Judged", "SecretMatch"),
    ("Lives", "Tracker"),
    ("Maker", "Owner"),
    ("Meeting", "Enrollment"),
    ("Moves", "Transfers"),
    ("NodeSeen", "NodeSnapshot"),
    ("PIECE", "FRAME_BYTES"),
    ("Patience", "RestartPolicy"),
    ("Piece", "Frame"),
    ("Restless", "ConcurrentChange"),
    ("ServerSeen", "ServerSnapshot"),
    ("Spoken", "LegacyRequest"),
    ("Standing", "LinkState"),
    ("Tally", "LogCounter"),
    ("Trial", "Verification"),
    ("Voice", "Reporter"),
    ("distrust", "cert_error"),
    ("elder", "legacy"),
    ("part_one", "legacy"),
    ("purse", "TokenBucket"),
    ("show_ourselves", "announce_extensions"),
    ("stay_down", "disable_restart"),
    ("take_back", "rollback"),
    ("tally", "log_counter"),
    ("to_the_switch", "copy_and_commit"),
];

/// Rejected phrases, which no one outside this project would search for.
const PHRASES: [(&str, &str); 4] = [
    ("of another make", "say what it is: legacy, or another implementation"),
    ("other makes", "other implementations"),
    ("the first part of the protocol", "the legacy protocol"),
    ("come to pass", "fail, or happen"),
];

/// One-word docs that say no more than the name they describe.
const EMPTY_DOCS: [&str; 12] =
    ["Which", "What", "Who", "Whose", "Where", "When", "Why", "How", "Then", "Now", "Ours", "There"];

/// The doc comment of a line, if it is one of [`EMPTY_DOCS`].
fn empty_doc(line: &str) -> Option<&str> {
    let doc = line.trim_start().strip_prefix("/// ")?;
    EMPTY_DOCS.contains(&doc.strip_suffix('.')?).then_some(doc)
}

fn gone(file: &File) -> Vec<String> {
    if file.within("tests/architecture") || !file.rust() {
        return Vec::new();
    }
    let path = file.path.split(['/', '.']);
    let mut found: Vec<String> = path
        .filter_map(|part| GONE.iter().find(|(word, _)| *word == part))
        .map(|(word, instead)| format!("{}:1: `{word}` is called `{instead}`", file.path))
        .collect();
    for (number, line) in file.text.lines().enumerate() {
        let place = || format!("{}:{}", file.path, number + 1);
        let code = line.split("//").next().unwrap_or_default();
        let quoted: String = code.split('"').step_by(2).collect();
        for word in quoted.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
            if let Some((word, instead)) = GONE.iter().find(|(gone, _)| *gone == word) {
                found.push(format!("{}: `{word}` is called `{instead}`", place()));
            }
        }
        if let Some(doc) = empty_doc(line) {
            found.push(format!("{}: `{doc}`: say what it is, in which unit, and when it is absent", place()));
        }
        for (phrase, instead) in PHRASES {
            if line.contains(phrase) {
                found.push(format!("{}: `{phrase}`: {instead}", place()));
            }
        }
    }
    found
}

#[test]
fn words_that_are_gone_stay_away() {
    let found: Vec<String> = files::all().iter().flat_map(gone).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_word_that_is_gone_is_seen() {
    let seen = |path: &str, text: &str| gone(&File::sample(path, text)).join("\n");
    assert_eq!(seen("src/a.rs", "\nfn a(b: NodeSeen) {}"), "src/a.rs:2: `NodeSeen` is called `NodeSnapshot`");
    assert_eq!(seen("agent/src/elder/mod.rs", ""), "agent/src/elder/mod.rs:1: `elder` is called `legacy`");
    assert_ne!(seen("src/a.rs", "// an agent of another make"), "");
    assert_ne!(seen("src/a.rs", "    /// Whose.\n"), "");
    assert_eq!(seen("src/a.rs", "    /// What was asked for.\n"), "");
    assert_eq!(seen("src/a.rs", "let a = \"elder\"; // the elder of two"), "");
    assert_eq!(seen("src/a.rs", "fn elder_scrolls() {}"), "");
}
