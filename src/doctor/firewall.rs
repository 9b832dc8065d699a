//! Detects a firewall that blocks the page, the agents or the games. Rules are only read, and only as root.

use agent::host::Sources;

use super::commands::{self, Said};
use super::views::Finding;

/// Output of the firewall programs.
#[derive(Debug)]
pub(super) struct Rules {
    /// Whether they were run as root.
    root: bool,
    ufw: Said,
    firewalld: Said,
    iptables: Said,
    nft: Said,
}

impl Rules {
    /// Runs all of them; none if not root.
    pub(super) async fn ask(root: bool) -> Self {
        if !root {
            let absent = || Said::Absent;
            return Self { root, ufw: absent(), firewalld: absent(), iptables: absent(), nft: absent() };
        }
        let (ufw, firewalld, iptables, nft) = tokio::join!(
            commands::ask(&["ufw", "status"]),
            commands::ask(&["firewall-cmd", "--list-all"]),
            commands::ask(&["iptables", "-S"]),
            commands::ask(&["nft", "list", "ruleset"]),
        );
        Self { root, ufw, firewalld, iptables, nft }
    }
}

/// `ports` must be reachable from the network.
pub(super) fn firewall(rules: &Rules, ports: &[u16], sources: &Sources) -> Vec<Finding> {
    if !rules.root {
        let ufw = sources
            .text("etc/ufw/ufw.conf")
            .is_some_and(|text| text.lines().any(|line| line.trim() == "ENABLED=yes"));
        let detail = if ufw {
            "ufw is on; only root sees whether it lets the panel's ports through."
        } else {
            "Only root sees its rules."
        };
        let advice = "On the machine: `sudo ctrl-alt-play doctor`.";
        return vec![Finding::note(
            "firewall",
            "firewall_unseen",
            "The firewall was not looked at",
            detail,
            advice,
        )];
    }
    let mut found = Vec::new();
    let by_name = by_ufw(&rules.ufw, ports).or_else(|| by_firewalld(&rules.firewalld, ports));
    let blocked = by_name.or_else(|| {
        let tables = rules.iptables.text().map(|text| by_iptables(text, ports));
        let native = rules.nft.text().map(|text| by_nft(text, ports));
        let worst = |mut all: Vec<Blocked>| {
            all.sort_by_key(|blocked| blocked.ports.len());
            all.pop()
        };
        // On most machines iptables writes into nftables and both show the rules; then advice for iptables is given.
        worst([native, tables].into_iter().flatten().collect())
    });
    if let Some(Blocked { by, ports, advice }) = blocked.filter(|blocked| !blocked.ports.is_empty()) {
        let numbers: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let detail = format!(
            "{by} drops what comes from outside, and lets nothing through to {}.",
            numbers.join(" and ")
        );
        found.push(Finding::warning(
            "firewall",
            "firewall_closed",
            "A firewall is in the way",
            detail,
            &advice,
        ));
    }
    if let Some(text) = rules.iptables.text()
        && games_blocked(text)
    {
        let detail = "A rule of the chain DOCKER-USER drops all that is forwarded to containers: nobody reaches the games.";
        let advice = "Look at it (`sudo iptables -S DOCKER-USER`) and let your own network through, for example `sudo \
                      iptables -I DOCKER-USER -s 192.168.0.0/16 -j RETURN`.";
        found.push(Finding::warning(
            "firewall",
            "firewall_games",
            "A firewall is in the way of games",
            detail,
            advice,
        ));
    }
    if found.is_empty() {
        let detail = "No rule was found that keeps others from the panel or the games.";
        found.push(Finding::ok("firewall", "firewall", "Firewall", detail));
    }
    found
}

/// Blocked ports, and the firewall that blocks them.
struct Blocked {
    by: &'static str,
    ports: Vec<u16>,
    advice: String,
}

fn without(ports: &[u16], open: impl Fn(u16) -> bool) -> Vec<u16> {
    ports.iter().copied().filter(|port| !open(*port)).collect()
}

fn lines(ports: &[u16], line: impl Fn(u16) -> String) -> String {
    let all: Vec<String> = ports.iter().map(|port| format!("`{}`", line(*port))).collect();
    format!("Let your network in: {}.", all.join(", "))
}

/// Whether `text` contains the port as a whole number: 3000 is not in 30001, and is in `3000:3010`.
fn names(text: &str, port: u16) -> bool {
    text.split(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '-'))).any(|word| {
        match word.split_once([':', '-']) {
            Some((from, to)) => match (from.parse::<u16>(), to.parse::<u16>()) {
                (Ok(from), Ok(to)) => (from..=to).contains(&port),
                _ => false,
            },
            None => word.parse() == Ok(port),
        }
    })
}

fn by_ufw(said: &Said, ports: &[u16]) -> Option<Blocked> {
    let text = said.text().filter(|text| text.starts_with("Status: active"))?;
    let open = |port| {
        text.lines().any(|line| {
            let to = line.split("ALLOW").next().unwrap_or_default();
            line.contains("ALLOW") && (names(to, port) || to.trim().starts_with("Anywhere"))
        })
    };
    let ports = without(ports, open);
    let advice = lines(&ports, |port| format!("sudo ufw allow {port}/tcp"));
    Some(Blocked { by: "ufw", ports, advice })
}

fn by_firewalld(said: &Said, ports: &[u16]) -> Option<Blocked> {
    let text = said.text()?;
    let list = |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_default();
    let all = text.contains("target: ACCEPT");
    let (open, services) = (list("ports:"), list("services:"));
    let ports = without(ports, |port| {
        all || names(open, port)
            || (port == 80 && services.contains("http"))
            || (port == 443 && services.contains("https"))
    });
    let advice = format!(
        "{} Then `sudo firewall-cmd --reload`.",
        lines(&ports, |port| format!("sudo firewall-cmd --permanent --add-port={port}/tcp"))
    );
    Some(Blocked { by: "firewalld", ports, advice })
}

fn by_iptables(text: &str, ports: &[u16]) -> Blocked {
    // A last rule that drops everything has the same effect as a policy.
    let drops = text.lines().any(|line| {
        matches!(line.trim(), "-P INPUT DROP" | "-A INPUT -j DROP" | "-A INPUT -j REJECT")
            || line.starts_with("-A INPUT -j REJECT ")
    });
    let open = |port| {
        text.lines().any(|line| {
            line.trim() == "-A INPUT -j ACCEPT"
                || (line.ends_with("-j ACCEPT")
                    && line
                        .split("--dport")
                        .skip(1)
                        .chain(line.split("--dports").skip(1))
                        .any(|rest| names(rest.split(" -").next().unwrap_or_default(), port)))
        })
    };
    let ports = if drops { without(ports, open) } else { Vec::new() };
    let advice = lines(&ports, |port| format!("sudo iptables -I INPUT -p tcp --dport {port} -j ACCEPT"));
    Blocked { by: "iptables", ports, advice }
}

fn by_nft(text: &str, ports: &[u16]) -> Blocked {
    let drops = text.lines().any(|line| line.contains("hook input") && line.contains("policy drop"));
    let open = |port| {
        text.lines()
            .any(|line| line.contains("accept") && line.split("dport").skip(1).any(|rest| names(rest, port)))
    };
    let ports = if drops { without(ports, open) } else { Vec::new() };
    let advice = lines(&ports, |port| format!("sudo nft add rule inet filter input tcp dport {port} accept"));
    Blocked { by: "nftables", ports, advice }
}

fn games_blocked(iptables: &str) -> bool {
    let own: Vec<&str> =
        iptables.lines().filter_map(|line| line.strip_prefix("-A DOCKER-USER ")).map(str::trim).collect();
    let stops = |rule: &&&str| matches!(**rule, "-j DROP" | "-j REJECT") || rule.starts_with("-j REJECT ");
    match own.iter().position(|rule| stops(&rule)) {
        // Rules that accept something before it are intentional.
        Some(at) => !own[..at].iter().any(|rule| rule.contains("ACCEPT") || rule.contains("RETURN")),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tree, codes};
    use super::*;

    fn rules(ufw: &str, firewalld: &str, iptables: &str, nft: &str) -> Rules {
        let said = |text: &str| if text.is_empty() { Said::Absent } else { Said::of(text) };
        Rules {
            root: true,
            ufw: said(ufw),
            firewalld: said(firewalld),
            iptables: said(iptables),
            nft: said(nft),
        }
    }

    fn said(rules: &Rules) -> Vec<String> {
        codes(&firewall(rules, &[3000, 8080], &Tree::new(&[]).sources()))
    }

    #[test]
    fn ufw_lets_through_what_is_allowed() {
        assert_eq!(said(&rules("Status: inactive\n", "", "", "")), ["firewall"]);
        let closed = "Status: active\n\nTo     Action  From\n--\n22/tcp    ALLOW   Anywhere\n30001/tcp ALLOW Anywhere\n";
        let found = firewall(&rules(closed, "", "", ""), &[3000, 8080], &Tree::new(&[]).sources());
        assert_eq!(codes(&found), ["firewall_closed"]);
        assert!(found[0].advice.as_deref().unwrap().contains("ufw allow 3000/tcp"), "{found:?}");
        let open = "Status: active\n\n3000,8080/tcp   ALLOW   192.168.0.0/16\n";
        assert_eq!(said(&rules(open, "", "", "")), ["firewall"]);
        assert_eq!(
            said(&rules("Status: active\n\nAnywhere ALLOW 192.168.0.0/16\n", "", "", "")),
            ["firewall"]
        );
    }

    #[test]
    fn firewalld_lists_what_it_lets_through() {
        let zone =
            |ports: &str| format!("public (active)\n  target: default\n  services: ssh\n  ports: {ports}\n");
        assert_eq!(said(&rules("", &zone(""), "", "")), ["firewall_closed"]);
        assert_eq!(said(&rules("", &zone("3000/tcp 8000-8100/tcp"), "", "")), ["firewall"]);
    }

    #[test]
    fn iptables_drops_by_policy_or_by_its_last_rule() {
        assert_eq!(said(&rules("", "", "-P INPUT ACCEPT\n-P FORWARD DROP\n", "")), ["firewall"]);
        assert_eq!(said(&rules("", "", "-P INPUT DROP\n", "")), ["firewall_closed"]);
        let open = "-P INPUT DROP\n-A INPUT -p tcp -m multiport --dports 3000,8080 -j ACCEPT\n";
        assert_eq!(said(&rules("", "", open, "")), ["firewall"]);
        let half = "-P INPUT ACCEPT\n-A INPUT -p tcp -m tcp --dport 3000 -j ACCEPT\n-A INPUT -j REJECT --reject-with x\n";
        let found = firewall(&rules("", "", half, ""), &[3000, 8080], &Tree::new(&[]).sources());
        assert!(found[0].detail.ends_with("to 8080."), "{found:?}");
    }

    #[test]
    fn nftables_drops_by_policy() {
        let chain = |policy: &str, rule: &str| {
            format!(
                "table inet filter {{\n chain input {{\n  type filter hook input priority filter; policy {policy};\n  {rule}\n }}\n}}\n"
            )
        };
        assert_eq!(said(&rules("", "", "", &chain("accept", ""))), ["firewall"]);
        assert_eq!(said(&rules("", "", "", &chain("drop", "tcp dport 22 accept"))), ["firewall_closed"]);
        assert_eq!(
            said(&rules("", "", "", &chain("drop", "tcp dport { 22, 3000, 8080 } accept"))),
            ["firewall"]
        );
    }

    #[test]
    fn games_behind_dockers_own_chain() {
        let with = |rules_: &str| said(&rules("", "", &format!("-P INPUT ACCEPT\n{rules_}"), ""));
        assert_eq!(with("-A DOCKER-USER -j RETURN\n"), ["firewall"]);
        assert_eq!(with("-A DOCKER-USER -j DROP\n"), ["firewall_games"]);
        assert_eq!(
            with("-A DOCKER-USER -s 192.168.0.0/16 -j RETURN\n-A DOCKER-USER -j DROP\n"),
            ["firewall"]
        );
    }

    #[test]
    fn whoever_is_not_root_is_told_so() {
        let rules = Rules { root: false, ..rules("", "", "", "") };
        let tree = Tree::new(&[("etc/ufw/ufw.conf", "# x\nENABLED=yes\n")]);
        let found = firewall(&rules, &[3000], &tree.sources());
        assert_eq!(codes(&found), ["firewall_unseen"]);
        assert!(found[0].detail.contains("ufw is on"));
        assert!(!firewall(&rules, &[3000], &Tree::new(&[]).sources())[0].detail.contains("ufw"));
    }
}
