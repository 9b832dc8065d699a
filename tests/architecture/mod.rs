//! The architecture tests: which module may use which, checked by reading the sources. If one is in the way, change it
//! here with the reason; do not work around it.

mod circles;
mod files;
mod floors;
mod names;
mod names_by_libc;
mod paths;
mod words;

use files::File;

/// A violation of a check, with its place.
type Breach = String;

fn breach(file: &File, line: usize, reason: &str) -> Breach {
    format!("{}:{line}: {reason}", file.path)
}

/// Fails with all violations, one per line.
fn hold(fence: impl Fn(&File) -> Vec<Breach>) {
    let found: Vec<Breach> = files::all().iter().flat_map(fence).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// The reason why a check rejects a sample; panics if it accepts it.
fn reason(fence: impl Fn(&File) -> Vec<Breach>, path: &str, text: &str) -> String {
    fence(&File::sample(path, text)).join("\n")
}

/// A library that may only be used in a few places.
struct Kept {
    names: &'static [&'static str],
    home: &'static str,
    why: &'static str,
}

const KEPT: [Kept; 6] = [
    Kept {
        names: &["warp"],
        home: "src/http",
        why: "a feature declares its endpoints and does not know what serves them",
    },
    Kept {
        names: &["redb"],
        home: "storage",
        why: "what the records look like on the disk is known there alone",
    },
    Kept {
        names: &["rmp_serde"],
        home: "storage and agent/protocol",
        why: "records are packed on the disk and messages on the wire, each in one place",
    },
    Kept {
        names: &["rustls", "tokio_rustls", "rcgen", "webpki"],
        home: "src/http, src/net and agent/src/remote",
        why: "who is trusted, and by which key, is decided in one place on each side",
    },
    Kept {
        names: &["bollard", "bollard_stubs"],
        home: "agent/src/docker",
        why: "another engine must need nothing but another folder",
    },
    Kept {
        names: &["rust_embed"],
        home: "src/http",
        why: "the page's files are served from one place, with their caching and their policy",
    },
];

/// Whether this file may use that library. Tests may, since they examine the program from outside.
fn at_home(kept: &Kept, file: &File) -> bool {
    match kept.names[0] {
        "redb" => file.within("storage"),
        "rmp_serde" => file.within("storage") || file.within("agent/protocol"),
        "rustls" => file.within("src/http") || file.within("src/net") || file.within("agent/src/remote"),
        "bollard" => file.within("agent/src/docker"),
        _ => file.within("src/http"),
    }
}

fn kept_libraries(file: &File) -> Vec<Breach> {
    if !file.rust() || file.within("tests") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for named in paths::paths(&file.text) {
        for kept in KEPT.iter().filter(|kept| kept.names.contains(&named.path[0].as_str())) {
            if !at_home(kept, file) {
                let reason = format!("`{}` belongs to {}: {}", named.text(), kept.home, kept.why);
                found.push(breach(file, named.line, &reason));
            }
        }
    }
    found
}

#[test]
fn libraries_stay_at_home() {
    hold(kept_libraries);
}

#[test]
fn a_library_away_from_home_is_seen() {
    let seen = reason(kept_libraries, "src/servers/mod.rs", "use std::fmt;\nuse warp::{Filter, reply};\n");
    assert!(seen.starts_with("src/servers/mod.rs:2: `warp::Filter` belongs to src/http"), "{seen}");
    assert!(seen.contains("warp::reply"), "{seen}");
    assert_ne!(reason(kept_libraries, "src/servers/routes.rs", "use warp::Filter;"), "");
    assert_ne!(reason(kept_libraries, "src/router.rs", "use warp::Filter;"), "");
    assert_eq!(reason(kept_libraries, "src/http/route.rs", "use warp::Filter;"), "");
    assert_ne!(reason(kept_libraries, "src/app.rs", "fn a(x: redb::Database) {}"), "");
    assert_ne!(reason(kept_libraries, "agent/src/supervisor/mod.rs", "fn a(x: bollard::Docker) {}"), "");
    assert_eq!(reason(kept_libraries, "agent/src/docker/pull.rs", "fn a(x: bollard::Docker) {}"), "");
}

/// The protocol crate only has data: both sides use it, and neither wants the other's libraries.
fn protocol_is_data(file: &File) -> Vec<Breach> {
    const WORKERS: [&str; 7] = ["agent", "tokio", "tokio_util", "futures_util", "bollard", "tracing", "rand"];
    const STD_WORK: [&str; 6] = ["fs", "net", "process", "thread", "io", "os"];
    if !file.rust() || !file.within("agent/protocol") || file.name() == "tests.rs" {
        return Vec::new();
    }
    let mut found = Vec::new();
    for named in paths::paths(&file.text) {
        let works = match named.path[0].as_str() {
            "std" => STD_WORK.contains(&named.path[1..].first().map_or("", String::as_str)),
            first => WORKERS.contains(&first),
        };
        if works {
            let reason = format!("`{}` in the protocol, which is serde only and does no work", named.text());
            found.push(breach(file, named.line, &reason));
        }
    }
    found
}

#[test]
fn the_protocol_is_data_only() {
    hold(protocol_is_data);
}

#[test]
fn work_in_the_protocol_is_seen() {
    let path = "agent/protocol/src/servers.rs";
    assert_eq!(reason(protocol_is_data, path, "use serde::Serialize;\nuse std::fmt;\nuse super::Port;"), "");
    for bad in
        ["tokio::sync::mpsc", "bollard::Docker", "std::fs::File", "std::net::IpAddr", "agent::docker::Docker"]
    {
        let seen = reason(protocol_is_data, path, &format!("\nuse {bad};"));
        assert!(seen.starts_with(&format!("{path}:2: `{bad}`")), "{seen}");
    }
}

/// `tokio::spawn` creates a task without owner or name that no one awaits.
fn bare_spawn(file: &File) -> Vec<Breach> {
    if !file.rust() || file.test() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for named in paths::paths(&file.text) {
        let bare = named.starts(&["tokio", "spawn"]) || named.starts(&["tokio", "task", "spawn"]);
        if bare || named.starts(&["task", "spawn"]) {
            let reason = format!("bare `{}`: a task needs a name, an owner and an end", named.text());
            found.push(breach(file, named.line, &reason));
        }
    }
    found
}

#[test]
fn every_task_has_an_owner() {
    hold(bare_spawn);
}

#[test]
fn a_bare_spawn_is_seen() {
    let path = "agent/src/link/mod.rs";
    for bad in ["fn a() {\n tokio::spawn(x); }", "use tokio::task;\nfn a() { task::spawn(x); }"] {
        assert!(reason(bare_spawn, path, bad).starts_with("agent/src/link/mod.rs:2: bare"));
    }
    assert_eq!(reason(bare_spawn, path, "tasks.spawn(\"name\", x); tokio::task::spawn_blocking(y);"), "");
}

const LONGEST: usize = 500;

fn too_long(file: &File) -> Vec<Breach> {
    let counted = [".rs", ".ts", ".svelte", ".sh"].iter().any(|ending| file.path.ends_with(ending))
        || !file.name().contains('.');
    let lines = file.text.lines().count();
    // The installer is downloaded as one file, so it may be long.
    let counted = counted && file.path != "install.sh";
    if !counted || lines <= LONGEST || file.name().ends_with(".d.ts") {
        return Vec::new();
    }
    vec![breach(file, LONGEST + 1, &format!("{lines} lines: split it into rooms with one purpose each"))]
}

#[test]
fn files_stay_short() {
    hold(too_long);
}

#[test]
fn a_long_file_is_seen() {
    let seen = reason(too_long, "web/src/lib/x.svelte", &"line\n".repeat(501));
    assert!(seen.starts_with("web/src/lib/x.svelte:501: 501 lines"), "{seen}");
    assert_eq!(reason(too_long, "src/x.rs", &"line\n".repeat(500)), "");
    assert_ne!(reason(too_long, "tests/run", &"line\n".repeat(501)), "");
    assert_eq!(reason(too_long, "web/src/lib/api.d.ts", &"line\n".repeat(5000)), "");
}

/// The page has one place for calls and one for subscriptions, so that a lost session or link is handled once.
fn page_talks_in_one_place(file: &File) -> Vec<Breach> {
    if !file.within("web/src") || file.name().contains(".test.") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (word, home) in [("fetch(", "web/src/lib/api"), ("new WebSocket", "web/src/lib/live")] {
            let bare = code.find(word).is_some_and(|at| {
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '$')
            });
            if bare && !file.path.starts_with(home) {
                let reason =
                    format!("`{word}` outside of {home}.ts, which handles a lost session or link for all");
                found.push(breach(file, number + 1, &reason));
            }
        }
    }
    found
}

#[test]
fn the_page_talks_in_one_place() {
    hold(page_talks_in_one_place);
}

#[test]
fn a_stray_fetch_is_seen() {
    let seen =
        reason(page_talks_in_one_place, "web/src/routes/+page.svelte", "\nconst a = await fetch('/x');");
    assert!(seen.starts_with("web/src/routes/+page.svelte:2: `fetch(`"), "{seen}");
    assert_ne!(reason(page_talks_in_one_place, "web/src/lib/console.ts", "new WebSocket(url)"), "");
    assert_eq!(reason(page_talks_in_one_place, "web/src/lib/api.ts", "fetch(url)"), "");
    assert_eq!(reason(page_talks_in_one_place, "web/src/lib/x.ts", "servers.refetch(); prefetch(url)"), "");
}

#[test]
fn the_installer_says_its_version() {
    let installer = include_str!("../../install.sh");
    assert!(
        installer.contains(concat!("\nVERSION=", env!("CARGO_PKG_VERSION"), "\n")),
        "VERSION in install.sh"
    );
    // `packaging/release` fills these in.
    assert!(installer.contains("\nDOWNLOAD=''\n") && installer.contains("\nKEY=''\n"));
}
