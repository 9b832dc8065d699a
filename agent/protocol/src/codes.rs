//! Codes for programs. Unknown codes of the other side are kept as received, so that they can be shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::lenient;
use super::text::TextRule;

/// Defines an enum of codes, with one variant for unknown ones.
macro_rules! codes {
    (
        $(#[$about:meta])*
        $name:ident {
            $($(#[$doc:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// An unknown code, as received.
            Other(String),
        }

        impl $name {
            /// The code on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }

            /// The variant of a known code.
            fn known(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Enforces the limits of a received code. Known ones are within them.
            pub(super) fn bound(&mut self) {
                if let Self::Other(word) = self {
                    TextRule::WORD.apply(word);
                    // Cleaning may have turned it into a known code.
                    if let Some(known) = Self::known(word) {
                        *self = known;
                    }
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                Self::known(word).unwrap_or_else(|| Self::Other(word.to_owned()))
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::known(&word).unwrap_or(Self::Other(word))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Other(String::new())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }
    };
}

codes! {
    /// Why a request was refused or failed. Most of these are also codes of the API.
    ErrorCode {
        /// The server is already starting.
        AlreadyStarting = "already_starting",
        /// The server is already running.
        AlreadyRunning = "already_running",
        /// The server is already stopping.
        AlreadyStopping = "already_stopping",
        /// The server is not running.
        NotRunning = "not_running",
        /// The server is being installed.
        Installing = "installing",
        /// There is no installation to cancel.
        NotInstalling = "not_installing",
        /// The server is suspended.
        Suspended = "suspended",
        /// The server is paused and must be resumed first.
        Paused = "paused",
        /// The server is not paused.
        NotPaused = "not_paused",
        /// There is no such server, file or folder.
        NotFound = "not_found",
        /// It conflicts with the current state.
        Conflict = "conflict",
        /// Another program uses a port of the server.
        PortInUse = "port_in_use",
        /// The container engine does not answer.
        EngineUnavailable = "engine_unavailable",
        /// The request is invalid.
        Invalid = "invalid",
        /// The disk is full.
        DiskFull = "disk_full",
        /// Too much is in progress; a retry may succeed.
        Busy = "busy",
        /// The agent lacks the permission.
        Forbidden = "forbidden",
        /// The agent does not support that.
        NotSupported = "not_supported",
        /// A path leads out of the server's folder.
        PathEscape = "path_escape",
        /// Not a regular file.
        NotRegular = "not_regular",
        /// Not a UTF-8 text.
        NotText = "not_text",
        /// A file is too large to edit. A code of the legacy protocol.
        FileTooLarge = "FILE_TOO_LARGE",
        /// A file could not be read or written.
        File = "file",
        /// A file has changed since it was read.
        Changed = "changed",
        /// The name already exists.
        Exists = "exists",
        /// An archive's content exceeds the free space or the limit.
        ArchiveTooLarge = "archive_too_large",
        /// An archive that cannot be read.
        BadArchive = "bad_archive",
        /// It would exceed the server's disk limit.
        OverQuota = "over_quota",
        /// A stream was interrupted.
        BrokenOff = "broken_off",
        /// A message of an unsupported type.
        UnknownType = "UNKNOWN_TYPE",
        /// A message that could not be decoded.
        BadMessage = "BAD_MESSAGE",
        /// A legacy agent failed, for any reason.
        HandlerError = "HANDLER_ERROR",
        /// An agent failed, and its message is already fit for users: cleaned and without internal details. Never sent.
        AgentFailed = "agent_failed",
    }
}

codes! {
    /// A problem of a machine.
    ProblemCode {
        /// The container engine does not answer.
        EngineUnavailable = "engine_unavailable",
        /// The container engine is too old.
        EngineOld = "engine_old",
        /// The agent is in a container, and its servers' folders are not on the host: it accepts no servers.
        NoHostPath = "no_host_path",
        /// The kernel is too old.
        KernelOld = "kernel_old",
        /// The voltage is too low.
        PowerLow = "power_low",
        /// The disk is mounted read-only.
        DiskReadOnly = "disk_read_only",
        /// The disk is full.
        DiskFull = "disk_full",
        /// The disk is almost full.
        DiskLow = "disk_low",
        /// Memory is almost used up.
        MemoryLow = "memory_low",
        /// Memory limits are not enforced.
        MemoryLimitOff = "memory_limit_off",
        /// CPU limits are not enforced.
        CpuLimitOff = "cpu_limit_off",
        /// Limits of the number of processes are not enforced.
        PidsLimitOff = "pids_limit_off",
        /// The clock is wrong.
        ClockWrong = "clock_wrong",
        /// Found by the panel: the clocks of agent and panel differ.
        ClockSkew = "clock_skew",
        /// Found by the panel: two machines use the same node id.
        TwoMachines = "two_machines",
        /// Found by the panel: a legacy agent, which does not support everything.
        LimitedAgent = "limited_agent",
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Other implementations send numbers, or nothing.
        lenient::text::<_, String>(from).map(Self::from)
    }
}

impl<'de> Deserialize<'de> for ProblemCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_stays_as_it_was_said() {
        let read = |json: &str| serde_json::from_str::<ErrorCode>(json).unwrap();
        assert_eq!(read(r#""not_found""#), ErrorCode::NotFound);
        assert_eq!(read(r#""STATUS_FAILED""#), ErrorCode::Other("STATUS_FAILED".into()));
        assert_eq!((read("5").as_str(), read("null")), ("5", ErrorCode::default()));
        for code in [ErrorCode::FileTooLarge, ErrorCode::Other("x".into())] {
            assert_eq!(read(&serde_json::to_string(&code).unwrap()), code);
        }
        let mut dressed = ErrorCode::from("\u{1b}[1mbusy");
        dressed.bound();
        assert_eq!(dressed, ErrorCode::Busy, "what it looks like is what it is");
    }
}
