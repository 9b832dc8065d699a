//! The binary that the install script downloads.

use tokio::fs::File;

use super::Nodes;
use super::join::EnrollmentConfig;
use super::secrets::{self, SecretMatch};
use crate::auth::NodeSecret;
use crate::error::{ApiError, Code};
use crate::system::clock;
use crate::upgrades::binaries::ProgramError;
use crate::upgrades::sentence;

impl Nodes {
    /// Opens the binary for an architecture as `uname -m` prints it. Returns the file and its length in bytes. 401 if
    /// `secret` is not valid for the node, 404 if there is no binary for the architecture.
    pub async fn program(
        &self,
        joining: &EnrollmentConfig,
        node: &str,
        secret: &NodeSecret,
        arch: &str,
    ) -> Result<(File, u64), ApiError> {
        let wrong = || ApiError::new(Code::Unauthenticated, "The node's secret is wrong or missing.");
        let given = secret.0.as_deref().map(secrets::hash).ok_or_else(wrong)?;
        let known = self.store.read_now(|tx| storage::nodes::get(tx, node))?;
        if secrets::verify(known.as_ref(), None, &given, clock::now()) == SecretMatch::Wrong {
            return Err(wrong());
        }
        if arch.is_empty() {
            return Err(ApiError::field("arch", "is missing"));
        }
        let program = joining.programs.open(arch).await.map_err(|error| match error {
            ProgramError::Io(cause) => ApiError::internal("opening the program", &cause),
            other => ApiError::new(Code::NotFound, sentence(&other)),
        })?;
        Ok((File::from_std(program.file), program.length))
    }
}
