//! Power is lost at every operation of a migration: afterwards the file has either the old schema or the new one.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{empty, start};
use crate::migrations::Migration;
use crate::schema::{CURRENT, Schema};
use crate::testing::{Fault, SimDisk, read, workload};
use crate::{Error, OpenError, Result, Store, WriteTx, meta, open, settings, users};

const NEXT: Schema = Schema {
    number: CURRENT.number + 2,
    migrations: &[
        Migration { to: CURRENT.number + 1, what: "names become shouted", run: shout },
        Migration { to: CURRENT.number + 2, what: "a mark", run: mark },
    ],
};

const FAILING: Schema = Schema {
    number: CURRENT.number + 2,
    migrations: &[
        Migration { to: CURRENT.number + 1, what: "names become shouted", run: shout },
        Migration { to: CURRENT.number + 2, what: "fails", run: fail },
    ],
};

fn shout(tx: &WriteTx) -> Result<()> {
    for mut user in users::list(tx)? {
        user.username = user.username.to_uppercase();
        users::update(tx, &user)?;
    }
    Ok(())
}

fn mark(tx: &WriteTx) -> Result<()> {
    settings::put(tx, "mark", &true)
}

fn fail(_: &WriteTx) -> Result<()> {
    Err(Error::NotFound { what: "way" })
}

fn filled() -> Vec<u8> {
    let disk = SimDisk::new(empty());
    let store = start(&disk).unwrap();
    for step in workload(6) {
        store.write_blocking(step).unwrap();
    }
    store.close();
    disk.bytes()
}

/// The schema of the file, after checking that the whole file follows it.
fn schema_of(disk: &SimDisk) -> u32 {
    let opened = open::open(disk, &CURRENT);
    let number = match opened {
        Ok(_) => CURRENT.number,
        Err(OpenError::NewerSchema { file, known, .. }) => {
            assert_eq!(known, CURRENT.number);
            file
        }
        Err(other) => panic!("{other}"),
    };
    let opened = open::open(disk, &Schema { number, migrations: &[] });
    let store = Store::start(Box::new(disk.clone()), opened.unwrap(), None).unwrap();
    let new = number == NEXT.number;
    assert_eq!(read(&store, meta::schema), number);
    assert!(read(&store, users::list).iter().all(|user| user.username.starts_with("NAME") == new));
    assert_eq!(read(&store, |tx| settings::get::<bool>(tx, "mark")), new.then_some(true));
    number
}

#[test]
fn all_steps_and_the_number_are_one() {
    let disk = SimDisk::new(filled());
    drop(open::open(&disk, &NEXT).unwrap());
    assert_eq!(disk.copies(), [CURRENT.number]);
    assert_eq!(schema_of(&disk), NEXT.number);
    drop(open::open(&disk, &NEXT).unwrap());
    assert_eq!(disk.copies().len(), 1, "copied again with nothing to do");
}

#[test]
fn a_step_that_fails_leaves_the_old_schema() {
    let disk = SimDisk::new(filled());
    let error = open::open(&disk, &FAILING).map(drop).unwrap_err();
    let (old, new) = (CURRENT.number, FAILING.number);
    let told = matches!(error, OpenError::MigrationFailed { from, to, .. } if (from, to) == (old, new));
    assert!(told, "{error}");
    assert_eq!(error.exit_code(), 70);
    assert_eq!(schema_of(&disk), CURRENT.number);
}

#[test]
fn a_missing_step_is_noticed() {
    let disk = SimDisk::new(filled());
    let (old, new) = (CURRENT.number, CURRENT.number + 1);
    let error = open::open(&disk, &Schema { number: new, migrations: &[] }).map(drop).unwrap_err();
    assert!(error.to_string().contains(&format!("no way leads from {old} to {new}")), "{error}");
}

#[test]
fn a_power_cut_leaves_the_old_schema_or_the_new_one() {
    let filled = filled();
    let (mut old, mut new) = (0, 0);
    for op in 1.. {
        let disk = SimDisk::new(filled.clone());
        disk.fail_at(op, Fault::PowerCut);
        drop(open::open(&disk, &NEXT));
        if disk.ops() < op {
            break;
        }
        for seed in 0..4 {
            let mut random = StdRng::seed_from_u64(op << 8 | seed);
            let number = schema_of(&SimDisk::new(disk.after_power_cut(&mut random)));
            assert!(number == CURRENT.number || number == NEXT.number, "{number}");
            *if number == NEXT.number { &mut new } else { &mut old } += 1;
        }
    }
    assert!(old > 0 && new > 0, "{old} old, {new} new");
}
