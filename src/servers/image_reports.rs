//! Caches answers of registries, because they limit the number of requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::{HostReport, NodeId};

/// How long an answer is valid.
const FRESH: Duration = Duration::from_secs(60);
/// How many answers are cached.
const MOST: usize = 64;

/// Recent answers by node and image. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct ImageReports(Arc<Mutex<HashMap<(NodeId, String), Kept>>>);

struct Kept {
    at: Instant,
    /// Revision of the database: a login added since may solve a problem, so a report with one is only valid at the
    /// same revision.
    revision: u64,
    report: HostReport,
}

impl Kept {
    fn counts(&self, revision: u64) -> bool {
        let problem = self.report.image.as_ref().is_some_and(|image| image.problem.is_some());
        self.at.elapsed() < FRESH && (!problem || self.revision == revision)
    }
}

impl ImageReports {
    pub(super) fn get(&self, key: &(NodeId, String), revision: u64) -> Option<HostReport> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|kept| kept.counts(revision)).map(|kept| kept.report.clone())
    }

    pub(super) fn keep(&self, key: (NodeId, String), revision: u64, report: HostReport) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, kept| kept.counts(revision));
        if known.len() < MOST {
            known.insert(key, Kept { at: Instant::now(), revision, report });
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::ImageReport;

    use super::*;

    #[test]
    fn answers_are_kept_within_bounds() {
        let reports = ImageReports::default();
        let key = |number: usize| (NodeId::from("n"), format!("i{number}"));
        for number in 0..200 {
            reports.keep(key(number), 1, HostReport { image_present: true, ..HostReport::default() });
        }
        assert!(reports.get(&key(1), 2).is_some_and(|report| report.image_present));
        assert_eq!(reports.0.lock().unwrap().len(), MOST);
        let reports = ImageReports::default();
        let problem = Some(ImageReport { problem: Some("no login".into()), ..ImageReport::default() });
        reports.keep(key(1), 1, HostReport { image: problem, ..HostReport::default() });
        assert!(reports.get(&key(1), 1).is_some() && reports.get(&key(1), 2).is_none());
    }
}
