//! Topics of servers for live connections.

mod console;
mod list;
mod stats;

use super::Servers;
use crate::live::Topic;

/// All topics of this feature.
pub fn topics(servers: &Servers) -> Vec<Box<dyn Topic>> {
    vec![
        Box::new(list::ServerList(servers.clone())),
        Box::new(stats::ServerStats(servers.clone())),
        Box::new(console::Console(servers.clone())),
    ]
}
