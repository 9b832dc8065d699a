//! `service run`: runs what the service would run, with its settings, on a machine without a service manager.

use std::os::unix::process::CommandExt;

use super::answers::{answers, program};
use super::error::ServiceError;
use super::layout::{Choice, Layout};

/// Replaces this process with the panel or the agent. Returns only if it is already running here, with what to do.
///
/// # Errors
/// The program does not exist.
pub fn run(choice: &Choice) -> Result<String, ServiceError> {
    let layout = Layout::new(choice)?;
    let what = layout.what();
    if answers(&layout) {
        return Ok(format!(
            "{what} runs here already: end it with Ctrl-C where it was started, then run this again to start the new one.\n"
        ));
    }
    let binary = layout.binary();
    let error = program(&layout)
        .arg(if layout.agent { "agent" } else { "serve" })
        .stdin(std::process::Stdio::inherit())
        .exec();
    Err(ServiceError::file("run", binary)(error))
}
