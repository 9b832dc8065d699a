//! The topic `status`: status of the panel.

use super::Status;
use crate::auth::Access;
use crate::error::ApiError;
use crate::live::{Feed, Follower, Frame, News, Topic, data};

const NAME: &str = "status";

/// All topics of this feature.
pub fn topics(status: &Status) -> Vec<Box<dyn Topic>> {
    vec![Box::new(PanelStatus(status.clone()))]
}

struct PanelStatus(Status);

impl Topic for PanelStatus {
    fn name(&self) -> &'static str {
        NAME
    }

    fn access(&self) -> Access {
        Access::SignedIn
    }

    fn follow(&self, follower: &Follower, _id: &str) -> Result<Box<dyn Feed>, ApiError> {
        Ok(Box::new(StatusFeed { status: self.0.clone(), admin: follower.actor.is_admin(), sent: None }))
    }
}

struct StatusFeed {
    status: Status,
    /// Whether the subscriber receives the problems.
    admin: bool,
    sent: Option<Frame>,
}

impl Feed for StatusFeed {
    fn next(&mut self) -> News<'_> {
        let now = data(NAME, self.status.view(self.admin));
        if self.sent.as_ref() == Some(&now) {
            return News::Nothing;
        }
        self.sent = Some(now.clone());
        News::Frame(now)
    }

    fn access_changed(&mut self, follower: &Follower) -> Vec<Frame> {
        self.admin = follower.actor.is_admin();
        Vec::new()
    }
}
