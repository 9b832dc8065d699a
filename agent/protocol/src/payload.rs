//! The bounds of what a message to an agent carries. What would mean something else when it is cut is refused. Each
//! implementation stands beside its type and names every field, so that a new field does not compile without a bound.

use ids::ServerId;
use std::collections::BTreeMap;

/// Bytes of an id, a token, a version.
pub(super) const WORD: usize = 256;
/// Bytes of an image's reference.
pub(super) const IMAGE: usize = 1024;
/// Bytes of a path.
pub(super) const PATH: usize = 4096;
/// Bytes of a startup line, of a command, of a ready line.
pub(super) const LINE: usize = 32 * 1024;
/// Environment variables of a server, and bytes of all of them.
const VARIABLES: usize = 1_000;
const ENVIRONMENT: usize = 256 * 1024;
/// Ports of a server.
const PORTS: usize = 512;

/// What a message to an agent carries.
pub(super) trait Payload {
    /// Brings it within its bounds.
    ///
    /// # Errors
    /// What is too much, where cutting it would change what is meant.
    fn bound(&mut self) -> Result<(), String>;

    /// The server that the message is about; none where it is about the machine.
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

/// A server's id. Whether it is a valid one is checked where it is used.
pub(super) fn id(server_id: &ServerId) -> Result<(), String> {
    within("serverId", server_id, WORD)
}

/// A text of at most so many bytes.
pub(super) fn within(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.len() > most {
        return Err(format!("{what} has more than {most} bytes"));
    }
    if text.contains('\0') {
        return Err(format!("{what} holds a NUL"));
    }
    Ok(())
}

/// The same for a text that may be absent.
pub(super) fn some(what: &str, text: Option<&str>, most: usize) -> Result<(), String> {
    text.map_or(Ok(()), |text| within(what, text, most))
}

/// A list of at most so many entries.
pub(super) fn few(what: &str, count: usize, most: usize) -> Result<(), String> {
    if count > most {
        return Err(format!("{what} has more than {most} entries"));
    }
    Ok(())
}

/// A server's environment variables.
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

/// A list of ports.
pub(super) fn ports(count: usize) -> Result<(), String> {
    few("ports", count, PORTS)
}
