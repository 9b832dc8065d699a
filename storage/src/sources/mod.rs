//! Sources of templates. They are few, so the list is one setting, and the contents of each source another, which
//! programs that do not know them leave alone.

pub(crate) mod record;

use crate::error::Result;
use crate::settings;
use crate::tx::{ReadTx, WriteTx};

pub use record::{Contents, Source};

const NAME: &str = "template_sources";

fn contents_of(id: &str) -> String {
    format!("template_source/{id}")
}

/// All sources, in the order they were added.
pub fn list(tx: &ReadTx) -> Result<Vec<Source>> {
    Ok(settings::get(tx, NAME)?.unwrap_or_default())
}

/// The source with this id.
pub fn get(tx: &ReadTx, id: &str) -> Result<Option<Source>> {
    Ok(list(tx)?.into_iter().find(|known| known.id == id))
}

/// The contents of a source.
pub fn contents(tx: &ReadTx, id: &str) -> Result<Option<Contents>> {
    settings::get(tx, &contents_of(id))
}

/// Adds a source with its contents.
pub fn insert(tx: &WriteTx, source: Source, contents: &Contents) -> Result<()> {
    settings::put(tx, &contents_of(&source.id), contents)?;
    let mut all = list(tx)?;
    all.push(source);
    settings::put(tx, NAME, &all)
}

/// Updates a source, and its contents if given. Returns `false` if it does not exist.
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

/// Deletes a source; returns whether it existed. Templates imported from it stay.
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
            states: Default::default(),
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
