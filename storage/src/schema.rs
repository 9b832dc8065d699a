//! The schema number, the initial contents of a new database, and migrations from older ones.

use rand::RngExt;

use crate::Millis;
use crate::error::{Error, Result};
use crate::meta::{self, Instance};
use crate::migrations::{MIGRATIONS, Migration};
use crate::tables;
use crate::tx::WriteTx;

/// A schema version and the migrations that lead to it.
pub(crate) struct Schema {
    /// The schema number; files with a higher one are refused.
    pub(crate) number: u32,
    /// The steps that lead to it, oldest first.
    pub(crate) migrations: &'static [Migration],
}

/// The schema that this program reads and writes.
pub(crate) const CURRENT: Schema = Schema { number: 2, migrations: MIGRATIONS };

impl Schema {
    /// Fills a new, empty database.
    pub(crate) fn create(&self, tx: &WriteTx, instance: &Instance) -> Result<()> {
        tables::create_all(tx)?;
        meta::set_instance(tx, instance)?;
        meta::set_schema(tx, self.number)
    }

    /// Performs all missing migrations and records the new number; must be committed together.
    pub(crate) fn migrate(&self, tx: &WriteTx, from: u32) -> Result<()> {
        let mut at = from;
        for step in self.migrations.iter().filter(|step| step.to > from) {
            tracing::info!(to = step.to, what = step.what, "changing the database's schema");
            (step.run)(tx)?;
            at = step.to;
        }
        if at != self.number {
            return Err(Error::corrupt(
                "meta",
                "schema",
                format_args!("no way leads from {from} to {}", self.number),
            ));
        }
        meta::set_schema(tx, self.number)
    }
}

/// Creates the identity of a new installation.
pub(crate) fn new_instance(now: Millis) -> Instance {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    let id = (0..20).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect();
    Instance { id, created_at: now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_lead_from_the_first_schema_to_the_present_one() {
        let steps: Vec<u32> = std::iter::once(1).chain(MIGRATIONS.iter().map(|step| step.to)).collect();
        assert!(steps.is_sorted_by(|a, b| a < b), "{steps:?}");
        assert_eq!(steps.last(), Some(&CURRENT.number));
    }

    #[test]
    fn installations_differ() {
        let (a, b) = (new_instance(1), new_instance(1));
        assert!(a.id != b.id && a.id.len() == 20);
    }
}
