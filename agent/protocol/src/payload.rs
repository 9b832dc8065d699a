//! Limits for the payloads of messages to an agent. A value that would change its meaning when cut is rejected. Each
//! implementation is next to its type and names every field, so that a new field does not compile without a limit.

use ids::ServerId;
use std::collections::BTreeMap;

/// Maximum bytes of an id, a token or a version.
pub(super) const WORD: usize = 256;
/// Maximum bytes of an image reference.
pub(super) const IMAGE: usize = 1024;
/// Maximum bytes of a path.
pub(super) const PATH: usize = 4096;
/// Maximum bytes of a startup line, a command or a ready line.
pub(super) const LINE: usize = 32 * 1024;
/// Maximum number of a server's environment variables, and maximum bytes of all names and values.
const VARIABLES: usize = 1_000;
const ENVIRONMENT: usize = 256 * 1024;
/// Maximum number of a server's ports.
const PORTS: usize = 512;

/// The payload of a message to an agent.
pub(super) trait Payload {
    /// Enforces the limits.
    ///
    /// # Errors
    /// What is too large, if cutting it would change its meaning.
    fn bound(&mut self) -> Result<(), String>;

    /// The server that the message is about; `None` if it is about the machine.
    fn server_id(&self) -> Option<&ServerId>;
}

impl<T: Payload> Payload for Box<T> {
    fn bound(&mut self) -> Result<(), String> {
        (**self).bound()
    }

    fn server_id(&self) -> Option<&ServerId> {
        (**self).server_id()
    }
}

/// Checks the length of a server's id. Its validity is checked where it is used.
pub(super) fn id(server_id: &ServerId) -> Result<(), String> {
    within("serverId", server_id, WORD)
}

/// Checks that a text has at most `most` bytes.
pub(super) fn within(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.len() > most {
        return Err(format!("{what} has more than {most} bytes"));
    }
    if text.contains('\0') {
        return Err(format!("{what} holds a NUL"));
    }
    Ok(())
}

/// Like [`within`], for an optional text.
pub(super) fn some(what: &str, text: Option<&str>, most: usize) -> Result<(), String> {
    text.map_or(Ok(()), |text| within(what, text, most))
}

/// Checks that a list has at most `most` entries.
pub(super) fn few(what: &str, count: usize, most: usize) -> Result<(), String> {
    if count > most {
        return Err(format!("{what} has more than {most} entries"));
    }
    Ok(())
}

/// Checks a server's environment variables.
pub(super) fn environment(variables: &BTreeMap<String, String>) -> Result<(), String> {
    few("environment", variables.len(), VARIABLES)?;
    let mut bytes = 0;
    for (name, value) in variables {
        within("the name of a variable", name, WORD)?;
        within("a variable", value, ENVIRONMENT)?;
        bytes += name.len() + value.len();
    }
    if bytes > ENVIRONMENT {
        return Err(format!("environment has more than {ENVIRONMENT} bytes"));
    }
    Ok(())
}

/// Checks the number of ports.
pub(super) fn ports(count: usize) -> Result<(), String> {
    few("ports", count, PORTS)
}
