//! The real program, for the stand-ins: with this machine's loader and libraries, so that it runs in every root file
//! system, however old its own are. Also strace, which kills it between two system calls.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::binary;

/// Runs the program in a container as `/real/run ARGS…`, or strace as `/real/strace ARGS…`.
const RUN: &str = "#!/bin/sh\nexec /real/loader --library-path /real /real/PROGRAM \"$@\"\n";

/// The folder that is mounted as `/real`. Created once per test run.
pub(super) fn folder() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real");
        fs::create_dir_all(&folder).unwrap();
        let new = folder.join("new");
        let stripped = Command::new("strip").arg("-o").arg(&new).arg(binary()).status().unwrap();
        assert!(stripped.success());
        fs::rename(&new, folder.join("program")).unwrap();
        let strace = Command::new("sh").args(["-c", "command -v strace"]).output().unwrap();
        let strace = String::from_utf8(strace.stdout).unwrap();
        assert!(!strace.is_empty(), "strace is missing");
        put(Path::new(strace.trim()), &folder.join("tracer"));
        for program in ["program", "tracer"] {
            for library in libraries(&folder.join(program)) {
                let name = library.file_name().unwrap().to_str().unwrap();
                put(&library, &folder.join(if name.starts_with("ld-") { "loader" } else { name }));
            }
        }
        for (name, program) in [("run", "program"), ("strace", "tracer")] {
            fs::write(&new, RUN.replace("PROGRAM", program)).unwrap();
            fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
            fs::rename(&new, folder.join(name)).unwrap();
        }
        folder
    })
}

/// Replaces a file that another test run may be using.
fn put(from: &Path, to: &Path) {
    let new = to.with_extension("new");
    fs::copy(from, &new).unwrap();
    fs::rename(new, to).unwrap();
}

/// The libraries of a program, and its loader.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let out = Command::new("ldd").arg(program).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    text.lines().filter_map(path).collect()
}
