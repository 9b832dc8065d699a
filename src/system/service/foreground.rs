//! `service run`: what the service runs, with its settings, where there is nobody to start it.

use std::os::unix::process::CommandExt;

use super::answers::{answers, program};
use super::error::ServiceError;
use super::layout::{Choice, Layout};

/// Becomes the panel or the agent. Returns only where it does not: with what to do, where it runs here already.
///
/// # Errors
/// The program is not there.
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
