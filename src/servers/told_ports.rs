//! Ports whose number the game is given, in `SERVER_PORT` or a variable of its own. Inside the container such a game
//! listens on the same port number as outside, so that the address it reports to server lists and players is correct.

use std::collections::{BTreeMap, BTreeSet};

use ::templates::model::Template as Native;
use storage::servers::Port;

use super::draft::{Draft, Ports};

/// By the port number in the template: the variable for the game, `None` for `SERVER_PORT`.
type Told<'n> = BTreeMap<u16, Option<&'n str>>;

fn told<'n>(native: &'n Native, wanted: &[Port]) -> Told<'n> {
    let of = |port: &'n ::templates::model::Port| {
        let variable = port.variable.as_deref();
        match (port.number, variable) {
            (Some(number), Some(_)) => Some((number, variable)),
            // Any number is allowed: it is the template's first port.
            (None, None) => Some((wanted.first()?.internal, None)),
            _ => None,
        }
    };
    native.ports.iter().filter_map(of).collect()
}

/// Changes the internal number of such ports to the external one. Unchanged if that would collide with another port.
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

/// Sets the variables that give the game its ports, unless they differ from the template's default.
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
