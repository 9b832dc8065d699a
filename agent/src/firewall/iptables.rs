//! The rules as chains of iptables: one that `INPUT` of the table `filter` jumps to, one that `FORWARD` of `mangle` does.
//! Container engines put their own rules first in `filter`'s `FORWARD` again and again; `mangle` is asked before it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use protocol::Protocol;

use super::command::{find, run};
use super::rules::{GAMES, METADATA, NO_LAN, Rules};

const HOST: Chain = Chain { table: "filter", hook: "INPUT", name: "CTRL-ALT-PLAY" };
const LAN: Chain = Chain { table: "mangle", hook: "FORWARD", name: "CTRL-ALT-PLAY-LAN" };
/// All our bridges; `+` stands for any ending.
const BRIDGES: &str = "ctrl-alt-play+";
/// A program waits so many seconds for another one that holds the lock.
const WAIT: [&str; 2] = ["-w", "2"];
/// The most jumps to one chain that are looked for.
const JUMPS: usize = 8;

struct Chain {
    table: &'static str,
    hook: &'static str,
    name: &'static str,
}

impl Chain {
    fn jump<'a>(&'a self, action: &'a str, interface: &'a str) -> [&'a str; 6] {
        [action, self.hook, "-i", interface, "-j", self.name]
    }
}

pub(super) async fn write(rules: &Rules) -> Result<(), String> {
    let restore = find("iptables-restore").ok_or("iptables is not installed")?;
    // Where there is no IPv6, there is nothing to close.
    if Path::new("/proc/net/if_inet6").exists() {
        let restore = find("ip6tables-restore").ok_or("ip6tables is not installed")?;
        restored(&restore, rules, false).await?;
    }
    restored(&restore, rules, true).await
}

/// All of a family at once: no moment without rules, as long as they are there already.
async fn restored(restore: &Path, rules: &Rules, v4: bool) -> Result<(), String> {
    let arguments = [&WAIT[..], &["--noflush"]].concat();
    if run(restore, &arguments, &text(rules, v4, true)).await.is_ok() {
        return Ok(());
    }
    // There was no jump that could be replaced.
    run(restore, &arguments, &text(rules, v4, false)).await
}

fn text(rules: &Rules, v4: bool, replaced: bool) -> String {
    let replies = "-m conntrack --ctstate ESTABLISHED,RELATED --ctdir REPLY -j RETURN";
    let mut text = String::new();
    for chain in [&HOST, &LAN] {
        let Chain { table, name, .. } = chain;
        let _ = writeln!(text, "*{table}\n:{name} - [0:0]");
        if replaced {
            let _ = writeln!(text, "{}", chain.jump("-D", BRIDGES).join(" "));
        }
        let _ = writeln!(text, "{}", chain.jump("-I", BRIDGES).join(" "));
        let _ = writeln!(text, "-A {name} {replies}");
        let rules = if *table == HOST.table { host(rules, v4) } else { lan(rules, v4) };
        for rule in rules {
            let _ = writeln!(text, "-A {name} {rule}");
        }
        text.push_str("COMMIT\n");
    }
    text
}

fn host(rules: &Rules, v4: bool) -> Vec<String> {
    let open = |protocol: Protocol, port: u16| {
        let protocol = protocol.as_str();
        format!("-p {protocol} -m {protocol} --dport {port} -j RETURN")
    };
    let mut all = vec![open(Protocol::Tcp, 53), open(Protocol::Udp, 53)];
    if !v4 {
        let neighbours = ["router-solicitation", "neighbour-solicitation", "neighbour-advertisement"];
        all.extend(neighbours.map(|kind| format!("-p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j RETURN")));
    }
    all.push(format!("-i {NO_LAN} -j DROP"));
    all.extend(rules.published.iter().map(|&(protocol, port)| open(protocol, port)));
    all.push(format!("-p {} -j RETURN", if v4 { "icmp" } else { "ipv6-icmp" }));
    all.push("-j DROP".to_owned());
    all
}

fn lan(rules: &Rules, v4: bool) -> Vec<String> {
    let resolvers = rules.lan.resolvers().iter().filter(|address| address.is_ipv4() == v4);
    let subnets = rules.lan.subnets().iter().filter(|subnet| subnet.is_ipv4() == v4);
    let open = resolvers.flat_map(|address| {
        ["tcp", "udp"]
            .map(|protocol| format!("-d {address} -p {protocol} -m {protocol} --dport 53 -j RETURN"))
    });
    let metadata = METADATA.iter().filter(|network| network.contains(':') != v4);
    open.chain(metadata.map(|network| format!("-d {network} -j DROP")))
        .chain([format!("! -i {NO_LAN} -j RETURN")])
        .chain(subnets.map(|subnet| format!("-d {subnet} -j DROP")))
        .collect()
}

/// The programs that [`write()`] uses.
pub(super) fn in_use() -> Vec<PathBuf> {
    ["iptables", "ip6tables"].into_iter().filter_map(find).collect()
}

/// Removes the chains and the jumps to them, but for those that these programs see.
pub(super) async fn remove(but: &[PathBuf]) -> Result<(), String> {
    let but: Vec<_> = but.iter().filter_map(|program| kind(program)).collect();
    let mut done = Ok(());
    let mut seen = Vec::new();
    for name in
        ["iptables", "ip6tables", "iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"]
    {
        let Some(program) = find(name) else { continue };
        // One program has several names, and does another family by another name.
        let Some(kind) = kind(&program) else { continue };
        if but.contains(&kind) || seen.contains(&kind) {
            continue;
        }
        // Asking the older iptables loads its modules.
        if kind.0.to_string_lossy().contains("legacy") && !has_legacy_tables(kind.1) {
            continue;
        }
        seen.push(kind);
        for chain in [&HOST, &LAN] {
            done = done.and(remove_chain(&program, chain).await);
        }
    }
    done
}

/// What a program is behind its links, and whether it is for IPv6.
fn kind(program: &Path) -> Option<(PathBuf, bool)> {
    let name = program.file_name()?.to_string_lossy().into_owned();
    Some((program.canonicalize().ok()?, name.starts_with("ip6")))
}

fn has_legacy_tables(v6: bool) -> bool {
    let list = if v6 { "/proc/net/ip6_tables_names" } else { "/proc/net/ip_tables_names" };
    std::fs::read_to_string(list).is_ok_and(|names| !names.trim().is_empty())
}

async fn remove_chain(program: &Path, chain: &Chain) -> Result<(), String> {
    let act =
        async |words: &[&str]| run(program, &[&WAIT[..], &["-t", chain.table], words].concat(), "").await;
    if let Err(cause) = act(&["-S", chain.name]).await {
        let forbidden = ["denied", "not permitted", "root"].iter().any(|word| cause.contains(word));
        // Any other refusal is that there is no such chain.
        return if forbidden { Err(cause) } else { Ok(()) };
    }
    remove_jumps(program, chain, &[BRIDGES, GAMES, NO_LAN]).await;
    act(&["-F", chain.name]).await?;
    act(&["-X", chain.name]).await
}

async fn remove_jumps(program: &Path, chain: &Chain, interfaces: &[&str]) {
    for interface in interfaces {
        let words = [&WAIT[..], &["-t", chain.table], &chain.jump("-D", interface)].concat();
        for _ in 0..JUMPS {
            if run(program, &words, "").await.is_err() {
                break;
            }
        }
    }
}

/// Earlier versions jumped from one bridge only.
pub(super) async fn remove_old_jumps(programs: &[PathBuf]) {
    for program in programs {
        remove_jumps(program, &HOST, &[GAMES]).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::rules;
    use super::*;

    #[test]
    fn published_ports_and_dns_stay_open() {
        let text = text(&rules(), true, false);
        assert!(text.contains("-A CTRL-ALT-PLAY -p udp -m udp --dport 27015 -j RETURN\n"), "{text}");
        assert!(text.contains("-p icmp -j RETURN\n-A CTRL-ALT-PLAY -j DROP\nCOMMIT\n"), "{text}");
        let closed = text.find("-i ctrl-alt-play1 -j DROP").unwrap();
        assert!(closed < text.find("--dport 25565").unwrap(), "games without LAN reach no published port");
    }

    #[test]
    fn the_lan_is_closed_but_for_its_resolver() {
        let of_v4 = text(&rules(), true, true);
        let resolver = of_v4.find("-d 192.168.1.1 -p tcp -m tcp --dport 53 -j RETURN\n").unwrap();
        assert!(resolver < of_v4.find("-d 192.168.0.0/16 -j DROP\n").unwrap(), "{of_v4}");
        assert!(!of_v4.contains("fc00::"), "{of_v4}");
        let others = of_v4.find("! -i ctrl-alt-play1 -j RETURN\n").unwrap();
        let metadata = of_v4.find("-d 169.254.0.0/16 -j DROP\n").unwrap();
        assert!(resolver < metadata && metadata < others, "{of_v4}");
        assert!(others < of_v4.find("-d 192.168.0.0/16").unwrap(), "{of_v4}");
        let of_v6 = text(&rules(), false, true);
        assert!(of_v6.contains("-A CTRL-ALT-PLAY-LAN -d fc00::/7 -j DROP\n"), "{of_v6}");
        assert!(!of_v6.contains("192.168."), "{of_v6}");
    }
}
