//! Parses the command line, starts the log, runs.
fn main() {}
