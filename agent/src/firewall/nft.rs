//! The rules as a table of nftables.
//!
//! Its chains come before those of container engines and other firewalls. Accepting a packet here only ends our own chain.

use std::fmt::Write as _;

use protocol::Protocol;

use super::command::{find, run};
use super::rules::{GAMES, METADATA, NO_LAN, Rules};

const TABLE: &str = "ctrl_alt_play";

pub(super) async fn write(rules: &Rules) -> Result<(), String> {
    let nft = find("nft").ok_or("nft is not installed")?;
    run(&nft, &["-f", "-"], &text(rules)).await
}

/// Removes the table. Without `nft` there is nobody who could have made it.
pub(super) async fn remove() -> Result<(), String> {
    let Some(nft) = find("nft") else { return Ok(()) };
    // Deleting a table that does not exist is an error: it is made first.
    run(&nft, &["-f", "-"], &format!("table inet {TABLE}\ndelete table inet {TABLE}\n")).await
}

fn text(rules: &Rules) -> String {
    let ports = |wanted: Protocol| {
        let ports = rules.published.iter().filter(|(protocol, _)| *protocol == wanted);
        let ports: Vec<_> = ports.map(|(_, port)| port.to_string()).collect();
        ports.join(", ")
    };
    let mut published = String::new();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let (name, ports) = (protocol.as_str(), ports(protocol));
        if !ports.is_empty() {
            let _ = writeln!(published, "{name} dport {{ {ports} }} accept");
        }
    }
    let (mut always, mut lan) = (String::new(), String::new());
    let family = |v4: bool| if v4 { "ip" } else { "ip6" };
    for address in rules.lan.resolvers() {
        let family = family(address.is_ipv4());
        let _ = writeln!(always, "{family} daddr {address} meta l4proto {{ tcp, udp }} th dport 53 accept");
    }
    for network in METADATA {
        let _ = writeln!(always, "{} daddr {network} drop", family(!network.contains(':')));
    }
    for subnet in rules.lan.subnets() {
        let _ = writeln!(lan, "{} daddr {subnet} drop", family(subnet.is_ipv4()));
    }
    // Replies only: what a game began while there were no rules does not go on.
    let replies = "ct state established,related ct direction reply accept";
    format!(
        "table inet {TABLE}\n\
         delete table inet {TABLE}\n\
         table inet {TABLE} {{\n\
         chain host {{\n\
         type filter hook input priority -10; policy accept;\n\
         iifname != {{ \"{GAMES}\", \"{NO_LAN}\" }} accept\n\
         {replies}\n\
         meta l4proto {{ tcp, udp }} th dport 53 accept\n\
         icmpv6 type {{ nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert }} accept\n\
         iifname \"{NO_LAN}\" drop\n\
         {published}\
         meta l4proto {{ icmp, ipv6-icmp }} accept\n\
         drop\n\
         }}\n\
         chain lan {{\n\
         type filter hook forward priority -10; policy accept;\n\
         iifname != {{ \"{GAMES}\", \"{NO_LAN}\" }} accept\n\
         {replies}\n\
         {always}\
         iifname != \"{NO_LAN}\" accept\n\
         {lan}\
         }}\n\
         }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::rules;
    use super::*;

    #[test]
    fn published_ports_and_dns_stay_open() {
        let text = text(&rules());
        assert!(text.contains("\ntcp dport { 25565, 25566 } accept\nudp dport { 27015 } accept\n"), "{text}");
        assert!(text.contains("th dport 53 accept\n"), "{text}");
        assert!(!super::text(&Rules::default()).contains("dport {  }"));
        let closed = text.find("iifname \"ctrl-alt-play1\" drop").unwrap();
        assert!(closed < text.find("tcp dport").unwrap(), "games without LAN reach no published port");
    }

    #[test]
    fn the_lan_is_closed_but_for_its_resolver() {
        let text = text(&rules());
        let resolver =
            text.find("ip daddr 192.168.1.1 meta l4proto { tcp, udp } th dport 53 accept\n").unwrap();
        let closed = text.find("ip daddr 192.168.0.0/16 drop\n").unwrap();
        assert!(resolver < closed, "{text}");
        assert!(text.contains("ip6 daddr fc00::/7 drop\n"), "{text}");
        let others = text.find("iifname != \"ctrl-alt-play1\" accept\n").unwrap();
        let metadata = text.find("ip daddr 169.254.0.0/16 drop\n").unwrap();
        assert!(resolver < metadata && metadata < others && others < closed, "{text}");
    }
}
