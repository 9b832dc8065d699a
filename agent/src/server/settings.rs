//! Changes a server's settings. They can be changed at any time and apply at the next start.

use protocol::{ContainerUser, ErrorCode, ServerCreate, ServerUpdate};

use super::life_cycle::Refusal;
use super::plan;
use super::record::Waiter;
use super::state::Server;
use crate::panel::reply_cache::Reply;

impl Server {
    /// The settings, and whether the server is suspended.
    pub(crate) fn settings(&self) -> (&ServerCreate, bool) {
        (&self.record.file.spec, self.record.file.suspended)
    }

    /// Sets the settings of a server found in a legacy container; refused for any other server.
    pub(crate) fn replace(&mut self, spec: ServerCreate, reply: Reply) {
        if !self.record.file.as_found || self.life_cycle.is_deleting() {
            let message = "There is a server with this id on this node already. Nothing was changed.";
            return reply.refuse(ErrorCode::Conflict, message);
        }
        self.change(spec, reply);
    }

    /// Applies the fields that the update sets.
    pub(crate) fn update(&mut self, update: ServerUpdate, reply: Reply) {
        let mut spec = self.record.file.spec.clone();
        let ServerUpdate {
            server_id: _,
            name,
            image,
            startup,
            environment,
            limits,
            ports,
            block_lan,
            behaviour,
            template,
        } = update;
        spec.name = name.or(spec.name);
        spec.image = image.unwrap_or(spec.image);
        spec.startup = startup.unwrap_or(spec.startup);
        spec.environment = environment.unwrap_or(spec.environment);
        spec.limits = limits.unwrap_or(spec.limits);
        spec.ports = ports.unwrap_or(spec.ports);
        spec.block_lan = block_lan.unwrap_or(spec.block_lan);
        spec.behaviour = behaviour.or(spec.behaviour);
        spec.template = template.or(spec.template);
        self.change(spec, reply);
    }

    fn change(&mut self, mut spec: ServerCreate, reply: Reply) {
        if self.life_cycle.is_deleting() {
            let (code, message) = Refusal::NotFound.words();
            return reply.refuse(code, message);
        }
        if let Err(message) = plan::check(&spec) {
            return reply.refuse(ErrorCode::Invalid, message);
        }
        let record = &mut self.record;
        if record.file.as_found && spec.behaviour.is_none() {
            // If the update does not say where the files are mounted, they stay where they are.
            spec.behaviour.clone_from(&record.file.spec.behaviour);
        }
        if spec == record.file.spec {
            return reply.ack(Some(self.life_cycle.status()));
        }
        record.file.as_found = false;
        let user = |spec: &ServerCreate| {
            spec.behaviour.clone().map_or_else(ContainerUser::default, |behaviour| behaviour.user)
        };
        let (before, after) = (user(&record.file.spec), user(&spec));
        if before != after || (after == ContainerUser::Image && spec.image != record.file.spec.image) {
            record.file.user = None;
        }
        record.set_spec(spec);
        record.save_for(Waiter::Keep(reply));
        self.publish();
    }
}
