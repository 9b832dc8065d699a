//! Simulated faults: power cuts, disk errors, full disks, flipped bits.

mod disk_errors;
mod flipped_bits;
mod migrations;
mod power_cuts;

use crate::testing::{SimDisk, dump, read, workload};
use crate::{OpenError, Store, open, schema};

/// The bytes of an empty database.
fn empty() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap().close();
    std::fs::read(dir.path().join("panel.redb")).unwrap()
}

/// Opens the database on the disk.
fn start(disk: &SimDisk) -> Result<Store, OpenError> {
    let opened = open::open(disk, &schema::CURRENT)?;
    Store::start(Box::new(disk.clone()), opened, None)
}

/// The expected contents after zero, one, two … steps of the workload.
fn expected(empty: &[u8], steps: u16) -> Vec<Vec<String>> {
    let store = start(&SimDisk::new(empty.to_vec())).unwrap();
    let mut states = vec![read(&store, dump)];
    for step in workload(steps) {
        store.write_blocking(step).unwrap();
        states.push(read(&store, dump));
    }
    states
}
