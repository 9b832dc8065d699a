//! Values that only the native form has, stored in one key of an exported egg. Other panels ignore it.

use serde::{Deserialize, Serialize};

use super::reading::Reading;
use super::warning::Code;
use crate::model::{
    BackupCommands, Needs, PlayerSupport, Port, PortPurpose, Protocol, Run, Stop, Template, Variable,
};
use crate::value::{self, Limits, Value};

/// Name of that key.
pub(super) const KEY: &str = "x_ctrl_alt_play";

/// Value of that key.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Native {
    #[serde(skip_serializing_if = "String::is_empty")]
    notes: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    licence: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<Needs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<Vec<Port>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Stop>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_timeout_secs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_path: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    writable_root: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    startup_by_shell: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<BackupCommands>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    players: Option<PlayerSupport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    /// Names of variables that are omitted from the environment while they are empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    omit_empty: Vec<String>,
    /// Whether a variable is a secret, by name.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    secrets: std::collections::BTreeMap<String, bool>,
}

/// The key's value for a template; `None` if an egg can represent everything.
pub(super) fn of(template: &Template) -> Option<Value> {
    let Run {
        stop, stop_timeout_secs, data_path, writable_root, startup_by_shell, user, working_dir, ..
    } = template.run.clone();
    let written = super::stop::has_words(&stop);
    let secrets =
        template.variables.iter().filter_map(|one| one.secret.map(|secret| (one.name.clone(), secret)));
    let omitted = template.variables.iter().filter(|one| one.omit_empty);
    let native = Native {
        notes: template.about.notes.clone(),
        licence: template.about.licence.clone(),
        references: template.about.references.clone(),
        needs: Some(template.needs.clone()).filter(|needs| *needs != Needs::default()),
        ports: Some(template.ports.clone()).filter(|ports| *ports != derived_ports(&template.variables)),
        stop: Some(stop).filter(|_| !written),
        stop_timeout_secs,
        data_path,
        writable_root,
        startup_by_shell,
        backup: template.backup.clone(),
        players: template.players.clone(),
        user,
        working_dir,
        omit_empty: omitted.map(|one| one.name.clone()).collect(),
        secrets: secrets.collect(),
    };
    if native == Native::default() {
        return None;
    }
    let json = serde_json::to_string(&native).ok()?;
    value::from_json(&json, &Limits { bytes: 1 << 22, depth: 32, nodes: 1 << 20 }).ok()
}

/// Applies the key's value to an imported template.
pub(super) fn apply(template: &mut Template, reading: &mut Reading<'_>) {
    let egg = reading.egg;
    let Some(value) = egg.get(KEY) else { return };
    let native: Native = match serde_json::from_str(&value::to_json(value)) {
        Ok(native) => native,
        Err(_) => {
            reading.warnings.add(
                Code::WrongKind,
                KEY,
                "it is not what this panel writes, and was passed over; it is kept",
            );
            reading.keep_at(&[KEY], value.clone());
            return;
        }
    };
    template.about.notes = crate::text::block(&native.notes, 16_384);
    template.about.licence = crate::text::line(&native.licence, 191);
    template.about.references =
        native.references.iter().map(|one| crate::text::line(one, 2_000)).take(100).collect();
    template.backup = native.backup;
    template.players = native.players;
    template.needs = native.needs.unwrap_or_default();
    if let Some(ports) = native.ports {
        template.ports = ports;
    }
    if let Some(stop) = native.stop {
        template.run.stop = stop;
    }
    template.run.stop_timeout_secs = native.stop_timeout_secs;
    template.run.data_path = native.data_path;
    template.run.writable_root = native.writable_root;
    template.run.startup_by_shell = native.startup_by_shell;
    template.run.user = native.user;
    template.run.working_dir = native.working_dir;
    for variable in &mut template.variables {
        variable.omit_empty = native.omit_empty.contains(&variable.name);
        variable.secret = native.secrets.get(&variable.name).copied();
    }
}

/// The ports of an egg, which does not specify them: the primary one, and one for each variable whose name suggests a
/// port. Each has both protocols, as other panels publish them.
pub(super) fn derived_ports(variables: &[Variable]) -> Vec<Port> {
    let both = vec![Protocol::Tcp, Protocol::Udp];
    let mut ports =
        vec![Port { purpose: PortPurpose::Game, protocols: both.clone(), number: None, variable: None }];
    for variable in variables {
        let name = variable.name.to_ascii_uppercase();
        let is_port = name.ends_with("_PORT") || name == "PORT";
        // The default 0 means no port. An empty default is allowed: the game then runs without that port.
        if !is_port || variable.default.parse::<u16>().is_ok_and(|number| number == 0) {
            continue;
        }
        let has = |part: &str| name.contains(part);
        ports.push(Port {
            purpose: match () {
                () if has("QUERY") => PortPurpose::Query,
                () if has("RCON") => PortPurpose::Rcon,
                () if has("WEB") || has("HTTP") => PortPurpose::Web,
                () => PortPurpose::Other,
            },
            protocols: both.clone(),
            number: variable.default.parse().ok(),
            variable: Some(variable.name.clone()),
        });
    }
    ports
}
