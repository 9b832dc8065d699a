//! All servers of an agent: those in its own files, and those found in legacy containers.

pub(crate) mod pauses;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{Behaviour, ContainerUser, ErrorCode, Limits, ServerCreate, ServerId, ServerStatus, Status};

use crate::panel::reply_cache::Reply;
use crate::persist::{self, PersistError, ServerFile, Wanted};
use crate::runtime::Owner;
use crate::server::{self, Context, Handle, Request, Server, folder, plan};

/// Maximum number of servers. Each costs files and memory, and a panel may be compromised.
const MOST_SERVERS: usize = 1_000;

/// The list of server tasks. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Supervisor {
    context: Arc<Context>,
    servers: Arc<Mutex<HashMap<ServerId, Handle>>>,
}

impl Supervisor {
    /// Loads all servers from the disk and starts their tasks.
    pub(crate) fn load(context: Arc<Context>) -> Result<Self, PersistError> {
        let files = persist::load_all(&context.state_dir())?;
        let servers = files
            .into_iter()
            .map(|file| (file.spec.server_id.clone(), server::load(&context, file)))
            .collect();
        Ok(Self { context, servers: Arc::new(Mutex::new(servers)) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, Handle>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Handle> {
        let mut servers = self.lock();
        if servers.get(id).is_some_and(Handle::is_gone) {
            servers.remove(id);
        }
        servers.get(id).cloned()
    }

    /// All servers, ordered by id.
    pub(crate) fn all(&self) -> Vec<(ServerId, Handle)> {
        let mut servers = self.lock();
        servers.retain(|_, handle| !handle.is_gone());
        let mut all: Vec<_> = servers.iter().map(|(id, handle)| (id.clone(), handle.clone())).collect();
        drop(servers);
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The status of every server.
    pub(crate) fn statuses(&self) -> Vec<ServerStatus> {
        self.all().into_iter().map(|(_, handle)| handle.status.borrow().clone()).collect()
    }

    /// Resolves when every server was inspected, or after `patience`.
    pub(crate) async fn settled(&self, patience: std::time::Duration) {
        let all = async {
            for (_, mut handle) in self.all() {
                // A server that is deleted meanwhile counts as inspected.
                let _ = handle.status.wait_for(|status| status.status != Status::Unknown).await;
            }
        };
        // On a timeout, later statuses are reported as changes.
        let _ = tokio::time::timeout(patience, all).await;
    }

    /// Sends a server a request that its life cycle decides on.
    pub(crate) fn ask(&self, id: &str, request: Request, reply: Reply) {
        match self.get(id) {
            Some(handle) => handle.ask(request, reply),
            None => not_found(reply),
        }
    }

    /// Has a server's task run `work` on its state; `work` must answer the reply.
    pub(crate) fn with(
        &self,
        id: &str,
        reply: Reply,
        work: impl FnOnce(&mut Server, Reply) + Send + 'static,
    ) {
        match self.get(id) {
            Some(handle) => handle.with(reply, work),
            None => not_found(reply),
        }
    }

    /// Creates a server. If it exists, the request is refused, unless it was found in a legacy container and has no
    /// settings from a panel yet.
    pub(crate) fn create(&self, spec: ServerCreate, reply: Reply) {
        if let Err(message) = plan::check(&spec) {
            return reply.refuse(ErrorCode::Invalid, message);
        }
        let id = spec.server_id.clone();
        if let Err(error) = self.context.paths.check(&folder::of(&self.context.data_dir, &id)) {
            return reply.refuse(ErrorCode::Conflict, error.to_string());
        }
        if let Some(handle) = self.get(&id) {
            return handle.with(reply, move |server, reply| server.replace(spec, reply));
        }
        if self.lock().len() >= MOST_SERVERS {
            return reply.refuse(
                ErrorCode::Conflict,
                format!("This node has {MOST_SERVERS} servers: no more are taken."),
            );
        }
        let handle = server::create(&self.context, ServerFile::new(spec), reply);
        self.lock().insert(id, handle);
    }

    /// Looks for legacy containers, which have no files of this agent.
    pub(crate) async fn find_legacy_containers(&self) {
        let listed = match self.context.engine.list().await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::debug!(%error, "looking for containers of another agent");
                return;
            }
        };
        for (id, owner) in listed {
            if owner != Owner::Legacy || !id.is_valid() || self.get(&id).is_some() {
                continue;
            }
            let Ok(Some(seen)) = self.context.engine.inspect_server(&id).await else { continue };
            if seen.owner != Owner::Legacy || seen.server_id.as_deref() != Some(id.as_str()) {
                continue;
            }
            tracing::info!(server = %id, "took over a container of another agent");
            let Ok(Some(found)) = self.context.engine.describe(&seen.id).await else { continue };
            // Settings with which a recreated container finds its files in the same place and runs as before.
            let rooted = found.working_dir.trim_matches('/').is_empty();
            let behaviour = Behaviour {
                user: ContainerUser::Image,
                data_path: if rooted { Behaviour::default().data_path } else { found.working_dir.clone() },
                read_only_root: false,
                ..Behaviour::default()
            };
            let spec = ServerCreate {
                server_id: id.clone(),
                name: None,
                image: seen.image,
                startup: found.startup,
                environment: found.environment,
                limits: Limits { memory: found.memory, cpu: found.cpu, ..Limits::default() },
                ports: found.ports,
                block_lan: false,
                behaviour: Some(behaviour),
                template: None,
            };
            let mut file = ServerFile::new(spec);
            file.as_found = true;
            file.wanted = if seen.running { Wanted::Running } else { Wanted::Stopped };
            file.last = Some(persist::LastRun {
                status: Status::Stopped,
                exit_code: Some(seen.exit_code).filter(|_| !seen.running),
                oom_killed: false,
                error: None,
                at: jiff::Timestamp::now().as_millisecond(),
            });
            let handle = server::load(&self.context, file);
            self.lock().entry(id).or_insert(handle);
        }
    }
}

/// Refuses a request to an unknown server.
pub(crate) fn not_found(reply: Reply) {
    reply.refuse(ErrorCode::NotFound, "There is no such server on this node.");
}
