//! Ports whose number the game is told, by `SERVER_PORT` or by a variable of its own. Such a game listens inside where it is
//! reached outside: what it says of itself to a list of servers, or to its players, is then true.

use std::collections::{BTreeMap, BTreeSet};

use ::templates::model::Template as Native;
use storage::servers::Port;

use super::draft::{Draft, Ports};

/// By the number that the template has: the variable that tells the game, none for `SERVER_PORT`.
type Told<'n> = BTreeMap<u16, Option<&'n str>>;

fn told<'n>(native: &'n Native, wanted: &[Port]) -> Told<'n> {
    let of = |port: &'n ::templates::model::Port| {
        let variable = port.variable.as_deref();
        match (port.number, variable) {
            (Some(number), Some(_)) => Some((number, variable)),
            // Any number is good: the template's first port stands for it.
            (None, None) => Some((wanted.first()?.internal, None)),
            _ => None,
        }
    };
    native.ports.iter().filter_map(of).collect()
}

/// Moves the inside of such ports along with the outside. Ports that would get in the way of a fixed one stay.
pub(super) fn follow(draft: &Draft, ports: Vec<Port>) -> Vec<Port> {
    let (Some(native), Ports::NextFree(wanted)) = (&draft.native, &draft.ports) else { return ports };
    let told = told(native, wanted);
    let moved: Vec<_> = ports
        .iter()
        .map(|port| match told.contains_key(&port.internal) {
            true => Port { internal: port.external, ..*port },
            false => *port,
        })
        .collect();
    let inside: BTreeSet<_> = moved.iter().map(|port| (port.internal, port.protocol)).collect();
    if inside.len() == moved.len() { moved } else { ports }
}

/// Sets the variables that tell the game its ports, where nobody chose another value than the template's.
pub(super) fn tell(draft: &mut Draft, ports: &[Port]) {
    let Draft { native: Some(native), template: Some(template), environment, .. } = draft else { return };
    let told = told(native, &template.ports);
    for (wanted, port) in template.ports.iter().zip(ports) {
        let Some(Some(name)) = told.get(&wanted.internal) else { continue };
        let usual = template.variable(name).map(|variable| variable.default_value.as_str());
        let now = environment.get(*name).map(String::as_str);
        if wanted.protocol == port.protocol && usual.is_some() && now == usual {
            environment.insert((*name).to_owned(), port.internal.to_string());
        }
    }
}
