//! Installation of the program, and its service.
//!
//! `install.sh` runs in disposable containers made of Debian's packages, with a separate network and without systemd,
//! some with a stand-in for OpenRC. `tests/images/roots` builds the root file systems, `stubs/` contains the stand-ins.
//! The same under a booted systemd is in `tests/service`.

mod broken;
mod engine;
mod https;
mod killed;
mod others;
mod place;
mod real;
mod refused;
pub(crate) mod release;
mod remove;
mod service;
mod simple;

pub(crate) use place::Place;
pub(crate) use release::Release;
