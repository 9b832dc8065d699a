//! `files:{server}`: the jobs on a server's files.

use std::sync::Arc;

use protocol::ServerId;
use serde::Serialize;
use tokio::sync::Notify;

use super::Files;
use super::job_table::JobTable;
use super::views::JobView;
use crate::auth::{Access, Permission};
use crate::error::ApiError;
use crate::live::{Feed, Follower, News, Topic, data};

/// All topics of this feature.
pub fn topics(files: &Files) -> Vec<Box<dyn Topic>> {
    vec![Box::new(FileJobs(files.job_table().clone()))]
}

struct FileJobs(JobTable);

impl Topic for FileJobs {
    fn name(&self) -> &'static str {
        "files:{server}"
    }

    fn access(&self) -> Access {
        Access::Server(Permission::FilesRead)
    }

    fn wakes(&self) -> bool {
        true
    }

    fn follow(&self, follower: &Follower, id: &str) -> Result<Box<dyn Feed>, ApiError> {
        let (table, server_id, wake) = (self.0.clone(), ServerId::from(id), Arc::clone(&follower.wake));
        table.follow(&server_id, Arc::clone(&wake));
        Ok(Box::new(JobFeed { name: format!("files:{id}"), table, server_id, wake, seen: None }))
    }
}

struct JobFeed {
    name: String,
    table: JobTable,
    server_id: ServerId,
    wake: Arc<Notify>,
    seen: Option<u64>,
}

#[derive(Serialize)]
struct Jobs {
    jobs: Vec<JobView>,
}

impl Feed for JobFeed {
    fn next(&mut self) -> News<'_> {
        match self.table.news(&self.server_id, &mut self.seen) {
            Some(jobs) => News::Frame(data(&self.name, Jobs { jobs })),
            None => News::Nothing,
        }
    }
}

impl Drop for JobFeed {
    fn drop(&mut self) {
        self.table.unfollow(&self.server_id, &self.wake);
    }
}
