//! The process is killed, and recovers at the next start.

mod db_backups;
mod kill9;
mod refuse;
