//! How a node with a legacy agent is recognised and described.

use protocol::{Problem, ProblemCode, SystemInfo, capability};

use crate::agents::state::NodeSnapshot;

/// Whether this system info comes from a legacy agent.
pub(in crate::agents) fn is_limited(info: &SystemInfo) -> bool {
    !info.capabilities.iter().any(|name| name == capability::ACK)
}

/// Marks a node with a legacy agent as limited and adds the problem that says so.
pub(in crate::agents) fn describe(node: &mut NodeSnapshot, lacks_files: bool) {
    node.limited = node.system.as_ref().is_some_and(is_limited);
    if node.limited {
        node.problems.push(problem(node.online, lacks_files));
    }
}

fn problem(online: bool, lacks_files: bool) -> Problem {
    let files = if lacks_files { " It does not serve files." } else { "" };
    let message = format!(
        "The agent of this node is a legacy agent with the basic messages only: it publishes no ports, limits \
         memory alone, can't change or suspend a server, and does not show what it measures. It does not tell of a crash: \
         the panel asks for the state of one server after the other. What this panel wants and what the agent has can't \
         be compared.{files}"
    );
    let lost = "Such an agent may connect once and never again: then a restart of this panel loses the node until \
                somebody restarts its agent.";
    let hint = if online {
        format!("{lost} The agent of this panel, joined under the same id, can all of it.")
    } else {
        format!("Restart the agent on its machine. {lost}")
    };
    Problem { code: ProblemCode::LimitedAgent, message, hint }
}
