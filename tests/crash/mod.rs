//! The process ends without a word, and what it finds when it comes back.

mod db_backups;
mod kill9;
mod refuse;
