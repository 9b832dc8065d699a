//! Caches the list of servers as JSON until one of its sources changes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use crate::auth::Visible;

/// How many lists are cached. All administrators share one.
const MOST: usize = 16;
/// Longest list that is cached, in bytes: about 250 servers. Longer lists are built at each call instead of using
/// memory.
const LONGEST: usize = 256 * 1024;

/// Change counters of everything a list is built from: database (records, grants, roles), agents, transfers and
/// templates. A new source of `ServerView` outside of these needs a counter here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) store: u64,
    pub(super) agents: u64,
    pub(super) moves: u64,
    pub(super) templates: u64,
}

/// Cached lists, all built from the same versions.
#[derive(Default)]
pub(super) struct ListCache(Mutex<Vec<Kept>>);

struct Kept {
    /// What its readers may see and do; the key of the entry.
    visible: Visible,
    versions: Versions,
    /// When a part of it expires, even if nothing changes.
    until: Option<Instant>,
    json: Bytes,
}

impl ListCache {
    /// The list for this set of visible servers, if it is cached for these versions.
    pub(super) fn get(&self, visible: &Visible, versions: Versions, now: Instant) -> Option<Bytes> {
        let lists = self.lock();
        let kept = lists.iter().find(|kept| kept.versions == versions && kept.visible == *visible)?;
        kept.until.is_none_or(|until| now < until).then(|| kept.json.clone())
    }

    /// Caches a list. `versions` must have been taken before its data was read.
    pub(super) fn keep(&self, visible: Visible, versions: Versions, until: Option<Instant>, json: &Bytes) {
        let mut lists = self.lock();
        lists.retain(|kept| kept.versions == versions && kept.visible != visible);
        if json.len() <= LONGEST && lists.len() < MOST {
            lists.push(Kept { visible, versions, until, json: json.clone() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::auth::{Permission, Permissions};

    const FIRST: Versions = Versions { store: 1, agents: 1, moves: 1, templates: 1 };

    fn one(server: &str, permission: Permission) -> Visible {
        let granted = HashMap::from([(server.into(), Permissions::granted([permission]))]);
        Visible::Only(Arc::new(granted))
    }

    #[test]
    fn a_list_is_given_for_its_rights_its_versions_and_its_time() {
        let cache = ListCache::default();
        let (now, json) = (Instant::now(), Bytes::from_static(b"[1]"));
        let until = now + Duration::from_secs(30);
        let seen = one("a", Permission::View);
        cache.keep(seen.clone(), FIRST, Some(until), &json);
        assert_eq!(cache.get(&one("a", Permission::View), FIRST, now), Some(json));
        assert_eq!(cache.get(&seen, FIRST, until), None, "a sample in it is too old");
        for other in [Visible::All, one("a", Permission::Power), one("b", Permission::View)] {
            assert_eq!(cache.get(&other, FIRST, now), None, "other rights");
        }
        for newer in [
            Versions { store: 2, ..FIRST },
            Versions { agents: 2, ..FIRST },
            Versions { moves: 2, ..FIRST },
            Versions { templates: 2, ..FIRST },
        ] {
            assert_eq!(cache.get(&seen, newer, now), None);
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let cache = ListCache::default();
        let json = Bytes::from_static(b"[]");
        for n in 0..100 {
            cache.keep(one(&format!("{n}"), Permission::View), FIRST, None, &json);
        }
        assert_eq!(cache.lock().len(), MOST);
        cache.keep(Visible::All, Versions { store: 2, ..FIRST }, None, &json);
        assert_eq!(cache.lock().len(), 1, "those before are of no use any more");
        cache.keep(Visible::All, Versions { store: 3, ..FIRST }, None, &Bytes::from(vec![b' '; LONGEST + 1]));
        assert_eq!(cache.lock().len(), 0);
    }
}
