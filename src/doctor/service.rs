//! The panel's service, and whether it starts at boot.

use std::path::Path;

use agent::host::Sources;

use super::views::Finding;
use crate::system::service::installed::PANEL;
use crate::system::service::{Manager, Service};

/// `running` is the version of the running panel, `own` that of this program.
pub(super) fn service(sources: &Sources, data_dir: &Path, running: Option<&str>, own: &str) -> Vec<Finding> {
    let there = |path: &str| sources.path(path).exists();
    let mut found = Vec::new();
    if let Some(running) = running.filter(|running| *running != own) {
        let detail = format!("The panel that runs is {running}, and the program on the disk is {own}.");
        let advice = "Start it again; games run on: `sudo systemctl restart ctrl-alt-play`.";
        found.push(Finding::warning("service", "service_outdated", "Another version runs", detail, advice));
    }
    found.extend(outcome(data_dir));
    if there(".dockerenv") || there("run/.containerenv") {
        let detail = "The panel runs in a container: whoever started that restarts it.";
        found.push(Finding::ok("service", "service", "Service", detail));
        return found;
    }
    let by_hand = |system: &str| {
        let detail =
            format!("{system} does not know the panel: nobody starts it after a restart of the machine.");
        let advice = "Install it as a service: `sudo ./install.sh`.";
        Finding::note("service", "service_missing", "The panel is started by hand", detail, advice)
    };
    if there("run/systemd/system") {
        found.extend(systemd(sources, by_hand));
    } else if there("run/openrc") {
        if !there("etc/init.d/ctrl-alt-play") {
            found.push(by_hand("OpenRC"));
        } else if !there("etc/runlevels/default/ctrl-alt-play") {
            let advice = "`sudo rc-update add ctrl-alt-play default`";
            found.push(not_at_boot("The panel", advice));
        } else {
            found.push(Finding::ok("service", "service", "Service", "OpenRC starts the panel."));
        }
    } else {
        found.push(by_hand("No service manager that we know"));
    }
    found
}

/// The panel should be running but is not.
pub(super) fn stopped() -> Finding {
    let detail = "No panel answers on this data folder. Games run on without it.";
    let advice = "Start it: `sudo systemctl start ctrl-alt-play`; why it ended: `sudo journalctl -u ctrl-alt-play -n 50`.";
    Finding::warning("service", "panel_stopped", "The panel does not run", detail, advice)
}

/// The panel is running but this user may not ask it.
pub(super) fn closed(cause: &str) -> Finding {
    let detail = format!("A panel answers on its port, but not to us: {}.", cause.trim_end_matches('.'));
    let advice = "Ask as root or as the panel's user: `sudo ctrl-alt-play doctor`.";
    Finding::note("service", "panel_unseen", "The panel was not asked", detail, advice)
}

fn systemd(sources: &Sources, by_hand: impl Fn(&str) -> Finding) -> Vec<Finding> {
    let mut found = Vec::new();
    let there = |path: &str| sources.path(path).symlink_metadata().is_ok();
    let unit = Service::below(&sources.path(""), PANEL);
    let Some(unit) = unit.filter(|unit| unit.manager == Some(Manager::Systemd)) else {
        return vec![by_hand("systemd")];
    };
    if !unit.guarded {
        let detail =
            "The service file is of an older version: an upgrade would not be taken back when it fails.";
        let advice = "Install it anew, settings and data stay: `sudo ./install.sh`.";
        found.push(Finding::note("service", "service_old", "The service file is old", detail, advice));
    }
    if !there(&format!("etc/systemd/system/multi-user.target.wants/{PANEL}.service")) {
        found.push(not_at_boot("The panel", "`sudo systemctl enable ctrl-alt-play`"));
    }
    let folders = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
    let engine = folders.iter().any(|folder| there(&format!("{folder}/docker.service")));
    let wanted = ["multi-user.target.wants/docker.service", "sockets.target.wants/docker.socket"];
    if engine && !wanted.iter().any(|link| there(&format!("etc/systemd/system/{link}"))) {
        found.push(not_at_boot("Docker", "`sudo systemctl enable docker`"));
    }
    if found.is_empty() {
        found.push(Finding::ok("service", "service", "Service", "systemd starts the panel."));
    }
    found
}

fn not_at_boot(what: &str, advice: &str) -> Finding {
    let detail = format!("{what} does not start with the machine.");
    Finding::warning("service", "service_disabled", "Not started with the machine", detail, advice).of(what)
}

/// The result of the last upgrade, if it was reverted.
fn outcome(data_dir: &Path) -> Option<Finding> {
    let text = std::fs::read_to_string(data_dir.join("upgrade/outcome")).ok()?;
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
    };
    (value("result") == "reverted").then(|| {
        let detail = format!(
            "The upgrade from {} to {} was taken back: {}.",
            value("from"),
            value("to"),
            value("reason").trim_end_matches('.')
        );
        let advice =
            "Nothing was lost. What it said: `sudo journalctl -u ctrl-alt-play`; then try the next version.";
        Finding::warning("service", "upgrade_reverted", "The last upgrade was taken back", detail, advice)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Tree, codes};
    use super::*;

    fn said(files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::new(files);
        codes(&service(&tree.sources(), tree.path(), Some("1.0.0"), "1.0.0"))
    }

    const SYSTEMD: (&str, &str) = ("run/systemd/system/x", "");
    const NEW: (&str, &str) = (
        "usr/lib/systemd/system/ctrl-alt-play.service",
        "[Service]\nEnvironment=CTRL_ALT_PLAY_GUARDED=1\nExecStart=/usr/bin/ctrl-alt-play serve\n",
    );
    const WANTED: (&str, &str) = ("etc/systemd/system/multi-user.target.wants/ctrl-alt-play.service", "");

    #[test]
    fn systemd_openrc_containers_and_nobody() {
        assert_eq!(said(&[SYSTEMD, NEW, WANTED]), ["service"]);
        assert_eq!(said(&[SYSTEMD, NEW]), ["service_disabled"]);
        assert_eq!(said(&[SYSTEMD]), ["service_missing"]);
        let old = ("etc/systemd/system/ctrl-alt-play.service", "[Service]\nExecStart=/opt/ctrl-alt-play\n");
        assert_eq!(said(&[SYSTEMD, old, WANTED]), ["service_old"]);
        assert_eq!(
            said(&[SYSTEMD, NEW, WANTED, ("lib/systemd/system/docker.service", "")]),
            ["service_disabled"]
        );
        assert_eq!(said(&[("run/openrc/softlevel", "default")]), ["service_missing"]);
        assert_eq!(
            said(&[("run/openrc/softlevel", ""), ("etc/init.d/ctrl-alt-play", "")]),
            ["service_disabled"]
        );
        assert_eq!(said(&[(".dockerenv", "")]), ["service"]);
        assert_eq!(said(&[]), ["service_missing"]);
    }

    #[test]
    fn another_version_and_an_upgrade_that_was_taken_back() {
        let reverted =
            "from=1.0.0\nto=1.1.0\nresult=reverted\nreason=it did not answer\nat=2026-01-01T00:00:00Z\n";
        let tree = Tree::new(&[SYSTEMD, NEW, WANTED, ("upgrade/outcome", reverted)]);
        let found = service(&tree.sources(), tree.path(), Some("1.0.0"), "1.1.0");
        assert_eq!(codes(&found), ["service_outdated", "upgrade_reverted", "service"]);
        assert_eq!(found[1].detail, "The upgrade from 1.0.0 to 1.1.0 was taken back: it did not answer.");
        let done = Tree::new(&[SYSTEMD, NEW, WANTED, ("upgrade/outcome", "result=done\n")]);
        assert_eq!(codes(&service(&done.sources(), done.path(), None, "1.1.0")), ["service"]);
    }
}
