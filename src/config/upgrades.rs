//! Settings of upgrades: where releases are published, the key that signs them, and whether to check for new ones.

use std::path::PathBuf;
use std::time::Duration;

use super::layer::{ConfigError, GUARDED, Layer, Setting, UPGRADE_TIMES};

/// Set when a release is built.
const DOWNLOAD: Option<&str> = option_env!("CTRL_ALT_PLAY_DOWNLOAD");
const KEY: Option<&str> = option_env!("CTRL_ALT_PLAY_KEY");

/// Settings of upgrades.
#[derive(Clone, Debug)]
pub struct UpgradeSettings {
    /// Base URL of releases; `None` for a program built from a checkout.
    pub download: Option<String>,
    /// The minisign public key that signs releases.
    pub key: Option<String>,
    /// PEM file with certificate authorities to trust beside the built-in ones.
    pub authorities: Option<PathBuf>,
    /// Whether to check for new releases once a day.
    pub check: bool,
    /// Whether a guard runs this process, which installs a new program at a restart, and restores the old one if the
    /// new one does not start.
    pub guarded: bool,
    /// Time limits; other values are for tests.
    pub times: UpgradeTimes,
}

/// Time limits of upgrades.
#[derive(Clone, Debug)]
pub struct UpgradeTimes {
    /// A download without progress for this long is aborted.
    pub stall: Duration,
    /// Time for a node to come back after it was sent a program.
    pub back: Duration,
    /// Time for a node that is back to report the result of its upgrade.
    pub settle: Duration,
    /// How long to wait for a busy node.
    pub idle: Duration,
    /// Minimum interval of checks requested by users.
    pub ask: Duration,
}

impl Default for UpgradeTimes {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            back: Duration::from_secs(120),
            settle: Duration::from_secs(5),
            idle: Duration::from_secs(600),
            ask: Duration::from_secs(10),
        }
    }
}

impl Default for UpgradeSettings {
    fn default() -> Self {
        let baked = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
        Self {
            download: baked(DOWNLOAD),
            key: baked(KEY),
            authorities: None,
            check: true,
            guarded: false,
            times: UpgradeTimes::default(),
        }
    }
}

impl UpgradeSettings {
    pub(super) fn of(found: &Layer) -> Result<Self, ConfigError> {
        let baked = Self::default();
        let text = |name: &str| found.get(name).map(|given| given.value.trim().to_owned());
        let off = |given: &Setting| matches!(given.value.as_str(), "off" | "no" | "false" | "0");
        let times = found
            .get(UPGRADE_TIMES)
            .map(|given| UpgradeTimes::parse(&given.value).map_err(|problem| given.bad(problem)));
        Ok(Self {
            download: text("download").or(baked.download),
            key: text("download_key").or(baked.key),
            authorities: found.get("ssl_cert_file").map(|given| PathBuf::from(&given.value)),
            check: !found.get("upgrade_check").is_some_and(off),
            guarded: found.get(GUARDED).is_some_and(|given| given.value == "1"),
            times: times.transpose()?.unwrap_or_default(),
        })
    }
}

impl UpgradeTimes {
    /// The defaults, except for those in `text`: `stall=500,back=3000`, in milliseconds.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut times = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or_else(|| format!("{part:?} is not NAME=MILLISECONDS"))?;
            let time = value.trim().parse().map_err(|_| format!("{value:?} is no time in milliseconds"))?;
            let place = match name.trim() {
                "stall" => &mut times.stall,
                "back" => &mut times.back,
                "settle" => &mut times.settle,
                "idle" => &mut times.idle,
                "ask" => &mut times.ask,
                _ => return Err(format!("there is no time called {name:?}")),
            };
            *place = Duration::from_millis(time);
        }
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_named_one_by_one() {
        let times = UpgradeTimes::parse("stall=500, back=7").unwrap();
        assert_eq!((times.stall, times.back), (Duration::from_millis(500), Duration::from_millis(7)));
        assert_eq!(times.settle, UpgradeTimes::default().settle);
        for bad in ["stall", "stall=", "stall=1s", "sleep=5"] {
            assert!(UpgradeTimes::parse(bad).is_err(), "{bad}");
        }
    }
}
