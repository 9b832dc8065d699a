//! Runs system programs with a short time limit to read their output.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// Time limit of a program.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most output that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// Search path, also for a service that has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Output of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It succeeded with this output.
    Text(String),
    /// It exists but failed, mostly for lack of permission.
    Refused,
    /// It does not exist.
    Absent,
}

impl Said {
    /// The output if the program succeeded.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Refused | Self::Absent => None,
        }
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Runs a program without a shell, with empty standard input and none of our environment.
pub(super) async fn ask(words: &[&str]) -> Said {
    let [program, arguments @ ..] = words else { return Said::Absent };
    let there =
        PATH.split(':').map(|folder| std::path::Path::new(folder).join(program)).find(|path| path.is_file());
    let Some(path) = there else { return Said::Absent };
    let spawned = Command::new(path)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = spawned else { return Said::Refused };
    let Some(output) = child.stdout.take() else { return Said::Refused };
    let work = async {
        let mut bytes = Vec::new();
        output.take(LONGEST).read_to_end(&mut bytes).await.ok()?;
        child.wait().await.ok()?.success().then(|| String::from_utf8_lossy(&bytes).into_owned())
    };
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Some(text)) => Said::Text(text),
        _ => Said::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn programs_say_something_nothing_or_are_not_there() {
        assert_eq!(ask(&["echo", "a b"]).await, Said::of("a b\n"));
        assert_eq!(ask(&["false"]).await, Said::Refused);
        assert_eq!(ask(&["no-such-program-here"]).await, Said::Absent);
        let began = std::time::Instant::now();
        assert_eq!(ask(&["sleep", "60"]).await, Said::Refused);
        assert!(began.elapsed() < PATIENCE * 2);
        assert_eq!(ask(&["sh", "-c", "echo ${HOME:-nothing}"]).await, Said::of("nothing\n"));
    }
}
