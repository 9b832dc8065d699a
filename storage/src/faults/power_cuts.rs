//! Power is lost at every operation in turn. Answered writes must be kept; others must be kept whole or not at all.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{empty, expected, start};
use crate::open::check::check;
use crate::testing::{Fault, SimDisk, dump, long, read, workload};
use crate::verify::verify;

/// Opens the store, runs the workload up to the first failure and closes it. Returns how many steps were answered with
/// success, and whether everything worked.
fn run(disk: &SimDisk, steps: u16) -> (usize, bool) {
    let Ok(store) = start(disk) else { return (0, false) };
    let mut answered = 0;
    for step in workload(steps) {
        if store.write_blocking(step).is_err() {
            return (answered, false);
        }
        answered += 1;
    }
    (answered, true)
}

#[test]
fn nothing_answered_is_lost_and_nothing_is_torn() {
    let (steps, rounds) = if long() { (24, 12) } else { (6, 1) };
    let empty = empty();
    let expected = expected(&empty, steps);
    let mut cuts = 0;
    for round in 0..rounds {
        let mut op = 1;
        loop {
            let mut random = StdRng::seed_from_u64(round << 32 | op);
            let disk = SimDisk::new(empty.clone());
            disk.fail_at(op, Fault::PowerCut);
            let (answered, _) = run(&disk, steps);
            if disk.ops() < op {
                break;
            }
            cuts += 1;

            // Sometimes the power is lost again during recovery.
            let mut disk = SimDisk::new(disk.after_power_cut(&mut random));
            for _ in 0..random.random_range(0..3) {
                disk.fail_at(random.random_range(1..8), Fault::PowerCut);
                drop(start(&disk));
                disk = SimDisk::new(disk.after_power_cut(&mut random));
            }

            check(&disk).unwrap_or_else(|e| panic!("cut at operation {op}, round {round}: {e}"));
            let store = start(&disk).unwrap();
            let found = read(&store, dump);
            let whole = expected[answered..].iter().take(2).any(|state| *state == found);
            assert!(whole, "cut at operation {op}, round {round}: {answered} steps were answered: {found:?}");
            assert_eq!(read(&store, verify), Vec::<String>::new());
            op += 1;
        }
    }
    assert!(cuts > 50, "{cuts} cuts only");
}

#[test]
fn the_simulation_loses_what_was_not_synced() {
    use redb::StorageBackend as _;
    let disk = SimDisk::new(vec![0; 64 * 512]);
    disk.write(0, &[1; 512]).unwrap();
    disk.sync_data().unwrap();
    disk.write(0, &vec![2; 64 * 512]).unwrap();
    let bytes = disk.after_power_cut(&mut StdRng::seed_from_u64(1));
    let kept = bytes.chunks(512).filter(|sector| sector[0] == 2).count();
    assert!((10..54).contains(&kept), "{kept} of 64 sectors");
    assert!(bytes[0] == 1 || bytes[0] == 2);
}
