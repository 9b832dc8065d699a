//! Whether a node can block its games from the local network, according to its agent.

use protocol::{SystemInfo, capability};

/// Why blocking the local network does not work on this node; `None` if it works, or if that is not known.
pub(super) fn problem(system: Option<&SystemInfo>) -> Option<String> {
    let system = system?;
    if !system.capabilities.iter().any(|word| word == capability::BLOCK_LAN) {
        return Some("The agent of this node does not support it.".to_owned());
    }
    let firewall = system.firewall.as_ref().filter(|firewall| !firewall.active)?;
    let cause = firewall.error.as_deref().unwrap_or("no reason was given").trim_end_matches('.');
    Some(format!("No firewall rule could be set on this node: {cause}."))
}

#[cfg(test)]
mod tests {
    use protocol::Firewall;

    use super::*;

    #[test]
    fn it_is_said_where_the_block_does_not_hold() {
        let told = |words: &[&str], firewall: Option<Firewall>| {
            let capabilities = words.iter().map(|&word| word.to_owned()).collect();
            problem(Some(&SystemInfo { capabilities, firewall, ..SystemInfo::default() }))
        };
        let failed = Firewall { active: false, error: Some("nft: Operation not permitted".into()) };
        assert_eq!(problem(None), None);
        assert_eq!(told(&["block-lan"], None), None, "not known yet");
        assert_eq!(told(&["block-lan"], Some(Firewall { active: true, error: None })), None);
        let said = told(&["block-lan"], Some(failed.clone())).unwrap();
        assert!(said.ends_with(": nft: Operation not permitted."), "{said}");
        assert!(told(&["ack"], Some(failed)).unwrap().contains("does not support"));
    }
}
