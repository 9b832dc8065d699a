//! The real program, for stand-ins to leave the service to: with this machine's loader and libraries, so that it runs in
//! every root, however old its own are. strace too, which kills it between two system calls.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::binary;

/// `/real/run WORD…` in a place: the program. `/real/strace WORD…`.
const RUN: &str = "#!/bin/sh\nexec /real/loader --library-path /real /real/PROGRAM \"$@\"\n";

/// The folder that becomes `/real`. Made once in a run of the tests.
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

/// Over one that another run may use just now.
fn put(from: &Path, to: &Path) {
    let new = to.with_extension("new");
    fs::copy(from, &new).unwrap();
    fs::rename(new, to).unwrap();
}

/// What it is linked to, and its loader.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let out = Command::new("ldd").arg(program).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    text.lines().filter_map(path).collect()
}
