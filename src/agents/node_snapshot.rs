//! What follows from what an agent has said of its machine.

use agent::protocol::{Problem, SystemInfo, capability, problem_code};

use super::NodeSnapshot;

/// Why games of this machine reach its local network even where that is blocked; `None` where they do not, or where that is
/// not known.
pub(super) fn lan_problem(system: Option<&SystemInfo>) -> Option<String> {
    let system = system?;
    if !system.capabilities.iter().any(|word| word == capability::BLOCK_LAN) {
        return Some("The agent of this node does not support it.".to_owned());
    }
    let firewall = system.firewall.as_ref().filter(|firewall| !firewall.active)?;
    let cause = firewall.error.as_deref().unwrap_or("no reason was given").trim_end_matches('.');
    Some(format!("No firewall rule could be set on this node: {cause}."))
}

impl NodeSnapshot {
    /// Why no game can run there, where it is in a container without a place on its host; it says so itself.
    pub fn no_host_path(&self) -> Option<&Problem> {
        let problems = self.system.as_ref().map_or(&[][..], |system| system.problems.as_slice());
        problems.iter().find(|problem| problem.code == problem_code::NO_HOST_PATH)
    }

    /// It is connected, and says that its container engine does not answer.
    pub fn engine_away(&self) -> bool {
        let engine = self.system.as_ref().and_then(|system| system.engine.as_ref());
        self.online && engine.is_some_and(|engine| !engine.available)
    }

    /// Why games there reach the local network even where that is blocked, as far as it is known.
    pub fn lan_problem(&self) -> Option<String> {
        lan_problem(self.system.as_ref().filter(|_| self.online))
    }
}

#[cfg(test)]
mod tests {
    use agent::protocol::Firewall;

    use super::*;

    #[test]
    fn it_is_said_where_the_block_does_not_hold() {
        let told = |words: &[&str], firewall: Option<Firewall>| {
            let capabilities = words.iter().map(|&word| word.to_owned()).collect();
            lan_problem(Some(&SystemInfo { capabilities, firewall, ..SystemInfo::default() }))
        };
        let failed = Firewall { active: false, error: Some("nft: Operation not permitted".into()) };
        assert_eq!(lan_problem(None), None);
        assert_eq!(told(&["block-lan"], None), None, "not known yet");
        assert_eq!(told(&["block-lan"], Some(Firewall { active: true, error: None })), None);
        let said = told(&["block-lan"], Some(failed.clone())).unwrap();
        assert!(said.ends_with(": nft: Operation not permitted."), "{said}");
        assert!(told(&["ack"], Some(failed)).unwrap().contains("does not support"));
    }
}
