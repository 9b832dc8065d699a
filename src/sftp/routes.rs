//! `/api/servers/{id}/sftp`.

use serde::Serialize;
use utoipa::ToSchema;

use super::Sftp;
use crate::auth::{Permit, need};
use crate::http::{GET, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(sftp: &Sftp) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/sftp")
            .access::<Permit<need::FilesRead>>()
            .doc("How one reaches the server's files by SFTP")
            .ok::<SftpView>()
            .handle(sftp, |sftp, call| async move {
                let account = call.by.actor().person().map(|person| person.username().to_owned());
                Ok(sftp.view(&account.unwrap_or_default(), call.by.server_id()))
            }),
    ]
}

/// How one reaches the server's files by SFTP.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SftpAccess)]
struct SftpView {
    /// On the machine of the panel, whatever node the server is on; absent where SFTP is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// Whom to sign in as: the account alone has a folder for each of its servers.
    username: String,
    /// `SHA256:…` of the panel's key, which a client shows when it connects for the first time.
    fingerprint: String,
}

impl Sftp {
    fn view(&self, account: &str, server: &protocol::ServerId) -> SftpView {
        SftpView {
            port: self.0.port,
            username: format!("{account}.{server}"),
            fingerprint: self.0.fingerprint.clone(),
        }
    }
}
