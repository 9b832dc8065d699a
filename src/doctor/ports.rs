//! The panel's ports: free, used by the panel, or used by another program.

use std::collections::BTreeMap;
use std::path::Path;

use agent::host::Sources;
use protocol::{Port, Protocol};

use super::views::Finding;

/// A port of the panel.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Port number; 0 for any free port.
    pub number: u16,
    /// Its purpose.
    pub what: &'static str,
    /// The setting that changes it.
    pub setting: &'static str,
    /// Whether the panel starts without it.
    pub optional: bool,
}

/// Findings for a running panel: ports it has, and ports it could not bind.
pub(super) fn of_running(sources: &Sources, wanted: &[Wanted], held: &[u16]) -> Vec<Finding> {
    let mut found: Vec<Finding> = wanted
        .iter()
        .filter(|port| port.optional && port.number != 0 && !held.contains(&port.number))
        .map(|port| taken(sources, port))
        .collect();
    let numbers: Vec<String> = held.iter().map(ToString::to_string).collect();
    found.push(Finding::ok(
        "ports",
        "ports",
        "Ports",
        format!("The panel listens on {}.", numbers.join(", ")),
    ));
    found
}

/// Findings for a panel that is not running. `is_taken` tries a port.
pub(super) fn of_stopped(
    sources: &Sources,
    wanted: &[Wanted],
    is_taken: impl Fn(u16) -> bool,
) -> Vec<Finding> {
    let (held, free): (Vec<&Wanted>, Vec<&Wanted>) =
        wanted.iter().filter(|port| port.number != 0).partition(|port| is_taken(port.number));
    let mut found: Vec<Finding> = held.into_iter().map(|port| taken(sources, port)).collect();
    if found.is_empty() {
        let numbers: Vec<String> = free.iter().map(|port| port.number.to_string()).collect();
        let detail = match numbers.len() {
            0 => "The panel takes any free ports.".to_owned(),
            _ => format!("Free for the panel: {}.", numbers.join(", ")),
        };
        found.push(Finding::ok("ports", "ports", "Ports", detail));
    }
    found
}

/// Whether another program uses the port.
pub(super) fn is_taken(number: u16) -> bool {
    let port = Port { internal: number, external: number, protocol: Protocol::Tcp };
    !agent::host::ports_taken(&[port]).is_empty()
}

fn taken(sources: &Sources, port: &Wanted) -> Finding {
    let who = holder(sources, port.number);
    let who =
        who.map_or_else(|| "another program".to_owned(), |(name, pid)| format!("{name} (process {pid})"));
    let detail = format!("Port {} ({}) is held by {who}.", port.number, port.what);
    let advice = format!(
        "Stop that program (`sudo ss -ltnp` shows all), or choose another port by {} in /etc/default/ctrl-alt-play, then \
         `sudo systemctl restart ctrl-alt-play`.",
        port.setting
    );
    let title = "A port is taken";
    let found = if port.optional {
        Finding::warning("ports", "port_taken", title, detail, &advice)
    } else {
        Finding::problem("ports", "port_taken", title, detail, &advice)
    };
    found.of(port.number.to_string())
}

/// Name and id of the process that listens on a TCP port, if the kernel reveals it.
fn holder(sources: &Sources, port: u16) -> Option<(String, u32)> {
    let inodes: Vec<String> = ["net/tcp", "net/tcp6"]
        .iter()
        .flat_map(|table| listeners(&sources.proc(table)))
        .filter(|(number, _)| *number == port)
        .map(|(_, inode)| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = std::fs::read_dir(sources.proc_path("")).ok()?.flatten();
    let ids: BTreeMap<u32, ()> =
        processes.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, ()))).collect();
    ids.into_keys().find_map(|id| {
        let mut open = std::fs::read_dir(sources.proc_path(&format!("{id}/fd"))).ok()?.flatten();
        let ours = |file: &Path| {
            std::fs::read_link(file)
                .is_ok_and(|to| inodes.iter().any(|inode| to.as_os_str() == inode.as_str()))
        };
        open.any(|file| ours(&file.path()))
            .then(|| (sources.proc(&format!("{id}/comm")).trim().to_owned(), id))
    })
}

/// Port and inode of each listening socket.
fn listeners(table: &str) -> Vec<(u16, u64)> {
    let listening = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
        (*fields.get(3)? == "0A").then_some(())?;
        Some((port, fields.get(9)?.parse().ok()?))
    };
    table.lines().skip(1).filter_map(listening).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tree, codes};
    use super::super::views::Level;
    use super::*;

    const PANEL: Wanted = Wanted { number: 3000, what: "the page", setting: "PORT", optional: false };
    const HEALTH: Wanted =
        Wanted { number: 8081, what: "the health", setting: "HEALTH_PORT", optional: true };

    /// `nginx` listens on 3000; another process only has a connection.
    fn busy() -> Tree {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let row = |state: &str, inode: u32| {
            format!(
                "   0: 00000000:0BB8 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n"
            )
        };
        let tcp = format!("{head}{}{}", row("01", 7), row("0A", 42));
        let tree =
            Tree::new(&[("proc/net/tcp", &tcp), ("proc/77/comm", "nginx\n"), ("proc/88/comm", "curl\n")]);
        for (id, inode) in [(77, 42), (88, 7)] {
            let fd = tree.path().join(format!("proc/{id}/fd"));
            std::fs::create_dir_all(&fd).unwrap();
            std::os::unix::fs::symlink(format!("socket:[{inode}]"), fd.join("3")).unwrap();
        }
        tree
    }

    #[test]
    fn a_taken_port_names_who_has_it() {
        let tree = busy();
        let found = of_stopped(&tree.sources(), &[PANEL, HEALTH], |port| port == 3000);
        assert_eq!(codes(&found), ["port_taken"]);
        assert_eq!((found[0].level, found[0].about.as_deref()), (Level::Problem, Some("3000")));
        assert_eq!(found[0].detail, "Port 3000 (the page) is held by nginx (process 77).");
        let found = of_stopped(&tree.sources(), &[PANEL, HEALTH], |port| port == 8081);
        assert_eq!(found[0].level, Level::Warning, "the panel starts without its health port");
        assert!(found[0].detail.contains("another program"), "{}", found[0].detail);
        assert_eq!(codes(&of_stopped(&tree.sources(), &[PANEL, HEALTH], |_| false)), ["ports"]);
    }

    #[test]
    fn a_running_panel_has_its_ports() {
        let tree = Tree::new(&[]);
        assert_eq!(codes(&of_running(&tree.sources(), &[PANEL, HEALTH], &[3000, 8080, 8081])), ["ports"]);
        let found = of_running(&tree.sources(), &[PANEL, HEALTH], &[3000, 8080]);
        assert_eq!(codes(&found), ["port_taken", "ports"]);
    }

    #[test]
    fn a_real_listener_is_found_in_the_real_tables() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_taken(port));
        let (_, id) = holder(&Sources::default(), port).expect("this process");
        assert_eq!(id, std::process::id());
    }
}
