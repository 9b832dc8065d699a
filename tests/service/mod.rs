//! The program as a service: the guard alone, and the whole service under systemd, booted in a container, and under
//! OpenRC.

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
