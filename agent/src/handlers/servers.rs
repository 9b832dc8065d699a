//! Requests to one server.

use protocol::{
    PowerAction, ServerCommand, ServerCreate, ServerDescription, ServerPower, ServerRef, ServerReinstall,
    ServerUpdate, ToPanel,
};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;
use crate::server::Request;

pub(super) fn server_create(agent: &Parts, spec: Box<ServerCreate>, reply: Reply) {
    agent.servers.create(*spec, reply);
}

pub(super) fn server_update(agent: &Parts, update: Box<ServerUpdate>, reply: Reply) {
    let id = update.server_id.clone();
    agent.servers.with(&id, reply, move |server, reply| server.update(*update, reply));
}

pub(super) fn server_describe(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.servers.with(&server.server_id, reply, |server, reply| {
        let (spec, suspended) = server.settings();
        let description = ServerDescription { spec: spec.clone(), suspended };
        reply.answer(ToPanel::ServerDescription(Box::new(description)));
    });
}

pub(super) fn server_start(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.servers.ask(&server.server_id, Request::Power(PowerAction::Start), reply);
}

pub(super) fn server_stop(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.servers.ask(&server.server_id, Request::Power(PowerAction::Stop), reply);
}

pub(super) fn server_restart(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.servers.ask(&server.server_id, Request::Power(PowerAction::Restart), reply);
}

pub(super) fn server_power(agent: &Parts, power: ServerPower, reply: Reply) {
    agent.servers.ask(&power.server_id, Request::Power(power.action), reply);
}

pub(super) fn server_command(agent: &Parts, command: ServerCommand, reply: Reply) {
    agent.servers.ask(&command.server_id, Request::Command(command.command), reply);
}

pub(super) fn server_suspend(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.servers.ask(&server.server_id, Request::Suspend, reply);
}

pub(super) fn server_unsuspend(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.servers.ask(&server.server_id, Request::Unsuspend, reply);
}

pub(super) fn server_reinstall(agent: &Parts, server: ServerReinstall, reply: Reply) {
    agent.servers.ask(&server.server_id, Request::Reinstall { wipe: server.wipe }, reply);
}

pub(super) fn install_log(agent: &Parts, server: ServerRef, reply: Reply) {
    let Some((_, reply)) = agent.server(&server.server_id, reply) else { return };
    agent.files.install_log(server.server_id, reply);
}

pub(super) fn install_cancel(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.servers.ask(&server.server_id, Request::CancelInstall, reply);
}

pub(super) fn server_delete(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.consoles.unsubscribe(&server.server_id);
    agent.servers.ask(&server.server_id, Request::Delete, reply);
}
