//! Whether this kernel can enforce a server's limits.

use super::sources::Sources;

/// The cgroup version, `v1` or `v2`; `None` if no cgroup file system is visible.
#[must_use]
pub fn version(sources: &Sources) -> Option<&'static str> {
    let root = sources.sys.join("fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        Some("v2")
    } else if root.is_dir() && std::fs::read_dir(&root).is_ok_and(|mut entries| entries.next().is_some()) {
        Some("v1")
    } else {
        None
    }
}

/// Which of `memory`, `cpu` and `pids` the kernel lacks. Empty if that cannot be determined.
#[must_use]
pub fn missing(sources: &Sources) -> Vec<&'static str> {
    let wanted = ["memory", "cpu", "pids"];
    match version(sources) {
        Some("v2") => {
            let here = sources.sys("fs/cgroup/cgroup.controllers");
            let here: Vec<&str> = here.split_ascii_whitespace().collect();
            wanted.into_iter().filter(|name| !here.contains(name)).collect()
        }
        Some(_) => {
            let table = sources.proc("cgroups");
            let enabled = |name: &str| {
                table.lines().any(|line| {
                    let mut fields = line.split_ascii_whitespace();
                    fields.next() == Some(name) && fields.nth(2) == Some("1")
                })
            };
            if table.is_empty() {
                Vec::new()
            } else {
                wanted.into_iter().filter(|name| !enabled(name)).collect()
            }
        }
        None => Vec::new(),
    }
}

/// Whether a swap limit would be enforced; `None` if that cannot be determined.
#[must_use]
pub fn swap_limit(sources: &Sources) -> Option<bool> {
    match version(sources)? {
        "v2" => {
            // The root group has no limit files; any group below it shows which ones exist.
            let any = std::fs::read_dir(sources.sys.join("fs/cgroup")).ok()?;
            let mut groups = any.flatten().filter(|group| group.path().join("memory.max").exists());
            groups.next().map(|group| group.path().join("memory.swap.max").exists())
        }
        _ => {
            let memory = sources.sys.join("fs/cgroup/memory");
            memory.is_dir().then(|| memory.join("memory.memsw.limit_in_bytes").exists())
        }
    }
}

/// Whether I/O weights would be enforced: v1 kernels and some v2 ones accept and ignore them. `None` if unknown.
#[must_use]
pub fn io_weight(sources: &Sources) -> Option<bool> {
    match version(sources)? {
        "v2" => {
            let here = sources.sys("fs/cgroup/cgroup.controllers");
            Some(here.split_ascii_whitespace().any(|name| name == "io"))
        }
        _ => Some(sources.sys.join("fs/cgroup/blkio/blkio.bfq.weight").exists()),
    }
}
