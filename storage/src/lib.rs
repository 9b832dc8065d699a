//! The panel's database.
