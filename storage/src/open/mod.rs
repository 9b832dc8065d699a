//! Opening a database without ever making things worse.

mod error;

pub use error::OpenError;
