//! Advice is written for systemd; on machines with OpenRC its commands are replaced.

use std::sync::LazyLock;

use agent::host::Sources;
use regex_lite::Regex;

use super::views::Finding;

/// Patterns and their replacements.
static WORDS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let all = [
        (r"sudo systemctl enable --now ([\w-]+)", "sudo rc-update add $1; sudo rc-service $1 start"),
        (r"systemctl enable ([\w-]+)", "rc-update add $1"),
        (r"systemctl (start|stop|restart) ([\w-]+)", "rc-service $2 $1"),
        (r"journalctl -u ([\w-]+) -n (\d+)", "tail -n $2 /var/log/$1.log"),
    ];
    all.into_iter().filter_map(|(pattern, words)| Some((Regex::new(pattern).ok()?, words))).collect()
});

/// Replaces commands in advice for this machine. Advice for other nodes is not changed, because their service manager
/// is not known.
pub(super) fn in_its_words(findings: &mut [Finding], sources: &Sources) {
    if !sources.path("run/openrc").exists() || sources.path("run/systemd/system").exists() {
        return;
    }
    for finding in findings.iter_mut().filter(|finding| finding.group != "nodes") {
        if let Some(advice) = &mut finding.advice {
            for (pattern, words) in WORDS.iter() {
                *advice = pattern.replace_all(advice, *words).into_owned();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_in_the_words_of_who_starts_services() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources::below(folder.path());
        let said = |group, advice: &str| {
            let mut found = [Finding::problem(group, "x", "X", String::new(), advice)];
            in_its_words(&mut found, &sources);
            let [finding] = found;
            finding.advice.unwrap()
        };
        let start =
            "Start it: `sudo systemctl start ctrl-alt-play`; why: `sudo journalctl -u ctrl-alt-play -n 50`.";
        assert_eq!(said("service", start), start);
        std::fs::create_dir_all(folder.path().join("run/openrc")).unwrap();
        assert_eq!(
            said("service", start),
            "Start it: `sudo rc-service ctrl-alt-play start`; why: `sudo tail -n 50 /var/log/ctrl-alt-play.log`."
        );
        assert_eq!(
            said("engine", "`sudo systemctl enable --now docker`."),
            "`sudo rc-update add docker; sudo rc-service docker start`."
        );
        assert_eq!(said("service", "`sudo systemctl enable docker`"), "`sudo rc-update add docker`");
        assert_eq!(said("nodes", start), start);
        std::fs::create_dir_all(folder.path().join("run/systemd/system")).unwrap();
        assert_eq!(said("service", start), start);
    }
}
