//! Sources of templates. They are few, so the list is one value among the settings, and the contents of each another: a
//! program that does not know them leaves them alone.

pub(crate) mod record;

use crate::error::Result;
use crate::settings;
use crate::tx::{ReadTx, WriteTx};

pub use record::{Contents, Source};

const NAME: &str = "template_sources";

fn contents_of(id: &str) -> String {
    format!("template_source/{id}")
}

/// All sources, in the order in which they were added.
pub fn list(tx: &ReadTx) -> Result<Vec<Source>> {
    Ok(settings::get(tx, NAME)?.unwrap_or_default())
}

/// The source with this id.
pub fn get(tx: &ReadTx, id: &str) -> Result<Option<Source>> {
    Ok(list(tx)?.into_iter().find(|known| known.id == id))
}

/// What a source lists.
pub fn contents(tx: &ReadTx, id: &str) -> Result<Option<Contents>> {
    settings::get(tx, &contents_of(id))
}

/// Adds a source with what it lists.
pub fn insert(tx: &WriteTx, source: Source, contents: &Contents) -> Result<()> {
    settings::put(tx, &contents_of(&source.id), contents)?;
    let mut all = list(tx)?;
    all.push(source);
    settings::put(tx, NAME, &all)
}

/// Changes a source, and what it lists where that is given. `false` where it is gone.
pub fn update(
    tx: &WriteTx,
    id: &str,
    contents: Option<&Contents>,
    change: impl FnOnce(&mut Source),
) -> Result<bool> {
    let mut all = list(tx)?;
    let Some(source) = all.iter_mut().find(|known| known.id == id) else { return Ok(false) };
    change(source);
    settings::put(tx, NAME, &all)?;
    if let Some(contents) = contents {
        settings::put(tx, &contents_of(id), contents)?;
    }
    Ok(true)
}

/// Deletes a source and tells whether it was there. Templates that were taken out of it stay.
pub fn delete(tx: &WriteTx, id: &str) -> Result<bool> {
    let mut all = list(tx)?;
    let before = all.len();
    all.retain(|known| known.id != id);
    settings::put(tx, NAME, &all)?;
    settings::delete(tx, &contents_of(id))?;
    Ok(all.len() < before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{read, store, write};

    #[test]
    fn a_source_goes_with_its_contents() {
        let (_dir, store) = store();
        let source = Source {
            id: "a".into(),
            url: "https://example.org/index.json".into(),
            kind: "index".into(),
            entries: 2,
            created_at: 1,
            fetched_at: 1,
            problem: None,
            tried_at: None,
            taken: Default::default(),
        };
        let contents = Contents { entries: "x".into(), files: String::new() };
        let (copy, listed) = (source.clone(), contents.clone());
        write(&store, move |tx| insert(tx, copy.clone(), &listed));
        assert!(write(&store, |tx| update(tx, "a", None, |source| source.problem = Some("404".into()))));
        assert!(!write(&store, |tx| update(tx, "b", None, |_| ())));
        let changed = Source { problem: Some("404".into()), ..source };
        assert_eq!(read(&store, list), [changed]);
        assert_eq!(read(&store, |tx| super::contents(tx, "a")), Some(contents));
        assert!(write(&store, |tx| delete(tx, "a")));
        assert!(!write(&store, |tx| delete(tx, "a")));
        assert_eq!(read(&store, |tx| super::contents(tx, "a")), None);
    }
}
