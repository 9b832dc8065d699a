//! The interface to the operating system: clock, log, private files, service manager, shutdown.

pub mod clock;
pub mod ids;
pub mod logging;
pub mod private_files;
pub mod service;
pub mod shutdown;
pub mod upgrade_verification;
