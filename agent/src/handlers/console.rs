//! Console messages: subscribe, or read once.

use protocol::{ConsoleLines, ConsoleSubscribe, ConsoleTail, ServerRef, ToPanel};

use super::parts::Parts;
use crate::console::ConsoleMark;
use crate::panel::reply_cache::Reply;

pub(super) fn console_subscribe(agent: &Parts, console: ConsoleSubscribe, reply: Reply) {
    let ConsoleSubscribe { server_id, after, last, partial } = console;
    let Some((handle, reply)) = agent.server(&server_id, reply) else { return };
    let mark = after.map(|after| ConsoleMark { after, last });
    agent.consoles.subscribe(&server_id, &handle, mark, partial);
    reply.ack(None);
}

pub(super) fn console_unsubscribe(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.consoles.unsubscribe(&server.server_id);
    reply.ack(None);
}

pub(super) fn console_tail(agent: &Parts, console: ConsoleTail, reply: Reply) {
    let ConsoleTail { server_id, tail } = console;
    let Some((handle, reply)) = agent.server(&server_id, reply) else { return };
    let (lines, partial) = handle.console.tail(usize::try_from(tail).unwrap_or(usize::MAX));
    reply.answer(ToPanel::ConsoleLines(ConsoleLines { server_id, lines, reset: false, partial }));
}
