//! The program as a service: the guard by itself, and all of it under a systemd that has booted in a container, and under
//! an OpenRC.

mod agent;
mod command;
mod command_killed;
mod guard;
mod guard_killed;
mod installed;
mod life;
mod newer;
mod openrc;
mod upgrade;
