//! What the running panel reports: its nodes and its own state.

use protocol::Problem;
use serde::{Deserialize, Serialize};

use super::backups::BackupSide;
use super::database::Looked;
use super::views::{Finding, Level};

/// How many nodes are reported individually; the others are only counted.
pub(super) const SHOWN: usize = 20;

/// The part of the report that only the running panel knows.
#[derive(Debug, Serialize, Deserialize)]
pub struct PanelSide {
    /// Version of the panel.
    pub program: String,
    /// User id of its process.
    pub user: u32,
    /// Address that it listens on.
    pub bind: std::net::IpAddr,
    /// Ports of the page, the agents and, if enabled, the health check.
    pub ports: Vec<u16>,
    /// Its URL by mDNS, or why there is none.
    pub local_name: Result<String, String>,
    /// Memory allocated to this machine's servers, in bytes.
    pub promised: i64,
    /// Result of checking its database.
    pub database: Looked,
    /// Other nodes with problems.
    pub unwell: Vec<NodeSide>,
    /// Number of other nodes.
    pub nodes: usize,
    /// Its servers' backups.
    #[serde(default)]
    pub backups: BackupSide,
}

/// A node with a remote agent.
#[derive(Debug, Serialize, Deserialize)]
pub struct NodeSide {
    /// Display name.
    pub name: String,
    /// Whether its agent is connected.
    pub online: bool,
    /// Problems of the node.
    pub problems: Vec<Problem>,
}

pub(super) fn nodes(panel: &PanelSide) -> Vec<Finding> {
    let mut found = Vec::new();
    for node in panel.unwell.iter().take(SHOWN) {
        if !node.online {
            let detail = format!("{} is not connected: nothing is known of its servers.", node.name);
            let advice =
                "Look there: `systemctl status ctrl-alt-play-agent`; its page under Nodes says since when.";
            found.push(
                Finding::warning("nodes", "node_offline", "A node is offline", detail, advice).of(&node.name),
            );
        }
        found.extend(node.problems.iter().map(|problem| Finding {
            level: Level::Warning,
            about: Some(format!("{}: {}", node.name, problem.code)),
            advice: Some(problem.hint.clone()),
            ..Finding::ok(
                "nodes",
                "node_problem",
                "A node is not well",
                format!("{}: {}", node.name, problem.message),
            )
        }));
    }
    if let Some(more) = panel.unwell.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let detail = format!("{more} more nodes are not well.");
        found.push(Finding::warning("nodes", "nodes_more", "More nodes are not well", detail, "See Nodes."));
    }
    if found.is_empty() {
        let detail = match panel.nodes {
            0 => "There is this machine only.".to_owned(),
            1 => "The other node is well.".to_owned(),
            count => format!("All {count} other nodes are well."),
        };
        found.push(Finding::ok("nodes", "nodes", "Nodes", detail));
    }
    found
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::codes;
    use super::*;

    pub(in super::super) fn panel() -> PanelSide {
        PanelSide {
            program: "1.0.0".into(),
            user: 0,
            bind: [0, 0, 0, 0].into(),
            ports: vec![3000, 8080],
            local_name: Ok("http://pi.local:3000".into()),
            promised: 0,
            database: Looked::Missing,
            unwell: Vec::new(),
            nodes: 2,
            backups: BackupSide::default(),
        }
    }

    #[test]
    fn nodes_are_well_away_or_have_problems() {
        assert_eq!(codes(&nodes(&panel())), ["nodes"]);
        let problem =
            Problem { code: "disk_low".into(), message: "Almost full.".into(), hint: "Make room.".into() };
        let unwell = vec![
            NodeSide { name: "shed".into(), online: false, problems: Vec::new() },
            NodeSide { name: "attic".into(), online: true, problems: vec![problem] },
        ];
        let found = nodes(&PanelSide { unwell, ..panel() });
        assert_eq!(codes(&found), ["node_offline", "node_problem"]);
        assert_eq!(found[1].about.as_deref(), Some("attic: disk_low"));
        let away = |n: usize| NodeSide { name: format!("n{n}"), online: false, problems: Vec::new() };
        let many = PanelSide { unwell: (0..50).map(away).collect(), ..panel() };
        let found = nodes(&many);
        assert_eq!(found.len(), SHOWN + 1);
        assert!(found[SHOWN].detail.starts_with("30 more"));
    }
}
