//! Containers of a legacy agent, which keep their files inside.

use super::super::folder;
use super::super::import_files::{ImportFiles, ImportedFiles};
use super::error::{LaunchError, failed};
use super::{Launch, Launched};
use crate::runtime::ContainerState;

impl Launch {
    /// Replaces a legacy container that has taken the server's name since the last inspection.
    pub(super) async fn take_place_of(&self, seen: &ContainerState) -> Result<(), LaunchError> {
        let place = folder::of(&self.context.data_dir, &self.spec.server_id);
        let empty = tokio::task::spawn_blocking(move || {
            std::fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_none())
        });
        if seen.running || !empty.await.unwrap_or(false) {
            return Err(failed(
                "A container of another agent has this server's name, and runs or stands beside files that are here \
                 already: stop and remove the one that is not wanted.",
            ));
        }
        match self.bring_home(seen, self.user.as_deref()).await? {
            None => Ok(self.context.engine.remove(&seen.id).await?),
            Some(why) => Err(failed(format!("A container of another agent has this server's name: {why}."))),
        }
    }

    /// Starts a legacy container as it is: it keeps its files inside, so a recreated one would be empty.
    pub(super) async fn start_legacy(self, seen: ContainerState, why: &str) -> Result<Launched, LaunchError> {
        self.output.console.system(&format!(
            "This container was made by another agent and keeps its files inside. It is started as it is, and \
             settings do not apply to it: {why}."
        ));
        self.start(seen.id, seen.tty, None, true).await
    }

    /// Copies the files of a legacy container into the server's folder. Returns the reason if that is not possible.
    pub(super) async fn bring_home(
        &self,
        seen: &ContainerState,
        user: Option<&str>,
    ) -> Result<Option<String>, LaunchError> {
        let own;
        let user = match user {
            Some(user) => user,
            // Use the image's user.
            None => {
                own = self.context.engine.image_user(&seen.image, &seen.id).await?;
                &own
            }
        };
        self.output.console.system("Copying the files out of the container that another agent made.");
        let bring = ImportFiles {
            context: &self.context,
            server_id: &self.spec.server_id,
            owner: folder::parse_pair(user),
            progress: &self.progress,
            cancel: &self.cancel,
        };
        match bring.home(seen).await? {
            ImportedFiles::No(why) => Ok(Some(why)),
            ImportedFiles::Home(taken) => {
                let megabytes = taken.bytes.div_ceil(1_000_000);
                let mut line = format!("{megabytes} MB were copied; the container is made anew around them.");
                if taken.left_out > 0 {
                    line.push_str(&format!(" {} pipes, sockets and devices were left out.", taken.left_out));
                }
                self.output.console.system(&line);
                Ok(None)
            }
        }
    }
}
