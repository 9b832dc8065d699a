//! Errors of the API: a closed set of codes, and one table with the status of each.
//!
//! An [`ApiError`] is a value, not a rejection: handlers return it, `http::reply` turns it into JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// All error codes of the API. Scripts match on their names, so they are never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the words say it; the table below gives each its status")]
pub enum Code {
    BadJson,
    BadRequest,
    PathEscape,
    NotRegular,
    BlockedAddress,
    Unauthenticated,
    BadCredentials,
    BadSetupToken,
    TotpRequired,
    Forbidden,
    BadOrigin,
    NotFound,
    MethodNotAllowed,
    Conflict,
    PortInUse,
    Exists,
    AlreadySetUp,
    UsernameTaken,
    LastAdmin,
    AlreadyStarting,
    AlreadyRunning,
    AlreadyStopping,
    NotRunning,
    Installing,
    Suspended,
    Paused,
    NotPaused,
    PreconditionFailed,
    TooLarge,
    OverQuota,
    ArchiveTooLarge,
    UnsupportedMediaType,
    RangeNotSatisfiable,
    UnknownHost,
    Invalid,
    BadArchive,
    EulaRequired,
    UpgradeRequired,
    TooManyRequests,
    Internal,
    Busy,
    NodeOffline,
    NodeTimeout,
    EngineUnavailable,
    ReadOnly,
    DiskFull,
}

impl Code {
    /// All codes, in the order of their statuses.
    pub const ALL: &[Code] = &[
        Code::BadJson,
        Code::BadRequest,
        Code::PathEscape,
        Code::NotRegular,
        Code::BlockedAddress,
        Code::Unauthenticated,
        Code::BadCredentials,
        Code::BadSetupToken,
        Code::TotpRequired,
        Code::Forbidden,
        Code::BadOrigin,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::Conflict,
        Code::PortInUse,
        Code::Exists,
        Code::AlreadySetUp,
        Code::UsernameTaken,
        Code::LastAdmin,
        Code::AlreadyStarting,
        Code::AlreadyRunning,
        Code::AlreadyStopping,
        Code::NotRunning,
        Code::Installing,
        Code::Suspended,
        Code::Paused,
        Code::NotPaused,
        Code::PreconditionFailed,
        Code::TooLarge,
        Code::OverQuota,
        Code::ArchiveTooLarge,
        Code::UnsupportedMediaType,
        Code::RangeNotSatisfiable,
        Code::UnknownHost,
        Code::Invalid,
        Code::BadArchive,
        Code::EulaRequired,
        Code::UpgradeRequired,
        Code::TooManyRequests,
        Code::Internal,
        Code::Busy,
        Code::NodeOffline,
        Code::NodeTimeout,
        Code::EngineUnavailable,
        Code::ReadOnly,
        Code::DiskFull,
    ];

    /// The table: name and HTTP status of each code.
    const fn row(self) -> (&'static str, u16) {
        match self {
            Code::BadJson => ("bad_json", 400),
            Code::BadRequest => ("bad_request", 400),
            Code::PathEscape => ("path_escape", 400),
            Code::NotRegular => ("not_regular", 400),
            Code::BlockedAddress => ("blocked_address", 400),
            Code::Unauthenticated => ("unauthenticated", 401),
            Code::BadCredentials => ("bad_credentials", 401),
            Code::BadSetupToken => ("bad_setup_token", 401),
            Code::TotpRequired => ("totp_required", 401),
            Code::Forbidden => ("forbidden", 403),
            Code::BadOrigin => ("bad_origin", 403),
            Code::NotFound => ("not_found", 404),
            Code::MethodNotAllowed => ("method_not_allowed", 405),
            Code::Conflict => ("conflict", 409),
            Code::PortInUse => ("port_in_use", 409),
            Code::Exists => ("exists", 409),
            Code::AlreadySetUp => ("already_set_up", 409),
            Code::UsernameTaken => ("username_taken", 409),
            Code::LastAdmin => ("last_admin", 409),
            Code::AlreadyStarting => ("already_starting", 409),
            Code::AlreadyRunning => ("already_running", 409),
            Code::AlreadyStopping => ("already_stopping", 409),
            Code::NotRunning => ("not_running", 409),
            Code::Installing => ("installing", 409),
            Code::Suspended => ("suspended", 409),
            Code::Paused => ("paused", 409),
            Code::NotPaused => ("not_paused", 409),
            Code::PreconditionFailed => ("precondition_failed", 412),
            Code::TooLarge => ("too_large", 413),
            Code::OverQuota => ("over_quota", 413),
            Code::ArchiveTooLarge => ("archive_too_large", 413),
            Code::UnsupportedMediaType => ("unsupported_media_type", 415),
            Code::RangeNotSatisfiable => ("range_not_satisfiable", 416),
            Code::UnknownHost => ("unknown_host", 421),
            Code::Invalid => ("invalid", 422),
            Code::BadArchive => ("bad_archive", 422),
            Code::EulaRequired => ("eula_required", 422),
            Code::UpgradeRequired => ("upgrade_required", 426),
            Code::TooManyRequests => ("too_many_requests", 429),
            Code::Internal => ("internal", 500),
            Code::Busy => ("busy", 503),
            Code::NodeOffline => ("node_offline", 503),
            Code::NodeTimeout => ("node_timeout", 503),
            Code::EngineUnavailable => ("engine_unavailable", 503),
            Code::ReadOnly => ("read_only", 503),
            Code::DiskFull => ("disk_full", 507),
        }
    }

    /// The name in the answer.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.row().1
    }
}

/// An error as the caller sees it. Contains nothing that the caller may not read.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    code: Code,
    message: String,
    fields: BTreeMap<String, String>,
    retry_after: Option<u64>,
}

impl ApiError {
    /// An error with a message for the user, one sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fields: BTreeMap::new(), retry_after: None }
    }

    /// 404: it does not exist, or the caller may not know that it does.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// 422 with one invalid value, named by the path of its key ("limits.memory").
    pub fn field(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::fields(BTreeMap::from([(path.into(), problem.into())]))
    }

    /// 422 with all invalid values.
    pub fn fields(fields: BTreeMap<String, String>) -> Self {
        let message = match fields.iter().next() {
            Some((path, problem)) if fields.len() == 1 && !path.is_empty() => format!("{path} {problem}."),
            Some((_, problem)) if fields.len() == 1 => format!("The body {problem}."),
            _ => "Some values are not acceptable.".to_owned(),
        };
        Self { fields, ..Self::new(Code::Invalid, message) }
    }

    /// 500. Logs the cause; the caller gets an id to look it up by. No other place logs it.
    pub fn internal(doing: &str, cause: &dyn std::error::Error) -> Self {
        let id = crate::system::ids::random(8);
        tracing::error!(log_id = %id, cause = %Chain(cause), "{doing} failed");
        Self::new(Code::Internal, format!("Something went wrong inside. The log has it under {id}."))
    }

    /// Sets the seconds after which to retry.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Adds an error for a key to any error (`eula_required`, `port_in_use`).
    #[must_use]
    pub fn with_field(mut self, path: impl Into<String>, problem: impl Into<String>) -> Self {
        self.fields.insert(path.into(), problem.into());
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The errors by key.
    pub fn problems(&self) -> &BTreeMap<String, String> {
        &self.fields
    }

    /// Seconds for `Retry-After`.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after
    }

    /// The JSON body.
    pub fn body(&self) -> ErrorBody<'_> {
        ErrorBody {
            error: ErrorDetail { code: self.code.as_str(), message: &self.message, fields: &self.fields },
        }
    }
}

/// Refusals of the store have a code of their own; its failures are logged here.
impl From<storage::Error> for ApiError {
    fn from(cause: storage::Error) -> Self {
        use storage::Error;
        match &cause {
            Error::Taken { what: "the user name" } => {
                Self::new(Code::UsernameTaken, "This name is taken.").with_field("username", "is taken")
            }
            Error::Taken { what: "the first account" } => {
                Self::new(Code::AlreadySetUp, "This panel has its first account already.")
            }
            Error::Taken { what } => {
                Self::new(Code::Conflict, format!("Another one has this already: {what}."))
            }
            Error::NotFound { what } => Self::not_found(what),
            Error::PortTaken { port, protocol, name, server, .. } => Self::new(
                Code::PortInUse,
                format!("Port {port}/{protocol} belongs to the server \"{name}\" ({server})."),
            ),
            Error::NodeInUse { count } => Self::new(
                Code::Conflict,
                format!("Servers are placed on this node ({count}): move or delete them first."),
            ),
            Error::LastAdmin => {
                Self::new(Code::LastAdmin, "This is the last administrator: make another one first.")
            }
            Error::DiskFull => Self::new(Code::DiskFull, "The disk that holds the panel's data is full."),
            Error::ReadOnly { reason } => {
                Self::new(Code::ReadOnly, format!("Nothing can be changed at the moment: {reason}."))
                    .retry_after(2)
            }
            Error::Closed => Self::new(Code::Busy, "The panel is stopping.").retry_after(5),
            _ => Self::internal("using the database", &cause),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for ApiError {}

/// `{"error": …}`, the body of every answer that is not 2xx.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

/// The content of an error; live topics send it alone.
#[derive(Debug, Serialize)]
pub struct ErrorDetail<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: &'a BTreeMap<String, String>,
}

/// An error and its causes in one line, for the log.
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut said = self.0.to_string();
        let mut source = self.0.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // thiserror enums often repeat their source's message; print it once.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_their_statuses_are_errors() {
        let mut words: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn body_has_fields_only_where_there_are_some() {
        let plain = serde_json::to_string(&ApiError::not_found("server").body()).unwrap();
        assert_eq!(plain, r#"{"error":{"code":"not_found","message":"There is no such server."}}"#);
        let field = ApiError::field("limits.memory", "must be at least 16777216");
        assert_eq!(
            serde_json::to_string(&field.body()).unwrap(),
            r#"{"error":{"code":"invalid","message":"limits.memory must be at least 16777216.","fields":{"limits.memory":"must be at least 16777216"}}}"#
        );
    }

    #[test]
    fn internal_tells_nothing_of_the_cause() {
        let cause = std::io::Error::other("secret path /root/x");
        let error = ApiError::internal("reading the list", &cause);
        assert!(!error.message().contains("secret"));
        assert_eq!(error.code().status(), 500);
    }
}
