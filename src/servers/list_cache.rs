//! The list of servers as JSON, kept for as long as nothing of what it was made from has changed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use crate::auth::Visible;

/// How many lists are kept; all administrators have one and the same.
const MOST: usize = 16;
/// Bytes of the longest list that is kept, some 250 servers: whoever has more pays for each call, not with memory.
const LONGEST: usize = 256 * 1024;

/// Counts the changes of all that a list is made from: the database (records, grants, roles), what agents tell, moves,
/// templates. A new source of a `ServerView` that lies in none of them needs a count here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) store: u64,
    pub(super) agents: u64,
    pub(super) moves: u64,
    pub(super) templates: u64,
}

/// Lists as JSON. Those of the newest versions only.
#[derive(Default)]
pub(super) struct ListCache(Mutex<Vec<Kept>>);

struct Kept {
    /// What its readers may see, and do there: by this it is found, whoever they are.
    visible: Visible,
    versions: Versions,
    /// When a part of it is too old, whatever changes.
    until: Option<Instant>,
    json: Bytes,
}

impl ListCache {
    /// The list of somebody who may see this, where it was made from these versions.
    pub(super) fn get(&self, visible: &Visible, versions: Versions, now: Instant) -> Option<Bytes> {
        let lists = self.lock();
        let kept = lists.iter().find(|kept| kept.versions == versions && kept.visible == *visible)?;
        kept.until.is_none_or(|until| now < until).then(|| kept.json.clone())
    }

    /// Keeps a list that was made from what `versions`, taken before, says or from something newer.
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
