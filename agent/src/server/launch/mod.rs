//! Launches a game: its folder, its image, a fresh container, its terminal, the start.

mod error;
mod legacy;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use protocol::{ContainerUser, Progress, ServerCreate};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use self::error::LaunchError;
use self::error::failed;
use super::context::Context;
use super::output::Output;
use super::terminal::{self, Terminal};
use super::typing::Port;
use super::{configure, engine_log, folder, identity, plan, template, zone};
use crate::console::{Ready, ReadyWatch};
use crate::runtime::{ContainerState, EngineError, Fault, Owner};

/// The user that games run as if the agent may change file owners.
const USER: &str = "988:988";

/// Time limit for the engine to finish creating or removing a container that blocks the name.
const NAME_TAKEN: Duration = Duration::from_secs(20);
const NAME_PAUSE: Duration = Duration::from_millis(100);

/// A running game.
pub(super) struct Launched {
    pub(super) container_id: String,
    pub(super) started_at: Timestamp,
    pub(super) pid: Option<u32>,
    /// Owner of the folder now, as `uid:gid`.
    pub(super) user: Option<String>,
    pub(super) connected: terminal::Connected,
    /// It runs in a legacy container.
    pub(super) legacy: bool,
    /// It was found paused; its terminal is connected when it is resumed.
    pub(super) found_paused: bool,
    /// It is known to be ready, so no ready line is awaited.
    pub(super) ready: bool,
}

/// The user, `uid:gid`, that games run as by default and that owns their folders.
pub(super) fn default_user() -> String {
    if folder::may_give() {
        return USER.to_owned();
    }
    let (uid, gid) = folder::own_ids();
    format!("{uid}:{gid}")
}

/// Everything needed for one start of a game.
pub(super) struct Launch {
    pub(super) context: Arc<Context>,
    pub(super) spec: ServerCreate,
    /// Owner of the folder as `uid:gid`, if known.
    pub(super) user: Option<String>,
    /// Id of the last run's container.
    pub(super) old: Option<String>,
    /// The old container is a legacy one.
    pub(super) legacy: bool,
    /// The settings are still those found in the legacy container.
    pub(super) as_found: bool,
    pub(super) output: Output,
    pub(super) port: Port,
    pub(super) progress: watch::Sender<Option<Progress>>,
    /// Cancels the launch until the game runs; ignored afterwards.
    pub(super) cancel: CancellationToken,
    /// Ends the terminal's tasks.
    pub(super) run: CancellationToken,
}

impl Launch {
    pub(super) async fn launch(self) -> Result<Launched, LaunchError> {
        let context = Arc::clone(&self.context);
        let engine = &context.engine;
        let behaviour = self.spec.behaviour.clone().unwrap_or_default();
        if let Some(sentence) = template::broken_variable(&self.spec) {
            return Err(failed(sentence));
        }
        let mut user = match &behaviour.user {
            ContainerUser::Agent => Some(self.user.clone().unwrap_or_else(default_user)),
            ContainerUser::Fixed(pair) => Some(pair.clone()),
            ContainerUser::Image => self.user.clone(),
        };
        if let Some(old) = self.old.as_ref().filter(|_| self.legacy) {
            let seen = engine.inspect(old).await?;
            let seen = seen.ok_or_else(|| {
                failed("Its container was made by another agent and is gone, and its files with it.")
            })?;
            if self.as_found {
                let why = "nobody has changed its settings yet";
                return self.start_legacy(seen, why).await;
            }
            if let Some(why) = self.bring_home(&seen, user.as_deref()).await? {
                return self.start_legacy(seen, &why).await;
            }
        }
        self.prepare(user.as_deref()).await?;
        self.unless_cancelled()?;
        if let Some(old) = &self.old {
            engine.remove(old).await?;
        }
        self.unless_cancelled()?;
        let run_as = (behaviour.user != ContainerUser::Image).then(|| user.clone()).flatten();
        let id = self.create(run_as).await?;
        if behaviour.user == ContainerUser::Image && user.is_none() {
            // Resolving the name of the image's user to a uid needs a container of the image.
            let found = engine.image_user(&self.spec.image, &id).await?;
            self.prepare(Some(&found)).await?;
            user = Some(found);
        }
        configure::set_all(
            self.spec.clone(),
            folder::of(&context.data_dir, &self.spec.server_id),
            (context.timezone.clone(), engine.gateway(self.spec.block_lan)),
            self.output.console.clone(),
            self.cancel.clone(),
        )
        .await;
        self.unless_cancelled()?;
        self.start(id, true, user, false).await
    }

    fn unless_cancelled(&self) -> Result<(), LaunchError> {
        if self.cancel.is_cancelled() { Err(LaunchError::Cancelled) } else { Ok(()) }
    }

    async fn prepare(&self, user: Option<&str>) -> Result<(), LaunchError> {
        let owner = user.and_then(folder::parse_pair);
        let (data_dir, id) = (self.context.data_dir.clone(), self.spec.server_id.clone());
        let stop = self.cancel.clone();
        let done = tokio::task::spawn_blocking(move || folder::prepare(&data_dir, &id, owner, &stop)).await;
        match done {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) if self.cancel.is_cancelled() => Err(LaunchError::Cancelled),
            Ok(Err(error)) => Err(failed(format!("The server's folder could not be prepared: {error}"))),
            Err(_) => Err(failed("The server's folder could not be prepared.")),
        }
    }

    /// Creates a container under the server's name, replacing any other; pulls the image if it is missing.
    async fn create(&self, run_as: Option<String>) -> Result<String, LaunchError> {
        let context = &self.context;
        let folder = folder::of(&context.data_dir, &self.spec.server_id);
        let mut container = plan::container(&self.spec, run_as, &folder, &context.timezone);
        if !context.shared.io_weight.load(Ordering::Relaxed) {
            container.resources.io_weight = None;
        }
        let zone = container.process.environment.get("TZ").or_else(|| container.process.defaults.get("TZ"));
        if let Some(name) = zone.cloned() {
            let (dir, own) = (context.state_dir(), context.timezone.clone());
            let zone = tokio::task::spawn_blocking(move || zone::of(&dir, &name, &own));
            container.files.extend(zone.await.ok().flatten());
        }
        if let Some(user) = container.process.user.clone().filter(|_| template::is_egg(&self.spec)) {
            let (dir, id) = (context.state_dir(), self.spec.server_id.clone());
            let home = container.data_path.clone();
            let identity = tokio::task::spawn_blocking(move || identity::files(&dir, &id, &user, &home));
            match identity.await {
                Ok(Ok(files)) => container.files.extend(files),
                Ok(Err(error)) => {
                    return Err(failed(format!("The files of its user could not be written: {error}")));
                }
                Err(_) => return Err(LaunchError::Cancelled),
            }
        }
        let mut fetched = false;
        let mut end = Instant::now() + NAME_TAKEN;
        while Instant::now() < end {
            self.unless_cancelled()?;
            match context.engine.create(&container).await {
                Ok(created) => {
                    for warning in &created.warnings {
                        if warning.to_ascii_lowercase().contains("weight") {
                            context.shared.io_weight.store(false, Ordering::Relaxed);
                        }
                        self.output.console.system(&format!("The engine says: {warning}"));
                    }
                    if let Some(cause) = &created.lan_open {
                        self.output.console.system(&format!(
                            "This game can reach the local network, although that is blocked in its settings: {cause}."
                        ));
                    }
                    return Ok(created.id);
                }
                Err(error) if error.fault == Fault::Missing && !fetched => {
                    self.fetch().await?;
                    fetched = true;
                    end = Instant::now() + NAME_TAKEN;
                }
                Err(error) if error.fault == Fault::Conflict => {
                    self.make_room(&error).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(failed("The container's name is taken by one that cannot be seen."))
    }

    /// Removes this server's previous container; leaves any other alone.
    async fn make_room(&self, error: &EngineError) -> Result<(), LaunchError> {
        let engine = &self.context.engine;
        match engine.inspect_server(&self.spec.server_id).await? {
            None => {
                // The engine is still creating or removing it, for a request of an earlier agent.
                tokio::time::sleep(NAME_PAUSE).await;
                Ok(())
            }
            Some(seen) if seen.owner == Owner::This => Ok(engine.remove(&seen.id).await?),
            Some(seen) if seen.owner == Owner::Legacy => self.take_place_of(&seen).await,
            Some(_) => {
                Err(failed(format!("A container that is not ours has this server's name: {}", error.message)))
            }
        }
    }

    async fn fetch(&self) -> Result<(), LaunchError> {
        let image = &self.spec.image;
        self.output.console.system(&format!("Fetching the image {image} …"));
        self.progress.send_replace(Some(Progress { percent: None, text: "Fetching the image".into() }));
        let pulled = tokio::select! {
            pulled = self.context.engine.pull(image, &self.progress) => pulled,
            () = self.cancel.cancelled() => return Err(LaunchError::Cancelled),
        };
        self.progress.send_replace(None);
        pulled.map_err(|error| match error.fault {
            Fault::Away => LaunchError::Away(error),
            _ => LaunchError::Fetch(error.message),
        })
    }

    /// Starts the container. The terminal is connected first, so that the game's first line is not lost.
    async fn start(
        self,
        id: String,
        tty: bool,
        user: Option<String>,
        legacy: bool,
    ) -> Result<Launched, LaunchError> {
        let engine = &self.context.engine;
        let ready = ready_watch(&self.spec);
        let is_ready = ready.is_none();
        let attached = engine.attach(&id, tty).await?;
        let terminal = Terminal {
            context: Arc::clone(&self.context),
            server_id: self.spec.server_id.clone(),
            container: id.clone(),
            tty,
            output: self.output,
            ready,
            port: self.port,
            run: self.run.clone(),
        };
        if !legacy {
            terminal.output.trail().begin(&id);
        }
        let connected = terminal.connect(attached, None);
        if self.cancel.is_cancelled() {
            self.run.cancel();
            return Err(LaunchError::Cancelled);
        }
        if let Err(error) = engine.start(&id).await {
            self.run.cancel();
            if error.fault == Fault::Away {
                return Err(LaunchError::Away(error));
            }
            let code =
                engine.inspect(&id).await.ok().flatten().map(|seen| seen.exit_code).filter(|code| *code != 0);
            return Err(LaunchError::Failed { message: error.message, exit_code: code });
        }
        let seen = engine.inspect(&id).await.ok().flatten();
        // A game that has already ended has no terminal to resize.
        if seen.as_ref().is_some_and(|seen| seen.running)
            && let Err(error) = engine.resize(&id).await
        {
            tracing::debug!(%error, server = %self.spec.server_id, "terminal size");
        }
        Ok(Launched {
            started_at: seen.as_ref().and_then(|seen| seen.started_at).unwrap_or_else(Timestamp::now),
            pid: seen.and_then(|seen| seen.pid),
            container_id: id,
            user,
            connected,
            legacy,
            found_paused: false,
            ready: is_ready,
        })
    }
}

/// Watches for the template's ready lines if it has any, else for the server's own one.
pub(super) fn ready_watch(spec: &ServerCreate) -> Option<ReadyWatch> {
    let list = spec.template.as_ref().map(|template| template.ready.as_slice()).unwrap_or_default();
    let any: Vec<Ready> = list.iter().filter_map(|ready| Ready::parse(ready).ok()).collect();
    if !any.is_empty() {
        return Some(ReadyWatch::new(Ready::Any(any)));
    }
    let ready = spec.behaviour.as_ref()?.ready.as_deref().and_then(|ready| Ready::parse(ready).ok());
    ready.map(ReadyWatch::new)
}

/// Adopts a running container: one from before this process, or after the connection to the engine was lost.
/// `was_ready`: it is already known to be ready.
pub(super) async fn adopt(
    mut terminal: Terminal,
    seen: ContainerState,
    spec: &ServerCreate,
    was_ready: bool,
) -> Result<Launched, EngineError> {
    let connected = Timestamp::now();
    let attached = match terminal.context.engine.attach(&seen.id, seen.tty).await {
        // Some engines cannot attach to a paused container; it is inspected again when it is resumed.
        Err(_) if seen.paused => terminal::nothing(),
        attached => attached?,
    };
    let mut ready = ready_watch(spec).filter(|_| !was_ready);
    if let Some(watch) = &mut ready
        && engine_log::was_ready(&terminal.context, &seen, watch).await
    {
        ready = None;
    }
    let is_ready = ready.is_none();
    terminal.ready = ready;
    Ok(Launched {
        started_at: seen.started_at.unwrap_or_else(Timestamp::now),
        pid: seen.pid,
        container_id: seen.id,
        user: None,
        connected: terminal.connect(attached, Some(connected)),
        legacy: seen.owner == Owner::Legacy,
        found_paused: seen.paused,
        ready: is_ready,
    })
}
