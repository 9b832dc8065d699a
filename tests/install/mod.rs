//! What brings the program to a machine and keeps it there.

mod guard;
