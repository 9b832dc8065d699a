//! Codes: words that programs act by. What the other side says beyond these lists stays as it was said, so that it can be
//! shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::lenient;
use super::text::TextRule;

/// Makes an enum of words, with one variant for all others.
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
            /// None of these: as it was said.
            Other(String),
        }

        impl $name {
            /// The word on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }

            /// The code of this word, where it is one of the list.
            fn known(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Brings a word of the other side within its bounds. One of the list is within them.
            pub(super) fn bound(&mut self) {
                if let Self::Other(word) = self {
                    TextRule::WORD.apply(word);
                    // It is what it looks like when it is clean.
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
    /// Why a request was refused or failed. Most of them are the API's too.
    ErrorCode {
        /// The server starts already.
        AlreadyStarting = "already_starting",
        /// The server runs already.
        AlreadyRunning = "already_running",
        /// The server stops already.
        AlreadyStopping = "already_stopping",
        /// The server does not run.
        NotRunning = "not_running",
        /// The server's image is being fetched.
        Installing = "installing",
        /// There is no install to cancel.
        NotInstalling = "not_installing",
        /// The server may not start.
        Suspended = "suspended",
        /// The server is paused, and has to be resumed first.
        Paused = "paused",
        /// The server is not paused.
        NotPaused = "not_paused",
        /// There is no such server, file or folder.
        NotFound = "not_found",
        /// It does not fit what is there.
        Conflict = "conflict",
        /// Another program holds a port of the server.
        PortInUse = "port_in_use",
        /// The container engine does not answer.
        EngineUnavailable = "engine_unavailable",
        /// What was asked for is not valid.
        Invalid = "invalid",
        /// The disk is full.
        DiskFull = "disk_full",
        /// Too much is under way; trying again may help.
        Busy = "busy",
        /// The agent itself may not do that.
        Forbidden = "forbidden",
        /// The agent cannot do that.
        NotSupported = "not_supported",
        /// A path leads out of the server's folder.
        PathEscape = "path_escape",
        /// Not a plain file.
        NotRegular = "not_regular",
        /// Not a text in UTF-8.
        NotText = "not_text",
        /// A file is too large to edit. The word is of the protocol's first part.
        FileTooLarge = "FILE_TOO_LARGE",
        /// A file could not be read or written.
        File = "file",
        /// A file is not what it was when it was looked at.
        Changed = "changed",
        /// Something has this name already.
        Exists = "exists",
        /// An archive becomes more than there is room for, or than is taken.
        ArchiveTooLarge = "archive_too_large",
        /// An archive that cannot be read.
        BadArchive = "bad_archive",
        /// The server's disk limit leaves no room for it.
        OverQuota = "over_quota",
        /// A connection for data broke off.
        BrokenOff = "broken_off",
        /// A message of a type that this side does not take.
        UnknownType = "UNKNOWN_TYPE",
        /// A message that could not be read.
        BadMessage = "BAD_MESSAGE",
        /// A legacy agent failed, for whatever reason.
        HandlerError = "HANDLER_ERROR",
        /// An agent failed, and its message is for people already: cleaned, with nothing of the agent's inside. Never
        /// sent.
        AgentFailed = "agent_failed",
    }
}

codes! {
    /// What is wrong with a machine.
    ProblemCode {
        /// The container engine does not answer.
        EngineUnavailable = "engine_unavailable",
        /// The container engine is too old.
        EngineOld = "engine_old",
        /// The agent is in a container, and the host has no place for its servers' folders: it takes no servers.
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
        /// Nothing holds memory limits.
        MemoryLimitOff = "memory_limit_off",
        /// Nothing holds CPU limits.
        CpuLimitOff = "cpu_limit_off",
        /// Nothing holds limits of processes.
        PidsLimitOff = "pids_limit_off",
        /// The clock cannot be right.
        ClockWrong = "clock_wrong",
        /// Found by the panel: the clocks of agent and panel differ.
        ClockSkew = "clock_skew",
        /// Found by the panel: two machines call themselves the same node.
        TwoMachines = "two_machines",
        /// Found by the panel: a legacy agent, which cannot do everything.
        LimitedAgent = "limited_agent",
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Other implementations say numbers, or nothing.
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
