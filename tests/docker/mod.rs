//! Game servers with the real binary, a Docker engine and containers. Every test has its own panel and data folder, and
//! always removes its containers.

mod backup_adopt;
mod backup_checks;
mod backup_contents;
mod backup_folder;
mod backup_policy;
mod backup_targets;
mod backup_weekly_tests;
mod backup_worker;
mod backups;
mod broken_console;
pub(crate) mod clock;
mod console;
mod crashes;
mod deleting;
mod disk_full;
mod eggs;
mod endless_engine;
mod engine_away;
mod files;
mod flood;
pub(crate) mod game;
mod image_pull;
mod in_container;
mod join;
mod lan;
mod legacy;
mod life;
mod limits;
mod malicious_transfer;
mod nodes;
mod own_user;
mod panel_backups;
mod panel_restores;
mod players;
mod ports;
mod power;
mod proxy;
mod reach;
mod ready;
mod registry;
mod remote;
mod restart_of_panel;
mod schedules;
mod sftp;
mod sigterm;
mod stop;
mod transfers;
mod unfinished;
mod upgrades;
pub(crate) mod viewer;

use std::future::Future;

use tokio::task::JoinHandle;

/// Something that goes on beside the test and ends with its runtime.
#[allow(clippy::disallowed_methods, reason = "a test's own, ends with the test")]
pub(crate) fn beside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work)
}
