//! Endpoints of `/api/setup/restore`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Setup;
use super::restore::State;
use crate::auth::Open;
use crate::backups::LocationBody;
use crate::backups::panel::restore::{Opened, RestoreError, panel_backups};
use crate::error::{ApiError, Code};
use crate::http::{POST, Route, endpoint};
use crate::system::clock::rfc3339;
use crate::users::client_origin;

/// Panel backups that are shown.
const SHOWN: usize = 200;
/// Bytes of a backup's id.
const ID: usize = 64;

/// All endpoints of restoring a panel onto a new one.
pub(super) fn routes(setup: &Setup) -> Vec<Route> {
    vec![
        endpoint(POST, "/api/setup/restore/look")
            .access::<Open>()
            .doc("Which panel backups there are at a place, for a new panel that is to become one of them")
            .secret()
            .body::<LookRequest>()
            .ok::<FoundView>()
            .refusals(&[401, 409, 429])
            .handle(setup, |setup, call| async move {
                let LookRequest { setup_token, location, password } = call.body;
                drop(setup.allows(setup_token.trim(), &client_origin(call.request.client())).await?);
                found(setup.restoration().look(location, password).await)
            }),
        endpoint(POST, "/api/setup/restore")
            .access::<Open>()
            .doc("Makes a new panel the panel of a backup, in the background; then the program starts again with it")
            .secret()
            .body::<RestoreRequest>()
            .no_content()
            .refusals(&[401, 409, 429])
            .handle(setup, |setup, call| async move {
                let RestoreRequest { setup_token, location, password, backup_id, servers } = call.body;
                let _held = setup.allows(setup_token.trim(), &client_origin(call.request.client())).await?;
                if backup_id.as_ref().is_some_and(|id| id.len() > ID) {
                    return Err(ApiError::field("backupId", "is no panel backup's id"));
                }
                setup.restoration().begin(location, password, backup_id, servers)
            }),
        endpoint(POST, "/api/setup/restore/progress")
            .access::<Open>()
            .doc("How far that is")
            .secret()
            .body::<ProgressRequest>()
            .ok::<ProgressView>()
            .refusals(&[401, 409, 429])
            .handle(setup, |setup, call| async move {
                let origin = client_origin(call.request.client());
                drop(setup.allows(call.body.setup_token.trim(), &origin).await?);
                Ok(ProgressView::from(setup.restoration().state()))
            }),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = SetupRestoreLook)]
struct LookRequest {
    /// From the link that the panel printed at its start, or from `DATA_DIR/setup-token`.
    setup_token: String,
    /// Where the backups lie.
    location: LocationBody,
    /// The repository's password, from the emergency kit.
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = SetupRestore)]
struct RestoreRequest {
    /// From the link that the panel printed at its start, or from `DATA_DIR/setup-token`.
    setup_token: String,
    /// Where the backups lie.
    location: LocationBody,
    /// The repository's password, from the emergency kit.
    password: String,
    /// Which panel backup; the newest when left out.
    backup_id: Option<String>,
    /// Whether the servers of that machine get their files back too.
    servers: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = SetupRestoreQuery)]
struct ProgressRequest {
    /// From the link that the panel printed at its start, or from `DATA_DIR/setup-token`.
    setup_token: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SetupRestoreFound)]
struct FoundView {
    /// The panel backups, newest first.
    backups: Vec<BackupFound>,
    /// The key of an SFTP server that nobody has confirmed: nothing but that was asked yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_key: Option<String>,
    /// What should be known of the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SetupRestoreBackup)]
struct BackupFound {
    /// Its id.
    id: String,
    /// When it was made.
    made_at: String,
    /// The machine on which it was made.
    host: String,
    /// Bytes of it, without servers.
    size: u64,
}

fn found(opened: Result<Opened, RestoreError>) -> Result<FoundView, ApiError> {
    match opened {
        Ok(opened) => {
            let of = |one: &agent::backups::worker::Found| BackupFound {
                id: one.backup_id.clone(),
                made_at: rfc3339(one.at),
                host: one.host.clone(),
                size: one.bytes,
            };
            let backups = panel_backups(&opened).into_iter().take(SHOWN).map(of).collect();
            Ok(FoundView { backups, host_key: None, warning: opened.warning })
        }
        Err(RestoreError::UnknownServer { host_key }) => {
            Ok(FoundView { backups: Vec::new(), host_key: Some(host_key), warning: None })
        }
        Err(error) => Err(ApiError::new(Code::Conflict, sentence(&error.to_string()))),
    }
}

/// Begins with a capital and ends with a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let rest = letters.as_str().trim_end_matches('.');
    format!("{first}{rest}.")
}

/// How far a restore is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SetupRestoreProgress)]
struct ProgressView {
    /// What goes on.
    status: RestoreStatus,
    /// The server whose files are fetched; absent for the panel itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    /// Which of the servers that is, from 1.
    number: usize,
    /// Of how many.
    count: usize,
    /// Bytes that are done.
    bytes: u64,
    /// Of how many; 0 where that is not known yet.
    total: u64,
    /// Why it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Servers whose files could not be restored, and why.
    missing: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SetupRestoreStatus)]
enum RestoreStatus {
    /// Nothing was asked for.
    Idle,
    /// It is under way.
    Running,
    /// It was not done; the panel is as it was.
    Failed,
    /// The program starts again as the restored panel.
    Done,
}

impl From<State> for ProgressView {
    fn from(state: State) -> Self {
        let mut view = Self {
            status: RestoreStatus::Idle,
            server: None,
            number: 0,
            count: 0,
            bytes: 0,
            total: 0,
            problem: None,
            missing: Vec::new(),
        };
        match state {
            State::Idle => {}
            State::Running(progress) => {
                view.status = RestoreStatus::Running;
                view.server = Some(progress.server).filter(|name| !name.is_empty());
                (view.number, view.count) = progress.number;
                (view.bytes, view.total) = progress.bytes;
            }
            State::Failed(problem) => {
                view.status = RestoreStatus::Failed;
                view.problem = Some(sentence(&problem));
            }
            State::Done(restored) => {
                view.status = RestoreStatus::Done;
                view.missing =
                    restored.missing.iter().map(|(server, why)| format!("{server}: {why}")).collect();
            }
        }
        view
    }
}
