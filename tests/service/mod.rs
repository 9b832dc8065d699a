//! The program as a service: the guard by itself, and all of it under a systemd that has booted in a container. For OpenRC
//! there is a stand-in.

mod agent;
mod command;
mod guard;
mod guard_killed;
mod life;
mod openrc;
mod upgrade;
