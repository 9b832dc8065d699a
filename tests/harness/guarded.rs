//! A program under its guard, without a service manager.

use std::path::PathBuf;

use super::download::install;

/// Replaces a service manager: runs the guard, the program, the guard and so on, as long as the program wants to be
/// restarted or fails. `FAILS` is a version that fails at once. Killing the shell ends it and the program.
const LOOP: &str = r#"
program=$1
shift 2
while :; do
    sh "$GUARD" start "$program" || exit 70
    if [ -n "${FAILS:-}" ] && [ "$("$program" --version)" = "ctrl-alt-play $FAILS" ]; then
        code=1
    else
        setpriv --pdeathsig KILL "$program" "$@"
        code=$?
    fi
    SERVICE_RESULT=success
    case $code in 0 | 79 | 143) ;; *) SERVICE_RESULT=exit-code ;; esac
    export SERVICE_RESULT EXIT_CODE=exited EXIT_STATUS=$code
    sh "$GUARD" stop "$program"
    unset SERVICE_RESULT EXIT_CODE EXIT_STATUS
    case $code in 0 | 143) exit 0 ;; esac
    sleep 0.2
done
"#;

/// A program in its own folder, under a guard.
pub(crate) struct Guarded {
    folder: tempfile::TempDir,
}

impl Guarded {
    pub(crate) fn new(program: &[u8]) -> Self {
        let folder = tempfile::Builder::new().prefix("cap-guarded-").tempdir().unwrap();
        install(&folder.path().join("ctrl-alt-play"), program);
        std::fs::write(folder.path().join("loop"), LOOP).unwrap();
        Self { folder }
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("ctrl-alt-play")
    }

    /// The command that runs the program instead of the one under test.
    pub(crate) fn wrapper(&self) -> Vec<String> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        vec!["sh".to_owned(), text(self.folder.path().join("loop")), text(self.program())]
    }

    /// The environment variables for it.
    pub(crate) fn env() -> [(&'static str, String); 3] {
        [
            ("GUARD", concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/guard.sh").to_owned()),
            ("CTRL_ALT_PLAY_GUARDED", "1".to_owned()),
            ("CTRL_ALT_PLAY_USER", "nobody-of-this-name".to_owned()),
        ]
    }

    /// The version that the program reports.
    pub(crate) fn version(&self) -> String {
        let said = std::process::Command::new(self.program()).arg("--version").output().unwrap();
        String::from_utf8_lossy(&said.stdout).trim().trim_start_matches("ctrl-alt-play ").to_owned()
    }
}
