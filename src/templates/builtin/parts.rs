//! What templates are put together from.

use storage::servers::{Port, Protocol};

use crate::templates::template::{Memory, Variable};

/// A plain Debian with `curl`, `tar` and `unzip`, made to run any program as any user in `/home/container`.
/// <https://github.com/pelican-eggs/yolks> (oses/debian)
pub(super) const DEBIAN: &str = "ghcr.io/parkervcp/yolks:debian";

pub(super) const MIB: i64 = 1 << 20;

pub(super) fn memory(minimum_mib: i64, recommended_mib: i64) -> Memory {
    Memory { minimum: minimum_mib * MIB, recommended: recommended_mib * MIB }
}

pub(super) fn tcp(number: u16) -> Port {
    Port { internal: number, external: number, protocol: Protocol::Tcp }
}

pub(super) fn udp(number: u16) -> Port {
    Port { internal: number, external: number, protocol: Protocol::Udp }
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// One that everybody may see and change.
pub(super) fn variable(env: &str, default: &str, rules: &str, name: &str, description: &str) -> Variable {
    Variable {
        name: name.into(),
        description: description.into(),
        env_variable: env.into(),
        default_value: default.into(),
        user_viewable: true,
        user_editable: true,
        secret: false,
        rules: rules.into(),
    }
}

/// A password: everybody may change it, and only those who configure the server may read it.
pub(super) fn password(env: &str, rules: &str, description: &str) -> Variable {
    Variable { secret: true, ..variable(env, "", rules, "Password", description) }
}

/// One that makes the template what it is.
pub(super) fn fixed(env: &str, value: &str, name: &str) -> Variable {
    // `present`: it is set even where its value is empty.
    Variable {
        user_viewable: false,
        user_editable: false,
        ..variable(env, value, "present|string", name, "")
    }
}
