//! Turns a server's settings into the specification of its container.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::{Behaviour, ContainerUser, Limits, ServerCreate, StartupMode, Stop};

use super::{startup, template};
use crate::runtime::{Container, Process, Resources};

const GIB: i64 = 1 << 30;
const MIB: i64 = 1 << 20;
/// The variable from which some images read their startup line.
const STARTUP: &str = "STARTUP";
/// Maximum bytes of all variables together: far above the panel's own limit, far below the kernel's.
const ENVIRONMENT: usize = 128 * 1024;

/// Adds overhead to a memory limit: a game that is given 2 GiB of heap needs more than that.
fn with_overhead(memory: i64) -> i64 {
    let percent = match memory {
        m if m <= 2 * GIB => 115,
        m if m <= 4 * GIB => 110,
        _ => 105,
    };
    memory.saturating_mul(percent) / 100
}

/// A hash that differs between settings that lead to different containers. It is stored on containers, so the algorithm
/// must not change.
pub(super) fn fingerprint(spec: &ServerCreate) -> String {
    let unnamed = ServerCreate { name: None, ..spec.clone() };
    // Serializing a struct of strings, numbers and maps with string keys cannot fail.
    let text = serde_json::to_vec(&unnamed).unwrap_or_default();
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Variables that any startup line may use, as far as they have a value.
pub(crate) fn for_everybody(spec: &ServerCreate) -> impl Iterator<Item = (&'static str, String)> {
    let port = spec.ports.first().map(|port| port.internal.to_string());
    [
        (STARTUP, Some(spec.startup.trim().to_owned()).filter(|line| !line.is_empty())),
        ("SERVER_MEMORY", Some((spec.limits.memory.max(0) / MIB).to_string())),
        ("SERVER_IP", Some("0.0.0.0".to_owned())),
        ("SERVER_PORT", port),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
}

/// The specification of a server's container. `user` is the one it runs as; `None` for the image's own.
pub(super) fn container(
    spec: &ServerCreate,
    user: Option<String>,
    data_dir: &Path,
    timezone: &str,
) -> Container {
    let behaviour = spec.behaviour.clone().unwrap_or_default();
    let startup = spec.startup.trim();
    let command = (behaviour.startup_mode == StartupMode::Shell && !startup.is_empty())
        .then(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), startup::shell_line(startup)]);
    let working_dir = match behaviour.working_dir {
        Some(dir) if dir.is_empty() => None,
        Some(dir) => Some(dir),
        None => Some(behaviour.data_path.clone()),
    };
    let mut defaults = BTreeMap::from([
        ("TZ", timezone.to_owned()),
        ("TINI_KILL_PROCESS_GROUP", "1".to_owned()),
        // Its warnings would appear between the game's lines.
        ("TINI_VERBOSITY", "0".to_owned()),
    ]);
    // If the image sets the user, it also sets that user's home.
    if behaviour.user != ContainerUser::Image {
        defaults.insert("HOME", behaviour.data_path.clone());
    }
    defaults.extend(for_everybody(spec));
    let egg = template::is_egg(spec);
    let mut environment = match egg {
        true => template::environment(spec, timezone),
        false => spec.environment.clone(),
    };
    // If the image reads the startup line from a variable, it must override the image's own value.
    if behaviour.startup_mode == StartupMode::Variable
        && let Some(line) = defaults.remove(STARTUP)
    {
        environment.entry(STARTUP.to_owned()).or_insert(line);
    }
    let process = Process {
        command,
        environment,
        defaults: defaults.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        user,
        working_dir,
        stop_signal: Some(match behaviour.stop {
            Stop::Signal(name) => name,
            Stop::Command(_) => "SIGTERM".into(),
        }),
    };
    Container {
        server_id: spec.server_id.clone(),
        settings: fingerprint(spec),
        image: spec.image.clone(),
        process,
        data_dir: data_dir.to_owned(),
        data_path: behaviour.data_path,
        read_only_root: behaviour.read_only_root,
        resources: resources(&spec.limits),
        ports: spec.ports.clone(),
        block_lan: spec.block_lan,
        files: Vec::new(),
    }
}

fn resources(limits: &Limits) -> Resources {
    let Limits { memory, swap, cpu, io, processes, .. } = *limits;
    let hard = if memory > 0 { with_overhead(memory) } else { 0 };
    Resources {
        memory: hard,
        memory_reservation: memory.max(0),
        memory_swap: match (hard, swap) {
            (0, _) => 0,
            (_, -1) => -1,
            (hard, swap) => hard.saturating_add(swap.max(0)),
        },
        cpu,
        processes,
        io_weight: u16::try_from(io).ok().filter(|io| *io != 500 && (10..=1000).contains(io)),
    }
}

/// Validates the settings; the error names the field. The panel validates too, but the agent does not rely on it.
pub(crate) fn check(spec: &ServerCreate) -> Result<(), String> {
    let no = |what: &str| Err(what.to_owned());
    if !spec.server_id.is_valid() {
        return no("The server id is not one.");
    }
    if !is_image(&spec.image) {
        return no("The image is not the name of an image.");
    }
    if spec.startup.len() > 16 * 1024 || spec.startup.contains('\0') {
        return no("The startup line is too long, or holds a zero byte.");
    }
    let mut bytes = 0;
    for (name, value) in &spec.environment {
        bytes += name.len() + value.len() + 2;
        if !startup::is_name(name) || value.contains('\0') {
            return Err(format!("The variable {name:?} cannot be set."));
        }
    }
    if bytes > ENVIRONMENT {
        return no("The variables are too long.");
    }
    let Limits { memory, swap, disk, io, cpu, processes } = spec.limits;
    let memory_ok = memory == 0 || (16 * MIB..=1 << 50).contains(&memory);
    if !memory_ok
        || !(-1..=1 << 50).contains(&swap)
        || disk < 0
        || !(0..=1_000).contains(&io)
        || !(0..=100_000).contains(&cpu)
        || !(16..=16_384).contains(&processes)
    {
        return no("A limit is out of its range.");
    }
    if spec.ports.len() > 256 || spec.ports.iter().any(|port| port.internal == 0 || port.external == 0) {
        return no("A port is out of its range.");
    }
    check_behaviour(&spec.behaviour.clone().unwrap_or_default())
}

/// Whether this is an image reference and cannot be mistaken for anything else, such as an option.
pub(super) fn is_image(image: &str) -> bool {
    !image.is_empty()
        && image.len() <= 512
        && !image.starts_with('-')
        && image.bytes().all(|b| b.is_ascii_graphic())
        && !image.contains(['?', '#', '&', '%', '\\'])
        && !image.contains("..")
}

fn check_behaviour(behaviour: &Behaviour) -> Result<(), String> {
    let inside = |path: &str| {
        let parts = || path.split('/').skip(1);
        path.starts_with('/')
            && path.len() < 1024
            && parts().all(|part| !part.is_empty() && part != "." && part != "..")
            && !["proc", "sys", "dev"].contains(&parts().next().unwrap_or_default())
            && !path.contains(|c: char| c.is_control())
    };
    if !inside(&behaviour.data_path) {
        return Err("The folder's place in the container must be an absolute path.".into());
    }
    if behaviour.working_dir.as_deref().is_some_and(|dir| !dir.is_empty() && dir != "/" && !inside(dir)) {
        return Err("The working directory must be an absolute path.".into());
    }
    match &behaviour.stop {
        Stop::Signal(name)
            if !(name.len() <= 16 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+')) =>
        {
            return Err("The stop signal is none.".into());
        }
        Stop::Command(line) if line.len() > 4_000 || line.contains(|c: char| c.is_control()) => {
            return Err("The stop command must be one line.".into());
        }
        _ => {}
    }
    if let Some(ready) = &behaviour.ready {
        crate::console::Ready::parse(ready)
            .map_err(|error| format!("The ready line cannot be used: {error}"))?;
    }
    if let ContainerUser::Fixed(pair) = &behaviour.user
        && super::folder::parse_pair(pair).is_none()
    {
        return Err("The user must be UID:GID.".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Port, Protocol};

    fn spec() -> ServerCreate {
        serde_json::from_value(
            serde_json::json!({"serverId": "a", "image": "img", "startup": "./game {{NAME}}"}),
        )
        .unwrap()
    }

    fn plan(spec: &ServerCreate) -> Container {
        container(spec, Some("988:988".into()), Path::new("/d"), "Europe/Berlin")
    }

    #[test]
    fn the_startup_line_and_what_is_always_set() {
        let mut spec = spec();
        spec.environment = [("NAME", "$(id)"), ("SERVER_IP", "1.2.3.4"), ("TZ", "UTC")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        spec.limits.memory = 1 << 30;
        spec.ports = vec![Port { internal: 7, external: 8, protocol: Protocol::Udp }];
        let plan = plan(&spec);
        assert_eq!(plan.process.command.unwrap(), ["/bin/sh", "-c", "exec ./game ${NAME}"]);
        let pairs = |of: &BTreeMap<String, String>| {
            of.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(
            pairs(&plan.process.environment),
            ["NAME=$(id)", "SERVER_IP=1.2.3.4", "TZ=UTC"],
            "as it was asked for"
        );
        assert_eq!(
            pairs(&plan.process.defaults),
            [
                "HOME=/home/container",
                "SERVER_IP=0.0.0.0",
                "SERVER_MEMORY=1024",
                "SERVER_PORT=7",
                "STARTUP=./game {{NAME}}",
                "TINI_KILL_PROCESS_GROUP=1",
                "TINI_VERBOSITY=0",
                "TZ=Europe/Berlin",
            ]
        );
        spec.startup.clear();
        spec.ports.clear();
        let bare = super::container(&spec, None, Path::new("/d"), "UTC");
        assert_eq!(bare.process.command, None);
        assert!(bare.process.defaults.values().all(|value| !value.is_empty()), "{:?}", bare.process.defaults);
        spec.startup = "x".into();
        spec.behaviour = Some(Behaviour { startup_mode: StartupMode::Variable, ..Behaviour::default() });
        let read = super::container(&spec, None, Path::new("/d"), "UTC");
        assert_eq!((read.process.command, read.process.environment[STARTUP].as_str()), (None, "x"));
        spec.environment.insert(STARTUP.into(), "y".into());
        let own = super::container(&spec, None, Path::new("/d"), "UTC");
        assert_eq!(own.process.environment[STARTUP], "y");
    }

    #[test]
    fn a_fingerprint_sees_everything_but_the_name() {
        let mut other = spec();
        other.name = Some("x".into());
        assert_eq!(fingerprint(&spec()), fingerprint(&other));
        other.limits.cpu = 1;
        assert_ne!(fingerprint(&spec()), fingerprint(&other));
    }

    #[test]
    fn memory_and_swap() {
        let memory = |memory: i64, swap: i64| {
            let mut spec = spec();
            spec.limits = Limits { memory, swap, ..Limits::default() };
            let plan = plan(&spec);
            (plan.resources.memory, plan.resources.memory_reservation, plan.resources.memory_swap)
        };
        assert_eq!(memory(0, 0), (0, 0, 0));
        assert_eq!(memory(0, -1), (0, 0, 0));
        assert_eq!(memory(100 * MIB, 0), (115 * MIB, 100 * MIB, 115 * MIB));
        assert_eq!(memory(100 * MIB, 5 * MIB).2, 120 * MIB);
        assert_eq!(memory(3000 * MIB, -1), (3300 * MIB, 3000 * MIB, -1));
        assert_eq!(memory(10_000 * MIB, 0).0, 10_500 * MIB);
    }

    #[test]
    fn working_directory_and_weight() {
        let mut spec = spec();
        assert_eq!(plan(&spec).process.working_dir.as_deref(), Some("/home/container"));
        assert_eq!(plan(&spec).resources.io_weight, None);
        spec.limits.io = 100;
        spec.behaviour = Some(Behaviour { working_dir: Some(String::new()), ..Behaviour::default() });
        assert_eq!((plan(&spec).process.working_dir, plan(&spec).resources.io_weight), (None, Some(100)));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |change: &dyn Fn(&mut ServerCreate)| {
            let mut spec = spec();
            change(&mut spec);
            check(&spec).is_err()
        };
        assert_eq!(check(&spec()), Ok(()));
        assert!(refused(&|s| s.server_id = "../x".into()));
        assert!(refused(&|s| s.image = "a --privileged".into()));
        assert!(refused(&|s| s.image = "../../containers/x?".into()));
        assert!(refused(&|s| s.image.clear()));
        assert!(refused(&|s| drop(s.environment.insert("A-B".into(), String::new()))));
        assert!(refused(&|s| drop(s.environment.insert("A".into(), "x".repeat(200_000)))));
        assert!(refused(&|s| s.limits.memory = -1));
        assert!(refused(&|s| s.limits.memory = 1));
        assert!(refused(&|s| s.limits.cpu = i64::MAX));
        for processes in [i64::MIN, -1, 0, 15, 16_385, i64::MAX] {
            assert!(refused(&|s| s.limits.processes = processes), "{processes}");
        }
        assert!(refused(&|s| s.ports = vec![Port { internal: 0, external: 1, protocol: Protocol::Tcp }]));
        let behaviour = |change: &dyn Fn(&mut Behaviour)| {
            let mut behaviour = Behaviour::default();
            change(&mut behaviour);
            check(&ServerCreate { behaviour: Some(behaviour), ..spec() }).is_err()
        };
        for path in ["", "/", "data", "/a/../b", "/proc/x", "/sys", "/a//b"] {
            assert!(behaviour(&|b| b.data_path = path.into()), "{path}");
        }
        assert!(behaviour(&|b| b.stop = Stop::Signal("SIG TERM".into())));
        assert!(behaviour(&|b| b.stop = Stop::Command("a\nb".into())));
        assert!(behaviour(&|b| b.ready = Some("regex:(".into())));
        assert!(behaviour(&|b| b.user = ContainerUser::Fixed("root".into())));
        assert!(!behaviour(&|b| b.user = ContainerUser::Fixed("1000:1000".into())));
    }
}
