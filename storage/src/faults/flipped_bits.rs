//! Flips single bits of a closed file. Each such file must be refused or show unchanged contents.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{empty, start};
use crate::testing::{SimDisk, dump, long, read, workload};
use crate::{OpenError, schema};

/// A file with some data, as left by a clean stop and as left by a kill, and its contents.
fn files(steps: u16) -> (Vec<u8>, Vec<u8>, Vec<String>) {
    let disk = SimDisk::new(empty());
    let store = start(&disk).unwrap();
    for step in workload(steps) {
        store.write_blocking(step).unwrap();
    }
    let contents = read(&store, dump);
    let killed = disk.bytes();
    store.close();
    (disk.bytes(), killed, contents)
}

/// Whether the file is refused. Panics if it opens with other contents, or if opening it changed it.
fn refused(bytes: &[u8], contents: &[String], what: &str) -> bool {
    let disk = SimDisk::new(bytes.to_vec());
    match crate::open::open(&disk, &schema::CURRENT) {
        Ok(opened) => {
            let store = crate::Store::start(Box::new(disk), opened, None).unwrap();
            assert_eq!(read(&store, dump), contents, "{what}: silently wrong");
            false
        }
        Err(error) => {
            assert!(disk.bytes() == bytes, "{what}: refused ({error}), and changed");
            let known = matches!(
                error,
                OpenError::Corrupt { .. }
                    | OpenError::Truncated { .. }
                    | OpenError::NotADatabase { .. }
                    | OpenError::OldFormat { .. }
                    | OpenError::NewerSchema { .. }
            );
            assert!(known, "{what}: {error}");
            true
        }
    }
}

fn flip_many(bytes: &[u8], contents: &[String]) {
    assert!(!refused(bytes, contents, "nothing flipped"));
    let mut random = StdRng::seed_from_u64(42);
    let flips = if long() { 20_000 } else { 1_000 };
    let mut noticed = 0;
    for _ in 0..flips {
        let (at, bit) = (random.random_range(0..bytes.len()), random.random_range(0..8));
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << bit;
        noticed += usize::from(refused(&flipped, contents, &format!("bit {bit} of byte {at}")));
    }
    assert!(noticed > flips / 10, "{noticed} of {flips} noticed: the file has next to no data");
}

fn flip_header(bytes: &[u8], contents: &[String], but: Option<usize>) {
    for bit in (0..320 * 8).filter(|bit| Some(*bit) != but) {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused(&flipped, contents, &format!("bit {} of byte {}", bit % 8, bit / 8));
    }
}

#[test]
fn no_flipped_bit_of_a_closed_file_goes_unnoticed() {
    let (closed, _, contents) = files(40);
    flip_many(&closed, &contents);
    flip_header(&closed, &contents, None);
}

#[test]
fn no_flipped_bit_after_a_kill_goes_unnoticed() {
    let (_, killed, contents) = files(40);
    flip_many(&killed, &contents);
    // One bit selects which of the last two commits is current. Only a clean stop makes the two equal; before that, a
    // pointer to the older one is also what a power cut during a commit leaves.
    flip_header(&killed, &contents, Some(9 * 8));
}
