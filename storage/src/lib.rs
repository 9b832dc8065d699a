//! The panel's database.
//!
//! One [`Store`] holds the file. A use case is one closure: [`Store::read`] for a consistent snapshot, [`Store::write`]
//! for a change that is kept entirely or not at all, and is on the disk when the call returns. The queries are plain
//! functions of the transaction, in one module per feature.
//!
//! redb and MessagePack are used in this crate only.

/// Milliseconds since 1970-01-01 UTC.
pub type Millis = i64;

mod backend;
mod cache;
mod error;
mod handle;
mod migrations;
mod open;
mod overlay;
mod schema;
mod store;
mod table;
mod tables;
mod tx;
mod verify;
mod writer;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod testing;

pub mod backups;
pub mod db_backups;
pub mod grants;
pub mod meta;
pub mod nodes;
pub mod registries;
pub mod schedules;
pub mod servers;
pub mod sessions;
pub mod settings;
pub mod shares;
pub mod sources;
pub mod ssh_keys;
pub mod templates;
pub mod transfers;
pub mod users;

pub use cache::Cache;
pub use error::{Error, Result};
pub use handle::Health;
pub use open::OpenError;
pub use store::Store;
pub use tx::{ReadTx, WriteTx};
pub use verify::verify;
