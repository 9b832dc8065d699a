//! Prepares an installation: an empty folder if requested, the image, the script, the container.

use std::io;
use std::path::Path;
use std::sync::Arc;

use protocol::{Progress, ServerCreate, TemplateInstall};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::context::Context;
use super::super::jobs::{self, FetchError};
use super::super::{folder, plan, template};
use super::{InstallError, script};
use crate::console::Console;
use crate::runtime::InstallContainer;

/// Minimum memory for a script, in bytes.
const LEAST_MEMORY: i64 = 1 << 30;
/// Minimum CPU limit for a script, in percent of a core.
const LEAST_CPU: i64 = 100;

/// Everything the preparation needs.
pub(in super::super) struct Make {
    pub(in super::super) context: Arc<Context>,
    pub(in super::super) spec: ServerCreate,
    /// Owner of the folder as `uid:gid`, if known.
    pub(in super::super) user: Option<String>,
    /// Whether to pull the image even if it is present.
    pub(in super::super) anew: bool,
    /// Whether to delete the server's files first.
    pub(in super::super) wipe: bool,
    /// Whether this is the automatic first installation, which leaves existing data alone.
    pub(in super::super) first: bool,
    pub(in super::super) console: Console,
    pub(in super::super) progress: watch::Sender<Option<Progress>>,
    pub(in super::super) cancel: CancellationToken,
}

impl Make {
    /// Returns the container's id; `None` if there is nothing to run.
    pub(in super::super) async fn make(self) -> Result<Option<String>, InstallError> {
        let id = self.spec.server_id.clone();
        if self.wipe {
            self.console.system("Throwing the server's files away.");
            let (data_dir, id, owner) = (self.context.data_dir.clone(), id.clone(), self.owner());
            on_disk(move || wipe(&data_dir, &id, owner)).await?;
            self.context.shared.sweeper.wake();
        }
        let install = self.spec.template.as_ref().and_then(|template| template.install.clone());
        let Some(install) = install.filter(|install| !install.script.trim().is_empty()) else {
            return Ok(None);
        };
        let (data_dir, server) = (self.context.data_dir.clone(), id.clone());
        if self.first && !on_disk(move || is_empty(&folder::of(&data_dir, &server))).await? {
            let line =
                "The server's folder holds data already: the install script is not run. A reinstall runs it.";
            self.console.system(line);
            return Ok(None);
        }
        if !plan::is_image(&install.image) {
            return Err(InstallError::Failed("The install image is not the name of an image.".into(), None));
        }
        self.fetch(&install.image).await?;
        self.progress
            .send_replace(Some(Progress { percent: None, text: "Running the install script".into() }));
        self.console.system(&format!("Running the install script in {}.", install.image));
        self.container(&install).await.map(Some)
    }

    fn owner(&self) -> Option<(u32, u32)> {
        self.user.as_deref().and_then(folder::parse_pair)
    }

    async fn fetch(&self, image: &str) -> Result<(), InstallError> {
        let (context, progress) = (Arc::clone(&self.context), self.progress.clone());
        let fetched = jobs::fetch(context, image.to_owned(), self.anew, progress, self.cancel.clone()).await;
        self.progress.send_replace(None);
        match fetched {
            Ok(None) => Ok(()),
            Ok(Some(note)) => {
                tracing::info!(server = %self.spec.server_id, note, "an install image was not fetched anew");
                Ok(())
            }
            Err(FetchError::Cancelled) => Err(InstallError::Cancelled),
            Err(FetchError::Failed(message)) => Err(InstallError::Fetch(message)),
        }
    }

    async fn container(&self, install: &TemplateInstall) -> Result<String, InstallError> {
        let (context, id) = (&self.context, &self.spec.server_id);
        let engine = &context.engine;
        let (data_dir, server, text) = (context.data_dir.clone(), id.clone(), install.script.clone());
        let owner = self.owner();
        let script_dir = on_disk(move || {
            let path = folder::prepare(&data_dir, &server, owner, &CancellationToken::new())?;
            // The folder only gets its owner back after everything in it has.
            folder::take(&path)?;
            script::write(&data_dir, &server, &text)
        })
        .await?;
        if let Some(old) = engine.inspect_install(id).await? {
            engine.remove(&old.id).await?;
        }
        let protocol::Limits { memory, cpu, .. } = self.spec.limits;
        let least = |limit: i64, least: i64| if limit > 0 { limit.max(least) } else { 0 };
        let container = InstallContainer {
            server_id: id.clone(),
            image: install.image.clone(),
            command: command(&install.entrypoint, owner.filter(|_| !folder::may_give())),
            environment: template::environment(&self.spec, &context.timezone),
            server_dir: folder::of(&context.data_dir, id),
            script_dir,
            memory: least(memory, LEAST_MEMORY),
            cpu: least(cpu, LEAST_CPU),
            block_lan: self.spec.block_lan,
        };
        let created = engine.create_install(&container).await?;
        for warning in &created.warnings {
            self.console.system(&format!("The engine says: {warning}"));
        }
        if let Some(cause) = &created.lan_open {
            self.console.system(&format!(
                "The install script can reach the local network, although that is blocked in its settings: {cause}."
            ));
        }
        Ok(created.id)
    }
}

/// The command that runs the script with its entrypoint. `give`: the owner to set in the container, if this agent may
/// not change owners itself.
fn command(entrypoint: &str, give: Option<(u32, u32)>) -> Vec<String> {
    let words = entrypoint.split_whitespace().map(str::to_owned);
    let mut command: Vec<String> = words.chain([script::PLACE.to_owned()]).collect();
    if command.len() == 1 {
        command.insert(0, "/bin/sh".to_owned());
    }
    if let Some((uid, gid)) = give {
        let line = format!("\"$0\" \"$@\"; c=$?; chown -R {uid}:{gid} /mnt/server; exit $c");
        command.splice(0..0, ["/bin/sh".to_owned(), "-c".to_owned(), line]);
    }
    command
}

fn wipe(data_dir: &Path, id: &str, owner: Option<(u32, u32)>) -> io::Result<()> {
    folder::discard(data_dir, id, &folder::of(data_dir, id))?;
    folder::prepare(data_dir, id, owner, &CancellationToken::new()).map(drop)
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        entries => Ok(entries?.next().is_none()),
    }
}

pub(super) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, InstallError> {
    let done = tokio::task::spawn_blocking(work).await;
    let failed = |error: &dyn std::fmt::Display| {
        InstallError::Failed(format!("The server's folder could not be prepared: {error}."), None)
    };
    match done {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_goes_to_its_entrypoint() {
        assert_eq!(command("bash", None), ["bash", "/mnt/install/install.sh"]);
        assert_eq!(command("/bin/bash -e", None), ["/bin/bash", "-e", "/mnt/install/install.sh"]);
        assert_eq!(command(" ", None), ["/bin/sh", "/mnt/install/install.sh"]);
        let giving = command("ash", Some((5, 6)));
        assert_eq!((giving.len(), giving[3].as_str()), (5, "ash"));
        assert!(giving[2].contains("chown -R 5:6 /mnt/server"));
    }

    #[test]
    fn a_wiped_folder_is_empty_and_follows_no_link() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("x"), "x").unwrap();
        let path = folder::prepare(dir.path(), "a", None, &CancellationToken::new()).unwrap();
        std::fs::write(path.join("world"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), path.join("out")).unwrap();
        assert!(!is_empty(&path).unwrap());
        wipe(dir.path(), "a", None).unwrap();
        assert!(is_empty(&path).unwrap() && outside.path().join("x").exists());
    }
}
