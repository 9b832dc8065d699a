//! Programs of the system that are asked, each for a moment: what they say is what they are asked for, or nothing.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most that is read of it.
const LONGEST: u64 = 1 << 20;
/// Where they lie, also for a service without a path.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What one said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It ended well with this.
    Text(String),
    /// It is there and did not want to: rights, mostly.
    Refused,
    /// It is not there.
    Absent,
}

impl Said {
    /// What was said, if it was.
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

/// Runs a program without a shell, without input, with nothing of our environment.
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
