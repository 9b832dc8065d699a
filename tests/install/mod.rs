//! What brings the program to a machine and keeps it there.

mod guard;
mod openrc;
mod service;
mod service_agent;
mod service_upgrade;
