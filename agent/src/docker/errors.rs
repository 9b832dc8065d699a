//! Turns engine errors into helpful messages.

use bollard::errors::Error;

use crate::runtime::{EngineError, Fault};

/// Converts an error of the client library.
pub(super) fn failed(action: &str, error: &Error) -> EngineError {
    match error {
        Error::DockerResponseServerError { status_code, message } => answered(action, *status_code, message),
        Error::DockerStreamError { error } => answered(action, 500, error),
        Error::RequestTimeoutError => {
            EngineError::new(Fault::Away, action, "the engine did not answer in time")
        }
        Error::SocketNotFoundError(path) => {
            EngineError::new(Fault::Away, action, format!("there is no {path}"))
        }
        Error::IOError { err } => EngineError::new(Fault::Away, action, err.to_string()),
        Error::HyperResponseError { .. } => EngineError::new(Fault::Away, action, innermost(error)),
        other => EngineError::new(Fault::Refused, action, other.to_string()),
    }
}

/// The innermost cause; "client error (Connect)" alone is useless.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// Converts an error response.
pub(super) fn answered(action: &str, status: u16, message: &str) -> EngineError {
    let message = message.trim();
    let fault = if message.contains("no space left on device") || message.contains("disk quota exceeded") {
        Fault::DiskFull
    } else {
        match status {
            404 => Fault::Missing,
            409 => Fault::Conflict,
            _ => Fault::Refused,
        }
    };
    EngineError::new(fault, action, message)
}

/// The message for a container that did not start.
pub(super) fn start_failed(message: &str) -> String {
    let port = |marker: &str| {
        let before = message.split(marker).next()?;
        let port = before.rsplit(':').next()?.trim().split(' ').next()?;
        port.parse::<u16>().ok()
    };
    if message.contains("port is already allocated") {
        return match port(" failed: port is already allocated") {
            Some(port) => format!("Port {port} is in use by another container."),
            None => "One of its ports is in use by another container.".into(),
        };
    }
    if message.contains("address already in use") {
        return "One of its ports is in use by another program on this machine.".into();
    }
    if message.contains("executable file not found") || message.contains("no such file or directory: unknown")
    {
        return format!(
            "The image has no program for this startup line ({}).",
            tail(message).trim_end_matches(": unknown")
        );
    }
    if message.contains("permission denied: unknown") {
        return "The startup program may not be executed by the user that the server runs as.".into();
    }
    if message.contains("exec format error") {
        return "The image is made for another kind of processor.".into();
    }
    tail(message).to_owned()
}

/// The message for an image that could not be pulled.
pub(super) fn pull_failed(image: &str, message: &str) -> String {
    let lower = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["no space left"]) {
        return format!("The disk is full: there is no room for the image {image}.");
    }
    if has(&[
        "manifest unknown",
        "not found",
        "pull access denied",
        "repository does not exist",
        "name unknown",
    ]) {
        return format!("There is no image {image}, or it is not public.");
    }
    if has(&["unauthorized", "authentication required", "no basic auth", "forbidden", "denied"]) {
        return format!("The image {image} needs a login that this node does not have.");
    }
    if has(&["toomanyrequests", "rate limit", "429"]) {
        return format!("The registry lets us fetch no more for now ({image}). Try again later.");
    }
    if has(&["no matching manifest", "no match for platform", "does not match the specified platform"]) {
        return format!("The image {image} is not made for this machine's processor.");
    }
    if has(&["invalid reference format", "invalid repository name", "repository name must be lowercase"]) {
        return format!("{image:?} is not the name of an image.");
    }
    if has(&[
        "no such host",
        "dial tcp",
        "i/o timeout",
        "connection refused",
        "tls",
        "timeout",
        "eof",
        "lookup ",
    ]) {
        return format!("The registry of {image} cannot be reached: {message}");
    }
    format!("The image {image} could not be fetched: {message}")
}

/// The last part of a nested OCI error, which has the cause.
fn tail(message: &str) -> &str {
    match message.find("exec: ") {
        Some(at) => &message[at..],
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_refusals() {
        let fault = |status, message| answered("x", status, message).fault;
        assert_eq!(fault(404, "No such image: a"), Fault::Missing);
        assert_eq!(fault(409, "Conflict. The container name is in use"), Fault::Conflict);
        assert_eq!(fault(500, "write /x: no space left on device"), Fault::DiskFull);
        assert_eq!(fault(400, "bad"), Fault::Refused);
    }

    #[test]
    fn starts_in_plain_words() {
        let message = "driver failed programming external connectivity on endpoint x (y): Bind for 0.0.0.0:25565 \
                       failed: port is already allocated";
        assert_eq!(start_failed(message), "Port 25565 is in use by another container.");
        let message = "driver failed programming external connectivity on endpoint x: Error starting userland \
                       proxy: listen tcp4 0.0.0.0:80: bind: address already in use";
        assert!(start_failed(message).contains("in use by another program"));
        let message = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start \
                       container process: exec: \"nope\": executable file not found in $PATH: unknown";
        assert!(start_failed(message).contains("\"nope\""), "{}", start_failed(message));
        assert_eq!(start_failed("something else"), "something else");
    }

    #[test]
    fn fetches_in_plain_words() {
        let says = |message: &str| pull_failed("a/b:1", message);
        assert!(says("manifest for a/b:1 not found: manifest unknown").contains("There is no image a/b:1"));
        assert!(says("pull access denied for a/b").contains("not public"));
        assert!(says("toomanyrequests: You have reached your pull rate limit").contains("Try again later"));
        assert!(says("no matching manifest for linux/arm/v7").contains("processor"));
        assert!(
            says("Get \"https://r/v2/\": dial tcp: lookup r: no such host").contains("cannot be reached")
        );
        assert!(says("write /x: no space left on device").contains("full"));
        assert!(says("invalid reference format").contains("not the name"));
    }
}
