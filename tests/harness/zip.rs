//! ZIP archives made by another program.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

/// An archive made by Python, with these names and texts.
pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let script = "import json, sys, zipfile\n\
        archive = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\n\
        [archive.writestr(name, text) for name, text in json.load(sys.stdin)]\n\
        archive.close()";
    let path = folder.path().join("a.zip");
    let mut python = Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("python3, which tests/run installs");
    python.stdin.take().unwrap().write_all(json!(files).to_string().as_bytes()).unwrap();
    assert!(python.wait().unwrap().success());
    std::fs::read(path).unwrap()
}
