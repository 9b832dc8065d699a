//! The doctor on a machine with network problems: real firewall rules and names, in a separate network namespace.

use serde_json::Value;
use tokio::process::Command;

use crate::harness::binary;
use crate::harness::netns::Network;

/// Findings of `doctor` on that machine, where the panel was never started.
async fn findings(network: &Network) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let wrapper = network.wrapper();
    let output = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .args([binary(), "doctor", "--json"])
        .env("DATA_DIR", folder.path())
        .output()
        .await
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    report["findings"].as_array().unwrap().clone()
}

fn codes(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_firewall_that_drops_is_named_until_it_lets_the_panel_through() {
    let network = Network::new();
    let open = findings(&network).await;
    assert!(codes(&open).contains(&"firewall"), "{open:#?}");
    assert!(network.rule(&["-P", "INPUT", "DROP"]), "iptables");
    let closed = findings(&network).await;
    let finding = closed.iter().find(|finding| finding["code"] == "firewall_closed");
    let finding = finding.unwrap_or_else(|| panic!("{closed:#?}"));
    assert_eq!(finding["level"], "warning");
    // The advised command is executed literally, and solves the problem.
    let advice = finding["advice"].as_str().unwrap();
    let command = advice.split('`').nth(1).unwrap().strip_prefix("sudo iptables ").unwrap();
    assert!(network.rule(&command.split(' ').collect::<Vec<_>>()), "{command}");
    let mended = findings(&network).await;
    assert!(codes(&mended).contains(&"firewall"), "{mended:#?}");
}

#[tokio::test]
async fn games_behind_a_rule_of_dockers_chain() {
    let network = Network::new();
    assert!(network.rule(&["-N", "DOCKER-USER"]) && network.rule(&["-A", "DOCKER-USER", "-j", "DROP"]));
    assert!(codes(&findings(&network).await).contains(&"firewall_games"));
}

#[tokio::test]
async fn names_that_are_not_found_are_a_warning_and_no_more() {
    // There is no DNS server.
    let found = findings(&Network::new()).await;
    let dns = found.iter().find(|finding| finding["about"] == "registry-1.docker.io");
    assert_eq!(dns.unwrap_or_else(|| panic!("{found:#?}"))["level"], "warning");
}
