//! This node's part of the transfer of a server.

use protocol::{ServerRef, TransferPrepare, TransferReceive, TransferSend};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn transfer_measure(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.transfers.measure(server.server_id, reply);
}

pub(super) fn transfer_prepare(agent: &Parts, transfer: TransferPrepare, reply: Reply) {
    agent.transfers.prepare(transfer, reply);
}

pub(super) fn transfer_send(agent: &Parts, transfer: TransferSend, reply: Reply) {
    agent.transfers.send(transfer, reply);
}

pub(super) fn transfer_receive(agent: &Parts, transfer: TransferReceive, reply: Reply) {
    agent.transfers.receive(transfer, reply);
}

pub(super) fn transfer_discard(agent: &Parts, server: ServerRef, reply: Reply) {
    agent.transfers.discard(server.server_id, reply);
}
