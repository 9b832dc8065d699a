//! The layers: a module may use its own layer and those below, never one above.

use super::files::{self, File};
use super::paths::{self, Named};
use super::{Breach, breach, hold, reason};

/// The layers of `src/`, from the bottom up. Unlisted modules are features.
const GROUND: usize = 0;
const FEATURES: usize = 4;
const PANEL: [(&str, usize); 14] = [
    ("error", GROUND),
    ("config", GROUND),
    ("net", GROUND),
    ("revision", GROUND),
    ("system", GROUND),
    ("auth", 1),
    ("http", 2),
    ("agents", 3),
    ("app", 5),
    ("router", 6),
    ("start", 7),
    ("cli", 8),
    ("lib", 8),
    ("main", 8),
];
const NAMES: [&str; 9] = [
    "the ground",
    "auth",
    "http",
    "agents",
    "a feature",
    "the shared handles",
    "the router",
    "the start",
    "the roof",
];

/// Crates that must not depend on each other, or only downwards.
const CRATES: [(&str, &[&str], &str); 7] = [
    (
        "agent/ids",
        &["storage", "agent", "protocol", "templates", "ctrl_alt_play", "tokio"],
        "ids are the lowest floor of all",
    ),
    (
        "agent/templates",
        &["storage", "ctrl_alt_play_storage", "agent", "ctrl_alt_play_agent", "ctrl_alt_play", "tokio"],
        "templates are pure: they know neither panel nor agent, and do nothing but compute",
    ),
    (
        "agent/sftp",
        &["storage", "agent", "protocol", "templates", "ctrl_alt_play", "tokio", "std::fs", "std::net"],
        "the packets of SFTP know nothing of ours, and do no I/O",
    ),
    (
        "agent/queries",
        &["storage", "agent", "protocol", "templates", "ctrl_alt_play", "tokio", "std::fs", "std::net"],
        "the protocols of games know nothing of ours, and do no I/O",
    ),
    (
        "storage",
        &["agent", "ctrl_alt_play_agent", "protocol", "ctrl_alt_play_protocol", "ctrl_alt_play"],
        "the storage knows neither agent nor panel",
    ),
    (
        "agent",
        &["storage", "ctrl_alt_play_storage", "ctrl_alt_play"],
        "the agent knows neither storage nor panel",
    ),
    (
        "agent/protocol",
        &["agent", "ctrl_alt_play_agent"],
        "the protocol knows neither agent nor panel, which both speak it",
    ),
];

fn floor(module: &str) -> usize {
    PANEL.iter().find(|(name, _)| *name == module).map_or(FEATURES, |(_, floor)| *floor)
}

/// The top-level module of a file: `servers` for `src/servers/views.rs`.
fn module<'a>(file: &'a File, source: &str) -> Option<&'a str> {
    let rest = file.path.strip_prefix(source)?.strip_prefix('/')?;
    let first = rest.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

/// The top-level module of a path: `auth` for `crate::auth::Access`, or for `super::auth` in `app.rs`.
fn target(file: &File, source: &str, named: &Named) -> Option<String> {
    let rest = file.path.strip_prefix(source)?.strip_prefix('/')?;
    let depth = rest.split('/').count() - usize::from(matches!(file.name(), "mod.rs" | "lib.rs" | "main.rs"));
    let ups = named.path.iter().take_while(|part| *part == "super").count();
    let at = match named.path[0].as_str() {
        "crate" | "ctrl_alt_play" => 1,
        "super" if ups == depth => ups,
        _ => return None,
    };
    let name = named.path.get(at)?;
    name.starts_with(char::is_lowercase).then(|| name.clone())
}

fn upward(file: &File) -> Vec<Breach> {
    let Some(own) = module(file, "src") else { return Vec::new() };
    let mut found = Vec::new();
    for named in paths::paths(&file.text) {
        let Some(other) = target(file, "src", &named) else { continue };
        if floor(&other) > floor(own) && exists(&other) {
            let reason = format!(
                "`{}` is {} and `{own}` is {}: lower floors never name upper ones",
                named.text(),
                NAMES[floor(&other)],
                NAMES[floor(own)],
            );
            found.push(breach(file, named.line, &reason));
        }
    }
    found
}

/// Excludes functions and macros of the crate root, which are no modules.
fn exists(module: &str) -> bool {
    let source = files::root().join("src");
    source.join(module).is_dir() || source.join(format!("{module}.rs")).is_file() || floor(module) != FEATURES
}

#[test]
fn lower_floors_never_name_upper_ones() {
    hold(upward);
}

#[test]
fn a_look_upstairs_is_seen() {
    let seen = reason(upward, "src/auth/mod.rs", "\nuse crate::http::Route;\n");
    assert!(
        seen.starts_with("src/auth/mod.rs:2: `crate::http::Route` is http and `auth` is auth: lower"),
        "{seen}"
    );
    assert_ne!(reason(upward, "src/http/reply.rs", "use crate::{error::Code, router};"), "");
    assert_ne!(reason(upward, "src/servers/mod.rs", "fn a() { crate::router::routes() }"), "");
    assert_ne!(reason(upward, "src/error.rs", "use super::auth::Access;"), "");
    assert_ne!(reason(upward, "src/auth/token.rs", "use super::super::app::App;"), "");
    assert_eq!(
        reason(upward, "src/auth/token.rs", "use super::app::App;"),
        "",
        "auth's own room of that name"
    );
    assert_eq!(reason(upward, "src/http/route.rs", "use crate::auth::Access; use crate::error::Code;"), "");
    assert_eq!(reason(upward, "src/router.rs", "use crate::servers; use crate::app::App;"), "");
}

fn strangers(file: &File) -> Vec<Breach> {
    let mut found = Vec::new();
    for (folder, forbidden, why) in CRATES {
        if !file.rust() || !file.within(folder) {
            continue;
        }
        for named in paths::paths(&file.text) {
            if forbidden.contains(&named.path[0].as_str()) {
                found.push(breach(file, named.line, &format!("`{}`: {why}", named.text())));
            }
        }
    }
    found
}

/// Checks a crate's dependencies: what it does not depend on, it cannot use.
fn strange_dependencies(file: &File) -> Vec<Breach> {
    let mut found = Vec::new();
    for (folder, forbidden, why) in CRATES {
        if file.path != format!("{folder}/Cargo.toml") {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            let name = line.split(['=', '.']).next().unwrap_or_default().trim().replace('-', "_");
            let renamed = forbidden
                .iter()
                .any(|other| line.contains(&format!("package = \"{}\"", other.replace('_', "-"))));
            if line.contains('=')
                && (renamed || (forbidden.contains(&name.as_str()) && !line.starts_with("name")))
            {
                found.push(breach(file, number + 1, why));
            }
        }
    }
    found
}

#[test]
fn storage_and_agent_are_strangers() {
    hold(strangers);
    hold(strange_dependencies);
}

#[test]
fn an_acquaintance_is_seen() {
    let seen = reason(strangers, "agent/src/lib.rs", "use storage::Store;");
    assert_eq!(seen, "agent/src/lib.rs:1: `storage::Store`: the agent knows neither storage nor panel");
    assert_ne!(reason(strangers, "storage/src/nodes.rs", "fn a(x: protocol::Stats) {}"), "");
    assert_eq!(reason(strangers, "storage/src/nodes.rs", "fn a(agent: u8) { agent.storage }"), "");
    let manifest =
        "[dependencies]\nstorage = { path = \"../storage\", package = \"ctrl-alt-play-storage\" }\n";
    assert!(reason(strange_dependencies, "agent/Cargo.toml", manifest).starts_with("agent/Cargo.toml:2:"));
    assert_eq!(
        reason(strange_dependencies, "agent/Cargo.toml", "[dependencies]\nserde.workspace = true\n"),
        ""
    );
}
