//! What brings the program to a machine and keeps it there.
//!
//! `install.sh` runs for real in throw-away roots made of Debian's packages: containers with a network of their own and
//! without systemd, some with a stand-in for OpenRC. `tests/images/roots` makes the roots, `stubs/` has what stands in. The same under a booted systemd
//! is in `tests/service`.

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
