//! What the operating system gives a program, and wants of it: clock, log, private files, service manager, shutdown.

pub mod clock;
pub mod ids;
pub mod logging;
pub mod private_files;
pub mod service;
pub mod shutdown;
pub mod upgrade_verification;
