//! Settings of the panel, by name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::tables::settings;
use crate::tx::{ReadTx, WriteTx};

/// The setting with this name. [`crate::Error::Corrupt`] if it exists and is not a `T`.
pub fn get<T: Serialize + DeserializeOwned + 'static>(tx: &ReadTx, name: &str) -> Result<Option<T>> {
    settings::<T>().get(tx, name)
}

/// Inserts or replaces a setting.
pub fn put<T: Serialize + DeserializeOwned + 'static>(tx: &WriteTx, name: &str, value: &T) -> Result<()> {
    settings::<T>().put(tx, name, value)
}

/// Deletes a setting; returns whether it existed.
pub fn delete(tx: &WriteTx, name: &str) -> Result<bool> {
    settings::<()>().remove(tx, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{read, store, write};
    use crate::{Error, meta, templates};

    #[test]
    fn settings_keep_their_type() {
        let (_dir, store) = store();
        write(&store, |tx| put(tx, "name", &"Home".to_owned()));
        write(&store, |tx| put(tx, "limit", &Some(5u32)));
        assert_eq!(read(&store, |tx| get::<String>(tx, "name")).as_deref(), Some("Home"));
        assert_eq!(read(&store, |tx| get::<Option<u32>>(tx, "limit")), Some(Some(5)));
        assert_eq!(read(&store, |tx| get::<String>(tx, "none")), None);
        let error = store.read_now(|tx| get::<u32>(tx, "name")).unwrap_err();
        assert!(
            matches!(&error, Error::Corrupt { table: "settings", key, .. } if key.contains("name")),
            "{error}"
        );
        assert!(write(&store, |tx| delete(tx, "name")));
        assert!(!write(&store, |tx| delete(tx, "name")));
    }

    #[test]
    fn the_first_account_is_made_once() {
        let (_dir, store) = store();
        assert_eq!(read(&store, meta::claimed_at), None);
        write(&store, |tx| meta::claim(tx, 7));
        assert!(matches!(store.write_blocking(|tx| meta::claim(tx, 8)), Err(Error::Taken { .. })));
        assert_eq!(read(&store, meta::claimed_at), Some(7));
        assert_eq!(read(&store, meta::schema), 2);
        assert_eq!(read(&store, meta::app_version).as_deref(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(read(&store, meta::instance), *store.instance());
    }

    #[test]
    fn templates_come_and_go() {
        let (_dir, store) = store();
        let template = templates::Template {
            id: "t".into(),
            name: "T".into(),
            body: "{\"a\":1}".into(),
            created_at: 3,
            updated_at: None,
        };
        let copy = template.clone();
        write(&store, move |tx| templates::insert(tx, &copy));
        let copy = template.clone();
        assert!(store.write_blocking(move |tx| templates::insert(tx, &copy)).is_err());
        assert_eq!(read(&store, |tx| templates::get(tx, "t")), Some(template.clone()));
        assert_eq!(read(&store, templates::list), [template]);
        assert!(write(&store, |tx| templates::delete(tx, "t")));
        assert_eq!(read(&store, |tx| templates::get(tx, "t")), None);
    }
}
