//! The HTTP contract, call by call, against the real binary.

mod agents_port;
mod bodies;
mod crowds;
mod doctor;
mod elders;
mod fake_node;
mod hostile;
mod join;
mod link;
mod live;
mod node_differences;
mod node_secrets;
mod nodes;
mod openapi;
mod placement;
mod ports;
mod rights;
mod servers;
mod session;
mod setup;
mod slow;
mod templates;
mod tls;
pub(crate) mod upgrades;
mod users;
mod web;
mod who_may_call;
