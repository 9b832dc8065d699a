//! `backups:{server}`: the backups of a server, all of them whenever something of one has changed.

use protocol::ServerId;
use storage::backups::PANEL;

use super::Backups;
use crate::auth::{Access, Permission};
use crate::error::ApiError;
use crate::live::{Feed, Follower, News, Topic, data};

/// All topics of this feature.
pub fn topics(backups: &Backups) -> Vec<Box<dyn Topic>> {
    vec![Box::new(BackupList(backups.clone())), Box::new(PanelList(backups.clone()))]
}

struct BackupList(Backups);

impl Topic for BackupList {
    fn name(&self) -> &'static str {
        "backups:{server}"
    }

    fn access(&self) -> Access {
        Access::Server(Permission::Backups)
    }

    fn follow(&self, _follower: &Follower, id: &str) -> Result<Box<dyn Feed>, ApiError> {
        let feed = ListFeed {
            name: format!("backups:{id}"),
            backups: self.0.clone(),
            server_id: id.into(),
            seen: None,
        };
        Ok(Box::new(feed))
    }
}

/// `panel-backups`: those of the panel itself.
struct PanelList(Backups);

impl Topic for PanelList {
    fn name(&self) -> &'static str {
        "panel-backups"
    }

    fn access(&self) -> Access {
        Access::Admin
    }

    fn follow(&self, _follower: &Follower, _id: &str) -> Result<Box<dyn Feed>, ApiError> {
        let feed = ListFeed {
            name: "panel-backups".to_owned(),
            backups: self.0.clone(),
            server_id: PANEL.into(),
            seen: None,
        };
        Ok(Box::new(feed))
    }
}

struct ListFeed {
    name: String,
    backups: Backups,
    server_id: ServerId,
    /// The state that was sent last.
    seen: Option<u64>,
}

impl Feed for ListFeed {
    fn next(&mut self) -> News<'_> {
        let now = self.backups.tracker.revision(&self.server_id);
        if self.seen == Some(now) {
            return News::Nothing;
        }
        match self.backups.list_of(&self.server_id) {
            Ok(all) => {
                self.seen = Some(now);
                News::Frame(data(&self.name, all))
            }
            Err(error) => {
                tracing::warn!(%error, "the live backups could not be read");
                News::Nothing
            }
        }
    }
}
