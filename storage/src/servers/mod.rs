//! Game servers: their intended state, and their ports.

mod deletion;
mod ports;
mod queries;
pub(crate) mod record;

#[cfg(test)]
mod tests;

pub use deletion::{begin_deletion, delete, undo_deletion};
pub(crate) use ports::take as take_ports;
pub use ports::{next_free_port, port_owner, ports_by_node};
pub use queries::{
    Placed, count_by_node, get, get_many, insert, list, list_by_node, placed_on, set_handed_over_many, update,
};
pub use record::{Behaviour, ContainerUser, Deletion, Limits, Port, Protocol, Server, StartupMode, Stop};
