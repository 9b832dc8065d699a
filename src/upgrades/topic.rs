//! `upgrade`: available upgrades and their progress.

use super::Upgrades;
use crate::auth::Access;
use crate::error::ApiError;
use crate::live::{Feed, Follower, Frame, News, Topic, data};

const NAME: &str = "upgrade";

/// All topics of this feature.
pub fn topics(upgrades: &Upgrades) -> Vec<Box<dyn Topic>> {
    vec![Box::new(Upgrade(upgrades.clone()))]
}

struct Upgrade(Upgrades);

impl Topic for Upgrade {
    fn name(&self) -> &'static str {
        NAME
    }

    fn access(&self) -> Access {
        Access::Admin
    }

    fn follow(&self, _follower: &Follower, _id: &str) -> Result<Box<dyn Feed>, ApiError> {
        Ok(Box::new(UpgradeFeed { upgrades: self.0.clone(), number: None, sent: None }))
    }
}

struct UpgradeFeed {
    upgrades: Upgrades,
    /// [`Upgrades::number`] at the last check.
    number: Option<(u64, u64)>,
    sent: Option<Frame>,
}

impl Feed for UpgradeFeed {
    fn next(&mut self) -> News<'_> {
        let number = self.upgrades.number();
        if self.number.replace(number) == Some(number) {
            return News::Nothing;
        }
        match self.upgrades.view() {
            Ok(view) => {
                let now = data(NAME, view);
                if self.sent.as_ref() == Some(&now) {
                    return News::Nothing;
                }
                self.sent = Some(now.clone());
                News::Frame(now)
            }
            Err(error) => {
                tracing::warn!(%error, "the upgrades could not be read");
                News::Nothing
            }
        }
    }
}
