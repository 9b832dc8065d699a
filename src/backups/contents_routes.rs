//! `/api/servers/{id}/backups/{backup}`: what is in a backup, and whether it is any good.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Backups;
use super::views::BackupView;
use crate::auth::{Permit, ServerAdmin, need};
use crate::files::{DownloadView, EntryView, Format};
use crate::http::header::{HeaderMap, HeaderName, HeaderValue};
use crate::http::{GET, POST, Route, endpoint};

/// How many entries a folder has.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

pub(super) fn routes(backups: &Backups) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/backups/{backup}/files")
            .access::<Permit<need::Backups>>()
            .doc("A page of a folder in a backup by name, in the order of bytes; the header X-Total-Count says how many entries it has")
            .query::<ContentsQuery>()
            .list::<EntryView>()
            .with_headers()
            .refusals(&[400, 404, 409, 422, 503])
            .handle(backups, |backups, call| async move {
                let ContentsQuery { path, after, limit } = call.query;
                let backup = call.request.param("backup");
                let (entries, total) = backups.contents(&call.by, backup, &path, after, limit).await?;
                Ok((entries, HeaderMap::from_iter([(TOTAL, HeaderValue::from(total))])))
            }),
        endpoint(POST, "/api/servers/{id}/backups/{backup}/restore")
            .access::<Permit<need::Backups>>()
            .doc("Puts the files of a backup in the place of the server's, which must not run; with `paths` only these, and it may run. Its present files are backed up before")
            .optional_body::<RestoreBackup>()
            .accepted::<BackupView>()
            .refusals(&[409, 422, 503, 507])
            .handle(backups, |backups, call| async move {
                let paths = call.body.and_then(|body| body.paths);
                backups.restore(&call.by, call.request.param("backup"), paths).await
            }),
        endpoint(POST, "/api/servers/{id}/backups/{backup}/restore-as")
            .access::<ServerAdmin>()
            .doc("Makes a new server with the settings of this one and the files of the backup. It is there when its files are; it is not started")
            .body::<RestoreAs>()
            .accepted::<BackupView>()
            .refusals(&[404, 409, 503, 507])
            .handle(backups, |backups, call| async move {
                let RestoreAs { name, node_id } = call.body;
                let (server, backup) = (call.request.param("id").into(), call.request.param("backup"));
                backups.restore_as(&call.by, &server, backup, &name, node_id.map(Into::into)).await
            }),
        endpoint(POST, "/api/servers/{id}/backups/{backup}/downloads")
            .access::<Permit<need::Backups>>()
            .doc("A link to an archive of a backup, or of files and folders in it. It is good once, for a minute")
            .secret()
            .body::<DownloadBackup>()
            .created::<DownloadView>()
            .refusals(&[404, 409, 429, 503])
            .handle(backups, |backups, call| async move {
                let DownloadBackup { paths, format } = call.body;
                backups.download(&call.by, call.request.param("backup"), &paths, format).await
            }),
        endpoint(POST, "/api/servers/{id}/backups/{backup}/test")
            .access::<Permit<need::Backups>>()
            .doc("Starts the game from a copy of the backup, in a container that nobody reaches, to see whether it comes up; both are removed afterwards")
            .accepted::<BackupView>()
            .refusals(&[404, 409, 503, 507])
            .handle(backups, |backups, call| async move {
                backups.test(&call.by, call.request.param("backup")).await
            }),
    ]
}

/// A folder in a backup, or a part of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ContentsQuery {
    /// The folder; `/` is the server's.
    #[param(example = "/")]
    path: String,
    /// Only what comes after this name.
    #[serde(default)]
    after: Option<String>,
    /// So many entries at most, from 1 to 2,000; 500 where absent.
    #[serde(default)]
    limit: Option<u32>,
}

/// What of a backup is restored.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RestoreBackup {
    /// Files and folders; all of them where absent.
    #[serde(default)]
    paths: Option<Vec<String>>,
}

/// A server that is made of a backup.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RestoreAs {
    /// What people call it.
    pub(super) name: String,
    /// The node on which it is made; the backup's where absent.
    #[serde(default)]
    pub(super) node_id: Option<String>,
}

/// What of a backup is downloaded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DownloadBackup {
    /// Files and folders; all of them where there is none.
    #[serde(default)]
    paths: Vec<String>,
    /// The format of the archive; ZIP where absent.
    #[serde(default)]
    format: Option<Format>,
}
